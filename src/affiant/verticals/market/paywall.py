"""The seller's side: nothing is handed out before it is paid, and nobody pays twice for one thing.

A payment is verified, the handler runs, its answer is kept, the payment is settled, the answer is
given. Whoever repeats the request with the same payment, because the line broke or the seller fell
over, gets the kept answer: the handler does not run again and nothing is paid again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.ports import Clock
from affiant.verticals.market.payment import (
    REQUIRED,
    RESPONSE,
    SIGNATURE,
    Demand,
    Payment,
    Requirements,
    Token,
)
from affiant.verticals.market.serving import Answer, App, Request
from affiant.verticals.market.settlements import Slot, open_store
from affiant.verticals.market.verdict import Objection, Reason, Settlement, Verdict
from affiant.verticals.market.wire import encode_header

SCHEMA = """
CREATE TABLE IF NOT EXISTS sales (
    token BLOB NOT NULL,
    payer BLOB NOT NULL,
    nonce BLOB NOT NULL,
    request BLOB NOT NULL,
    until TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    settlement TEXT,
    PRIMARY KEY (token, payer, nonce)
) WITHOUT ROWID;
"""
_WIDTH = 78  # digits of a uint256: as texts of one width, times compare as numbers


class Cashier(Protocol):
    """Who settles payments: a facilitator, here or behind HTTP."""

    def verify(self, payment: Payment, wanted: Requirements) -> Verdict:
        """Tell whether a payment could be settled now."""
        ...

    def settle(self, payment: Payment, wanted: Requirements) -> Settlement:
        """Settle a payment, or tell how it was settled before."""
        ...


@dataclass(frozen=True)
class Sale:
    """What was made for a payment: the answer, and how it was settled, if it was yet."""

    slot: Slot
    request: bytes
    """Of what was asked and how it was paid; another request is another sale."""
    until: int
    """When the payment is no longer valid; from then on nobody can come back with it."""
    answer: Answer
    settlement: Mapping[str, Any] | None = None


class Sales:
    """The sales whose payments are still valid, in a file that survives the seller."""

    def __init__(self, path: Path) -> None:
        self._db = open_store(path, SCHEMA)
        self._turn = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, slot: Slot) -> Sale | None:
        """Return what was made for a payment."""
        query = (
            "SELECT request, until, status, headers, body, settlement FROM sales"
            " WHERE token = ? AND payer = ? AND nonce = ?"
        )
        with self._turn:
            row = self._db.execute(query, slot).fetchone()
        if row is None:
            return None
        request, until, status, headers, body, settlement = row
        told = None if settlement is None else json.loads(settlement)
        return Sale(slot, request, int(until), Answer(status, body, json.loads(headers)), told)

    def put(self, sale: Sale, now: int) -> None:
        """Keep an answer before its payment is settled; forget those that nobody can ask for."""
        made = sale.answer
        until = str(sale.until).zfill(_WIDTH)
        kept = (made.status, json.dumps(dict(made.headers)), made.body)
        values = (*sale.slot, sale.request, until, *kept)
        with self._turn:
            self._db.execute("DELETE FROM sales WHERE until <= ?", (str(now).zfill(_WIDTH),))
            self._db.execute("INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)

    def settled(self, slot: Slot, settlement: Settlement) -> None:
        """Keep how a payment was settled."""
        query = "UPDATE sales SET settlement = ? WHERE token = ? AND payer = ? AND nonce = ?"
        with self._turn:
            self._db.execute(query, (json.dumps(settlement.to_json()), *slot))


class Paywall:
    """Sells what a handler answers, each request for the same price."""

    def __init__(
        self,
        handler: App,
        token: Token,
        wanted: Requirements,
        cashier: Cashier,
        clock: Clock,
        file: Path,
        *,
        url: str,
        description: str = "",
    ) -> None:
        """Open the file of sales; `url` is what buyers know this seller by, without a path.

        Raises:
            SetupError: another process has the file.
            IntegrityError: the file is damaged.
        """
        self._handler = handler
        self._token = token
        self._wanted = wanted
        self._cashier = cashier
        self._clock = clock
        self._sales = Sales(file)
        self._url = url.rstrip("/")
        self._description = description
        self._turns = _Turns()

    def close(self) -> None:
        """Close the file."""
        self._sales.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, request: Request) -> Answer:
        """Demand a payment, or take one and answer.

        Raises:
            AffiantError: the facilitator or the handler failed; the same request may come again.
        """
        header = request.headers.get(SIGNATURE.lower())
        if header is None:
            return self._demand(request, f"{SIGNATURE} is missing")
        try:
            payment = Payment.from_header(header)
        except MalformedError as error:
            return Answer.of(400, {"error": str(error)})
        objection = self._mismatch(request, payment)
        if objection is not None:
            return self._demand(request, objection.reason)
        told = payment.authorization
        slot = (self._token.address, told.payer, told.nonce)
        with self._turns.take(slot):
            return self._sell(request, replace(payment, resource=self._resource(request)), slot)

    def _sell(self, request: Request, payment: Payment, slot: Slot) -> Answer:
        asked = _digest(request, payment, self._token)
        sale = self._sales.get(slot)
        if sale is not None and sale.request != asked:
            return self._demand(request, Reason.USED)
        if sale is None:
            verdict = self._cashier.verify(payment, self._wanted)
            if verdict.objection is not None:
                return self._demand(request, verdict.objection.reason)
            answer = self._handler(request)
            if answer.status >= 400:
                return answer  # nothing was made, nothing is paid
            sale = Sale(slot, asked, payment.authorization.valid_before, answer)
            self._sales.put(sale, self._clock.now())
        if sale.settlement is not None:
            return _handed(sale.answer, sale.settlement)
        settlement = self._cashier.settle(payment, self._wanted)
        if settlement.objection is not None:
            refused = self._demand(request, settlement.objection.reason)
            return _handed(refused, settlement.to_json())
        self._sales.settled(slot, settlement)
        return _handed(sale.answer, settlement.to_json())

    def _mismatch(self, request: Request, payment: Payment) -> Objection | None:
        if payment.accepted != self._wanted:
            return Objection(Reason.REQUIREMENTS, "something else was accepted")
        if payment.resource not in {None, self._resource(request)}:
            return Objection(Reason.REQUIREMENTS, "something else was paid for")
        if not payment.signed_by_payer(self._token):
            return Objection(Reason.SIGNATURE, "the payer did not sign it")
        return None

    def _resource(self, request: Request) -> str:
        return self._url + request.path

    def _demand(self, request: Request, error: str) -> Answer:
        resource, accepts = self._resource(request), (self._wanted,)
        demand = Demand(resource, accepts, str(error), self._description, identifies=True)
        headers = {REQUIRED: demand.to_header(), "cache-control": "no-store"}
        return Answer.of(402, demand.to_json(), **headers)


class _Turns:
    """A lock for each payment that is being taken."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._locks: dict[Slot, tuple[threading.Lock, int]] = {}

    @contextmanager
    def take(self, slot: Slot) -> Iterator[None]:
        """Wait until nobody else is at work on this payment."""
        with self._turn:
            lock, waiting = self._locks.get(slot, (threading.Lock(), 0))
            self._locks[slot] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._turn:
                _, waiting = self._locks.pop(slot)
                if waiting > 1:
                    self._locks[slot] = lock, waiting - 1


def _digest(request: Request, payment: Payment, token: Token) -> bytes:
    """Return what tells sales under one nonce apart.

    The buyer's own name for the payment is part of it: what the chain shows of a payment, once it
    is settled, is then not enough to ask for the answer again.
    """
    named = (payment.identifier or "").encode()
    parts = [request.method.encode(), request.path.encode(), request.body, named]
    return sha256(payment.authorization.digest(token) + b"".join(map(sha256, parts)))


def _handed(answer: Answer, settlement: Mapping[str, Any]) -> Answer:
    """Return an answer with the receipt of its payment."""
    return replace(answer, headers={**answer.headers, RESPONSE: encode_header(settlement)})
