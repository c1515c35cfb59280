"""Tests of VaR and ES: published values, values by hand, and the conventions."""

import math
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.finance.coverage import (
    Floats,
    Hits,
    backtest,
    conditional,
    fz0,
    independence,
    kupiec,
    shortfall,
    violations,
)

#: VaR and the tail of a uniform loss on (0, 1) at 90 %: ES 0.95.
UNIFORM_VAR, UNIFORM_TAIL = 0.9, 0.9 + 0.1 * (np.arange(20) + 0.5) / 20


def hits_of(violations: int, periods: int) -> Hits:
    """Return that many violations, all at the end."""
    return np.arange(periods) >= periods - violations


def uniform(losses: Floats) -> tuple[Floats, Floats, Floats]:
    """Return losses with forecasts that are right if the losses are uniform."""
    return losses, np.full(len(losses), UNIFORM_VAR), np.tile(UNIFORM_TAIL, (len(losses), 1))


def mathworks() -> Hits:
    """Return hits with the counts of MathWorks' example: 1,043 periods, 57 hits, 4 in a row."""
    runs = chain(repeat("110", 4), repeat("10", 49), ["0" * (1043 - 4 * 3 - 49 * 2)])
    return np.array([digit == "1" for digit in "0" + "".join(runs)[:-1]])


def test_published_example_of_all_three_ratios() -> None:
    """MathWorks' `cc` example (Normal95, EquityIndex) gives these ratios and p-values."""
    hits = mathworks()
    assert (len(hits), int(hits.sum()), int((hits[1:] & hits[:-1]).sum())) == (1043, 57, 4)
    for verdict, ratio, p in (
        (kupiec(hits, 0.05), 0.46147, 0.49694),
        (independence(hits), 0.25866, 0.61104),
        (conditional(hits, 0.05), 0.72013, 0.69763),
    ):
        assert verdict.statistic == pytest.approx(ratio, abs=5e-6)
        assert verdict.p == pytest.approx(p, abs=5e-6)


@pytest.mark.parametrize(
    ("periods", "rate", "fewest", "most"),
    [(255, 0.01, 1, 6), (510, 0.01, 2, 10), (1000, 0.01, 5, 16), (255, 0.05, 7, 20)],
)
def test_kupiecs_table(periods: int, rate: float, fewest: int, most: int) -> None:
    """What Kupiec's table (1995) accepts at 5 % passes; one fewer or more fails.

    The table says "fewer than 7" of 255 at 1 %; the ratio of none at all is 5.13, over 3.84.
    """
    passing = [n for n in range(periods + 1) if kupiec(hits_of(n, periods), rate).passes]
    assert passing == list(range(fewest, most + 1))


def test_no_violation_and_nothing_else() -> None:
    """The ratio is -2 n ln(1 - rate) without violations, and -2 n ln(rate) with nothing else."""
    none, only = hits_of(0, 250), hits_of(250, 250)
    assert kupiec(none, 0.01).statistic == pytest.approx(-500 * math.log(0.99))
    assert kupiec(only, 0.01).statistic == pytest.approx(-500 * math.log(0.01))
    for hits in (none, only):
        assert (independence(hits).statistic, independence(hits).p) == (0, 1)


def test_violations_in_a_row_are_seen() -> None:
    """Ten violations pass when apart, and fail independence and both together when in a row."""
    apart, row = np.arange(1000) % 100 == 50, (np.arange(1000) >= 500) & (np.arange(1000) < 510)
    assert independence(apart).passes
    assert conditional(apart, 0.01).passes
    assert kupiec(row, 0.01).p == kupiec(apart, 0.01).p == 1
    assert not independence(row).passes
    assert not conditional(row, 0.01).passes


def test_independence_by_hand() -> None:
    """Of 0 0 1 1 0 the transitions are 00, 01, 11, 10: the ratio is 0, as each is as likely."""
    assert independence(np.array([0, 0, 1, 1, 0], dtype=bool)).statistic == pytest.approx(0)
    # 0 0 0 1 1 1: 00 00 01 11 11. Apart: 2 ln(2/3) + ln(1/3) + 0; together 3 ln(3/5) + 2 ln(2/5).
    by_hand = 2 * (2 * math.log(2 / 3) + math.log(1 / 3) - 3 * math.log(0.6) - 2 * math.log(0.4))
    assert independence(hits_of(3, 6)).statistic == pytest.approx(by_hand)


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.floats(0.001, 0.4))
def test_ratios_are_never_negative(values: list[bool], rate: float) -> None:
    """Whatever the hits, ratios are 0 or more, p is from 0 to 1, and the third is their sum."""
    hits = np.array(values)
    parts = kupiec(hits, rate), independence(hits), conditional(hits, rate)
    assert all(part.statistic >= 0 and 0 <= part.p <= 1 for part in parts)
    assert parts[2].statistic == pytest.approx(parts[0].statistic + parts[1].statistic)


def test_a_loss_equal_to_var_is_no_violation() -> None:
    """Violations are strict."""
    assert violations(np.array([1.0, 1.0, 1.1]), np.array([1.0, 1.2, 1.0])).tolist() == [0, 0, 1]


def test_z2_by_hand() -> None:
    """Losses 0.92 and 0.98 in 10 periods, ES 0.95, one due: Z2 is 1 - 1.9 / 0.95 = -1."""
    losses = np.array([0.92, 0.98, *[0.5] * 8])
    assert shortfall(*uniform(losses), 0.1).statistic == pytest.approx(-1)


def test_z2_has_the_size_it_claims() -> None:
    """Of 400 right forecasts about one in twenty fails: between 3 % and 7.5 %."""
    random = np.random.default_rng(1)
    fails = [not shortfall(*uniform(random.random(150)), 0.1).passes for _ in range(400)]
    assert 12 <= sum(fails) <= 30


def test_z2_sees_an_es_too_low() -> None:
    """With the right VaR and losses a third over ES, only the test of ES fails."""
    random = np.random.default_rng(2)
    losses = random.random(2000)
    large = np.where(losses > UNIFORM_VAR, losses + 0.3, losses)
    right, wrong = backtest(*uniform(losses), 0.1), backtest(*uniform(large), 0.1)
    assert right.passes
    assert [verdict.passes for verdict in wrong.verdicts] == [True, True, True, False]


def test_fz0_by_hand() -> None:
    """Loss 3 with VaR 1 and ES 2 at 10 % scores 2 / 0.2 + 1/2 + ln 2 - 1; loss 0 no excess."""
    found = fz0(np.array([3.0, 0.0]), np.array([1.0, 1.0]), np.array([2.0, 2.0]), 0.1)
    assert found == pytest.approx(5 + 0.5 + math.log(2) - 1)


@pytest.mark.parametrize(("var", "es"), [(0.8, 0.95), (0.98, 1.0), (0.9, 1.2), (0.9, 0.91)])
def test_fz0_prefers_the_truth(var: float, es: float) -> None:
    """On uniform losses no other pair scores better than VaR 0.9 and ES 0.95."""
    losses = (np.arange(100_000) + 0.5) / 100_000
    one = np.ones(len(losses))
    truth = fz0(losses, 0.9 * one, 0.95 * one, 0.1)
    assert truth < fz0(losses, var * one, es * one, 0.1)


def test_a_lost_sign_is_refused() -> None:
    """VaR and ES as negative returns are refused, and so is an ES below its VaR."""
    losses, var, tails = uniform(np.linspace(0, 1, 50))
    with pytest.raises(InputError, match="not above 0"):
        backtest(losses, -var, -tails, 0.1)
    with pytest.raises(InputError, match="ES is below"):
        backtest(losses, var + 0.1, tails, 0.1)


def test_what_cannot_be_tested_is_refused() -> None:
    """A level instead of a rate, different lengths, and a NaN each have their message."""
    losses, var, tails = uniform(np.linspace(0, 1, 50))
    with pytest.raises(InputError, match=r"rate 0\.99"):
        backtest(losses, var, tails, 0.99)
    with pytest.raises(InputError, match="do not fit"):
        backtest(losses, var[1:], tails, 0.1)
    with pytest.raises(InputError, match="finite"):
        backtest(np.where(losses > 0.5, math.nan, losses), var, tails, 0.1)
