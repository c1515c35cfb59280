"""The reorder model on the built-in series: what its orders cost beside three habits.

Deterministic: the same figures on every machine. A unit short costs 3, a unit left over 1.
"""

from __future__ import annotations

from affiant.verticals.supply.costs import compare, newsvendor_cost
from affiant.verticals.supply.demand import air_passengers
from affiant.verticals.supply.newsvendor import plan_past, unit_costs
from bench.run import Figure, Run

FIRST = "1959-01"


def measure(run: Run) -> list[Figure]:
    """Order for the 24 months from January 1959 on, each from what was known the month before."""
    del run
    demand = air_passengers()
    start = demand.index(FIRST)
    underage, overage = unit_costs(None, None)
    orders = plan_past(demand, start)
    quantities = [order.quantity for order in orders]
    found = compare(demand, quantities, underage, overage, start)
    actual = demand.quantities
    grown = sum(
        newsvendor_cost(actual[t], actual[t - 12] * _yearly_growth(actual, t), underage, overage)
        for t in range(start, len(actual))
    )
    inside = sum(
        order.low <= actual[start + place] <= order.high for place, order in enumerate(orders)
    )
    note = f"{found.periods} months from {FIRST}; the drift window was chosen knowing them"
    return [
        Figure(
            "cost of the orders",
            found.ours,
            "",
            peer=found.last_known,
            note=f"{note}; peer: last month's demand",
        ),
        Figure(
            "the same",
            found.ours,
            "",
            peer=found.last_season,
            note="peer: the same month last year",
        ),
        Figure(
            "the same",
            found.ours,
            "",
            peer=grown,
            note="peer: the same month last year, times the growth of the last twelve months",
        ),
        Figure(
            "months inside the 90 % interval",
            inside,
            f"of {found.periods}",
            note="21.6 would be right: the interval is too narrow here",
        ),
    ]


def _yearly_growth(values: tuple[float, ...], t: int) -> float:
    """Return how the twelve months before `t` compare with the twelve before them."""
    return sum(values[t - 12 : t]) / sum(values[t - 24 : t - 12])
