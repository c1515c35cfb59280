"""Paying: the settlement token, its units, its calls, and the rule that allows paying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from affiant.kernel.encoding import keccak256, word
from affiant.kernel.errors import InputError
from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Pin, Rule
from affiant.kernel.model import Call

DECIMALS = 6
_NAME = "SettlementToken"
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]

Amount = int | Decimal
"""Tokens, at most six decimals."""


@dataclass(frozen=True)
class SettlementToken:
    """An ERC-20 whose owner mints it: money on a chain of one's own."""

    address: bytes

    @classmethod
    def deploy(cls, house: House, owner: LedgerKey) -> SettlementToken:
        """Find or deploy the token of an owner."""
        artifact = house.artifact(_NAME)
        return cls(house.deploy(artifact, "Settlement Token", "SETL", owner.address))

    def transfer(self, to: bytes, amount: Amount) -> Call:
        """Return the call that pays an account."""
        return Call(self.address, TRANSFER + word(to) + word(units(amount)))

    def rule(self, to: Sequence[bytes] | None, cap: Amount, bucket: int = 0) -> Rule:
        """Return the rule that allows paying these accounts, or any, at most `cap` at once."""
        pins = () if to is None else (Pin(0, tuple(word(account) for account in to)),)
        return Rule(self.address, TRANSFER, amount_word=1, cap=units(cap), bucket=bucket, pins=pins)

    def balance(self, house: House, account: bytes) -> Decimal:
        """Return what an account holds."""
        return tokens(house.call(self.address, house.artifact(_NAME), "balanceOf", account))

    def fund(self, house: House, owner: LedgerKey, account: bytes, amount: Amount) -> None:
        """Mint what an account lacks of an amount."""
        lacking = Decimal(amount) - self.balance(house, account)
        if lacking > 0:
            artifact = house.artifact(_NAME)
            house.send(owner, self.address, artifact, "mint", account, units(lacking))


def units(amount: Amount) -> int:
    """Return tokens in the smallest units.

    Raises:
        InputError: a negative amount, or one with more decimals than the token has.
    """
    exact = Fraction(amount) * 10**DECIMALS
    if exact < 0 or exact.denominator != 1:
        raise InputError(
            f"{amount} is no amount of a token with {DECIMALS} decimals",
            f"Give an amount of at least 0, with at most {DECIMALS} decimals",
        )
    return int(exact)


def tokens(count: int) -> Decimal:
    """Return the smallest units as tokens, without needless zeros."""
    amount = Decimal(count).scaleb(-DECIMALS)
    whole = amount.to_integral_value()
    return whole if amount == whole else amount.normalize()


def paid(call: Call) -> Decimal:
    """Return how much a transfer pays."""
    return tokens(int.from_bytes(call.data[36:68]))
