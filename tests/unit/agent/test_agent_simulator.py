"""The simulated ledger: it refuses what the contracts refuse, and its blocks tell what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from affiant.kernel.alert import Finding
from affiant.kernel.errors import CallReverted
from affiant.kernel.ports import Attempt, Block, Draft
from affiant.kernel.suspension import BoundSuspension
from affiant.testing import OPERATOR
from shop import GUARDIAN, STAY_LIMIT, STRANGER, Scribe, Shop, watch

HALF = STAY_LIMIT // 2


@contextmanager
def refused(shop: Shop, rule: str) -> Iterator[None]:
    """Expect the contract to refuse by this rule: nothing but anchors may be mined meanwhile."""
    before, told = shop.ledger.state(shop.mandate), acts(shop)
    with pytest.raises(CallReverted) as caught:
        yield
    assert caught.value.error == rule
    assert shop.ledger.state(shop.mandate) == before
    assert acts(shop) == told


@pytest.fixture
def watched() -> Scribe:
    """Return a scribe in a shop with a guardian."""
    return Scribe(Shop(watch())).begin()


def blocks(shop: Shop) -> list[Block]:
    """Return every block so far."""
    found: list[Block] = []
    while (block := shop.ledger.block(len(found))) is not None:
        found.append(block)
    return found


def acts(shop: Shop) -> list[Block]:
    """Return the blocks that did more than anchor."""
    return [block for block in blocks(shop) if not block.anchored]


def carry(scribe: Scribe, stay: BoundSuspension, told: Draft | None = None) -> bytes:
    """Log an alert and carry it; by default the guardian's about exactly this suspension."""
    told = told or scribe.alert(stay)
    scribe.register(told)
    ledger, log = scribe.shop.ledger, scribe.log
    return ledger.suspend(stay, told.statement, log, ledger.anchor(log))


def test_a_logged_alert_suspends_and_the_principal_resumes(watched: Scribe) -> None:
    """The agent is still until the end, or until its principal says otherwise."""
    shop = watched.shop
    stay = watched.stay()
    transaction = carry(watched, stay)
    (told,) = shop.ledger.suspensions(shop.mandate)
    assert (told.suspension, told.transaction) == (stay.suspension, transaction)
    assert shop.pay("early").refused == "AgentSuspended"
    shop.clock.advance(599)
    assert shop.pay("just before", careful=False).refused == "AgentSuspended"
    shop.clock.advance(1)
    assert shop.pay("at its end").refused is None
    carry(watched, watched.stay())
    shop.ledger.resume(shop.mandate, 0, shop.principal)
    assert shop.pay("resumed").refused is None
    assert shop.paid == [100, 100]


def test_who_may_resume_and_revoke(watched: Scribe) -> None:
    """Only the principal ends a suspension, silences the guardian, or ends the mandate."""
    shop = watched.shop
    for key in (shop.key, GUARDIAN, STRANGER):
        with refused(shop, "NotPrincipal"):
            shop.ledger.resume(shop.mandate, 0, key)
        with refused(shop, "NotPrincipal"):
            shop.ledger.revoke(shop.mandate, key)
    shop.ledger.revoke(shop.mandate, shop.principal)
    assert shop.pay().refused == "Revoked"
    with refused(shop, "Revoked"):
        carry(watched, watched.stay())


def test_only_the_guardians_alert_suspends(watched: Scribe) -> None:
    """Another's alert, a warning, or an alert about another stay does not suspend."""
    shop, stay = watched.shop, watched.stay()
    for told in (
        watched.alert(stay, key=STRANGER),
        watched.alert(stay, suspect=STRANGER.public.did, findings=_by_chain(watched), key=STRANGER),
        watched.alert(),
        watched.alert(watched.stay(601)),
        watched.alert(watched.stay(chain_id=1)),
        watched.alert(watched.stay(mandate=b"\x11" * 20, number=0)),
    ):
        with refused(shop, "WrongSigner"):
            carry(watched, stay, told)
    carry(watched, stay)


def _by_chain(scribe: Scribe) -> list[Finding]:
    return [scribe.finding(statements=(), transactions=(bytes(32),))]


def test_an_alert_off_the_record_does_not_suspend(watched: Scribe) -> None:
    """What is in no log, or in a seat that the chain does not hold, suspends nobody."""
    shop, stay = watched.shop, watched.stay()
    told = watched.alert(stay).statement
    seat = shop.ledger.anchor(shop.log)
    with refused(shop, "SeatNotHeld"):
        shop.ledger.suspend(stay, told, shop.log, seat)
    watched.register(watched.alert(stay))
    seat = shop.ledger.anchor(shop.log)
    with refused(shop, "SeatNotHeld"):
        shop.ledger.suspend(stay, told, shop.log, replace(seat, count=99))
    shop.ledger.suspend(stay, told, shop.log, seat)


def test_the_guardians_rules_hold(watched: Scribe) -> None:
    """Number, silence, life and limit are refused by name, as the kernel says."""
    shop = watched.shop
    with refused(Shop(), "NoGuardian"):
        plain = Scribe(Shop()).begin()
        carry(plain, plain.stay())
    for stay, rule in (
        (watched.stay(number=1), "WrongSuspension"),
        (watched.stay(HALF + 1), "LivesTooLong"),
        (watched.stay(0), "SuspendsNothing"),
    ):
        with refused(shop, rule):
            carry(watched, stay)
    carry(watched, watched.stay(HALF))
    shop.clock.advance(5)
    with refused(shop, "AboveLimit"):
        carry(watched, watched.stay(HALF))
    shop.ledger.resume(shop.mandate, shop.clock.now() + 5_000, shop.principal)
    with refused(shop, "GuardianSilenced"):
        carry(watched, watched.stay(1))


def test_blocks_tell_executions_attempts_and_anchors(watched: Scribe) -> None:
    """Each transaction is a block that follows on the one before; nothing is beyond the newest."""
    shop = watched.shop
    act = shop.pay()
    assert act.execution is not None
    decision = watched.decision()
    watched.register(decision)
    bound = watched.action()
    failed = shop.ledger.attempt(bound, decision.statement, sender=STRANGER.address)
    told = blocks(shop)
    assert shop.ledger.block(len(told)) is None
    assert [block.number for block in told] == list(range(len(told)))
    assert all(later.parent == block.hash for block, later in pairwise(told))
    done = (shop.mandate, act.decision.leaf, act.execution.transaction)
    assert [block.executed for block in told if block.executed] == [(done,)]
    (attempt,) = told[-1].attempts
    assert attempt == Attempt(
        shop.mandate, STRANGER.address, decision.statement.leaf, bound, True, failed
    )
    anchored = [item for block in told for item in block.anchored]
    held = shop.ledger.anchored(shop.log.policy.log_id)
    assert anchored == [(shop.log.policy.log_id, each.size, each.root) for each in held]


def test_an_attempt_tells_whether_the_agent_signed_it(watched: Scribe) -> None:
    """Another's statement, or the agent's about another action, is not the agent's attempt."""
    ledger, bound = watched.shop.ledger, watched.action()
    for told, by_agent in (
        (watched.decision(bound), True),
        (watched.decision(bound, key=STRANGER), False),
        (watched.decision(watched.action(nonce=5)), False),
        (watched.refusal(bound), False),
    ):
        ledger.attempt(bound, told.statement)
        (attempt,) = blocks(watched.shop)[-1].attempts
        assert (attempt.by_agent, attempt.sender) == (by_agent, OPERATOR)


def test_a_reorganisation_takes_back_what_blocks_did(watched: Scribe) -> None:
    """After `restore` the chain is as it was when saved, and blocks of other hashes follow."""
    shop = watched.shop
    shop.pay("before")
    saved, state, told = shop.ledger.save(), shop.ledger.state(shop.mandate), blocks(shop)
    carry(watched, watched.stay())
    shop.ledger.resume(shop.mandate, 0, shop.principal)
    shop.pay("after")
    longer = blocks(shop)
    assert longer[: len(told)] == told
    shop.ledger.restore(saved)
    assert (shop.ledger.state(shop.mandate), blocks(shop)) == (state, told)
    assert shop.ledger.suspensions(shop.mandate) == []
    assert len(shop.ledger.executions(shop.mandate)) == 1
    carry(watched, watched.stay())
    again = blocks(shop)
    assert again[len(told)].parent == longer[len(told)].parent
    assert again[len(told)].hash != longer[len(told)].hash
    shop.ledger.restore(saved)
    assert blocks(shop) == told


def test_granted_are_the_mandates_of_an_agent(watched: Scribe) -> None:
    """An agent's mandates are told oldest first, and nobody else's."""
    shop = watched.shop
    second = shop.grant([shop.rule], [])
    other = replace(shop.ledger.terms(second), agent=STRANGER.address)
    third = shop.ledger.grant(other)
    assert shop.ledger.granted(shop.key.address) == [shop.mandate, second]
    assert shop.ledger.granted(STRANGER.address) == [third]
    assert shop.ledger.granted(GUARDIAN.address) == []
