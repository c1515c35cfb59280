"""Updates of risk parameters: are the harmful ones refused, and the benign ones not?

Benign snapshots come from the liquidity indices of two Aave reserves, minute by minute for 4 days.
An hour stands for a day: a snapshot is at least 7 hours old, 3 hours lie between changes, and the
yearly growth is three times the reserve's own, as wstETH's is. One in ten records is missing, the
others come up to 12 s late, and an update executes up to 5 minutes after it was proposed. Half of
the snapshots are what `propose` finds, with a step that holds the ratio back after a pause; half
are by an agent that asks its own node for exactly 7 hours ago. Benign pairs of LTV and threshold
are those of Aave's tables of three chains, moved alike or apart within a step of 3 %. The least gap
of 2 % and the tolerance of 10 ppm were chosen knowing these data.

Harmful updates are benign ones, damaged; of wstETH there is only a straight line through the
incident's ratios, by day. All this is the guard's rule in Python; the contract is measured apart.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from affiant.verticals.finance.snapshot import (
    DAY,
    LTV,
    PPM,
    RATIO,
    THRESHOLD,
    TIMESTAMP,
    WAD,
    YEAR,
    Bound,
    Case,
    Limits,
    Record,
    Stored,
    Wait,
    cap,
    incident,
    propose,
)
from bench.run import REPOSITORY, Figure, Run, rounded

MINUTE, HOUR = 60, 3600
#: The most that a ratio may move at once, in ppm: what wstETH had, and one that binds here.
STEPS = (30_000, 15)
#: How far LTV and threshold move, in units of the tables, 0.01 %.
MOVES = (10, 25, 50, 100)
BP = 100


@dataclass(frozen=True)
class Series:
    """The liquidity index of a reserve, each minute."""

    start: int
    ratios: tuple[int, ...]

    @property
    def end(self) -> int:
        """The last time."""
        return self.start + MINUTE * (len(self.ratios) - 1)

    @property
    def limits(self) -> Limits:
        """What holds for this reserve, with an hour for a day."""
        own = (self.ratios[-1] - self.ratios[0]) * PPM * YEAR
        growth = 3 * own // (self.ratios[0] * (self.end - self.start))
        return Limits(growth=growth, youngest=7 * HOUR, record_age=HOUR)

    def at(self, time: int) -> int:
        """Return the ratio at a time, as a node would tell it."""
        return self.ratios[(time - self.start) // MINUTE]

    def records(self, chance: random.Random, apart: int = 1) -> list[Record]:
        """Return what was recorded each so many minutes; some late, some not at all."""
        return [
            Record(self.start + MINUTE * at + chance.randrange(13), self.ratios[at])
            for at in range(0, len(self.ratios), apart)
            if chance.random() >= 0.1
        ]


@dataclass
class Tally:
    """What became of updates of one kind."""

    made: int = 0
    guard: Counter[str] = field(default_factory=Counter)
    """Refused by the guard, by name."""
    bounds: int = 0
    """Refused by a parameter's own bounds, whether or not by the guard."""
    passed: int = 0
    """Refused by neither."""
    error: int = 0
    """The largest error in ppm among those."""
    margin: float = 1.0
    """The least that a cap lay above the market among those, as a share."""

    def see(self, case: Case, error: int = 0) -> None:
        """Judge an update that is so many ppm off."""
        self.made += 1
        name, bound = case.violated, case.out_of_bounds
        self.bounds += bound is not None
        if name is not None:
            self.guard[name] += 1
        elif bound is None:
            self.passed += 1
            self.error = max(self.error, error)
            if RATIO in case.update:
                self.margin = min(self.margin, _cap(case) / case.market - 1)

    @property
    def told(self) -> str:
        """Who refused what, and how bad is what passed."""
        told = [f"{name} {count:,}" for name, count in self.guard.most_common()]
        told.append(f"bounds alone would refuse {self.bounds:,}")
        if self.passed:
            told.append(f"{self.passed:,} pass")
        if self.error:
            told[-1] += f", off by {self.error} ppm at most"
        if self.margin < 1:
            told.append(f"their caps are {self.margin * PPM:.0f} ppm or more above the market")
        return "; ".join(told)


def measure(run: Run) -> list[Figure]:
    """Replay the incident, make benign updates, and damage them."""
    folder = Path(os.environ.get("AFFIANT_DATA", REPOSITORY.parent / "shared/data"))
    folder /= "aave-v3-minute"
    if not folder.exists():
        missing = Figure("benign updates", None, "", ">= 1000", note=f"no data in {folder}")
        return [_incident(), missing]
    series, seeds = reserves(folder), range(run.times(8, 30))
    found = [case for s in series for step in STEPS for n in seeds for case in proposed(s, step, n)]
    asked = [case for s in series for n in seeds for case in own_node(s, n)]
    pairs = list(collateral(folder))
    benign = _tally([*found, *asked, *pairs])
    hourly = _tally(case for s in series for n in seeds[:8] for case in own_node(s, n, apart=60))
    back = sum(case.update[TIMESTAMP] < case.now - 8 * HOUR for case in found)
    line = [line_case(day) for day in range(60, 769, run.times(40, 8))]
    return [
        _incident(),
        Figure(
            "benign updates",
            benign.made,
            "",
            ">= 1000",
            note=f"{len(found):,} proposed ({back:,} walked back), {len(asked):,} from an own "
            f"node, {len(pairs):,} pairs of LTV and threshold",
        ),
        Figure(
            "of them refused",
            rounded(100 * (benign.made - benign.passed) / benign.made),
            "%",
            "<= 1",
            note=benign.told,
        ),
        Figure(
            "refused of an own node's, if there is a record an hour",
            rounded(100 * (hourly.made - hourly.passed) / hourly.made),
            "%",
            note=f"of {hourly.made:,}; so an agent must take recorded times: {hourly.told}",
        ),
        *_damaged("wstETH", line, DAY),
        *_damaged("the reserves", found[:: run.times(8, 4)], HOUR),
        *_damaged_pairs(pairs),
    ]


def _incident() -> Figure:
    case = incident()
    known = case.violated == "ValueNotOfItsTime" and case.out_of_bounds is None
    under = 1 - _cap(case) / case.market
    better = propose(case.history, case.stored, case.bounds, case.now, case.limits)
    note = f"{case.violated}; each bound allows it; its cap is {under:.2%} below the market"
    if not isinstance(better, Wait):
        over = _cap(replace(case, update=better)) / case.market - 1
        age = (case.now - better[TIMESTAMP]) // DAY
        note += f". Proposed instead: {better[RATIO] / WAD:.4f} of {age} days ago, cap {over:.1%}"
        note += " above, the most that the bound allows at once"
    return Figure("incident of 2026-03-10 refused by name", int(known), "of 1", ">= 1", note=note)


def _cap(case: Case) -> int:
    return cap(case.update[RATIO], case.update[TIMESTAMP], case.limits.growth, case.now)


def _tally(cases: Iterable[Case]) -> Tally:
    tally = Tally()
    for case in cases:
        tally.see(case)
    return tally


def reserves(folder: Path) -> list[Series]:
    """Return each reserve's liquidity index, with 18 decimals."""
    days = sorted(folder.glob("polygon-aave_v3-*.minute.csv"))
    groups = itertools.groupby(days, key=lambda path: path.name.split("-")[2])
    return [_series(list(paths)) for _, paths in groups]


def _series(paths: Sequence[Path]) -> Series:
    rows = [row for path in paths for row in _rows(path)]
    times = [datetime.fromisoformat(row["block_timestamp"]).replace(tzinfo=UTC) for row in rows]
    start = int(times[0].timestamp())
    if any(time.timestamp() != start + MINUTE * at for at, time in enumerate(times)):
        raise ValueError("minutes are missing")
    return Series(start, tuple(int(Decimal(row["liquidity_index"]) * WAD) for row in rows))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _bounds(series: Series, step: int) -> dict[str, Bound]:
    most = 2 * series.ratios[-1]
    return {
        RATIO: Bound(WAD // 2, most, step, delay=3 * HOUR),
        TIMESTAMP: Bound(0, 2**48 - 1, delay=3 * HOUR),
    }


def proposed(series: Series, step: int, seed: int) -> Iterator[Case]:
    """Keep a snapshot up to date, with pauses of a day now and then."""
    chance = random.Random(seed)  # noqa: S311 - a course of events, not a key
    records, bounds, limits = series.records(chance), _bounds(series, step), series.limits
    stored = {RATIO: Stored(records[0].ratio), TIMESTAMP: Stored(records[0].timestamp)}
    now = series.start + limits.youngest + chance.randrange(3 * HOUR)
    while now + 5 * MINUTE < series.end:
        seen = records[: bisect_right(records, Record(now, 2 * series.ratios[-1]))]
        update = propose(seen, stored, bounds, now, limits)
        now += chance.randrange(5 * MINUTE)
        if not isinstance(update, Wait):
            case = Case(update, stored, records, bounds, limits, now, series.at(now))
            yield case
            if case.violated is None and case.out_of_bounds is None:
                stored = {name: Stored(value, now) for name, value in update.items()}
        now += 3 * HOUR if chance.random() < 0.8 else 24 * HOUR


def own_node(series: Series, seed: int, apart: int = 1) -> Iterator[Case]:
    """Ask a node for the ratio of exactly 7 hours ago, at 30 times; records are so far apart."""
    chance = random.Random(seed)  # noqa: S311 - as above
    records, bounds, limits = series.records(chance, apart), _bounds(series, 30_000), series.limits
    for _ in range(30):
        then = chance.randrange(series.start + 2 * HOUR, series.end - 8 * HOUR)
        stored = {RATIO: Stored(series.ratios[0]), TIMESTAMP: Stored(series.start)}
        update = {RATIO: series.at(then), TIMESTAMP: then}
        now = then + limits.youngest + chance.randrange(5 * MINUTE)
        yield Case(update, stored, records, bounds, limits, now, series.at(now))


def collateral(folder: Path) -> Iterator[Case]:
    """Move each listed pair: both alike, both by the same share, or away from each other."""
    for path in sorted(folder.glob("aave-risk-parameters-*.csv")):
        for row in _rows(path):
            ltv, threshold = (
                int(row["baseLTVasCollateral"]),
                int(row["reserveLiquidationThreshold"]),
            )
            if ltv > 0:
                yield from _moved(ltv, threshold)


def _moved(ltv: int, threshold: int) -> Iterator[Case]:
    stored = {LTV: Stored(ltv * BP), THRESHOLD: Stored(threshold * BP)}
    bounds = {name: Bound(1, PPM, step=30_000, delay=3 * DAY) for name in stored}
    moves = [move for size in MOVES for move in (size, -size)]
    pairs = [(ltv + move, threshold + move) for move in moves]
    pairs += [(ltv + ltv * move // 5000, threshold + threshold * move // 5000) for move in moves]
    pairs += [(ltv - size, threshold) for size in MOVES]
    pairs += [(ltv, threshold + size) for size in MOVES]
    for new_ltv, new_threshold in pairs:
        values = {LTV: new_ltv * BP, THRESHOLD: new_threshold * BP}
        update = {name: value for name, value in values.items() if value != stored[name].value}
        case = Case(update, stored, (), bounds, Limits(), 4 * DAY, 0)
        if update and case.out_of_bounds is None:
            yield case


def line_case(day: int) -> Case:
    """Return the benign update of wstETH's line on a day, 30 days after the one before."""
    case = incident()
    before, then, now = case.history[day - 37], case.history[day - 7], case.history[day]
    return replace(
        case,
        update={RATIO: then.ratio, TIMESTAMP: then.timestamp},
        stored={RATIO: Stored(before.ratio), TIMESTAMP: Stored(before.timestamp)},
        now=now.timestamp,
        market=now.ratio,
    )


def _damaged(name: str, cases: Sequence[Case], day: int) -> list[Figure]:
    """Damage snapshots in each way; `day` is what stands for one."""
    kinds = {
        "ratio held back, time moved": Tally(),
        "only one of the two": Tally(),
        "ratio 1 to 30 days older than its time": Tally(),
        "present ratio with an old time": Tally(),
        "other units, or swapped": Tally(),
    }
    held, alone, stale, fresh, units = kinds.values()
    for case in cases:
        ratio, time = case.update[RATIO], case.update[TIMESTAMP]
        kept = case.stored[RATIO].value
        for tenths in (0, 2, 4, 6, 8, 9):
            _see_ratio(held, case, kept + (ratio - kept) * tenths // 10)
        for one in (RATIO, TIMESTAMP):
            alone.see(replace(case, update={one: case.update[one]}))
        for days in range(1, 31):
            at = bisect_right(case.history, Record(time - days * day, 2 * ratio)) - 1
            if at >= 0:
                _see_ratio(stale, case, case.history[at].ratio)
        _see_ratio(fresh, case, case.market)
        for wrong in (
            (ratio * 10**9, time),
            (ratio // 10**10, time),
            (ratio, time * 1000),
            (time, ratio),
        ):
            units.see(replace(case, update=dict(zip((RATIO, TIMESTAMP), wrong, strict=True))))
    return [_refused(f"{name}: {kind}", tally) for kind, tally in kinds.items()]


def _see_ratio(tally: Tally, case: Case, ratio: int) -> None:
    """Judge a case with another ratio, unless it is the same."""
    right = case.update[RATIO]
    if ratio != right:
        error = -(-abs(ratio - right) * PPM // right)
        tally.see(replace(case, update={**case.update, RATIO: ratio}), error)


def _damaged_pairs(cases: Sequence[Case]) -> list[Figure]:
    near, units = Tally(), Tally()
    for case in cases:
        after = {name: kept.value for name, kept in case.stored.items()} | dict(case.update)
        for gap in (0, 5_000, 10_000, 19_900):
            near.see(replace(case, update={**case.update, LTV: after[THRESHOLD] - gap}))
        for changed in ((LTV,), (THRESHOLD,), (LTV, THRESHOLD)):
            units.see(replace(case, update={name: after[name] // BP for name in changed}))
        units.see(replace(case, update={LTV: after[THRESHOLD], THRESHOLD: after[LTV]}))
    return [
        _refused("pairs: LTV raised to less than the gap", near),
        _refused("pairs: in 0.01 % instead of ppm, or swapped", units),
    ]


def _refused(name: str, tally: Tally) -> Figure:
    return Figure(
        f"{name}, refused", tally.made - tally.passed, f"of {tally.made:,}", note=tally.told
    )
