"""The buyer's side: pays for requests with an agent's key, within limits, under oath.

The nonce of a payment is the id of the statement by which the agent swore to it, so a statement
pays once. The x402 package's client is not used for it: it draws its nonces at random.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import DeliveryError, InputError, MalformedError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.ports import Clock
from affiant.verticals.market.payment import (
    REQUIRED,
    RESPONSE,
    SCHEME,
    SIGNATURE,
    Demand,
    Payment,
    Requirements,
    Token,
)
from affiant.verticals.market.serving import Answer, Request, ask
from affiant.verticals.market.settlements import open_store
from affiant.verticals.market.verdict import Settlement
from affiant.verticals.market.wire import decode_header


@dataclass(frozen=True)
class Sworn:
    """A logged statement that a payment may be taken."""

    leaf: bytes
    """Its id: the payment's nonce."""
    valid_before: int
    """The first second in which the payment can no longer be taken."""


Swear = Callable[[Demand, Requirements], Sworn]
"""Swears to a payment and logs the statement; or raises, and nothing is paid."""
ATTEMPTS = 3
SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    statement BLOB PRIMARY KEY,
    value TEXT NOT NULL,
    header TEXT NOT NULL
) WITHOUT ROWID;
"""


class Wallet:
    """Signs payments with an agent's key, in tokens that it knows, within its limits.

    What it signed is on disk before anybody gets it: limits hold and payments can be repeated also
    after a crash.
    """

    def __init__(
        self,
        key: LedgerKey,
        tokens: Sequence[Token],
        clock: Clock,
        file: Path,
        *,
        at_once: int,
        in_all: int,
        longest: int = 600,
    ) -> None:
        """Open the file of payments.

        Limits are in the smallest units, all tokens taken together, for as long as the file
        lasts; `longest` is the most seconds for which a payment may be valid.

        Raises:
            SetupError: another process has the file.
            IntegrityError: the file is damaged.
        """
        self._key = key
        self._tokens = {(token.network, token.address): token for token in tokens}
        self._clock = clock
        self._at_once, self._in_all, self._longest = at_once, in_all, longest
        self._turn = threading.Lock()
        self._db = open_store(file, SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spent(self) -> int:
        """All that was signed for, settled or not."""
        with self._turn:
            return self._spent()

    def choose(self, demand: Demand) -> Requirements:
        """Return the cheapest demand that this wallet can meet.

        Raises:
            InputError: there is none.
        """
        payable = [wanted for wanted in demand.accepts if self._objection(wanted) is None]
        if payable:
            return min(payable, key=lambda wanted: wanted.amount)
        told = [str(self._objection(wanted)) for wanted in demand.accepts]
        raise InputError(
            f"{demand.resource!r:.200} is not paid for: {'; '.join(told) or 'no price is known'}",
            "Raise the limits of the wallet if it is worth it, or buy elsewhere",
        )

    def pay(self, wanted: Requirements, sworn: Sworn, resource: str | None = None) -> Payment:
        """Sign a payment under a statement; under the same statement, the same payment again.

        Raises:
            InputError: it is beyond the limits, or the statement paid for something else.
        """
        with self._turn:
            made = self._made(sworn.leaf)
            if made is not None:
                told = (made.accepted, made.resource, made.authorization.valid_before)
                if told == (wanted, resource, sworn.valid_before):
                    return made
                raise InputError(
                    f"statement {to_hex(sworn.leaf)} has paid for something else",
                    "Swear to each payment",
                )
            objection = self._objection(wanted)
            if objection is None and self._spent() + wanted.amount > self._in_all:
                objection = f"{wanted.amount} more than {self._spent()} is above {self._in_all}"
            if objection is None and sworn.valid_before > self._clock.now() + self._longest:
                objection = f"it would be valid for more than {self._longest} s"
            if objection is not None:
                raise InputError(f"nothing is paid: {objection}", "Raise the limits of the wallet")
            made = Payment.sign(
                self._key,
                self._tokens[wanted.network, wanted.asset],
                wanted,
                nonce=sworn.leaf,
                valid_before=sworn.valid_before,
                resource=resource,
                identifier=secrets.token_hex(16),
            )
            values = (sworn.leaf, str(wanted.amount), made.to_header())
            self._db.execute("INSERT INTO payments VALUES (?, ?, ?)", values)
            return made

    def _made(self, statement: bytes) -> Payment | None:
        query = "SELECT header FROM payments WHERE statement = ?"
        row = self._db.execute(query, (statement,)).fetchone()
        return None if row is None else Payment.from_header(row[0])

    def _spent(self) -> int:
        return sum(int(value) for (value,) in self._db.execute("SELECT value FROM payments"))

    def _objection(self, wanted: Requirements) -> str | None:
        token = self._tokens.get((wanted.network, wanted.asset))
        if wanted.scheme != SCHEME or token is None:
            return f"{to_hex(wanted.asset)} on {wanted.network} is not money to this wallet"
        if (wanted.name, wanted.version) != (token.name, token.version):
            return f"the token is {token.name!r}, version {token.version!r}"
        if not 0 < wanted.amount <= self._at_once:
            return f"{wanted.amount} is not between 1 and {self._at_once}"
        if wanted.seconds > self._longest:
            return f"{wanted.seconds} s are more than {self._longest}"
        return None


@dataclass(frozen=True)
class Bought:
    """An answer, and what was paid for it: nothing where nothing was demanded."""

    answer: Answer
    payment: Payment | None = None
    settlement: Settlement | None = None


def buy(
    wallet: Wallet,
    url: str,
    swear: Swear,
    *,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Bought:
    """Request something, and pay for it if that is demanded.

    If the line breaks after the payment was sent, it is sent again: the same payment is never
    taken twice.

    Raises:
        InputError: the demand is beyond the wallet's limits.
        DeliveryError: the seller does not answer, or does not take the payment.
        MalformedError: what it demands, or its receipt, is in another form.
    """
    parts = urlsplit(url)
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    request = Request(method, path, body, dict(headers or {}))
    first = ask(url, request)
    if first.status != 402:
        return Bought(first)
    demand = Demand.from_header(first.headers.get(REQUIRED.lower(), ""))
    wanted = wallet.choose(demand)
    payment = wallet.pay(wanted, swear(demand, wanted), demand.resource or None)
    paid = Request(method, path, body, {**request.headers, SIGNATURE: payment.to_header()})
    answer = _insist(url, paid)
    receipt = answer.headers.get(RESPONSE.lower())
    settlement = None if receipt is None else Settlement.from_json(decode_header(receipt))
    if answer.status == 402:
        again = Demand.from_header(answer.headers.get(REQUIRED.lower(), ""))
        raise DeliveryError(
            f"the seller does not take the payment for {url}: {again.error}",
            "If it is pending, ask again with the same statement",
        )
    if settlement is not None and settlement.objection is None:
        _check(settlement, payment)
    return Bought(answer, payment, settlement)


def _insist(url: str, paid: Request) -> Answer:
    for _ in range(ATTEMPTS - 1):
        try:
            return ask(url, paid)
        except DeliveryError:
            continue
    return ask(url, paid)


def _check(settlement: Settlement, payment: Payment) -> None:
    """Refuse a receipt of another payment; whether it is true, the chain tells."""
    named = (settlement.network, settlement.payer or payment.authorization.payer)
    if named != (payment.accepted.network, payment.authorization.payer):
        raise MalformedError("bad-receipt", f"it names {settlement.network} and another payer")
