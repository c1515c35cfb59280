"""The sentinel: what adds up to grounds, what never does, and how a verdict clears the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from office import (
    CLERK,
    DAY,
    FIRM,
    GAP,
    LANDLORD,
    PLUMBER,
    STRANGER,
    THIEF,
    Office,
    busy,
    transfer,
)

from affiant.kernel.alert import ASSOCIATION, RULE, Finding
from affiant.kernel.body import REFUSAL
from affiant.kernel.encoding import to_hex, word
from affiant.verticals.security.follow import LogFollower
from affiant.verticals.security.labels import Labels
from affiant.verticals.security.sentinel import HALF_LIFE, TOGETHER, Sentinel, Standing
from affiant.verticals.security.sightings import Sighting, Sworn


class Looking:
    """A sentinel over an office, with the log read as far as it goes."""

    def __init__(self, office: Office, labels: Labels | None = None) -> None:
        self.office = office
        log_id = office.log.policy.log_id
        self.sentinel = Sentinel(
            office.ledger, office.archive, log_id, office.known, labels or Labels()
        )
        self._log = LogFollower(office.log, office.kinds)
        self.look()

    def look(self) -> list[Sighting]:
        """Judge all that is new."""
        items = [i for i in self._log.read(self.office.clock.now()) if isinstance(i, Sworn)]
        return [sighting for item in items for sighting in self.sentinel.sworn(item)]

    def families(self) -> list[str]:
        """Judge what is new; return the families of the grounds of the last sighting, or []."""
        found = self.look()
        return [finding.family for finding in found[-1].grounds] if found else []


def test_a_rule_is_grounds_alone() -> None:
    """One hard rule is grounds."""
    looking = Looking(office := busy())
    office.drip()
    assert RULE in looking.families()


def test_two_soft_families_are_grounds() -> None:
    """Drift and provenance about one decision are grounds, both are named."""
    looking = Looking(office := busy())
    office.mimic()
    assert sorted(looking.families()) == ["drift", "provenance"]


def test_one_soft_family_is_no_grounds() -> None:
    """A new account alone, or unsworn data alone, is no grounds."""
    looking = Looking(office := busy())
    office.pay(PLUMBER)
    found = looking.look()
    assert [one.finding.family for one in found] == ["drift"]
    assert found[0].grounds == ()
    office.pay(by=CLERK)
    found = looking.look()
    assert [one.finding.family for one in found] == ["provenance"]
    assert found[0].grounds == ()


def test_one_family_twice_is_no_grounds() -> None:
    """Two findings of the same kind about one decision are one doubt."""
    looking = Looking(office := busy())
    told = office.bind(transfer(LANDLORD, 100), model=word(9))
    office.decide(told, inputs=[office.seen(by=CLERK)])
    found = looking.look()
    assert [one.finding.detector for one in found] == ["unknown-model", "unsworn-source"]
    assert [one.grounds for one in found if one.grounds] == []


def test_association_and_one_soft_family_are_no_grounds() -> None:
    """A label never completes the grounds."""
    looking = Looking(office := busy(), Labels({THIEF: "thief"}))
    office.pay(THIEF)
    found = looking.look()
    assert {one.finding.family for one in found} == {"drift", ASSOCIATION}
    assert [one.grounds for one in found if one.grounds] == []


def test_findings_about_different_accounts_do_not_add_up() -> None:
    """A new account now and unsworn data about another one are two small things."""
    looking = Looking(office := busy())
    office.pay(PLUMBER)
    looking.look()
    office.pay(LANDLORD, by=CLERK)
    (told,) = looking.look()
    assert told.finding.family == "provenance"
    assert told.grounds == ()


def test_findings_about_the_same_account_add_up() -> None:
    """Drift in one decision and provenance in the next, about one account, are grounds."""
    looking = Looking(office := busy())
    office.pay(PLUMBER)
    assert looking.families() == []
    office.pay(LANDLORD)
    assert looking.families() == []
    office.clock.advance(GAP)
    office.pay(PLUMBER, by="the desk's new key")
    assert {"drift", "provenance"} <= set(looking.families())


def test_findings_are_forgotten_after_three_decisions() -> None:
    """What was three decisions ago does not count any more."""
    looking = Looking(office := busy())
    office.pay(THIEF)
    looking.look()
    office.work(TOGETHER)
    looking.look()
    recent = looking.sentinel._recent[office.did(), office.key(FIRM).address]
    assert len(recent) == TOGETHER
    assert [findings for _, findings in recent] == [[], [], []]


def test_a_rule_counts_for_the_decision_that_broke_it() -> None:
    """What has been answered is no grounds again: not with drift, and not with a label."""
    looking = Looking(office := busy(), Labels({LANDLORD: "scam"}))
    office.drip()
    assert RULE in [finding.family for told in looking.look() for finding in told.grounds]
    office.pay(PLUMBER)
    assert [told.grounds for told in looking.look()] == [()]
    office.pay(LANDLORD)
    assert {told.grounds for told in looking.look()} == {()}


def test_a_refusal_is_no_grounds() -> None:
    """An honest refusal of altered data adds nothing to a new account that was paid before."""
    looking = Looking(office := busy())
    office.pay(PLUMBER)
    looking.look()
    content: dict[str, object] = {
        "action": None,
        "mandate": to_hex(office.mandate),
        "model": to_hex(office.model.digest),
        "inputs": [],
        "output": None,
        "rule": "input-altered",
        "reason": "x" * 500_000,
    }
    office.swear(REFUSAL, office.model.digest, content)
    (told,) = looking.look()
    assert (told.finding.detector, told.grounds) == ("input-altered", ())
    assert len(told.finding.reason) <= 300


def test_a_past_is_of_one_principal() -> None:
    """What an agent gets used to under a stranger's mandate is news under the firm's."""
    looking = Looking(office := busy())
    other = office.hire(CLERK, firm=STRANGER)
    for _ in range(30):
        office.pay(THIEF, mandate=other)
        office.clock.advance(GAP)
    looking.look()
    office.pay(THIEF)
    assert [told.finding.detector for told in looking.look()] == ["new-counterparty"]


def test_a_decision_before_its_mandate_is_judged_when_it_is_executed() -> None:
    """Logged before the mandate was created, and executed afterwards: the agent is judged."""
    office = busy()
    late = office.hire(CLERK, limit=DAY - 2)
    terms = office.ledger._terms.pop(late)
    office.ledger._terms[late] = terms
    bound = office.bind(transfer(THIEF, 499), mandate=late)
    looking = Looking(office)
    del office.ledger._terms[late]
    told = office.decide(bound, by=CLERK)
    assert looking.look() == []
    office.ledger._terms[late] = terms
    office.ledger.execute(
        bound, told, office.log, office.ledger.anchor(office.log, office.log.index_of(told.leaf))
    )
    block = office.ledger.block(len(office.ledger._blocks) - 1)
    assert block is not None
    found = looking.sentinel.block(block)
    assert {sighting.suspect for sighting in found} == {office.did()}


def test_a_clean_decision_after_the_theft_hides_nothing() -> None:
    """Grounds of a decision stand, though the agent has decided something harmless since."""
    looking = Looking(office := busy())
    office.mimic()
    office.pay(LANDLORD)
    found = looking.look()
    assert {one.finding.family for one in found} == {"drift", "provenance"}
    assert any(one.grounds for one in found)


def test_another_agents_findings_do_not_count() -> None:
    """Two clerks with one soft finding each about one account are two clerks."""
    office = busy()
    second = office.hire("second clerk")
    for _ in range(24):
        office.clock.advance(GAP)
        office.pay(name="second clerk", mandate=second)
    looking = Looking(office)
    office.pay(PLUMBER)
    assert looking.families() == []
    office.pay(PLUMBER, by="second clerk", name="second clerk", mandate=second)
    (*_, told) = looking.look()
    assert {finding.statements for finding in told.grounds} == {told.finding.statements}


def test_cured_begins_anew_but_accepts_nothing() -> None:
    """After `cured` the old findings count no more, and the thief's account is news still."""
    looking = Looking(office := busy())
    act = office.mimic()
    looking.look()
    assert _risk(looking, office) > 0
    looking.sentinel.settle([act.decision.leaf], office.key(FIRM).address, right=False)
    assert _risk(looking, office) == 0
    office.clock.advance(DAY)
    office.pay(THIEF)
    found = looking.look()
    assert [one.finding.detector for one in found] == ["new-counterparty"]
    assert found[0].grounds == ()


def test_wrong_makes_the_account_a_habit() -> None:
    """After `wrong` the account is known, and the old findings count no more."""
    looking = Looking(office := busy())
    act = office.mimic()
    looking.look()
    looking.sentinel.settle([act.decision.leaf], office.key(FIRM).address, right=True)
    assert _risk(looking, office) == 0
    office.clock.advance(DAY)
    office.pay(THIEF)
    assert looking.look() == []


def test_a_verdict_about_what_is_no_decision_changes_nothing() -> None:
    """Leaves that are no decisions settle nothing."""
    looking = Looking(office := busy())
    act = office.mimic()
    looking.look()
    before = _risk(looking, office)
    looking.sentinel.settle(
        [word(1), act.outcome.leaf if act.outcome else b""], office.key(FIRM).address, right=True
    )
    assert _risk(looking, office) == before


def test_a_mandate_of_another_log_is_none_of_its_business() -> None:
    """A decision under a mandate that names another log is not judged."""
    office = busy()
    looking = Looking(office)
    looking.sentinel.log_id = word(3)
    looking.sentinel._terms.clear()
    office.drip()
    assert looking.look() == []
    assert looking.sentinel.mandates(office.did()) == []


def test_a_mandate_that_is_none_is_passed_over() -> None:
    """A decision under an address that is no mandate can do nothing here."""
    office = busy()
    looking = Looking(office)
    office.decide(replace(office.bind(), mandate=b"\x01" * 20), by=STRANGER)
    assert looking.look() == []


def test_a_decision_for_another_chain_is_passed_over() -> None:
    """What is bound to another chain cannot run here, and is no impersonation."""
    office = busy()
    looking = Looking(office)
    office.ledger.chain_id += 1
    bound = office.bind(transfer(THIEF, 1))
    office.ledger.chain_id -= 1
    office.decide(bound, by=STRANGER)
    assert looking.look() == []


def test_unusual_amounts_and_pace_are_an_anomaly() -> None:
    """A payment far from all before is an anomaly; one like the others is none."""
    office = busy()
    office.work(40)
    looking = Looking(office)
    office.pay(units=101)
    assert looking.look() == []
    office.clock.advance(GAP)
    for number in range(8):
        inputs = [office.seen(units=1)]
        office.decide(office.bind(transfer(LANDLORD, 1), nonce=500 + number), inputs=inputs)
    found = looking.look()
    assert {(one.finding.detector, one.finding.threat) for one in found} == {
        ("amount-and-pace", "ASI10")
    }
    assert [one.grounds for one in found if one.grounds] == []


def test_a_standing_fades() -> None:
    """A finding loses half its weight in a day; a rule weighs more than a soft one, that more."""
    soft, hard, label = Standing(), Standing(), Standing()
    soft.findings.append((0, Finding("d", "drift", "ASI01", "", (word(1),))))
    hard.findings.append((0, Finding("d", RULE, "ASI01", "", (word(1),))))
    label.findings.append((0, Finding("d", ASSOCIATION, "ASI07", "", (word(1),))))
    assert 1 > hard.risk(0) > soft.risk(0) > label.risk(0) > 0
    assert soft.risk(HALF_LIFE) == pytest.approx(soft.risk(0) / 2)
    assert Standing().risk(0) == 0


def test_everybody_who_swears_has_a_standing() -> None:
    """Also who did nothing wrong is in the list, at no risk."""
    looking = Looking(office := busy())
    risks = {who: one.risk(office.clock.now()) for who, one in looking.sentinel.standings.items()}
    assert risks[office.did()] == risks[office.did("desk")] == risks[office.did("firm")] == 0
    office.decide(by=STRANGER)
    looking.look()
    assert looking.sentinel.standings[office.did(STRANGER)].risk(office.clock.now()) > 0.9


def _risk(looking: Looking, office: Office) -> float:
    return looking.sentinel.standings[office.did()].risk(office.clock.now())


def test_mandates_are_the_agents_own() -> None:
    """All mandates of an agent of this log are found; of a stranger there are none."""
    office = busy()
    second = office.hire(CLERK, None)
    looking = Looking(office)
    assert looking.sentinel.mandates(office.did()) == [office.mandate, second]
    assert looking.sentinel.mandates(office.did(STRANGER)) == []


def test_honest_work_is_silent() -> None:
    """The clerk's honest work, from the first payment on, gives no sighting at all."""
    office = busy()
    log_id = office.log.policy.log_id
    sentinel = Sentinel(office.ledger, office.archive, log_id, office.known)
    items = LogFollower(office.log, office.kinds).read(office.clock.now())
    assert [sentinel.sworn(item) for item in items if isinstance(item, Sworn)] == [
        [] for _ in range(office.log.size())
    ]
