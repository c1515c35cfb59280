"""What a market stands on: money, escrow, credits, registries, and who may approve models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel.encoding import sha256
from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.escrow import Escrow, open_escrow
from affiant.verticals.market.payment import Token
from affiant.verticals.market.services import Credits, open_credits
from affiant.verticals.market.standing import Registry, open_registry

MINT = "mint"
MEMBERS = ("member-0", "member-1", "member-2")
THRESHOLD, DELAY = 2, 1
"""Two of three members approve a model; a second in which any of them may object: it is a demo."""
NAME, SYMBOL = "Market Dollar", "MUSD"


@dataclass(frozen=True)
class Bazaar:
    """A market in one house."""

    house: House
    money: bytes
    escrow: Escrow
    credits: Credits
    registry: Registry
    approvals: bytes

    @property
    def token(self) -> Token:
        """The money as x402 names it."""
        return Token(self.house.ledger.chain_id, self.money, NAME, "1")

    def fund(self, account: bytes, amount: int) -> None:
        """Mint what an account lacks of an amount, in millionths."""
        compiled, mint = artifact("PaymentToken"), self.house.key(MINT)
        lacking = amount - self.balance(account)
        if lacking > 0:
            self.house.send(mint, self.money, compiled, "mint", account, lacking)

    def balance(self, account: bytes) -> int:
        """Return what an account holds, in millionths."""
        return int(self.house.call(self.money, artifact("PaymentToken"), "balanceOf", account))

    def approve(self, subject: bytes, members: Sequence[str]) -> None:
        """Let members approve a model or a parameter, unless they have."""
        compiled = artifact("Approvals")
        for name in members:
            key = self.house.key(name)
            if not self.house.call(self.approvals, compiled, "stanceOf", subject, key.address):
                self.house.send(key, self.approvals, compiled, "approve", subject)

    def is_approved(self, subject: bytes) -> bool:
        """Tell whether a subject may be used now."""
        return bool(self.house.call(self.approvals, artifact("Approvals"), "isApproved", subject))


def open_bazaar(house: House) -> Bazaar:
    """Find or make a market."""
    mint = house.key(MINT).address
    money = house.deploy(artifact("PaymentToken"), NAME, SYMBOL, mint)
    escrow = open_escrow(house, money)
    members = sorted(house.key(name).address for name in MEMBERS)
    approvals = house.deploy(artifact("Approvals"), members, THRESHOLD, DELAY)
    registry = open_registry(house, escrow.address)
    return Bazaar(house, money, escrow, open_credits(house, money), registry, approvals)


def digest_of(key: LedgerKey, text: str) -> bytes:
    """Return a digest for something of somebody's, such as a request."""
    return sha256(key.address + text.encode())
