"""How odd a point is beside the points before it: for an agent's decisions and for time series.

A conformal nearest-neighbour detector (Laxhammar and Falkman, 2010). A point's oddness is its mean
distance to the nearest points in a bounded memory; its p-value is the rank of that oddness among
those of earlier points. A rank cannot go below 1/n, so beyond the largest two per cent a fitted
tail goes on (peaks over a threshold, as Siffer et al., KDD 2017, use it): exponential in
log(1 + oddness), which is a power law far out, so that bursts do not look impossible.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

import numpy as np

from affiant.kernel.errors import InputError

#: The share of points that the tail is fitted to, and their least number: the mean of ten
#: exponential excesses has a standard error of a third.
TAIL_SHARE, LEAST_PEAKS = 0.02, 10
#: The least mean excess, where all points were equally odd (a constant feature): a point ten units
#: away then has e^-24 of the tail, one that is one unit away e^-7.
LEAST_EXCESS = 0.1
#: The least p-value told: the product of two is still a normal float.
LEAST_P = 1e-150
#: Median and spread are taken anew when this share of the memory has changed.
RENEWED = 1 / 16
#: From the median absolute deviation to the standard deviation of a normal distribution.
NORMAL = 1.4826
#: A spread is at least a tenth of the standard deviation, for features that are mostly one value,
#: and a hundredth of the median, for constant ones: so a feature must not be a date.
OF_DEVIATION, OF_MEDIAN = 0.1, 0.01
#: Larger numbers would overflow when squared.
LARGEST = 1e100


class Neighbours:
    """Online conformal nearest-neighbour detector of points with a fixed number of features.

    The last `memory` points learned are kept; the nearest `neighbours` of them count, three by
    default, so that one odd point once learned hides no second. Nothing is odd until `warm_up`
    points were learned; the first half of them is not ranked, for all is far apart at first.
    A difference of `least_spread` is never more than one unit.
    """

    def __init__(
        self,
        *,
        memory: int = 256,
        neighbours: int = 3,
        warm_up: int = 40,
        least_spread: float = 1e-6,
    ) -> None:
        fits = 1 <= neighbours <= warm_up // 2 and 2 * LEAST_PEAKS < warm_up - 1 < memory
        if not (fits and 0 < least_spread <= LARGEST):
            raise InputError(
                f"memory {memory}, neighbours {neighbours}, warm-up {warm_up} and least spread "
                f"{least_spread} do not fit",
                f"Warm up for {2 * LEAST_PEAKS + 2} to memory, twice neighbours; give a spread > 0",
            )
        self._memory, self._neighbours, self._warm_up = memory, neighbours, warm_up
        self._least_spread = least_spread
        self._learned = self._renewed = 0
        self._raw = self._scaled = np.empty((0, memory))  # a row per feature, a column per point
        self._middle, self._spread = np.zeros((0, 1)), np.ones((0, 1))
        self._levels = deque[float]()  # log(1 + oddness) of each point kept, oldest first
        self._ranked: list[float] = []  # the same, ascending
        self._last: tuple[tuple[float, ...], float] | None = None

    def score(self, point: Sequence[float]) -> float:
        """Return how likely a point at least as odd is: a p-value in (0, 1], 1.0 until warm.

        Raises: InputError if a number is not finite, or their number differs from the first's.
        """
        level = self._level(self._checked(point))
        return 1.0 if self._learned < self._warm_up else self._likelihood(level)

    def learn(self, point: Sequence[float]) -> None:
        """Add a point to the memory. Raises: InputError as `score` does."""
        known = self._checked(point)
        if not self._learned:
            self._raw, self._scaled = np.empty((2, len(known), self._memory))
            self._middle, self._spread = np.zeros((len(known), 1)), np.ones((len(known), 1))
        if self._learned >= self._warm_up // 2:
            self._rank(self._level(known))
        place = self._learned % self._memory
        column = np.array(known)[:, None]
        self._raw[:, place : place + 1] = column
        self._scaled[:, place : place + 1] = (column - self._middle) / self._spread
        self._last = None
        self._learned += 1
        if self._learned - self._renewed >= RENEWED * min(self._learned, self._memory):
            self._rescale()

    def _checked(self, point: Sequence[float]) -> tuple[float, ...]:
        known = tuple(map(float, point))
        if not all(abs(number) <= LARGEST for number in known):
            raise InputError(
                f"point {known} has a number that is not finite, or too large",
                f"Give finite numbers, at most {LARGEST:g}",
            )
        if not known or (self._learned and len(known) != len(self._raw)):
            raise InputError(
                f"point {known} has {len(known)} features, the memory {len(self._raw)}",
                "Give every point of a detector the same features, at least one",
            )
        return known

    def _level(self, point: tuple[float, ...]) -> float:
        """Return log(1 + oddness); 0 while there are too few neighbours."""
        if self._last is not None and self._last[0] == point:
            return self._last[1]
        kept = min(self._learned, self._memory)
        if kept < self._neighbours:
            return 0.0
        away = self._scaled[:, :kept] - (np.array(point)[:, None] - self._middle) / self._spread
        squares = np.einsum("ij,ij->j", away, away)
        if self._neighbours == 1:
            oddness = math.sqrt(squares.min())
        else:
            squares.partition(self._neighbours - 1)
            oddness = float(np.sqrt(squares[: self._neighbours]).sum()) / self._neighbours
        self._last = point, math.log1p(oddness)
        return self._last[1]

    def _rank(self, level: float) -> None:
        if len(self._levels) == self._memory:
            del self._ranked[bisect_left(self._ranked, self._levels.popleft())]
        self._levels.append(level)
        insort(self._ranked, level)

    def _likelihood(self, level: float) -> float:
        """Return the share of levels at least as high, or what the tail says beyond."""
        ranked = self._ranked
        peaks = max(LEAST_PEAKS, int(TAIL_SHARE * len(ranked)))
        threshold = ranked[-peaks - 1]
        if level <= threshold:
            return (len(ranked) - bisect_left(ranked, level) + 1) / (len(ranked) + 1)
        excess = max(math.fsum(ranked[-peaks:]) / peaks - threshold, LEAST_EXCESS)
        tail = peaks / (len(ranked) + 1) * math.exp(-(level - threshold) / excess)
        return max(tail, LEAST_P)

    def _rescale(self) -> None:
        """Take median and spread anew from the memory, and scale it by them."""
        kept = self._raw[:, : min(self._learned, self._memory)]
        self._middle = np.median(kept, axis=1, keepdims=True)
        usual = NORMAL * np.median(np.abs(kept - self._middle), axis=1, keepdims=True)
        least = np.maximum(OF_MEDIAN * np.abs(self._middle), self._least_spread)
        rare = OF_DEVIATION * kept.std(axis=1, keepdims=True)
        self._spread = np.maximum(np.maximum(usual, rare), least)
        self._scaled[:, : kept.shape[1]] = (kept - self._middle) / self._spread
        self._renewed = self._learned


class Series:
    """A detector of odd values in one time series, and of odd runs of values.

    Two detectors with one neighbour each: of the value, and of the mean of the last `run` values,
    where a change that stays shows. What goes on is told once: for `quiet` values after a score,
    only lower ones are told. One neighbour, for in a long memory one like it is enough to be usual;
    of values every five minutes the defaults keep 57 days and are quiet for twelve hours.
    """

    def __init__(self, *, memory: int = 16384, run: int = 8, quiet: int = 144) -> None:
        if run < 1 or quiet < 0:
            raise InputError(f"run {run} or quiet {quiet} is too small", "Give at least 1 and 0")
        self._value = Neighbours(memory=memory, neighbours=1)
        self._mean = Neighbours(memory=memory, neighbours=1)
        self._window = deque[float](maxlen=run)
        self._quiet = quiet
        self._told = deque[tuple[int, float]]()  # when and what, both rising
        self._seen = 0

    def score_and_learn(self, value: float) -> float:
        """Return the p-value of a value, 1.0 if it is told already; then learn it.

        Raises: InputError if the value is not finite.
        """
        first = self._value.score([value])
        self._value.learn([value])
        self._window.append(value)
        mean = [math.fsum(self._window) / len(self._window)]
        both = first * self._mean.score(mean)
        self._mean.learn(mean)
        return self._once(both * (1 - math.log(both)))

    def _once(self, found: float) -> float:
        """Return a p-value if it is lower than all of the last `quiet`, else 1.0."""
        self._seen += 1
        while self._told and self._told[0][0] < self._seen - self._quiet:
            self._told.popleft()
        fresh = not self._told or found < self._told[0][1]
        while self._told and self._told[-1][1] >= found:
            self._told.pop()
        self._told.append((self._seen, found))
        return found if fresh else 1.0
