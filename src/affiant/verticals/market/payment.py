"""Payments and demands for them, as x402 version 2 has them: scheme `exact` over EIP-3009.

What this room does not know, such as extensions, is left out when a payment is written again; no
signature covers it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from affiant.kernel.encoding import keccak256, to_hex, word
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import LedgerKey, recover
from affiant.verticals.market.wire import (
    VERSION,
    bad,
    checksummed,
    data_of,
    decode_header,
    encode_header,
    mapping,
    number,
    prose,
    text_of,
    versioned,
)

SCHEME = "exact"
REQUIRED, SIGNATURE, RESPONSE = "PAYMENT-REQUIRED", "PAYMENT-SIGNATURE", "PAYMENT-RESPONSE"
IDENTIFIER = "payment-identifier"
"""The extension by which a buyer names a payment: only those who know the name may repeat it."""
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_TRANSFER_TYPE = (
    b"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
    b"uint256 validBefore,bytes32 nonce)"
)
_NETWORK = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_NAMED = re.compile(r"[a-zA-Z0-9_-]{16,128}")
_AUTHORIZATION = ("from", "to", "value", "validAfter", "validBefore", "nonce")
_MAX_SECONDS = 1 << 31


@dataclass(frozen=True)
class Token:
    """An EIP-3009 token, by the EIP-712 domain of its authorisations."""

    chain_id: int
    address: bytes
    name: str
    version: str

    @property
    def network(self) -> str:
        """The chain's CAIP-2 name."""
        return f"eip155:{self.chain_id}"

    @cached_property
    def separator(self) -> bytes:
        """The EIP-712 domain separator."""
        texts = (_DOMAIN_TYPE, self.name.encode(), self.version.encode())
        words = [*map(keccak256, texts), word(self.chain_id), word(self.address)]
        return keccak256(b"".join(words))

    def price(self, amount: int, pay_to: bytes, seconds: int = 60) -> Requirements:
        """Return what a seller demands: so many of the smallest units, within so many seconds."""
        return Requirements(
            SCHEME, self.network, self.address, amount, pay_to, seconds, self.name, self.version
        )


@dataclass(frozen=True)
class Requirements:
    """What a seller demands."""

    scheme: str
    network: str
    asset: bytes
    amount: int
    """In the smallest units."""
    pay_to: bytes
    seconds: int
    """How long an authorisation may be valid."""
    name: str = ""
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        return {
            "scheme": self.scheme,
            "network": self.network,
            "asset": checksummed(self.asset),
            "amount": str(self.amount),
            "payTo": checksummed(self.pay_to),
            "maxTimeoutSeconds": self.seconds,
            "extra": {"name": self.name, "version": self.version},
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the wire form.

        Raises:
            MalformedError: it is not in that form.
        """
        told = mapping("requirements", value)
        seconds = told.get("maxTimeoutSeconds")
        if type(seconds) is not int or not 0 < seconds < _MAX_SECONDS:
            raise bad("maxTimeoutSeconds", seconds)
        network = text_of("network", told.get("network"))
        if not _NETWORK.fullmatch(network):
            raise bad("network", network)
        extra = mapping("extra", told.get("extra") or {})
        return cls(
            scheme=text_of("scheme", told.get("scheme")),
            network=network,
            asset=data_of("asset", told.get("asset"), 20),
            amount=number("amount", told.get("amount")),
            pay_to=data_of("payTo", told.get("payTo"), 20),
            seconds=seconds,
            name=text_of("extra.name", extra.get("name", "")),
            version=text_of("extra.version", extra.get("version", "")),
        )


@dataclass(frozen=True)
class Authorization:
    """An EIP-3009 `TransferWithAuthorization`; each nonce of a payer is good once."""

    payer: bytes
    payee: bytes
    value: int
    valid_after: int
    """It is valid later than this second."""
    valid_before: int
    """It is valid earlier than this second."""
    nonce: bytes
    """The id of the statement by which the payer swore to this payment."""

    def digest(self, token: Token) -> bytes:
        """Return the EIP-712 digest that the payer signs."""
        words = [keccak256(_TRANSFER_TYPE), word(self.payer), word(self.payee), word(self.value)]
        words += [word(self.valid_after), word(self.valid_before), self.nonce]
        return keccak256(b"\x19\x01" + token.separator + keccak256(b"".join(words)))

    def to_json(self) -> dict[str, str]:
        """Return the wire form."""
        return {
            "from": checksummed(self.payer),
            "to": checksummed(self.payee),
            "value": str(self.value),
            "validAfter": str(self.valid_after),
            "validBefore": str(self.valid_before),
            "nonce": to_hex(self.nonce),
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the wire form.

        Raises:
            MalformedError: it is not in that form.
        """
        told = mapping("authorization", value)
        if set(told) != set(_AUTHORIZATION):
            raise bad("authorization", sorted(map(str, told)))
        return cls(
            data_of("from", told["from"], 20),
            data_of("to", told["to"], 20),
            number("value", told["value"]),
            number("validAfter", told["validAfter"]),
            number("validBefore", told["validBefore"]),
            data_of("nonce", told["nonce"], 32),
        )


@dataclass(frozen=True)
class Payment:
    """A signed authorisation, with the demand that it answers."""

    accepted: Requirements
    authorization: Authorization
    signature: bytes
    resource: str | None = None
    """The address of what is paid for; not signed."""
    identifier: str | None = None
    """The buyer's own name for this payment, which the chain never shows; not signed."""

    @classmethod
    def sign(
        cls,
        key: LedgerKey,
        token: Token,
        accepted: Requirements,
        *,
        nonce: bytes,
        valid_before: int,
        valid_after: int = 0,
        resource: str | None = None,
        identifier: str | None = None,
    ) -> Self:
        """Pay what is demanded."""
        told = Authorization(
            key.address, accepted.pay_to, accepted.amount, valid_after, valid_before, nonce
        )
        signature = key.sign_digest(told.digest(token))
        return cls(accepted, told, signature, resource, identifier)

    def signed_by_payer(self, token: Token) -> bool:
        """Tell whether the payer's own key signed it; contracts as payers are not supported."""
        told = self.signature
        if told[64:] in (b"\0", b"\1"):
            told = told[:64] + bytes([27 + told[64]])
        try:
            return recover(self.authorization.digest(token), told) == self.authorization.payer
        except MalformedError:
            return False

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        told: dict[str, Any] = {
            "x402Version": VERSION,
            "accepted": self.accepted.to_json(),
            "payload": {
                "signature": to_hex(self.signature),
                "authorization": self.authorization.to_json(),
            },
        }
        if self.resource is not None:
            told["resource"] = {"url": self.resource}
        if self.identifier is not None:
            told["extensions"] = {IDENTIFIER: {"info": {"required": False, "id": self.identifier}}}
        return told

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the wire form.

        Raises:
            MalformedError: it is not in that form.
        """
        told = versioned("payment", value)
        inner = mapping("payload", told.get("payload"))
        resource = told.get("resource")
        if resource is not None:
            resource = text_of("resource.url", mapping("resource", resource).get("url"))
        return cls(
            Requirements.from_json(told.get("accepted")),
            Authorization.from_json(inner.get("authorization")),
            data_of("signature", inner.get("signature")),
            resource,
            _identifier(told.get("extensions")),
        )

    def to_header(self) -> str:
        """Return what `PAYMENT-SIGNATURE` holds."""
        return encode_header(self.to_json())

    @classmethod
    def from_header(cls, text: str) -> Self:
        """Read what `PAYMENT-SIGNATURE` holds.

        Raises:
            MalformedError: it is not in that form.
        """
        return cls.from_json(decode_header(text))


@dataclass(frozen=True)
class Demand:
    """An answer of status 402: what is sold, for what, and what was wrong with a payment."""

    resource: str
    accepts: tuple[Requirements, ...]
    """Those that are in a form known here."""
    error: str = ""
    description: str = ""
    identifies: bool = False
    """Whether the buyer may name the payment."""

    def to_header(self) -> str:
        """Return what `PAYMENT-REQUIRED` holds."""
        return encode_header(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        told: dict[str, Any] = {
            "x402Version": VERSION,
            "error": self.error,
            "resource": {"url": self.resource, "description": self.description},
            "accepts": [wanted.to_json() for wanted in self.accepts],
        }
        if self.identifies:
            named = {"type": "string", "minLength": 16, "maxLength": 128}
            shape = {"type": "object", "properties": {"id": named}}
            told["extensions"] = {IDENTIFIER: {"info": {"required": False}, "schema": shape}}
        return told

    @classmethod
    def from_header(cls, text: str) -> Self:
        """Read what `PAYMENT-REQUIRED` holds; what it accepts in other forms is left out.

        Raises:
            MalformedError: it is not in that form.
        """
        told = versioned("demand", decode_header(text))
        accepts = told.get("accepts")
        if not isinstance(accepts, list):
            raise bad("accepts", accepts)
        known = []
        for one in accepts:
            try:
                known.append(Requirements.from_json(one))
            except MalformedError:
                continue
        resource = mapping("resource", told.get("resource") or {})
        return cls(
            text_of("resource.url", resource.get("url", "")),
            tuple(known),
            prose(told.get("error")),
            prose(resource.get("description")),
            IDENTIFIER in mapping("extensions", told.get("extensions") or {}),
        )


def _identifier(extensions: object) -> str | None:
    """Return the buyer's name for a payment; extensions in other forms are not ours to judge."""
    inner = extensions
    for name in (IDENTIFIER, "info", "id"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return inner if isinstance(inner, str) and _NAMED.fullmatch(inner) else None
