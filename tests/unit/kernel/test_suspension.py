"""Claims about suspensions, rule by rule, in the order of the checks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affiant.kernel import mandate, suspension
from affiant.kernel.action import domain_separator
from affiant.kernel.errors import MalformedError
from affiant.kernel.mandate import CLOCK_DRIFT, Guardian, Level, State, Terms, Watch
from affiant.kernel.suspension import BoundSuspension, Suspension

from .refusals import forbidden, refused
from .test_mandate import ACTION, NOW, TERMS

ROOT = Path(__file__).parents[3]
LIMIT, WINDOW = 1_000, 10_000
HALF = LIMIT // 2
WATCHED = replace(TERMS, guardian=Guardian(b"g" * 20, LIMIT, WINDOW, b"h"))


def suspend(
    until: int,
    number: int = 0,
    *,
    state: State | None = None,
    terms: Terms = WATCHED,
    now: int = NOW,
    **more: Any,
) -> State:
    """Suspend under the terms of these tests."""
    return suspension.suspend(terms, state or State(), Suspension(number, until), now=now, **more)


def test_a_suspension_keeps_the_agent_still_until_its_end() -> None:
    """The agent is refused in the last second before the end, and acts in the second of the end."""
    state = suspend(NOW + 100)
    for now in (NOW, NOW + 99):
        with forbidden("AgentSuspended"):
            mandate.check(WATCHED, state, ACTION, now=now)
    assert mandate.check(WATCHED, state, ACTION, now=NOW + 100).nonce == 1


def test_a_suspension_charges_what_it_adds_and_counts() -> None:
    """The number counts up and the seconds added are charged; nothing of the agent's changes."""
    before = State(epoch=3, nonce=7, levels={0: Level(5, NOW)})
    after = suspend(NOW + 100, state=before)
    assert after.watch == Watch(1, 0, Level(100 * WINDOW, NOW))
    assert after == replace(before, suspended_until=NOW + 100, watch=after.watch)
    longer = suspend(NOW + 150, 1, state=after, now=NOW + 20)
    leaked = 20 * HALF
    assert longer.watch == Watch(2, 0, Level(150 * WINDOW - leaked, NOW + 20))
    assert longer.suspended_until == NOW + 150


def test_without_guardian_nobody_suspends() -> None:
    """Terms without a guardian know no suspension."""
    with forbidden("NoGuardian"):
        suspend(NOW + 1, terms=TERMS)
    suspend(NOW + 1)


def test_a_revoked_mandate_is_not_suspended() -> None:
    """After revocation nobody suspends."""
    with forbidden("Revoked"):
        suspend(NOW + 1, state=State(revoked=True))


def test_numbers_are_used_once() -> None:
    """An earlier or later number is refused, and the same suspension does not count twice."""
    state = State(watch=Watch(number=5))
    suspend(NOW + 1, 5, state=state)
    for number in (4, 6):
        with forbidden("WrongSuspension"):
            suspend(NOW + 1, number, state=state)
    with forbidden("WrongSuspension"):
        suspend(NOW + 1, state=suspend(NOW + 1))


def test_a_silenced_guardian_waits() -> None:
    """Until the second that the principal named the guardian is refused, and from it on heard."""
    state = suspension.resume(State(), NOW + 10)
    with forbidden("GuardianSilenced"):
        suspend(NOW + 50, 1, state=state, now=NOW + 9)
    suspend(NOW + 50, 1, state=state, now=NOW + 10)


def test_an_alert_is_not_hoarded() -> None:
    """The end is at most half the limit after the oath, and the oath at most a minute ahead."""
    suspend(NOW + HALF)
    with forbidden("LivesTooLong"):
        suspend(NOW + HALF + 1)
    suspend(NOW + HALF - 10, iat=NOW - 10)
    with forbidden("LivesTooLong"):
        suspend(NOW + HALF - 9, iat=NOW - 10)
    suspend(NOW + 1, iat=NOW + CLOCK_DRIFT)
    with forbidden("SwornInFuture"):
        suspend(NOW + 1, iat=NOW + CLOCK_DRIFT + 1)


def test_a_suspension_adds_something() -> None:
    """An end that is not after now, or not after the suspension in force, is refused."""
    for until in (NOW, NOW - 1, 0):
        with forbidden("SuspendsNothing"):
            suspend(until)
    state = suspend(NOW + 100)
    for until in (NOW + 100, NOW + 99):
        with forbidden("SuspendsNothing"):
            suspend(until, 1, state=state, now=NOW + 50)
    suspend(NOW + 101, 1, state=state, now=NOW + 50)


def test_a_guardian_has_so_many_seconds_and_no_more() -> None:
    """What does not fit into the bucket is refused, to the second, and fits when it has leaked."""
    state = suspend(NOW + HALF)
    assert suspension.longest(WATCHED, state, NOW) == 0
    with forbidden("AboveLimit"):
        suspend(NOW + HALF + 1, 1, state=state, now=NOW + 19)
    after = suspend(NOW + HALF + 1, 1, state=state, now=NOW + 20)
    with forbidden("AboveLimit"):
        suspend(NOW + HALF + 2, 2, state=after, now=NOW + 39)


def test_the_longest_is_what_is_left() -> None:
    """`longest` tells exactly what `suspend` allows, and 0 where it allows nothing."""
    state = suspend(NOW + 300)
    later = NOW + 1_000
    left = suspension.longest(WATCHED, state, later)
    assert left == HALF - 300 + 50
    suspend(later + left, 1, state=state, now=later)
    with forbidden("AboveLimit"):
        suspend(later + left + 1, 1, state=state, now=later)
    assert suspension.longest(TERMS, State(), NOW) == 0
    assert suspension.longest(WATCHED, State(revoked=True), NOW) == 0
    silent = suspension.resume(state, later + 1)
    assert suspension.longest(WATCHED, silent, later) == 0
    assert suspension.longest(WATCHED, silent, later + 1) == left


def test_resuming_voids_what_was_sworn_and_gives_nothing_back() -> None:
    """The agent acts at once, the next number is another one, and what was spent stays spent."""
    state = suspend(NOW + 300)
    after = suspension.resume(state, 0)
    assert mandate.check(WATCHED, after, ACTION, now=NOW).nonce == 1
    assert after.watch == replace(state.watch, number=2)
    with forbidden("WrongSuspension"):
        suspend(NOW + 400, 1, state=after)
    suspend(NOW + 200, 2, state=after)


def test_nothing_given_is_changed() -> None:
    """The states given stay as they were."""
    state = State()
    suspend(NOW + 1, state=state)
    suspension.resume(state, NOW)
    assert state == State()


def test_the_first_broken_rule_is_the_refusal() -> None:
    """Of many broken rules the refusal names the first in the order of the contract's checks."""
    state = replace(suspension.resume(State(), NOW + 1_000), revoked=True)
    ask: dict[str, Any] = {"number": 0, "iat": NOW + 10**6, "state": state}
    with forbidden("NoGuardian"):
        suspend(0, terms=TERMS, **ask)
    with forbidden("Revoked"):
        suspend(0, **ask)
    ask["state"] = replace(state, revoked=False)
    with forbidden("WrongSuspension"):
        suspend(0, **ask)
    ask["number"] = 1
    with forbidden("GuardianSilenced"):
        suspend(0, **ask)
    ask["now"] = NOW + 1_000
    with forbidden("SwornInFuture"):
        suspend(0, **ask)
    ask["iat"] = 0
    with forbidden("LivesTooLong"):
        suspend(NOW, **ask)
    ask["iat"] = NOW + 1_000
    with forbidden("SuspendsNothing"):
        suspend(NOW, **ask)
    ask["state"] = replace(ask["state"], watch=Watch(1, 0, Level(HALF * WINDOW, NOW + 1_000)))
    with forbidden("AboveLimit"):
        suspend(NOW + 1_001, **ask)


def test_the_page_has_the_rules_in_this_order() -> None:
    """specs/suspension.md names the kernel's refusals, each a contract's error, in this order."""
    artifact = json.loads((ROOT / "src/affiant/chain/artifacts/Mandate.json").read_bytes())
    errors = {item["name"] for item in artifact["abi"] if item["type"] == "error"}
    source = (ROOT / "src/affiant/kernel/suspension.py").read_text()
    own = re.findall(r'MandateRefused\(\s*"(\w+)"', source)
    page = (ROOT / "specs/suspension.md").read_text().split("## Order of checks")[1]
    rows = re.findall(r"^\| \d+ \| (.*?) \|", page, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert set(told) <= errors
    assert [name for name in told if name in own] == own
    shared = ["SwornInFuture", "LivesTooLong"]
    chain = ["HighS", "WrongSigner", "OutsideSeat", "SeatNotHeld"]
    assert told == [*own[:4], *shared, own[4], "AboveLimit", *chain]


@pytest.mark.parametrize(
    "fields",
    [(-1, 0), (1 << 32, 0), (0, -1), (0, 1 << 40), (True, 0), (0, 1.0), ("0", 0), (None, 0)],
    ids=repr,
)
def test_a_suspension_has_its_types(fields: tuple[Any, Any]) -> None:
    """Number and end are integers that the contract's types hold."""
    with refused("bad-suspension"):
        Suspension(*fields)
    Suspension((1 << 32) - 1, (1 << 40) - 1)


def test_the_digest_is_bound_to_everything() -> None:
    """Another chain, mandate, number or end has another digest; the domain is the action's."""
    told = BoundSuspension(1, b"m" * 20, Suspension(0, NOW))
    others = [
        replace(told, chain_id=2),
        replace(told, mandate=b"n" * 20),
        replace(told, suspension=Suspension(1, NOW)),
        replace(told, suspension=Suspension(0, NOW + 1)),
    ]
    assert len({told.digest, *(other.digest for other in others)}) == 5
    assert domain_separator(1, b"m" * 20) != domain_separator(2, b"m" * 20)


@pytest.mark.parametrize("junk", [None, [], "x", {}, 7, True, 0.5, [1], {"a": 1}])
@pytest.mark.parametrize("name", [None, "chainId", "mandate", "number", "until"])
def test_junk_is_refused(name: str | None, junk: Any) -> None:
    """Whatever stands in a field or for the whole, it is refused, never a crash."""
    good = BoundSuspension(1, b"m" * 20, Suspension(0, NOW)).to_json()
    value = junk if name is None else good | {name: junk}
    if (name, junk) in (("number", 7), ("until", 7)):
        assert BoundSuspension.from_json(value).to_json() == value
        return
    with pytest.raises(MalformedError):
        BoundSuspension.from_json(value)
