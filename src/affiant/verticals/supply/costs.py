"""What orders cost against the demand that came, beside what two habits would have cost.

The habits are those of a shop without a forecast: order what was sold last (the latest period known
when the order had to be placed), or what was sold in the same period a season ago. All three are
charged the same unit costs over the same periods, so the savings are a fact about the past; they
promise nothing about the future.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.errors import InputError
from affiant.verticals.supply.demand import Demand
from affiant.verticals.supply.newsvendor import Cost, unit_costs

#: Decimals of a cost, and of a saving in percent.
COST_DECIMALS = 6
PERCENT_DECIMALS = 2


@dataclass(frozen=True)
class Comparison:
    """Total costs over the periods from `first_period` to `last_period`, and what ours saved.

    `last_known` orders the value at t - lead_time ("last month"), `last_season` the value at
    t - season ("same month last year"). Savings are percent of the habit's cost, negative when ours
    cost more, None when the habit cost nothing.
    """

    first_period: str
    last_period: str
    periods: int
    underage: float
    overage: float
    ours: float
    last_known: float
    last_season: float
    saved_against_last_known: float | None
    saved_against_last_season: float | None


def newsvendor_cost(
    demand: float, ordered: float, underage: Cost = None, overage: Cost = None
) -> float:
    """Return the cost of one period: underage per unit short, or overage per unit left.

    Raises: InputError if a quantity is negative or not finite, or a unit cost is not above 0.
    """
    per_short, per_left = unit_costs(underage, overage)
    for name, quantity in (("demand", demand), ("order", ordered)):
        if not (math.isfinite(quantity) and quantity >= 0):
            raise InputError(f"{name} {quantity} is out of range", "Give a quantity of 0 or more")
    short, left = max(demand - ordered, 0.0), max(ordered - demand, 0.0)
    return round(per_short * short + per_left * left, COST_DECIMALS)


def compare(
    demand: Demand,
    orders: Sequence[float],
    underage: Cost,
    overage: Cost,
    start: int,
) -> Comparison:
    """Compare the orders for the periods from index `start` on with both habits.

    `orders[i]` is the order for period `start + i`; `Demand.index` gives the index of a period.
    Raises: InputError if there are no orders, more orders than periods, an order out of range, or
    too little demand before `start` for the habits.
    """
    per_short, per_left = unit_costs(underage, overage)
    earliest = max(demand.season, demand.lead_time)
    if not orders:
        raise InputError("there are no orders to compare", "Give one order per period")
    if not earliest <= start <= len(demand.periods) - len(orders):
        raise InputError(
            f"{len(orders)} orders from index {start} do not fit {len(demand.periods)} periods, "
            f"of which the first {earliest} cannot be compared",
            f"Start between index {earliest} and {len(demand.periods) - len(orders)}",
        )
    targets = range(start, start + len(orders))
    known = demand.quantities

    def total(policy: Sequence[float]) -> float:
        pairs = zip(targets, policy, strict=True)
        costs = [newsvendor_cost(known[t], order, per_short, per_left) for t, order in pairs]
        return round(math.fsum(costs), COST_DECIMALS)

    ours = total(orders)
    last_known = total([known[t - demand.lead_time] for t in targets])
    last_season = total([known[t - demand.season] for t in targets])
    return Comparison(
        first_period=demand.periods[start],
        last_period=demand.periods[targets[-1]],
        periods=len(orders),
        underage=per_short,
        overage=per_left,
        ours=ours,
        last_known=last_known,
        last_season=last_season,
        saved_against_last_known=_saved(ours, last_known),
        saved_against_last_season=_saved(ours, last_season),
    )


def _saved(ours: float, habit: float) -> float | None:
    """Return the saving in percent of the habit's cost."""
    return None if habit == 0 else round(100 * (1 - ours / habit), PERCENT_DECIMALS)
