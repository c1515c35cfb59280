"""The forecast: exact where it can be, honest about its spread, the same on every machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.supply.demand import air_passengers
from affiant.verticals.supply.forecast import Forecast, forecast

HISTORIES = st.lists(st.floats(0, 1e12), min_size=14, max_size=40)
PROBABILITIES = st.floats(0, 1)


def test_a_repeating_season_is_forecast_exactly() -> None:
    """A season that repeats itself has no drift and no errors."""
    said = forecast([5, 9, 2, 7] * 4, 4, 1)
    assert said.point == 5
    assert set(said.residuals) == {0}
    assert said.interval(0.9) == (5, 5)


def test_a_straight_line_is_forecast_exactly() -> None:
    """An additive trend is carried to the horizon, also beyond one season."""
    line = [10.0 + n for n in range(20)]
    for horizon in (1, 3, 4, 5, 9):
        said = forecast(line, 4, horizon)
        assert (said.point, said.method) == (10.0 + 19 + horizon, "additive")
        assert set(said.residuals) == {0}


def test_steady_growth_is_forecast_exactly() -> None:
    """A season that doubles each year is recognised as multiplicative, two seasons ahead too."""
    history = [value * 2.0**year for year in range(5) for value in (8, 3, 5, 4)]
    for horizon, point in ((1, 256), (2, 96), (5, 256 * 2)):
        said = forecast(history, 4, horizon)
        assert (said.point, said.method) == (point, "multiplicative")


def test_a_constant_has_no_spread() -> None:
    """A constant history is forecast as that constant at every probability."""
    said = forecast([7] * 25, 12, 1)
    assert (said.point, said.quantile(0), said.quantile(1)) == (7, 7, 7)


def test_zeros_are_forecast_as_zero() -> None:
    """A history of zeros is no division by zero."""
    said = forecast([0] * 25, 12, 1)
    assert (said.point, said.quantile(0.99), said.method) == (0, 0, "additive")


def test_intermittent_demand_is_additive_and_never_negative() -> None:
    """One zero among the values rules quotients out, and no quantile is below zero."""
    said = forecast([0, 3, 0, 0, 9, 0, 1] * 3, 7, 2)
    assert said.method == "additive"
    assert said.quantile(0) >= 0


def test_a_falling_history_stops_at_zero() -> None:
    """A trend below zero is forecast as zero."""
    assert forecast([float(max(8 - n, 0)) for n in range(10)], 4, 2).point == 0


def test_growth_is_bounded() -> None:
    """After a jump of 300 times, no forecast is beyond 4 times the season it starts from."""
    said = forecast([1.0] * 12 + [300.0, 1, 1, 1], 4, 4)
    assert said.point <= 4 * 300


def test_residuals_are_the_errors_of_the_walk() -> None:
    """Each residual is what the same rule, seeing only the past, got wrong."""
    history = list(air_passengers().quantities)
    said = forecast(history, 12, 1)
    then = forecast(history[:-1], 12, 1)
    assert said.method == then.method == "multiplicative"
    error = said.point * (history[-1] / then.point - 1)
    assert min(abs(error - residual) for residual in said.residuals) < 1e-5
    assert len(said.residuals) == 36


def test_old_values_are_forgotten() -> None:
    """Values more than five seasons old change nothing; the newest value does."""
    history = list(air_passengers().quantities)
    assert forecast(history, 12, 1) == forecast(history[-60:], 12, 1)
    assert forecast(history, 12, 1) != forecast(history[:-1], 12, 1)


def test_the_digits_are_fixed() -> None:
    """The airline forecast has these very digits, so that a replay elsewhere can compare."""
    said = forecast(air_passengers().quantities, 12, 1)
    assert (said.point, said.quantile(0.75)) == (446.902216, 460.47709)
    assert said.interval(0.9) == (415.563723, 471.40056)


def test_quantiles_follow_the_stated_rule() -> None:
    """The k-th of n residuals is the quantile k / (n + 1), linear between, clamped outside."""
    said = Forecast(10.0, (-1.0, 0.0, 4.0), "additive", 4, 1)
    assert [said.quantile(p) for p in (0, 0.25, 0.5, 0.625, 0.75, 1)] == [9, 9, 10, 12, 14, 14]
    assert said.interval(0.5) == (9, 14)


def test_the_interval_of_the_airline_series_holds_most_months() -> None:
    """The 90 % interval held at least 80 % of the 84 months from 1954 to 1960."""
    quantities = air_passengers().quantities
    hits = 0
    for target in range(60, 144):
        low, high = forecast(quantities[:target], 12, 1).interval(0.9)
        hits += low <= quantities[target] <= high
    assert hits >= 0.8 * 84


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_is_from_0_to_1(p: float) -> None:
    """Anything else is refused, for a quantile and for an interval."""
    said = forecast([1] * 9, 4, 1)
    with pytest.raises(InputError, match="probability"):
        said.quantile(p)
    with pytest.raises(InputError, match="level"):
        said.interval(p)


@pytest.mark.parametrize(
    ("history", "season", "horizon", "fault"),
    [
        ([1.0] * 24, 12, 1, "24 of the 25 values needed"),
        ([1.0] * 26, 12, 3, "26 of the 27 values needed"),
        ([], 12, 1, "0 of the 25 values needed"),
        ([1.0] * 24 + [-1.0], 12, 1, "value -1.0 at position 24"),
        ([float("nan")] + [1.0] * 24, 12, 1, "value nan at position 0"),
        ([1e13] * 25, 12, 1, "out of range"),
        ([1.0] * 25, 0, 1, "season 0"),
        ([1.0] * 25, 12, 0, "horizon 0"),
        ([1.0] * 999, 7, 71, "horizon 71"),
    ],
)
def test_what_cannot_be_forecast_is_refused(
    history: list[float], season: int, horizon: int, fault: str
) -> None:
    """A short history, an impossible value, season or horizon is refused by name."""
    with pytest.raises(InputError, match=fault):
        forecast(history, season, horizon)


@given(HISTORIES, PROBABILITIES, PROBABILITIES)
def test_quantiles_never_cross(history: list[float], p: float, q: float) -> None:
    """A higher probability never has a lower quantile, and none is negative."""
    said = forecast(history, 4, 2)
    low, high = said.quantile(min(p, q)), said.quantile(max(p, q))
    assert 0 <= low <= high


@given(HISTORIES, PROBABILITIES)
def test_wider_intervals_contain_narrower_ones(history: list[float], level: float) -> None:
    """An interval of a lower level lies within one of a higher level."""
    said = forecast(history, 4, 1)
    low, high = said.interval(level)
    lowest, highest = said.interval(1)
    assert lowest <= low <= high <= highest


@given(st.lists(st.floats(1e-6, 1e12), min_size=12, max_size=60), st.integers(1, 4))
def test_no_history_explodes(history: list[float], horizon: int) -> None:
    """Every number of a forecast is finite, whatever the history."""
    said = forecast(history, 4, horizon)
    assert all(abs(number) < 1e30 for number in (said.point, *said.residuals))
    assert said == forecast(tuple(history), 4, horizon)
