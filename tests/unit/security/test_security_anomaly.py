"""The online detector: its p-values, what it learns, and what it does not."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from affiant.kernel.errors import InputError
from affiant.verticals.security.anomaly import LEAST_P, Neighbours, Series


def noise(points: int, features: int, seed: int = 1) -> list[list[float]]:
    """Return points of independent standard normal features."""
    drawn: list[list[float]] = np.random.default_rng(seed).normal(size=(points, features)).tolist()
    return drawn


def taught(points: Sequence[Sequence[float]], **options: int) -> Neighbours:
    """Return a detector that has learned these points."""
    detector = Neighbours(**options)
    for point in points:
        detector.learn(point)
    return detector


def scores(points: Sequence[Sequence[float]], detector: Neighbours) -> list[float]:
    """Score each point before it is learned."""
    found = []
    for point in points:
        found.append(detector.score(point))
        detector.learn(point)
    return found


@pytest.mark.parametrize("chance", [0.01, 0.05, 0.2, 0.5, 0.8])
def test_p_values_are_uniform_on_noise(chance: float) -> None:
    """Of stationary noise, a share of about q has a p-value of at most q."""
    found = scores(noise(6000, 3), Neighbours())[300:]
    share = sum(p <= chance for p in found) / len(found)
    assert share == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / len(found)))


def test_p_values_keep_their_range() -> None:
    """Even the largest distances that are accepted have a p-value above 0, and none is above 1."""
    detector = taught(noise(300, 2))
    assert detector.score([1e100, -1e100]) == LEAST_P
    assert all(0 < p <= 1 for p in scores(noise(300, 2, seed=2), detector))


def test_far_points_go_far_below_the_rank() -> None:
    """A rank ends at 1/257; a point farther out has less, and the farther the less."""
    detector = taught(noise(300, 4))
    found = [detector.score([far, 0, 0, 0]) for far in (0, 10, 30, 100)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.1
    assert found[1] < 1e-4
    assert found[2] < 1e-7
    assert found[3] < 1e-10


def test_only_the_combination_is_odd() -> None:
    """A point whose features are usual one by one, but not together, is odd."""
    line = [[x, 2 * x] for (x,) in noise(300, 1)]
    detector = taught(line)
    assert detector.score([2, 4]) > 0.05
    assert detector.score([2, -4]) < 1e-3


def test_nothing_is_odd_before_the_warm_up() -> None:
    """Until as many points as the warm-up takes were learned p is 1; then no longer."""
    detector = Neighbours(warm_up=40)
    for point in noise(40, 2):
        assert detector.score([1000, 1000]) == 1.0
        detector.learn(point)
    assert detector.score([1000, 1000]) < 1e-6


def test_constant_features_are_no_trouble() -> None:
    """Where all was constant the same again is usual, a little more is no matter, much is odd."""
    detector = taught([[2.0, 0.0]] * 60)
    assert detector.score([2, 0]) == 1.0
    assert detector.score([2.001, 0]) > 0.1
    assert detector.score([4, 0]) < 1e-9
    assert detector.score([2, 1]) < 1e-9


def test_the_least_spread_says_what_is_no_difference() -> None:
    """A change of a constant is as odd as the unit that the caller gives it makes it."""
    fine, coarse = Neighbours(least_spread=1e-3), Neighbours(least_spread=10)
    for _ in range(60):
        fine.learn([0.0])
        coarse.learn([0.0])
    assert fine.score([1]) < 1e-9
    assert coarse.score([1]) > 0.05


def test_a_mostly_constant_feature_keeps_its_rare_value() -> None:
    """A flag that was set in each tenth point is not odd when it is set again."""
    points = [[x, float(i % 10 == 0)] for i, (x,) in enumerate(noise(300, 1))]
    assert taught(points).score([0, 1]) > 0.01


def test_drift_is_learned() -> None:
    """A new level is odd at first, and usual once it was learned."""
    detector = taught(noise(300, 2))
    moved = [[x + 20, y + 20] for x, y in noise(300, 2, seed=2)]
    found = scores(moved, detector)
    assert found[0] < 1e-6
    assert min(found[-100:]) > 1e-4


def test_the_memory_is_bounded() -> None:
    """What left the memory is odd again; what is in it is not."""
    near, far = noise(300, 2), [[x + 50, y + 50] for x, y in noise(100, 2, seed=2)]
    assert taught([*far, *near], memory=400).score([50, 50]) > 0.01
    assert taught([*far, *near], memory=256).score([50, 50]) < 1e-6


def test_what_is_not_learned_masks_nothing() -> None:
    """Scoring an attack many times changes no score; learning it does."""
    usual, attack = noise(300, 3), [8.0, 8.0, 8.0]
    detector = taught(usual)
    first = detector.score(attack)
    assert [detector.score(attack) for _ in range(500)] == [first] * 500
    assert detector.score([0, 0, 0]) == taught(usual).score([0, 0, 0])
    for _ in range(3):
        detector.learn(attack)
    assert detector.score(attack) > 1e-3 > first


def test_one_odd_point_learned_hides_no_second() -> None:
    """With three neighbours, one odd point in the memory leaves its likes odd."""
    detector = taught([*noise(300, 3), [30.0, 30.0, 30.0]])
    assert detector.score([30, 30, 30]) < 1e-3


def test_units_do_not_matter() -> None:
    """Features in other units and from another origin give the same p-values."""
    points = noise(400, 2)
    other = [[1000 * x + 5, y / 1000] for x, y in points]
    assert scores(other, Neighbours()) == pytest.approx(scores(points, Neighbours()), rel=0.3)


def test_scores_are_deterministic() -> None:
    """Two detectors that saw the same say the same, scored before learning or not."""
    points = noise(500, 3)
    found = scores(points, Neighbours())
    assert scores(points, Neighbours()) == found
    assert taught(points[:-1]).score(points[-1]) == found[-1]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e101])
def test_numbers_that_are_none_are_refused(number: float) -> None:
    """NaN, infinity and what would overflow are refused, and nothing is changed."""
    detector = taught(noise(100, 2))
    before = detector.score([3, 3])
    for act in (detector.score, detector.learn):
        with pytest.raises(InputError, match="not finite, or too large"):
            act([0, number])
    assert detector.score([3, 3]) == before
    with pytest.raises(InputError, match="not finite, or too large"):
        Series().score_and_learn(number)


def test_points_have_the_same_features() -> None:
    """A point with no features, or with more than the first had, is refused."""
    with pytest.raises(InputError, match="0 features"):
        Neighbours().learn([])
    with pytest.raises(InputError, match="3 features, the memory 2"):
        taught(noise(5, 2)).score([1, 2, 3])


@pytest.mark.parametrize(
    "options",
    [{"neighbours": 0}, {"neighbours": 21}, {"warm_up": 21}, {"memory": 39}, {"least_spread": 0}],
)
def test_sizes_must_fit(options: dict[str, int]) -> None:
    """A detector that could never answer is refused when it is made."""
    with pytest.raises(InputError, match="do not fit"):
        Neighbours(**options)


@pytest.mark.parametrize("options", [{"run": 0}, {"quiet": -1}])
def test_series_sizes_must_fit(options: dict[str, int]) -> None:
    """A mean of no values is refused, as is a negative time."""
    with pytest.raises(InputError, match="too small"):
        Series(**options)


def test_a_spike_in_a_series_is_told_once() -> None:
    """A spike is odd; the same again soon after is not told, and a larger one is."""
    values = [x for (x,) in noise(600, 1)]
    series = Series(quiet=100)
    usual = [series.score_and_learn(value) for value in values]
    assert min(usual[100:]) > 1e-5
    assert series.score_and_learn(15) < 1e-6
    assert series.score_and_learn(15) == 1.0
    assert series.score_and_learn(1000) < 1e-6


def test_a_series_speaks_again_after_its_quiet() -> None:
    """When the quiet time is over, the next odd value is told, though it is less odd."""
    series = Series(quiet=50)
    for (value,) in noise(600, 1):
        series.score_and_learn(value)
    assert series.score_and_learn(1000) < 1e-6
    for (value,) in noise(20, 1, seed=2):
        assert series.score_and_learn(value) == 1.0
    assert series.score_and_learn(-20) == 1.0
    for (value,) in noise(60, 1, seed=3):
        series.score_and_learn(value)
    assert series.score_and_learn(20) < 1e-3


def test_a_shift_within_the_range_shows_in_the_mean() -> None:
    """A value that is usual alone is odd when it comes again and again."""
    series = Series(quiet=0)
    for (value,) in noise(2000, 1):
        series.score_and_learn(value)
    found = [series.score_and_learn(2.5) for _ in range(8)]
    assert found[0] > 0.1
    assert min(found) < 1e-3
