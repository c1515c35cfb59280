"""The order: the quantile at the critical ratio, and the numbers that explain it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.supply.costs import newsvendor_cost
from affiant.verticals.supply.demand import air_passengers
from affiant.verticals.supply.forecast import Forecast
from affiant.verticals.supply.newsvendor import (
    order_quantity,
    plan_next,
    plan_order,
    plan_past,
    unit_costs,
)


def said(point: float, *residuals: float) -> Forecast:
    """Return a forecast with these errors."""
    return Forecast(point, tuple(sorted(residuals)), "additive", 12, 1)


def test_the_order_is_the_quantile_at_the_critical_ratio() -> None:
    """At 3 to 1 the order covers three quarters of the cases."""
    order = plan_order(said(100, -10, 0, 20), 3, 1)
    assert (order.ratio, order.quantile, order.quantity) == (0.75, 120, 120)
    assert (order.point, order.low, order.high) == (100, 90, 120)


def test_the_order_has_the_least_cost_on_the_errors_seen() -> None:
    """No other whole quantity costs less over the residuals than the quantile does."""
    residuals = [-9, -4, -3, 0, 1, 2, 5, 8, 13]
    expected = said(50, *residuals)

    def cost(quantity: float) -> float:
        return sum(newsvendor_cost(50 + error, quantity, 3, 2) for error in residuals)

    best = min(range(101), key=cost)
    assert cost(order_quantity(expected, 3, 2)) == cost(best)


@pytest.mark.parametrize(
    ("point", "quantity"), [(0.4, 0), (0.5, 1), (1.5, 2), (2.5, 3), (2.499999, 2), (0, 0)]
)
def test_halves_are_rounded_up(point: float, quantity: int) -> None:
    """Rounding is half up, not to even, so that people can check it."""
    assert order_quantity(said(point, 0), 1, 1) == quantity


def test_an_order_is_never_negative() -> None:
    """Errors below zero demand give an order of zero."""
    assert order_quantity(said(1, -5, -4, -3), 1, 1) == 0


def test_the_assumed_costs_are_three_to_one() -> None:
    """Where a cost is not given it follows from the other by the stated assumption."""
    assert unit_costs(None, None) == (3, 1)
    assert unit_costs(None, 2) == (6, 2)
    assert unit_costs(6, None) == (6, 2)
    assert unit_costs(Decimal("1.5"), Decimal("0.5")) == (1.5, 0.5)


@pytest.mark.parametrize("cost", [0, -1, float("nan"), float("inf"), 5e-324])
def test_a_cost_must_be_above_zero(cost: float) -> None:
    """A cost that is not a finite number above zero is refused by name."""
    with pytest.raises(InputError, match="cost"):
        unit_costs(cost, None if cost == 5e-324 else 1)
    if cost != 5e-324:
        with pytest.raises(InputError, match="overage cost"):
            unit_costs(1, cost)


def test_the_numbers_explain_the_order() -> None:
    """The explanation names ratio, quantile, point and interval, and the sentence uses them."""
    order = plan_next(air_passengers())
    numbers = order.numbers()
    assert numbers["quantity"] == 460
    assert numbers["ratio"] == 0.75
    assert numbers["quantile"] == 460.47709
    assert numbers["low"] <= numbers["point"] <= numbers["high"]  # type: ignore[operator]
    assert order.reason.startswith("order 460: a unit short costs 3 and a unit left 1")


def test_past_orders_see_only_what_was_known() -> None:
    """Changing what was not yet known when an order was placed does not change the order."""
    demand = air_passengers()
    orders = plan_past(demand, 120)
    assert len(orders) == 24
    changed = type(demand)(
        demand.item,
        demand.first_period,
        demand.periods,
        (*demand.quantities[:130], *(9.0 for _ in range(14))),
    )
    again = plan_past(changed, 120)
    assert again[:11] == orders[:11]
    assert again[11] != orders[11]


def test_past_orders_need_a_history() -> None:
    """Two seasons and the lead time must be known before the first order, and no fewer."""
    assert len(plan_past(air_passengers(), 25)) == 119
    with pytest.raises(InputError, match="24 of the 25 values needed"):
        plan_past(air_passengers(), 24)


@given(
    st.floats(0, 1e12),
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20),
    st.floats(1e-3, 1e3),
    st.floats(1e-3, 1e3),
    st.floats(1, 10),
)
def test_a_dearer_shortage_never_orders_less(
    point: float, residuals: list[float], underage: float, overage: float, factor: float
) -> None:
    """Orders are never negative and never fall when being short costs more."""
    expected = said(point, *residuals)
    less = order_quantity(expected, underage, overage)
    more = order_quantity(expected, underage * factor, overage)
    assert 0 <= less <= more
