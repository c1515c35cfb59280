"""What a vault holds: from a window of prices to target weights, or a reason to stay as it is.

Weights are ppm of the vault's value; what they leave of a million is cash, and there is no
leverage. `risk-parity` gives each fund the same share of the risk, `inverse-volatility` does so as
if the funds moved independently, `equal` is 1/N, the peer. A volatility target then turns part of
the whole into cash when the funds move more than the target allows.

The band keeps the vault from paying for a move that changes little: below it the vault stays.

Only + - * / and the square root are used, which IEEE 754 rounds in one way, and `math.fsum`; so the
same window gives the same weights on every machine, as a replay needs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from affiant.kernel.errors import InputError

PPM = 1_000_000
#: Sweeps over the funds that find risk parity; twenty are enough to the last ppm.
SWEEPS = 100

Method = Literal["risk-parity", "inverse-volatility", "equal"]
Vector = list[float]
Matrix = list[Vector]


@dataclass(frozen=True)
class Settings:
    """How the weights are found. All shares are ppm.

    The defaults are those of the vault; see `bench/finance_vault.py` for how they were chosen.
    """

    method: Method = "risk-parity"
    cap: int = PPM
    """What one fund may hold at most, if it has no cap of its own."""
    volatility: int | None = 100_000
    """The most volatility a year that the weights may have had recently; None for any."""
    recent: int = 63
    """The periods that volatility is measured over."""
    band: int = 50_000
    """The turnover below which the vault stays as it is."""
    year: int = 252
    """Periods in a year."""
    least: int = 126
    """The fewest periods that a window may have."""
    jump: int | None = 500_000
    """A larger change in one period is taken for a fault in the data; None for none."""
    stale: int | None = 10
    """So many equal prices at the end of a series are taken for a feed that stopped."""

    def __post_init__(self) -> None:
        if not 0 < self.cap <= PPM:
            raise InputError(f"cap {self.cap} is not from 1 to {PPM} ppm", "Give a share in ppm")
        if self.volatility is not None and self.volatility <= 0:
            raise InputError(f"volatility {self.volatility} is not above 0", "Give ppm a year")
        if min(self.recent, self.least, self.stale or 2) < 2 or self.recent > self.least:
            raise InputError(
                f"periods {self.recent} and {self.least} and {self.stale} do not fit",
                "Give 2 or more, and least not below recent",
            )


@dataclass(frozen=True)
class Target:
    """What to hold, in ppm of the value, and what getting there turns over."""

    weights: tuple[int, ...]
    turnover: int
    """Bought plus sold, in ppm of the value, from the weights as they drifted."""
    volatility: int
    """What these weights would have had recently, in ppm a year."""
    reason: str


@dataclass(frozen=True)
class Stay:
    """Nothing is to be done, for this reason. `rule` names it for machines."""

    rule: str
    reason: str


VAULT = Settings()
#: The peer: 1/N, rebalanced whatever it costs.
EQUAL = Settings(method="equal", volatility=None, band=0, recent=2, least=2, jump=None, stale=None)


def decide(
    prices: Sequence[Sequence[float]],
    held: Sequence[int],
    settings: Settings = VAULT,
    caps: Sequence[int] | None = None,
) -> Target | Stay:
    """Return the weights to hold after the last of `prices`, or why to stay.

    `prices` has one series per fund, oldest first, all of the same times; `held` has the weights as
    they are now, after what the prices did to them; `caps` what each fund may hold at most.
    """
    caps = [settings.cap for _ in held] if caps is None else caps
    fault = _fault(prices, held, caps, settings)
    if fault is not None:
        return fault
    changes = [_changes(series) for series in prices]
    spread = _covariance(changes)
    flat = [fund for fund in range(len(prices)) if spread[fund][fund] <= 0]
    if flat and settings.method != "equal":
        return Stay("flat-prices", f"fund {flat[0]} did not move: nothing tells its risk")
    shares = _capped(_shares(spread, settings.method), [cap / PPM for cap in caps])
    recent = _covariance([series[-settings.recent :] for series in changes])
    moved = math.sqrt(max(_variance(recent, shares), 0.0) * settings.year)
    limit = moved if settings.volatility is None else settings.volatility / PPM
    scale = 1.0 if moved <= limit else limit / moved
    weights = tuple(math.floor(share * scale * PPM) for share in shares)
    turnover = sum(abs(new - old) for new, old in zip(weights, held, strict=True))
    within = all(weight <= cap for weight, cap in zip(held, caps, strict=True))
    if turnover <= settings.band and within:
        return Stay("inside-band", f"turnover of {turnover} ppm is not above {settings.band}")
    found = math.floor(moved * scale * PPM)
    return Target(weights, turnover, found, f"{settings.method}, {sum(weights)} ppm invested")


def _fault(
    prices: Sequence[Sequence[float]], held: Sequence[int], caps: Sequence[int], settings: Settings
) -> Stay | None:
    """Return what is wrong with what was given."""
    if not len(prices) == len(held) == len(caps) > 0:
        counts = f"{len(prices)} series of prices, {len(held)} weights, {len(caps)} caps"
        return Stay("funds-differ", counts)
    if min(held) < 0 or sum(held) > PPM:
        return Stay("weights-held", f"weights {tuple(held)} are not shares of {PPM}")
    if len({len(series) for series in prices}) > 1:
        return Stay("prices-uneven", "the series have different lengths")
    if len(prices[0]) <= settings.least:
        return Stay("window-short", f"{len(prices[0])} prices; more than {settings.least} needed")
    faults = (_broken(fund, series, settings) for fund, series in enumerate(prices))
    return next((fault for fault in faults if fault is not None), None)


def _broken(fund: int, series: Sequence[float], settings: Settings) -> Stay | None:
    """Return what is wrong with the prices of one fund."""
    if not all(type(price) in {int, float} and 0 < price < math.inf for price in series):
        return Stay("price-missing", f"fund {fund} has a price that is no number above 0")
    if settings.stale is not None and len(set(series[-settings.stale :])) == 1:
        return Stay("prices-stale", f"the last {settings.stale} prices of fund {fund} are one")
    largest = max(abs(change) for change in _changes(series))
    if settings.jump is not None and largest > settings.jump / PPM:
        return Stay("price-jump", f"fund {fund} moved more than {settings.jump} ppm at once")
    return None


def _changes(series: Sequence[float]) -> Vector:
    return [new / old - 1 for old, new in itertools.pairwise(series)]


def _covariance(changes: Sequence[Vector]) -> Matrix:
    """Return the sample covariance of the changes, a period."""
    count = len(changes[0])
    means = [math.fsum(series) / count for series in changes]
    centred = [[x - mean for x in series] for series, mean in zip(changes, means, strict=True)]
    return [
        [math.fsum(x * y for x, y in zip(a, b, strict=True)) / (count - 1) for b in centred]
        for a in centred
    ]


def _variance(spread: Matrix, shares: Vector) -> float:
    return math.fsum(
        share * other * cell
        for share, row in zip(shares, spread, strict=True)
        for other, cell in zip(shares, row, strict=True)
    )


def _shares(spread: Matrix, method: Method) -> Vector:
    """Return the share of each fund; they sum to 1."""
    funds = range(len(spread))
    if method == "equal":
        return [1 / len(spread) for _ in funds]
    # In units of each fund's own volatility: inverse volatility is then 1 for each.
    sizes = [math.sqrt(spread[fund][fund]) for fund in funds]
    parts = [1.0 for _ in funds]
    if method == "risk-parity":
        parts = _parity([[spread[i][j] / (sizes[i] * sizes[j]) for j in funds] for i in funds])
    raw = [part / size for part, size in zip(parts, sizes, strict=True)]
    total = math.fsum(raw)
    return [share / total for share in raw]


def _parity(correlation: Matrix) -> Vector:
    """Return x with x_i (C x)_i = 1 for every i, by turns (Griveau-Billion et al., 2013)."""
    parts = [1.0 for _ in correlation]
    for _ in range(SWEEPS):
        for fund, row in enumerate(correlation):
            others = math.fsum(
                cell * part
                for at, (cell, part) in enumerate(zip(row, parts, strict=True))
                if at != fund
            )
            parts[fund] = (math.sqrt(others * others + 4) - others) / 2
    return parts


def _capped(shares: Vector, caps: Vector) -> Vector:
    """Return the shares with none above its cap; the others take what is cut off, in proportion."""
    free = set(range(len(shares)))
    while free:
        taken = math.fsum(cap for fund, cap in enumerate(caps) if fund not in free)
        rest = max(1 - taken, 0.0)
        total = math.fsum(shares[fund] for fund in free)
        over = {fund for fund in free if shares[fund] * rest > caps[fund] * total}
        if not over:
            return [
                share * rest / total if fund in free else caps[fund]
                for fund, share in enumerate(shares)
            ]
        free -= over
    return list(caps)
