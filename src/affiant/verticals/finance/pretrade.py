"""The pre-trade check: nobody is paid before the account that asks for it was looked at.

Who looks is somebody else's part (`Screen`); what they find against an account ends the trade, and
the refusal is sworn like any other decision.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from affiant.kernel.encoding import from_hex, sha256, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Proposal
from affiant.kernel.token import SettlementToken


@dataclass(frozen=True)
class Finding:
    """What a screen found of an account."""

    clear: bool
    """Whether nothing stands against trading with it; a screen that is unsure says no."""
    score: str
    """A decimal number as text: the screen's own measure."""
    reason: str


class Screen(Protocol):
    """Whoever looks at an account's past."""

    @property
    def digest(self) -> bytes:
        """It changes whenever the findings could."""
        ...

    def look(self, account: Mapping[str, Any]) -> Finding:
        """Judge an account by its figures."""
        ...


class TradeModel(CodeModel):
    """Pays a counterparty what a trade says, if the screen is clear."""

    name = "affiant.finance.trade"
    sources = ("verticals/finance/pretrade.py", "kernel/token.py")

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    @functools.cached_property
    def digest(self) -> bytes:
        """SHA-256 over the code's digest and the screen's."""
        return sha256(super().digest + self._screen.digest)

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (order, account), as `order_input` and `account_input` make them."""
        order, account = inputs
        if account["address"] != order["counterparty"]:
            told = f"the order is for {order['counterparty']}, the record of {account['address']}"
            return Doubt("record-of-another", told)
        found = self._screen.look(account["figures"])
        output = {"number": order["number"], "score": found.score, "clear": found.clear}
        if not found.clear:
            return Doubt("counterparty-suspected", found.reason, output)
        money = SettlementToken(from_hex(order["token"], 20))
        call = money.transfer(from_hex(order["counterparty"], 20), Decimal(order["amount"]))
        return Proposal(call, output, f"trade {order['number']} is due; {found.reason}")


def order_input(money: SettlementToken, number: str, counterparty: bytes, amount: int) -> Input:
    """Return a trade to settle: whom to pay, and how much."""
    value = {
        "number": number,
        "counterparty": to_hex(counterparty),
        "token": to_hex(money.address),
        "amount": str(amount),
    }
    return Input.of(value, source="order book", units="tokens")


def account_input(address: bytes, figures: Mapping[str, Any]) -> Input:
    """Return an account's past, as figures by name."""
    value = {"address": to_hex(address), "figures": dict(figures)}
    return Input.of(value, source="account history", shape=[len(figures)])
