"""What orders cost, and what they saved against two habits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.supply.costs import compare, newsvendor_cost
from affiant.verticals.supply.demand import Demand, air_passengers, next_period
from affiant.verticals.supply.newsvendor import plan_past


def test_a_unit_short_costs_underage() -> None:
    """Two units short at 3 cost 6."""
    assert newsvendor_cost(10, 8, 3, 1) == 6


def test_a_unit_left_costs_overage() -> None:
    """Two units left at 1 cost 2; decimals are accepted as costs."""
    assert newsvendor_cost(8, 10, 3, 1) == 2
    assert newsvendor_cost(8, 10, Decimal(3), Decimal("0.10")) == 0.2


def test_an_exact_order_costs_nothing() -> None:
    """Nothing short and nothing left is free."""
    assert newsvendor_cost(8, 8) == 0


@pytest.mark.parametrize(("demand", "ordered"), [(-1, 0), (0, -1), (float("nan"), 1), (1, 1e999)])
def test_impossible_quantities_have_no_cost(demand: float, ordered: float) -> None:
    """A negative or infinite quantity is refused."""
    with pytest.raises(InputError, match="out of range"):
        newsvendor_cost(demand, ordered)


@pytest.mark.parametrize("lead_time", [1, 2, 3, 6])
def test_our_orders_beat_both_habits_on_the_airline_series(lead_time: int) -> None:
    """Walking through 1959 and 1960 our orders cost less than half of either habit's."""
    air = air_passengers()
    demand = Demand(air.item, air.first_period, air.periods, air.quantities, lead_time)
    start = demand.index("1959-01")
    orders = [order.quantity for order in plan_past(demand, start)]
    result = compare(demand, orders, None, None, start)
    assert (result.first_period, result.last_period, result.periods) == ("1959-01", "1960-12", 24)
    assert result.ours < 0.5 * result.last_known
    assert result.ours < 0.5 * result.last_season


def test_the_airline_costs_are_these() -> None:
    """The costs that the documentation states are the costs that are measured."""
    demand = air_passengers()
    orders = [order.quantity for order in plan_past(demand, 120)]
    result = compare(demand, orders, 3, 1, 120)
    assert (result.ours, result.last_known, result.last_season) == (582, 2217, 3426)
    assert (result.saved_against_last_known, result.saved_against_last_season) == (73.75, 83.01)


def test_the_habits_are_checked_by_hand() -> None:
    """On a rising week the habits cost what a pencil says."""
    periods = tuple(next_period("2024-01-01", n) for n in range(10))
    demand = Demand("bread", periods[0], periods, tuple(float(n) for n in range(10)), 2)
    result = compare(demand, [7, 9, 9], 3, 1, 7)
    assert result.ours == 0 + 1 + 0
    assert result.last_known == 3 * (2 + 2 + 2)
    assert result.last_season == 3 * (7 + 7 + 7)
    assert result.saved_against_last_season == round(100 * 62 / 63, 2)


def test_savings_against_a_free_habit_are_unknown() -> None:
    """A percentage of nothing is None, not an error."""
    periods = tuple(next_period("2024-01-01", n) for n in range(10))
    demand = Demand("bread", periods[0], periods, (4.0,) * 10)
    result = compare(demand, [5], 3, 1, 9)
    assert (result.ours, result.saved_against_last_known) == (1, None)


@pytest.mark.parametrize(
    ("count", "start", "fault"),
    [(0, 120, "no orders"), (25, 120, "do not fit"), (1, 11, "do not fit"), (1, -1, "do not fit")],
)
def test_orders_outside_the_periods_are_refused(count: int, start: int, fault: str) -> None:
    """There must be orders, a demand for each, and a season before them."""
    with pytest.raises(InputError, match=fault):
        compare(air_passengers(), [1] * count, 3, 1, start)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_cost_is_never_negative(demand: float, ordered: float) -> None:
    """Whatever is ordered, a cost is zero or more, and zero for what was wanted."""
    assert newsvendor_cost(demand, ordered) >= 0
    assert newsvendor_cost(demand, demand) == 0
