"""A model that pays a cent: what is asked of it is whether it may decide at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affiant.kernel.encoding import from_hex, keccak256, word
from affiant.kernel.model import Call, CodeModel, Proposal

TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
CENT = 10_000


class Spender(CodeModel):
    """Pays a cent to whom it is told."""

    name = "affiant.market.spender"
    sources = ("verticals/market/spending.py",)

    def predict(self, inputs: Sequence[Any]) -> Proposal:
        """Answer to (whom and in what to pay,)."""
        (told,) = inputs
        data = TRANSFER + word(from_hex(told["to"], 20)) + word(CENT)
        return Proposal(Call(from_hex(told["token"], 20), data), {}, "a cent is due")
