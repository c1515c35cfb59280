"""A program for crash tests: an agent that has a number of orders to place, under oath.

It can be killed at any moment and begun again: every order is a job with a name of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affiant.apps.wiring import open_house
from affiant.chain import artifacts
from affiant.kernel.encoding import keccak256, sha256, word
from affiant.kernel.house import House
from affiant.kernel.mandate import Bucket, Pin, Rule
from affiant.kernel.model import Call, Input, Proposal

from .programs import Tell

TOKEN = artifacts.load("SettlementToken")
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]


@dataclass(frozen=True)
class Buyer:
    """Pays what the input says."""

    token: bytes
    supplier: bytes
    name: str = "test.buyer"
    version: str = "1"
    digest: bytes = sha256(b"test.buyer")
    deterministic: bool = True

    def predict(self, inputs: Sequence[Any]) -> Proposal:
        """Answer to the order."""
        (order,) = inputs
        data = TRANSFER + word(self.supplier) + word(order["units"])
        return Proposal(Call(self.token, data), order, "it was ordered")


def shop(house: House) -> tuple[bytes, Buyer]:
    """Find or make the mandate and the model."""
    principal, supplier = house.key("shop"), house.key("supplier").address
    token = house.deploy(TOKEN, "Settlement Token", "SETL", principal.address)
    rule = Rule(token, TRANSFER, amount_word=1, cap=100, pins=(Pin(0, (word(supplier),)),))
    mandate = house.grant(
        "buying",
        principal=principal,
        agent=house.key("buyer"),
        rules=[rule],
        buckets=[Bucket(1_000_000, 3_600)],
    )
    held = house.call(token, TOKEN, "balanceOf", mandate)
    if not held:
        house.send(principal, token, TOKEN, "mint", mandate, 1_000_000)
    return mandate, Buyer(token, supplier)


def buy(tell: Tell, home: str, orders: str) -> None:
    """Place the orders, and tell each one that was placed."""
    tell("begun")
    with open_house(home) as house:
        mandate, model = shop(house)
        tell("open")
        for number in range(int(orders)):
            order = Input.of({"units": number + 1}, source="orders")
            act = house.agent("buyer").act(f"order/{number}", mandate, model, [order])
            tell(f"refused {act.refused}" if act.refused else f"placed {number}")
