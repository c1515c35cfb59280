"""Claims about what a mandate allows, rule by rule, in the order of the checks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affiant.kernel import mandate
from affiant.kernel.action import ANYONE, Action
from affiant.kernel.encoding import word
from affiant.kernel.errors import InputError, MalformedError
from affiant.kernel.mandate import Bucket, Guardian, Level, Pin, Rule, State, Terms

from .refusals import forbidden

ROOT = Path(__file__).parents[3]
NOW = 1_800_000_000
TOKEN, VAULT, SHOP, ANCHOR = (bytes([n]) * 20 for n in (1, 2, 3, 4))
TRANSFER, PING, BUY = b"\xa9\x05\x9c\xbb", b"ping", b"buy!"
FRIEND, STRANGER = word(b"\xf1" * 20), word(b"\x57" * 20)
TERMS = Terms(
    principal=b"p" * 20,
    agent=b"a" * 20,
    anchor=ANCHOR,
    log_id=b"l" * 32,
    valid_from=NOW - 100,
    valid_until=NOW + 100_000,
    longest_life=600,
    header=b"h",
    buckets=(Bucket(1000, 100), Bucket(10, 100)),
    rules=(
        Rule(TOKEN, TRANSFER, amount_word=1, cap=400, pins=(Pin(0, (FRIEND,)),)),
        Rule(VAULT, PING, mandate.EACH, cap=1, bucket=1),
        Rule(SHOP, BUY, mandate.NATIVE, cap=50, bucket=0),
    ),
)
ACTION = Action(
    epoch=0,
    nonce=0,
    model=bytes(32),
    target=TOKEN,
    value=0,
    data=TRANSFER + FRIEND + word(250),
    deadline=NOW + 600,
    relayer=ANYONE,
    salt=bytes(32),
)


def check(
    action: Action = ACTION, *, state: State | None = None, now: int = NOW, **more: Any
) -> State:
    """Check an action under the terms of these tests."""
    return mandate.check(TERMS, state or State(), action, now=now, **more)


def transfer(amount: int, to: bytes = FRIEND) -> Action:
    """Return a transfer of an amount."""
    return replace(ACTION, data=TRANSFER + to + word(amount))


def test_an_allowed_action_uses_nonce_and_bucket() -> None:
    """An allowed action counts the nonce up and fills its rule's bucket, and nothing else."""
    state = check()
    assert (state.revoked, state.epoch, state.nonce) == (False, 0, 1)
    assert state.levels == {0: Level(250 * 100, NOW)}


def test_a_check_changes_nothing() -> None:
    """The state given stays as it was."""
    state = State(levels={0: Level(100, NOW)})
    check(state=state)
    assert state == State(levels={0: Level(100, NOW)})


def test_a_revoked_mandate_allows_nothing() -> None:
    """After revocation every action is refused."""
    with forbidden("Revoked"):
        check(state=State(revoked=True))


def test_a_suspended_agent_waits() -> None:
    """Until a suspension ends every action is refused; only revocation is told before it."""
    state = State(suspended_until=NOW + 1)
    with forbidden("AgentSuspended"):
        check(state=state)
    check(state=state, now=NOW + 1)
    with forbidden("Revoked"):
        check(state=replace(state, revoked=True))
    with forbidden("AgentSuspended"):
        check(state=replace(state, suspended_until=NOW), now=TERMS.valid_from - 1)


def test_first_and_last_second() -> None:
    """A mandate holds from its first to its last second, both included."""
    for now in (TERMS.valid_from, TERMS.valid_until):
        check(replace(ACTION, deadline=now), now=now)
    with forbidden("NotYetValid"):
        check(now=TERMS.valid_from - 1)
    with forbidden("Expired"):
        check(replace(ACTION, deadline=NOW + 200_000), now=TERMS.valid_until + 1)


def test_epoch_and_nonce_are_the_current_ones() -> None:
    """An action of another epoch or nonce is refused, earlier or later."""
    state = State(epoch=1, nonce=5)
    check(replace(ACTION, epoch=1, nonce=5), state=state)
    for epoch in (0, 2):
        with forbidden("WrongEpoch"):
            check(replace(ACTION, epoch=epoch, nonce=5), state=state)
    for nonce in (4, 6):
        with forbidden("WrongNonce"):
            check(replace(ACTION, epoch=1, nonce=nonce), state=state)


def test_an_action_runs_once() -> None:
    """What was allowed once is refused by its nonce the second time."""
    with forbidden("WrongNonce"):
        check(state=check())


def test_the_deadline_is_the_last_second() -> None:
    """An action may run in the second of its deadline and not in the next."""
    check(replace(ACTION, deadline=NOW))
    with forbidden("DecisionExpired"):
        check(replace(ACTION, deadline=NOW - 1))


def test_a_clock_may_run_a_minute_ahead() -> None:
    """A decision sworn up to 60 seconds ahead of the chain is accepted."""
    check(iat=NOW + 60)
    with forbidden("SwornInFuture"):
        check(iat=NOW + 61)


def test_a_decision_lives_no_longer_than_the_terms_say() -> None:
    """From oath to deadline there are at most `longest_life` seconds; without iat, from now."""
    check(iat=NOW)
    check()
    with forbidden("LivesTooLong"):
        check(iat=NOW - 1)
    with forbidden("LivesTooLong"):
        check(replace(ACTION, deadline=NOW + 601))


def test_the_anchor_is_never_a_target() -> None:
    """The contract that proves oaths cannot be called under one, whatever the rules say."""
    rules = (Rule(ANCHOR, TRANSFER, amount_word=1, cap=400),)
    with forbidden("ForbiddenTarget"):
        mandate.check(replace(TERMS, rules=rules), State(), replace(ACTION, target=ANCHOR), now=NOW)


@pytest.mark.parametrize(
    "change",
    [{"target": VAULT}, {"data": BUY + FRIEND}, {"data": TRANSFER[:3]}, {"data": b""}],
    ids=["target", "function", "short selector", "no selector"],
)
def test_only_a_rule_allows(change: dict[str, Any]) -> None:
    """Another target or function, and calldata without a whole selector, have no rule."""
    with forbidden("NoRule"):
        check(replace(ACTION, **change))


def test_a_pinned_argument_has_a_listed_value() -> None:
    """A recipient that the terms do not list is refused, also if only its padding differs."""
    with forbidden("PinMismatch"):
        check(transfer(250, STRANGER))
    with forbidden("PinMismatch"):
        check(transfer(250, b"\1" + FRIEND[1:]))


def test_a_missing_argument_is_refused() -> None:
    """Calldata that ends within a word that must be read is refused."""
    for length in (4, 4 + 31, 4 + 32, 4 + 63):
        with forbidden("CalldataTooShort"):
            check(replace(ACTION, data=ACTION.data[:length]))


def test_calldata_may_go_on() -> None:
    """Calldata after the words that are read does not matter to the mandate."""
    check(replace(ACTION, data=ACTION.data + b"more"))


def test_native_value_needs_a_rule_that_meters_it() -> None:
    """Only a rule that meters native value lets any through."""
    with forbidden("ValueNotAllowed"):
        check(replace(ACTION, value=1))
    state = check(replace(ACTION, target=SHOP, data=BUY, value=50))
    assert state.levels[0].scaled == 50 * 100
    with forbidden("AboveCap"):
        check(replace(ACTION, target=SHOP, data=BUY, value=51))


def test_a_single_action_has_a_cap() -> None:
    """An amount up to the cap is allowed and one more is not."""
    check(transfer(400))
    with forbidden("AboveCap"):
        check(transfer(401))
    with forbidden("AboveCap"):
        check(transfer((1 << 256) - 1))


def test_calls_can_be_counted() -> None:
    """A rule that counts calls allows as many as its bucket holds, each counting one."""
    state = State()
    for nonce in range(5):
        action = replace(ACTION, nonce=nonce, target=VAULT, data=PING)
        state = check(action, state=state)
    assert state.levels == {1: Level(500, NOW)}
    with forbidden("AboveLimit"):
        check(replace(ACTION, nonce=5, target=VAULT, data=PING), state=state)


def test_a_full_bucket_leaks_a_unit_at_a_time() -> None:
    """A bucket of 1,000 per 100 s holds 500 and lets 5 more out each second, exactly."""
    state = check(replace(transfer(100), nonce=1), state=check(transfer(400)))
    assert mandate.remaining(TERMS.buckets[0], state.levels[0], NOW) == 0
    with forbidden("AboveLimit"):
        check(replace(transfer(1), nonce=2), state=state)
    assert mandate.remaining(TERMS.buckets[0], state.levels[0], NOW + 1) == 5
    late = {"state": state, "now": NOW + 1}
    check(replace(transfer(5), nonce=2), **late)  # type: ignore[arg-type]
    with forbidden("AboveLimit"):
        check(replace(transfer(6), nonce=2), **late)  # type: ignore[arg-type]


def test_buckets_are_apart() -> None:
    """A full bucket does not stop a rule that draws on another."""
    state = check(replace(transfer(100), nonce=1), state=check(transfer(400)))
    check(replace(ACTION, nonce=2, target=VAULT, data=PING), state=state)


def test_a_refusal_uses_nothing_up() -> None:
    """After a refusal the same nonce and the whole bucket are still there."""
    state = State()
    with forbidden("AboveCap"):
        check(transfer(401), state=state)
    assert check(transfer(400), state=state).nonce == 1


def test_checks_come_in_order() -> None:
    """An action that breaks every rule is refused by the first, and so on down the list."""
    state = State(revoked=True, epoch=1, nonce=1)
    action = replace(ACTION, deadline=NOW - 1, target=ANCHOR, value=1, data=b"")
    early = {"now": TERMS.valid_from - 1}
    with forbidden("Revoked"):
        check(action, state=state, **early)
    state = replace(state, revoked=False)
    with forbidden("NotYetValid"):
        check(action, state=state, **early)
    with forbidden("WrongEpoch"):
        check(action, state=state)
    action = replace(action, epoch=1)
    with forbidden("WrongNonce"):
        check(action, state=state)
    action = replace(action, nonce=1)
    with forbidden("DecisionExpired"):
        check(action, state=state, iat=NOW + 61)
    action = replace(action, deadline=NOW + 9999)
    with forbidden("SwornInFuture"):
        check(action, state=state, iat=NOW + 61)
    with forbidden("LivesTooLong"):
        check(action, state=state)
    action = replace(action, deadline=NOW)
    with forbidden("ForbiddenTarget"):
        check(action, state=state)
    action = replace(action, target=TOKEN)
    with forbidden("NoRule"):
        check(action, state=state)
    action = replace(action, data=TRANSFER + STRANGER)
    with forbidden("PinMismatch"):
        check(action, state=state)
    action = replace(action, data=TRANSFER + FRIEND)
    with forbidden("ValueNotAllowed"):
        check(action, state=state)
    action = replace(action, value=0)
    with forbidden("CalldataTooShort"):
        check(action, state=state)


def test_rule_names_are_the_contracts_errors() -> None:
    """Each name that the kernel refuses by is a custom error of the contract."""
    artifact = json.loads((ROOT / "src/affiant/chain/artifacts/Mandate.json").read_bytes())
    errors = {item["name"] for item in artifact["abi"] if item["type"] == "error"}
    source = (ROOT / "src/affiant/kernel/mandate.py").read_text()
    names = set(re.findall(r'MandateRefused\(\s*"(\w+)"', source))
    assert len(names) >= 14
    assert names <= errors


def test_a_target_nobody_has_is_refused_as_the_contract_does() -> None:
    """The zero address has no code: the contract calls that NoCode, not ForbiddenTarget."""
    with forbidden("NoCode"):
        check(replace(ACTION, target=bytes(20)))


def test_usable_terms() -> None:
    """Terms are usable if every rule has its bucket and a cap that the bucket can let out."""
    TERMS.check_usable()
    rule = TERMS.rules[0]
    replace(TERMS, rules=(replace(rule, cap=500),)).check_usable()
    with pytest.raises(InputError):
        replace(TERMS, rules=(replace(rule, cap=501),)).check_usable()
    with pytest.raises(InputError):
        replace(TERMS, rules=(replace(rule, bucket=2),)).check_usable()


def test_terms_that_would_bound_nothing_are_not_usable() -> None:
    """A window of no seconds leaks at once, so the contract's factory refuses it, and so do we."""
    with pytest.raises(InputError):
        replace(TERMS, buckets=(Bucket(1000, 0), Bucket(10, 100))).check_usable()


def test_unknown_extensions_are_not_usable() -> None:
    """Version 1 knows no extensions and refuses any."""
    with pytest.raises(InputError):
        replace(TERMS, extensions=b"x").check_usable()


GUARDIAN = Guardian(b"g" * 20, 100, 1_000, b"header")


@pytest.mark.parametrize(
    ("limit", "window"),
    [(0, 1_000), (1, 1_000), (1_000, 1_000), (1_001, 1_000), (2, 2), (2, 1 << 32), (-2, 5)],
)
def test_a_guardian_is_bound_to_something(limit: int, window: int) -> None:
    """A limit below two seconds, or not below the window, is unusable and no JSON of terms."""
    terms = replace(TERMS, guardian=replace(GUARDIAN, limit=limit, window=window))
    with pytest.raises(InputError):
        terms.check_usable()
    with pytest.raises(MalformedError) as caught:
        Terms.from_json(terms.to_json())
    assert caught.value.reason == "bad-terms"


@pytest.mark.parametrize(("limit", "window"), [(2, 3), (999, 1_000), (2, (1 << 32) - 1)])
def test_a_bounded_guardian_is_usable(limit: int, window: int) -> None:
    """From two seconds on, below the window, a guardian is usable and goes there and back."""
    terms = replace(TERMS, guardian=replace(GUARDIAN, limit=limit, window=window))
    terms.check_usable()
    assert Terms.from_json(terms.to_json()) == terms


@pytest.mark.parametrize("junk", [None, [], "x", {}, True, 0.5, "0x"])
@pytest.mark.parametrize("name", ["account", "limit", "window", "header", "more"])
def test_junk_in_a_guardian_is_refused(name: str, junk: Any) -> None:
    """A guardian with junk in a field is refused, never a crash."""
    good = replace(TERMS, guardian=GUARDIAN).to_json()
    if (name, junk) == ("header", "0x"):
        return
    with pytest.raises(MalformedError):
        Terms.from_json({**good, "guardian": {**good["guardian"], name: junk}})


def test_terms_go_there_and_back() -> None:
    """Terms read back from their JSON form."""
    for terms in (
        TERMS,
        replace(TERMS, guardian=GUARDIAN),
        replace(TERMS, guard=b"g" * 20, approvals=b"a" * 20),
    ):
        assert Terms.from_json(terms.to_json()) == terms


@pytest.mark.parametrize("junk", [None, [], "x", {}])
@pytest.mark.parametrize("name", TERMS.to_json())
def test_junk_in_terms_is_refused(name: str, junk: Any) -> None:
    """Terms with junk in a field are refused, never a crash."""
    value = {**TERMS.to_json(), name: junk}
    if (name, junk) in (("buckets", []), ("rules", []), ("guardian", None)):
        return
    if junk is None and name in ("guard", "approvals"):
        return
    with pytest.raises(MalformedError):
        Terms.from_json(value)


@pytest.mark.parametrize(
    "change",
    [
        {"validFrom": 7},
        {"validFrom": "7.5"},
        {"longestLife": True},
        {"buckets": [{"limit": 1000, "window": 100}]},
        {"buckets": [{"limit": " 1_000 ", "window": 100}]},
        {"buckets": [{"limit": "1000", "window": 100, "more": 0}]},
        {"more": 0},
    ],
    ids=repr,
)
def test_terms_have_one_form(change: dict[str, Any]) -> None:
    """What two readers could take for the same terms has one form only."""
    with pytest.raises(MalformedError):
        Terms.from_json({**TERMS.to_json(), **change})


@pytest.mark.parametrize("name", ["guard", "approvals"])
@pytest.mark.parametrize("account", [bytes(20), b"", b"x" * 19, b"x" * 32])
def test_what_is_asked_has_an_address(name: str, account: bytes) -> None:
    """A guard or approvals without a proper address is refused, never taken for none."""
    changed: dict[str, Any] = {name: account}
    terms = replace(TERMS, **changed)
    with pytest.raises(InputError):
        terms.check_usable()
    with pytest.raises(MalformedError):
        Terms.from_json(terms.to_json())
