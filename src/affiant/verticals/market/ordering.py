"""The buyer's agent: an agreement and where its job stands in, the next step out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import Call, CodeModel, Doubt, Input, Proposal
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.escrow import Escrow
from affiant.verticals.market.orders import Desk, Order

_BYTES = {"terms": 32, "provider": 20, "evaluator": 20, "arbiter": 20}


class OrderModel(CodeModel):
    """Creates the job of an agreement, lets the escrow take its price, and pays it in."""

    name = "affiant.market.order"
    sources = ("verticals/market/ordering.py", "verticals/market/orders.py")

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (order, standing), as `order_input` and `standing_input` make them."""
        told, standing = inputs
        desk = Desk(from_hex(told["escrow"], 20), from_hex(told["token"], 20))
        order, job = _order(told["order"]), standing["job"]
        if job is None:
            return _step("create", desk.create(order), "no job is bound to this agreement yet")
        number = int(job["number"])
        if job["status"] != "Open":
            return Doubt("nothing-to-do", f"job {number} is {job['status'].lower()}")
        if int(job["budget"]) != order.price:
            asked = f"the provider asks {job['budget']}, agreed were {order.price}"
            return Doubt("budget-differs", asked)
        if int(standing["allowance"]) < order.price:
            return _step("approve", desk.approve(order.price), "the escrow may take the price")
        return _step("fund", desk.fund(number, order.price), f"job {number} is as agreed")


def order_input(escrow: Escrow, order: Order) -> Input:
    """Return what was agreed on."""
    told = {
        name: to_hex(value) if isinstance(value, bytes) else value
        for name, value in vars(order).items()
    }
    told["price"] = str(order.price)
    value = {"escrow": to_hex(escrow.address), "token": to_hex(escrow.token), "order": told}
    return Input.of(value, source="sworn agreement", units="smallest units, s")


def standing_input(escrow: Escrow, order: Order, client: bytes) -> Input:
    """Return where the order's job stands, and what the escrow may take of the client's."""
    erc20, job = artifact("PaymentToken"), escrow.find(order.terms)
    allowed = escrow.house.call(escrow.token, erc20, "allowance", client, escrow.address)
    told = None
    if job is not None and job.client == client:
        told = {"number": str(job.number), "status": job.status, "budget": str(job.budget)}
    return Input.of({"job": told, "allowance": str(allowed)}, source="escrow")


def _order(told: dict[str, Any]) -> Order:
    fixed = {name: from_hex(told[name], size) for name, size in _BYTES.items()}
    return Order(**{**told, **fixed, "price": int(told["price"])})


def _step(step: str, call: Call, why: str) -> Proposal:
    return Proposal(call, {"step": step}, why)
