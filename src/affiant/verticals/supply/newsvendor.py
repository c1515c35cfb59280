"""How much to order: the newsvendor rule.

One unit too few costs `underage` (the lost margin, the angry customer); one too many costs
`overage` (holding, spoilage). Expected cost is least where the probability that demand stays below
the order equals the critical ratio, underage / (underage + overage) (Arrow, Harris and Marschak,
1951). Each period is decided on its own: stock left over is a cost, not next period's supply.
"""

import math
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias

from affiant.kernel.errors import InputError
from affiant.verticals.supply.demand import Demand
from affiant.verticals.supply.forecast import DECIMALS, Forecast, forecast

#: Money per unit; None stands for the assumptions below.
Cost: TypeAlias = float | Decimal | None

#: An assumption, used where nobody stated the costs: a unit short costs three times a unit left.
UNDERAGE_TO_OVERAGE = 3.0
#: An assumption, used where nobody stated the costs: a unit left over costs one.
DEFAULT_OVERAGE = 1.0
#: The largest cost per unit accepted.
MAX_UNIT_COST = 1e12
#: The probability that the interval shown with an order holds the demand.
INTERVAL_LEVEL = 0.9


@dataclass(frozen=True)
class Order:
    """A quantity, and every number that led to it.

    `ratio` is the critical ratio, `quantile` the forecast's value there, `low` and `high` the
    interval of probability `level`; quantities in the unit of the history, costs per unit.
    """

    quantity: int
    underage: float
    overage: float
    ratio: float
    quantile: float
    point: float
    low: float
    high: float
    level: float
    method: str

    def numbers(self) -> dict[str, int | float | str]:
        """Return all fields by name, as a decision's body holds them."""
        return asdict(self)

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return (
            f"order {self.quantity}: a unit short costs {self.underage:g} and a unit left "
            f"{self.overage:g}, so cover {self.ratio:.1%} of cases, up to {self.quantile:g}; "
            f"expected {self.point:g}, {self.level:.0%} within {self.low:g} to {self.high:g}"
        )


def unit_costs(underage: Cost, overage: Cost) -> tuple[float, float]:
    """Return both unit costs, filling in the stated assumptions where one is None.

    Raises: InputError unless both are finite, above 0 and at most 1e12.
    """
    if overage is None:
        overage = DEFAULT_OVERAGE if underage is None else float(underage) / UNDERAGE_TO_OVERAGE
    if underage is None:
        underage = UNDERAGE_TO_OVERAGE * float(overage)
    short, left = float(underage), float(overage)
    for name, cost in (("underage", short), ("overage", left)):
        if not (math.isfinite(cost) and 0 < cost <= MAX_UNIT_COST):
            raise InputError(
                f"{name} cost {cost} is out of range",
                f"Give a cost above 0, at most {MAX_UNIT_COST:.0e}",
            )
    return short, left


def plan_order(expected: Forecast, underage: Cost = None, overage: Cost = None) -> Order:
    """Return the order of least expected cost, with the numbers behind it.

    The quantile at the critical ratio, rounded half up to whole units, never negative.
    Raises: InputError if a cost is not above 0.
    """
    short, left = unit_costs(underage, overage)
    ratio = round(short / (short + left), DECIMALS)
    quantile = expected.quantile(ratio)
    low, high = expected.interval(INTERVAL_LEVEL)
    whole = Decimal(repr(quantile)).quantize(Decimal(1), ROUND_HALF_UP)
    return Order(
        quantity=int(whole),
        underage=short,
        overage=left,
        ratio=ratio,
        quantile=quantile,
        point=expected.point,
        low=low,
        high=high,
        level=INTERVAL_LEVEL,
        method=expected.method,
    )


def order_quantity(expected: Forecast, underage: Cost = None, overage: Cost = None) -> int:
    """Return only the quantity of `plan_order`. Raises: InputError as it does."""
    return plan_order(expected, underage, overage).quantity


def plan_next(demand: Demand, underage: Cost = None, overage: Cost = None) -> Order:
    """Plan the order to place now, which arrives `lead_time` periods after the last known one.

    Raises: InputError if the history is too short or a cost is not above 0.
    """
    expected = forecast(demand.quantities, demand.season, demand.lead_time)
    return plan_order(expected, underage, overage)


def plan_past(
    demand: Demand, start: int, underage: Cost = None, overage: Cost = None
) -> tuple[Order, ...]:
    """Plan the orders for the periods from index `start` on, each from what was known in time.

    The order for period t sees the quantities up to t - lead_time and no later ones.
    Raises: InputError if fewer than two seasons and twice the lead time, less one, precede `start`.
    """
    orders = []
    for target in range(start, len(demand.quantities)):
        known = demand.quantities[: max(target - demand.lead_time + 1, 0)]
        expected = forecast(known, demand.season, demand.lead_time)
        orders.append(plan_order(expected, underage, overage))
    return tuple(orders)
