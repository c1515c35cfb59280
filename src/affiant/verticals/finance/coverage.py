"""Were the forecasts of risk right? Tests of value at risk and expected shortfall.

The conventions, once for the whole vertical:

- A loss is a positive number. Who is long loses when the price falls, who is short when it rises.
- VaR at level 99 % is the loss that is exceeded with probability 1 % (the rate). It is told as a
  loss, so it is positive unless even the tail is a gain.
- A violation is a loss above the VaR, strictly; a loss equal to it is none.
- ES is the mean of the VaRs at all levels beyond (Acerbi and Tasche, 2002): the mean loss of a
  violation, if no single loss has a probability of its own. It is never below the VaR; a pair that
  says so is refused, since nearly always a sign was lost.
- p is the probability of a result as bad or worse if the forecasts are right. A test passes with
  p >= 5 %. Right forecasts fail each test one time in twenty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affiant.kernel.errors import InputError

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]

SIGNIFICANCE = 0.05
#: Histories drawn for the test of ES; the same ones at each call.
SIMULATIONS = 10_000


@dataclass(frozen=True)
class Verdict:
    """What one test found."""

    name: str
    statistic: float
    p: float

    @property
    def passes(self) -> bool:
        """Whether the forecasts may be right, as far as this test sees."""
        return self.p >= SIGNIFICANCE


@dataclass(frozen=True)
class Backtest:
    """All tests of one run of forecasts."""

    periods: int
    violations: int
    rate: float
    """The share of violations there should be."""
    coverage: Verdict
    independence: Verdict
    conditional: Verdict
    shortfall: Verdict
    score: float
    """FZ0: compares models on the same losses, lower is better; its size depends on the unit."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The four tests."""
        return self.coverage, self.independence, self.conditional, self.shortfall

    @property
    def passes(self) -> bool:
        """Whether all four tests pass."""
        return all(verdict.passes for verdict in self.verdicts)


def backtest(losses: Floats, var: Floats, tails: Floats, rate: float) -> Backtest:
    """Test forecasts against the losses that came.

    `tails` has a row for each period: equally likely losses of a violation, as forecast. Their mean
    is the ES. Raises: InputError if the parts do not fit together.
    """
    _check(losses, var, tails, rate)
    hits = violations(losses, var)
    return Backtest(
        periods=len(hits),
        violations=int(hits.sum()),
        rate=rate,
        coverage=kupiec(hits, rate),
        independence=independence(hits),
        conditional=conditional(hits, rate),
        shortfall=shortfall(losses, var, tails, rate),
        score=fz0(losses, var, tails.mean(axis=1), rate),
    )


def violations(losses: Floats, var: Floats) -> Hits:
    """Return in which periods the loss was above the VaR."""
    return losses > var


def kupiec(hits: Hits, rate: float) -> Verdict:
    """Are there as many violations as there should be? Too few fail as well.

    Likelihood ratio of `rate` against the share found, chi-squared with one degree of freedom
    (Kupiec, 1995, proportion of failures). That is an approximation, as everybody's: none in 250
    at 1 % gets p 0.025, though it happens to right forecasts in 8 of 100 histories.
    """
    count, rest = int(hits.sum()), int((~hits).sum())
    ratio = 2 * (_likelihood(count, rest) - _likelihood(count, rest, rate))
    return _verdict("Kupiec", ratio, freedom=1)


def independence(hits: Hits) -> Verdict:
    """Is a violation as likely after a violation as after none?

    Likelihood ratio over the transitions between periods, chi-squared with one degree of freedom
    (Christoffersen, 1998). Only neighbours are compared. With no violation, or nothing else,
    there is nothing to tell apart: the ratio is 0 and p 1.
    """
    before, after = hits[:-1], hits[1:]
    calm, again = after[~before], after[before]
    apart = sum(_likelihood(int(x.sum()), int((~x).sum())) for x in (calm, again))
    ratio = 2 * (apart - _likelihood(int(after.sum()), int((~after).sum())))
    return _verdict("Christoffersen independence", ratio, freedom=1)


def conditional(hits: Hits, rate: float) -> Verdict:
    """Both at once: as many violations as there should be, and not in a row.

    The sum of the two ratios, chi-squared with two degrees of freedom (Christoffersen, 1998). As
    commonly done the first is over all periods, the second over the transitions, one fewer.
    """
    ratio = kupiec(hits, rate).statistic + independence(hits).statistic
    return _verdict("Christoffersen conditional coverage", ratio, freedom=2)


def shortfall(losses: Floats, var: Floats, tails: Floats, rate: float) -> Verdict:
    """Is ES high enough? Too many violations fail, and too large ones.

    Z2 of Acerbi and Szekely (2014), 1 - sum(loss / ES over violations) / (rate * periods): 0 is
    expected, and less if ES is too low. p is the share of histories, drawn from the forecasts,
    with a Z2 as low: in each period a violation with probability `rate`, and then one of the
    losses of its row of `tails`. One-sided: an ES that is too high passes.
    """
    periods, sizes = tails.shape
    due, es = rate * periods, tails.mean(axis=1)
    hits = violations(losses, var)
    found = 1 - float(np.sum(losses[hits] / es[hits])) / due
    random = np.random.default_rng(0)
    # All histories stand in one row; from violation to violation is a geometric step.
    length = periods * SIMULATIONS
    steps = random.geometric(rate, int(rate * length + 10 * math.sqrt(rate * length) + 10))
    places = np.cumsum(steps) - 1
    places = places[places < length]
    history, period = np.divmod(places, periods)
    drawn = tails[period, random.integers(sizes, size=len(places))] / es[period]
    simulated = 1 - np.bincount(history, drawn, SIMULATIONS) / due
    p = (1 + int(np.sum(simulated <= found))) / (1 + SIMULATIONS)
    return Verdict("Acerbi-Szekely Z2", found, p)


def fz0(losses: Floats, var: Floats, es: Floats, rate: float) -> float:
    """Return the mean loss function of Patton, Ziegel and Chen (2019), equation 6.

    max(loss - VaR, 0) / (rate * ES) + VaR / ES + ln(ES) - 1: lowest in expectation for the right
    VaR and ES together. In another unit of loss all scores shift by the same constant.
    """
    excess = np.maximum(losses - var, 0.0)
    return float(np.mean(excess / (rate * es) + var / es + np.log(es) - 1))


def _likelihood(count: int, rest: int, rate: float | None = None) -> float:
    """Return the log likelihood of `count` of `count + rest`, by default at the share itself."""
    share = count / max(count + rest, 1) if rate is None else rate
    total = count * math.log(share) if count else 0.0
    return total + (rest * math.log1p(-share) if rest else 0.0)


def _verdict(name: str, ratio: float, freedom: int) -> Verdict:
    """Return a likelihood ratio with its p: the upper tail of chi-squared, exactly."""
    half = max(ratio, 0.0) / 2
    return Verdict(name, 2 * half, math.erfc(math.sqrt(half)) if freedom == 1 else math.exp(-half))


def _check(losses: Floats, var: Floats, tails: Floats, rate: float) -> None:
    """Refuse forecasts that cannot be tested."""
    if not 0 < rate < 0.5:
        raise InputError(f"rate {rate} is out of range", "Give the share beyond VaR: 0.01 for 99 %")
    if not len(losses) == len(var) == len(tails) > 1:
        counts = f"{len(losses)} losses, {len(var)} VaRs and {len(tails)} tails"
        raise InputError(f"{counts} do not fit together", "Give one of each for each period")
    if not all(np.isfinite(part).all() for part in (losses, var, tails)):
        raise InputError("a loss or a forecast is not a finite number", "Leave out no period")
    es = tails.mean(axis=1)
    if not (es > 0).all():
        remedy = "Use a higher level, or a series that moves more often"
        raise InputError("an expected shortfall is not above 0", remedy)
    if (es < var * (1 - 1e-9)).any():  # a mean of equal losses may be rounded
        raise InputError("an ES is below its VaR", "Give losses, VaR and ES as positive numbers")
