"""Constant-product pools beside a market: what arbitrage takes from them, and what fees bring.

Every minute the market moves, then an arbitrageur may trade, then others do.

- The pool pays its fees out, so its depth is constant. Its price is `gap` above the market's, in
  logarithms. LVR is to second order in the gap and volume to the first: at a gap of 2 % the errors
  are 0.001 % and 0.5 %, the latter of either sign. Within an hour the value counts as constant.
- The arbitrageur pays fee, the cost of the exchange it hedges on, and gas. When the gain beyond
  them is positive it trades until the gap is fee plus exchange cost.
- Others trade for reasons of their own: `turnover` times the pool's value a day, half of it either
  way, in random portions, times exp(-cost / elasticity). Their cost is the fee plus the gap that
  they trade against, never below zero.

Loss-versus-rebalancing (LVR) is what a portfolio has more that holds the pool's reserves at each
moment but trades them at the market's price. It is the gross loss, to arbitrage and to others (who
lose by moving the price); fees are told apart. Without fee, costs and others it is an eighth of
the variance, times the pool's value (Milionis, Moallemi, Roughgarden and Zhang, arXiv 2208.06046).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

DAY = 1440
"""Minutes of a day."""
HOUR = 60
BAR = 5
"""Minutes between two prices that an agent sees."""


@dataclass(frozen=True)
class World:
    """What is assumed about a pool's surroundings. Fees and costs are shares: 0.003 is 30 bp."""

    elasticity: float
    """The cost that leaves 1/e of the others' volume."""
    gas: float = 5.0
    """Dollars for an arbitrage, and for a change of the fee."""
    tvl: float = 10e6
    """Dollars in the pool at first."""
    turnover: float = 0.35
    exchange_cost: float = 0.0002


@dataclass(frozen=True)
class Hour:
    """What an hour did, of each pool (row) on each path (column), as shares of the first TVL."""

    value: Floats
    """What the pools of a path are worth; about the same for all of them."""
    lvr: Floats
    fees: Floats
    profit: Floats
    """What the arbitrageur keeps after fee, exchange cost and gas."""
    bars: Floats
    """Logarithms of the prices of the pools watched, every five minutes."""

    @property
    def net(self) -> Floats:
        """What the liquidity providers have more than the rebalancing portfolio."""
        return self.fees - self.lvr


@dataclass(frozen=True)
class Market:
    """Log returns by the minute (rows) of one or more paths (columns), and others' demand."""

    moves: Array
    seeds: Sequence[Sequence[int]]
    """A path's own seed, so that a path is the same in any company."""

    def hours(self) -> Iterator[tuple[Array, Array, Array]]:
        """Return moves, and the portions of buyers and sellers: one on average, a half is none."""
        draws = [np.random.default_rng([*seed, 1]) for seed in self.seeds]
        for day in range(0, len(self.moves), DAY):
            moves = self.moves[day : day + DAY]
            portions = np.stack([_portions(draw, len(moves)) for draw in draws], axis=2)
            for hour in range(0, len(moves), HOUR):
                part = slice(hour, hour + HOUR)
                yield moves[part], portions[0, part], portions[1, part]


def bridge(returns: Floats, variances: Floats, seed: Sequence[int]) -> Array:
    """Return a path by the minute through days of these log returns.

    Each day is a Brownian bridge to its known end; its variance is given. The seed must be the
    path's own.
    """
    draw = np.random.default_rng([*seed, 0])
    noise = draw.standard_normal((len(returns), DAY), dtype=np.float32)
    noise -= noise.mean(axis=1, keepdims=True)
    path = noise * np.sqrt(variances / DAY)[:, None] + (returns / DAY)[:, None]
    return path.reshape(-1).astype(np.float32)


class Pools:
    """Pools with their fees: a row for each world and fee, a column for each path."""

    def __init__(self, worlds: Sequence[World], fees: Sequence[float], paths: int) -> None:
        def column(values: Sequence[float]) -> Array:
            return np.array(values, np.float32)[:, None]

        self.fee: Array = np.repeat(column(fees), paths, axis=1)
        self.gap: Array = np.zeros_like(self.fee)
        self.market = np.zeros(paths)
        self._elasticity = column([world.elasticity for world in worlds])
        self._exchange = column([world.exchange_cost for world in worlds])
        self._gas = column([world.gas / world.tvl for world in worlds])
        # A trade of a share v of the pool's value moves the price by 4 v.
        self._demand = column([4 * world.turnover / 2 / DAY for world in worlds])

    def hour(self, moves: Array, buys: Array, sells: Array, watched: Sequence[int] = ()) -> Hour:
        """Let an hour pass; tell the prices of the pools in the rows `watched`."""
        gap, fee = self.gap, self.fee
        value = np.exp(self.market / 2)
        edge = fee + self._exchange
        low, least = -edge, -fee
        # An arbitrage from beyond the edge by d gains d^2 / 8 of the value.
        worth = np.sqrt(8 * self._gas / value).astype(np.float32)
        demand = self._demand * np.exp(-fee / self._elasticity)
        before = gap * gap
        drift, traded, taken, count, others = (np.zeros_like(gap) for _ in range(5))
        bars = []
        for minute, move in enumerate(moves):
            drift += gap * move
            gap -= move
            beyond = gap - np.minimum(np.maximum(gap, low), edge)
            size = np.abs(beyond)
            paid = size > worth
            beyond *= paid
            size *= paid
            gap -= beyond
            traded += size
            taken += size * size
            count += paid
            ease = np.exp(np.minimum(np.maximum(gap, least), fee) / self._elasticity)
            bought, sold = demand * buys[minute] / ease, demand * sells[minute] * ease
            gap += bought - sold
            others += bought + sold
            if minute % BAR == BAR - 1:
                self.market += moves[minute - BAR + 1 : minute + 1].sum(axis=0, dtype=float)
                bars.append(self.market + gap[list(watched)])
        # Trades change gap^2 by what moves of the market did to it, less what is left of that.
        moved = np.square(moves, dtype=float).sum(axis=0) - 2 * drift
        return Hour(
            value,
            value * (moved + before - gap * gap) / 8,
            value * fee * (traded + others) / 4,
            value * taken / 8 - self._gas * count,
            np.array(bars),
        )


def yearly(amount: Floats, value: Floats, years: float) -> Floats:
    """Return an amount as per cent of the mean value a year."""
    return np.asarray(100 * amount / value / years)


def _portions(draw: np.random.Generator, minutes: int) -> Array:
    """Return the portions of buyers and of sellers in some minutes."""
    size = 2 * draw.standard_exponential((2, minutes), dtype=np.float32)
    return np.asarray(size * (draw.random((2, minutes), dtype=np.float32) < 1 / 2))
