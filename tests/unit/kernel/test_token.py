"""Amounts of the settlement token are exact or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from affiant.kernel.errors import InputError
from affiant.kernel.token import SettlementToken, paid, tokens, units

TOKEN = SettlementToken(b"\x70" * 20)
TINY = Decimal("0.000001")


@pytest.mark.parametrize(
    ("amount", "count"), [(0, 0), (1, 10**6), (TINY, 1), (Decimal("12.5"), 12_500_000)]
)
def test_an_amount_is_exact_both_ways(amount: int | Decimal, count: int) -> None:
    """Tokens and smallest units convert without loss, and a transfer pays what it says."""
    assert units(amount) == count
    assert tokens(count) == amount
    assert paid(TOKEN.transfer(b"\x50" * 20, amount)) == amount


@pytest.mark.parametrize("amount", [-1, Decimal("-0.5"), TINY / 10, 1 + TINY / 2])
def test_an_amount_the_token_cannot_hold_is_refused(amount: int | Decimal) -> None:
    """Negative amounts and more decimals than the token has are refused, not rounded away."""
    with pytest.raises(InputError, match="no amount"):
        TOKEN.transfer(b"\x50" * 20, amount)


def test_a_large_amount_keeps_every_digit() -> None:
    """An amount beyond the precision of decimal arithmetic is still exact."""
    amount = Decimal("123456789012345678901234567890.123456")
    assert units(amount) == 123456789012345678901234567890123456
