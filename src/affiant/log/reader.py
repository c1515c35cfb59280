"""A log as stored, to be read: by its own sequencer, and by audits that must not write."""

from __future__ import annotations

from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import merkle, receipt, statement
from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.encoding import from_hex
from affiant.kernel.errors import IntegrityError, MalformedError
from affiant.kernel.identity import PublicKey, public_key_of
from affiant.kernel.ports import Head
from affiant.log.storage import Storage


class LogReader:
    """Entries, bodies, tree nodes, and the newest checkpoint that was signed."""

    def __init__(self, storage: Storage, policy: LogPolicy, key: PublicKey) -> None:
        self._storage = storage
        self._policy = policy
        self._key = key

    @classmethod
    def open(cls, storage: Storage) -> LogReader:
        """Read policy and key from the first two entries, which the log swore to.

        Raises:
            IntegrityError: they cannot be read.
        """
        try:
            said = _content(storage, 0, bodies.POLICY)
            witnesses = tuple(from_hex(witness, 20) for witness in said["witnesses"])
            signer = from_hex(said["signer"], 20)
            policy = LogPolicy(said["origin"], signer, witnesses, said["threshold"])
            key = public_key_of(_content(storage, 1, bodies.KEY)["did"])
        except (MalformedError, KeyError, TypeError) as error:
            raise IntegrityError(
                f"the log's first two entries, its policy and key, cannot be read: {error}",
                "Restore the log's database from a backup",
            ) from error
        return cls(storage, policy, key)

    @property
    def policy(self) -> LogPolicy:
        """Who speaks for this log on chain."""
        return self._policy

    @property
    def key(self) -> PublicKey:
        """The Ed25519 key of its notes and receipts."""
        return self._key

    def size(self) -> int:
        """Return how many entries there are; the newest may not be under a checkpoint yet."""
        return self._storage.size()

    def head(self) -> Head:
        """Return the newest checkpoint that was signed.

        Raises:
            IntegrityError: there is none.
        """
        last = self._storage.checkpoint()
        if last is None:
            raise IntegrityError("this log has no checkpoint", "Restore it from a backup")
        return Head(*last)

    def index_of(self, leaf: bytes) -> int | None:
        """Return the index of a statement."""
        row = self._storage.row_of(leaf)
        return None if row is None else row.index

    def about(self, subject: bytes) -> list[int]:
        """Return the indices of the statements about a subject."""
        return self._storage.about(subject)

    def entry(self, index: int) -> bytes:
        """Return the bytes of an entry."""
        return self._storage.row(index).entry

    def body(self, digest: bytes) -> bytes | None:
        """Return a body."""
        return self._storage.body(digest)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        return self._storage.node(level, index)

    def receipt(self, index: int) -> bytes:
        """Return the RFC 9942 receipt of the entry at `index` under the newest checkpoint."""
        head = self.head()
        path = merkle.inclusion_path(self._storage.node, index, 0, head.size)
        made = receipt.Receipt(head.size, index, tuple(path), head.root_signature)
        return made.encode(self._policy.origin, self.key)


def _content(storage: Storage, index: int, kind: str) -> dict[str, Any]:
    told = statement.decode(storage.row(index).entry).verify()
    body = bodies.decode(storage.body(told.body) or b"", bodies.CORE_KINDS)
    if told.kind != kind or body.kind != kind:
        raise MalformedError("kind-mismatch", f"entry {index} is {told.kind}, not {kind}")
    return body.content
