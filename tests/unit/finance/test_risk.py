"""VaR and ES of a series: no number without tests, nothing from the future, no silent repair."""

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from affiant.kernel.errors import InputError
from affiant.verticals.finance import risk
from affiant.verticals.finance.risk import (
    DEFAULT,
    Learned,
    Model,
    Position,
    RiskReport,
    assess,
    learn,
    quantile,
    report,
    report_json,
    report_lines,
)
from affiant.verticals.finance.risk_plot import plot
from affiant.verticals.finance.risk_prices import FIRST, Prices, read_prices

#: EIA, WTI at Cushing.
APRIL = {
    "2020-04-17": 18.31,
    "2020-04-20": -36.98,
    "2020-04-21": 8.91,
    "2020-04-22": 13.64,
    "2020-04-23": 15.06,
}


def series(values: list[float]) -> Prices:
    """Return prices of consecutive days."""
    first = date(2020, 1, 1)
    days = tuple(str(first + timedelta(days=place)) for place in range(len(values)))
    return Prices("made", days, tuple(values))


def walk(periods: int = 800, seed: int = 3) -> list[float]:
    """Return prices whose volatility clusters."""
    random = np.random.default_rng(seed)
    volatility, price, found = 1.0, 100.0, [100.0]
    for shock in random.standard_t(5, periods):
        change = volatility * shock * 0.77
        volatility = math.sqrt(0.05 + 0.1 * change**2 + 0.85 * volatility**2)
        price *= math.exp(change / 100)
        found.append(price)
    return found


@pytest.fixture(scope="module")
def learned() -> Learned:
    """Return the filter run over the made series."""
    return learn(series(walk()))


@pytest.fixture(scope="module")
def oil() -> Learned:
    """Return the filter run over the last 1,500 closes of arch's WTI, and those of April 2020."""
    import arch.data.wti  # noqa: PLC0415  (takes seconds)

    column = arch.data.wti.load()["DCOILWTICO"].dropna()[-1500:]
    days = tuple(f"{day:%Y-%m-%d}" for day in column.index)
    return learn(Prices("WTI", (*days, *APRIL), (*column, *APRIL.values())))


def test_oil_below_zero(oil: Learned) -> None:
    """A negative price makes changes dollars; the fall of 55.29 is a violation; both are told."""
    told = report(oil, 0.99, "long", DEFAULT)
    dates, losses = told.forecasts.dates, told.forecasts.losses
    assert losses[dates.index("2020-04-20")] == pytest.approx(18.31 + 36.98)
    assert "2020-04-20" in [dates[place] for place in told.violated]
    assert told.backtest.coverage.passes
    assert "difference" in told.unit
    assert told.price_after(told.var) == pytest.approx(15.06 - told.var)
    assert any("a price is not above 0" in remark for remark in told.remarks)
    assert any("nothing between 2019-01-03 and 2020-04-17" in remark for remark in told.remarks)


def test_filter_is_archs(oil: Learned) -> None:
    """At a refit VaR is arch's own one-step forecast with the quantile of its residuals."""
    from arch.univariate import GARCH, ConstantMean, StudentsT  # noqa: PLC0415  (takes seconds)

    place = 1000
    known = oil.prices.changes[:place]
    scale = known.std()
    model = ConstantMean(
        known / scale, volatility=GARCH(1, 1, 1), distribution=StudentsT(), rescale=False
    )
    fit = model.fit(disp="off")
    volatility = math.sqrt(fit.forecast(horizon=1, reindex=False).variance.to_numpy()[0, 0])
    low = np.quantile(fit.std_resid[-500:], 0.01, method="weibull")
    var = report(oil, 0.99, "long", DEFAULT).forecasts.var[place - FIRST]
    assert var == pytest.approx(-scale * (fit.params["mu"] + volatility * low), rel=1e-6)


@pytest.mark.parametrize("model", ["filtered historical", "GJR-GARCH-t"])
@pytest.mark.parametrize("place", [FIRST + 60, FIRST + 99, FIRST + 100])
def test_the_future_does_not_change_the_past(learned: Learned, model: Model, place: int) -> None:
    """Other prices from a period on leave all forecasts up to it as they were, and no later one."""
    values = list(learned.prices.values)
    other = [price * 1.1 * (1 + (t % 7) / 50) for t, price in enumerate(values)]
    changed = learn(series(values[: place + 1] + other[place + 1 :]))
    before = report(learned, 0.99, "long", model).forecasts
    after = report(changed, 0.99, "long", model).forecasts
    known = place - FIRST + 1
    assert np.array_equal(before.var[:known], after.var[:known])
    assert np.array_equal(before.tails[:known], after.tails[:known])
    assert (before.var[known:] != after.var[known:]).all()


def test_the_last_forecast_is_that_of_the_next_period(learned: Learned) -> None:
    """A series cut short forecasts for its next period what the whole one did for that period."""
    whole = report(learned, 0.99, "short", DEFAULT)
    cut = assess(series(list(learned.prices.values[:-23])), position="short")
    assert cut.var == whole.forecasts.var[len(cut.forecasts.losses)]
    assert cut.es == whole.forecasts.es[len(cut.forecasts.losses)]


def test_no_report_without_tests(learned: Learned) -> None:
    """The tests are no argument of a report, and forecasts that cannot be tested make none."""
    told = report(learned, 0.99, "long", DEFAULT)
    assert "backtest" not in [field.name for field in fields(RiskReport) if field.init]
    assert replace(told, level=0.95).backtest.rate == 0.05
    empty = replace(told.forecasts, losses=told.forecasts.losses[:0])
    with pytest.raises(InputError, match="do not fit"):
        replace(told, forecasts=empty)
    tails = told.forecasts.tails.copy()
    tails[-1] = -1
    with pytest.raises(InputError, match=r"next expected shortfall would be -1\.0"):
        replace(told, forecasts=replace(told.forecasts, tails=tails))


def test_every_form_tells_the_tests(learned: Learned) -> None:
    """Lines, JSON and picture each name every test and the violations."""
    told = report(learned, 0.99, "long", DEFAULT)
    lines, picture = "\n".join(report_lines(told)), plot(told)
    data = json.loads(json.dumps(report_json(told), allow_nan=False))
    for verdict in told.backtest.verdicts:
        assert verdict.name in lines
        assert verdict.name in picture
        assert verdict.name in [test["name"] for test in data["backtest"]["tests"]]
    assert len(data["backtest"]["violations"]) == told.backtest.violations > 0
    assert f"{told.var:.4g}" in lines
    root = ET.fromstring(picture)  # noqa: S314  (ours)
    assert len(root.findall(".//{*}circle")) == told.backtest.violations


def test_a_failed_test_is_told_as_such(learned: Learned) -> None:
    """If a test fails, the last line says not to rely on the numbers."""
    told = report(learned, 0.99, "long", DEFAULT)
    low = replace(told.forecasts, var=told.forecasts.var / 2, tails=told.forecasts.tails / 2)
    assert "do not rely" in report_lines(replace(told, forecasts=low))[-1]
    assert not any("do not rely" in line for line in report_lines(told))


@pytest.mark.parametrize("model", ["filtered historical", "GJR-GARCH-t"])
@pytest.mark.parametrize("side", ["long", "short"])
def test_conventions(learned: Learned, model: Model, side: Position) -> None:
    """Losses are positive for the side that loses, ES is beyond VaR, and 99 % beyond 95 %."""
    high, low = (report(learned, level, side, model) for level in (0.99, 0.95))
    sign = -1 if side == "long" else 1
    assert np.array_equal(high.forecasts.losses, sign * learned.prices.changes[FIRST:])
    assert len(high.forecasts.var) == len(high.forecasts.losses) + 1
    assert (high.forecasts.es > high.forecasts.var).all()
    assert (high.forecasts.var > low.forecasts.var).all()
    assert (high.price_after(high.var) < high.price) == (side == "long")


def test_returns_are_logarithmic_and_in_percent(learned: Learned) -> None:
    """The last loss is 100 ln of the prices' ratio, and leads from the one price to the other."""
    told = report(learned, 0.99, "long", DEFAULT)
    before, after = learned.prices.values[-2:]
    loss = float(told.forecasts.losses[-1])
    assert loss == pytest.approx(100 * math.log(before / after))
    assert replace(told, price=before).price_after(loss) == pytest.approx(after)


def test_student_es_is_exact(learned: Learned) -> None:
    """ES over VaR of the t model agrees with the mean of a million quantiles of arch's law."""
    from arch.univariate import StudentsT  # noqa: PLC0415  (takes seconds)

    told = report(learned, 0.99, "long", "GJR-GARCH-t")
    fit = learned.stretches[-1].fit
    low = StudentsT().ppf(0.01 * (np.arange(1_000_000) + 0.5) / 1_000_000, [fit.nu])
    at = StudentsT().ppf(np.array([0.01]), [fit.nu])[0]
    assert (told.es + fit.mean) / (told.var + fit.mean) == pytest.approx(low.mean() / at, rel=1e-4)


def test_quantile_has_exact_coverage() -> None:
    """Of 199 ordered values the 1 % quantile is the second: a 200th falls below with 2 / 200."""
    ordered = np.arange(1.0, 200.0)[None, :]
    assert quantile(ordered, np.array([0.01, 0.0125, 0.001]))[0].tolist() == [2, 2.5, 1]


def test_a_fit_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, learned: Learned) -> None:
    """A fit that does not converge keeps the earlier parameters, and the report says how often."""
    calls, fit = iter(range(100)), risk._fit
    monkeypatch.setattr(risk, "_fit", lambda window: fit(window) if next(calls) != 2 else None)
    patched = learn(learned.prices)
    assert patched.stretches[2].fit == patched.stretches[1].fit
    assert patched.stretches[3].fit == learned.stretches[3].fit
    told = report(patched, 0.99, "long", DEFAULT)
    assert "1 of 7 fits did not converge: earlier ones were kept" in told.remarks


def test_without_any_fit_there_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the first fit fails there is nothing to keep, and the series is refused."""
    monkeypatch.setattr(risk, "_fit", lambda _: None)
    with pytest.raises(InputError, match="does not fit the first 500"):
        learn(series(walk()))


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scale_does_not_matter(oil: Learned, factor: float) -> None:
    """Differences in another unit give the same VaR in that unit, to the optimiser's tolerance."""
    prices = replace(oil.prices, values=tuple(value * factor for value in oil.prices.values))
    here = report(oil, 0.99, "long", DEFAULT)
    there = report(learn(prices), 0.99, "long", DEFAULT)
    assert there.forecasts.var / factor == pytest.approx(here.forecasts.var, rel=1e-3)


def test_bad_series_are_refused() -> None:
    """NaN, too few, out of order, twice, no date, and a change too large: each with its message."""
    good = series(walk())
    days, values = good.dates, good.values
    for change, message in (
        ({"values": (math.nan, *values[1:])}, "the price of 2020-01-01 is nan"),
        ({"dates": days[:1], "values": values[:1]}, "1 prices have no change"),
        ({"values": values[1:]}, "801 dates but 800 prices"),
        ({"dates": (days[1], days[0], *days[2:])}, "2020-01-01 comes after 2020-01-02"),
        ({"dates": (days[0], days[0], *days[2:])}, "2020-01-01 comes after 2020-01-01"),
        ({"dates": ("soon", *days[1:])}, "'soon' is not a date"),
        ({"dates": ("2020-01-01T00:00+00:00", *days[1:])}, "time zone"),
        ({"values": (-1e308, 1e308, *values[2:])}, "a change is too large"),
        ({"values": (*values[:-1], -1e101)}, "a change is too large"),
    ):
        with pytest.raises(InputError, match=message):
            replace(good, **change)


def test_a_short_series_is_refused() -> None:
    """With 750 prices there is too little to test on; with one more there is enough."""
    with pytest.raises(InputError, match="750 prices are too few"):
        assess(series(walk(749)))
    assert assess(series(walk(750))).backtest.periods == 250


def test_a_nearly_normal_series_has_numbers(learned: Learned) -> None:
    """Where the t distribution is as good as normal its shortfall is the normal's, not an error."""
    calm = replace(
        learned,
        stretches=tuple(replace(part, fit=replace(part.fit, nu=1e5)) for part in learned.stretches),
    )
    told = report(calm, 0.99, "long", "GJR-GARCH-t")
    assert told.es / told.var == pytest.approx(2.665 / 2.326, rel=0.02)


@pytest.mark.parametrize("still", [801, 520])
def test_a_series_that_stands_still_is_refused(still: int) -> None:
    """If nothing changes in the first window there is nothing to learn from."""
    with pytest.raises(InputError, match="nothing changes up to"):
        learn(series([100.0] * still + walk()[still:]))


@pytest.mark.parametrize("level", [0.5, 0.999, 99, math.nan])
def test_level_out_of_range(level: float) -> None:
    """Levels that the pool cannot carry, and percents, are refused."""
    with pytest.raises(InputError, match="out of range"):
        assess(series(walk()), level)


def test_unknown_position_or_model(learned: Learned) -> None:
    """A position or model of another spelling is refused, not taken for another."""
    with pytest.raises(InputError, match="'Long' is unknown"):
        report(learned, 0.99, "Long", DEFAULT)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'gjr' is unknown"):
        report(learned, 0.99, "long", "gjr")  # type: ignore[arg-type]


def test_files_are_read(tmp_path: Path) -> None:
    """A file with one column of prices needs no name; with more, the column must be named."""
    good = series(walk())
    rows = [f"{day},{value!r},7" for day, value in zip(good.dates, good.values, strict=True)]
    path = tmp_path / "made.csv"
    path.write_text("\ufeffdate,close,volume\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert read_prices(path, "close") == good
    with pytest.raises(InputError, match="but close, volume"):
        read_prices(path)
    with pytest.raises(InputError, match="column 'open'"):
        read_prices(path, "open")
    path.write_text("\n".join(["date,close", *(row[:-2] for row in rows)]), encoding="utf-8")
    assert read_prices(path) == good


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,close\n2020-01-01,.\n", "line 2: '.' is not a price"),
        ("date,close\n2020-01-01,1,2\n", "line 2: 3 values under 2 columns"),
        ("date,close\n1 May,1\n", "line 2: '1 May' is not a date"),
        ('date,close\n"2020-01-01,1\n', "not comma-separated"),
        ("", "not one column of prices"),
    ],
)
def test_bad_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that is not what it should be is refused with the line at fault."""
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_prices(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a folder are refused without a trace."""
    with pytest.raises(InputError, match="no such file"):
        read_prices(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_prices(tmp_path)
