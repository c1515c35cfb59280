"""The snapshot's invariants: each named, at its edge; and proposals that break none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    out_of_bounds,
    propose,
    violated,
)

NOW = 1_700_000_000
LIMITS = Limits()
#: A record a day for 100 days, 100 ppm of the first ratio apart, the last one now.
HISTORY = [Record(NOW - (100 - day) * DAY, WAD + day * WAD // 10_000) for day in range(101)]
STORED = {
    RATIO: Stored(HISTORY[50].ratio),
    TIMESTAMP: Stored(HISTORY[50].timestamp),
    LTV: Stored(780_000),
    THRESHOLD: Stored(810_000),
}
BOUNDS = {
    RATIO: Bound(WAD // 2, 2 * WAD, step=30_000, delay=3 * DAY),
    TIMESTAMP: Bound(0, 2**48 - 1, delay=3 * DAY),
    LTV: Bound(0, 900_000, step=30_000, delay=3 * DAY),
    THRESHOLD: Bound(0, 950_000, step=30_000, delay=3 * DAY),
}


def pair(day: int, *, more: int = 0, later: int = 0) -> dict[str, int]:
    """Return the record of a day as an update, off by so much."""
    return {RATIO: HISTORY[day].ratio + more, TIMESTAMP: HISTORY[day].timestamp + later}


def broken(
    update: dict[str, int], limits: Limits = LIMITS, market: int | None = None
) -> str | None:
    """Return what an update made now would break."""
    return violated(update, STORED, HISTORY, limits, NOW, market)


def test_a_record_of_a_week_ago_breaks_nothing() -> None:
    """A recorded ratio with its own time, old enough, is what an update should be."""
    assert broken(pair(93)) is None


def test_neither_moves_without_the_other() -> None:
    """The ratio alone and the time alone are refused, even with the value they have."""
    for name in (RATIO, TIMESTAMP):
        assert broken({name: pair(93)[name]}) == "MovedApart"
        assert broken({name: STORED[name].value}) == "MovedApart"
    assert broken({LTV: 780_000}) is None


def test_a_young_snapshot_is_refused() -> None:
    """Seven days are old enough to the second; one second less, and times to come, are not."""
    assert broken(pair(93)) is None
    assert broken(pair(93, later=1)) == "TimestampTooYoung"
    assert broken({RATIO: WAD, TIMESTAMP: NOW + DAY}) == "TimestampTooYoung"
    assert broken({RATIO: WAD, TIMESTAMP: WAD}) == "TimestampTooYoung"


def test_a_time_without_record_is_refused() -> None:
    """The newest record before the time counts up to its age; before the first there is none."""
    loose = replace(LIMITS, tolerance=PPM, record_age=DAY - 2)
    assert broken(pair(80, later=DAY - 2), loose) is None
    assert broken(pair(80, later=DAY - 1), loose) == "NoRecord"
    early = {**STORED, TIMESTAMP: Stored(1)}
    assert violated(pair(0), early, HISTORY, LIMITS, NOW, HISTORY[0].ratio) is None
    before = pair(0, later=-1)
    assert violated(before, early, HISTORY, LIMITS, NOW) == "NoRecord"
    assert violated(pair(80), STORED, [], LIMITS, NOW) == "NoRecord"


def test_a_snapshot_never_goes_back() -> None:
    """A true pair of a time before the stored one is refused, the stored time itself is not."""
    stored = {**STORED, TIMESTAMP: Stored(HISTORY[80].timestamp)}
    assert violated(pair(80), stored, HISTORY, LIMITS, NOW) != "TimestampGoesBack"
    assert violated(pair(79), stored, HISTORY, LIMITS, NOW) == "TimestampGoesBack"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_ratio_of_another_time_is_refused(sign: int) -> None:
    """The tolerance, rounded down, is allowed to the last unit, upwards and downwards."""
    allowed = HISTORY[93].ratio * 10 // PPM
    assert broken(pair(93, more=sign * allowed)) is None
    assert broken(pair(93, more=sign * (allowed + 1))) == "ValueNotOfItsTime"
    assert broken({**pair(93), RATIO: HISTORY[93 + sign].ratio}) == "ValueNotOfItsTime"


def test_a_cap_below_the_market_is_refused() -> None:
    """A true snapshot is refused if the market has run away from it, by one unit."""
    edge = cap(HISTORY[93].ratio, HISTORY[93].timestamp, LIMITS.growth, NOW)
    assert broken(pair(93), market=edge) is None
    assert broken(pair(93), market=edge + 1) == "CapBelowMarket"
    slow = replace(LIMITS, growth=30_000)  # the records grow by 3.65 % a year
    assert broken(pair(93), slow) == "CapBelowMarket"


def test_the_cap_rounds_down() -> None:
    """A year adds the growth, a second its part rounded down, a time to come nothing."""
    assert cap(WAD, NOW - YEAR, 96_800, NOW) == WAD + WAD * 968 // 10_000
    assert cap(1_000_003, NOW - 7 * DAY, 96_800, NOW) == 1_000_003 + 1856
    assert cap(WAD, NOW + 1, 96_800, NOW) == WAD


def test_the_threshold_stays_above_ltv() -> None:
    """A gap of 2 % is enough and one ppm less is not; what is not updated counts as it is."""
    assert broken({LTV: 790_000}) is None
    assert broken({LTV: 790_001}) == "GapTooSmall"
    assert broken({THRESHOLD: 800_000}) is None
    assert broken({THRESHOLD: 799_999}) == "GapTooSmall"
    assert broken({LTV: 790_001, THRESHOLD: 810_001}) is None
    assert broken({LTV: 0, THRESHOLD: 0}) == "GapTooSmall"


@pytest.mark.parametrize(
    ("name", "update", "last"),
    [
        (None, {LTV: 780_000 * 103 // 100}, 0),
        ("StepTooLarge", {LTV: 780_000 * 103 // 100 + 1}, 0),
        ("StepTooLarge", {LTV: 780_000 * 97 // 100 - 1}, 0),
        ("OutOfRange", {LTV: 900_001}, 0),
        ("OutOfRange", {RATIO: WAD // 2 - 1}, 0),
        (None, {TIMESTAMP: 0}, 0),
        (None, {TIMESTAMP: 2**48 - 1}, 0),
        ("OutOfRange", {TIMESTAMP: 2**48}, 0),
        (None, {LTV: 780_001}, NOW - 3 * DAY),
        ("TooSoon", {LTV: 780_001}, NOW - 3 * DAY + 1),
        ("TooSoon", {LTV: 10**6, THRESHOLD: 810_001}, NOW),
    ],
)
def test_each_parameter_has_bounds(name: str | None, update: dict[str, int], last: int) -> None:
    """Range, step and delay hold to the last unit; parameters are judged in the order of names."""
    stored = {key: Stored(kept.value, last) for key, kept in STORED.items()}
    assert out_of_bounds(update, stored, BOUNDS, NOW) == name


def test_the_incident_is_refused_by_name() -> None:
    """What was executed on 10 March 2026 is in every bound, and its pair is named."""
    case = incident()
    assert case.out_of_bounds is None
    assert case.violated == "ValueNotOfItsTime"
    found = cap(case.update[RATIO], case.update[TIMESTAMP], case.limits.growth, case.now)
    assert round(case.update[RATIO] / WAD, 4) == 1.1919
    assert round(found / WAD, 3) == 1.194
    assert 1 - found / case.market == pytest.approx(0.0285)
    loose = replace(case, limits=replace(case.limits, tolerance=PPM))
    assert loose.violated == "CapBelowMarket"


def test_the_incident_has_a_way_out() -> None:
    """Walking back gives a true pair with a cap above the market; three updates reach the week."""
    case = incident()
    stored, now = dict(case.stored), case.now
    ages = []
    for _ in range(3):
        history = [*case.history, Record(now, case.market)]
        update = propose(history, stored, case.bounds, now, case.limits)
        assert not isinstance(update, Wait)
        assert Record(update[TIMESTAMP], update[RATIO]) in history
        assert violated(update, stored, history, case.limits, now) is None
        ages.append((now - update[TIMESTAMP]) // DAY)
        stored = {name: Stored(value, now) for name, value in update.items()}
        now += 3 * DAY
    assert ages == [398, 20, 7]


def test_what_is_allowed_is_the_newest() -> None:
    """With room in the bounds, the record of exactly a week ago is proposed."""
    assert propose(HISTORY, STORED, BOUNDS, NOW) == pair(93)
    assert propose(HISTORY, STORED, BOUNDS, NOW - 1) == pair(92)


def test_a_bound_is_obeyed_by_going_back_in_time() -> None:
    """A step of 0.2 % reaches twenty days' growth; the pair is that day's, never a mixture."""
    tight = {**BOUNDS, RATIO: replace(BOUNDS[RATIO], step=2_000)}
    assert propose(HISTORY, STORED, tight, NOW) == pair(70)


def test_without_a_fitting_record_it_waits() -> None:
    """No newer record, a bound that allows none, a delay, and a fast market each have a name."""
    none = {**BOUNDS, RATIO: replace(BOUNDS[RATIO], step=10)}
    soon = {name: replace(kept, changed=NOW - DAY) for name, kept in STORED.items()}
    fresh = {**STORED, TIMESTAMP: Stored(HISTORY[93].timestamp)}
    waits = [
        ("NoRecord", propose(HISTORY, fresh, BOUNDS, NOW)),
        ("NoRecord", propose([], STORED, BOUNDS, NOW)),
        ("StepTooLarge", propose(HISTORY, STORED, none, NOW)),
        ("TooSoon", propose(HISTORY, soon, BOUNDS, NOW)),
        ("CapBelowMarket", propose(HISTORY, STORED, BOUNDS, NOW, replace(LIMITS, growth=30_000))),
    ]
    for rule, answer in waits:
        assert isinstance(answer, Wait)
        assert answer.rule == rule


@given(
    st.lists(st.tuples(st.integers(60, 9 * DAY), st.integers(-300, 1800)), min_size=1, max_size=40),
    st.integers(0, 39),
    st.integers(1, 60_000),
    st.integers(0, 600),
)
def test_what_is_proposed_is_allowed(
    steps: Sequence[tuple[int, int]], start: int, step: int, late: int
) -> None:
    """Whatever the records, a proposal is a newer one as it is, in bounds and sound when late."""
    history = [Record(NOW, WAD)]
    for seconds, grown in steps:
        last = history[-1]
        history.append(Record(last.timestamp + seconds, last.ratio + last.ratio * grown // 10**7))
    kept = history[min(start, len(steps))]
    stored = {RATIO: Stored(kept.ratio), TIMESTAMP: Stored(kept.timestamp)}
    bounds = {RATIO: Bound(0, 2 * WAD, step), TIMESTAMP: Bound(0, 2**48 - 1)}
    now = history[-1].timestamp
    update = propose(history, stored, bounds, now)
    if isinstance(update, Wait):
        return
    assert Record(update[TIMESTAMP], update[RATIO]) in history
    assert kept.timestamp < update[TIMESTAMP] <= now - 7 * DAY
    case = Case(update, stored, history, bounds, LIMITS, now + late, history[-1].ratio)
    assert case.violated is None
    assert case.out_of_bounds is None
