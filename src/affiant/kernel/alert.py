"""The alert: what a detector found about somebody, and what it answers with.

Specified in specs/body.md. A suspension needs grounds: one hard rule, or two detectors of different
families, because each family looks at evidence of its own. Association (with labelled accounts, or
a model's score of them) is no ground, alone or in company. Log and audit hold the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import from_hex, sha256, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import public_key_of
from affiant.kernel.suspension import BoundSuspension

WARN, SUSPEND = "warn", "suspend"
RULE = "rule"
"""A rule that was broken for certain: the evidence decides, not a threshold."""
INDEPENDENT = ("anomaly", "drift", "provenance")
"""Detectors that may be wrong, one by one: how much and when; whom and what; whose word."""
ASSOCIATION = "association"
"""Dealings with accounts that a label or a model speaks against."""
FAMILIES = (RULE, *INDEPENDENT, ASSOCIATION)
THREATS = tuple(f"ASI{number:02}" for number in range(1, 11))
"""OWASP Top 10 for Agentic Applications 2026."""


@dataclass(frozen=True)
class Finding:
    """One detector's word, with the statements and transactions behind it."""

    detector: str
    family: str
    threat: str
    reason: str
    statements: tuple[bytes, ...] = ()
    transactions: tuple[bytes, ...] = ()
    chance: str | None = None
    """How likely the like is in honest work, as decimal text; None for a rule."""

    def to_json(self) -> dict[str, Any]:
        """Return the form in which alerts hold a finding."""
        return {
            "detector": self.detector,
            "family": self.family,
            "threat": self.threat,
            "chance": self.chance,
            "reason": self.reason,
            "statements": [to_hex(leaf) for leaf in self.statements],
            "transactions": [to_hex(transaction) for transaction in self.transactions],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Read the form in which alerts hold a finding; the body's kind has checked it."""
        return cls(
            value["detector"],
            value["family"],
            value["threat"],
            value["reason"],
            tuple(from_hex(leaf, 32) for leaf in value["statements"]),
            tuple(from_hex(transaction, 32) for transaction in value["transactions"]),
            value["chance"],
        )


def grounded(families: Sequence[str]) -> bool:
    """Tell whether findings of these families are grounds for a suspension."""
    return RULE in families or len(set(families) & set(INDEPENDENT)) > 1


def content_of(
    suspect: str,
    findings: Sequence[Finding],
    suspension: BoundSuspension | None = None,
    refused: str | None = None,
) -> dict[str, Any]:
    """Return the content of an alert: a suspension, or a warning; `refused` says why only that."""
    return {
        "suspect": suspect,
        "findings": [finding.to_json() for finding in findings],
        "response": WARN if suspension is None else SUSPEND,
        "suspension": None if suspension is None else suspension.to_json(),
        "refused": refused,
    }


def account_of(suspect: str) -> bytes | None:
    """Return the address of a suspect named by did:key or 0x…; None of a log."""
    try:
        return from_hex(suspect, 20) if suspect.startswith("0x") else public_key_of(suspect).kid
    except MalformedError:
        return None


def subject_of(content: Mapping[str, Any]) -> bytes:
    """Return what an alert is about: its suspension's digest, or SHA-256 of the suspect's name."""
    if content["suspension"] is None:
        return sha256(str(content["suspect"]).encode())
    return BoundSuspension.from_json(content["suspension"]).digest


def statements_of(content: Mapping[str, Any]) -> list[bytes]:
    """Return the leaves of the statements that an alert names as evidence."""
    return [from_hex(leaf, 32) for told in content["findings"] for leaf in told["statements"]]


def check(content: Mapping[str, Any]) -> None:
    """Check an alert's content beyond the form of its fields.

    Raises:
        MalformedError: `bad-alert`, or `no-grounds` for a suspension without any.
    """
    findings = content["findings"]
    if not findings:
        raise MalformedError("bad-alert", "an alert without findings says nothing")
    for told in findings:
        if told["family"] not in FAMILIES or told["threat"] not in THREATS:
            named = f"family {told['family']!r:.40}, threat {told['threat']!r:.40}"
            raise MalformedError("bad-alert", f"{named}: not of {FAMILIES} and ASI01 to ASI10")
        if not told["statements"] and not told["transactions"]:
            raise MalformedError("bad-alert", f"{told['detector']!r:.80} names no evidence")
    wanted = WARN if content["suspension"] is None else SUSPEND
    if content["response"] != wanted:
        told = f"the response is {content['response']!r:.40}, the suspension says {wanted}"
        raise MalformedError("bad-alert", told)
    if wanted == SUSPEND and content["refused"] is not None:
        raise MalformedError("bad-alert", "it suspends, and says why it does not")
    families = [told["family"] for told in findings]
    if wanted == SUSPEND and not grounded(families):
        told = f"{', '.join(families)}: neither a rule nor two independent detectors"
        raise MalformedError("no-grounds", told)
