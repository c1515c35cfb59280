"""A token on no chain at all, and payments in it: what the tests of paying share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import CallReverted
from affiant.kernel.identity import LedgerKey
from affiant.verticals.market.payment import Payment, Requirements, Token

NOW = 1_790_000_000
BUYER, SELLER, CARRIER, STRANGER = (
    LedgerKey(sha256(name)) for name in (b"buyer", b"seller", b"carrier", b"stranger")
)
TOKEN = Token(31337, b"\x70" * 20, "Payments", "1")
PRICE = 2_500
WANTED = TOKEN.price(PRICE, SELLER.address)


@dataclass
class Clock:
    """A clock that tests move."""

    time: int = NOW

    def now(self) -> int:
        """Return seconds since 1970."""
        return self.time


@dataclass
class FakeChain:
    """An EIP-3009 token's books; it checks no signatures."""

    clock: Clock
    held: dict[bytes, int] = field(default_factory=lambda: {BUYER.address: 10 * PRICE})
    used: set[tuple[bytes, bytes]] = field(default_factory=set)
    logs: list[tuple[str, dict[str, Any], bytes]] = field(default_factory=list)
    asked: int = 0
    """Questions put to the chain."""
    sent: int = 0
    """Transactions broadcast, also such as fail."""
    before: Callable[[], object] = int
    """Done when a transaction has been sent for, before the contract runs."""
    after: Callable[[], object] = int
    """Done when it was mined, before its sender hears of it."""

    def __post_init__(self) -> None:
        self._turn = threading.Lock()

    def call(self, _address: bytes, _artifact: Mapping[str, Any], name: str, *told: Any) -> Any:
        """Read the books."""
        self.asked += 1
        if name == "authorizationState":
            return (told[0], told[1]) in self.used
        assert name == "balanceOf"
        return self.held.get(told[0], 0)

    def events(
        self, _address: bytes, _artifact: Mapping[str, Any], name: str
    ) -> list[Mapping[str, Any]]:
        """Return what happened."""
        self.asked += 1
        return [
            {"args": args, "transactionHash": transaction, "logIndex": index}
            for index, (kind, args, transaction) in enumerate(self.logs)
            if kind == name
        ]

    def send(
        self,
        _sender: LedgerKey,
        _address: bytes,
        _artifact: Mapping[str, Any],
        name: str,
        *told: Any,
    ) -> bytes:
        """Refuse what would fail, or move money: one after another, as a connection does."""
        assert name == "transferWithAuthorization"
        with self._turn:
            return self._carry(*told)

    def _carry(self, *told: Any) -> bytes:
        self.asked += 1
        self.before()
        payer, payee, value, after, until, nonce = told[:6]
        refused = None
        if not after < self.clock.time < until:
            refused = "ERC3009InvalidAuthorizationTime"
        elif (payer, nonce) in self.used:
            refused = "ERC3009UsedAuthorization"
        elif self.held.get(payer, 0) < value:
            refused = "ERC20InsufficientBalance"
        if refused:
            raise CallReverted(refused, "")
        self.sent += 1
        transaction = sha256(b"transaction %d" % self.sent)
        self.move(payer, payee, value, nonce, transaction)
        self.after()
        return transaction

    def move(
        self, payer: bytes, payee: bytes, value: int, nonce: bytes, transaction: bytes
    ) -> None:
        """Write a transfer into the books."""
        self.used.add((payer, nonce))
        self.held[payer] -= value
        self.held[payee] = self.held.get(payee, 0) + value
        self.logs += [
            ("AuthorizationUsed", {"authorizer": to_hex(payer), "nonce": nonce}, transaction),
            ("Transfer", {"from": to_hex(payer), "to": to_hex(payee), "value": value}, transaction),
        ]


def paid(
    text: str = "a statement", *, wanted: Requirements = WANTED, key: LedgerKey = BUYER, **more: Any
) -> Payment:
    """Return a payment under the statement of that text."""
    usual: dict[str, Any] = {"nonce": sha256(text.encode()), "valid_before": NOW + wanted.seconds}
    return Payment.sign(key, TOKEN, wanted, **{**usual, **more})


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do something in many threads that start together; return what came of it."""
    gate, told = threading.Barrier(count), []

    def run(number: int) -> None:
        gate.wait()
        told.append(work(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told
