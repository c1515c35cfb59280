"""What a facilitator has begun and what it has settled, in a file that survives it."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import IntegrityError, SetupError
from affiant.verticals.market.payment import Authorization, Payment, Token

SCHEMA = """
CREATE TABLE IF NOT EXISTS settlements (
    token BLOB NOT NULL,
    payer BLOB NOT NULL,
    nonce BLOB NOT NULL,
    payee BLOB NOT NULL,
    value TEXT NOT NULL,
    digest BLOB NOT NULL,
    resource TEXT,
    hash BLOB,
    PRIMARY KEY (token, payer, nonce)
) WITHOUT ROWID;
"""
Slot = tuple[bytes, bytes, bytes]
"""Token, payer, nonce: what a contract takes once."""


@dataclass(frozen=True)
class Entry:
    """One settlement: of which authorisation, for what, and by which transaction."""

    slot: Slot
    payee: bytes
    value: int
    digest: bytes
    """What the payer signed."""
    resource: str | None
    """What was paid for; one payment is not taken for two things."""
    transaction: bytes | None = None
    """None while it is not known whether the chain took it."""

    @classmethod
    def of(cls, token: Token, payment: Payment) -> Self:
        """Return the entry of a payment that is about to be settled."""
        told: Authorization = payment.authorization
        slot = (token.address, told.payer, told.nonce)
        return cls(slot, told.payee, told.value, told.digest(token), payment.resource)

    def same(self, other: Entry) -> bool:
        """Tell whether both are the same authorisation for the same thing."""
        return (self.slot, self.digest, self.resource) == (other.slot, other.digest, other.resource)


def open_store(path: Path, schema: str) -> sqlite3.Connection:
    """Open a database for one process alone; what it commits is on disk.

    Raises:
        SetupError: another process has it.
        IntegrityError: it is damaged, or no database.
    """
    database = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (told,) = database.execute("PRAGMA quick_check").fetchone()
        if told != "ok":
            raise sqlite3.DatabaseError(told)
        database.executescript(schema)
    except sqlite3.DatabaseError as error:
        database.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise SetupError(
                f"{path} is in use", "End the other process that takes payments with it"
            ) from error
        raise IntegrityError(
            f"{path} is damaged: {error}",
            "Restore the file from a backup; the chain tells what was settled since",
        ) from error
    return database


class Settlements:
    """The entries, by slot."""

    def __init__(self, path: Path) -> None:
        self._db = open_store(path, SCHEMA)
        self._turn = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, slot: Slot) -> Entry | None:
        """Return the entry of a slot."""
        query = (
            "SELECT payee, value, digest, resource, hash FROM settlements"
            " WHERE token = ? AND payer = ? AND nonce = ?"
        )
        with self._turn:
            row = self._db.execute(query, slot).fetchone()
        if row is None:
            return None
        payee, value, digest, resource, transaction = row
        return Entry(slot, payee, int(value), digest, resource, transaction)

    def begin(self, entry: Entry) -> None:
        """Write down what is about to be sent.

        Raises:
            IntegrityError: the slot has an entry.
        """
        values = (*entry.slot, entry.payee, str(entry.value), entry.digest, entry.resource)
        try:
            with self._turn:
                self._db.execute(
                    "INSERT INTO settlements VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", values
                )
        except sqlite3.IntegrityError as error:
            raise IntegrityError(
                f"nonce {to_hex(entry.slot[2])} has been begun already", "Look it up first"
            ) from error

    def finish(self, slot: Slot, transaction: bytes) -> None:
        """Write down the transaction that settled it."""
        query = "UPDATE settlements SET hash = ? WHERE token = ? AND payer = ? AND nonce = ?"
        with self._turn:
            self._db.execute(query, (transaction, *slot))

    def forget(self, slot: Slot) -> None:
        """Remove what was begun and never came to be."""
        query = (
            "DELETE FROM settlements WHERE token = ? AND payer = ? AND nonce = ? AND hash IS NULL"
        )
        with self._turn:
            self._db.execute(query, slot)
