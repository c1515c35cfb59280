"""Paying: the settlement token's units, its calls, and its compiled contract."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib import resources
from typing import Any

from affiant.kernel.encoding import keccak256, word
from affiant.kernel.mandate import Pin, Rule
from affiant.kernel.model import Call

DECIMALS = 6
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]


def artifact() -> dict[str, Any]:
    """Return the compiled SettlementToken."""
    folder = resources.files("affiant.verticals.supply") / "artifacts"
    found: dict[str, Any] = json.loads(folder.joinpath("SettlementToken.json").read_text("utf-8"))
    return found


def to_units(amount: Decimal) -> int:
    """Return an amount of tokens in the token's smallest units."""
    return int(amount.scaleb(DECIMALS).to_integral_value())


def from_units(units: int) -> Decimal:
    """Return the smallest units as an amount of tokens, without needless zeros."""
    amount = Decimal(units).scaleb(-DECIMALS)
    return (
        amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()
    )


def transfer(token: bytes, to: bytes, units: int) -> Call:
    """Return the call that pays `units` to an account."""
    return Call(token, TRANSFER + word(to) + word(units))


def transfer_rule(token: bytes, to: list[bytes], cap: int, bucket: int = 0) -> Rule:
    """Return the rule that allows paying these accounts, at most `cap` units at once."""
    pins = (Pin(0, tuple(word(account) for account in to)),)
    return Rule(token, TRANSFER, amount_word=1, cap=cap, bucket=bucket, pins=pins)
