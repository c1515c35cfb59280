"""The answer: suspended once, for cause, within the budget; carried until held; never silent."""

from __future__ import annotations

import pytest
from office import (
    CLERK,
    DAY,
    FIRM,
    GAP,
    HOUR,
    LANDLORD,
    LIFE,
    PLUMBER,
    SENTINEL,
    STRANGER,
    THIEF,
    USED_TO,
    Office,
    Paper,
    busy,
    detectors,
    names,
    sightings,
    transfer,
)

from affiant.kernel import alert
from affiant.kernel import body as bodies
from affiant.kernel.alert import Finding
from affiant.kernel.body import ALERT, DECISION
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import CallReverted, RegistrationRefused
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension
from affiant.testing import ANCHOR
from affiant.verticals.security.answer import SECONDS
from affiant.verticals.security.appeal import appeal
from affiant.verticals.security.labels import Labels


def evidence(content: dict[str, object]) -> set[bytes]:
    """Return the statements that an alert names."""
    return set(alert.statements_of(content))


def test_a_suspension_is_carried_and_holds() -> None:
    """After one theft the agent is refused by the contract, for three hours and no longer."""
    office = busy()
    watch = office.watch()
    assert watch.step() == []
    assert office.mimic().execution is not None
    (answer,) = (event for event in watch.step() if event.name == "suspended")
    assert answer.facts["until"] == office.clock.now() + SECONDS
    assert answer.facts["mandate"] == to_hex(office.mandate)
    assert office.mimic().refused == office.pay().refused == "AgentSuspended"
    office.clock.advance(SECONDS - 1)
    assert office.pay().refused == "AgentSuspended"
    office.clock.advance(1)
    assert office.pay().execution is not None


def test_the_alert_names_its_evidence() -> None:
    """The sworn alert holds the findings, the decision behind them and the suspension."""
    office = busy()
    watch = office.watch()
    act = office.mimic()
    event = watch.step()[-1]
    ((told, content),) = office.said(ALERT)
    assert told.issuer == office.key(SENTINEL).public
    assert event.facts["alert"] == to_hex(told.leaf)
    assert content["suspect"] == office.did()
    assert evidence(content) == {act.decision.leaf}
    (stay,) = office.ledger.suspensions(office.mandate)
    assert (stay.leaf, stay.suspension.until) == (told.leaf, event.facts["until"])


def test_the_same_evidence_suspends_once() -> None:
    """Step after step, and after the suspension is over, one theft is answered once."""
    office = busy()
    watch = office.watch()
    office.mimic()
    watch.step()
    for _ in range(3):
        assert watch.step() == []
        office.clock.advance(2 * HOUR)
    assert len(office.ledger.suspensions(office.mandate)) == 1
    assert len(office.alerts()) == 1


def test_a_watch_begun_anew_suspends_nobody_again() -> None:
    """After a restart, and after the suspension is over, old evidence is told and not answered."""
    office = busy()
    office.mimic()
    office.watch().step()
    office.clock.advance(DAY)
    again = office.watch()
    assert set(names(again.step())) == {"sighting"}
    assert again.step() == []
    assert not office.suspended()
    assert len(office.alerts()) == 1


def test_a_watch_begun_anew_does_not_answer_a_transaction_again() -> None:
    """What the chain showed is answered once too, whoever looks again later."""
    office = busy()
    office.off_the_record()
    first = office.watch()
    assert "suspended" in names(first.step())
    office.clock.advance(DAY)
    assert first.step() == []
    events = office.watch().step()
    assert set(names(events)) == {"sighting"}
    assert not office.suspended()


def test_a_watch_begun_anew_does_not_warn_of_a_transaction_again() -> None:
    """A warning about a carrier is told as sworn once, not by every later watch."""
    office = busy()
    office.off_the_record(by=STRANGER)
    assert names(office.watch().step()) == ["sighting", "warned"]
    office.clock.advance(DAY)
    assert names(office.watch().step()) == ["sighting"]


def test_more_evidence_suspends_again_once_it_is_over() -> None:
    """A second theft after the suspension is a new cause."""
    office = busy()
    watch = office.watch()
    office.mimic()
    watch.step()
    office.clock.advance(SECONDS)
    assert office.mimic().execution is not None
    assert "suspended" in names(watch.step())
    assert len(office.ledger.suspensions(office.mandate)) == 2


def test_more_evidence_while_it_holds_is_a_warning() -> None:
    """An agent that is still kept still for long is not suspended on top of it."""
    office = busy()
    watch = office.watch()
    office.mimic()
    watch.step()
    office.drip()
    assert names(watch.step())[-1] == "warned"
    assert len(office.ledger.suspensions(office.mandate)) == 1


def test_a_clean_payment_in_the_same_step_hides_no_theft() -> None:
    """Theft and honest work between two looks: the theft is answered."""
    office = busy()
    watch = office.watch()
    office.mimic()
    for _ in range(4):
        office.clock.advance(GAP)
        office.pay()
    watch.step()
    assert office.suspended()


def test_what_was_warned_of_can_still_be_grounds() -> None:
    """A decision that was warned of once is no shield for a hard rule that names it too."""
    office = busy()
    watch = office.watch()
    usual, unusual = office.seen(), office.seen(PLUMBER)
    first = office.bind(transfer(PLUMBER, 100))
    office.decide(first, inputs=[unusual])
    assert names(watch.step()) == ["sighting", "warned"]
    office.clock.advance(LIFE + 1)
    # The log lets it in, since the first one's time is over; it is dated back into that time.
    second = office.bind(nonce=first.action.nonce, deadline=_now(office))
    office.decide(second, inputs=[usual], late=LIFE)
    events = watch.step()
    assert "equivocation" in detectors(events)
    assert "suspended" in names(events)


def _now(office: Office) -> int:
    return office.clock.now()


@pytest.mark.parametrize("guardian", [None, "somebody else's sentinel"])
def test_who_is_not_the_guardian_swears_a_warning(guardian: str | None) -> None:
    """Without a guardian, or with another one, nobody is suspended, and that is told and sworn."""
    office = busy(guardian)
    watch = office.watch()
    office.mimic()
    event = watch.step()[-1]
    assert (event.name, event.facts["rule"]) == ("not-suspended", "NotTheGuardian")
    assert event.facts["mandate"] == to_hex(office.mandate)
    (content,) = office.alerts()
    assert (content["response"], content["suspension"]) == ("warn", None)
    assert {told["family"] for told in content["findings"]} == {"drift", "provenance"}
    assert not office.suspended()


def test_a_revoked_mandate_is_only_warned_of() -> None:
    """What cannot act any more need not be suspended; the finding is sworn all the same."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.ledger.revoke(office.mandate, office.key(FIRM))
    assert names(watch.step())[-1] == "warned"
    assert office.ledger.suspensions(office.mandate) == []
    assert [content["response"] for content in office.alerts()] == ["warn", "warn"]


def test_a_spent_budget_is_told_and_sworn() -> None:
    """A guardian that has no seconds left says so, and swears what it saw."""
    office = busy(limit=2 * HOUR)
    watch = office.watch()
    office.mimic()
    (answer,) = (event for event in watch.step() if event.name == "suspended")
    assert answer.facts["until"] == _now(office) + HOUR  # half the limit is all at once
    office.ledger.resume(office.mandate, 0, office.key(FIRM))
    office.drip()
    event = watch.step()[-1]
    assert (event.name, event.facts["rule"]) == ("not-suspended", "AboveLimit")
    assert office.alerts()[-1]["response"] == "warn"
    assert not office.suspended()


def test_a_silenced_guardian_says_so() -> None:
    """While its principal keeps the guardian silent, it warns; afterwards it suspends again."""
    office = busy()
    watch = office.watch()
    office.ledger.resume(office.mandate, _now(office) + HOUR, office.key(FIRM))
    office.mimic()
    event = watch.step()[-1]
    assert (event.name, event.facts["rule"]) == ("not-suspended", "GuardianSilenced")
    office.clock.advance(HOUR)
    office.mimic()
    assert "suspended" in names(watch.step())


def test_a_reorganisation_that_drops_a_suspension_is_mended_once() -> None:
    """What replaced blocks held is carried again, once, and holds as long as it was to."""
    office = busy()
    watch = office.watch()
    office.mimic()
    saved = office.ledger.save()
    watch.step()
    assert office.suspended()
    until = office.ledger.state(office.mandate).suspended_until
    assert watch.step() == []
    office.ledger.restore(saved)
    assert not office.suspended()
    assert names(watch.step()) == ["reorganised", "carried-again"]
    assert office.ledger.state(office.mandate).suspended_until == until
    assert watch.step() == []
    assert len(office.ledger.suspensions(office.mandate)) == 1
    assert len(office.alerts()) == 1


def test_a_new_watch_mends_a_reorganisation_too() -> None:
    """Also a watch begun after the blocks were replaced carries the logged alert again."""
    office = busy()
    office.mimic()
    saved = office.ledger.save()
    office.watch().step()
    office.ledger.restore(saved)
    assert "carried-again" in names(office.watch().step())
    assert office.suspended()


def test_what_its_time_is_over_is_not_carried_again() -> None:
    """A suspension that would be over by now is left alone after a reorganisation."""
    office = busy()
    watch = office.watch()
    office.mimic()
    saved = office.ledger.save()
    watch.step()
    office.clock.advance(SECONDS)
    assert watch.step() == []
    office.ledger.restore(saved)
    assert names(watch.step()) == ["reorganised"]


def test_what_the_principal_lifted_is_not_carried_again() -> None:
    """A suspension that its principal has ended stays ended."""
    office = busy()
    watch = office.watch()
    office.mimic()
    watch.step()
    office.ledger.resume(office.mandate, 0, office.key(FIRM))
    assert watch.step() == []
    assert office.watch().step() != []
    assert not office.suspended()
    assert office.pay().execution is not None


@pytest.mark.parametrize("call", ["suspend", "anchor"])
def test_an_alert_that_the_chain_does_not_take_is_carried_later(call: str) -> None:
    """A chain out of reach after the alert was sworn is told, and the alert carried afterwards."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.ledger.down = frozenset({call})
    events = watch.step()
    assert "blind" in names(events)
    assert "suspended" not in names(events)
    assert len(office.alerts()) == 1
    assert "blind" in names(watch.step())
    office.ledger.down = frozenset()
    assert "carried-again" in names(watch.step())
    assert office.suspended()
    assert len(office.alerts()) == 1


def test_a_new_watch_carries_what_an_earlier_one_swore() -> None:
    """An alert sworn before a crash is carried by the next watch."""
    office = busy()
    office.mimic()
    office.ledger.down = frozenset({"suspend"})
    office.watch().step()
    office.ledger.down = frozenset()
    assert "carried-again" in names(office.watch().step())
    assert office.suspended()


@pytest.mark.parametrize("call", ["state", "granted", "terms", "block"])
def test_a_chain_out_of_reach_is_told_and_nothing_is_lost(call: str) -> None:
    """Whatever call fails, it is told, and the theft is answered when the chain answers again."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.ledger.down = frozenset({call})
    assert "blind" in names(watch.step())
    office.ledger.down = frozenset()
    watch.step()
    assert office.suspended()


def test_every_mandate_of_the_agent_is_suspended_after_an_outage() -> None:
    """A chain that falls silent between two mandates leaves none of them out in the end."""
    office = busy()
    second = office.hire(CLERK, pins=[LANDLORD])
    watch = office.watch()
    office.mimic()
    office.ledger.down = frozenset({"suspend"})
    assert "blind" in names(watch.step())
    office.ledger.down = frozenset()
    watch.step()
    watch.step()
    assert (office.suspended(), office.suspended(second)) == (True, True)


def test_all_mandates_of_an_agent_are_suspended() -> None:
    """Whoever holds the key holds all its mandates."""
    office = busy()
    second = office.hire(CLERK, pins=[LANDLORD])
    watch = office.watch()
    office.mimic()
    assert names(watch.step()).count("suspended") == 2
    assert (office.suspended(), office.suspended(second)) == (True, True)


def test_a_log_out_of_reach_is_told_and_accuses_nobody() -> None:
    """While the log cannot be read, the chain's news wait: an honest refusal is no crime."""
    office = busy()
    watch = office.watch()
    watch.step()
    office.decide(bound := office.bind(), inputs=[office.seen()])
    office.ledger.attempt(bound, office.statements()[-1])
    office.log.down = True
    events = watch.step()
    assert names(events) == ["blind"]
    assert events[0].facts["what"] == "log"
    office.log.down = False
    assert watch.step() == []


def test_a_damaged_body_accuses_no_agent() -> None:
    """A logged, refused decision whose body the log lost is the log's fault, not the agent's."""
    office = busy()
    told = office.decide(bound := office.bind(), inputs=[office.seen()])
    office.ledger.attempt(bound, told)
    office.shown = paper = Paper.of(office.log)
    watch = office.watch()
    del paper.known[told.body]
    assert sightings(watch.step()) == {(office.log.policy.origin, "bad-entry")}
    assert not office.suspended()


def test_a_theft_while_the_log_is_out_of_reach_is_answered_later() -> None:
    """What could not be read is judged as soon as it can."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.log.down = True
    assert "blind" in names(watch.step())
    office.log.down = False
    watch.step()
    assert office.suspended()


def test_an_alert_that_the_log_does_not_take_is_sworn_later() -> None:
    """A log that takes nothing is told, and the suspension comes when it does."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.log.shut = True
    assert "blind" in names(watch.step())
    assert not office.suspended()
    office.log.shut = False
    watch.step()
    assert office.suspended()
    assert len(office.alerts()) == 1


def test_a_warning_that_the_log_does_not_take_is_sworn_later() -> None:
    """A warning is not lost either."""
    office = busy()
    watch = office.watch()
    office.pay(PLUMBER)
    office.log.shut = True
    assert names(watch.step()) == ["sighting", "blind"]
    office.log.shut = False
    assert names(watch.step()) == ["warned"]


def test_an_unreadable_chain_accuses_nobody() -> None:
    """Decisions made while the chain did not answer are judged later, not held against anybody."""
    office = busy()
    watch = office.watch()
    office.ledger.down = frozenset({"terms", "block"})
    assert "blind" in names(watch.step())
    office.ledger.down = frozenset()
    assert watch.step() == []
    assert office.pay().execution is not None
    assert watch.step() == []


def thieves_alert(
    office: Office,
    findings: list[Finding],
    *,
    mandate: bytes | None = None,
    suspect: str | None = None,
    until: int = SECONDS,
    suspends: bool = True,
) -> Statement:
    """Swear an alert with the sentinel's stolen key."""
    under = mandate or office.mandate
    number = 0 if mandate else office.ledger.state(under).watch.number
    asked = Suspension(number, office.clock.now() + until)
    stay = BoundSuspension(office.ledger.chain_id, under, asked) if suspends else None
    content = alert.content_of(suspect or office.did(), findings, stay)
    return office.swear(ALERT, alert.subject_of(content), content, by=SENTINEL)


def soft(leaf: bytes, family: str = "drift") -> Finding:
    """Return a finding of somebody who makes things up."""
    return Finding("made-up", family, "ASI01", "it is said so", (leaf,), (), "0.01")


def test_a_stolen_detector_key_needs_grounds() -> None:
    """The log takes no suspension on one soft finding, twice the same, or association."""
    office = busy()
    leaf = office.pay().decision.leaf
    for families in (["drift"], ["drift", "drift"], ["drift", "association"], ["association"]):
        with pytest.raises(RegistrationRefused) as caught:
            thieves_alert(office, [soft(leaf, family) for family in families])
        assert caught.value.reason == "no-grounds"


def test_a_stolen_detector_key_blames_nobody_for_anothers_words() -> None:
    """The log takes no suspension of the clerk for a stranger's statements."""
    office = busy()
    foreign = office.vouch(by=STRANGER)
    with pytest.raises(RegistrationRefused) as caught:
        thieves_alert(office, [soft(foreign.leaf), soft(foreign.leaf, "provenance")])
    assert caught.value.reason == "evidence-foreign"
    with pytest.raises(RegistrationRefused) as caught:
        thieves_alert(office, [soft(b"\x01" * 32, "rule")])
    assert caught.value.reason == "evidence-unknown"


def test_a_stolen_detector_key_suspends_within_its_budget_and_no_more() -> None:
    """Whoever holds the key keeps the agent still half a day at most, and can do nothing else."""
    office = busy()
    leaf = office.pay().decision.leaf
    rule = [soft(leaf, "rule")]
    told = thieves_alert(office, rule, until=DAY // 2 + 1)
    with pytest.raises(CallReverted) as caught:
        _carry(office, told)
    assert caught.value.error == "LivesTooLong"
    _carry(office, thieves_alert(office, rule, until=DAY // 2))
    assert office.suspended()
    office.clock.advance(HOUR)
    again = thieves_alert(office, rule, until=DAY // 2)
    with pytest.raises(CallReverted) as caught:
        _carry(office, again)
    assert caught.value.error == "AboveLimit"
    bound = office.bind(transfer(THIEF, 1))
    forged = office.decide(bound, by=SENTINEL)
    seat = office.ledger.anchor(office.log, office.log.index_of(forged.leaf))
    office.clock.advance(DAY // 2)
    with pytest.raises(CallReverted) as caught:
        office.ledger.execute(bound, forged, office.log, seat)


def _carry(office: Office, told: Statement) -> None:
    content = bodies.decode(office.log.body(told.body) or b"", bodies.CORE_KINDS).content
    stay = BoundSuspension.from_json(content["suspension"])
    seat = office.ledger.anchor(office.log, office.log.index_of(told.leaf))
    office.ledger.suspend(stay, told, office.log, seat)


def test_a_stolen_detector_key_cannot_hide_a_theft() -> None:
    """A warning that a thief swears with the stolen key keeps no suspension from coming."""
    office = busy()
    watch = office.watch()
    act = office.mimic()
    thieves_alert(office, [soft(act.decision.leaf)], suspends=False)
    watch.step()
    assert office.suspended()


def test_a_stolen_detector_key_cannot_stop_the_carrying() -> None:
    """A thief's alert about a mandate that is none keeps no other alert from the chain."""
    office = busy()
    watch = office.watch()
    leaf = office.pay().decision.leaf
    thieves_alert(office, [soft(leaf, "rule")], mandate=b"\x01" * 20, until=1 << 31)
    watch.step()
    office.mimic()
    saved = office.ledger.save()
    watch.step()
    assert office.suspended()
    office.ledger.restore(saved)
    watch.step()
    assert office.suspended()
    assert "blind" not in names(watch.step())


def test_a_strangers_decisions_do_not_suspend_the_victim() -> None:
    """Decisions that a stranger signs under the clerk's mandate are the stranger's."""
    office = busy()
    watch = office.watch()
    for number in range(5):
        bound = office.bind(transfer(THIEF, 499), nonce=100 + number, target=ANCHOR)
        office.decide(bound, by=STRANGER, inputs=[office.seen(THIEF, 1, by=STRANGER)])
    events = watch.step()
    assert {suspect for suspect, _ in sightings(events)} == {office.did(STRANGER)}
    assert "suspended" not in names(events)
    assert office.pay().execution is not None


def test_junk_transactions_do_not_suspend_the_victim() -> None:
    """Forged and replayed calls under the clerk's mandate are their carrier's."""
    office = busy()
    watch = office.watch()
    act = office.pay()
    content = office.sworn(act.decision).body.content
    bound = bodies.action(content["action"])
    for number in range(5):
        office.off_the_record(by=STRANGER, nonce=900 + number)
        office.ledger.attempt(bound, act.decision, b"\x99" * 20)  # type: ignore[arg-type]
    events = watch.step()
    assert {detector for _, detector in sightings(events)} == {"forged-oath", "replay"}
    assert office.did() not in {suspect for suspect, _ in sightings(events)}
    assert "suspended" not in names(events)
    assert office.pay().execution is not None


def test_a_strangers_alert_suspends_nobody() -> None:
    """An alert by anybody else is in the log, and the watch does not carry it."""
    office = busy()
    watch = office.watch()
    leaf = office.pay().decision.leaf
    asked = Suspension(0, _now(office) + HOUR)
    stay = BoundSuspension(office.ledger.chain_id, office.mandate, asked)
    content = alert.content_of(office.did(), [soft(leaf, "rule")], stay)
    office.swear(ALERT, stay.digest, content, by=STRANGER)
    assert watch.step() == []
    assert not office.suspended()


@pytest.mark.parametrize("late", [300, -50])
def test_a_wrong_clock_suspends_nobody(late: int) -> None:
    """An agent whose clock is five minutes slow, or 50 seconds fast, works on in peace."""
    office = Office()
    office.vouch()
    watch = office.watch()
    for _ in range(USED_TO):
        office.clock.advance(GAP)
        now = _now(office)
        bound = office.bind(deadline=now - late + 600)
        told = office.decide(bound, inputs=[office.seen()], late=late)
        seat = office.ledger.anchor(office.log, office.log.index_of(told.leaf))
        office.ledger.execute(bound, told, office.log, seat)
        assert watch.step() == []


def test_a_refused_decision_by_a_slow_clock_is_no_equivocation() -> None:
    """A slow clock's next decision, as soon as the log lets it in, is no equivocation."""
    office = busy()
    watch = office.watch()
    late = 300
    first = office.bind(deadline=_now(office) - late + 600)
    office.decide(first, inputs=[office.seen()], late=late)
    office.clock.advance(600 - late + 1)
    second = office.bind(nonce=first.action.nonce, deadline=_now(office) - late + 600)
    office.decide(second, inputs=[office.seen()], late=late)
    assert watch.step() == []


def test_warnings_about_the_same_come_once_an_hour() -> None:
    """A hundred small things of one sort in an hour make one warning; the next hour one more."""
    office = busy()
    watch = office.watch()
    for number in range(20):
        office.decide(office.bind(nonce=500 + number), by=STRANGER)
        watch.step()
        office.clock.advance(60)
    assert len(office.alerts()) == 1
    office.clock.advance(HOUR)
    office.decide(office.bind(nonce=600), by=STRANGER)
    assert names(watch.step()) == ["sighting", "warned"]
    assert len(office.alerts()) == 2


def test_another_suspect_or_detector_is_warned_of_at_once() -> None:
    """The hour is counted by suspect and by detector."""
    office = busy()
    watch = office.watch()
    office.decide(office.bind(nonce=500), by=STRANGER)
    watch.step()
    office.decide(office.bind(nonce=501), by="another stranger")
    assert names(watch.step()) == ["sighting", "warned"]
    office.pay(PLUMBER)
    assert names(watch.step()) == ["sighting", "warned"]


def test_watches_begun_anew_do_not_flood_the_log() -> None:
    """However often the watch is started within the hour, nothing more is sworn."""
    office = busy()
    for number in range(5):
        office.decide(office.bind(nonce=500 + number), by=STRANGER)
        office.clock.advance(60)
    for _ in range(5):
        office.watch().step()
    assert len(office.alerts()) == 1


def test_what_cannot_be_suspended_is_sworn_once_an_hour_too() -> None:
    """An agent without a guardian that errs on and on is not answered with as many alerts."""
    office = busy(None)
    watch = office.watch()
    for _ in range(10):
        office.drip()
        watch.step()
        office.clock.advance(60)
    assert len(office.alerts()) == 1


def test_a_watch_without_a_guardian_swears_nothing() -> None:
    """Without a key it tells, and neither swears nor suspends."""
    office = busy()
    watch = office.watch(None)
    office.mimic()
    before = office.log.size()
    assert set(names(watch.step())) == {"sighting"}
    assert office.log.size() == before
    assert not office.suspended()


def test_a_house_opened_again_goes_on() -> None:
    """After `enter` the same watch answers in the house that was opened anew."""
    office = busy()
    watch = office.watch()
    watch.step()
    watch.enter(office.house())
    office.mimic()
    watch.step()
    assert office.suspended()
    assert from_hex(to_hex(office.mandate)) == office.mandate


def test_old_evidence_is_a_warning_and_no_suspension() -> None:
    """What nobody answered for more than a day suspends nobody out of the blue."""
    office = busy()
    watch = office.watch(None)
    office.mimic()
    watch.step()
    office.clock.advance(DAY + 1)
    events = office.watch().step()
    assert "warned" in names(events)
    assert not office.suspended()


def test_a_watch_begun_anew_drops_what_an_appeal_has_cleared() -> None:
    """After the firm's verdict a new watch does not suspend for what came before it."""
    office = busy()
    watch = office.watch()
    office.mimic()
    for _ in range(3):
        watch.step()
        office.drip()
    ((told, _),) = [one for one in office.said(ALERT) if one[1]["suspension"]]
    appeal(office.house(), FIRM, told.leaf, "it is right")
    watch.step()
    office.watch().step()
    assert not office.suspended()
    office.clock.advance(GAP)
    office.drip()
    office.watch().step()
    assert office.suspended()


def test_a_label_suspends_nobody_on_an_old_rule() -> None:
    """After a suspension is over, a labelled account alone does not bring it back."""
    office = busy()
    watch = office.watch(labels=Labels({LANDLORD: "scam"}))
    office.drip()
    watch.step()
    office.clock.advance(SECONDS)
    office.pay()
    watch.step()
    assert not office.suspended()


def test_a_slow_clock_answers_nobody() -> None:
    """A sentinel whose clock is behind says so, and suspends nobody until it is set."""
    office = busy()
    office.mimic()
    real = office.clock.time
    watch = office.watch()
    office.clock.time = real - 2 * HOUR
    events = watch.step()
    assert [event.facts["what"] for event in events if event.name == "blind"] == ["clock"]
    assert not {"suspended", "warned"} & set(names(events))
    office.clock.time = real
    watch.step()
    assert office.suspended()


def test_a_strangers_verdict_settles_nothing_of_the_firms() -> None:
    """A stranger who grants the clerk a mandate of its own cannot acquit it of the firm's theft."""
    office = busy()
    watch = office.watch()
    watch.step()
    other = office.hire(CLERK, firm=STRANGER)
    office.clock.advance(GAP)
    office.pay(THIEF)
    watch.step()
    deed = office.said(DECISION)[-1][0].leaf
    bound = BoundSuspension(office.ledger.chain_id, other, Suspension(0, office.clock.now() + HOUR))
    content = alert.content_of(office.did(), [soft(deed, "rule")], bound)
    told = office.swear(ALERT, bound.digest, content, by=SENTINEL)
    appeal(office.house(), STRANGER, told.leaf, "fine")
    watch.step()
    office.clock.advance(GAP)
    office.mimic(THIEF)
    watch.step()
    assert office.suspended()


def test_strangers_do_not_have_the_log_flooded_with_warnings() -> None:
    """However many keys give cause for it, an hour sees thirty warnings at most."""
    office = busy()
    watch = office.watch()
    for number in range(40):
        office.decide(office.bind(nonce=500 + number), by=f"sybil {number}")
    events = watch.step()
    assert names(events).count("sighting") == 40
    assert names(events).count("warned") == 30


def test_an_alert_that_was_never_carried_lapses_aloud() -> None:
    """If the chain never got a suspension before its end, that is told."""
    office = busy()
    watch = office.watch()
    office.mimic()
    office.ledger.down = frozenset({"suspend"})
    watch.step()
    office.clock.advance(SECONDS)
    office.ledger.down = frozenset()
    events = watch.step()
    assert [e.facts["result"] for e in events if e.name == "not-carried"] == ["lapsed"]
