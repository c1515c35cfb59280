"""The vault's weights: right where they can be worked out, and none from broken data."""

import itertools
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.finance.strategy import EQUAL, PPM, VAULT, Settings, Stay, Target, decide

ALONE = replace(VAULT, volatility=None, band=0)
NOTHING = (0, 0, 0)


def market(*volatilities: float, seed: int = 1, count: int = 260) -> list[list[float]]:
    """Return prices of funds that move by chance, each with a volatility a day."""
    chance = random.Random(seed)  # noqa: S311 - a market, not a key
    prices = []
    for volatility in volatilities:
        series = [100.0]
        for _ in range(count):
            series.append(series[-1] * (1 + chance.gauss(0, volatility)))
        prices.append(series)
    return prices


def zigzag(up: float, count: int = 260, period: int = 2) -> list[float]:
    """Return prices that go up and come back, with a volatility that can be worked out."""
    return [1 + up * (at // (period // 2) % 2) for at in range(count + 1)]


def weights(answer: Target | Stay) -> tuple[int, ...]:
    """Return the weights of an answer that has some."""
    assert isinstance(answer, Target)
    return answer.weights


def test_equal_is_one_nth() -> None:
    """The peer gives each of three funds a third, rounded down, whatever their risk."""
    assert weights(decide(market(0.01, 0.02, 0.03), NOTHING, EQUAL)) == (333_333,) * 3


def test_inverse_volatility_weighs_by_it() -> None:
    """A fund that moves three times as much gets a third of the other's weight."""
    settings = replace(ALONE, method="inverse-volatility")
    calm = market(0.01)[0]
    changes = [new / old - 1 for old, new in itertools.pairwise(calm)]
    wild = [1.0]
    for change in changes:
        wild.append(wild[-1] * (1 + 3 * change))
    assert weights(decide([calm, wild], (0, 0), settings)) == pytest.approx(
        (750_000, 250_000), 1e-5
    )


def test_risk_parity_gives_each_fund_the_same_risk() -> None:
    """Weight times covariance with the whole is the same for each fund, though two go together."""
    prices = market(0.01, 0.02, 0.015)
    prices.append([a * b for a, b in zip(prices[0], prices[1], strict=True)])
    found = weights(decide(prices, (0,) * 4, ALONE))
    moves = [[n / o - 1 for o, n in itertools.pairwise(s)] for s in prices]
    whole = [
        sum(w * m for w, m in zip(found, now, strict=True)) for now in zip(*moves, strict=True)
    ]
    mean = sum(whole) / len(whole)
    risks = [
        weight * math.fsum(m * (w - mean) for m, w in zip(series, whole, strict=True))
        for weight, series in zip(found, moves, strict=True)
    ]
    assert risks == pytest.approx([risks[0]] * 4, rel=1e-4)
    assert weights(decide(prices, (0,) * 4, replace(ALONE, method="equal"))) != found


def test_the_target_turns_what_is_too_much_into_cash() -> None:
    """Funds twice as volatile as the target are held at half, calmer ones in full, never more."""
    calm = decide([zigzag(0.001)], (0,), replace(VAULT, band=0))
    wild = decide([zigzag(0.01)], (0,), replace(VAULT, band=0))
    assert weights(calm) == (PPM,)
    assert isinstance(wild, Target)
    assert wild.volatility == pytest.approx(100_000, rel=1e-3)
    assert wild.weights[0] == pytest.approx(0.1 / (0.01 * math.sqrt(252)) * PPM, rel=0.02)


def test_the_target_looks_at_recent_periods() -> None:
    """A storm long past does not hold the vault back; one that just began does."""
    storm, calm = zigzag(0.03, 120), zigzag(0.002, 120)
    settings = replace(VAULT, band=0)
    assert weights(decide([storm + calm], (0,), settings)) == (PPM,)
    assert weights(decide([calm + storm], (0,), settings))[0] < PPM // 3


def test_no_fund_exceeds_its_cap() -> None:
    """What a cap cuts off goes to the other funds, and to cash where all are at their caps."""
    prices = market(0.001, 0.02, 0.02)
    free = weights(decide(prices, NOTHING, ALONE))
    found = weights(decide(prices, NOTHING, replace(ALONE, cap=400_000)))
    assert free[0] > 800_000
    assert found[0] == 400_000
    assert found[1] / found[2] == pytest.approx(free[1] / free[2], rel=1e-3)
    assert sum(found) > PPM - 3
    assert weights(decide(prices, NOTHING, replace(ALONE, cap=300_000))) == (300_000,) * 3


def test_each_fund_may_have_a_cap_of_its_own() -> None:
    """Caps bind fund by fund, one of zero leaves the fund out, and what none may hold is cash."""
    prices = market(0.01, 0.01, 0.01)
    own = weights(decide(prices, NOTHING, ALONE, (0, 250_000, PPM)))
    assert own == (0, 250_000, 750_000)
    assert weights(decide(prices, NOTHING, ALONE, (0, 250_000, 700_000))) == (0, 250_000, 700_000)


def test_turnover_counts_from_drifted_weights() -> None:
    """1/N pays for coming back to 1/N: bought plus sold from the weights as they are."""
    answer = decide(market(0.01, 0.01), (600_000, 400_000), EQUAL)
    assert isinstance(answer, Target)
    assert answer.turnover == 200_000


def test_a_small_move_is_not_worth_its_cost() -> None:
    """Inside the band the vault stays, at its edge too, and one ppm beyond it trades."""
    prices = market(0.01, 0.01)
    settings = replace(VAULT, method="equal", volatility=None, band=20_000)
    inside = decide(prices, (510_000, 490_000), settings)
    assert isinstance(inside, Stay)
    assert inside.rule == "inside-band"
    assert isinstance(decide(prices, (510_000, 490_000), replace(settings, cap=510_000)), Stay)
    assert weights(decide(prices, (510_001, 489_999), settings)) == (500_000, 500_000)


def test_the_band_does_not_excuse_a_broken_cap() -> None:
    """A fund that drifted above its cap is brought back, however little it is."""
    settings = replace(VAULT, method="equal", volatility=None, cap=500_000)
    prices = market(0.01, 0.01)
    assert weights(decide(prices, (500_001, 499_999), settings)) == (500_000, 500_000)
    settings = replace(VAULT, method="equal", volatility=None)
    own = decide(prices, (500_001, 499_999), settings, (500_000, PPM))
    assert weights(own) == (500_000, 500_000)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("price-missing", math.nan),
        ("price-missing", math.inf),
        ("price-missing", 0.0),
        ("price-missing", -3.0),
        ("price-jump", 10_000.0),
        ("price-jump", 1.0),
    ],
)
def test_a_faulty_price_is_refused(rule: str, fault: float) -> None:
    """One price that cannot be right, anywhere in the window, gives no weights."""
    for place in (0, 130, 260):
        prices = market(0.01, 0.01, 0.01)
        prices[1][place] = fault
        answer = decide(prices, NOTHING)
        assert isinstance(answer, Stay)
        assert answer.rule == rule


def test_a_feed_that_stopped_is_refused() -> None:
    """Ten equal prices at the end are a feed that stopped; nine are not."""
    prices = market(0.01, 0.01, 0.01)
    prices[2][-9:] = [prices[2][-9]] * 9
    assert isinstance(decide(prices, NOTHING), Target)
    prices[2][-10] = prices[2][-9]
    answer = decide(prices, NOTHING)
    assert isinstance(answer, Stay)
    assert answer.rule == "prices-stale"


def test_a_fund_that_never_swings_is_refused() -> None:
    """Prices that grow by the same share each period tell no risk to divide by."""
    short = replace(VAULT, recent=2, least=2, stale=2)
    answer = decide([[1.0, 1.25, 1.5625, 1.953125], [1.0, 1.1, 1.0, 1.1]], (0, 0), short)
    assert isinstance(answer, Stay)
    assert answer.rule == "flat-prices"


def test_windows_that_do_not_fit_are_refused() -> None:
    """Too few, uneven or other series, and impossible weights, each have a name."""
    prices = market(0.01, 0.01, 0.01)
    cases = {
        "window-short": ([series[:126] for series in prices], NOTHING),
        "prices-uneven": ([prices[0], prices[1][1:], prices[2]], NOTHING),
        "funds-differ": (prices, (0, 0)),
        "weights-held": (prices, (PPM, 1, 0)),
    }
    for rule, (seen, held) in cases.items():
        answer = decide(seen, held)
        assert isinstance(answer, Stay)
        assert answer.rule == rule
    assert isinstance(decide([series[:127] for series in prices], NOTHING), Target)
    assert decide([], ()) == Stay("funds-differ", "0 series of prices, 0 weights, 0 caps")


@given(
    st.integers(0, 10**6),
    st.lists(st.floats(0.0001, 0.04), min_size=1, max_size=5),
    st.integers(1, PPM),
    st.sampled_from(["risk-parity", "inverse-volatility", "equal"]),
)
def test_weights_are_within_their_limits(
    seed: int, volatilities: list[float], cap: int, method: str
) -> None:
    """Whatever the market, weights are not negative, not above the cap, and not above the whole."""
    settings = Settings(method=method, cap=cap, band=0)  # type: ignore[arg-type]
    answer = decide(market(*volatilities, seed=seed, count=127), (0,) * len(volatilities), settings)
    if isinstance(answer, Stay):
        assert answer.rule in {"price-jump", "inside-band"}
        return
    assert all(0 <= weight <= cap for weight in answer.weights)
    assert sum(answer.weights) <= PPM
    assert answer.volatility <= 100_000


def test_the_same_window_gives_the_same_weights_everywhere() -> None:
    """The weights of a window are written here: they hold on every machine that replays them."""
    answer = decide([zigzag(0.01), zigzag(0.03, period=4), zigzag(0.02, period=6)], NOTHING)
    assert weights(answer) == (291_054, 175_037, 255_065)


@pytest.mark.parametrize(
    "wrong",
    [{"cap": 0}, {"cap": PPM + 1}, {"volatility": 0}, {"recent": 1}, {"recent": 200}, {"stale": 1}],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, int]) -> None:
    """A cap above the whole, a target of nothing or a window of one period is an InputError."""
    with pytest.raises(InputError):
        replace(VAULT, **wrong)  # type: ignore[arg-type]
