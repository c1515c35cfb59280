"""A vault's weights, walked forward after costs, beside 1/N.

Daily closes of the S&P 500, the NASDAQ Composite and WTI oil (price only, oil at spot; cash earns
nothing): each decision sees 504 days and is held for 63. The method, its target of 10 % a year and
its band were chosen by reasoning and on the years 1999 to 2007; what is told is 2008 to 2018. The
Fama-French factors, by month, were looked at once, after that: the market, and cash with size and
with value on top, each as a fund without costs of its own; each decision sees 60 months and is
held for 3. Costs are of all turnover, from drifted weights, 10 bp where nothing else is said, and
1/N pays them too. Each of the intervals errs one time in ten, so one of them may be chance.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from affiant.verticals.finance.strategy import EQUAL, PPM, VAULT, Stay, Target, decide
from affiant.verticals.finance.walkforward import Report, Rule, Schedule, walk_forward
from bench.run import Figure, Run, rounded

#: Before this the strategy was chosen; from here on it is told.
TOLD_FROM = "2008-01-01"
DAILY = Schedule()
MONTHLY = Schedule(window=60, step=3, year=12, block=12)
COSTS = (0, 1000, 3000)


@dataclass(frozen=True)
class Market:
    """Prices of some funds, and what cash earned meanwhile."""

    prices: tuple[tuple[float, ...], ...]
    schedule: Schedule
    cash: tuple[float, ...] | None = None


def measure(run: Run) -> list[Figure]:
    """Walk each rule through the markets."""
    if importlib.util.find_spec("arch") is None:
        return [Figure("Sharpe ratio of the vault", None, "", note="the extra finance is missing")]
    draws = run.times(200, 2000)
    days, months = daily(), monthly()
    found = {cost: _walk(days, vault(), cost, draws) for cost in COSTS}
    told = found[1000]
    figures = [
        _sharpe("Sharpe ratio of the vault, 2008-2018", told),
        *(_sharpe(f"the same at {cost // 100} bp", found[cost]) for cost in (0, 3000)),
        Figure(
            "cost a year",
            rounded(told.ours.cost * 10_000),
            "bp",
            "<= 10",
            rounded(told.equal.cost * 10_000),
            f"turnover {told.ours.turnover:.0%} of the value, peer 1/N {told.equal.turnover:.0%}; "
            f"{told.ours.stays} of {len(told.ours.weights)} decisions were to stay",
        ),
        Figure(
            "drawdown spared against 1/N",
            rounded(100 * (told.equal.drawdown - told.ours.drawdown)),
            "points",
            ">= 10",
            note=f"{told.ours.drawdown:.1%} and {told.equal.drawdown:.1%}: most of it is cash "
            f"({1 - told.ours.invested:.0%} on average), which 1/N can hold as well",
        ),
        Figure(
            "drawdown spared against 1/N with cash, as volatile",
            rounded(100 * (told.diluted - told.ours.drawdown)),
            "points",
            ">= 0",
            note=f"1/N would have fallen by {told.diluted:.1%}",
        ),
    ]
    others: dict[str, Rule] = {
        "1/N with the vault's target and band": vault(method="equal"),
        "inverse volatility with target and band": vault(method="inverse-volatility"),
        "risk parity alone": vault(volatility=None, band=0),
        "the vault without its band": vault(band=0),
        "minimal variance, fully invested": least_variance,
    }
    figures += [
        _sharpe(f"Sharpe ratio of {name}", _walk(days, rule, 1000, draws))
        for name, rule in others.items()
    ]
    slow = {"year": 12, "recent": 12, "least": 24}
    long = [
        ("the vault", vault(**slow)),
        ("1/N with target and band", vault(method="equal", **slow)),
        ("risk parity alone", vault(volatility=None, band=0, **slow)),
    ]
    return figures + [
        _sharpe(f"Sharpe ratio of {name}, factors 1931-2018", _walk(months, rule, 1000, draws))
        for name, rule in long
    ]


def vault(**changed: Any) -> Rule:
    """Return the vault's rule, with some settings changed."""
    return functools.partial(decide, settings=replace(VAULT, **changed))


def least_variance(prices: Sequence[Sequence[float]], held: Sequence[int]) -> Target | Stay:
    """Return the long weights of least sample variance: the best of all sets of funds."""
    checked = decide(prices, held, EQUAL)
    if isinstance(checked, Stay):
        return checked
    series = np.array(prices)
    spread = np.cov(series[:, 1:] / series[:, :-1] - 1)
    best, least = np.zeros(len(series)), np.inf
    for count in range(1, len(series) + 1):
        for chosen in map(list, itertools.combinations(range(len(series)), count)):
            raw = np.linalg.solve(spread[np.ix_(chosen, chosen)], np.ones(count))
            if raw.min() >= 0 and 1 / raw.sum() < least:
                best, least = np.zeros(len(series)), 1 / raw.sum()
                best[chosen] = raw / raw.sum()
    weights = tuple(int(share * PPM) for share in best)
    return Target(weights, 0, int((least * 252) ** 0.5 * PPM), "least variance")


def daily() -> Market:
    """Return the days from 504 before `TOLD_FROM` on; days without a price of all are left out."""
    frames = [_load("sp500")["Adj Close"], _load("nasdaq")["Adj Close"], _load("wti").iloc[:, 0]]
    joined = importlib.import_module("pandas").concat(frames, axis=1, join="inner").dropna()
    first = int(joined.index.searchsorted(TOLD_FROM)) - 1 - DAILY.window
    return Market(_columns(joined.iloc[first:].to_numpy()), DAILY)


def monthly() -> Market:
    """Return the market, and cash with size and with value on top, each as a fund from 1 on."""
    parts = _load("frenchdata").to_numpy() / 100
    cash = parts[:, 3]
    grown = np.cumprod(1 + parts[:, :3] + cash[:, None], axis=0)
    prices = _columns(np.vstack([np.ones(3), grown]))
    return Market(prices, MONTHLY, tuple(map(float, cash)))


def _load(name: str) -> Any:
    return importlib.import_module(f"arch.data.{name}").load()


def _columns(table: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, column)) for column in table.T)


def _walk(market: Market, rule: Rule, cost: int, draws: int) -> Report:
    return walk_forward(
        market.prices, rule, cost=cost, schedule=market.schedule, cash=market.cash, draws=draws
    )


def _sharpe(name: str, told: Report) -> Figure:
    """Return a row that says what a Sharpe ratio hides, and whether it is above 1/N's."""
    ours, gap = told.ours, told.sharpe
    verdict = {True: "better than 1/N", False: "worse than 1/N", None: "not told from 1/N"}
    return Figure(
        name,
        rounded(ours.sharpe),
        "",
        peer=rounded(told.equal.sharpe),
        note=f"{verdict[told.beats]}: {gap.value:+.3f}, 90 % [{gap.low:+.3f}, {gap.high:+.3f}]; "
        f"{ours.growth:.1%} a year net, volatility {ours.volatility:.1%}, drawdown "
        f"{ours.drawdown:.1%}, turnover {ours.turnover:.0%}, cost {ours.cost * 10_000:.1f} bp; "
        f"1/N {told.equal.growth:.1%}, {told.equal.volatility:.1%}, {told.equal.drawdown:.1%}",
    )
