"""The fee: the schedule's level, kept near thresholds, and never outside the contract's bounds."""

import itertools
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule, next_fee, steps, wanted_fee
from affiant.verticals.finance.volatility import PIPS, Volatility

BOUNDS = FeeBounds(lowest=500, highest=20_000, step=2_500, delay=3600)
SCHEDULE = FeeSchedule((30_000, 60_000), (1_000, 3_000, 20_000), margin=10)
PIP = st.integers(0, 2 * PIPS)


def wanted(pips: int, current: int, schedule: FeeSchedule = SCHEDULE) -> int:
    """Return the fee wanted at a volatility of so many pips."""
    return wanted_fee(Volatility(pips, 24, 100), schedule, current)


def test_far_from_thresholds_the_level_is_the_schedule_s() -> None:
    """Whatever the fee is now, calm wants the first level and a storm the last."""
    for current in (0, 1_000, 3_000, 50_000):
        assert [wanted(pips, current) for pips in (0, 45_000, 90_000)] == [1_000, 3_000, 20_000]


def test_near_a_threshold_the_fee_stays() -> None:
    """Up at 110 % of the threshold, down below 100/110 of it, and no change between."""
    assert wanted(32_999, 1_000) == 1_000
    assert wanted(33_000, 1_000) == 3_000
    assert wanted(27_273, 3_000) == 3_000
    assert wanted(27_272, 3_000) == 1_000


def test_near_a_threshold_a_fee_between_the_levels_stays() -> None:
    """A fee on its way from level to level does not turn back while both levels would do."""
    assert wanted(30_000, 2_000) == 2_000
    assert wanted(30_000, 500) == 1_000
    assert wanted(30_000, 9_000) == 3_000


def test_without_margin_a_threshold_is_exact() -> None:
    """A margin of zero changes the fee at the threshold itself."""
    exact = FeeSchedule((30_000,), (1_000, 3_000), margin=0)
    assert [wanted(pips, 0, exact) for pips in (29_999, 30_000)] == [1_000, 3_000]
    assert [wanted(pips, 9_000, exact) for pips in (29_999, 30_000)] == [1_000, 3_000]


@given(PIP, PIP, PIP)
def test_more_volatility_never_wants_a_lower_fee(first: int, second: int, current: int) -> None:
    """The wanted fee does not fall as volatility rises."""
    low, high = sorted((first, second))
    assert wanted(low, current) <= wanted(high, current)


@given(PIP, st.sampled_from(SCHEDULE.fees))
def test_what_is_wanted_is_wanted_again(pips: int, current: int) -> None:
    """Once at the wanted fee, the same volatility asks for no further change."""
    fee = wanted(pips, current)
    assert wanted(pips, fee) == fee


def test_a_change_is_at_most_a_step() -> None:
    """Far levels are reached step by step, near ones at once."""
    assert next_fee(1_000, 20_000, BOUNDS, 3600) == 3_500
    assert next_fee(20_000, 1_000, BOUNDS, 3600) == 17_500
    assert next_fee(1_000, 2_000, BOUNDS, 3600) == 2_000


def test_before_the_delay_the_fee_stands() -> None:
    """A second too early nothing changes; on time it does."""
    assert next_fee(1_000, 2_000, BOUNDS, 3599) == 1_000
    assert next_fee(1_000, 2_000, BOUNDS, 3600) == 2_000


def test_the_range_is_kept() -> None:
    """A wish beyond the range ends at its edge."""
    assert next_fee(1_000, 0, BOUNDS, 3600) == 500
    assert next_fee(19_000, 50_000, BOUNDS, 3600) == 20_000


def test_a_fee_outside_the_range_comes_back_if_it_can() -> None:
    """One step from the range it is set to the edge; two steps away there is no lawful change."""
    assert next_fee(21_000, 50_000, BOUNDS, 3600) == 20_000
    with pytest.raises(InputError):
        next_fee(23_000, 1_000, BOUNDS, 3600)


@given(st.integers(500, 20_000), PIP, st.integers(0, 10_000))
def test_the_next_fee_is_always_lawful(current: int, wish: int, since: int) -> None:
    """Inside the range, at most a step away, unchanged before the delay, never past the wish."""
    fee = next_fee(current, wish, BOUNDS, since)
    assert BOUNDS.lowest <= fee <= BOUNDS.highest
    assert abs(fee - current) <= (BOUNDS.step if since >= BOUNDS.delay else 0)
    assert min(current, wish) <= fee <= max(current, wish) or fee in (500, 20_000)


def test_steps_leaves_out_edges_without_a_change() -> None:
    """Bands with equal fees are one."""
    found = steps([5, 5, 8, 8, 9], [10, 20, 30, 40], margin=20)
    assert found == FeeSchedule((20, 40), (5, 8, 9), 20)
    assert steps([7, 7], [10], 0) == FeeSchedule((), (7,), 0)


def test_schedule_and_bounds_are_json() -> None:
    """They come back from JSON as they were."""
    schedule, bounds = json.loads(json.dumps([asdict(SCHEDULE), asdict(BOUNDS)]))
    lists = tuple(schedule["thresholds"]), tuple(schedule["fees"])
    assert FeeSchedule(*lists, schedule["margin"]) == SCHEDULE
    assert FeeBounds(**bounds) == BOUNDS


@pytest.mark.parametrize(
    ("thresholds", "fees", "margin"),
    [
        ((10,), (1,), 0),
        ((10, 10), (1, 2, 3), 0),
        ((0,), (1, 2), 0),
        ((10,), (2, 1), 0),
        ((10,), (-1, 1), 0),
        ((10,), (1, PIPS + 1), 0),
        ((10,), (1, 2), -1),
    ],
)
def test_no_schedule_is_refused(
    thresholds: tuple[int, ...], fees: tuple[int, ...], margin: int
) -> None:
    """Too few fees, thresholds that do not rise, fees that fall or are no share, no margin."""
    with pytest.raises(InputError):
        FeeSchedule(thresholds, fees, margin)


def test_bounds_that_allow_nothing_are_refused() -> None:
    """The range must not be empty, the step not zero, the delay not negative."""
    good = (500, 20_000, 2_500, 3600)
    FeeBounds(*good)
    for place, wrong in itertools.chain.from_iterable(
        [[(0, -1), (0, 20_001)], [(1, PIPS + 1)], [(2, 0)], [(3, -1)]]
    ):
        with pytest.raises(InputError):
            FeeBounds(*(wrong if place == at else value for at, value in enumerate(good)))
