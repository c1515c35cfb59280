"""The body: the JSON document that a statement commits to by its SHA-256.

Specified in specs/body.md. RFC 8785 JSON with exactly five fields. What `content` may hold is
given per kind by a `Kind`; verticals bring kinds of their own. Unknown kinds and fields are
refused, so that nobody relies on what nobody checks.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from affiant.kernel.action import BoundAction
from affiant.kernel.encoding import (
    b64url,
    from_b64url,
    from_hex,
    jcs_decode,
    jcs_encode,
    sha256,
    to_hex,
)
from affiant.kernel.errors import MalformedError
from affiant.kernel.suspension import BoundSuspension

POLICY = "affiant/policy/v1"
KEY = "affiant/key/v1"
MODEL = "affiant/model/v1"
OBSERVATION = "affiant/observation/v1"
DECISION = "affiant/decision/v1"
REFUSAL = "affiant/refusal/v1"
OUTCOME = "affiant/outcome/v1"
ALERT = "affiant/alert/v1"

SALT_LENGTH = 16
MAX_LENGTH = 1 << 20
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", re.ASCII)

Check = Callable[[object], object]


@dataclass(frozen=True)
class Reference:
    """An earlier statement: the log it is in, and its leaf."""

    log: bytes
    leaf: bytes


@dataclass(frozen=True)
class Body:
    """What is said: `at` is RFC 3339 in UTC with whole seconds, `salt` 16 random bytes."""

    kind: str
    at: str
    salt: bytes
    content: dict[str, Any] = field(hash=False)
    because: tuple[Reference, ...] = ()

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        lineage = [{"leaf": to_hex(ref.leaf), "log": to_hex(ref.log)} for ref in self.because]
        return jcs_encode(
            {
                "at": self.at,
                "because": lineage,
                "content": self.content,
                "kind": self.kind,
                "salt": b64url(self.salt),
            }
        )

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: what the statement's payload holds."""
        return sha256(self.encoded)


@dataclass(frozen=True)
class Kind:
    """A kind of statement: its name, and for each field of `content` a check of its form."""

    name: str
    fields: Mapping[str, Check]


def decode(data: bytes, kinds: Mapping[str, Kind]) -> Body:
    """Read a body in its one encoding and check its content against its kind.

    Raises:
        MalformedError: with the rule that was broken as `reason`.
    """
    if len(data) > MAX_LENGTH:
        raise MalformedError("too-long", f"{len(data)} bytes are more than {MAX_LENGTH}")
    value = jcs_decode(data)
    if not isinstance(value, dict) or set(value) != {"at", "because", "content", "kind", "salt"}:
        raise MalformedError("bad-body", "a body holds at, because, content, kind and salt")
    salt = from_b64url(value["salt"])
    if len(salt) != SALT_LENGTH:
        raise MalformedError("wrong-length", f"salt has {len(salt)} bytes, not {SALT_LENGTH}")
    if not isinstance(value["kind"], str) or not isinstance(value["content"], dict):
        raise MalformedError("bad-body", "kind must be text, content an object")
    body = Body(value["kind"], value["at"], salt, value["content"], _lineage(value["because"]))
    check(body, kinds)
    return body


def check(body: Body, kinds: Mapping[str, Kind]) -> None:
    """Check time and content of a body against its kind.

    Raises:
        MalformedError: `unknown-kind`, `bad-time` or `bad-content`.
    """
    if body.kind not in kinds:
        raise MalformedError("unknown-kind", f"{body.kind!r:.80} is not a kind this log knows")
    _check_time(body.at)
    fields = kinds[body.kind].fields
    if set(body.content) != set(fields):
        raise MalformedError("bad-content", f"{body.kind} holds exactly {', '.join(fields)}")
    for name, check_field in fields.items():
        try:
            check_field(body.content[name])
        except MalformedError as error:
            raise MalformedError("bad-content", f"{body.kind} {name}: {error.message}") from error


def moment(seconds: int) -> str:
    """Return seconds since 1970 in the form of `at`."""
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def text(value: object) -> object:
    """Accept text."""
    return _expect(isinstance(value, str), value, "text")


def integer(value: object) -> object:
    """Accept an integer."""
    return _expect(type(value) is int, value, "an integer")


def decimal(value: object) -> object:
    """Accept a decimal number as text, without needless zeros."""
    good = isinstance(value, str) and bool(_DECIMAL.fullmatch(value)) and value != "-0"
    return _expect(good, value, "a decimal number as text")


def anything(value: object) -> object:
    """Accept any JSON."""
    return value


def digest(value: object) -> object:
    """Accept 32 bytes in hexadecimal."""
    return from_hex(value, 32)


def address(value: object) -> object:
    """Accept 20 bytes in hexadecimal."""
    return from_hex(value, 20)


def action(value: object) -> object:
    """Accept a bound action."""
    return BoundAction.from_json(value)


def suspension(value: object) -> object:
    """Accept a bound suspension."""
    return BoundSuspension.from_json(value)


def optional(inner: Check) -> Check:
    """Accept null, or what `inner` accepts."""
    return lambda value: None if value is None else inner(value)


def several(inner: Check) -> Check:
    """Accept a list of what `inner` accepts."""

    def check_list(value: object) -> object:
        _expect(isinstance(value, list), value, "a list")
        return [inner(item) for item in value]  # type: ignore[attr-defined]

    return check_list


def mapping(inner: Check) -> Check:
    """Accept an object whose values `inner` accepts."""

    def check_mapping(value: object) -> object:
        _expect(isinstance(value, dict), value, "an object")
        return {name: inner(item) for name, item in value.items()}  # type: ignore[attr-defined]

    return check_mapping


def record(fields: Mapping[str, Check]) -> Check:
    """Accept an object with exactly these fields."""

    def check_record(value: object) -> object:
        good = isinstance(value, dict) and set(value) == set(fields)
        _expect(good, value, f"an object with exactly {', '.join(fields)}")
        return {name: inner(value[name]) for name, inner in fields.items()}  # type: ignore[index]

    return check_record


CORE_KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            POLICY,
            {
                "origin": text,
                "signer": address,
                "witnesses": several(address),
                "threshold": integer,
                "kinds": several(text),
                "issuers": mapping(text),
                "custody": mapping(text),
                "retention": text,
            },
        ),
        Kind(KEY, {"did": text, "purpose": text, "effective": integer}),
        Kind(
            MODEL,
            {
                "name": text,
                "version": text,
                "deterministic": anything,
                "training": text,
                "metrics": mapping(anything),
                "approvals": several(text),
            },
        ),
        Kind(OBSERVATION, {"source": text, "shape": several(integer), "units": text, "kept": text}),
        Kind(
            DECISION,
            {
                "action": action,
                "mandate": address,
                "model": digest,
                "inputs": several(digest),
                "output": anything,
                "reason": text,
                "confidence": optional(decimal),
                "seed": optional(integer),
            },
        ),
        Kind(
            REFUSAL,
            {
                "action": optional(action),
                "mandate": address,
                "model": digest,
                "inputs": several(digest),
                "output": anything,
                "rule": text,
                "reason": text,
            },
        ),
        Kind(
            OUTCOME,
            {
                "decision": digest,
                "status": text,
                "transaction": optional(digest),
                "block": optional(digest),
                "number": optional(integer),
                "events": several(anything),
            },
        ),
        Kind(
            ALERT,
            {
                "suspect": text,
                "findings": several(
                    record(
                        {
                            "detector": text,
                            "family": text,
                            "threat": text,
                            "chance": optional(decimal),
                            "reason": text,
                            "statements": several(digest),
                            "transactions": several(digest),
                        }
                    )
                ),
                "response": text,
                "suspension": optional(suspension),
                "refused": optional(text),
            },
        ),
    )
}


def _check_time(at: object) -> None:
    try:
        told = at if isinstance(at, str) and _TIME.fullmatch(at) else ""
        dt.datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 (the Z says UTC)
    except ValueError as error:
        raise MalformedError("bad-time", f"{at!r:.40} is not like 2026-01-31T12:00:00Z") from error


def _lineage(value: object) -> tuple[Reference, ...]:
    if not isinstance(value, list) or len(value) > 1024:
        raise MalformedError("bad-body", "because is not a list of at most 1024 references")
    for item in value:
        if not isinstance(item, dict) or set(item) != {"leaf", "log"}:
            raise MalformedError("bad-body", f"{item!r:.80} does not hold exactly leaf and log")
    return tuple(Reference(from_hex(i["log"], 32), from_hex(i["leaf"], 32)) for i in value)


def _expect(good: bool, value: object, what: str) -> object:  # noqa: FBT001 (reads as a sentence)
    if not good:
        raise MalformedError("bad-content", f"{value!r:.80} is not {what}")
    return value
