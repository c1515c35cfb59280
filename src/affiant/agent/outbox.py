"""What an agent keeps on disk: sworn statements before they are sent, and the data it observed."""

from __future__ import annotations

import sqlite3

from affiant.kernel import statement
from affiant.kernel.errors import IntegrityError
from affiant.kernel.ports import Draft

SCHEMA = """
CREATE TABLE IF NOT EXISTS drafts (
    job TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    entry BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (number INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS observed (
    subject BLOB PRIMARY KEY,
    salt BLOB NOT NULL,
    data BLOB NOT NULL
) WITHOUT ROWID;
"""


class SqliteOutbox:
    """Sworn statements by job. What `put` has stored is what is sent, now and after a crash."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(SCHEMA)

    def get(self, job: str) -> Draft | None:
        """Return what was sworn for a job."""
        query = "SELECT body, entry FROM drafts WHERE job = ?"
        row = self._db.execute(query, (job,)).fetchone()
        return Draft(_bytes(row[0]), statement.decode(_bytes(row[1])).verify()) if row else None

    def put(self, job: str, draft: Draft) -> None:
        """Store what is sworn for a job, once.

        Raises:
            IntegrityError: something else was sworn for it before.
        """
        try:
            values = (job, draft.body, draft.statement.entry)
            self._db.execute("INSERT INTO drafts VALUES (?, ?, ?)", values)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(
                f"job {job!r} has already been sworn for", "Give every job a name of its own"
            ) from error

    def begin(self, job: str) -> None:
        """Note that a job has a decision whose outcome is not logged yet."""
        self._db.execute("INSERT OR IGNORE INTO begun (job) VALUES (?)", (job,))

    def finish(self, job: str) -> None:
        """Note that a job's outcome is logged."""
        self._db.execute("DELETE FROM begun WHERE job = ?", (job,))

    def unfinished(self) -> list[str]:
        """Return the jobs begun and not finished, oldest first."""
        return [job for (job,) in self._db.execute("SELECT job FROM begun ORDER BY number")]


class SqliteArchive:
    """Observed data by its commitment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._db.executescript(SCHEMA)

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
        """Keep data."""
        self._db.execute("INSERT OR IGNORE INTO observed VALUES (?, ?, ?)", (subject, salt, data))

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return (salt, data)."""
        query = "SELECT salt, data FROM observed WHERE subject = ?"
        row = self._db.execute(query, (subject,)).fetchone()
        return (_bytes(row[0]), _bytes(row[1])) if row else None


def _bytes(cell: object) -> bytes:
    """Return a cell as bytes whatever type it has become: then it is not what was sworn to."""
    return cell if isinstance(cell, bytes) else str(cell).encode()
