"""What an audit finds: a verdict per check, in a tree that walks back from the action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from affiant.kernel.encoding import to_hex


@dataclass(frozen=True)
class Check:
    """One check: `good` is True, False, or None where it could not be made."""

    name: str
    good: bool | None
    detail: str
    statement: bytes | None = None
    """The leaf of the statement that the check is about."""
    at_fault: bytes | None = None
    """The bytes that are not what they must be."""

    def to_json(self) -> dict[str, Any]:
        """Return the check for machines."""
        return {
            "check": self.name,
            "good": self.good,
            "detail": self.detail,
            "statement": None if self.statement is None else to_hex(self.statement),
            "atFault": None if self.at_fault is None else to_hex(self.at_fault),
        }


@dataclass
class Node:
    """A thing that was looked at, the checks made on it, and what it rests on."""

    title: str
    checks: list[Check] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Check]:
        """Yield every check, this node's first."""
        yield from self.checks
        for child in self.children:
            yield from child.walk()

    def to_json(self) -> dict[str, Any]:
        """Return the tree for machines."""
        return {
            "title": self.title,
            "checks": [check.to_json() for check in self.checks],
            "children": [child.to_json() for child in self.children],
        }


@dataclass(frozen=True)
class Report:
    """The whole audit."""

    origin: str
    log_id: bytes
    witnesses: int
    """How many independent witnesses' signatures were checked."""
    ledger: str | None
    """The chain that was asked, or None for an offline check."""
    nodes: list[Node]

    def checks(self) -> list[Check]:
        """Return every check."""
        return [check for node in self.nodes for check in node.walk()]

    def findings(self) -> list[Check]:
        """Return every check that failed."""
        return [check for check in self.checks() if check.good is False]

    def open(self) -> list[Check]:
        """Return every check that could not be made."""
        return [check for check in self.checks() if check.good is None]

    @property
    def good(self) -> bool:
        """Whether nothing failed."""
        return not self.findings()

    def to_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return {
            "good": self.good,
            "origin": self.origin,
            "logId": to_hex(self.log_id),
            "independentWitnesses": self.witnesses,
            "ledger": self.ledger,
            "checks": len(self.checks()),
            "findings": [check.to_json() for check in self.findings()],
            "notChecked": [check.to_json() for check in self.open()],
            "tree": [node.to_json() for node in self.nodes],
        }


def by_chain(ledger: str | None, good: bool = True) -> bool | None:  # noqa: FBT001, FBT002 (a verdict)
    """Judge a chain claim: wrong is wrong; right counts only if a chain was asked."""
    if not good:
        return False
    return True if ledger else None
