"""The story's agent: it pays what an invoice says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Model, Proposal
from affiant.kernel.token import SettlementToken

SOURCE = "orders desk"


class PayInvoice(CodeModel):
    """Pays an invoice as it stands."""

    name = "affiant.security.pay-invoice"
    sources = ("verticals/security/invoices.py", "kernel/token.py")

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (invoice,), as `invoice` makes it."""
        (told,) = inputs
        money = SettlementToken(from_hex(told["token"], 20))
        call = money.transfer(from_hex(told["to"], 20), Decimal(told["amount"]))
        return Proposal(call, {"number": told["number"]}, f"invoice {told['number']} is due")


@dataclass(frozen=True)
class Hijacked(PayInvoice):
    """A hijacker who holds the agent's key, and names the agent's model as its own."""

    call: Any = None

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer what the hijacker wants, whatever the invoice says."""
        (told,) = inputs
        return Proposal(self.call, {"number": told["number"]}, f"invoice {told['number']} is due")


def invoice(money: SettlementToken, number: str, to: bytes, amount: int) -> Input:
    """Return an invoice, not sworn to by anybody yet."""
    told = {
        "number": number,
        "to": to_hex(to),
        "amount": str(amount),
        "token": to_hex(money.address),
    }
    return Input.of(told, source=SOURCE, units="tokens")


def models() -> list[Model]:
    """Return the models that a replay may need."""
    return [PayInvoice()]
