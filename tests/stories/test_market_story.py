"""The market story: on the real log, chain and contracts, told twice in one home."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affiant.apps.house import RealHouse
from affiant.apps.wiring import open_house
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.kernel import statement
from affiant.kernel.encoding import from_hex, jcs_decode, sha256
from affiant.kernel.errors import CallReverted
from affiant.kernel.house import Step
from affiant.verticals.market.bazaar import open_bazaar
from affiant.verticals.market.kinds import CONTRIBUTION, OFFER, PAYMENT
from affiant.verticals.market.story import DATA_OWNER, PROGRAM, story

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    """Open a house."""
    with open_house(tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture(scope="module")
def steps(house: RealHouse) -> list[Step]:
    """Tell the story."""
    return list(story(house))


def said(house: RealHouse, kind: str) -> list[tuple[bytes, dict[str, Any]]]:
    """Return the leaf and content of every logged statement of a kind."""
    told = [statement.decode(house.log.entry(i)).verify() for i in range(house.log.size())]
    return [
        (one.leaf, jcs_decode(house.log.body(one.body) or b"")["content"])
        for one in told
        if one.kind == kind
    ]


def test_every_step_comes_out_as_it_must(steps: list[Step]) -> None:
    """No check of the story fails, and every part of it is there."""
    assert [step.text for step in steps if step.good is False] == []
    titles = Counter(step.title for step in steps)
    assert titles["bargain"] == titles["deliver"] == 2
    for title in ("settle", "rate", "cheat", "use", "call", "approve", "ring"):
        assert titles[title] == 1, title


def test_every_offer_is_sworn_and_jobs_are_bound_to_the_agreement(
    house: RealHouse, steps: list[Step]
) -> None:
    """Each bargain's offers are in the log in turn, and its job names the sworn agreement."""
    assert steps
    offers = said(house, OFFER)
    agreed = {leaf: content for leaf, content in offers if content["agrees"]}
    assert len(agreed) == 2
    sides = [content["side"] for _, content in offers]
    assert sides[:10] == ["buyer", "seller"] * 5
    escrow = open_bazaar(house).escrow
    for leaf, content in agreed.items():
        job = escrow.find(leaf)
        assert job is not None
        assert job.budget == int(content["price"])
        assert (job.status, job.money) == ("Completed", "Paid")


def test_every_use_is_a_logged_contribution(house: RealHouse, steps: list[Step]) -> None:
    """Two program runs and one credit: who used what, under which terms, is sworn to."""
    assert steps
    contents = [content for _, content in said(house, CONTRIBUTION)]
    runs = [content for content in contents if content["program"] is not None]
    assert [from_hex(run["program"], 32) for run in runs] == [sha256(PROGRAM)] * 2
    assert len({run["output"] for run in runs}) == 1
    (credit,) = [content for content in contents if content["program"] is None]
    assert (credit["units"], credit["listing"]) == (1, 1)
    assert credit["transaction"] is not None


def test_a_payment_rests_on_its_statement(house: RealHouse, steps: list[Step]) -> None:
    """The one payment's nonce is the leaf of a sworn payment statement of the same amount."""
    (call,) = [step for step in steps if step.title == "call"]
    ((leaf, content),) = said(house, PAYMENT)
    assert call.facts["statement"] == "0x" + leaf.hex()
    assert content["value"] == call.facts["paid"]


def test_the_audit_finds_nothing(house: RealHouse, steps: list[Step]) -> None:
    """Everything that was decided replays to the same call."""
    assert steps
    found = collect(house.log, house.ledger, house.archive)
    name, log_id = house.ledger.name, house.log.policy.log_id
    report = audit(found, house.kinds, ledger=name, models=house.models(), log_id=log_id)
    assert report.findings() == []
    replays = [check for check in report.checks() if check.name == "decision.replay"]
    assert len(replays) >= 8
    assert all(check.good for check in replays)


def test_feedback_counts_once_and_for_its_own_job(house: RealHouse, steps: list[Step]) -> None:
    """A counted job cannot be counted again, nor a ring's praise for somebody else's job."""
    assert steps
    bazaar, anybody = open_bazaar(house), house.key("anybody")
    registry, (job, _) = bazaar.registry, bazaar.escrow.jobs()
    agent = registry.register(house.key(DATA_OWNER), "")
    with pytest.raises(CallReverted) as twice:
        registry.count(anybody, agent, job.client, 1, job.number)
    assert twice.value.error == "JobCounted"
    sybil = house.key("sybil-0")
    impostor = registry.register(house.key("impostor"), "")
    index = registry.rate(sybil, impostor, 100, registry.digest_of(job.number))
    with pytest.raises(CallReverted) as stolen:
        registry.count(anybody, impostor, sybil.address, index, job.number)
    assert stolen.value.error == "NotTheClient"


def test_the_story_can_be_told_again(house: RealHouse, steps: list[Step]) -> None:
    """A second telling bargains, pays and rates anew, and holds."""
    assert steps
    again = list(story(house))
    assert [step.text for step in again if step.good is False] == []
    assert len(open_bazaar(house).escrow.jobs()) == 4


def test_the_commands_tell_where_things_stand(house: RealHouse, steps: list[Step]) -> None:
    """What the commands read is what the story left: paid jobs, earned and unearned praise."""
    assert steps
    bazaar = open_bazaar(house)
    assert {job.money for job in bazaar.escrow.jobs()} == {"Paid"}
    counted, points = bazaar.registry.earned(1)
    assert (counted >= 1, points) == (True, 100)
    assert bazaar.registry.earned(3) == (0, 0)


def test_where_the_home_is(house: RealHouse) -> None:
    """The facilitator, the wallet and the sales keep their records in the home."""
    names = {path.name for path in Path(house.folder).glob("*.db")}
    assert {"facilitator.db", "wallet.db"} <= names
