"""The facilitator's three routes over HTTP, and a client for them.

Whatever can be read as a payment is answered with status 200, as the x402 packages expect it; what
cannot, with 400; and 503 says that the chain did not answer, so that it is worth asking again.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from affiant.kernel.errors import DeliveryError, LedgerError, MalformedError
from affiant.verticals.market.facilitator import Facilitator
from affiant.verticals.market.payment import Payment, Requirements
from affiant.verticals.market.serving import Answer, App, Request, Serving, ask
from affiant.verticals.market.verdict import Objection, Reason, Settlement, Verdict
from affiant.verticals.market.wire import VERSION, load_json, versioned

_ROUTES = {"/verify": "POST", "/settle": "POST", "/supported": "GET"}


def facilitator_app(facilitator: Facilitator) -> App:
    """Return the three routes."""

    def answer(request: Request) -> Answer:
        method = _ROUTES.get(request.path)
        if method is None:
            return Answer.of(404, {"error": f"the routes are {', '.join(_ROUTES)}"})
        if request.method != method:
            return Answer.of(405, {"error": f"{request.path} takes {method}"}, allow=method)
        if request.path == "/supported":
            return Answer.of(200, facilitator.supported())
        return _judge(facilitator, request)

    return answer


def _judge(facilitator: Facilitator, request: Request) -> Answer:
    settling = request.path == "/settle"
    try:
        payment, wanted = _read(request.body)
        told = (facilitator.settle if settling else facilitator.verify)(payment, wanted)
    except MalformedError as error:
        return _failed(400, Reason.PAYLOAD, str(error), settling=settling)
    except LedgerError as error:
        reason = Reason.SETTLING if settling else Reason.VERIFYING
        return _failed(503, reason, str(error), settling=settling)
    return Answer.of(200, told.to_json())


def serve(facilitator: Facilitator, *, host: str = "127.0.0.1", port: int = 0) -> Serving:
    """Serve a facilitator, on this machine alone unless another host is named."""
    return Serving(facilitator_app(facilitator), host=host, port=port)


class RemoteFacilitator:
    """A facilitator behind its three routes."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def supported(self) -> Any:
        """Return what it settles.

        Raises:
            DeliveryError: it does not answer.
        """
        return self._ask("GET", "/supported")

    def verify(self, payment: Payment, wanted: Requirements) -> Verdict:
        """Ask whether a payment could be settled now.

        Raises:
            DeliveryError: it does not answer.
            MalformedError: what it answers is no verdict.
        """
        return Verdict.from_json(self._ask("POST", "/verify", _body(payment, wanted)))

    def settle(self, payment: Payment, wanted: Requirements) -> Settlement:
        """Have a payment settled, or learn how it was settled before.

        Raises:
            DeliveryError: it does not answer; ask again, and nothing is paid twice.
            MalformedError: what it answers is no settlement.
        """
        return Settlement.from_json(self._ask("POST", "/settle", _body(payment, wanted)))

    def _ask(self, method: str, route: str, body: bytes = b"") -> Any:
        base = urlsplit(self._url).path
        headers = {"content-type": "application/json"} if body else {}
        answer = ask(self._url, Request(method, base + route, body, headers))
        if answer.status not in {200, 400}:
            told = answer.body[:200].decode(errors="replace")
            raise DeliveryError(
                f"the facilitator at {self._url} answers {route} with {answer.status}: {told}",
                "Ask again later",
            )
        return load_json(answer.body)


def _read(body: bytes) -> tuple[Payment, Requirements]:
    told = versioned("request", load_json(body))
    payment = Payment.from_json(told.get("paymentPayload"))
    return payment, Requirements.from_json(told.get("paymentRequirements"))


def _body(payment: Payment, wanted: Requirements) -> bytes:
    told = {
        "x402Version": VERSION,
        "paymentPayload": payment.to_json(),
        "paymentRequirements": wanted.to_json(),
    }
    return json.dumps(told).encode()


def _failed(status: int, reason: Reason, message: str, *, settling: bool) -> Answer:
    objection = Objection(reason, message)
    if settling:
        return Answer.of(status, Settlement(objection, "").to_json())
    return Answer.of(status, Verdict(objection).to_json())
