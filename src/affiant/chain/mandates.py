"""Mandates between their Python form and the ABI of Mandate.sol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import coincurve

from affiant.kernel import statement
from affiant.kernel.action import ANYONE, Action
from affiant.kernel.body import DECISION
from affiant.kernel.encoding import sha256
from affiant.kernel.identity import PublicKey, recovery_v
from affiant.kernel.mandate import Bucket, Guardian, Pin, Rule, Terms
from affiant.kernel.ports import Seat
from affiant.kernel.statement import Statement


def terms_to_abi(terms: Terms) -> tuple[Any, ...]:
    """Return the `Terms` tuple."""
    buckets = [(bucket.limit, bucket.window) for bucket in terms.buckets]
    rules = [
        (
            rule.target,
            rule.selector,
            rule.amount_word,
            rule.bucket,
            rule.cap,
            [(pin.word, list(pin.allowed)) for pin in rule.pins],
        )
        for rule in terms.rules
    ]
    watch = terms.guardian or Guardian(ANYONE, 0, 0, b"")
    guardian = (watch.account, watch.limit, watch.window, watch.header)
    head = (terms.principal, terms.agent, terms.anchor, terms.log_id, terms.valid_from)
    tail = (terms.valid_until, terms.longest_life, terms.header, guardian)
    asked = (terms.guard or ANYONE, terms.approvals or ANYONE)
    return (*head, *tail, *asked, buckets, rules, terms.extensions)


def terms_from_abi(value: Any) -> Terms:
    """Read the `Terms` tuple."""
    *head, guardian, guard, approvals, buckets, rules, extensions = value
    *head, header = head
    account, limit, window, alert = guardian
    principal, agent, anchor, log_id, valid_from, valid_until, longest_life = head
    return Terms(
        principal=_address(principal),
        agent=_address(agent),
        anchor=_address(anchor),
        log_id=log_id,
        valid_from=valid_from,
        valid_until=valid_until,
        longest_life=longest_life,
        header=header,
        buckets=tuple(Bucket(limit, window) for limit, window in buckets),
        rules=tuple(
            Rule(
                target=_address(target),
                selector=selector,
                amount_word=amount_word,
                bucket=bucket,
                cap=cap,
                pins=tuple(Pin(word, tuple(allowed)) for word, allowed in pins),
            )
            for target, selector, amount_word, bucket, cap, pins in rules
        ),
        guardian=Guardian(_address(account), limit, window, alert) if window else None,
        guard=_optional(guard),
        approvals=_optional(approvals),
        extensions=extensions,
    )


def action_to_abi(action: Action) -> tuple[Any, ...]:
    """Return the `Action` tuple."""
    head = (action.epoch, action.nonce, action.model, action.target, action.value, action.data)
    return (*head, action.deadline, action.relayer, action.salt)


def action_from_abi(value: Mapping[str, Any]) -> Action:
    """Read a decoded `Action`."""
    fields = dict(value)
    target, relayer = _address(fields.pop("target")), _address(fields.pop("relayer"))
    return Action(**fields, target=target, relayer=relayer)


def oath_to_abi(told: Statement, index: int, seat: Seat, path: list[bytes]) -> tuple[Any, ...]:
    """Return the `Oath` tuple: what the contract needs to rebuild the statement and find it."""
    header = statement.protected_header(told.issuer, told.kind, told.issued_at)
    said = statement.payload(told.kind, told.subject, told.body)
    digest = sha256(statement.sig_structure(header, said))
    v = recovery_v(told.issuer, digest, told.signature)
    r, s = told.signature[:32], told.signature[32:]
    place = (seat.count, seat.start, seat.end, seat.time)
    return (told.body, told.issued_at, v, r, s, index, place, path)


def entry_from_abi(header: bytes, subject: bytes, oath: Mapping[str, Any]) -> bytes:
    """Rebuild, as the contract does, the entry of a decision from an oath in calldata."""
    said = statement.payload(DECISION, subject, oath["body"])
    protected = header + oath["iat"].to_bytes(4, "big")
    return statement.encode_entry(protected, said, oath["r"] + oath["s"])


def header_of(key: PublicKey, kind: str = DECISION) -> bytes:
    """Return the header that terms hold for an agent, or for a guardian's alerts."""
    return statement.header_prefix(key, kind)


def coordinates(key: PublicKey | None) -> tuple[bytes, bytes]:
    """Return the two 32-byte coordinates of a secp256k1 key; zeros for none."""
    if key is None:
        return bytes(32), bytes(32)
    point = coincurve.PublicKey(key.raw).format(compressed=False)[1:]
    return point[:32], point[32:]


def _optional(text: str) -> bytes | None:
    address = _address(text)
    return None if address == ANYONE else address


def _address(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
