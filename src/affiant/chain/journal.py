"""The journal: what makes the embedded chain durable (docs/explanation/embedded-chain.md).

Every block's time and raw transactions are on disk before the engine sees them, its hash after it
was mined. On start the engine mines the journal again and every hash is compared.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from affiant.kernel.errors import SetupError

SCHEMA = """
CREATE TABLE IF NOT EXISTS genesis (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    chain_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    engine TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS blocks (
    number INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    hash BLOB
);
CREATE TABLE IF NOT EXISTS transactions (
    block INTEGER NOT NULL REFERENCES blocks (number),
    position INTEGER NOT NULL,
    raw BLOB NOT NULL,
    PRIMARY KEY (block, position)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Genesis:
    """What a chain starts from."""

    chain_id: int
    time: int
    engine: str
    """The engine's version; another one may hash differently."""


@dataclass(frozen=True)
class Block:
    """A journalled block; `hash` is None until it was mined."""

    number: int
    time: int
    hash: bytes | None
    transactions: tuple[bytes, ...]


class Journal:
    """The tables; the connection arrives open, durable on commit, in autocommit mode."""

    def __init__(self, connection: sqlite3.Connection, fresh: Genesis) -> None:
        self._db = connection
        self._db.executescript(SCHEMA)
        values = (fresh.chain_id, fresh.time, fresh.engine)
        self._db.execute("INSERT OR IGNORE INTO genesis VALUES (0, ?, ?, ?)", values)
        row = self._db.execute("SELECT chain_id, time, engine FROM genesis").fetchone()
        self.genesis = Genesis(*row)

    def blocks(self) -> list[Block]:
        """Return every block, oldest first."""
        raws: dict[int, list[bytes]] = {}
        query = "SELECT block, raw FROM transactions ORDER BY block, position"
        for number, raw in self._db.execute(query):
            raws.setdefault(number, []).append(raw)
        rows = self._db.execute("SELECT number, time, hash FROM blocks ORDER BY number")
        return [Block(n, time, mined, tuple(raws.get(n, ()))) for n, time, mined in rows]

    def begin(self, number: int, time: int, transactions: list[bytes]) -> None:
        """Write down a block that is about to be mined."""
        with self._transaction():
            self._db.execute("INSERT INTO blocks VALUES (?, ?, NULL)", (number, time))
            rows = [(number, position, raw) for position, raw in enumerate(transactions)]
            self._db.executemany("INSERT INTO transactions VALUES (?, ?, ?)", rows)

    def finish(self, number: int, mined: bytes, *, empty: bool = False) -> None:
        """Write down the hash of a mined block; if it was mined `empty`, drop its transactions."""
        with self._transaction():
            if empty:
                self._db.execute("DELETE FROM transactions WHERE block = ?", (number,))
            self._db.execute("UPDATE blocks SET hash = ? WHERE number = ?", (mined, number))

    def forget(self, number: int) -> None:
        """Remove a block whose transactions the engine refused, so that it never was."""
        with self._transaction():
            self._db.execute("DELETE FROM transactions WHERE block = ?", (number,))
            self._db.execute("DELETE FROM blocks WHERE number = ? AND hash IS NULL", (number,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise SetupError(
                    f"the chain's journal cannot be written: {error}",
                    "Make room or mend the disk, then do the same again; nothing was half done",
                ) from error
            raise
