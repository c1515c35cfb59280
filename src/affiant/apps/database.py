"""Opens the SQLite files of a house: durable on commit, checked, never half open."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from affiant.kernel.errors import IntegrityError


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database, in autocommit mode, so that a commit is on disk when it returns.

    Raises:
        IntegrityError: the file is truncated, damaged, or no database.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        (told,) = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        told = str(error)
    if connection is None or told != "ok":
        if connection is not None:
            connection.close()
        raise IntegrityError(
            f"{path} is damaged: {told}",
            "Restore the file from a backup, or move the folder away to begin anew",
        )
    return connection
