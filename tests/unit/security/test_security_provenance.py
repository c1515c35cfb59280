"""Provenance: decisions run again, models vouched for, data sworn to by who usually does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from office import (
    CAP,
    CLERK,
    DESK,
    FIRM,
    GAP,
    LANDLORD,
    PLUMBER,
    STRANGER,
    THIEF,
    Office,
    PayModel,
    busy,
    detectors,
    names,
    sightings,
    transfer,
)
from office import invoice as unsworn

from affiant.kernel import body as bodies
from affiant.kernel.alert import RULE
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.model import Call, Doubt, Input, Model, Proposal, commitment
from affiant.testing import MemoryArchive
from affiant.verticals.security.habits import PROBATION
from affiant.verticals.security.provenance import Provenance, Vouchers
from affiant.verticals.security.sightings import Decided, Seen, Sighting

SALT = bytes(32)
NOW = 1_800_000_000
NEW = PayModel(version="2")


def decided(office: Office, call: Call, data: bytes, *, kept: bytes | None = None) -> Decided:
    """Return a decision over an invoice; the archive may hold other data, or none if empty."""
    subject = commitment(SALT, data)
    if kept != b"":
        office.archive.put(subject, SALT, data if kept is None else kept)
    seen = Seen(bytes(32), subject, "orders", "desk")
    now = office.clock.now()
    return Decided("a", sha256(data), now, now, office.bind(call), (seen,), 0, ())


def invoice(to: bytes = LANDLORD, units: int = 100) -> bytes:
    """Return an invoice's bytes."""
    return Input.of({"to": to.hex(), "units": units}, source="orders").data


def judged(
    office: Office, told: Decided, models: Sequence[Model] = (PayModel(),)
) -> list[Sighting]:
    """Judge a decision with these models at hand."""
    known = {model.digest: model for model in models}
    return list(Provenance(office.archive, known).judge(told))


def test_a_decision_that_its_model_makes_again_is_silent() -> None:
    """The same call from the same data is nothing to tell."""
    office = Office()
    assert judged(office, decided(office, transfer(LANDLORD, 100), invoice())) == []


@pytest.mark.parametrize(
    "call",
    [
        transfer(THIEF, 100),
        transfer(LANDLORD, 101),
        replace(transfer(LANDLORD, 100), value=1),
        replace(transfer(LANDLORD, 100), target=THIEF),
        replace(transfer(LANDLORD, 100), data=transfer(LANDLORD, 100).data + b"\0"),
    ],
    ids=["payee", "amount", "value", "target", "tail"],
)
def test_another_call_than_the_models_is_a_hard_rule(call: Call) -> None:
    """Payee, amount, value, target or a byte more: what the model did not say is not its."""
    office = Office()
    (told,) = judged(office, decided(office, call, invoice()))
    finding = told.finding
    assert (finding.detector, finding.family, finding.threat) == ("not-reproducible", RULE, "ASI01")
    assert "another call" in finding.reason
    assert finding.chance is None


def test_a_model_that_would_not_have_acted_is_a_hard_rule() -> None:
    """Where the model doubts, there is no decision of it."""
    office = Office()
    (told,) = judged(office, decided(office, transfer(LANDLORD, 0), invoice(units=0)))
    assert (told.finding.detector, told.finding.family) == ("not-reproducible", RULE)
    assert "would not have acted" in told.finding.reason


def test_a_model_that_fails_is_a_soft_finding_only() -> None:
    """An exception may be this machine's fault: it accuses, and suspends nobody alone."""
    office = Office()
    (told,) = judged(office, decided(office, transfer(LANDLORD, 5), invoice(units=-1)))
    assert (told.finding.detector, told.finding.family) == ("replay-failed", "provenance")
    assert "an invoice below nothing" in told.finding.reason


@pytest.mark.parametrize("kept", [b"", invoice(THIEF), b"{"], ids=["missing", "altered", "broken"])
def test_data_that_is_not_what_was_sworn_is_no_evidence(kept: bytes) -> None:
    """Without the sworn data nothing is run again, whatever the decision did."""
    office = Office()
    assert judged(office, decided(office, transfer(THIEF, 9), invoice(), kept=kept)) == []


def test_a_lost_salt_is_no_evidence() -> None:
    """A salt of another length opens no commitment, and stops nothing."""
    office = Office()
    told = decided(office, transfer(THIEF, 9), invoice(), kept=b"")
    office.archive.put(told.inputs[0].subject, b"short", invoice())
    assert judged(office, told) == []


@pytest.mark.parametrize("data", [b"no JSON", b'{"b":1,"a":2}', b"\xff\xfe", b"[" * 3000])
def test_sworn_data_that_is_no_json_stops_nothing(data: bytes) -> None:
    """Whoever swears to bytes that are no canonical JSON does not blind the sentinel."""
    office = Office()
    told = judged(office, decided(office, transfer(THIEF, 9), data))
    assert all(one.finding.family in {RULE, "provenance"} for one in told)


def test_a_hijacker_cannot_hide_behind_data_that_is_no_json() -> None:
    """A call outside the terms is seen, also over an input whose data is no JSON."""
    office = busy()
    watch = office.watch()
    watch.step()
    data = b"no JSON"
    subject = commitment(SALT, data)
    office.archive.put(subject, SALT, data)
    content = {"source": "orders", "shape": [], "units": "tokens", "kept": "agent"}
    seen = office.swear(bodies.OBSERVATION, subject, content)
    office.decide(office.bind(transfer(THIEF, CAP + 1)), inputs=[seen.leaf])
    assert "outside-mandate" in detectors(watch.step())


@dataclass(frozen=True)
class Moody(PayModel):
    """A model that never answers the same, and says so."""

    name: str = "test.moody"
    deterministic: bool = False

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Fail if asked again."""
        raise AssertionError(inputs)


def test_a_model_that_is_not_deterministic_is_not_run_again() -> None:
    """It is not even asked: another answer would say nothing."""
    office = Office()
    office.model = Moody()
    assert judged(office, decided(office, transfer(THIEF, 9), invoice()), [Moody()]) == []


def test_without_the_model_nothing_is_run_again() -> None:
    """A model that is not at hand says nothing about its decisions."""
    office = Office()
    assert judged(office, decided(office, transfer(THIEF, 9), invoice()), []) == []


def test_a_drip_is_caught_at_its_first_payment() -> None:
    """A hijacker who names the clerk's model as its own is suspended after one payment."""
    office = busy()
    watch = office.watch()
    assert office.drip().execution is not None
    events = watch.step()
    assert (office.did(), "not-reproducible") in sightings(events)
    assert office.suspended()
    assert office.drip().refused == "AgentSuspended"


def unknown(office: Office, *vouchers: str) -> set[str]:
    """Let the clerk work with a model that these vouch for, and the watch look on."""
    for by in vouchers:
        office.vouch(NEW, by=by)
    office.pay(model=NEW)
    return detectors(office.watch(None).step())


def test_a_model_that_nobody_vouches_for_is_told() -> None:
    """A model that only the agent itself swears to is a soft finding of ASI04."""
    office = busy()
    assert unknown(office) == {"unknown-model"}
    (event,) = [e for e in office.watch(None).step() if e.name == "sighting"]
    assert (event.facts["family"], event.facts["threat"]) == ("provenance", "ASI04")


def test_the_principals_word_makes_a_model_known() -> None:
    """A model that the mandate's principal swears to is known, though its code is not at hand."""
    assert unknown(busy(), FIRM) == set()


@pytest.mark.parametrize("by", [CLERK, STRANGER, DESK])
def test_nobody_else_vouches_for_a_model(by: str) -> None:
    """The agent's own word, a stranger's or a source's makes no model known."""
    assert unknown(busy(), by) == {"unknown-model"}


def test_the_principal_of_another_mandate_does_not_vouch() -> None:
    """Only the principal of the mandate under which it decides counts."""
    office = busy()
    office.hire(CLERK, firm=STRANGER)
    assert unknown(office, STRANGER) == {"unknown-model"}


def test_a_model_is_known_from_the_principals_word_on() -> None:
    """Before the principal vouched it is told, afterwards not."""
    office = busy()
    watch = office.watch(None)
    office.pay(model=NEW)
    assert detectors(watch.step()) == {"unknown-model"}
    office.vouch(NEW)
    office.clock.advance(GAP)
    office.pay(model=NEW)
    assert detectors(watch.step()) == set()


def test_an_agent_without_a_past_may_use_any_model() -> None:
    """Where nobody ever vouched, nothing is expected."""
    office = Office()
    for _ in range(3):
        office.pay(model=NEW)
    assert office.watch(None).step() == []


def test_data_that_the_source_did_not_swear_to_is_told() -> None:
    """Where the desk always swore, the agent's own word is a soft finding of ASI06."""
    office = busy()
    office.pay(by=None)
    (event,) = office.watch(None).step()
    assert event.facts["detector"] == "unsworn-source"
    assert (event.facts["family"], event.facts["threat"]) == ("provenance", "ASI06")
    assert office.did() in event.text


def test_a_sources_new_key_is_told_too() -> None:
    """Another key under the same source's name is told; the usual one is not."""
    office = busy()
    office.pay(by="the desk's new key")
    assert detectors(office.watch(None).step()) == {"unsworn-source"}
    other = busy()
    other.pay(by=DESK)
    assert other.watch(None).step() == []


def test_an_agent_that_always_swore_itself_goes_on() -> None:
    """Where nobody else ever swore to the data, the agent's own word is usual."""
    office = Office()
    office.vouch()
    for _ in range(30):
        office.clock.advance(GAP)
        office.pay(by=None)
    assert office.watch(None).step() == []


def test_another_source_is_learned_by_itself() -> None:
    """A new source is no news by the usual key, and is by a key that never swore."""
    provenance = Provenance(MemoryArchive(), {})
    office = Office()
    told = decided(office, transfer(LANDLORD, 1), invoice())
    for _ in range(30):
        provenance.learn(told)
    other = replace(told, inputs=(replace(told.inputs[0], source="weather"),))
    assert [s.finding.detector for s in provenance.judge(other)] == []
    stolen = replace(told, inputs=(replace(told.inputs[0], by="a"),))
    found = [s.finding.detector for s in provenance.judge(stolen)]
    assert found == ["unsworn-source"]


def test_a_word_is_not_made_usual_by_being_given_often() -> None:
    """However often somebody unexpected vouches, it counts only after its probation."""
    vouchers = Vouchers()
    for _ in range(24):
        vouchers.learn("desk", NOW)
    for _ in range(50):
        vouchers.learn("clerk", NOW)
    assert vouchers.chance("clerk", NOW + PROBATION - 1) < 0.05
    assert vouchers.chance("clerk", NOW + PROBATION) > 0.05


def test_a_quick_learner_would_be_deceived() -> None:
    """After 64 invoices by the desk, five forged ones in a row are all told."""
    office = busy()
    office.work(40)
    watch = office.watch(None)
    for _ in range(5):
        office.clock.advance(GAP)
        office.pay(by=None)
        assert detectors(watch.step()) == {"unsworn-source"}


def test_vouchers_are_forgotten() -> None:
    """Who has not vouched for a long time is unexpected again."""
    vouchers = Vouchers()
    for by, times in (("old", 50), ("new", 4000)):
        for _ in range(times):
            vouchers.learn(by, NOW + PROBATION * (by == "new"))
    assert vouchers.chance("old", NOW + 2 * PROBATION) < 0.05
    assert vouchers.chance("new", NOW + 2 * PROBATION) > 0.9


def test_a_new_name_for_the_source_does_not_hide_a_forged_invoice() -> None:
    """A hijacker who calls its forged invoice's source by another name is stopped all the same."""
    office = busy()
    office.work(60)
    watch = office.watch()
    watch.step()
    forged = replace(unsworn(THIEF, 100), source="orders (2)")
    act = office.agent(careful=False).act("steal", office.mandate, office.model, [forged])
    assert act.execution is not None
    watch.step()
    assert office.suspended()


def refused(office: Office, rule: str, reason: str = "whatever") -> None:
    """Let the clerk refuse an invoice for this reason."""
    leaf = office.seen(PLUMBER)
    content = {
        "action": None,
        "mandate": to_hex(office.mandate),
        "model": to_hex(office.model.digest),
        "inputs": [to_hex(leaf)],
        "output": None,
        "rule": rule,
        "reason": reason,
    }
    office.swear(bodies.REFUSAL, office.statements()[-1].subject, content)


def test_an_agent_that_finds_its_data_altered_says_so_and_is_heard() -> None:
    """A sworn refusal of altered data is a soft finding, and suspends nobody alone."""
    office = busy()
    watch = office.watch()
    refused(office, "input-altered")
    events = watch.step()
    assert sightings(events) == {(office.did(), "input-altered")}
    assert names(events) == ["sighting", "warned"]


def test_a_very_long_reason_does_not_keep_the_sentinel_from_warning() -> None:
    """However long an agent's words are, the alert about them fits into a body."""
    office = busy()
    watch = office.watch()
    refused(office, "input-altered", "x" * (bodies.MAX_LENGTH - 700))
    assert names(watch.step()) == ["sighting", "warned"]


@pytest.mark.parametrize("rule", ["nothing-due", "AboveCap", "input-altered "])
def test_other_refusals_are_no_finding(rule: str) -> None:
    """An agent that refuses for any other reason does what it should."""
    office = busy()
    refused(office, rule)
    assert office.watch(None).step() == []
