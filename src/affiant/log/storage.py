"""What the log keeps, in SQLite: entries, bodies, tree nodes, checkpoints, open decisions.

The connection arrives open (WAL, synchronous=FULL) and in autocommit mode; a write is durable when
`transaction` has ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from affiant.kernel.errors import IntegrityError, SetupError

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    idx INTEGER PRIMARY KEY,
    leaf BLOB NOT NULL UNIQUE,
    entry BLOB NOT NULL,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    issuer TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_subject ON entries (subject, kind);
CREATE TABLE IF NOT EXISTS bodies (digest BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nodes (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    signature BLOB NOT NULL,
    root_signature BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS open_decisions (
    slot BLOB PRIMARY KEY,
    deadline INTEGER NOT NULL,
    leaf BLOB NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """An entry as stored."""

    index: int
    leaf: bytes
    entry: bytes
    kind: str
    subject: bytes
    issuer: str


class Storage:
    """The log's tables; no rules."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside durable together, or nothing of it."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise SetupError(
                    f"the log cannot be written: {error}",
                    "Make room or mend the disk, then do the same again; nothing was half done",
                ) from error
            raise

    def size(self) -> int:
        """Return how many entries there are."""
        (last,) = self._db.execute("SELECT max(idx) FROM entries").fetchone()
        return 0 if last is None else int(last) + 1

    def row(self, index: int) -> Row:
        """Return an entry.

        Raises:
            IntegrityError: it is missing.
        """
        return _row(self._one("SELECT * FROM entries WHERE idx = ?", index))

    def row_of(self, leaf: bytes) -> Row | None:
        """Return the entry with that leaf."""
        found = self._db.execute("SELECT * FROM entries WHERE leaf = ?", (leaf,)).fetchone()
        return _row(found) if found else None

    def about(self, subject: bytes, kind: str | None = None) -> list[int]:
        """Return the indices of the statements about a subject."""
        query = "SELECT idx FROM entries WHERE subject = ? AND kind = ifnull(?, kind) ORDER BY idx"
        return [index for (index,) in self._db.execute(query, (subject, kind))]

    def add(self, row: Row, nodes: list[tuple[int, int, bytes]]) -> None:
        """Add an entry with the tree nodes it completes."""
        values = (row.index, row.leaf, row.entry, row.kind, row.subject, row.issuer)
        self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", values)
        self._db.executemany("INSERT INTO nodes VALUES (?, ?, ?)", nodes)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree.

        Raises:
            IntegrityError: it is missing.
        """
        query = "SELECT hash FROM nodes WHERE level = ? AND idx = ?"
        return _bytes(self._one(query, level, index)[0])

    def body(self, digest: bytes) -> bytes | None:
        """Return a body."""
        found = self._db.execute("SELECT body FROM bodies WHERE digest = ?", (digest,)).fetchone()
        return _bytes(found[0]) if found else None

    def put_body(self, digest: bytes, body: bytes) -> None:
        """Keep a body."""
        self._db.execute("INSERT OR IGNORE INTO bodies VALUES (?, ?)", (digest, body))

    def checkpoint(self) -> tuple[int, bytes, str, bytes, bytes] | None:
        """Return (size, root, note, signature, root signature) of the newest checkpoint."""
        query = "SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1"
        found: tuple[int, bytes, str, bytes, bytes] | None = self._db.execute(query).fetchone()
        return found

    def put_checkpoint(
        self, size: int, root: bytes, note: str, signature: bytes, root_signature: bytes
    ) -> None:
        """Keep a checkpoint; a second one of the same size is refused by the primary key."""
        values = (size, root, note, signature, root_signature)
        self._db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", values)

    def open_decision(self, slot: bytes) -> tuple[int, bytes] | None:
        """Return (deadline, leaf) of the decision that holds a slot."""
        query = "SELECT deadline, leaf FROM open_decisions WHERE slot = ?"
        found: tuple[int, bytes] | None = self._db.execute(query, (slot,)).fetchone()
        return found

    def put_open_decision(self, slot: bytes, deadline: int, leaf: bytes) -> None:
        """Let a decision hold a slot."""
        values = (slot, deadline, leaf)
        self._db.execute("INSERT OR REPLACE INTO open_decisions VALUES (?, ?, ?)", values)

    def _one(self, query: str, *values: int) -> tuple[Any, ...]:
        found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        if found is None:
            raise IntegrityError(
                f"the log has lost a row: {query} with {values}",
                "Restore the log's database from a backup; do not sign with what is left",
            )
        return found


def _row(cells: tuple[Any, ...]) -> Row:
    index, leaf, entry, kind, subject, issuer = cells
    return Row(index, _bytes(leaf), _bytes(entry), kind, _bytes(subject), issuer)


def _bytes(cell: object) -> bytes:
    """Return a cell as bytes whatever type it has become: then it is not what was signed."""
    return cell if isinstance(cell, bytes) else str(cell).encode()
