"""The security story: on the real log, chain and contracts, told twice in one home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from affiant.apps.cli.demo import tell
from affiant.apps.house import RealHouse
from affiant.apps.wiring import open_house
from affiant.audit.collect import collect
from affiant.audit.findings import Report
from affiant.audit.walk import audit
from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.encoding import from_hex, jcs_decode
from affiant.kernel.errors import InputError
from affiant.kernel.house import Step
from affiant.verticals.security.appeal import appeal
from affiant.verticals.security.story import CLERKS, story
from affiant.verticals.security.watch import Watch

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    """Open a house."""
    with open_house(tmp_path_factory.mktemp("security")) as opened:
        yield opened


@pytest.fixture(scope="module")
def steps(house: RealHouse) -> list[Step]:
    """Tell the story."""
    return list(story(house))


@pytest.fixture(scope="module")
def report(house: RealHouse, steps: list[Step]) -> Report:
    """Audit what it left, running every decision again."""
    assert steps
    found = collect(house.log, house.ledger, house.archive)
    name, log_id = house.ledger.name, house.log.policy.log_id
    return audit(found, house.kinds, ledger=name, models=house.models(), log_id=log_id)


def said(house: RealHouse, kind: str) -> list[tuple[bytes, dict[str, object]]]:
    """Return the leaf and content of every logged statement of a kind."""
    told = [statement.decode(house.log.entry(i)).verify() for i in range(house.log.size())]
    return [
        (one.leaf, jcs_decode(house.log.body(one.body) or b"")["content"])
        for one in told
        if one.kind == kind
    ]


def test_every_step_comes_out_as_it_must(steps: list[Step]) -> None:
    """No check of the story fails, and each of the three attacks and the appeal is there."""
    assert [step.text for step in steps if step.good is False] == []
    titles = Counter(step.title for step in steps)
    assert titles["attack"] == 3
    assert titles["appeal"] == titles["revoked"] == titles["others"] == 1


def test_each_attack_is_stopped_at_its_first_harmful_action(steps: list[Step]) -> None:
    """Drip and mimic execute one harmful action each, the brute attempt none."""
    done = {
        step.facts["attack"]: step.facts["executed"] for step in steps if step.title == "attack"
    }
    assert sorted(done.values()) == [0, 1, 1]
    assert done["a brute attempt"] == 0


def test_the_chain_holds_four_suspensions_and_each_has_its_alert(
    house: RealHouse, steps: list[Step]
) -> None:
    """Three for the hijacked clerk, one for the one suspected wrongly, none for the others."""
    mandates = [from_hex(mandate) for mandate in steps[0].facts["mandates"]]
    assert len(mandates) == CLERKS
    stays = [house.ledger.suspensions(mandate) for mandate in mandates]
    assert sorted(map(len, stays)) == [0] * 8 + [1, 3]
    alerts = {leaf for leaf, _ in said(house, bodies.ALERT)}
    assert {stay.leaf for told in stays for stay in told} <= alerts


def test_the_audit_finds_what_the_hijacker_swore_and_nothing_else(
    house: RealHouse, report: Report
) -> None:
    """Every finding is a decision that its model never made, and an alert had named it."""
    assert {finding.name for finding in report.findings()} == {"decision.replay"}
    named = {
        from_hex(leaf)
        for _, content in said(house, bodies.ALERT)
        for finding in content["findings"]  # type: ignore[attr-defined]
        for leaf in finding["statements"]
    }
    assert {finding.statement for finding in report.findings()} <= named


def test_the_audit_shows_why(report: Report) -> None:
    """Each alert is shown with detectors, reasons, and the transaction that carried it."""
    told = [check for check in report.checks() if check.name == "alert.suspension"]
    assert len(told) == 4
    assert all(check.good and "suspended until" in check.detail for check in told)
    grounds = [check.detail for check in report.checks() if check.name == "alert.grounds"]
    assert any("not-reproducible (ASI01)" in detail for detail in grounds)
    assert any("unsworn-source (ASI06)" in detail for detail in grounds)


def test_a_watch_begun_anew_tells_the_same_and_swears_nothing(
    house: RealHouse, steps: list[Step]
) -> None:
    """A watch that reads all again, with the guardian's key, answers nothing twice."""
    assert steps
    before = house.log.size()
    events = Counter(event.name for event in Watch(house, guardian="sentinel").step())
    assert house.log.size() == before
    assert events["sighting"] > 0
    assert events["suspended"] == events["warned"] == events["blind"] == 0


def test_a_watch_without_a_key_only_tells(house: RealHouse, steps: list[Step]) -> None:
    """Without a guardian's key nothing is sworn, and the same is seen."""
    assert steps
    before = house.log.size()
    names = {event.name for event in Watch(house).step()}
    assert names == {"sighting", "appeal"}
    assert house.log.size() == before


def test_nobody_but_the_principal_appeals(house: RealHouse, steps: list[Step]) -> None:
    """The clerk itself cannot lift its suspension."""
    assert steps
    leaf = next(leaf for leaf, told in said(house, bodies.ALERT) if told["suspension"])
    with pytest.raises(InputError, match="is not the principal"):
        appeal(house, "clerk-1", leaf, "let me go")


def test_the_story_can_be_told_again_in_its_home(house: RealHouse, steps: list[Step]) -> None:
    """Told once more, new clerks are hijacked and suspected, and all comes out as before."""
    assert steps
    again = list(story(house))
    assert [step.text for step in again if step.good is False] == []
    assert [step.title for step in again] == [step.title for step in steps]


def test_the_demo_command_tells_it(tmp_path: Path) -> None:
    """`affiant demo security` refuses the options of another story before it opens anything."""
    with pytest.raises(InputError, match="takes no --sales"):
        tell("security", {"sales": tmp_path}, home=tmp_path / "home", rpc=None, port=0, json=True)
    assert not (tmp_path / "home").exists()
