"""The simulator against theory, exact reserves and the rules that agents swear to."""

import math
from dataclasses import replace

import numpy as np
import pytest

from affiant.verticals.finance.calibrate import (
    EDGES,
    Agent,
    Survey,
    Tally,
    Watcher,
    fit,
    follow,
    survey,
)
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule, next_fee, wanted_fee
from affiant.verticals.finance.simulate import DAY, Floats, Hour, Market, Pools, World, bridge
from affiant.verticals.finance.volatility import PIPS, Volatility, forecast

WORLD = World(0.002)
BOUNDS = FeeBounds(500, 20_000, step=2_500, delay=2 * 3600)
SCHEDULE = FeeSchedule(EDGES[10:13], (1_000, 3_000, 7_000, 20_000), margin=10)


def market(days: int, *deviations: float) -> Market:
    """Return paths of constant volatility by the day."""
    seeds = [(7, place) for place in range(len(deviations))]
    paths = [
        bridge(np.zeros(days), np.full(days, one * one), seed)
        for one, seed in zip(deviations, seeds, strict=True)
    ]
    return Market(np.stack(paths, axis=1), seeds)


def run(pools: Pools, told: Market, watched: tuple[int, ...] = ()) -> list[Hour]:
    """Let all hours of a market pass."""
    return [pools.hour(*hour, watched) for hour in told.hours()]


def total(hours: list[Hour], name: str) -> Floats:
    """Return the sum of an amount over hours."""
    return np.asarray(sum(getattr(hour, name) for hour in hours))


def test_lvr_is_an_eighth_of_the_variance() -> None:
    """Without fee, costs and others, LVR is sigma^2 / 8 of the value (arXiv 2208.06046)."""
    free = replace(WORLD, gas=0, turnover=0, exchange_cost=0)
    told = market(20, 0.02, 0.08)
    hours = run(Pools([free], [0], 2), told)
    value = np.mean([hour.value for hour in hours], axis=0)
    theory = value * np.array([0.02, 0.08]) ** 2 * 20 / 8
    assert total(hours, "lvr")[0] == pytest.approx(theory, rel=0.03)
    assert total(hours, "fees")[0].max() == 0


def test_accounts_are_those_of_exact_reserves() -> None:
    """LVR and fees agree to 1 % with a pool of x * y = k and a portfolio that is rebalanced."""
    told, fee = market(2, 0.08), 0.003
    hours = run(Pools([WORLD], [fee], 1), told)
    lvr, fees, profit, value = exact(told, fee)
    assert total(hours, "profit").item() / profit == pytest.approx(1, rel=0.03)
    assert total(hours, "lvr").item() / lvr == pytest.approx(1, rel=0.01)
    assert total(hours, "fees").item() / fees == pytest.approx(1, rel=0.01)
    assert hours[-1].value.item() == pytest.approx(value, rel=0.02)


def exact(told: Market, fee: float) -> tuple[float, float, float, float]:
    """Return LVR, fees, arbitrage's profit and the last value, of a value of 1, by reserves."""
    x = y = 0.5
    price, held, fees, profit = 1.0, 1.0, 0.0, 0.0
    edge, gas = fee + WORLD.exchange_cost, WORLD.gas / WORLD.tvl

    def trade(to: float) -> float:
        """Move the pool's price; return the volume in money."""
        nonlocal x, y
        depth, before = math.sqrt(x * y), y
        x, y = depth / math.sqrt(to), depth * math.sqrt(to)
        return abs(y - before)

    for moves, buys, sells in told.hours():
        for move, bought, sold in zip(moves[:, 0], buys[:, 0], sells[:, 0], strict=True):
            held += x * price * math.expm1(move)
            price *= math.exp(move)
            gap = math.log(y / x / price)
            beyond = abs(gap) - edge
            if beyond > 0 and beyond**2 / 8 * (x * price + y) > gas:
                before = x * price + y
                volume = trade(price * math.exp(math.copysign(edge, gap)))
                fees += fee * volume
                profit += before - (x * price + y) - edge * volume - gas
            gap = math.log(y / x / price)
            portion = WORLD.turnover / 2 / DAY * (x * price + y)
            for side, share in ((1, bought), (-1, sold)):
                cost = max(fee + side * gap, 0)
                amount = share * portion * math.exp(-cost / WORLD.elasticity)
                fees += fee * trade((y + side * amount) ** 2 / (x * y))
    return held - (x * price + y), fees, profit, x * price + y


def test_others_leave_as_the_fee_rises() -> None:
    """With a still market, a fee of f* leaves 1/e of the volume that a fee near zero has."""
    still = Market(np.zeros((5 * DAY, 1), np.float32), [(1, 1)])
    hours = run(Pools([replace(WORLD, gas=1e9)] * 2, [1e-6, 0.002], 1), still)
    small, large = total(hours, "fees")[:, 0] / (1e-6, 0.002)
    assert large / small == pytest.approx(1 / math.e, rel=0.1)


def test_a_fee_keeps_arbitrage_away() -> None:
    """The arbitrageur keeps less at a higher fee, and pays the rest to the pool."""
    told = market(5, 0.05)
    hours = run(Pools([replace(WORLD, turnover=0)] * 3, [0, 0.003, 0.02], 1), told)
    kept = total(hours, "profit")[:, 0]
    assert kept[0] > 1.5 * kept[1] > 3 * kept[2] > 0


def test_a_bridge_ends_where_the_day_does() -> None:
    """Each day's minutes add up to its return and vary as told."""
    path = bridge(np.array([0.1, -0.3]), np.array([0.01, 0.04]), (3,)).reshape(2, DAY)
    assert path.sum(axis=1) == pytest.approx([0.1, -0.3], abs=1e-5)
    assert np.square(path).sum(axis=1) == pytest.approx([0.01, 0.04], rel=0.15)


def test_a_path_is_the_same_in_any_company() -> None:
    """What a pool earns on a path does not depend on which other paths are run."""
    both, told = market(1, 0.03, 0.05), Pools([WORLD], [0.003], 2)
    alone = Market(both.moves[:, 1:], both.seeds[1:])
    net = total(run(told, both), "net")[0, 1]
    assert total(run(Pools([WORLD], [0.003], 1), alone), "net").item() == net


def test_what_an_agent_sees_is_the_forecast_under_oath() -> None:
    """The forecasts for many pools are those of `forecast` on each pool's bars, to a pip or two."""
    told = market(2, 0.03, 0.08)
    pools, watcher = Pools([WORLD, WORLD], [0.003, 0.02], 2), Watcher()
    bars: list[Floats] = []
    for hour in run(pools, told, (0, 1)):
        bars.append(hour.bars)
        said = watcher.see(hour.bars, pools.fee.astype(float))
    assert said is not None
    prices = np.exp(np.concatenate(bars))
    for row, fee in enumerate((3_000, 20_000)):
        for path in (0, 1):
            trades = list(enumerate(prices[:, row, path].tolist(), start=1))
            seen = forecast([(300 * at, p) for at, p in trades], 300 * len(trades), [(0, fee)])
            assert said[row, path] == pytest.approx(seen.pips, abs=2)


def test_agents_follow_the_rules_under_oath() -> None:
    """Fees, changes and gas in `follow` are those of `wanted_fee` and `next_fee`, hour by hour."""
    told = market(4, 0.02, 0.05)
    agent = Agent(SCHEDULE, 5_000)
    found = follow(told, [WORLD], [[agent, agent]], BOUNDS)
    assert found.changes.min() > 0
    for path in (0, 1):
        fees, changes = by_the_rules(Market(told.moves[:, [path]], [told.seeds[path]]))
        assert found.mean_fee[0, path] == pytest.approx(np.mean(fees))
        assert found.changes[0, path] == changes
        assert found.gas[0, path] == pytest.approx(changes * WORLD.gas / WORLD.tvl)


def by_the_rules(told: Market) -> tuple[list[int], int]:
    """Return an agent's fee in each hour, and its changes, by the sworn functions."""
    pools, watcher = Pools([WORLD], [0], 1), Watcher()
    fee, since, fees, changes = 5_000, BOUNDS.delay, [], 0
    for hour in told.hours():
        pools.fee[:] = fee / PIPS
        said = watcher.see(pools.hour(*hour, (0,)).bars, np.array([[fee / PIPS]]))
        fees.append(fee)
        since += 3600
        if said is not None:
            seen = Volatility(int(said.item()), 24, 1)
            after = next_fee(fee, wanted_fee(seen, SCHEDULE, fee), BOUNDS, since)
            changes, since = changes + (after != fee), 0 if after != fee else since
            fee = after
    return fees, changes


def test_a_flat_schedule_is_a_static_fee() -> None:
    """An agent with one level earns to the last digit what the static fee earns in the survey."""
    told = market(2, 0.04)
    static = survey(told, [WORLD], (3_000, 5_000), watched=3_000, margin=10)
    found = follow(told, [WORLD], [[Agent(FeeSchedule((), (5_000,)), 5_000)]], BOUNDS)
    assert found.net[0, 0] == static.tally.net[0, 1, 0]
    assert found.changes[0, 0] == 0


def test_the_survey_sorts_all_that_was_earned() -> None:
    """The bands add up to what was earned since the first forecast, at the volatility there was."""
    told = market(3, 0.02, 0.08)
    found = survey(told, [WORLD], (1_000, 5_000), watched=5_000, margin=10)
    earned = found.by_band.sum(axis=3)
    assert np.abs(earned - found.tally.net).max() < 0.15 * np.abs(found.tally.net).max()
    calm, wild = np.abs(found.by_band[0, 0]).argmax(axis=1)
    assert EDGES[calm - 1] < 30_000
    assert EDGES[wild - 1] > 60_000


def test_the_survey_counts_how_often_the_forecast_crosses() -> None:
    """Three days of calm between three of storm are five changes, of the edges between them."""
    days = np.tile([0.01**2, 0.1**2], 3)
    told = Market(bridge(np.zeros(6), days, (5,))[:, None], [(5,)])
    crossed = survey(told, [WORLD], (3_000,), watched=3_000, margin=30).crossed[0, 0]
    between = [edge for edge in EDGES if 25_000 < edge < 60_000]
    assert [crossed[EDGES.index(edge)] for edge in between] == [5] * len(between)
    assert crossed[-1] == 0


def surveyed(by_band: Floats, crossed: int, gas: float = 5) -> Survey:
    """Return a survey of one world and path; `by_band` has a row for each of three fees."""
    nothing = np.zeros((1, 3, 1))
    tally = Tally(np.ones(1), nothing, nothing, nothing)
    counts = np.full((1, 1, len(EDGES)), crossed)
    world = replace(WORLD, gas=gas)
    return Survey((world,), (1_000, 3_000, 9_000), tally, by_band[None, :, None, :], counts)


def bands(*best: tuple[int, int, float]) -> Floats:
    """Return what three fees earned: (fee, band, amount), elsewhere nothing."""
    table = np.zeros((3, len(EDGES) + 1))
    for fee, band, amount in best:
        table[fee, band] = amount
    return table


def test_a_fit_takes_the_best_fee_of_each_band() -> None:
    """Three bands with three best fees give three levels, and unseen bands their neighbour's."""
    found = surveyed(bands((0, 5, 1), (1, 10, 1), (2, 15, 1)), crossed=1)
    schedule = fit(found, 0, [0], step=9_000, margin=20)
    assert (schedule.fees, schedule.margin) == ((1_000, 3_000, 9_000), 20)
    assert EDGES[4] < schedule.thresholds[0] <= EDGES[9] < schedule.thresholds[1] <= EDGES[14]
    lone = surveyed(bands((1, 10, 1)), crossed=0)
    assert fit(lone, 0, [0], step=9_000, margin=20).fees == (3_000,)


def test_a_fit_never_falls() -> None:
    """Where a lower fee was better in a storm, one fee serves both bands."""
    found = surveyed(bands((2, 5, 1), (0, 15, 3)), crossed=1)
    assert fit(found, 0, [0], step=9_000, margin=20).fees == (1_000,)


def test_a_fit_does_not_change_for_less_than_the_gas() -> None:
    """A level that earns $50 more is taken at 5 changes of $5, not at 5 of $20."""
    table = bands((0, 5, 1), (1, 10, 5e-6), (2, 20, 0))
    for gas, fees in ((1, (1_000, 3_000)), (20, (1_000,))):
        found = surveyed(table, crossed=5, gas=gas)
        assert fit(found, 0, [0], step=9_000, margin=20).fees == fees


def test_a_fit_counts_what_arbitrage_takes_as_the_fee_falls() -> None:
    """Without gas, too, changes cost: from 90 to 10 bp a pool loses what gap was left to stand."""
    table = bands((0, 5, 1), (2, 15, 5e-6))
    for often, highest in ((2, 9_000), (20, 1_000)):
        found = surveyed(table, crossed=often, gas=0)
        assert fit(found, 0, [0], step=9_000, margin=20).fees[-1] == highest
