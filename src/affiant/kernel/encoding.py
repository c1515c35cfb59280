"""The only place where bytes are made: deterministic CBOR, canonical JSON, digests.

CBOR follows RFC 8949 section 4.2.1, JSON follows RFC 8785 (JCS). Decoders accept exactly one
encoding of a value: they decode, encode again, and refuse what does not come back equal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import cbor2
import rfc8785
from eth_hash.auto import keccak as keccak256

from affiant.kernel.errors import MalformedError

__all__ = [
    "b64url",
    "cbor_decode",
    "cbor_encode",
    "cose_decode",
    "cose_encode",
    "from_b64url",
    "from_hex",
    "jcs_decode",
    "jcs_encode",
    "keccak256",
    "sha256",
    "to_hex",
    "word",
]

MAX_COSE = 1 << 14
MAX_DEPTH = 64
_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_HEX = re.compile(r"0x([0-9a-f]{2})*")


def sha256(data: bytes) -> bytes:
    """Return the 32-byte SHA-256 digest."""
    return hashlib.sha256(data).digest()


def word(value: int | bytes) -> bytes:
    """Return a value as one 32-byte EVM word, integers and addresses right-aligned."""
    raw = value if isinstance(value, bytes) else value.to_bytes(32, "big")
    return raw.rjust(32, b"\0")


def to_hex(data: bytes) -> str:
    """Return bytes as lower-case hexadecimal with 0x."""
    return "0x" + data.hex()


def from_hex(text: object, length: int | None = None) -> bytes:
    """Read lower-case hexadecimal with 0x, of `length` bytes if given.

    Raises:
        MalformedError: another form, or another length.
    """
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise MalformedError("not-hex", f"{text!r:.80} is not lower-case hexadecimal with 0x")
    data = bytes.fromhex(text[2:])
    if length is not None and len(data) != length:
        raise MalformedError("wrong-length", f"{text!r:.80} has {len(data)} bytes, not {length}")
    return data


def b64url(data: bytes) -> str:
    """Return unpadded base64url (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text: object) -> bytes:
    """Read unpadded base64url in its one form.

    Raises:
        MalformedError: padding, other characters, or unused bits that are not zero.
    """
    if not isinstance(text, str):
        raise MalformedError("not-base64url", f"{text!r:.80} is not text")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not-base64url", f"{text!r:.80}: {error}") from error
    if b64url(data) != text:
        raise MalformedError("not-base64url", f"{text!r:.80} is not the one encoding of its bytes")
    return data


def cbor_encode(value: Any) -> bytes:
    """Encode deterministically (RFC 8949 section 4.2.1; keys of mixed sign sort as in 4.2.3)."""
    return cbor2.dumps(value, canonical=True)


def cbor_decode(data: bytes) -> Any:
    """Decode one CBOR item that is in its deterministic encoding.

    Raises:
        MalformedError: `not-cbor`, `duplicate-key`, `trailing-byte` or `not-deterministic`.
    """
    try:
        value = cbor2.loads(data, allow_indefinite=False, allow_duplicate_keys=False)
    except Exception as error:  # cbor2 lets OverflowError, RecursionError and others through
        reason = "duplicate-key" if "uplicate" in str(error) else "not-cbor"
        raise MalformedError(reason, f"{len(data)} bytes: {error}") from error
    try:
        again = cbor_encode(value)
    except Exception as error:
        raise MalformedError("not-deterministic", f"cannot be encoded again: {error}") from error
    if again != data:
        if data.startswith(again):
            extra = len(data) - len(again)
            raise MalformedError("trailing-byte", f"{extra} bytes after the item")
        raise MalformedError("not-deterministic", "another encoding of this value is the one used")
    return value


def cose_encode(
    protected: bytes, unprotected: Any, payload: bytes | None, signature: bytes
) -> bytes:
    """Encode a COSE_Sign1 (RFC 9052 section 4.2): tag 18 around four items."""
    return b"\xd2" + cbor_encode([protected, unprotected, payload, signature])


def cose_decode(data: bytes) -> tuple[bytes, Mapping[Any, Any], bytes | None, bytes]:
    """Decode a COSE_Sign1 in its deterministic encoding; items below a tag come back immutable.

    Raises:
        MalformedError: `not-cose-sign1`, or a rule of the encoding.
    """
    if len(data) > MAX_COSE:  # cbor2 takes seconds for a number of a few 100 kB
        raise MalformedError("too-long", f"{len(data)} bytes are more than {MAX_COSE}")
    item = cbor_decode(data)
    parts = getattr(item, "value", None)
    if getattr(item, "tag", None) != 18 or not isinstance(parts, (list, tuple)) or len(parts) != 4:
        raise MalformedError("not-cose-sign1", "not tag 18 around four items")
    protected, unprotected, payload, signature = parts
    well_formed = isinstance(protected, bytes) and isinstance(signature, bytes)
    if not well_formed or not isinstance(payload, (bytes, type(None))):
        raise MalformedError("not-cose-sign1", "header, payload and signature must be byte strings")
    if not isinstance(unprotected, Mapping):
        raise MalformedError("not-cose-sign1", "the unprotected header is not a map")
    return protected, unprotected, payload, signature


def jcs_encode(value: Any) -> bytes:
    """Encode as canonical JSON (RFC 8785).

    Raises:
        MalformedError: a value JSON cannot hold exactly, for instance an integer above 2^53.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedError("not-json", f"{error}") from error


def jcs_decode(data: bytes) -> Any:
    """Decode JSON that is in its canonical encoding.

    Raises:
        MalformedError: `not-json`, `duplicate-key` or `not-canonical`.
    """
    if _depth(data) > MAX_DEPTH:
        raise MalformedError("not-json", f"more than {MAX_DEPTH} levels of nesting")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not-json", f"{len(data)} bytes: {error}") from error
    if jcs_encode(value) != data:
        raise MalformedError("not-canonical", "the JSON is not in the form of RFC 8785")
    return value


def _depth(data: bytes) -> int:
    """Return how deeply JSON nests, without recursion.

    The interpreter's own limit is no guard: web3 raises it to 100,000, and the process dies.
    """
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for token in _BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _number(digits: str) -> int | float:
    """Read an integer; above 2^53 it is the double that RFC 8785 writes with these digits."""
    return int(digits) if len(digits) < 16 or abs(int(digits)) < 1 << 53 else float(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("duplicate-key", f"one of {[name for name, _ in pairs]} stands twice")
    return result
