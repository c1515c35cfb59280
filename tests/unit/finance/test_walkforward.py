"""The walk-forward: costs worked out by hand, no look ahead, 1/N always beside."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from affiant.kernel.errors import InputError
from affiant.verticals.finance.strategy import EQUAL, PPM, VAULT, Stay, Target, decide
from affiant.verticals.finance.walkforward import (
    Rule,
    Schedule,
    report_json,
    report_lines,
    walk_forward,
)

SHORT = Schedule(window=10, step=5, block=5)
SETTINGS = replace(VAULT, recent=5, least=10, band=0, stale=5)


def market(count: int = 100, seed: int = 3) -> list[list[float]]:
    """Return prices of three funds that move by chance."""
    chance = random.Random(seed)  # noqa: S311 - a market, not a key
    prices = [[100.0] for _ in range(3)]
    for series, volatility in zip(prices, (0.005, 0.01, 0.02), strict=True):
        for _ in range(count - 1):
            series.append(series[-1] * (1 + chance.gauss(0.0003, volatility)))
    return prices


def always(*weights: int) -> Rule:
    """Return a rule that always wants the same."""

    def rule(prices: Sequence[Sequence[float]], held: Sequence[int]) -> Target:
        del prices, held
        return Target(weights, 0, 0, "always")

    return rule


def by_settings(prices: Sequence[Sequence[float]], held: Sequence[int]) -> Target | Stay:
    """Decide as the vault does, in a short window."""
    return decide(prices, held, SETTINGS)


def test_one_fund_is_its_price() -> None:
    """All in one fund, without cost, earns what the price did since the window's end."""
    prices = market()
    told = walk_forward(prices, always(0, PPM, 0), cost=0, schedule=SHORT).ours
    assert math.prod(1 + x for x in told.returns) == pytest.approx(prices[1][-1] / prices[1][10])
    assert told.growth == pytest.approx((prices[1][-1] / prices[1][10]) ** (252 / 89) - 1)
    assert len(told.returns) == 89


def test_costs_are_of_all_that_is_traded() -> None:
    """Entering costs 1, coming back from drift costs what was bought plus what was sold."""
    up = [[1.0] * 11 + [2.0] * 6, [1.0] * 17]
    told = walk_forward(
        up, always(500_000, 500_000), cost=10_000, schedule=replace(SHORT, year=6)
    ).ours
    # 1 % of all at first; then a half has become two thirds, and a sixth is sold and bought.
    assert told.cost == pytest.approx(0.01 * (1 + 1 / 3))
    assert told.turnover == pytest.approx(1 + 1 / 3)
    assert math.prod(1 + x for x in told.returns) == pytest.approx(0.99 * 1.5 * (1 - 0.01 / 3))


def test_equal_pays_for_its_drift() -> None:
    """1/N has the cost of coming back to 1/N, and earns less than it would without costs."""
    free, paid = (walk_forward(market(), by_settings, cost=c, schedule=SHORT) for c in (0, 3000))
    assert free.equal.cost == 0
    assert paid.equal.cost == pytest.approx(0.003 * paid.equal.turnover)
    assert paid.equal.turnover > 252 / 89
    assert paid.equal.growth < free.equal.growth
    assert paid.ours.growth < free.ours.growth


def test_the_future_changes_nothing_before_it() -> None:
    """Other prices after a time leave every weight and return up to that time as they were."""
    prices = market()
    before = walk_forward(prices, by_settings, schedule=SHORT).ours
    for last in (30, 52, 75):
        other = [
            [*series[: last + 1], *(price * 3 for price in reversed(series[last + 1 :]))]
            for series in prices
        ]
        after = walk_forward(other, by_settings, schedule=SHORT).ours
        decided = (last - 10) // 5 + 1
        assert after.weights[:decided] == before.weights[:decided]
        assert after.returns[: last - 10] == before.returns[: last - 10]
        assert after.returns[last - 10] != before.returns[last - 10]


def test_a_rule_sees_its_window_only() -> None:
    """Each decision gets window + 1 prices that end where the decision is made, in steps."""
    prices = market(31)
    seen: list[tuple[float, ...]] = []

    def rule(window: Sequence[Sequence[float]], held: Sequence[int]) -> Stay:
        del held
        seen.append(tuple(window[0]))
        return Stay("watching", "only looks")

    told = walk_forward(prices, rule, schedule=replace(SHORT, window=12)).ours
    assert seen == [tuple(prices[0][at - 12 : at + 1]) for at in (12, 17, 22, 27)]
    assert (told.stays, told.turnover, told.growth) == (4, 0, 0)


def test_a_rule_gets_weights_as_they_drifted() -> None:
    """A fund that doubled while the other stood still has two thirds at the next decision."""
    got = []

    def rule(window: Sequence[Sequence[float]], held: Sequence[int]) -> Target:
        del window
        got.append(tuple(held))
        return Target((500_000, 500_000), 0, 0, "")

    walk_forward([[1.0] * 11 + [2.0] * 6, [1.0] * 17], rule, cost=0, schedule=SHORT)
    assert got == [(0, 0), (666_666, 333_333)]


def test_equal_against_itself_is_no_different() -> None:
    """1/N minus 1/N is zero in every draw; so nothing is said to beat it."""
    told = walk_forward(market(), lambda p, h: decide(p, h, EQUAL), schedule=SHORT, draws=50)
    assert told.ours == told.equal
    assert (told.sharpe.value, told.sharpe.low, told.sharpe.high) == (0, 0, 0)
    assert told.beats is None
    assert told.diluted == pytest.approx(told.ours.drawdown)


def test_better_and_worse_are_told() -> None:
    """A fund that rises steadily beats 1/N with two that do not; one that falls is beaten."""
    chance = random.Random(5)  # noqa: S311 - a market, not a key
    prices = [[100.0] for _ in range(3)]
    for series, drift in zip(prices, (0.002, 0.0, -0.002), strict=True):
        for _ in range(599):
            series.append(series[-1] * (1 + drift + chance.gauss(0, 0.005)))
    told = [
        walk_forward(prices, always(*weights), schedule=SHORT, draws=200)
        for weights in ((PPM, 0, 0), (0, 0, PPM))
    ]
    assert [report.beats for report in told] == [True, False]
    for report in told:
        assert report.sharpe.low < report.sharpe.value < report.sharpe.high


def test_the_interval_is_as_wide_as_theory_says() -> None:
    """Of two chance series, a Sharpe difference errs by sqrt(2 (1 - correlation) / years)."""
    chance = random.Random(7)  # noqa: S311 - a market, not a key
    prices = [[100.0], [100.0]]
    for series in prices:
        for _ in range(3000):
            series.append(series[-1] * (1 + chance.gauss(0, 0.01)))
    told = walk_forward(prices, always(PPM, 0), cost=0, schedule=SHORT, draws=400).sharpe
    error = math.sqrt(2 * (1 - math.sqrt(0.5)) * 252 / 2990)
    assert told.high - told.low == pytest.approx(2 * 1.645 * error, rel=0.15)


def test_figures_are_what_they_say() -> None:
    """Volatility, Sharpe ratio and drawdown agree with the returns they are told of."""
    told = walk_forward(market(), by_settings, schedule=SHORT).ours
    mean = sum(told.returns) / 89
    spread = math.sqrt(sum((x - mean) ** 2 for x in told.returns) / 89)
    assert told.volatility == pytest.approx(spread * math.sqrt(252))
    assert told.sharpe == pytest.approx(mean / spread * math.sqrt(252))
    values = [math.prod(1 + x for x in told.returns[:end]) for end in range(90)]
    assert told.drawdown == pytest.approx(
        max(1 - value / max(values[: at + 1]) for at, value in enumerate(values))
    )
    assert told.invested == pytest.approx(sum(map(sum, told.weights)) / len(told.weights) / PPM)


def test_cash_earns_what_it_earns() -> None:
    """A vault of cash earns cash, which is no return above cash."""
    cash = [0.0001 * at for at in range(99)]
    told = walk_forward(market(), always(0, 0, 0), schedule=SHORT, cash=cash).ours
    assert told.returns == pytest.approx(cash[10:])
    assert told.sharpe == 0
    with pytest.raises(InputError):
        walk_forward(market(), always(0, 0, 0), schedule=SHORT, cash=cash[1:])


@pytest.mark.parametrize(
    "prices",
    [
        [],
        [[1.0] * 15],
        [[1.0] * 30, [1.0] * 29],
        [[1.0] * 29 + [0.0]],
        [[1.0] * 29 + [math.nan]],
    ],
)
def test_prices_that_cannot_be_walked_are_refused(prices: list[list[float]]) -> None:
    """No price, too few, uneven or missing ones are an InputError, not a figure."""
    with pytest.raises(InputError):
        walk_forward(prices, always(PPM), schedule=SHORT)


def test_leverage_is_refused() -> None:
    """A rule that wants more than the whole, or less than nothing, gets no figures."""
    for weights in ((PPM, 1, 0), (PPM, -1, 0)):
        with pytest.raises(InputError):
            walk_forward(market(), always(*weights), schedule=SHORT)


def test_a_report_shows_costs_and_the_peer() -> None:
    """No figure is told without its costs, nor without 1/N beside it and a verdict."""
    told = walk_forward(market(800), decide, cost=3_000)
    lines = report_lines(told)
    assert lines[0] == "after 30 bp of turnover"
    assert lines[1].split() == ["the", "rule", "1/N"]
    assert any(line.startswith("cost a year") for line in lines)
    assert "90 % interval" in lines[-1]
    value = report_json(told)
    assert set(value["rule"]) == set(value["equal"]) > {"cost", "turnover", "sharpe"}
    assert value["costPpm"] == 3_000
