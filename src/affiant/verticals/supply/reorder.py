"""The reorder model: demand history in, one payment to the supplier out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Model, Proposal
from affiant.kernel.token import SettlementToken
from affiant.verticals.supply.demand import Demand
from affiant.verticals.supply.forecast import forecast
from affiant.verticals.supply.newsvendor import plan_order

# The answer depends on these files and on nothing else, so they are part of the digest.
_SOURCES = (
    "verticals/supply/reorder.py",
    "verticals/supply/forecast.py",
    "verticals/supply/newsvendor.py",
    "kernel/token.py",
)


class ReorderModel(CodeModel):
    """Seasonal naive with drift, then the newsvendor rule, then a transfer to the supplier."""

    name = "affiant.supply.reorder"
    sources = _SOURCES

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (history, terms of trade), as `history_input` and `trade_input` make them."""
        history, trade = inputs
        expected = forecast(history["quantities"], history["season"], history["leadTime"])
        order = plan_order(expected, trade["underage"], trade["overage"])
        output = {"period": history["target"], "item": history["item"], **order.numbers()}
        if order.quantity == 0:
            return Doubt("nothing-to-order", "the newsvendor quantity is zero", output)
        price = Decimal(trade["unitPrice"]) * order.quantity
        money = SettlementToken(from_hex(trade["token"], 20))
        call = money.transfer(from_hex(trade["supplier"], 20), price)
        confidence = format(Decimal(str(order.level)).normalize(), "f")
        return Proposal(call, output, order.reason, confidence)


class GreedyModel(CodeModel):
    """Pays whatever a supplier asks: what a model gone wrong would do. Stories refuse it."""

    name = "affiant.supply.greedy"
    sources = _SOURCES

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (terms of trade, a supplier's offer)."""
        trade, offer = inputs
        money = SettlementToken(from_hex(trade["token"], 20))
        call = money.transfer(from_hex(trade["supplier"], 20), Decimal(offer["price"]))
        return Proposal(call, offer, "the supplier asks for it")


def history_input(demand: Demand, known: int, target: str) -> Input:
    """Return what is known of a demand when the order for period `target` is placed."""
    value = {
        "item": demand.item,
        "season": demand.season,
        "leadTime": demand.lead_time,
        "firstPeriod": demand.periods[0],
        "target": target,
        "quantities": list(demand.quantities[:known]),
    }
    return Input.of(value, source="sales ledger", units="units per period", shape=[known])


def trade_input(
    demand: Demand, token_address: bytes, supplier: bytes, underage: float, overage: float
) -> Input:
    """Return the terms of trade: price, whom to pay, and what a unit short or left costs."""
    value = {
        "unitPrice": str(demand.unit_price),
        "token": to_hex(token_address),
        "supplier": to_hex(supplier),
        "underage": underage,
        "overage": overage,
    }
    return Input.of(value, source="terms of trade", units="tokens per unit")


def models() -> list[Model]:
    """Return the models that a replay may need."""
    return [ReorderModel(), GreedyModel()]
