"""The snapshot of a capped ratio, and what must hold between the parameters of one update.

A staked token is worth a ratio that grows slowly. An oracle in the form of Aave's CAPO takes no
more than a cap for it: the ratio of a snapshot, grown from the snapshot's time at a yearly rate.
Each parameter has bounds of its own, but bounds do not see that the ratio belongs to its time: on
10 March 2026 a ratio was held back to its bound while its time moved on, and the cap fell 2.85 %
below the market.

`violated` names what an update would break, by the rules of `SnapshotGuard.sol`, and
`out_of_bounds` by those of `RiskSteward.sol`, with the same rounding. `propose` finds an update
that breaks nothing: if the bounds do not allow the ratio of seven days ago, it walks back to a time
whose recorded ratio they allow, and never moves one without the other.

Integers as on chain: ratios have 18 decimals, shares are ppm, times are seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PPM = 1_000_000
WAD = 10**18
DAY = 86_400
YEAR = 365 * DAY

RATIO = "snapshotRatio"
TIMESTAMP = "snapshotTimestamp"
LTV = "ltv"
THRESHOLD = "liquidationThreshold"

#: The parameters that one call sets together, by name.
Update = Mapping[str, int]


@dataclass(frozen=True, order=True)
class Record:
    """The ratio that was recorded at a time."""

    timestamp: int
    ratio: int


@dataclass(frozen=True)
class Stored:
    """The value of a parameter, and when an agent last changed it; 0 for never."""

    value: int
    changed: int = 0


@dataclass(frozen=True)
class Bound:
    """What a parameter may be set to, whatever the others are."""

    least: int
    most: int
    step: int = 0
    """The most it may move at once, in ppm of its value; 0 for any."""
    delay: int = 0
    """The fewest seconds between two changes."""


@dataclass(frozen=True)
class Limits:
    """What the oracle and its guard hold fixed."""

    growth: int = 96_800
    """How much the cap grows in a year, in ppm of the snapshot's ratio."""
    youngest: int = 7 * DAY
    """The least age of a snapshot, in seconds."""
    record_age: int = DAY
    """The most seconds from the record that a snapshot is compared with to the snapshot."""
    tolerance: int = 10
    """How far a ratio may be from the recorded one, in ppm of that."""
    gap: int = 20_000
    """The least that the liquidation threshold must be above the LTV, in ppm."""


@dataclass(frozen=True)
class Wait:
    """No update is to be made now, for this reason. `rule` names it for machines."""

    rule: str
    reason: str


@dataclass(frozen=True)
class Case:
    """An update, and what it would be made to."""

    update: Update
    stored: Mapping[str, Stored]
    history: Sequence[Record]
    bounds: Mapping[str, Bound]
    limits: Limits
    now: int
    market: int
    """The present ratio."""

    @property
    def violated(self) -> str | None:
        """The first thing that would not hold; None if all does."""
        return violated(self.update, self.stored, self.history, self.limits, self.now, self.market)

    @property
    def out_of_bounds(self) -> str | None:
        """The first bound of one parameter that refuses the update; None for none."""
        return out_of_bounds(self.update, self.stored, self.bounds, self.now)


def cap(ratio: int, timestamp: int, growth: int, now: int) -> int:
    """Return the most that the ratio counts for at `now`, rounded down."""
    return ratio + ratio * growth * max(now - timestamp, 0) // (PPM * YEAR)


def violated(
    update: Update,
    stored: Mapping[str, Stored],
    history: Sequence[Record],
    limits: Limits,
    now: int,
    market: int | None = None,
) -> str | None:
    """Return the name of the first thing that would not hold after the update; None if all does.

    `history` is sorted by time. `market` is the present ratio, that of the last record until `now`
    if it is not given.
    """
    if (RATIO in update) != (TIMESTAMP in update):
        return "MovedApart"
    if RATIO in update:
        present = _at(history, now).ratio if market is None else market
        if update[TIMESTAMP] < stored[TIMESTAMP].value:
            return "TimestampGoesBack"
        name = _unsound(update[RATIO], update[TIMESTAMP], history, limits, now, present)
        if name is not None:
            return name
    if LTV in update or THRESHOLD in update:
        after = {name: kept.value for name, kept in stored.items()} | dict(update)
        if after[LTV] + limits.gap > after[THRESHOLD]:
            return "GapTooSmall"
    return None


def out_of_bounds(
    update: Update, stored: Mapping[str, Stored], bounds: Mapping[str, Bound], now: int
) -> str | None:
    """Return the name of the first bound of one parameter that refuses the update, None for none.

    Parameters are looked at in the order of their names, as on chain.
    """
    for name, value in sorted(update.items()):
        bound, kept = bounds[name], stored[name]
        if not bound.least <= value <= bound.most:
            return "OutOfRange"
        if bound.step and abs(value - kept.value) > kept.value * bound.step // PPM:
            return "StepTooLarge"
        if now < kept.changed + bound.delay:
            return "TooSoon"
    return None


def propose(
    history: Sequence[Record],
    stored: Mapping[str, Stored],
    bounds: Mapping[str, Bound],
    now: int,
    limits: Limits = Limits(),
) -> Update | Wait:
    """Return the newest snapshot that bounds and limits allow, or why to wait.

    `history` is sorted by time.
    """
    refused = "NoRecord"
    for at in range(bisect_right(history, now - limits.youngest, key=_time) - 1, -1, -1):
        if history[at].timestamp <= stored[TIMESTAMP].value:
            break
        update = {RATIO: history[at].ratio, TIMESTAMP: history[at].timestamp}
        name = out_of_bounds(update, stored, bounds, now)
        name = name or violated(update, stored, history, limits, now)
        if name is None:
            return update
        refused = name
    kept = stored[TIMESTAMP].value
    return Wait(refused, f"no record between {kept} and {now - limits.youngest} can be taken")


def incident() -> Case:
    """Return the update of 10 March 2026 on wstETH, as the post-mortem tells it.

    A ratio of 1.1572 was stored since early 2024; that of seven days ago was 1.2282, but the bound
    of 3 % cut it to 1.1919, while the time moved to seven days ago. The cap became 1.194, 2.85 %
    below the market. The day in 2024, and a record each day along a straight line, are assumed.
    Source: governance.aave.com/t/24269.
    """
    now = 1_773_143_160  # 2026-03-10 11:46 UTC
    begun, limits = now - 768 * DAY, Limits()
    ratio = 11_572 * WAD // 10_000
    cut, moved = ratio + ratio * 30_000 // PPM, now - 7 * DAY
    market = cap(cut, moved, limits.growth, now) * 10_000 // 9_715
    days = (now - begun) // DAY
    history = [
        Record(begun + day * DAY, ratio + (market - ratio) * day // days) for day in range(days + 1)
    ]
    stored = {RATIO: Stored(ratio), TIMESTAMP: Stored(begun)}
    bounds = {
        RATIO: Bound(WAD, 2 * WAD, step=30_000, delay=3 * DAY),
        TIMESTAMP: Bound(0, 2**48 - 1, delay=3 * DAY),
    }
    return Case({RATIO: cut, TIMESTAMP: moved}, stored, history, bounds, limits, now, market)


def _unsound(
    ratio: int, timestamp: int, history: Sequence[Record], limits: Limits, now: int, market: int
) -> str | None:
    """Return what is wrong with a ratio and its time."""
    if timestamp > now - limits.youngest:
        return "TimestampTooYoung"
    known = _at(history, timestamp)
    if known.timestamp == 0 or timestamp - known.timestamp > limits.record_age:
        return "NoRecord"
    if abs(ratio - known.ratio) > known.ratio * limits.tolerance // PPM:
        return "ValueNotOfItsTime"
    return "CapBelowMarket" if cap(ratio, timestamp, limits.growth, now) < market else None


def _at(history: Sequence[Record], time: int) -> Record:
    """Return the newest record at or before a time; zeros if there is none."""
    at = bisect_right(history, time, key=_time) - 1
    return history[at] if at >= 0 else Record(0, 0)


def _time(record: Record) -> int:
    return record.timestamp
