"""What the finance agents answer: proposals inside their bounds, and doubts with a reason."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest

from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.model import Doubt, Input, Model, Proposal
from affiant.kernel.token import SettlementToken, paid
from affiant.verticals.finance import calls, snapshot
from affiant.verticals.finance.allocation import AllocationModel, holdings_input, prices_input
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule
from affiant.verticals.finance.fee_setting import FeeModel, pool_input, trades_input
from affiant.verticals.finance.oracle import DAY, bounds, limits
from affiant.verticals.finance.pretrade import Finding, TradeModel, account_input, order_input
from affiant.verticals.finance.risk_parameters import (
    HeldBackModel,
    SnapshotModel,
    history_input,
    parameters_input,
)
from affiant.verticals.finance.snapshot import Record, Stored

POOL, VAULT, STEWARD, TOKEN = (bytes([n]) * 20 for n in (1, 2, 3, 4))
PAYEE, OTHER = b"\x50" * 20, b"\x51" * 20
BOUNDS = FeeBounds(500, 10_000, step=2_500, delay=60)
SCHEDULE = FeeSchedule(thresholds=(20_000, 40_000), fees=(1_000, 3_000, 8_000))


def answer(model: Model, *inputs: Input) -> Proposal | Doubt:
    """Return the answer to what an agent would be shown."""
    return model.predict([one.value for one in inputs])


def proposed(told: Proposal | Doubt) -> Proposal:
    """Return a proposal, and fail on a doubt."""
    assert isinstance(told, Proposal), told
    return told


def trades(size: float, hours: int = 30) -> Input:
    """Return hourly trades whose steps have that size."""
    draw, price, told = random.Random(1), 100.0, []  # noqa: S311 (it must repeat)
    for hour in range(hours):
        price *= math.exp(draw.choice([-size, size]))
        told.append((hour * 3600, price))
    return trades_input(told, [(0, 3_000)], told[-1][0])


def pool(fee: int, since: int = 60) -> Input:
    """Return a pool's settings."""
    return pool_input(POOL, fee, since, BOUNDS, SCHEDULE)


def test_the_fee_follows_volatility_a_step_at_a_time() -> None:
    """In a storm the fee rises by one step, in a calm it falls to the schedule's."""
    up = proposed(answer(FeeModel(), trades(0.02), pool(3_000)))
    assert up.call == calls.set_fee(POOL, 5_500)
    assert up.output["wanted"] == 8_000
    down = proposed(answer(FeeModel(), trades(0.0005), pool(3_000)))
    assert down.call == calls.set_fee(POOL, 1_000)


@pytest.mark.parametrize(
    ("seen", "settings", "rule", "why"),
    [
        (trades(0.02, hours=5), pool(3_000), "too-few-trades", "hours of trades"),
        (trades(0.02), pool(8_000), "fee-stands", "as it is"),
        (trades(0.02), pool(3_000, since=59), "fee-stands", "too early"),
        (trades_input([], [], 0), pool(3_000), "too-few-trades", "only 0 hours"),
    ],
)
def test_the_fee_agent_doubts(seen: Input, settings: Input, rule: str, why: str) -> None:
    """With too few trades, too early, or with nothing to change it leaves the fee as it is."""
    told = answer(FeeModel(), seen, settings)
    assert isinstance(told, Doubt)
    assert told.rule == rule
    assert why in told.reason


def oracle(ratio: int, *, old: int, now: int = 100 * DAY) -> tuple[Input, Input]:
    """Return daily records that grow 0.01 % a day, and a snapshot with that ratio."""
    history = [Record(day * DAY, 10**18 + day * 10**14) for day in range(1, 101)]
    stored = {
        snapshot.RATIO: Stored(ratio),
        snapshot.TIMESTAMP: Stored(old),
        snapshot.LTV: Stored(785_000),
        snapshot.THRESHOLD: Stored(810_000),
    }
    told = parameters_input(STEWARD, stored, bounds(DAY), limits(DAY), now)
    return history_input(history), told


def test_ratio_and_time_move_together() -> None:
    """The proposed snapshot is a recorded pair, the newest that is old enough."""
    told = proposed(answer(SnapshotModel(), *oracle(10**18, old=DAY)))
    newest = 98
    update = {
        snapshot.RATIO: 10**18 + newest * 10**14,
        snapshot.TIMESTAMP: newest * DAY,
    }
    assert told.call == calls.update(STEWARD, update)
    assert told.output == {name: str(value) for name, value in update.items()}


def test_what_ran_in_march_2026_breaks_the_pair() -> None:
    """The held-back model moves the time in full and the ratio by 3 %; the honest one waits."""
    inputs = oracle(95 * 10**16, old=DAY)
    told = proposed(answer(HeldBackModel(), *inputs))
    cut = 95 * 10**16 * 103 // 100
    assert told.call == calls.update(STEWARD, {snapshot.RATIO: cut, snapshot.TIMESTAMP: 98 * DAY})
    honest = answer(SnapshotModel(), *inputs)
    assert isinstance(honest, Doubt)
    assert honest.rule == "StepTooLarge"


def test_without_records_the_held_back_model_waits_too() -> None:
    """With nothing recorded there is nothing to hold back."""
    told = answer(HeldBackModel(), history_input([]), oracle(10**18, old=DAY)[1])
    assert isinstance(told, Doubt)


def prices(days: int = 200) -> Input:
    """Return closes of a calm and of a wild market."""
    draw = random.Random(3)  # noqa: S311 (it must repeat)
    series: dict[str, list[float]] = {"calm": [100.0], "wild": [100.0]}
    for _ in range(days):
        for name, size in (("calm", 0.005), ("wild", 0.02)):
            series[name].append(series[name][-1] * math.exp(draw.gauss(0, size)))
    return prices_input(series, "2026-11-25")


@pytest.mark.parametrize("funds", [("calm", "wild"), ("wild", "calm")])
def test_each_fund_gets_the_weight_of_its_own_market(funds: tuple[str, str]) -> None:
    """Weights, holdings and caps go by the vault's order of funds, whatever JSON does to names."""
    held = holdings_input(VAULT, 10**12, funds, [0, 0], [1_000_000, 1_000_000])
    told = proposed(answer(AllocationModel(), prices(), held))
    weights = told.output["weights"]
    assert weights["calm"] > 2 * weights["wild"] > 0
    words = [int.from_bytes(told.call.data[at : at + 32]) for at in range(4, 164, 32)]
    assert words == [words[0], 64, 2, weights[funds[0]], weights[funds[1]]]
    # The turnover is what it takes from nothing, and hardly more may be moved than that.
    assert told.output["turnover"] == sum(weights.values())
    assert told.output["turnover"] * 10**6 < words[0] <= (told.output["turnover"] + 20_000) * 10**6


@pytest.mark.parametrize("funds", [("calm", "wild"), ("wild", "calm")])
def test_holdings_and_caps_are_the_funds_own(funds: tuple[str, str]) -> None:
    """What is held of a fund, and its cap, count for that fund and for no other."""
    held = {"calm": 290_000, "wild": 0}
    caps = {"calm": 200_000, "wild": 1_000_000}
    told = holdings_input(
        VAULT, 10**12, funds, [held[name] for name in funds], [caps[name] for name in funds]
    )
    output = proposed(answer(AllocationModel(), prices(), told)).output
    assert 0 < output["weights"]["calm"] <= 200_000
    assert output["turnover"] == 290_000 - output["weights"]["calm"] + output["weights"]["wild"]


def test_the_vault_stays_where_data_is_broken() -> None:
    """A price that is missing ends in a doubt that names it, never in a move."""
    held = holdings_input(VAULT, 10**12, ("calm", "wild"), [0, 0], [10**6, 10**6])
    value = prices().value
    value["series"]["wild"][50] = 0
    told = AllocationModel().predict([value, held.value])
    assert isinstance(told, Doubt)
    assert told.rule == "price-missing"


def test_the_vault_stays_where_there_is_nothing_to_move() -> None:
    """An empty vault is left alone, and so is one with a fund whose market is not told."""
    empty = holdings_input(VAULT, 0, ("calm", "wild"), [0, 0], [10**6, 10**6])
    told = answer(AllocationModel(), prices(), empty)
    assert isinstance(told, Doubt)
    assert told.rule == "vault-empty"
    strange = holdings_input(VAULT, 1, ("calm", "gold"), [0, 0], [10**6, 10**6])
    assert isinstance(answer(AllocationModel(), prices(), strange), Doubt)


class Gate:
    """A screen that clears who has a good name."""

    def __init__(self, version: bytes = b"1") -> None:
        self.digest = sha256(version)

    def look(self, account: Mapping[str, Any]) -> Finding:
        """Judge by the one figure."""
        good = account["name"] == "good"
        return Finding(good, "0.1" if good else "0.9", f"the name is {account['name']}")


def test_who_is_clear_is_paid_what_the_order_says() -> None:
    """A clear account is paid, and the answer tells its score."""
    order = order_input(SettlementToken(TOKEN), "7", PAYEE, 250)
    told = proposed(answer(TradeModel(Gate()), order, account_input(PAYEE, {"name": "good"})))
    assert told.call.data[16:36] == PAYEE
    assert paid(told.call) == 250
    assert told.output == {"number": "7", "score": "0.1", "clear": True}


@pytest.mark.parametrize(
    ("address", "name", "rule"),
    [(PAYEE, "bad", "counterparty-suspected"), (OTHER, "good", "record-of-another")],
)
def test_who_is_not_clear_is_not_paid(address: bytes, name: str, rule: str) -> None:
    """A suspect is refused, and so is a record that is somebody else's."""
    order = order_input(SettlementToken(TOKEN), "7", PAYEE, 250)
    told = answer(TradeModel(Gate()), order, account_input(address, {"name": name}))
    assert isinstance(told, Doubt)
    assert told.rule == rule


def test_another_screen_is_another_model() -> None:
    """The trader's digest covers what screens for it."""
    first, second = TradeModel(Gate()), TradeModel(Gate(b"2"))
    assert first.digest != second.digest
    assert first.digest == TradeModel(Gate()).digest
    assert to_hex(first.digest) != to_hex(FeeModel().digest)
