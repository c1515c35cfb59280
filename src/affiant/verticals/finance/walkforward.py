"""What a rule for a vault would have earned, after costs, beside 1/N.

Walk-forward: each decision sees a window of past prices, and is held until the next one. It trades
at the last price it saw. Weights drift with prices in between, and every trade from the drifted
weights to the new ones is charged: 1/N, too, pays for coming back to 1/N. Entering is charged,
leaving at the end is not.

`walk_forward` is the only door: a report has the costs, and 1/N beside the rule. Sharpe ratios are
of returns above cash. Their difference has a 90 % interval of a circular block bootstrap, which
draws the same blocks for both.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from affiant.kernel.errors import InputError
from affiant.verticals.finance.strategy import EQUAL, PPM, Stay, Target, decide

#: From a window of prices and the weights as they drifted.
Rule = Callable[[Sequence[Sequence[float]], Sequence[int]], Target | Stay]

#: A smaller variance in one period is rounding: the returns were all the same.
NOISE = 1e-20


_TITLES = (
    ("growth a year", "growth"),
    ("volatility", "volatility"),
    ("Sharpe ratio", "sharpe"),
    ("deepest fall", "drawdown"),
    ("turnover", "turnover"),
    ("cost a year", "cost"),
    ("invested", "invested"),
)


@dataclass(frozen=True)
class Schedule:
    """How often a rule is asked and over how many periods it looks back."""

    window: int = 504
    step: int = 63
    year: int = 252
    """Periods in a year."""
    block: int = 63
    """Periods that the bootstrap draws together."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the 90 % interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """What a rule earned, net of costs. Shares, not percent; a year where it can be."""

    growth: float
    volatility: float
    sharpe: float
    drawdown: float
    """The deepest fall from a peak, as a share of the peak."""
    turnover: float
    """Bought plus sold, a year, as a share of the value."""
    cost: float
    """Paid a year, as a share of the value."""
    invested: float
    """What was not cash, on average after a decision."""
    stays: int
    """Decisions that left the vault as it was."""
    weights: tuple[tuple[int, ...], ...]
    """After each decision, in ppm."""
    returns: tuple[float, ...]
    """Of each period."""


@dataclass(frozen=True)
class Report:
    """A rule beside 1/N, at one cost of turnover in ppm."""

    cost: int
    ours: Figures
    equal: Figures
    sharpe: Interval
    """Ours minus that of 1/N."""
    diluted: float
    """The drawdown of 1/N, kept with cash at our volatility: what a drawdown must be held to."""

    @property
    def beats(self) -> bool | None:
        """Whether the rule's Sharpe ratio is above 1/N's; None where the interval has both."""
        if self.sharpe.low > 0:
            return True
        return False if self.sharpe.high < 0 else None


def walk_forward(
    prices: Sequence[Sequence[float]],
    rule: Rule,
    *,
    cost: int = 1000,
    schedule: Schedule = Schedule(),
    cash: Sequence[float] | None = None,
    draws: int = 1000,
) -> Report:
    """Return what `rule` earned on `prices` (one series per fund, of the same times) beside 1/N.

    `cost` is ppm of turnover: 1000 are 10 bp. `cash` has what cash earned from each time to the
    next, 0 if it is not given. Raises: InputError if prices are missing or too few.
    """
    count = _checked(prices, cost, schedule)
    earned = [0.0] * (count - 1) if cash is None else list(cash)
    if len(earned) != count - 1:
        raise InputError(f"{len(earned)} returns of cash", f"Give one per period, {count - 1}")
    ours = _walk(prices, rule, cost, schedule, earned)
    equal = _walk(prices, lambda seen, held: decide(seen, held, EQUAL), cost, schedule, earned)
    idle = earned[schedule.window :]
    above = [_minus(figures.returns, idle) for figures in (ours, equal)]
    scale = ours.volatility / equal.volatility if equal.volatility > 0 else 0.0
    mixed = [base + scale * extra for base, extra in zip(idle, above[1], strict=True)]
    return Report(
        cost=cost,
        ours=ours,
        equal=equal,
        sharpe=_difference(above[0], above[1], schedule, draws),
        diluted=_drawdown(mixed),
    )


def _checked(prices: Sequence[Sequence[float]], cost: int, schedule: Schedule) -> int:
    """Return how many times there are, or raise the InputError that names the fault."""
    if not prices or len({len(series) for series in prices}) > 1:
        raise InputError("the series of prices have different lengths", "Give common times only")
    if not 0 <= cost < PPM:
        raise InputError(f"cost {cost} is not ppm of turnover", "Give 1000 for 10 bp")
    if min(schedule.window, schedule.step, schedule.year, schedule.block) < 1:
        raise InputError(f"{schedule} has a length below 1", "Give periods")
    if not all(math.isfinite(price) and price > 0 for series in prices for price in series):
        raise InputError("a price is no number above 0", "Leave out the times where one is missing")
    count = len(prices[0])
    if count <= schedule.window + schedule.step:
        raise InputError(
            f"{count} prices do not reach beyond window and step",
            f"Give more than {schedule.window + schedule.step}",
        )
    return count


def _walk(
    prices: Sequence[Sequence[float]],
    rule: Rule,
    cost: int,
    schedule: Schedule,
    cash: Sequence[float],
) -> Figures:
    """Hold what the rule says, from the end of the first window to the last price."""
    value, held, idle = 1.0, [0.0] * len(prices), 1.0
    returns, weights, stays, traded, paid = [], [], 0, 0.0, 0.0
    for now in range(schedule.window, len(prices[0]) - 1):
        before = value
        if (now - schedule.window) % schedule.step == 0:
            seen = [series[now - schedule.window : now + 1] for series in prices]
            shares = tuple(math.floor(part / value * PPM) for part in held)
            answer = _asked(rule, seen, shares)
            if isinstance(answer, Stay):
                stays += 1
            else:
                wanted = [weight / PPM for weight in answer.weights]
                moved = math.fsum(abs(w - h / value) for w, h in zip(wanted, held, strict=True))
                traded += moved
                paid += moved * cost / PPM
                value *= 1 - moved * cost / PPM
                held = [weight * value for weight in wanted]
                idle = value - math.fsum(held)
                shares = answer.weights
            weights.append(shares)
        held = [h * s[now + 1] / s[now] for h, s in zip(held, prices, strict=True)]
        idle *= 1 + cash[now]
        value = idle + math.fsum(held)
        if value <= 0:
            raise InputError(f"costs of {cost} ppm eat up the whole value", "Give a lower cost")
        returns.append(value / before - 1)
    years = len(returns) / schedule.year
    above = _minus(returns, cash[schedule.window :])
    return Figures(
        growth=value ** (1 / years) - 1,
        volatility=_deviation(returns) * math.sqrt(schedule.year),
        sharpe=_sharpe(math.fsum(above), math.fsum(x * x for x in above), len(above), schedule),
        drawdown=_drawdown(returns),
        turnover=traded / years,
        cost=paid / years,
        invested=math.fsum(sum(now) for now in weights) / len(weights) / PPM,
        stays=stays,
        weights=tuple(weights),
        returns=tuple(returns),
    )


def _asked(rule: Rule, seen: Sequence[Sequence[float]], held: Sequence[int]) -> Target | Stay:
    """Return what a rule decides, unless it would need leverage."""
    answer = rule(seen, held)
    if isinstance(answer, Target) and (min(answer.weights) < 0 or sum(answer.weights) > PPM):
        raise InputError(f"weights {answer.weights} are not shares of {PPM}", "Mend the rule")
    return answer


def _minus(returns: Sequence[float], others: Sequence[float]) -> list[float]:
    return [ours - other for ours, other in zip(returns, others, strict=True)]


def _deviation(returns: Sequence[float]) -> float:
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in returns) / len(returns))


def _sharpe(total: float, squares: float, count: int, schedule: Schedule) -> float:
    """Return the Sharpe ratio a year, from the sums of the returns above cash and their squares."""
    mean = total / count
    variance = squares / count - mean * mean
    return mean / math.sqrt(variance) * math.sqrt(schedule.year) if variance > NOISE else 0.0


def _drawdown(returns: Sequence[float]) -> float:
    value = peak = 1.0
    deepest = 0.0
    for earned in returns:
        value *= 1 + earned
        peak = max(peak, value)
        deepest = max(deepest, 1 - value / peak)
    return deepest


def _difference(
    ours: Sequence[float], equal: Sequence[float], schedule: Schedule, draws: int
) -> Interval:
    """Return the difference of the Sharpe ratios."""
    count, size = len(ours), min(schedule.block, len(ours))
    sums = [
        (_blocks(returns, size), _blocks([x * x for x in returns], size))
        for returns in (ours, equal)
    ]
    chance = random.Random(0)  # noqa: S311 - a seed, so that the interval is the same each time
    blocks = count // size
    found = []
    for _ in range(draws):
        starts = [int(chance.random() * count) for _ in range(blocks)]
        first, second = (
            _sharpe(
                math.fsum(totals[at] for at in starts),
                math.fsum(squares[at] for at in starts),
                blocks * size,
                schedule,
            )
            for totals, squares in sums
        )
        found.append(first - second)
    found.sort()
    first, second = (
        _sharpe(math.fsum(returns), math.fsum(x * x for x in returns), count, schedule)
        for returns in (ours, equal)
    )
    edge = draws // 20
    return Interval(first - second, found[edge], found[-1 - edge])


def _blocks(values: Sequence[float], size: int) -> list[float]:
    """Return the sum of `size` values from each place on; the last is followed by the first."""
    sums = list(itertools.accumulate([*values, *values[:size]], initial=0.0))
    return [sums[at + size] - sums[at] for at in range(len(values))]


def report_lines(told: Report) -> list[str]:
    """Return a report for people: the rule never without its costs, nor without 1/N."""
    lines = [f"after {told.cost / 100:g} bp of turnover", f"{'':14}{'the rule':>10}{'1/N':>10}"]
    for title, name in _TITLES:
        ours, equal = getattr(told.ours, name), getattr(told.equal, name)
        form = ">10.2f" if name == "sharpe" else ">10.2%"
        lines.append(f"{title:14}{ours:{form}}{equal:{form}}")
    decisions = len(told.ours.weights)
    stayed = f"{told.ours.stays} and {told.equal.stays}"
    lines.append(f"of {decisions} decisions, stayed as they were: {stayed}")
    verdict = {True: "better than", False: "worse than", None: "not to be told from"}[told.beats]
    low, value, high = told.sharpe.low, told.sharpe.value, told.sharpe.high
    lines.append(
        f"Sharpe ratio {verdict} 1/N's: {value:+.2f}, 90 % interval {low:+.2f} to {high:+.2f}"
    )
    return lines


def report_json(told: Report) -> dict[str, Any]:
    """Return a report for machines."""
    figures = {
        who: {name: getattr(had, name) for _, name in _TITLES}
        for who, had in (("rule", told.ours), ("equal", told.equal))
    }
    return {
        **figures,
        "costPpm": told.cost,
        "sharpeDifference": asdict(told.sharpe),
        "beats": told.beats,
        "drawdownOfDilutedEqual": told.diluted,
    }
