"""Fits a fee schedule to simulated pools, and lets agents follow one there.

`survey` runs pools with static fees and sorts what each of their hours earned by the volatility
that an agent would have forecast from the pool's trades. `fit` then chooses a fee for each band of
volatilities: the non-falling sequence that would have earned most, less the gas for each change,
counted as often as the forecast crossed. `follow` lets agents trade on it, with no more to see than
the trades, inside the contract's bounds, every hour. The rules are those of `volatility.py` and
`fee.py`, for many pools at once; tests hold them equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affiant.verticals.finance.fee import PERCENT, FeeBounds, FeeSchedule, steps
from affiant.verticals.finance.simulate import Floats, Market, Pools, World
from affiant.verticals.finance.volatility import (
    DECAY,
    HOUR,
    HOURS,
    HOURS_PER_DAY,
    LATE,
    LEAST_HOURS,
    LONG,
    MEDIAN,
    PIPS,
    SCALE,
    SHORT,
)

Places = NDArray[np.int64]

#: The edges of the bands that a fit tells apart: volatilities of a day, 0.5 % to 23 %, in pips.
EDGES = tuple(round(5_000 * 1.2**place) for place in range(22))


@dataclass(frozen=True)
class Tally:
    """What pools earned: a row for each pool, a column for each path, shares of the first TVL."""

    value: Floats
    """The mean value of the pools of a path."""
    lvr: Floats
    fees: Floats
    profit: Floats
    """What the arbitrageurs kept."""

    @property
    def net(self) -> Floats:
        """Fees less LVR."""
        return self.fees - self.lvr


@dataclass(frozen=True)
class Survey:
    """Static fees in each world. Axes: worlds, fees, paths; and bands or edges, where told."""

    worlds: tuple[World, ...]
    fees: tuple[int, ...]
    """In pips."""
    tally: Tally
    by_band: Floats
    """What the hours in each band earned."""
    crossed: Places
    """How often the forecast crossed each edge, by world and path."""


class Watcher:
    """`volatility.forecast` for many pools: it is fed an hour of bars, and forecasts."""

    def __init__(self) -> None:
        self._bars: Floats | None = None
        self._prices: Floats | None = None
        self._moved: list[Floats] = []
        self._late: list[Floats] = []

    def see(self, bars: Floats, fee: Floats) -> Floats | None:
        """Return the forecasts in pips after an hour at these fees (shares); None in the first."""
        if self._bars is not None:
            new = _medians(np.concatenate([self._bars[1 - MEDIAN :], bars]))
            if self._prices is not None:
                prices = np.concatenate([self._prices, new])
                slow, fast = (
                    np.square(2 * np.tanh((new - prices[LONG - lag : -lag]) / 2)).sum(axis=0)
                    for lag in (LONG, SHORT)
                )
                self._moved = [slow - fast, *self._moved[: HOURS - 1]]
                self._late = [np.square(fee), *self._late[: HOURS - 1]]
            self._prices = new
        self._bars = bars
        if len(self._moved) < LEAST_HOURS:
            return None
        weights = DECAY ** np.arange(len(self._moved))
        moved, late = (
            np.tensordot(weights / weights.sum(), np.stack(hours), 1)
            for hours in (self._moved, self._late)
        )
        seen = np.maximum(SCALE * moved, 0)
        variance = (seen + np.sqrt(seen**2 + 4 * LATE * HOURS_PER_DAY * late * seen)) / 2
        return np.asarray(np.rint(PIPS * np.sqrt(variance)))


def survey(
    market: Market, worlds: Sequence[World], fees: Sequence[int], watched: int, margin: int
) -> Survey:
    """Run pools with each of the fees (pips) in each world; forecast where the fee is `watched`."""
    shape = (len(worlds), len(fees), len(market.seeds))
    rows = [(world, fee) for world in worlds for fee in fees]
    pools = Pools([world for world, _ in rows], [fee / PIPS for _, fee in rows], shape[2])
    watch = [row for row, (_, fee) in enumerate(rows) if fee == watched]
    watcher, edges = Watcher(), np.array(EDGES)
    by_band = np.zeros((*shape, len(EDGES) + 1))
    crossed = np.zeros((shape[0], shape[2], len(EDGES)), np.int64)
    above = np.zeros(crossed.shape, bool)
    band: Places | None = None
    total = _Total()
    for moves, buys, sells in market.hours():
        hour = pools.hour(moves, buys, sells, watch)
        total.add(hour.value, hour.lvr, hour.fees, hour.profit)
        if band is not None:
            place = np.broadcast_to(band[:, None, :, None], (*shape, 1))
            old = np.take_along_axis(by_band, place, 3)
            np.put_along_axis(by_band, place, old + hour.net.reshape(*shape, 1), 3)
        said = watcher.see(hour.bars, pools.fee[watch].astype(float))
        if said is None:
            continue
        first, band = band is None, np.searchsorted(edges, said, side="right")
        up = PERCENT * said[..., None] >= (PERCENT + margin) * edges
        stay = (PERCENT + margin) * said[..., None] >= PERCENT * edges
        now = up | (above & stay)
        crossed += (now != above) & (not first)
        above = now
    return Survey(tuple(worlds), tuple(fees), total.tally(shape), by_band, crossed)


def fit(found: Survey, world: int, paths: Sequence[int], step: int, margin: int) -> FeeSchedule:
    """Return the schedule that would have earned most on these paths of the survey.

    Changes are charged as often as the forecast crossed the edge, and once more: so a band that
    was never seen has the fee of its neighbour. A fee moves by at most `step` (pips) at once.
    """
    earned = found.by_band[world][:, list(paths)].sum(axis=1).T
    crossed = found.crossed[world, list(paths)].sum(axis=0)
    fees, change = np.array(found.fees), _cost(found.worlds[world], found.fees, step)
    falling = fees[:, None] > fees[None, :]
    best, back = earned[0], []
    for band, edge in enumerate(crossed, start=1):
        way = best[:, None] - (edge + 1) * change
        way[falling] = -np.inf
        back.append(way.argmax(axis=0))
        best = way.max(axis=0) + earned[band]
    levels = [int(best.argmax())]
    for came in reversed(back):
        levels.append(int(came[levels[-1]]))
    return steps([found.fees[level] for level in reversed(levels)], EDGES, margin)


@dataclass(frozen=True)
class Agent:
    """Who sets a pool's fee: what it follows there, and where it begins (pips)."""

    schedule: FeeSchedule
    begins: int


@dataclass(frozen=True)
class Followed:
    """What agents' pools earned, their gas included in `net`; axes: worlds, paths."""

    tally: Tally
    changes: Places
    gas: Floats
    mean_fee: Floats

    @property
    def net(self) -> Floats:
        """Fees less LVR less the gas for changes."""
        return self.tally.net - self.gas


def follow(
    market: Market, worlds: Sequence[World], agents: Sequence[Sequence[Agent]], bounds: FeeBounds
) -> Followed:
    """Run a pool for each world (row) and path (column) with an agent of its own."""
    pools = Pools(worlds, [0.0] * len(worlds), len(market.seeds))
    fee = np.array([[agent.begins for agent in row] for row in agents], np.int64)
    tables = np.array([[_table(agent.schedule) for agent in row] for row in agents])
    margin = np.array([[PERCENT + agent.schedule.margin for agent in row] for row in agents])
    edges, since = np.array(EDGES), np.full(fee.shape, bounds.delay)
    watcher, total = Watcher(), _Total()
    changes, paid = np.zeros(fee.shape, np.int64), np.zeros(fee.shape)
    for moves, buys, sells in market.hours():
        pools.fee[:] = fee / PIPS
        hour = pools.hour(moves, buys, sells, range(len(worlds)))
        total.add(hour.value, hour.lvr, hour.fees, hour.profit)
        paid += fee
        since += HOUR
        said = watcher.see(hour.bars, fee / PIPS)
        if said is None:
            continue
        least = _at(tables, (PERCENT * said[..., None] >= margin[..., None] * edges).sum(axis=-1))
        most = _at(tables, (margin[..., None] * said[..., None] >= PERCENT * edges).sum(axis=-1))
        wanted = np.clip(np.clip(fee, least, most), bounds.lowest, bounds.highest)
        allowed = np.where(
            since < bounds.delay, fee, np.clip(wanted, fee - bounds.step, fee + bounds.step)
        )
        changes += allowed != fee
        since[allowed != fee] = 0
        fee = allowed
    price = np.array([world.gas / world.tvl for world in worlds])[:, None]
    return Followed(total.tally(fee.shape), changes, changes * price, paid / total.hours)


def _cost(world: World, fees: Sequence[int], step: int) -> Floats:
    """Return what a change between two fees costs, up or down on average, as a share of the TVL.

    Gas once for each step. On the way down, also the gap that the higher fee let stand: it lies
    anywhere up to the old edge, and what is beyond the new one goes to arbitrage.
    """
    fee = np.array(fees)
    edge = fee / PIPS + world.exchange_cost
    high, low = np.maximum.outer(edge, edge), np.minimum.outer(edge, edge)
    gas = np.ceil(np.abs(np.subtract.outer(fee, fee)) / step) * world.gas / world.tvl
    return np.asarray(gas + (high - low) ** 3 / (3 * high) / 8 / 2)


class _Total:
    """Sums of hours."""

    def __init__(self) -> None:
        self.hours = 0
        self._sums: list[Floats] = []

    def add(self, *amounts: Floats) -> None:
        self.hours += 1
        kept = self._sums or [np.zeros_like(amount) for amount in amounts]
        self._sums = [total + amount for total, amount in zip(kept, amounts, strict=True)]

    def tally(self, shape: tuple[int, ...]) -> Tally:
        value, *rest = self._sums
        lvr, fees, profit = (amount.reshape(shape) for amount in rest)
        return Tally(value / self.hours, lvr, fees, profit)


def _table(schedule: FeeSchedule) -> Places:
    """Return the schedule's fee in each band between the edges."""
    levels = np.searchsorted(schedule.thresholds, np.array((0, *EDGES)), side="right")
    return np.asarray(np.array(schedule.fees)[levels])


def _medians(bars: Floats) -> Floats:
    """Return the median of each five consecutive bars, by minima and maxima."""
    a, b, c, d, e = (bars[place : len(bars) - 4 + place] for place in range(5))
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))


def _at(tables: Places, band: Places) -> Places:
    return np.asarray(np.take_along_axis(tables, band[..., None], 2)[..., 0])
