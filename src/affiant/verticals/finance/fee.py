"""What a pool's fee should be, and how far it may go there now.

A threshold schedule: near the cost of arbitrage in normal times and high in stress, as Campbell,
Bergault, Milionis and Nutz (arXiv 2508.08152) find best. The levels depend on how traders react to
the fee, which is the operator's assumption; `calibrate.py` finds them.

Around a threshold the fee stays as it is: each change costs gas. Fees and volatilities are whole
numbers of pips (millionths), so the rules here are exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.errors import InputError
from affiant.verticals.finance.volatility import PIPS, Volatility

PERCENT = 100


@dataclass(frozen=True)
class FeeSchedule:
    """Fees by volatility: `fees[i]` from `thresholds[i - 1]` on, all in pips, none falling."""

    thresholds: tuple[int, ...]
    """Volatilities of a day, ascending."""
    fees: tuple[int, ...]
    margin: int = 30
    """How many per cent beyond a threshold the volatility must be for the fee to follow."""

    def __post_init__(self) -> None:
        """Refuse what is no schedule. Raises: InputError."""
        if len(self.fees) != len(self.thresholds) + 1:
            raise InputError(
                f"{len(self.fees)} fees do not fit {len(self.thresholds)} thresholds",
                "Give one fee more than thresholds",
            )
        rising = all(a < b for a, b in itertools.pairwise((0, *self.thresholds)))
        ordered = all(a <= b for a, b in itertools.pairwise((0, *self.fees, PIPS)))
        if not (rising and ordered and self.margin >= 0):
            raise InputError(
                f"{self} is no schedule",
                "Thresholds must rise from above 0, fees must not fall; the margin is 0 or more",
            )


@dataclass(frozen=True)
class FeeBounds:
    """What the pool's contract allows: fees in pips, the delay in seconds."""

    lowest: int
    highest: int
    step: int
    """The largest change at once."""
    delay: int
    """The least time between changes."""

    def __post_init__(self) -> None:
        """Refuse bounds that nothing fits. Raises: InputError."""
        if not (0 <= self.lowest <= self.highest <= PIPS and self.step > 0 and self.delay >= 0):
            raise InputError(f"{self} allow nothing", "Give 0 <= lowest <= highest and a step")


def wanted_fee(volatility: Volatility, schedule: FeeSchedule, current: int) -> int:
    """Return the schedule's fee: `current` if it fits anywhere within the margin, else the nearest.

    Exact, without divisions: a threshold is passed upwards at (100 + margin) % of it, downwards at
    100 / (100 + margin) of it.
    """
    more = PERCENT + schedule.margin
    least = _level(schedule, PERCENT * volatility.pips, more)
    most = _level(schedule, more * volatility.pips, PERCENT)
    return min(max(current, schedule.fees[least]), schedule.fees[most])


def next_fee(current: int, wanted: int, bounds: FeeBounds, since: int) -> int:
    """Return the fee nearest to `wanted` that may be set `since` seconds after the last change.

    It is `current` if that is too early. Raises: InputError if no allowed fee is in reach.
    """
    if since < bounds.delay:
        return current
    target = min(max(wanted, bounds.lowest), bounds.highest)
    fee = min(max(target, current - bounds.step), current + bounds.step)
    if not bounds.lowest <= fee <= bounds.highest:
        raise InputError(
            f"from the fee {current} no step of {bounds.step} reaches the bounds",
            "Let the pool's owner set a fee inside them",
        )
    return fee


def steps(levels: Sequence[int], edges: Sequence[int], margin: int) -> FeeSchedule:
    """Return the schedule of `levels` between `edges`, without the edges where nothing changes."""
    kept = [
        place for place, edge in enumerate(edges) if levels[place] != levels[place + 1] and edge
    ]
    return FeeSchedule(
        tuple(edges[place] for place in kept),
        (levels[0], *(levels[place + 1] for place in kept)),
        margin,
    )


def _level(schedule: FeeSchedule, volatility: int, factor: int) -> int:
    """Return how many thresholds, times `factor`, `volatility` has reached."""
    return sum(volatility >= factor * threshold for threshold in schedule.thresholds)
