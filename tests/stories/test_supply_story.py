"""Claims about the supply story, told in a house in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from affiant.apps.house import ENGINE_FOLDER, RealHouse
from affiant.apps.stories.tampering import tampering
from affiant.apps.wiring import kinds, models, open_house
from affiant.audit.collect import collect
from affiant.audit.findings import Report
from affiant.audit.walk import audit
from affiant.chain import install
from affiant.kernel.encoding import to_hex
from affiant.kernel.house import Step
from affiant.verticals.supply.story import story

pytestmark = pytest.mark.integration

PERIODS = 24


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    """Open a house."""
    if install.anvil_path(ENGINE_FOLDER) is None:
        pytest.skip("anvil is not installed; run: affiant chain install")
    with open_house(tmp_path_factory.mktemp("story")) as made:
        yield made


@pytest.fixture(scope="module")
def steps(house: RealHouse) -> list[Step]:
    """Tell the story once."""
    return list(story(house))


@pytest.fixture(scope="module")
def forgeries(house: RealHouse, steps: list[Step]) -> list[Step]:
    """Forge copies of the log that the story left."""
    assert steps
    return list(tampering(house))


@pytest.fixture(scope="module")
def report(house: RealHouse, forgeries: list[Step]) -> Report:
    """Audit the house after everything, with replays."""
    assert forgeries
    found = collect(house.log, house.ledger, house.archive)
    log_id = house.log.policy.log_id
    return audit(found, kinds(), ledger=house.ledger.name, models=models(), log_id=log_id)


def titled(steps: list[Step], title: str) -> list[Step]:
    """Return the steps with a title."""
    return [step for step in steps if step.title == title]


def test_every_order_is_executed_once(house: RealHouse, steps: list[Step]) -> None:
    """There are 24 orders, each executed, in order, under the mandate that the story granted."""
    orders = titled(steps, "order")
    assert len(orders) == PERIODS
    assert all(step.good for step in orders)
    mandate = bytes.fromhex(titled(steps, "grant")[0].facts["mandate"][2:])
    done = house.ledger.executions(mandate)
    assert [to_hex(execution.transaction) for execution in done] == [
        step.facts["transaction"] for step in orders
    ]
    assert [execution.nonce for execution in done] == list(range(PERIODS))


def test_the_orders_cost_less_than_either_habit(steps: list[Step]) -> None:
    """Under oath the agent costs less than ordering the last known demand or last year's."""
    (cost,) = titled(steps, "cost")
    assert 0 < cost.facts["ours"] < cost.facts["lastKnown"]
    assert cost.facts["ours"] < cost.facts["lastSeason"]


def test_what_must_not_happen_does_not(steps: list[Step]) -> None:
    """Above the cap, forced past the agent, off the record, on altered data: each is refused."""
    attempts = titled(steps, "attempt")
    assert [(step.facts["refusedBy"], step.facts["rule"]) for step in attempts] == [
        ("agent", "AboveCap"),
        ("contract", "AboveCap"),
        ("contract", "SeatNotHeld"),
        ("agent", "input-altered"),
    ]
    assert all(step.good for step in attempts)


def test_every_forgery_is_caught(forgeries: list[Step]) -> None:
    """Flipped, swapped, forked and re-anchored: each forgery is caught, and named."""
    assert len(forgeries) == 4
    assert all(step.good for step in forgeries)
    assert forgeries[-1].facts["rule"] == "WrongHead"
    caught = ["statement.signature", "statement.body", "log.anchored"]
    for step, expected in zip(forgeries, caught, strict=False):
        assert expected in {finding["check"] for finding in step.facts["findings"]}


def test_the_audit_holds(report: Report) -> None:
    """After the story and the forgeries the house's own log has no finding, nothing unchecked."""
    assert report.findings() == []
    assert report.open() == []
    replayed = [check for check in report.checks() if check.name == "decision.replay"]
    assert len(replayed) >= PERIODS


def test_told_again_it_orders_nothing(house: RealHouse, steps: list[Step], report: Report) -> None:
    """The story told again in the same house tells the same orders and executes nothing new."""
    assert report.good
    mandate = bytes.fromhex(titled(steps, "grant")[0].facts["mandate"][2:])
    before = house.ledger.executions(mandate)
    again = titled(list(story(house)), "order")
    assert [step.facts["decision"] for step in again] == [
        step.facts["decision"] for step in titled(steps, "order")
    ]
    assert house.ledger.executions(mandate) == before


def test_more_periods_order_only_what_is_new(tmp_path: Path) -> None:
    """A story over more periods orders for those that were not ordered for, and only for those."""
    if install.anvil_path(ENGINE_FOLDER) is None:
        pytest.skip("anvil is not installed; run: affiant chain install")
    with open_house(tmp_path) as house:
        first = titled(list(story(house, periods=1)), "order")
        second = titled(list(story(house, periods=2)), "order")
    assert [step.facts["decision"] for step in second][1:] == [
        step.facts["decision"] for step in first
    ]


def test_a_month_later_only_the_new_month_is_ordered(tmp_path: Path) -> None:
    """A sales file that grew by a month, at another price, orders for that month and no other."""
    if install.anvil_path(ENGINE_FOLDER) is None:
        pytest.skip("anvil is not installed; run: affiant chain install")
    sales, orders = tmp_path / "sales.csv", tmp_path / "orders.csv"

    def ordered(house: RealHouse, months: int, price: str) -> list[str]:
        rows = [f"tea,{2020 + n // 12}-{n % 12 + 1:02},{20 + n % 7},{price}" for n in range(months)]
        sales.write_text("item,period,quantity,unit_price\n" + "\n".join(rows) + "\n")
        told = story(house, sales=sales, orders=orders, periods=months - 28)
        return [step.facts["transaction"] for step in titled(list(told), "order")]

    with open_house(tmp_path / "home") as house:
        first = ordered(house, 30, "12.50")
        second = ordered(house, 31, "13.25")
    assert len(first) == 2
    assert second[:2] == first
    assert second[2] not in first
