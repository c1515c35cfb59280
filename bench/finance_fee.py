"""A fee that follows volatility against the best static fee, in simulated pools on real prices.

Pools of $10 M with constant product; the others' volume is 0.35 of that a day times
exp(-cost / f*), f* 10, 20, 35 or 50 bp; gas 1, 5 or 20 $; a hedge costs 2 bp. Fees are paid out.
Net is fees less loss-versus-rebalancing less the agent's gas, in points: % of the mean value a year
of 252 days. Agents see only their pool's trades and may change the fee by 100 bp an hour, from 5 to
200 bp. The peer is the best of eleven static fees from 5 to 200 bp, chosen in hindsight for each
window. Windows have 252 days; a schedule is fitted to all windows before: 16 and more of VIX, 4 and
more of the others.

No long series of a crypto asset has a licence, so the paths are daily series, unscaled, with
Brownian bridges by the minute. VIX cannot be traded; it serves as a volatile price (109 % a year).
A day's variance is the mean of its own and the previous day's true range, squared, over 4 ln 2
(Parkinson, 1980). Estimator, margin, step and training were chosen on VIX 1992 to 2007, on these
paths and on two harder ones that are told too; VIX is told from 2008. Those years were seen before
the design was final: after a first look forecasts were corrected for the fee and the margin widened
(on the years before, which show the fault), after a second, bands never seen got their neighbour's
fee, after a third, prices became medians, against manipulation, and 10 bp was told apart, because
all cases below hindsight are there.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from affiant.verticals.finance.calibrate import Agent, Survey, fit, follow, survey
from affiant.verticals.finance.fee import FeeBounds
from affiant.verticals.finance.simulate import DAY, Array, Floats, Market, Pools, World, bridge
from bench.run import REPOSITORY, Figure, Run, rounded

DATA = Path(os.environ.get("AFFIANT_DATA", REPOSITORY.parent / "shared/data"))
ETH = DATA / "uniswap-v3-minute"
BP = 100
"""Pips of a basis point."""
GRID = tuple(BP * fee for fee in (5, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200))
BOUNDS = FeeBounds(lowest=5 * BP, highest=200 * BP, step=100 * BP, delay=3600)
MARGIN, WATCHED = 30, 40 * BP
ELASTICITIES, COSTS = (10, 20, 35, 50), (1.0, 5.0, 20.0)
MIDDLE = tuple(World(f / 1e4) for f in ELASTICITIES)
WORLDS = tuple(World(f / 1e4, gas) for f in ELASTICITIES for gas in COSTS)
MISJUDGED = ((20, 50), (50, 20))
"""Elasticities that a schedule was fitted to, and true ones."""
YEAR = 252
RANGE = 4 * np.log(2)
VIX, CLOSES, NIGHTS = "VIX", "VIX, by closes alone", "VIX, nights as jumps"
FIRST, TOLD = 2, 18
"""VIX has no ranges in its first two windows; the design was chosen on those before `TOLD`."""
TRAIN = 4
"""Windows of the others that are only trained on."""
SEEDS = (1, 2)
BEFORE_ETH = 33
"""VIX windows that ended before 2023."""


@dataclass(frozen=True)
class Days:
    """A daily series: log returns and variances by day; what moves at once as a day begins."""

    dates: Sequence[str]
    returns: Floats
    variances: Floats
    jumps: Floats | None = None

    def minutes(self, window: int, seed: Sequence[int], days: int) -> Array:
        """Return the path of a window's first days."""
        part = slice(window * YEAR, window * YEAR + days)
        path = bridge(self.returns[part], self.variances[part], seed)
        if self.jumps is not None:
            path[::DAY] += self.jumps[part].astype(np.float32)
        return path


@dataclass(frozen=True)
class Window:
    """A window of a series on minutes of a seed."""

    series: str
    number: int
    seed: int = SEEDS[0]
    told: bool = True


@dataclass(frozen=True)
class Result:
    """What agents earned in windows. Axes: worlds, windows; points a year beside static fees."""

    windows: Sequence[Window]
    gain: Floats
    trained: Floats
    """Beside the fee that was best on the training windows."""
    gap: Floats
    """What the best static fee with all of the arbitrageurs' profit would gain."""
    best: Floats
    """Net of the best static fee."""
    lvr: Floats
    """At 10 bp, of an eighth of the variance."""
    changes: Floats
    """A day."""
    gas: Floats

    def of(self, series: str, worlds: Iterable[int]) -> Result:
        """Return some worlds of one series."""
        kept = [place for place, window in enumerate(self.windows) if window.series == series]
        rows = list(worlds)
        parts = (
            *(self.gain, self.trained, self.gap, self.best),
            *(self.lvr, self.changes, self.gas),
        )
        return Result([self.windows[place] for place in kept], *(p[rows][:, kept] for p in parts))


def measure(run: Run) -> list[Figure]:
    """Walk through every window; then the real minutes of ETH."""
    if not (DATA / "vix-daily").exists() or importlib.util.find_spec("arch") is None:
        return [Figure("gain", None, "points", ">= 0.7", note="no vix-daily, or no extra finance")]
    days, series = run.times(21, YEAR), _series()
    vix = [Window(VIX, n, told=n >= TOLD) for n in _numbers(series[VIX])[FIRST:]]
    again = [Window(VIX, w.number, seed) for seed in SEEDS[1:] for w in vix if w.told]
    wrong = [tuple(WORLDS.index(World(f / 1e4)) for f in pair) for pair in MISJUDGED]
    all_vix = [*vix, *([] if run.quick else again)]
    main, found = _walk(series, all_vix, WORLDS, days, [(a, b) for a, b in wrong])
    others = [
        Window(name, n, told=n >= (TOLD if name in (CLOSES, NIGHTS) else TRAIN))
        for name in (CLOSES, NIGHTS, "WTI", "NASDAQ", "S&P 500")
        for n in _numbers(series[name])[FIRST if name in (CLOSES, NIGHTS) else 0 :]
    ]
    rest, _ = _walk(series, others, MIDDLE, days)
    figures = [*_headlines(main.of(VIX, range(len(WORLDS))), days), *_by_elasticity(series, main)]
    figures += [_beside(name, series, rest) for name in dict.fromkeys(w.series for w in others)]
    figures += [*_misjudged(main), *_eth(found, vix)]
    # Three weeks of each year are too short for the goals.
    return [replace(figure, goal=None) for figure in figures] if run.quick else figures


def _walk(
    series: dict[str, Days],
    windows: Sequence[Window],
    worlds: Sequence[World],
    days: int,
    misjudged: Sequence[tuple[int, int]] = (),
) -> tuple[Result, Survey]:
    """Run static fees in all windows, and agents in those that are told.

    The last rows of the result are of agents whose schedule was fitted to another world.
    """
    market = _market(series, windows, days)
    found = survey(market, worlds, GRID, WATCHED, MARGIN)
    told = [place for place, window in enumerate(windows) if window.told]
    rows = [*((world, world) for world in range(len(worlds))), *misjudged]
    true = [row for _, row in rows]
    before = [_before(windows, windows[place]) for place in told]
    agents = [[_agent(found, fitted, places) for places in before] for fitted, _ in rows]
    part = Market(market.moves[:, told], [market.seeds[place] for place in told])
    followed = follow(part, [worlds[row] for row in true], agents, BOUNDS)
    points = 100 * YEAR / days / followed.tally.value
    net = found.tally.net[true][:, :, told]
    past = [
        [net[w, GRID.index(a.begins), n] for n, a in enumerate(r)] for w, r in enumerate(agents)
    ]
    best = net.max(axis=1)
    variance = np.square(part.moves, dtype=float).sum(axis=0) / 8 * followed.tally.value
    result = Result(
        [windows[place] for place in told],
        points * (followed.net - best),
        points * (followed.net - np.array(past)),
        points * ((net + found.tally.profit[true][:, :, told]).max(axis=1) - best),
        points * best,
        found.tally.lvr[true][:, GRID.index(10 * BP), told] / variance,
        followed.changes / days,
        points * followed.gas,
    )
    return result, found


def _market(series: dict[str, Days], windows: Sequence[Window], days: int) -> Market:
    names = sorted(series)
    seeds = [(window.seed, names.index(window.series), window.number) for window in windows]
    paths = [
        series[window.series].minutes(window.number, seed, days)
        for window, seed in zip(windows, seeds, strict=True)
    ]
    return Market(np.stack(paths, axis=1), seeds)


def _before(windows: Sequence[Window], window: Window) -> list[int]:
    """Return the places of what came before a window: on the minutes of the first seed."""
    return [
        place
        for place, other in enumerate(windows)
        if (other.series, other.seed) == (window.series, SEEDS[0]) and other.number < window.number
    ]


def _agent(found: Survey, world: int, places: Sequence[int]) -> Agent:
    """Return an agent that was trained on these windows."""
    earned = found.tally.net[world][:, list(places)].sum(axis=1)
    return Agent(fit(found, world, places, BOUNDS.step, MARGIN), GRID[int(earned.argmax())])


def _headlines(found: Result, days: int) -> list[Figure]:
    seeds = len({window.seed for window in found.windows})
    numbers = np.array([window.number for window in found.windows])
    windows = np.array([found.gain[:, numbers == n].mean() for n in np.unique(numbers)])
    low = found.gain < 0
    weak = np.arange(len(found.gain)) < len(COSTS)
    about = f"VIX, {days} days each; mean of {len(WORLDS)} worlds and {seeds} seeds of minutes"
    return [
        Figure(
            "VIX windows below the best static fee of hindsight",
            int((windows < 0).sum()),
            f"of {len(windows)}",
            "<= 0",
            note=f"{about}; the least gain is {windows.min():.2f} points",
        ),
        Figure(
            "the same, each world and seed by itself, f* 20 to 50 bp",
            int(low[~weak].sum()),
            f"of {low[~weak].size}",
            "<= 0",
            note=f"the least gain is {found.gain[~weak].min():.2f} points",
        ),
        Figure(
            "the same at f* 10 bp",
            int(low[weak].sum()),
            f"of {low[weak].size}",
            note=f"the worst by {-found.gain[weak].min():.2f} points, where the best static fee "
            f"itself earns {found.best[low].min():.2f} to {found.best[low].max():.2f}; "
            f"{int((found.trained < 0).sum())} are below the static fee that was best before",
        ),
        Figure(
            "gain over the best static fee of hindsight",
            rounded(float(found.gain.mean())),
            "points",
            ">= 0.7",
            note=f"median {np.median(found.gain):.2f}; three of the windows bring "
            f"{_share(found):.0%} of it",
        ),
        Figure(
            "gain over the static fee that was best before",
            rounded(float(found.trained.mean())),
            "points",
            note=f"median {np.median(found.trained):.2f}",
        ),
        Figure(
            "share captured of what knowing the market's price could gain",
            rounded(100 * float(found.gain.mean() / found.gap.mean())),
            "%",
            note=f"of {found.gap.mean():.2f} points: the best static fee with all that "
            "arbitrageurs keep after gas and hedge",
        ),
        Figure(
            "LVR of a pool without fee and costs, of an eighth of the variance",
            rounded(_free()),
            "",
            ">= 0.99",
            note="60 days at 110 % a year, nobody else trading; with fee, costs and others, at "
            f"10 bp on VIX: {found.lvr.mean():.3f}",
        ),
    ]


def _share(found: Result) -> float:
    """Return the share of the gain that comes from the three best windows."""
    numbers = np.array([window.number for window in found.windows])
    sums = sorted(float(found.gain[:, numbers == n].sum()) for n in set(numbers.tolist()))
    return sum(sums[-3:]) / sum(sums)


def _free() -> float:
    """Return LVR without fee, costs and others over what theory says."""
    path = bridge(np.zeros(60), np.full(60, 1.1**2 / YEAR), (0, 0))[:, None]
    world = World(0.01, gas=0, turnover=0, exchange_cost=0)
    pools = Pools([world], [0], 1)
    hours = [pools.hour(*hour) for hour in Market(path, [(0, 0)]).hours()]
    value = np.mean([hour.value for hour in hours])
    return float(sum(h.lvr.sum() for h in hours) / (1.1**2 / YEAR * 60 / 8 * value))


def _by_elasticity(series: dict[str, Days], found: Result) -> list[Figure]:
    """Return the gain in every window, by elasticity: the mean of the costs and seeds."""
    figures = []
    for place, elasticity in enumerate(ELASTICITIES):
        rows = range(place * len(COSTS), (place + 1) * len(COSTS))
        part = found.of(VIX, rows)
        gas = ", ".join(f"{g:.3f}" for g in part.gas.mean(axis=1))
        figures.append(
            Figure(
                f"gain at f* {elasticity} bp",
                rounded(float(part.gain.mean())),
                "points",
                note=f"windows that end in {_listed(series, part)}; "
                f"{part.changes.mean():.2f} changes a day, whose gas costs {gas} points at 1, 5, "
                f"20 $; {part.gain.mean() / part.gap.mean():.0%} captured",
            )
        )
    return figures


def _beside(name: str, series: dict[str, Days], found: Result) -> Figure:
    """Return what became of another series."""
    part = found.of(name, range(len(MIDDLE)))
    return Figure(
        f"gain, {name}",
        rounded(float(part.gain.mean())),
        "points",
        note=f"gas 5 $; by f* {_join(part.gain.mean(axis=1))}; "
        f"{int((part.gain < 0).sum())} of {part.gain.size} cases below hindsight, the worst by "
        f"{max(-part.gain.min(), 0):.2f}; below the fee best before: "
        f"{int((part.trained < 0).sum())}, their mean gain {part.trained.mean():.2f}; "
        f"windows that end in {_listed(series, part)}",
    )


def _listed(series: dict[str, Days], found: Result) -> str:
    """Return the mean gain of each window, with the years in which they end."""
    numbers = np.array([window.number for window in found.windows])
    days = series[found.windows[0].series]
    told = sorted(set(numbers.tolist()))
    year = {n: days.dates[(n + 1) * YEAR - 1][:4] for n in told}
    gains = _join(found.gain[:, numbers == n].mean() for n in told)
    return f"{year[told[0]]} to {year[told[-1]]}: {gains}"


def _misjudged(found: Result) -> list[Figure]:
    """Return what a schedule earns that was fitted to a wrong elasticity."""
    figures = []
    for row, (fitted, true) in enumerate(MISJUDGED, start=len(WORLDS)):
        gain, trained = found.gain[row].mean(), found.trained[row].mean()
        figures.append(
            Figure(
                f"gain if fitted to f* {fitted} bp where it is {true}",
                rounded(float(gain)),
                "points",
                peer=rounded(float(gain - trained)),
                note="gas 5 $; peer: the static fee that was best before, as wrongly; both beside "
                "the best of hindsight",
            )
        )
    return figures


def _eth(found: Survey, windows: Sequence[Window]) -> list[Figure]:
    """Return the gain on real minutes, with the schedules that VIX taught until 2022."""
    if not ETH.exists():
        return []
    places = [place for place, window in enumerate(windows) if window.number < BEFORE_ETH]
    agents = [[_agent(found, WORLDS.index(world), places)] for world in MIDDLE]
    figures = []
    for name, moves in _eth_minutes().items():
        market = Market(moves[:, None].astype(np.float32), [(1, 0)])
        static = survey(market, MIDDLE, GRID, WATCHED, MARGIN).tally
        net = follow(market, MIDDLE, agents, BOUNDS).net
        first = [static.net[row, GRID.index(told.begins)] for row, (told,) in enumerate(agents)]
        basis = 1e4 / static.value
        gain, trained = basis * (net - static.net.max(axis=1)), basis * (net - np.array(first))
        deviation = np.sqrt(np.square(moves).sum() * 365 * DAY / len(moves))
        figures.append(
            Figure(
                f"gain, ETH by the minute, {name}",
                rounded(float(gain.mean())),
                "bp",
                note=f"of the value, in these days; gas 5 $; by f* {_join(gain[:, 0])}; over the "
                f"static fees that VIX taught {_join(trained[:, 0])}; volatility {deviation:.0%} a "
                "year; no forecast in the first eight hours; the data's pool stands for the market",
            )
        )
    return figures


def _join(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _eth_minutes() -> dict[str, Floats]:
    """Return log returns of the five days in 2023 with a crash, and of two in 2024."""
    prices = [float(row["WETH"]) for row in _rows(ETH / "price_weth_usdc_0813_0817.csv")]
    ticks = [
        float(row["closeTick"])
        for path in sorted(ETH.glob("polygon-*2024-02-*.csv"))
        for row in _rows(path)
    ]
    return {
        "13 to 17 August 2023": np.diff(np.log(prices), prepend=np.log(prices[0])),
        "15 and 16 February 2024": np.diff(ticks, prepend=ticks[0]) * -np.log(1.0001),
    }


def _series() -> dict[str, Days]:
    """Return every daily series."""
    vix = _rows(DATA / "vix-daily" / "vix-daily.csv")
    told = {VIX: _ranged(vix)}
    for name, packed in (("NASDAQ", "nasdaq"), ("S&P 500", "sp500")):
        told[name] = _ranged(_packed(packed))
    oil = [row for row in _packed("wti") if row["DCOILWTICO"] not in {"", "."}]
    told["WTI"] = _closed([r["Date"][-4:] for r in oil], [float(r["DCOILWTICO"]) for r in oil])
    dates = [row["DATE"] for row in vix]
    told[CLOSES] = _closed(dates, [float(row["CLOSE"]) for row in vix])
    told[NIGHTS] = _jumping(vix)
    return told


def _ranged(rows: Sequence[dict[str, str]]) -> Days:
    """Return days whose variance is told by the true range: today's and the day before's."""
    dates, opened, high, low, close = _columns(rows)
    last = close[:-1]
    top = np.maximum.reduce([high[1:], opened[1:], close[1:], last])
    bottom = np.minimum.reduce([low[1:], opened[1:], close[1:], last])
    variances = _paired(np.log(top / bottom) ** 2 / RANGE)
    return Days(dates[1:], np.log(close[1:] / last), variances)


def _jumping(rows: Sequence[dict[str, str]]) -> Days:
    """Return days that begin with the night's move as one jump."""
    dates, opened, high, low, close = _columns(rows)
    span = np.maximum.reduce([high, opened, close]) / np.minimum.reduce([low, opened, close])
    variances = _paired(np.log(span[1:]) ** 2 / RANGE)
    night = np.log(opened[1:] / close[:-1])
    return Days(dates[1:], np.log(close[1:] / opened[1:]), variances, night)


def _closed(dates: Sequence[str], closes: Sequence[float]) -> Days:
    """Return days whose variance is the mean square of the 21 returns around them."""
    returns = np.array([np.log(b / a) for a, b in pairwise(closes)])
    around = np.pad(returns**2, 10, mode="reflect")
    return Days(dates[1:], returns, np.convolve(around, np.ones(21) / 21, "valid"))


def _paired(variances: Floats) -> Floats:
    return np.asarray((variances + np.concatenate([variances[:1], variances[:-1]])) / 2)


def _columns(rows: Sequence[dict[str, str]]) -> tuple[list[str], Floats, Floats, Floats, Floats]:
    lowered = [{key.lower(): value for key, value in row.items()} for row in rows]
    # "1990-01-02" or "1/4/1999": only the year is told.
    dates = [next(part for part in _split(row["date"]) if len(part) == 4) for row in lowered]
    opened, high, low, close = (
        np.array([float(row[name]) for row in lowered]) for name in ("open", "high", "low", "close")
    )
    return dates, opened, high, low, close


def _split(date: str) -> list[str]:
    return date.replace("/", "-").split("-")


def _numbers(days: Days) -> list[int]:
    """Return the windows that a series is long enough for."""
    return list(range(len(days.returns) // YEAR))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _packed(name: str) -> list[dict[str, str]]:
    """Return a data set of the package arch, without the five seconds that importing it takes."""
    found = importlib.util.find_spec("arch")
    if found is None or found.origin is None:
        return []
    path = Path(found.origin).parent / "data" / name / f"{name}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
