"""What is sworn to in a market beside decisions: offers, payments, and uses of others' things."""

from __future__ import annotations

import re

from affiant.kernel import body as bodies
from affiant.kernel.body import Kind
from affiant.kernel.errors import MalformedError

OFFER = "affiant/offer/v1"
"""One side's offer, or its agreement to the other's last one. Subject: the offer's digest."""
PAYMENT = "affiant/payment/v1"
"""Leave to take a payment. Its leaf is the nonce of the EIP-3009 authorisation that pays it."""
CONTRIBUTION = "affiant/contribution/v1"
"""A use of somebody's data, model or program. Subject: the request's digest."""

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,77}")


def amount(value: object) -> object:
    """Accept an amount in a token's smallest units: a decimal integer as text."""
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise MalformedError("bad-content", f"{value!r:.40} is no amount")
    return int(value)


KINDS = {
    OFFER: Kind(
        OFFER,
        {
            "bargain": bodies.text,
            "number": bodies.integer,
            "side": bodies.text,
            "price": amount,
            "deadline": bodies.integer,
            "after": bodies.digest,
            "agrees": bodies.anything,
        },
    ),
    PAYMENT: Kind(
        PAYMENT,
        {
            "to": bodies.address,
            "token": bodies.address,
            "value": amount,
            "resource": bodies.text,
            "validBefore": bodies.integer,
        },
    ),
    CONTRIBUTION: Kind(
        CONTRIBUTION,
        {
            "listing": bodies.integer,
            "units": bodies.integer,
            "by": bodies.address,
            "terms": bodies.digest,
            "program": bodies.optional(bodies.digest),
            "data": bodies.optional(bodies.digest),
            "output": bodies.digest,
            "transaction": bodies.optional(bodies.digest),
        },
    ),
}
