"""Reads every statement of a bundle once, and notes what is wrong with its bytes.

What later checks rest on is only what passed here: a statement that is damaged, badly signed or not
under the checkpoint has `statement` None, and nothing rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from affiant.audit.findings import Check
from affiant.kernel import body as bodies
from affiant.kernel import merkle, receipt, statement
from affiant.kernel.body import Body, Kind
from affiant.kernel.bundle import Bundle
from affiant.kernel.checkpoint import Checkpoint, LogPolicy, open_note
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import PublicKey, public_key_of
from affiant.kernel.model import SALT_LENGTH, commitment
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Read:
    """A statement as found: its place, and, as far as they hold, statement and body."""

    index: int
    leaf: bytes
    """As computed from the entry's bytes."""
    statement: Statement | None
    body: Body | None
    checks: list[Check] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The kind, or `unreadable`."""
        return self.statement.kind if self.statement else "unreadable"

    @property
    def content(self) -> dict[str, Any]:
        """The body's content; empty if the body does not hold."""
        return self.body.content if self.body else {}


class Evidence:
    """A bundle, read and checked statement by statement."""

    def __init__(self, bundle: Bundle, kinds: Mapping[str, Kind]) -> None:
        """Read everything.

        Raises:
            MalformedError: the bundle's own frame (policy, key, checkpoint) does not hold.
        """
        self.bundle = bundle
        self.kinds = kinds
        self.policy = LogPolicy(bundle.origin, bundle.signer, bundle.witnesses, bundle.threshold)
        self.key: PublicKey = public_key_of(bundle.key)
        self.checkpoint: Checkpoint = open_note(bundle.note, self.key)
        if self.checkpoint.origin != bundle.origin:
            told = f"the note is of {self.checkpoint.origin}, the bundle of {bundle.origin}"
            raise MalformedError("bad-bundle", told)
        self.reads = {index: self._read(index) for index in sorted(bundle.statements)}
        self.by_leaf = {read.leaf: read for read in self.reads.values() if read.statement}

    def about(self, subject: bytes, kind: str) -> list[Read]:
        """Return the good statements of a kind about a subject, oldest first."""
        reads = self.reads.values()
        return [
            r for r in reads if r.kind == kind and r.statement and r.statement.subject == subject
        ]

    def data(self, read: Read) -> bytes | None:
        """Return the disclosed data of an observation if it is what was sworn to."""
        kept = self.bundle.data.get(read.statement.subject) if read.statement else None
        if kept is None or read.statement is None or len(kept[0]) != SALT_LENGTH:
            return None
        return kept[1] if commitment(*kept) == read.statement.subject else None

    def _read(self, index: int) -> Read:
        given, checks = self.bundle.statements[index], list[Check]()
        try:
            entry, receipts = receipt.split_transparent(given)
        except MalformedError as error:
            leaf = merkle.leaf_hash(given)
            checks.append(Check("statement.encoding", False, error.message, leaf, given))
            return Read(index, leaf, None, None, checks)
        leaf = merkle.leaf_hash(entry)
        told: Statement | None = None
        try:
            signed = statement.decode(entry)
            checks.append(Check("statement.encoding", True, f"{len(entry)} bytes", leaf))
            told = signed.verify()
            checks.append(Check("statement.signature", True, f"by {told.issuer.did}", leaf))
        except MalformedError as error:
            name = "statement.signature" if checks else "statement.encoding"
            checks.append(Check(name, False, error.message, leaf, entry))
        logged = self._check_inclusion(index, leaf, receipts, entry)
        checks.append(logged)
        if told is None or not logged.good:
            return Read(index, leaf, None, None, checks)
        body = self._check_body(leaf, told, checks)
        return Read(index, leaf, told, body, checks)

    def _check_inclusion(
        self, index: int, leaf: bytes, receipts: list[bytes], entry: bytes
    ) -> Check:
        name = "statement.logged"
        try:
            (data,) = receipts
            got = receipt.decode(data, self.policy.origin, self.key)
            root = receipt.verify(got, leaf, self.policy.origin, self.key)
        except ValueError:
            return Check(name, False, f"{len(receipts)} receipts, not one", leaf)
        except MalformedError as error:
            told = f"entry {index} is not in the signed tree: {error.message}"
            return Check(name, False, told, leaf, entry)
        if got.index != index or (got.size, root) != (self.checkpoint.size, self.checkpoint.root):
            told = f"the receipt is for index {got.index} in a tree of {got.size}, another one"
            return Check(name, False, told, leaf, data)
        return Check(name, True, f"entry {index} of {got.size}", leaf)

    def _check_body(self, leaf: bytes, told: Statement, checks: list[Check]) -> Body | None:
        name, data = "statement.body", self.bundle.bodies.get(told.body)
        if data is None:
            checks.append(Check(name, False, f"no body 0x{told.body.hex()}", leaf, told.body))
            return None
        if sha256(data) != told.body:
            wrong = f"a body with digest 0x{sha256(data).hex()} stands for 0x{told.body.hex()}"
            checks.append(Check(name, False, wrong, leaf, data))
            return None
        try:
            body = bodies.decode(data, self.kinds)
        except MalformedError as error:
            checks.append(Check(name, False, error.message, leaf, data))
            return None
        if body.kind != told.kind or body.at != bodies.moment(told.issued_at):
            wrong = f"the body is {body.kind} at {body.at}, the statement {told.kind}"
            checks.append(Check(name, False, wrong, leaf, data))
            return None
        checks.append(Check(name, True, f"sworn {body.at}", leaf))
        return body
