"""How this room reads what strangers send: bounded, and in one form of each thing.

Numbers are decimal strings; addresses are read in any case and written with their checksum.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from eth_utils.address import to_checksum_address

from affiant.kernel.errors import MalformedError

VERSION = 2
"""Of x402."""
MAX_HEADER = 1 << 14
MAX_BRACKETS = 256
"""Objects and lists in one message: more are refused unread, so that nothing nests deeper."""
_MAX_TEXT = 2048
_PLAIN = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX = re.compile(r"0x([0-9a-fA-F]{2}){0,512}")


def load_json(data: bytes) -> Any:
    """Read JSON from strangers.

    Raises:
        MalformedError: no JSON, a name that stands twice, or too many objects and lists.
    """
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise MalformedError("not-json", f"more than {MAX_BRACKETS} objects and lists")
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not-json", f"{len(data)} bytes: {error}") from error


def encode_header(value: Mapping[str, Any]) -> str:
    """Return base64 of JSON."""
    return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()


def decode_header(text: str) -> Any:
    """Read base64 of JSON.

    Raises:
        MalformedError: it is not in that form.
    """
    if len(text) > MAX_HEADER:
        raise MalformedError("too-long", f"{len(text)} characters are more than {MAX_HEADER}")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not-base64", f"{text!r:.80}: {error}") from error
    return load_json(data)


def versioned(name: str, value: object) -> Mapping[str, Any]:
    """Read an object of this protocol's version.

    Raises:
        MalformedError: it is none.
    """
    told = mapping(name, value)
    version = told.get("x402Version")
    if type(version) is not int or version != VERSION:
        raise bad("x402Version", version)
    return told


def checksummed(address: bytes) -> str:
    """Return an address with the checksum without which some facilitators do not take it."""
    return to_checksum_address(address)


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Read an object.

    Raises:
        MalformedError: it is none.
    """
    if not isinstance(value, dict):
        raise bad(name, value)
    return value


def text_of(name: str, value: object) -> str:
    """Read a text that can be printed: no controls, no half characters.

    Raises:
        MalformedError: it is none, or too long.
    """
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not value.isprintable():
        raise bad(name, value)
    return value


def prose(value: object) -> str:
    """Return what others say for people to read, on one line."""
    told = value[:_MAX_TEXT] if isinstance(value, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in told)


def number(name: str, value: object) -> int:
    """Read a uint256 in decimal digits.

    Raises:
        MalformedError: it is in another form, or too large.
    """
    if not isinstance(value, str) or not _PLAIN.fullmatch(value) or int(value) >> 256:
        raise bad(name, value)
    return int(value)


def data_of(name: str, value: object, length: int | None = None) -> bytes:
    """Read hexadecimal with 0x, in any case of letters.

    Raises:
        MalformedError: it is none, or of another length.
    """
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise bad(name, value)
    data = bytes.fromhex(value[2:])
    if length is not None and len(data) != length:
        raise bad(name, value)
    return data


def bad(name: str, value: object) -> MalformedError:
    """Return the error that names a field and what it holds."""
    return MalformedError("bad-payment", f"{name} {value!r:.80} is not in its form")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"one of {[name for name, _ in pairs]!r:.80} stands twice")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
