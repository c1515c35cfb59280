"""How much a pool's price will move in the next hours, from the pool's own trades.

A pool's price is not the market's: it stands still inside the fee band, overshoots when somebody
trades without need, and jumps when an arbitrageur takes it to the band's edge. Squared returns
from trade to trade measure that bounce. Over long lags the bounce stays as large as the band while
the market's variance grows, so the difference of two lags is free of it: the two-scales estimator
in its (J, K) form, which allows for bounce that lasts (Ait-Sahalia, Mykland and Zhang, 2011,
after their "Tale of Two Time Scales", 2005). Lags overlap (subsampling), for a smaller error.

A price is the median of five bars, so one that is pushed away and back within ten minutes leaves no
trace. To hold it longer a manipulator must pay every arbitrageur who comes.

A wide band leaves another bias: the price follows late, and an hour does not show all of the
variance. In the simulator the share shown is about 1 / (1 + x^2 / 2), x the fee over an hour's
standard deviation (fees of 70 to 200 bp, volatilities of 2 to 15 % a day); this is undone.

Hours are averaged with weights that halve every six: volatility clusters. Nothing traded means
that the price did not leave the band; it counts as no movement, and the count of trades is told.

Only + - * / and the square root are used, which IEEE 754 rounds in one way, and `math.fsum`; so the
same trades give the same forecast on every machine, as a replay needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.errors import InputError

#: A price is taken every five minutes, on the clock: that of the last trade until then.
BAR = 300
BARS_PER_HOUR = 12
BARS_PER_DAY = 288
#: A round trip within half of these bars, rounded down, is not seen.
MEDIAN = 5
#: The two lags, in bars: a quarter of an hour and an hour.
SHORT, LONG = 3, 12
#: Hours that are looked at, and the weight of an hour beside the one after it: 0.89^6 is a half.
HOURS = 24
DECAY = 0.89
#: With fewer hours known there is no forecast to act on.
LEAST_HOURS = 6
PIPS = 1_000_000
HOURS_PER_DAY = 24
HOUR = 3600
#: An hour has twelve returns of each lag; their difference is the variance of LONG - SHORT bars.
SCALE = BARS_PER_DAY / (BARS_PER_HOUR * (LONG - SHORT))
#: The share of variance that an hour shows, as above: 1 / (1 + LATE * x^2).
LATE = 0.5


@dataclass(frozen=True)
class Volatility:
    """A forecast: the standard deviation of the price's move in a day, in pips (millionths)."""

    pips: int
    hours: int
    """Hours it rests on, 24 at most."""
    trades: int
    """Trades in those hours."""

    @property
    def enough(self) -> bool:
        """Whether it rests on enough hours to act on."""
        return self.hours >= LEAST_HOURS


def forecast(
    trades: Sequence[tuple[int, float]], now: int, fees: Sequence[tuple[int, int]] = ()
) -> Volatility:
    """Forecast from trades as (seconds, the pool's price after it), oldest first.

    `fees` are the changes of the pool's fee as (seconds, pips), the last one before the trades
    first; without them no bias of the band is undone. What comes after `now` is not looked at.
    Give 26 hours of trades. Raises: InputError if a price or a fee is out
    of range or times go back.
    """
    _check(trades, math.inf, "price")
    _check([(time, fee + 1) for time, fee in fees], PIPS + 2, "fee + 1")
    end = now // BAR * BAR
    prices = _bars(trades, end)
    hours = min(max((len(prices) - LONG) // BARS_PER_HOUR, 0), HOURS)
    count = sum(end - hours * HOUR < time <= end for time, _ in trades)
    if not hours:
        return Volatility(0, 0, count)
    weight, weights, moved, late = 1.0, [], [], []
    for hour in range(hours):
        newest = len(prices) - hour * BARS_PER_HOUR
        slow, fast = (_squares(prices, newest, lag) for lag in (LONG, SHORT))
        fee = _fee(fees, end - hour * HOUR) / PIPS
        weights.append(weight)
        moved.append(weight * (slow - fast))
        late.append(weight * fee * fee)
        weight *= DECAY
    total = math.fsum(weights)
    variance = shown(SCALE * math.fsum(moved) / total, math.fsum(late) / total)
    return Volatility(round(PIPS * math.sqrt(variance)), hours, count)


def shown(variance: float, fee_squared: float) -> float:
    """Return the variance of which `variance` is the share that a pool with this fee shows."""
    seen = max(variance, 0.0)
    return (seen + math.sqrt(seen * seen + 4 * LATE * HOURS_PER_DAY * fee_squared * seen)) / 2


def _check(records: Sequence[tuple[int, float]], above: float, what: str) -> None:
    """Raise the InputError that names the first record out of range or out of order."""
    last = None
    for place, (time, amount) in enumerate(records):
        if not 0 < amount < above:
            raise InputError(f"{what} {amount} of record {place} is out of range", "Check the feed")
        if last is not None and time < last:
            raise InputError(f"record {place} at {time} is before {last}", "Sort records by time")
        last = time


def _bars(trades: Sequence[tuple[int, float]], end: int) -> list[float]:
    """Return a price for each bar that is known, with the four before it; the last at `end`."""
    wanted = HOURS * BARS_PER_HOUR + LONG + MEDIAN - 1
    bars: list[float] = []
    place = 0
    for back in range(wanted - 1, -1, -1):
        while place < len(trades) and trades[place][0] <= end - back * BAR:
            place += 1
        if place:
            bars.append(trades[place - 1][1])
    return [
        sorted(bars[last - MEDIAN : last])[MEDIAN // 2] for last in range(MEDIAN, len(bars) + 1)
    ]


def _fee(fees: Sequence[tuple[int, int]], end: int) -> int:
    """Return the fee in force just before `end`; the first one also before it was set."""
    before = [fee for time, fee in fees if time < end]
    return before[-1] if before else fees[0][1] if fees else 0


def _squares(prices: Sequence[float], newest: int, lag: int) -> float:
    """Return the sum of squared returns over `lag` bars that end in the hour before `newest`.

    A return is the difference over the mean of both prices: the logarithm's up to its third power.
    """
    returns = (
        2 * (prices[place] - prices[place - lag]) / (prices[place] + prices[place - lag])
        for place in range(newest - BARS_PER_HOUR, newest)
    )
    return math.fsum(one * one for one in returns)
