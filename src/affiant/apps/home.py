"""The home folder: one version, one chain, one process at a time."""

from __future__ import annotations

import fcntl
import sqlite3
from pathlib import Path
from typing import TextIO

from affiant.apps.database import open_database
from affiant.kernel.errors import InputError, IntegrityError, SetupError

FORMAT = 2
_HEADER = 100  # bytes of an SQLite file's header
_SCHEMA = """
CREATE TABLE IF NOT EXISTS home (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grants (
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    valid_from INTEGER NOT NULL,
    salt BLOB NOT NULL,
    PRIMARY KEY (name, digest)
) WITHOUT ROWID;
"""


class Home:
    """The folder, locked for this process."""

    def __init__(self, folder: Path) -> None:
        """Open or make a home.

        Raises:
            InputError: it cannot be made, or is of another version.
            SetupError: another process has it open.
        """
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: TextIO = (folder / "lock").open("w", encoding="ascii")
        except OSError as error:
            raise InputError(f"{folder} cannot be used as home: {error}", "Name another") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SetupError(
                f"another process has {folder} open",
                "Wait for it to end, or name another folder with --home",
            ) from error
        self._db: sqlite3.Connection | None = None
        try:
            if any((folder / f"{name}.db").exists() for name in ("log", "chain", "agent")):
                _check_there(folder / "home.db")
            self._db = open_database(folder / "home.db")
            self._db.executescript(_SCHEMA)
            self.settle("format", str(FORMAT), f"{folder} is of format {{held}}, this is {FORMAT}")
        except BaseException:
            self.close()
            raise

    def database(self, name: str) -> sqlite3.Connection:
        """Open one of the home's databases.

        Raises:
            IntegrityError: it was there before, and now is missing, cut off or damaged.
        """
        path = self.folder / f"{name}.db"
        if self.fact(f"{name}.db") is not None:
            _check_there(path)
        database = open_database(path)
        self.settle(f"{name}.db", "made", f"{path} is {{held}}")
        return database

    def settle(self, key: str, value: str, conflict: str) -> str:
        """Keep a fact when it is first told; refuse another one ever after.

        Raises:
            InputError: `conflict`, with {held} replaced by what is held.
        """
        assert_open(self._db).execute("INSERT OR IGNORE INTO home VALUES (?, ?)", (key, value))
        held = self.fact(key)
        if held != value:
            raise InputError(
                conflict.format(held=held),
                "Use the version of affiant and the options it was made with, or another --home",
            )
        return value

    def note(self, key: str, value: int) -> None:
        """Keep a number that grows. It may be lost in a power cut, and is then the one before."""
        database = assert_open(self._db)
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("INSERT OR REPLACE INTO home VALUES (?, ?)", (key, str(value)))
        database.execute("PRAGMA synchronous = FULL")

    def fact(self, key: str) -> str | None:
        """Return a kept fact."""
        query = "SELECT value FROM home WHERE key = ?"
        row = assert_open(self._db).execute(query, (key,)).fetchone()
        return str(row[0]) if row else None

    def grant(self, name: str, digest: bytes, now: int, salt: bytes) -> tuple[int, bytes]:
        """Keep when a mandate was first asked for, so that it is found again; return time, salt."""
        database = assert_open(self._db)
        values = (name, digest, now, salt)
        database.execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?)", values)
        query = "SELECT valid_from, salt FROM grants WHERE name = ? AND digest = ?"
        row = database.execute(query, (name, digest)).fetchone()
        return int(row[0]), bytes(row[1])

    def has_granted(self, name: str, digest: bytes) -> bool:
        """Tell whether a mandate was asked for."""
        query = "SELECT 1 FROM grants WHERE name = ? AND digest = ?"
        return assert_open(self._db).execute(query, (name, digest)).fetchone() is not None

    def close(self) -> None:
        """Unlock the folder."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._lock.close()


def _check_there(path: Path) -> None:
    """Refuse a database that was there before and has lost even its header.

    SQLite takes such a file for a new one, and a log begun anew would fork its own history.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < _HEADER:
        raise IntegrityError(
            f"{path} is missing or cut off ({size} bytes), but this home has used it",
            "Restore the file from a backup, or move the folder away to begin anew",
        )


def assert_open(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    """Return an open connection.

    Raises:
        SetupError: the home was closed.
    """
    if connection is None:
        raise SetupError("this house is closed", "Open it again")
    return connection
