"""What a buyer's agent may ask of an escrow: the order, its calls, and the rules that let them."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from affiant.kernel.encoding import keccak256, word
from affiant.kernel.mandate import EACH, Pin, Rule
from affiant.kernel.model import Call

APPROVE = keccak256(b"approve(address,uint256)")[:4]
FUND = keccak256(b"fund(uint256,uint256,bytes)")[:4]
_CREATE = "createJobWith(address,address,uint256,string,address,(bytes32,address,uint32,uint32))"
CREATE = keccak256(_CREATE.encode())[:4]
NOBODY = bytes(20)


@dataclass(frozen=True)
class Order:
    """What two parties agreed on, as the escrow keeps it. Amounts in smallest units, times in s."""

    terms: bytes
    """Leaf of the sworn agreement."""
    provider: bytes
    evaluator: bytes
    arbiter: bytes
    price: int
    expires: int
    dispute: int
    """Seconds in which a verdict can be disputed."""
    answer: int
    """Seconds that the arbiter has."""
    description: str


@dataclass(frozen=True)
class Desk:
    """Where orders go: an escrow and the token that it pays in."""

    escrow: bytes
    token: bytes

    def create(self, order: Order) -> Call:
        """Return the call that creates the job of an order; its caller is the client."""
        kinds = ("address", "address", "uint256", "string", "address")
        told = (order.provider, order.evaluator, order.expires, order.description, NOBODY)
        bargain = (order.terms, order.arbiter, order.dispute, order.answer)
        data = encode([*kinds, "(bytes32,address,uint32,uint32)"], [*told, bargain])
        return Call(self.escrow, CREATE + data)

    def fund(self, number: int, budget: int) -> Call:
        """Return the call by which a job's client pays its budget in."""
        data = encode(["uint256", "uint256", "bytes"], [number, budget, b""])
        return Call(self.escrow, FUND + data)

    def approve(self, amount: int) -> Call:
        """Return the call that lets the escrow take an amount of the caller's tokens."""
        return Call(self.token, APPROVE + word(self.escrow) + word(amount))

    def rules(self, cap: int, arbiter: bytes) -> list[Rule]:
        """Return the rules that let an agent order: no hook, this arbiter, at most `cap` at once.

        Bucket 0 meters what is paid in, bucket 1 what the escrow may take, bucket 2 jobs created.
        """
        plain = (Pin(4, (word(NOBODY),)), Pin(6, (word(arbiter),)))
        return [
            Rule(self.escrow, FUND, amount_word=1, cap=cap),
            Rule(self.token, APPROVE, 1, cap, bucket=1, pins=(Pin(0, (word(self.escrow),)),)),
            Rule(self.escrow, CREATE, amount_word=EACH, cap=1, bucket=2, pins=plain),
        ]
