"""Calling somebody's model over HTTP and paying per call, each payment under a sworn statement."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from affiant.kernel import statement
from affiant.kernel.encoding import jcs_decode, jcs_encode, sha256, to_hex
from affiant.kernel.house import House
from affiant.verticals.market.bazaar import Bazaar
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.facilitator import Facilitator
from affiant.verticals.market.kinds import PAYMENT
from affiant.verticals.market.pay import Sworn, Wallet, buy
from affiant.verticals.market.payment import SIGNATURE, Demand, Payment, Requirements
from affiant.verticals.market.paywall import Paywall
from affiant.verticals.market.serving import Answer, Request, Serving, ask

VALID = 300
REPEATS = 5


@dataclass(frozen=True)
class Calls:
    """What became of calls that were paid for."""

    answer: str
    statement: bytes
    paid: int
    transactions: int
    repeats: int
    unsworn: str


def call_and_pay(
    bazaar: Bazaar,
    buyer: str,
    seller: str,
    price: int,
    handler: Callable[[Any], Any],
    body: bytes,
) -> Calls:
    """Sell a handler's answers on loopback, buy one, and send the same payment again."""
    house, key, owner = bazaar.house, bazaar.house.key(buyer), bazaar.house.key(seller)
    folder, run = house.folder, secrets.token_hex(4)
    wanted = bazaar.token.price(price, owner.address, VALID)
    before = bazaar.balance(owner.address)

    walls: list[Paywall] = []

    def through(request: Request) -> Answer:
        return walls[0].answer(request)  # it knows its own address only once it is served

    def answer(request: Request) -> Answer:
        return Answer.of(200, handler(json.loads(request.body)))

    def is_logged(leaf: bytes) -> bool:
        return house.log.index_of(leaf) is not None

    def agrees(payment: Payment) -> bool:
        return sworn_to(house, payment)

    def swear(demand: Demand, asked: Requirements) -> Sworn:
        until = house.clock.now() + VALID
        content = {
            "to": to_hex(asked.pay_to),
            "token": to_hex(asked.asset),
            "value": str(asked.amount),
            "resource": demand.resource,
            "validBefore": until,
        }
        subject = sha256(jcs_encode(content))
        job = f"payment/{to_hex(subject)}/{secrets.token_hex(8)}"
        return Sworn(house.affiant(buyer).swear(job, PAYMENT, subject, content).leaf, until)

    tokens = [bazaar.token]
    with (
        Facilitator(
            house,
            tokens,
            house.key("facilitator"),
            house.clock,
            is_logged,
            folder / "facilitator.db",
            agrees=agrees,
        ) as facilitator,
        Wallet(
            key, tokens, house.clock, folder / "wallet.db", at_once=price, in_all=10**12
        ) as wallet,
        Serving(through) as server,
        Paywall(
            answer,
            bazaar.token,
            wanted,
            facilitator,
            house.clock,
            folder / f"sales-{run}.db",
            url=server.url,
        ) as wall,
    ):
        walls.append(wall)
        bought = buy(wallet, f"{server.url}/forecast", swear, method="POST", body=body)
        if bought.payment is None:
            raise LookupError("the seller demanded nothing")
        header = {SIGNATURE: bought.payment.to_header()}
        for _ in range(REPEATS):
            ask(f"{server.url}", Request("POST", "/forecast", body, header))
        bare = wallet.pay(wanted, Sworn(secrets.token_bytes(32), house.clock.now() + VALID), None)
        refused = ask(server.url, Request("POST", "/forecast", body, {SIGNATURE: bare.to_header()}))
    used = house.events(bazaar.money, artifact("PaymentToken"), "AuthorizationUsed")
    mine = [
        event
        for event in used
        if bytes(event["args"]["nonce"]) == bought.payment.authorization.nonce
    ]
    return Calls(
        bought.answer.body.decode(),
        bought.payment.authorization.nonce,
        bazaar.balance(owner.address) - before,
        len(mine),
        REPEATS,
        f"status {refused.status}",
    )


def sworn_to(house: House, payment: Payment) -> bool:
    """Tell whether the statement that a payment names swears to exactly this payment."""
    told = payment.authorization
    place = house.log.index_of(told.nonce)
    if place is None:
        return False
    sworn = statement.decode(house.log.entry(place)).verify()
    if sworn.kind != PAYMENT or sworn.issuer.kid != told.payer:
        return False
    said = jcs_decode(house.log.body(sworn.body) or b"{}").get("content", {})
    wanted = {
        "to": to_hex(told.payee),
        "token": to_hex(payment.accepted.asset),
        "value": str(told.value),
        "validBefore": told.valid_before,
    }
    return all(said.get(name) == value for name, value in wanted.items())
