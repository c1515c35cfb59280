"""What may be lost by the next period: value at risk and expected shortfall, with their tests.

There is no way to the numbers but a `RiskReport`, and that tests the forecasts of all earlier
periods when it is made. The conventions of losses and tests are those of `coverage.py`.

Changes are log returns in percent if all prices are above 0, else plain differences in the unit of
the prices: WTI crude closed at -36.98 $ on 2020-04-20, and a negative price has no logarithm.

Two models share one filter: GJR-GARCH(1,1) with constant mean and Student t errors (Glosten,
Jagannathan and Runkle, 1993), fitted anew every `REFIT` periods to the last `WINDOW` changes (fewer
at the start, at least `FIRST`), updated with each change in between. What is forecast for a period
follows from the changes before it, and from nothing else.

- filtered historical simulation, the default (Barone-Adesi, Giannopoulos and Vosper, 1999): the
  forecast volatility times the last `POOL` standardised changes, as they fell.
- GJR-GARCH-t: the forecast volatility times the fitted t distribution.

The quantile of a sample of n is taken at rank (n + 1) * rate (Weibull's; type 6 of Hyndman and
Fan, 1996), because a new value of the same kind falls beyond it with probability `rate`. numpy's
own default promises that only for large n: of 250 values it is exceeded by 1.4 %, not by 1 %.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from affiant.kernel.errors import InputError
from affiant.verticals.finance.coverage import Backtest, Floats, backtest, violations
from affiant.verticals.finance.risk_prices import FIRST, Prices

#: Changes a fit uses at most.
WINDOW = 1500
#: Standardised changes whose tail is the forecast's.
POOL = 500
#: Periods between fits.
REFIT = 50
#: Points that stand for a tail, in the middle of slices of equal probability.
SLICES = 32
#: Degrees of freedom from which the t distribution is as good as normal; more overflow in `arch`.
NEARLY_NORMAL = 200.0
#: Beyond the highest level a pool of `POOL` has fewer than two and a half values.
LEVELS = (0.9, 0.995)

RETURNS, DIFFERENCES = "% (log return)", "units of the price (difference)"
Position = Literal["long", "short"]
Model = Literal["filtered historical", "GJR-GARCH-t"]
DEFAULT: Model = "filtered historical"

#: Where a second fit begins if the first did not converge: mean, omega, alpha, gamma, beta, nu of
#: changes with variance 1.
_PLAIN_START = (0.0, 0.05, 0.05, 0.05, 0.85, 5.0)


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What was forecast for each tested period, and last for the next, whose loss is not known."""

    dates: tuple[str, ...]
    """The tested periods."""
    losses: Floats
    var: Floats
    """One more than `losses`."""
    tails: Floats
    """As many rows as `var`: equally likely losses beyond it."""

    @property
    def es(self) -> Floats:
        """The mean of each tail."""
        mean: Floats = self.tails.mean(axis=1)
        return mean


@dataclass(frozen=True, eq=False)
class RiskReport:
    """Value at risk and expected shortfall of the next period, and how such forecasts did so far.

    Raises: InputError if the forecasts cannot be tested.
    """

    name: str
    as_of: str
    price: float
    unit: str
    position: Position
    level: float
    model: Model
    forecasts: Forecasts
    remarks: tuple[str, ...]
    backtest: Backtest = field(init=False)

    def __post_init__(self) -> None:
        """Test: there is no report without."""
        told = self.forecasts
        tested = backtest(told.losses, told.var[:-1], told.tails[:-1], _rate(self.level))
        object.__setattr__(self, "backtest", tested)
        if not 0 < self.es < math.inf:
            remedy = "Use a higher level, or a series that moves more often"
            raise InputError(f"the next expected shortfall would be {self.es}", remedy)

    @property
    def var(self) -> float:
        """The loss of the next period that is exceeded with probability 1 - level."""
        return float(self.forecasts.var[-1])

    @property
    def es(self) -> float:
        """The mean loss if it is."""
        return float(self.forecasts.es[-1])

    def price_after(self, loss: float) -> float:
        """Return the price of the next period that means such a loss."""
        move = -loss if self.position == "long" else loss
        logarithmic = self.unit == RETURNS
        return self.price * math.exp(move / 100) if logarithmic else self.price + move

    @property
    def violated(self) -> tuple[int, ...]:
        """The places of the tested periods whose loss was above the VaR."""
        hits = violations(self.forecasts.losses, self.forecasts.var[:-1])
        return tuple(int(place) for place in np.flatnonzero(hits))


@dataclass(frozen=True)
class _Fit:
    """Parameters of the filter, in the unit of the changes."""

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    nu: float

    def volatilities(self, changes: Floats, known: int) -> Floats:
        """Return the volatility forecast for each change and the one after the last.

        The recursion starts at the variance of the first `known`.
        """
        apart = changes - self.mean
        variance = float(np.mean(apart[:known] ** 2))
        found = [variance]
        for value in apart.tolist():
            leverage = self.alpha + (self.gamma if value < 0 else 0.0)
            variance = self.omega + leverage * value * value + self.beta * variance
            found.append(variance)
        return np.array(found) ** 0.5


@dataclass(frozen=True, eq=False)
class _Stretch:
    """The periods from one fit to the next."""

    fit: _Fit
    volatility: Floats
    """As forecast for each period of the stretch."""
    standardised: Floats
    """The `POOL` changes before the stretch and those in it, less the last."""


@dataclass(frozen=True, eq=False)
class Learned:
    """The filter run over a series: what all models, levels and positions share."""

    prices: Prices
    stretches: tuple[_Stretch, ...]
    kept: int
    """Fits that did not converge: the earlier parameters were kept."""
    stale: bool
    """Whether the last fit is among them."""


def assess(
    prices: Prices, level: float = 0.99, position: Position = "long", model: Model = DEFAULT
) -> RiskReport:
    """Return the risk of holding (or owing, if short) the series over its next period.

    Raises: InputError as `report` and `learn` do.
    """
    _check(level, position, model)
    return report(learn(prices), level, position, model)


def learn(prices: Prices) -> Learned:
    """Fit the filter and run it, period by period, over the series.

    A fit that does not converge is tried again from another start; if that fails too, the earlier
    parameters are kept and counted. Raises: InputError if there are none, or the changes of a whole
    window are the same.
    """
    prices.check_testable()
    changes = prices.changes
    stretches: list[_Stretch] = []
    fit, kept, stale = None, 0, False
    for now in range(FIRST, len(changes) + 1, REFIT):
        begin, end = max(0, now - WINDOW), min(now + REFIT, len(changes) + 1)
        window = changes[begin:now]
        if not window.std() > 0:
            told = f"{prices.name}: nothing changes up to {prices.dates[now]}"
            raise InputError(told, "Use a series that moves, or a longer period")
        fresh = _fit(window)
        kept, stale = kept + (fresh is None), fresh is None
        fit = fresh or fit
        if fit is None:
            told = f"{prices.name}: the model does not fit the first {FIRST} changes"
            raise InputError(told, "Look at them: steps, outliers, or mostly zeros")
        seen = changes[begin : end - 1]
        volatility = fit.volatilities(seen, now - begin)
        standardised = (seen - fit.mean) / volatility[:-1]
        place = now - begin
        stretches.append(_Stretch(fit, volatility[place:], standardised[place - POOL :]))
    return Learned(prices, tuple(stretches), kept, stale)


def report(learned: Learned, level: float, position: Position, model: Model) -> RiskReport:
    """Return the numbers and their tests.

    Raises: InputError for a level out of range, or an unknown position or model, and as
    `RiskReport` does.
    """
    _check(level, position, model)
    prices, sign = learned.prices, 1 if position == "long" else -1
    tail = _filtered if model == "filtered historical" else _student
    found = np.concatenate([tail(part, _rate(level), sign) for part in learned.stretches])
    return RiskReport(
        name=prices.name,
        as_of=prices.dates[-1],
        price=prices.values[-1],
        unit=RETURNS if prices.is_positive else DIFFERENCES,
        position=position,
        level=level,
        model=model,
        forecasts=Forecasts(
            dates=prices.dates[FIRST + 1 :],
            losses=-sign * prices.changes[FIRST:],
            var=found[:, 0],
            tails=found[:, 1:],
        ),
        remarks=tuple(_remarks(learned)),
    )


def quantile(ordered: Floats, probabilities: Floats) -> Floats:
    """Return Weibull's quantiles of each row of ordered values."""
    size = ordered.shape[1]
    rank = np.clip((size + 1) * probabilities, 1, size)
    below = np.minimum(rank.astype(int), size - 1)
    share = rank - below
    found: Floats = ordered[:, below - 1] * (1 - share) + ordered[:, below] * share
    return found


def probabilities(rate: float) -> Floats:
    """Return `rate`, and the middles of the slices of what is beyond."""
    return np.array([rate, *rate * (np.arange(SLICES) + 0.5) / SLICES])


def _check(level: float, position: Position, model: Model) -> None:
    """Refuse what would be answered for something else."""
    if not LEVELS[0] <= level <= LEVELS[1]:
        remedy = f"Give a level from {LEVELS[0]} to {LEVELS[1]}"
        raise InputError(f"level {level} is out of range", remedy)
    for value, known in ((position, get_args(Position)), (model, get_args(Model))):
        if value not in known:
            raise InputError(f"{value!r} is unknown", f"Choose one of: {', '.join(known)}")


def _rate(level: float) -> float:
    """Return the probability beyond a level, without the last digits of a float."""
    return round(1 - level, 9)


def _filtered(part: _Stretch, rate: float, sign: int) -> Floats:
    """Return VaR and tail of each period: the pool moves along with it."""
    pools = np.lib.stride_tricks.sliding_window_view(sign * part.standardised, POOL)
    low = quantile(np.sort(pools, axis=1), probabilities(rate))
    return -(sign * part.fit.mean + part.volatility[:, None] * low)


def _student(part: _Stretch, rate: float, sign: int) -> Floats:
    """Return VaR and tail of each period; the tail's mean is the exact ES of the t distribution."""
    from arch.univariate import StudentsT  # noqa: PLC0415  (as below)

    law, nu = StudentsT(), [min(part.fit.nu, NEARLY_NORMAL)]
    low = -np.asarray(law.ppf(probabilities(rate), nu), dtype=float)
    shortfall = -float(law.partial_moment(1, -low[0], nu)) / rate
    low[1:] *= shortfall / low[1:].mean()
    found: Floats = part.volatility[:, None] * low - sign * part.fit.mean
    return found


def _fit(window: Floats) -> _Fit | None:
    """Fit the filter to changes scaled to variance 1; None if it does not converge."""
    from arch.univariate import GARCH, ConstantMean, StudentsT  # noqa: PLC0415  (takes seconds)

    scale = float(window.std())
    model = ConstantMean(
        window / scale, volatility=GARCH(1, 1, 1), distribution=StudentsT(), rescale=False
    )
    for start in (None, np.array(_PLAIN_START)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they warn of is checked below
            found = model.fit(disp="off", show_warning=False, starting_values=start)
        if found.convergence_flag == 0 and np.isfinite(found.params).all():
            mean, omega, alpha, gamma, beta, nu = (float(value) for value in found.params)
            return _Fit(mean * scale, omega * scale**2, alpha, gamma, beta, nu)
    return None


def _remarks(learned: Learned) -> Iterator[str]:
    """Yield what a reader of the numbers should know of the series."""
    prices, changes = learned.prices, learned.prices.changes
    if not prices.is_positive:
        yield "a price is not above 0: changes are differences, not returns"
    if prices.gap:
        yield f"{prices.gap}: that change counts as one period's"
    if (still := float(np.mean(changes == 0))) > 0.1:
        yield f"{still:.0%} of the changes are 0"
    if learned.kept:
        told = f"{learned.kept} of {len(learned.stretches)} fits did not converge"
        yield told + (", the last among them" if learned.stale else "") + ": earlier ones were kept"


def report_lines(told: RiskReport) -> list[str]:
    """Return the report for people: no number without its tests."""
    tested, level = told.backtest, f"{100 * told.level:g} %"
    share = tested.violations / tested.periods
    due = tested.rate * tested.periods
    first, last = told.forecasts.dates[0], told.forecasts.dates[-1]
    var, es = (f"{loss:.4g} {told.unit}" for loss in (told.var, told.es))
    to = [f"{told.price_after(loss):.6g}" for loss in (told.var, told.es)]
    lines = [
        f"{told.name}, {told.position}, the period after {told.as_of}, from {told.price:g}",
        f"VaR {level}  {var}, to {to[0]}: exceeded with probability {tested.rate:.1%}",
        f"ES {level}   {es}, to {to[1]}: the mean of the losses beyond",
        f"tested on {tested.periods:,} periods, {first} to {last}, from what was known before each",
        f"  {tested.violations} violations, {share:.2%}; {due:.1f} were due",
    ]
    for verdict in tested.verdicts:
        mark = "✓" if verdict.passes else "✗"
        lines.append(f"{mark} {verdict.name:<36} {verdict.statistic:>7.2f}   p {verdict.p:.3f}")
    lines += [
        f"  {'FZ0 score, to compare models':<36} {tested.score:>7.3f}",
        f"model: {told.model}, filter GJR-GARCH-t (up to {WINDOW:,} changes, refit every {REFIT})",
        "losses are positive; a violation is a loss above VaR; ✓ is p of 5 % or more",
    ]
    lines += [f"note: {remark}" for remark in told.remarks]
    failed = [verdict.name for verdict in tested.verdicts if not verdict.passes]
    return lines + ([f"do not rely on these numbers: {', '.join(failed)} failed"] if failed else [])


def report_json(told: RiskReport) -> dict[str, Any]:
    """Return the report for machines."""
    tested = told.backtest
    return {
        "series": told.name,
        "as_of": told.as_of,
        "price": told.price,
        "unit": told.unit,
        "position": told.position,
        "level": told.level,
        "model": told.model,
        "window": WINDOW,
        "refit": REFIT,
        "pool": POOL,
        "var": told.var,
        "es": told.es,
        "price_at_var": told.price_after(told.var),
        "price_at_es": told.price_after(told.es),
        "remarks": list(told.remarks),
        "backtest": {
            "from": told.forecasts.dates[0],
            "to": told.forecasts.dates[-1],
            "periods": tested.periods,
            "violations": [told.forecasts.dates[place] for place in told.violated],
            "rate": tested.rate,
            "tests": [
                {"name": v.name, "statistic": v.statistic, "p": v.p, "passes": v.passes}
                for v in tested.verdicts
            ],
            "fz0": tested.score,
            "passes": tested.passes,
        },
    }
