"""The hard rules: each breach with its class and its culprit, and what stands just beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from office import (
    CAP,
    CLERK,
    DAY,
    GAP,
    HOUR,
    LANDLORD,
    LIFE,
    STRANGER,
    THIEF,
    TRANSFER,
    Office,
    busy,
    detectors,
    names,
    sightings,
    transfer,
)

from affiant.kernel.action import BoundAction
from affiant.kernel.alert import RULE
from affiant.kernel.encoding import to_hex, word
from affiant.kernel.ports import Attempt
from affiant.testing import ANCHOR, OPERATOR
from affiant.verticals.security.rules import OUTSIDE, SKEW, Rules
from affiant.verticals.security.sightings import Decided, Sighting

Pinned = tuple[Office, bytes]


@pytest.fixture
def pinned() -> Pinned:
    """Return an office, and a clerk's mandate that pins the landlord."""
    office = Office()
    return office, office.hire(CLERK, pins=[LANDLORD])


def decided(office: Office, bound: BoundAction, *, at: int = 0, iat: int | None = None) -> Decided:
    """Return a decision at a time of the log, sworn at a time of the agent's own clock."""
    now = office.clock.now() + at
    leaf = word(abs(at) + 1)
    return Decided(office.did(), leaf, now, now if iat is None else iat, bound, (), 0, ())


def judged(office: Office, bound: BoundAction, **times: Any) -> list[Sighting]:
    """Judge one decision by rules that remember nothing."""
    terms = office.ledger.terms(bound.mandate)
    return list(Rules().decided(decided(office, bound, **times), terms))


BREACHES: dict[str, dict[str, Any]] = {
    "ForbiddenTarget": {"target": ANCHOR},
    "NoRule": {"data": b"\x09\x5e\xa7\xb3" + word(THIEF) + word(1)},
    "CalldataTooShort": {"data": TRANSFER + word(LANDLORD)},
    "PinMismatch": {"data": TRANSFER + word(THIEF) + word(100)},
    "ValueNotAllowed": {"value": 1},
    "AboveCap": {"data": TRANSFER + word(LANDLORD) + word(CAP + 1)},
}
"""The rule that is broken, and by which field of the action."""


@pytest.mark.parametrize("rule", BREACHES)
def test_an_action_outside_its_terms_is_a_hard_finding(pinned: Pinned, rule: str) -> None:
    """Each breach is told by the contract's name for it and its OWASP class; within, nothing is."""
    office, mandate = pinned
    (told,) = judged(office, office.bind(mandate=mandate, **BREACHES[rule]))
    assert told.suspect == office.did()
    finding = told.finding
    assert (finding.detector, finding.family, finding.threat) == (
        "outside-mandate",
        RULE,
        OUTSIDE[rule],
    )
    assert finding.reason.startswith(f"{rule}: ")
    assert finding.statements == (word(1),)
    assert judged(office, office.bind(mandate=mandate)) == []


def test_the_classes_are_those_of_the_list() -> None:
    """Goal, tool, identity, code and rogue: each rule has its class of the OWASP list."""
    assert OUTSIDE == {
        "ForbiddenTarget": "ASI03",
        "NoRule": "ASI05",
        "CalldataTooShort": "ASI05",
        "PinMismatch": "ASI01",
        "ValueNotAllowed": "ASI02",
        "AboveCap": "ASI02",
        "AboveLimit": "ASI02",
        "LivesTooLong": "ASI10",
    }


def test_more_than_the_whole_limit_at_once_is_a_finding(pinned: Pinned) -> None:
    """A rule whose cap is above its bucket lets nothing through that the bucket cannot hold."""
    office, mandate = pinned
    terms = office.ledger.terms(mandate)
    wide = replace(terms, rules=tuple(replace(rule, cap=1 << 90) for rule in terms.rules))
    capacity = wide.buckets[0].capacity
    over = office.bind(transfer(LANDLORD, capacity + 1), mandate)
    (told,) = Rules().decided(decided(office, over), wide)
    assert told.finding.reason.startswith("AboveLimit: ")
    at_most = office.bind(transfer(LANDLORD, capacity), mandate)
    assert list(Rules().decided(decided(office, at_most), wide)) == []


def test_a_decision_that_lives_too_long_is_hoarded(pinned: Pinned) -> None:
    """A deadline beyond the terms is rogue; one at their very end is not."""
    office, mandate = pinned
    now = office.clock.now()
    (told,) = judged(office, office.bind(mandate=mandate, deadline=now + LIFE + 1))
    assert (told.finding.detector, told.finding.threat) == ("outside-mandate", "ASI10")
    assert judged(office, office.bind(mandate=mandate, deadline=now + LIFE)) == []


@pytest.mark.parametrize(
    "parts",
    [{"deadline": 1_700_000_000}, {"epoch": 3}, {"nonce": 9}],
    ids=["expired", "epoch", "nonce"],
)
def test_rules_of_time_and_order_are_no_attack(pinned: Pinned, parts: dict[str, Any]) -> None:
    """What the contract refuses as too late or out of turn accuses nobody."""
    office, mandate = pinned
    assert judged(office, office.bind(mandate=mandate, **parts)) == []


@pytest.mark.parametrize("away", [-2 * DAY, 10**7 + 1])
def test_a_mandate_out_of_force_is_no_attack(pinned: Pinned, away: int) -> None:
    """A decision before the mandate begins, or after it ends, accuses nobody."""
    office, mandate = pinned
    at = office.clock.now() + away
    bound = office.bind(mandate=mandate, deadline=at + LIFE)
    assert judged(office, bound, at=away, iat=at) == []


def test_revoked_and_suspended_are_no_attack() -> None:
    """An agent that decides while it is kept still, or let go, is refused and not accused."""
    office = busy()
    watch = office.watch(None)
    office.ledger.revoke(office.mandate, office.key("firm"))
    office.clock.advance(GAP)
    assert office.pay(careful=False).refused == "Revoked"
    assert watch.step() == []


def equivocating(office: Office, gap: int, *, nonce: int = 0) -> list[Sighting]:
    """Judge two decisions for nonce 0 (or another one), the second `gap` seconds later."""
    rules, terms = Rules(), office.ledger.terms(office.mandate)
    now = office.clock.now()
    first = office.bind(deadline=now + LIFE)
    second = office.bind(transfer(THIEF, 1), deadline=now + gap + LIFE, nonce=nonce)
    assert list(rules.decided(decided(office, first), terms)) == []
    return list(rules.decided(decided(office, second, at=gap), terms))


def test_two_decisions_for_one_nonce_equivocate() -> None:
    """A nonce promised twice at once is rogue, and both decisions are named."""
    office = Office()
    (told,) = equivocating(office, 60)
    assert (told.suspect, told.finding.detector) == (office.did(), "equivocation")
    assert (told.finding.family, told.finding.threat) == (RULE, "ASI10")
    assert told.finding.statements == (word(1), word(61))


def test_equivocation_ends_where_clocks_may_differ() -> None:
    """Up to five minutes before the first one's end it is equivocation; later it may be a clock."""
    office = Office()
    assert [one.finding.detector for one in equivocating(office, LIFE - SKEW)] == ["equivocation"]
    assert equivocating(office, LIFE - SKEW + 1) == []
    assert equivocating(office, LIFE + 1) == []


def test_another_nonce_or_mandate_is_no_equivocation() -> None:
    """Two nonces at once are two promises."""
    office = Office()
    assert equivocating(office, 60, nonce=1) == []
    rules, other = Rules(), office.hire(CLERK, pins=[LANDLORD])
    for mandate in (office.mandate, other):
        told = decided(office, office.bind(mandate=mandate))
        assert list(rules.decided(told, office.ledger.terms(mandate))) == []


def flood(office: Office, rules: Rules, count: int, every: int = 0) -> Iterator[Sighting]:
    """Swear so many statements, and judge each."""
    told = office.sworn(office.vouch(by=STRANGER))
    for number in range(count):
        yield from rules.sworn(replace(told, time=told.time + number * every))


def test_a_flood_is_told_once() -> None:
    """One more than the limit is flooding, told once; the limit itself is not."""
    office = Office()
    assert list(flood(office, Rules(flood=10), 10)) == []
    (told,) = flood(office, Rules(flood=10), 20)
    assert (told.suspect, told.finding.detector) == (office.did(STRANGER), "flooding")
    assert (told.finding.family, told.finding.threat) == (RULE, "ASI08")
    assert len(list(flood(office, Rules(flood=10), 22))) == 2


def test_a_steady_stream_is_no_flood() -> None:
    """Ten in every minute for ever are no flood where ten are allowed; eleven are."""
    office = Office()
    assert list(flood(office, Rules(flood=10, flood_window=60), 200, every=6)) == []
    assert list(flood(office, Rules(flood=10, flood_window=61), 200, every=6)) != []


def test_floods_are_counted_by_key() -> None:
    """Two keys below the limit are no flood together."""
    office, rules = Office(), Rules(flood=10)
    for by in (STRANGER, CLERK):
        told = office.sworn(office.vouch(by=by))
        assert [one for _ in range(10) for one in rules.sworn(told)] == []


def test_impersonation_is_the_strangers() -> None:
    """A stranger's decision under the clerk's mandate blames the stranger alone."""
    office = busy()
    watch = office.watch()
    told = office.decide(by=STRANGER)
    events = watch.step()
    assert sightings(events) == {(office.did(STRANGER), "impersonation")}
    assert events[0].facts["threat"] == "ASI03"
    assert events[0].facts["statements"] == [to_hex(told.leaf)]
    assert names(events) == ["sighting", "warned"]
    assert not office.suspended()
    assert office.pay().execution is not None


def test_the_agents_own_decision_is_no_impersonation() -> None:
    """What the mandate's agent decides under it is judged as its own."""
    office = busy()
    watch = office.watch(None)
    assert office.pay().execution is not None
    assert watch.step() == []


def attempt(office: Office, told: bytes, *, by_agent: bool = True) -> Attempt:
    """Return a failed call that a stranger carried."""
    return Attempt(office.mandate, OPERATOR, told, office.bind(), by_agent, word(77))


def test_each_failed_attempt_has_its_culprit() -> None:
    """Replay and forgery blame the carrier, what was kept off the record the agent."""
    office = Office()
    tried, forged = attempt(office, word(1)), attempt(office, word(1), by_agent=False)
    cases = [
        (tried, True, True, (to_hex(OPERATOR), "replay", "ASI07")),
        (forged, True, True, (to_hex(OPERATOR), "replay", "ASI07")),
        (forged, False, False, (to_hex(OPERATOR), "forged-oath", "ASI03")),
        (forged, True, False, (to_hex(OPERATOR), "forged-oath", "ASI03")),
        (tried, False, False, (office.did(), "off-the-record", "ASI10")),
    ]
    for one, logged, executed, wanted in cases:
        told = Rules().attempted(one, office.did(), 5, logged=logged, executed=executed)
        assert told is not None
        assert (told.suspect, told.finding.detector, told.finding.threat) == wanted
        assert (told.finding.family, told.time) == (RULE, 5)
        assert (told.finding.statements, told.finding.transactions) == ((), (word(77),))


def test_a_logged_decision_that_the_contract_refused_is_nobodys_fault() -> None:
    """A failed call with a decision that is in the log accuses nobody."""
    office = Office()
    told = attempt(office, word(1))
    assert Rules().attempted(told, office.did(), 5, logged=True, executed=False) is None


def test_a_replay_on_chain_blames_the_carrier() -> None:
    """An executed decision carried again is its carrier's doing; the clerk works on."""
    office = busy()
    watch = office.watch()
    act = office.pay()
    assert watch.step() == []
    bound = office.sworn(act.decision).body.content["action"]
    office.ledger.attempt(BoundAction.from_json(bound), act.decision, b"\x99" * 20)
    events = watch.step()
    assert sightings(events) == {(to_hex(b"\x99" * 20), "replay")}
    assert names(events) == ["sighting", "warned"]
    assert office.pay().execution is not None


def test_a_forged_oath_on_chain_blames_the_sender() -> None:
    """A stranger's signature under the clerk's mandate is the sender's doing."""
    office = busy()
    watch = office.watch()
    office.off_the_record(by=STRANGER)
    events = watch.step()
    assert sightings(events) == {(to_hex(OPERATOR), "forged-oath")}
    assert names(events) == ["sighting", "warned"]
    assert not office.suspended()


def test_an_attempt_off_the_record_suspends_the_agent() -> None:
    """An action that the clerk signed and never logged keeps the clerk still."""
    office = busy()
    watch = office.watch()
    office.off_the_record()
    events = watch.step()
    assert sightings(events) == {(office.did(), "off-the-record")}
    assert names(events) == ["sighting", "suspended"]
    assert office.suspended()


def test_a_first_attempt_off_the_record_suspends_too() -> None:
    """Also an agent that never logged a decision is kept still for one kept off the record."""
    office = Office()
    watch = office.watch()
    office.off_the_record()
    watch.step()
    assert office.suspended()


def test_a_refused_call_of_a_logged_decision_is_silent_on_chain() -> None:
    """The clerk's logged decision, carried and refused, is no sighting."""
    office = busy()
    watch = office.watch()
    office.decide(bound := office.bind(), inputs=[office.seen()])
    office.ledger.attempt(bound, office.statements()[-1])
    assert watch.step() == []


def test_brute_attempts_are_sighted_by_the_watch() -> None:
    """What a hijacked clerk swears outside its terms is seen though the contract refuses it."""
    office = busy()
    watch = office.watch()
    call = transfer(LANDLORD, CAP + 1)
    office.decide(office.bind(call), inputs=[office.seen(LANDLORD, CAP + 1)])
    events = watch.step()
    assert detectors(events) == {"outside-mandate"}
    assert names(events)[-1] == "suspended"


def test_the_agents_clock_decides_over_time_rules() -> None:
    """A slow clock's deadline is measured from its own time, not from the log's."""
    office = Office()
    now = office.clock.now()
    bound = office.bind(deadline=now - 2 * HOUR + LIFE)
    told = decided(office, bound, iat=now - 2 * HOUR)
    assert list(Rules().decided(told, office.ledger.terms(office.mandate))) == []
