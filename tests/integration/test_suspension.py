"""Claims about guardians on a real chain: what a suspension does, and what refuses it by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from affiant.chain import mandates
from affiant.chain.ledger import EvmLedger
from affiant.kernel import mandate as rules
from affiant.kernel import suspension as stays
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import CallReverted
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Guardian, Level, Terms, Watch
from affiant.kernel.ports import Suspended

from .world import (
    AGENT,
    GUARDIAN,
    OPERATOR,
    PRINCIPAL,
    STAY_LIMIT,
    STAY_WINDOW,
    STRANGER,
    PlainLog,
    World,
    watch,
)

pytestmark = pytest.mark.integration

HALF = STAY_LIMIT // 2


@pytest.fixture
def mandate(world: World) -> bytes:
    """Return a fresh mandate with a guardian."""
    world.tick()
    return world.watched()


@contextmanager
def reverts(error: str) -> Iterator[None]:
    """Expect a contract to refuse by this name."""
    with pytest.raises(CallReverted) as caught:
        yield
    assert caught.value.error == error, caught.value.message


def test_a_logged_alert_suspends(world: World, mandate: bytes) -> None:
    """The agent is still until the end and acts in its second; state and event say the same."""
    stay = world.stay(mandate)
    told = world.alert(stay)
    transaction = world.suspend(stay, told)
    state = world.ledger.state(mandate)
    level = Level(100 * STAY_WINDOW, world.clock.now())
    assert (state.suspended_until, state.watch) == (stay.suspension.until, Watch(1, 0, level))
    assert stays.longest(world.ledger.terms(mandate), state, world.clock.now()) == HALF - 100
    wanted = [Suspended(told.leaf, stay.suspension, transaction)]
    assert world.ledger.suspensions(mandate) == wanted
    world.tick(99)
    with reverts("AgentSuspended"):
        world.act(mandate, world.pay())
    world.tick(1)
    assert world.act(mandate, world.pay()).nonce == 0


def test_only_authority_is_reduced(world: World, mandate: bytes) -> None:
    """While the agent is suspended, cancelling, withdrawing and revoking go on."""
    world.suspend(world.stay(mandate))
    world.ledger.cancel(mandate, 0, AGENT)
    world.send(PRINCIPAL, mandate, "withdraw", world.token, 1_000_000)
    assert world.balance(mandate) == 0
    world.ledger.revoke(mandate, PRINCIPAL)
    assert world.ledger.state(mandate).revoked
    with reverts("Revoked"):
        world.suspend(world.stay(mandate, 200))


def test_resuming_ends_voids_and_silences(world: World, mandate: bytes) -> None:
    """The principal, and nobody else, lets the agent act, voids what was sworn, and has peace."""
    world.suspend(world.stay(mandate))
    waiting = world.stay(mandate, 200)
    told = world.alert(waiting)
    for key in (AGENT, GUARDIAN, STRANGER, OPERATOR):
        with reverts("NotPrincipal"):
            world.ledger.resume(mandate, 0, key)
    world.ledger.resume(mandate, world.clock.now() + 50, PRINCIPAL)
    assert world.act(mandate, world.pay()).nonce == 0
    with reverts("WrongSuspension"):
        world.suspend(waiting, told)
    with reverts("GuardianSilenced"):
        world.suspend(world.stay(mandate))
    world.tick(50)
    world.suspend(world.stay(mandate))
    assert [told.suspension.number for told in world.ledger.suspensions(mandate)] == [0, 2]


def _refused() -> dict[str, tuple[str, Callable[[World, bytes], Any]]]:
    """Return, by name of the claim, the error and a function of the world that makes the try."""
    return {
        "another number": ("WrongSuspension", lambda w, m: w.suspend(w.stay(m, number=1))),
        "more than half at once": ("LivesTooLong", lambda w, m: w.suspend(w.stay(m, HALF + 1))),
        "an end in the past": ("SuspendsNothing", lambda w, m: w.suspend(w.stay(m, 0))),
        "sworn tomorrow": (
            "SwornInFuture",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(stay, iat=w.clock.now() + 3_600)),
        ),
        "sworn long ago": (
            "LivesTooLong",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(stay, iat=w.clock.now() - HALF)),
        ),
        "a stranger's alert": (
            "WrongSigner",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(stay, key=STRANGER)),
        ),
        "the agent's alert": (
            "WrongSigner",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(stay, key=AGENT)),
        ),
        "an alert about a longer stay": (
            "WrongSigner",
            lambda w, m: w.suspend(w.stay(m), w.alert(w.stay(m, 101))),
        ),
        "an alert for another chain": (
            "WrongSigner",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(replace(stay, chain_id=1))),
        ),
        "an alert for another mandate": (
            "WrongSigner",
            lambda w, m: w.suspend(stay := w.stay(m), w.alert(replace(stay, mandate=w.token))),
        ),
        "an alert off the record": (
            "SeatNotHeld",
            lambda w, m: w.ledger.suspend(
                stay := w.stay(m), w.alert(stay), w.log, w.ledger.anchor(w.log)
            ),
        ),
        "an alert in another log": ("SeatNotHeld", _elsewhere),
    }


def _elsewhere(world: World, mandate: bytes) -> bytes:
    other = PlainLog(f"{world.fresh().hex()}.test", STRANGER)
    other.append(sha256(b"x"))
    stay = world.stay(mandate)
    told = world.alert(stay)
    return world.ledger.suspend(stay, told, other, world.log_it(told, other))


@pytest.mark.parametrize("claim", _refused())
def test_another_suspension_is_refused_by_name(world: World, mandate: bytes, claim: str) -> None:
    """What the guardian may not, or has not sworn, changes nothing; the right one still works."""
    error, attempt = _refused()[claim]
    before = world.ledger.state(mandate)
    with reverts(error):
        attempt(world, mandate)
    assert world.ledger.state(mandate) == replace(
        before,
        watch=replace(before.watch, level=Level(0, world.ledger.now())),
        levels={0: Level(0, world.ledger.now())},
    )
    world.suspend(world.stay(mandate))


def test_a_guardian_has_no_more_than_its_limit(world: World, mandate: bytes) -> None:
    """What is prolonged is charged, to the second, and the rest is refused until it has leaked."""
    world.suspend(world.stay(mandate, HALF))
    world.tick(9)
    late = world.stay(mandate, HALF - 9 + 1)
    with reverts("AboveLimit"):
        world.suspend(late)
    world.tick(1)
    world.suspend(world.stay(mandate, HALF - 10 + 1))
    assert world.read(mandate, "watch")[2] == 0


def test_a_decision_of_the_guardian_is_no_alert(world: World, mandate: bytes) -> None:
    """A guardian's statement of another kind about the same suspension does not suspend."""
    stay = world.stay(mandate)
    told = world.swear(stay, key=GUARDIAN)  # type: ignore[arg-type]
    with reverts("WrongSigner"):
        world.suspend(stay, told)


def test_without_guardian_there_is_no_suspension(world: World) -> None:
    """A mandate without guardian refuses every alert by name, and tells of no watch."""
    plain = world.mandate()
    with reverts("NoGuardian"):
        world.suspend(world.stay(plain))
    assert world.ledger.state(plain).watch == Watch()
    assert world.read(plain, "watch") == [0, 0, 0]


def _terms(world: World, **changes: Any) -> Terms:
    return world.terms(guardian=replace(watch(), **changes))


@pytest.mark.parametrize(
    ("change", "key", "error"),
    [
        ({"limit": 1}, GUARDIAN, "GuardianUnbounded"),
        ({"limit": STAY_WINDOW}, GUARDIAN, "GuardianUnbounded"),
        ({"account": STRANGER.address}, GUARDIAN, "WrongKey"),
        ({}, STRANGER, "WrongKey"),
        ({}, None, "NotOnCurve"),
        ({"header": b"junk"}, GUARDIAN, "WrongHeader"),
        ({"header": mandates.header_of(GUARDIAN.public)}, GUARDIAN, "WrongHeader"),
        ({"account": bytes(20)}, GUARDIAN, "StrayGuardian"),
    ],
    ids=["limit", "for ever", "account", "key", "no key", "header", "decisions", "nobody"],
)
def test_a_guardian_that_holds_nothing_is_refused(
    world: World, change: dict[str, Any], key: LedgerKey | None, error: str
) -> None:
    """The factory refuses, by name, a guardian that is not bounded, or is not who it says."""
    public = None if key is None else key.public
    with reverts(error):
        world.ledger.grant(_terms(world, **change), AGENT.public, world.fresh(), public)


def test_a_key_without_guardian_is_refused(world: World) -> None:
    """Terms without a guardian take no guardian's key."""
    with reverts("StrayGuardian"):
        world.ledger.grant(world.terms(), AGENT.public, world.fresh(), GUARDIAN.public)


@pytest.mark.parametrize("limits", [(2, 3), (STAY_LIMIT, STAY_WINDOW), (2**32 - 2, 2**32 - 1)])
def test_terms_with_a_guardian_are_the_same_in_every_form(
    world: World, limits: tuple[int, int]
) -> None:
    """A guardian survives ABI, JSON and the mandate's code; the mandate is found again."""
    header = mandates.header_of(GUARDIAN.public, "affiant/alert/v1")
    terms = world.terms(guardian=Guardian(GUARDIAN.address, *limits, header))
    salt = world.fresh()
    made = world.ledger.grant(terms, AGENT.public, salt, GUARDIAN.public)
    again = EvmLedger(world.connection, OPERATOR)
    assert again.terms(made) == terms
    assert Terms.from_json(terms.to_json()) == terms
    assert again.grant(terms, AGENT.public, salt, GUARDIAN.public) == made
    assert rules.remaining(watch(*limits).bucket, Level(), 0) == world.read(made, "watch")[2]
    assert made in again.granted(AGENT.address)
    assert again.granted(STRANGER.address) == []
