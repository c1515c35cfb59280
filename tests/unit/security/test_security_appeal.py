"""The appeal: the principal's word counts, nobody else's does, and it counts for what it is."""

from __future__ import annotations

import pytest
from office import (
    CLERK,
    DAY,
    DESK,
    FIRM,
    GAP,
    HOUR,
    PLUMBER,
    SENTINEL,
    STRANGER,
    THIEF,
    Office,
    busy,
    detectors,
    names,
)

from affiant.kernel import alert
from affiant.kernel.alert import Finding
from affiant.kernel.body import ALERT
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension
from affiant.verticals.security.appeal import APPEAL, CURED, WRONG, appeal
from affiant.verticals.security.watch import Watch

WHY = "a pipe had burst; the bill is right"


def accused() -> tuple[Office, Watch, bytes]:
    """Return an office whose clerk was suspended, its watch, and the alert."""
    office = busy()
    watch = office.watch()
    office.mimic(PLUMBER)
    (event,) = (event for event in watch.step() if event.name == "suspended")
    return office, watch, from_hex(event.facts["alert"])


def logged(
    office: Office, leaf: bytes, *, by: str, verdict: str = WRONG, subject: bytes | None = None
) -> Statement:
    """Log an appeal without asking whether it may be sworn."""
    content = {"alert": to_hex(leaf), "verdict": verdict, "reason": WHY}
    return office.swear(APPEAL, subject or leaf, content, by=by)


def test_the_principals_appeal_lifts_and_is_heard() -> None:
    """The agent may act at once, the watch tells it, and the account is no news any more."""
    office, watch, leaf = accused()
    assert office.pay().refused == "AgentSuspended"
    told = appeal(office.house(), FIRM, leaf, WHY)
    assert not office.suspended()
    (event,) = watch.step()
    assert (event.name, event.facts["verdict"]) == ("appeal", WRONG)
    assert event.facts["appeal"] == to_hex(told.leaf)
    assert event.facts["alert"] == to_hex(leaf)
    assert event.facts["by"] == office.did(FIRM)
    assert WHY in event.text
    assert office.pay(PLUMBER).execution is not None
    assert watch.step() == []


def test_cured_lifts_and_teaches_nothing() -> None:
    """After `cured` the agent works, and the same deed again is as suspicious as before."""
    office, watch, leaf = accused()
    appeal(office.house(), FIRM, leaf, "its machine is clean", verdict=CURED)
    assert names(watch.step()) == ["appeal"]
    office.clock.advance(GAP)
    assert office.pay().execution is not None
    assert watch.step() == []
    office.mimic(PLUMBER)
    assert {"new-counterparty", "unsworn-source"} <= detectors(watch.step())
    assert office.suspended()


@pytest.mark.parametrize("name", [CLERK, DESK, SENTINEL, STRANGER])
def test_nobody_else_may_appeal(name: str) -> None:
    """Agent, desk, sentinel and stranger are refused, and nothing is sworn or lifted."""
    office, _, leaf = accused()
    before = office.log.size()
    with pytest.raises(InputError, match="is not the principal"):
        appeal(office.house(), name, leaf, WHY)
    assert office.log.size() == before
    assert office.suspended()


@pytest.mark.parametrize("name", [CLERK, DESK, SENTINEL, STRANGER])
def test_an_appeal_by_anybody_else_is_ignored(name: str) -> None:
    """Logged all the same, such an appeal is told as ignored and clears nothing."""
    office, watch, leaf = accused()
    told = logged(office, leaf, by=name)
    (event,) = watch.step()
    assert (event.name, event.facts["appeal"]) == ("appeal-ignored", to_hex(told.leaf))
    assert office.suspended()
    assert watch.sentinel.standings[office.did()].risk(office.clock.now()) > 0
    office.clock.advance(DAY)
    office.pay(PLUMBER)
    assert detectors(watch.step()) == {"new-counterparty"}


def test_a_warning_cannot_be_appealed() -> None:
    """An alert that suspends nobody has nothing to lift; an appeal of it is ignored."""
    office = busy()
    watch = office.watch()
    office.pay(PLUMBER)
    leaf = from_hex(watch.step()[-1].facts["alert"])
    with pytest.raises(InputError, match="suspends nobody"):
        appeal(office.house(), FIRM, leaf, WHY)
    logged(office, leaf, by=FIRM)
    assert names(watch.step()) == ["appeal-ignored"]


def test_what_is_no_alert_cannot_be_appealed() -> None:
    """A leaf that is not in the log, or another kind of statement, is refused and ignored."""
    office, watch, _ = accused()
    other = office.statements()[3].leaf
    for leaf in (b"\x01" * 32, other):
        with pytest.raises(InputError, match="is no alert in this log"):
            appeal(office.house(), FIRM, leaf, WHY)
        logged(office, leaf, by=FIRM)
    assert names(watch.step()) == ["appeal-ignored", "appeal-ignored"]
    assert office.suspended()


def test_an_appeal_of_a_mandate_that_is_none_is_ignored() -> None:
    """An alert about what is no mandate stops nothing when somebody appeals."""
    office, watch, _ = accused()
    leaf = invented(office, b"\x01" * 20).leaf
    logged(office, leaf, by=FIRM)
    assert names(watch.step()) == ["appeal-ignored"]


def invented(
    office: Office, mandate: bytes, *, about: bytes | None = None, by: str = STRANGER
) -> Statement:
    """Swear an alert about the clerk that demands the suspension of any mandate."""
    about = about or office.statements()[-1].leaf
    index = office.log.index_of(about)
    assert index is not None
    suspect = office.statements()[index].issuer.did
    asked = Suspension(0, office.clock.now() + HOUR)
    stay = BoundSuspension(office.ledger.chain_id, mandate, asked)
    finding = Finding("made-up", "rule", "ASI01", "it is said so", (about,))
    content = alert.content_of(suspect, [finding], stay)
    return office.swear(ALERT, stay.digest, content, by=by)


def test_a_stranger_with_a_mandate_of_its_own_does_not_acquit_the_hijacker() -> None:
    """An alert that a stranger invents about its own mandate clears no other mandate's agent."""
    office = busy()
    other = office.hire("the stranger's clerk", firm=STRANGER)
    watch = office.watch()
    office.pay(THIEF)  # the hijacker pays a thief once: one soft finding, no suspension
    deed = office.said("affiant/decision/v1")[-1][0].leaf
    logged(office, invented(office, other, about=deed).leaf, by=STRANGER)
    watch.step()
    office.clock.advance(GAP)
    office.mimic(THIEF)
    watch.step()
    assert office.suspended()


def test_an_alert_by_nobodys_guardian_is_not_appealed() -> None:
    """A principal's verdict on an alert that no guardian swore settles nothing."""
    office = busy()
    watch = office.watch()
    office.pay(THIEF)
    deed = office.said("affiant/decision/v1")[-1][0].leaf
    leaf = invented(office, office.mandate, about=deed).leaf
    logged(office, leaf, by=FIRM)
    assert names(watch.step())[-1] != "appeal"
    assert watch.sentinel.standings[office.did()].risk(office.clock.now()) > 0


def test_an_appeal_twice_is_one() -> None:
    """The same appeal again swears nothing more and changes nothing."""
    office, watch, leaf = accused()
    first = appeal(office.house(), FIRM, leaf, WHY)
    size, state = office.log.size(), office.ledger.state(office.mandate)
    assert appeal(office.house(), FIRM, leaf, WHY) == first
    assert (office.log.size(), office.ledger.state(office.mandate)) == (size, state)
    assert names(watch.step()) == ["appeal"]


def test_another_verdict_on_the_same_alert_is_refused() -> None:
    """Who has said `wrong` cannot say `cured` of the same alert."""
    office, _, leaf = accused()
    appeal(office.house(), FIRM, leaf, WHY)
    with pytest.raises(InputError, match="something else was sworn"):
        appeal(office.house(), FIRM, leaf, WHY, verdict=CURED)


def test_an_old_appeal_does_not_lift_a_new_suspension() -> None:
    """Lifting again what is lifted changes nothing: a new alert's suspension stays."""
    office, watch, leaf = accused()
    appeal(office.house(), FIRM, leaf, WHY)
    watch.step()
    office.mimic(THIEF)
    watch.step()
    assert office.suspended()
    appeal(office.house(), FIRM, leaf, WHY)
    assert office.suspended()


def test_an_appeal_before_the_alert_was_carried_holds() -> None:
    """What the principal appealed before the chain had it is not carried afterwards."""
    office = busy()
    watch = office.watch()
    office.mimic(PLUMBER)
    office.ledger.down = frozenset({"suspend"})
    watch.step()
    office.ledger.down = frozenset()
    ((told, _),) = office.said(ALERT)
    appeal(office.house(), FIRM, told.leaf, WHY)
    watch.step()
    assert not office.suspended()


def test_an_appeal_may_silence_the_guardian() -> None:
    """With a silence the guardian does not suspend until it is over."""
    office, watch, leaf = accused()
    appeal(office.house(), FIRM, leaf, WHY, verdict=CURED, silence=HOUR)
    watch.step()
    office.mimic(PLUMBER)
    event = watch.step()[-1]
    assert (event.name, event.facts["rule"]) == ("not-suspended", "GuardianSilenced")
    office.clock.advance(HOUR)
    office.mimic(PLUMBER)
    watch.step()
    assert office.suspended()


def test_an_appeal_after_the_suspension_ended_still_teaches() -> None:
    """Also when its time is over, an alert can be called wrong."""
    office, watch, leaf = accused()
    office.clock.advance(DAY)
    state = office.ledger.state(office.mandate)
    appeal(office.house(), FIRM, leaf, WHY)
    assert office.ledger.state(office.mandate) == state
    assert names(watch.step()) == ["appeal"]
    office.pay(PLUMBER)
    assert watch.step() == []


def test_a_watch_begun_anew_heeds_the_appeal() -> None:
    """A new watch reads alert and appeal, and neither suspends nor suspects again."""
    office, _, leaf = accused()
    appeal(office.house(), FIRM, leaf, WHY)
    again = office.watch()
    again.step()
    assert not office.suspended()
    office.clock.advance(GAP)
    office.pay(PLUMBER)
    assert again.step() == []


def test_an_appeal_while_the_chain_is_out_of_reach_is_heard_later() -> None:
    """An appeal that cannot be checked now is not ignored but heard when it can."""
    office, _, leaf = accused()
    appeal(office.house(), FIRM, leaf, WHY)
    again = office.watch(None)
    office.ledger.down = frozenset({"terms"})
    assert "appeal-ignored" not in names(again.step())
    office.ledger.down = frozenset()
    assert "appeal" in names(again.step())


def test_the_verdict_counts_and_not_the_subject() -> None:
    """An appeal's content names the alert; with a foreign subject it is still the principal's."""
    office, watch, leaf = accused()
    logged(office, leaf, by=FIRM, subject=b"\x07" * 32)
    assert names(watch.step()) == ["appeal"]
