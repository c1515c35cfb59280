"""The bundle: one file with everything an offline verifier needs.

Specified in specs/bundle.md: canonical JSON with the log's names and newest checkpoint, Transparent
Statements, bodies, disclosed data, and what the chain said. Reading a bundle checks its form only;
`audit.walk` checks what it claims.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from affiant.kernel import body as form
from affiant.kernel.encoding import b64url, from_b64url, from_hex, jcs_decode, jcs_encode, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.mandate import Terms

FORMAT = "affiant/bundle/v1"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,77}")  # as far as a uint256 goes
_FIELDS = {"format", "origin", "key", "policy", "checkpoint", "signature", "statements", "bodies"}
_FIELDS |= {"data", "chain"}


def _terms(value: object) -> object:
    return Terms.from_json(value if isinstance(value, dict) else {})


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise MalformedError("bad-bundle", f"{value!r:.40} is not true or false")
    return value


def _nonce(value: object) -> object:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise MalformedError("bad-bundle", f"{value!r:.40} is not a nonce")
    return value


def _pair(value: object) -> object:
    if not isinstance(value, list) or [type(item) for item in value] != [int, int]:
        raise MalformedError("bad-bundle", f"{value!r:.40} is not an epoch and a nonce")
    return value


_EXECUTION = form.record(
    {
        "decision": form.digest,
        "subject": form.digest,
        "nonce": _nonce,
        "transaction": form.digest,
        "block": form.digest,
        "number": form.integer,
        "gas": form.integer,
    }
)
_ANCHOR = form.record(
    {
        "size": form.integer,
        "root": form.digest,
        "block": form.integer,
        "transaction": form.digest,
        "consistency": form.optional(form.several(form.digest)),
    }
)
_SUSPENSION = form.record(
    {
        "alert": form.digest,
        "number": form.integer,
        "until": form.integer,
        "transaction": form.digest,
    }
)
_GRANT = form.record(
    {
        "terms": _terms,
        "executions": form.several(_EXECUTION),
        "cancelled": form.several(_pair),
        "suspensions": form.several(_SUSPENSION),
    }
)
_CHAIN = form.record(
    {
        "chainId": form.decimal,
        "anchors": form.several(_ANCHOR),
        "mandates": form.mapping(form.optional(_GRANT)),
        "whole": _flag,
    }
)


@dataclass(frozen=True)
class Bundle:
    """Evidence, unverified: exactly what its author put in."""

    origin: str
    key: str
    """did:key of the log's Ed25519 key."""
    signer: bytes
    """The ledger address of the log's secp256k1 key."""
    witnesses: tuple[bytes, ...]
    threshold: int
    note: str
    """Newest checkpoint as a C2SP signed note."""
    signature: bytes
    """The log signer's r || s || v over the EIP-712 Checkpoint of the same size and root."""
    statements: Mapping[int, bytes] = field(hash=False)
    """Log index -> Transparent Statement (RFC 9943)."""
    bodies: Mapping[bytes, bytes] = field(hash=False)
    """SHA-256 -> body bytes."""
    data: Mapping[bytes, tuple[bytes, bytes]] = field(hash=False)
    """Observation subject -> (salt, data), as far as disclosed."""
    chain: dict[str, Any] = field(hash=False)
    """What the chain said of itself, anchors and mandates. Needs a chain to check."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return jcs_encode(
            {
                "format": FORMAT,
                "origin": self.origin,
                "key": self.key,
                "policy": {
                    "signer": to_hex(self.signer),
                    "witnesses": [to_hex(witness) for witness in self.witnesses],
                    "threshold": self.threshold,
                },
                "checkpoint": self.note,
                "signature": to_hex(self.signature),
                "statements": {str(i): b64url(s) for i, s in self.statements.items()},
                "bodies": {to_hex(d): b64url(b) for d, b in self.bodies.items()},
                "data": {
                    to_hex(subject): {"data": b64url(data), "salt": b64url(salt)}
                    for subject, (salt, data) in self.data.items()
                },
                "chain": self.chain,
            }
        )


def decode(data: bytes) -> Bundle:
    """Read a bundle.

    Raises:
        MalformedError: `bad-bundle`, or a rule of the encoding.
    """
    value = jcs_decode(data)
    if not isinstance(value, dict) or value.get("format") != FORMAT or set(value) != _FIELDS:
        raise MalformedError("bad-bundle", f"not a bundle of format {FORMAT}")
    _CHAIN(value["chain"])
    try:
        policy = value["policy"]
        bundle = Bundle(
            origin=_text(value["origin"]),
            key=_text(value["key"]),
            signer=from_hex(policy["signer"], 20),
            witnesses=tuple(from_hex(w, 20) for w in policy["witnesses"]),
            threshold=int(policy["threshold"]),
            note=_text(value["checkpoint"]),
            signature=from_hex(value["signature"], 65),
            statements={_index(i): from_b64url(s) for i, s in value["statements"].items()},
            bodies={from_hex(d, 32): from_b64url(b) for d, b in value["bodies"].items()},
            data={
                from_hex(s, 32): (from_b64url(d["salt"]), from_b64url(d["data"]))
                for s, d in value["data"].items()
            },
            chain=dict(value["chain"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedError(
            "bad-bundle", f"a field is missing or not as it must be: {error!r}"
        ) from error
    if bundle.encode() != data:
        raise MalformedError("bad-bundle", "it holds what a bundle does not keep")
    return bundle


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError("bad-bundle", f"{value!r:.80} is not text")
    return value


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and text == str(int(text))):
        raise MalformedError("bad-bundle", f"{text!r:.40} is not a log index")
    return int(text)
