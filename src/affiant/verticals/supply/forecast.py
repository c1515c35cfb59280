"""What demand will be when an order arrives, with an honest spread.

Seasonal naive with drift: the forecast is the last known value at the target's place in the season,
moved by how far the most recent sixth of a season lies from the same sixth a season earlier.
The movement is a difference (additive) or a quotient (multiplicative): whichever forecast this
history itself better. The spread is empirical: the errors the same rule would have made at each
earlier period over the same horizon, without assuming any distribution.

Why a sixth: of 1, 2, 3, 4, 6 and 12 months, 2 cost least on the airline series of 1955 to 1958
(578, against 984 for a whole season, at a cost of 3 per unit short and 1 per unit left).

Only + - * / and `math.fsum` are used, and results are rounded to 6 decimals, so the same history
gives the same digits on every machine, as a replay needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.errors import InputError

#: Decimals of every number a forecast returns.
DECIMALS = 6
#: The share of a season from which the drift is measured: a sixth, at least one period.
DRIFT_SHARE = 6
#: Errors older than this many seasons are forgotten.
RESIDUAL_SEASONS = 3
#: A multiplicative forecast grows or shrinks at most by this factor: a guard against explosion.
MAX_GROWTH = 4.0
#: Quotients are trusted only in a history whose largest value is at most this many times its least.
MAX_SPREAD = 1000.0
#: Below this, the last decimal kept, a value counts as zero: quotients say nothing.
MIN_VALUE = 1e-6
#: The largest value and the longest horizon (in seasons) accepted.
MAX_VALUE = 1e12
MAX_HORIZON_SEASONS = 10


@dataclass(frozen=True)
class Forecast:
    """A forecast of one future value, in the unit of the history.

    `residuals` are the errors (actual minus forecast) of the walk through the history, ascending;
    a multiplicative method scales them to the level of `point`. `method` is "additive" or
    "multiplicative". All numbers have 6 decimals.
    """

    point: float
    residuals: tuple[float, ...]
    method: str
    season: int
    horizon: int

    def quantile(self, p: float) -> float:
        """Return the value that demand stays below with probability `p`, never negative.

        Hyndman and Fan's (1996) type 6: the k-th of n residuals stands for p = k / (n + 1),
        linear between, the outermost residual beyond. Raises: InputError unless 0 <= p <= 1.
        """
        if not 0 <= p <= 1:
            raise InputError(f"probability {p} is not from 0 to 1", "Give a value such as 0.75")
        last = len(self.residuals) - 1
        place = min(max((last + 2) * float(p) - 1, 0.0), float(last))
        low = math.floor(place)
        below, above = self.residuals[low], self.residuals[min(low + 1, last)]
        residual = min(below + (place - low) * (above - below), above)
        return round(max(self.point + residual, 0.0), DECIMALS)

    def interval(self, level: float) -> tuple[float, float]:
        """Return the central interval that holds demand with probability `level`.

        It is never wider than the errors seen. Raises: InputError unless 0 <= level <= 1.
        """
        if not 0 <= level <= 1:
            raise InputError(f"level {level} is not from 0 to 1", "Give a value such as 0.9")
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)


def forecast(history: Sequence[float], season: int, horizon: int) -> Forecast:
    """Forecast the value `horizon` periods after the last of `history`.

    `history` holds one value per period, oldest first, with a season of `season` periods. The cost
    is a few additions per value. Raises: InputError if a value is negative, not finite or above
    1e12, if season or horizon is out of range, or if the history is shorter than two seasons plus
    the horizon.
    """
    values = _checked(history, season, horizon)
    methods = ["additive"]
    if min(values) >= MIN_VALUE and max(values) <= MAX_SPREAD * min(values):
        methods.append("multiplicative")
    walks = {method: _walk(values, season, horizon, method) for method in methods}
    method = min(methods, key=lambda name: _mean_error(walks[name]))
    point = _point(values, season, horizon, method)
    if method == "additive":
        errors = [actual - said for actual, said in walks[method]]
    else:
        errors = [point * (actual / said - 1) for actual, said in walks[method]]
    residuals = tuple(sorted(round(error, DECIMALS) for error in errors))
    return Forecast(round(point, DECIMALS), residuals, method, season, horizon)


def _checked(history: Sequence[float], season: int, horizon: int) -> tuple[float, ...]:
    """Return the history as floats, or raise the InputError that names its fault."""
    if season < 1:
        raise InputError(f"season {season} is below 1", "Give the periods in a season, such as 12")
    if not 1 <= horizon <= MAX_HORIZON_SEASONS * season:
        raise InputError(
            f"horizon {horizon} is not from 1 to {MAX_HORIZON_SEASONS * season} periods",
            f"Forecast at most {MAX_HORIZON_SEASONS} seasons ahead",
        )
    least = 2 * season + horizon
    if len(history) < least:
        raise InputError(
            f"the history has {len(history)} of the {least} values needed "
            f"(two seasons of {season}, and the horizon of {horizon})",
            "Give a longer history",
        )
    values = tuple(float(value) for value in history)
    for place, value in enumerate(values):
        if not 0 <= value <= MAX_VALUE:
            raise InputError(
                f"value {value} at position {place} of the history is out of range",
                f"Give numbers from 0 to {MAX_VALUE:.0e}",
            )
    return values


def _point(values: Sequence[float], season: int, horizon: int, method: str) -> float:
    """Forecast one value from at least `season + 1` values, unrounded and never negative."""
    count = len(values)
    seasons = -(-horizon // season)
    base = values[count - 1 + horizon - seasons * season]
    window = min(max(1, season // DRIFT_SHARE), count - season)
    recent = math.fsum(values[count - window :])
    earlier = math.fsum(values[count - window - season : count - season])
    if method == "additive":
        return max(base + seasons * ((recent - earlier) / window), 0.0)
    growth = 1.0
    for _ in range(seasons):
        growth *= recent / earlier
    return base * min(max(growth, 1 / MAX_GROWTH), MAX_GROWTH)


def _walk(
    values: Sequence[float], season: int, horizon: int, method: str
) -> list[tuple[float, float]]:
    """Return (actual, forecast) at each recent period, each forecast from what was known then."""
    first = max(season + 1, len(values) - horizon + 1 - RESIDUAL_SEASONS * season)
    pairs = []
    for known in range(first, len(values) - horizon + 1):
        # The rule looks back no further than a season and a window: copy only that.
        past = values[max(0, known - 2 * season) : known]
        pairs.append((values[known + horizon - 1], _point(past, season, horizon, method)))
    return pairs


def _mean_error(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the mean absolute error, rounded so that a tie is a tie (and goes to additive)."""
    return round(math.fsum(abs(actual - said) for actual, said in pairs) / len(pairs), DECIMALS)
