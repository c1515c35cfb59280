"""The home folder: its version, its lock, its keys, its databases."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from affiant.apps.database import open_database
from affiant.apps.home import Home
from affiant.apps.keys import KeyFolder
from affiant.kernel.errors import InputError, IntegrityError, SetupError


def test_a_home_is_open_for_one_at_a_time(tmp_path: Path) -> None:
    """A second opening is refused until the first has closed."""
    first = Home(tmp_path / "home")
    with pytest.raises(SetupError, match="another process"):
        Home(tmp_path / "home")
    first.close()
    Home(tmp_path / "home").close()


def test_a_home_of_another_format_is_refused(tmp_path: Path) -> None:
    """The format is settled at first use; another one is refused, and the lock is freed."""
    home = Home(tmp_path)
    home.database("home").execute("UPDATE home SET value = '99' WHERE key = 'format'")
    home.close()
    for _ in range(2):
        with pytest.raises(InputError, match="is of format 99"):
            Home(tmp_path)


def test_a_settled_fact_stays(tmp_path: Path) -> None:
    """What is settled first is kept; another value is refused with what is held."""
    home = Home(tmp_path)
    assert home.settle("ledger", "embedded", "on {held}") == "embedded"
    with pytest.raises(InputError, match="on embedded"):
        home.settle("ledger", "chain 1", "on {held}")
    home.close()


def test_a_closed_home_says_so(tmp_path: Path) -> None:
    """A closed home is an error with a remedy, not a traceback of sqlite."""
    home = Home(tmp_path)
    home.close()
    with pytest.raises(SetupError, match="closed"):
        home.fact("ledger")


def test_a_grant_is_found_again(tmp_path: Path) -> None:
    """The first time and salt of a grant are kept for the same name and terms."""
    home = Home(tmp_path)
    first = home.grant("tea", b"d" * 32, 100, b"s" * 32)
    assert home.grant("tea", b"d" * 32, 200, b"t" * 32) == first == (100, b"s" * 32)
    assert home.grant("tea", b"e" * 32, 200, b"t" * 32) == (200, b"t" * 32)
    home.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Return an open home."""
    opened = Home(tmp_path)
    yield opened
    opened.close()


def test_a_key_is_made_once_and_for_its_owner_only(home: Home) -> None:
    """A key is the same ever after, differs by name, and its file is readable by its owner only."""
    keys = KeyFolder(home.folder / "keys", home)
    assert keys.ledger("buyer") == keys.ledger("buyer") != keys.ledger("shop")
    assert KeyFolder(home.folder / "keys", home).ed25519("log") == keys.ed25519("log")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (home.folder / "keys").iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("text", ["", "zz", "00" * 32, "ff" * 32, "11" * 31])
def test_a_damaged_key_is_refused(home: Home, text: str) -> None:
    """A key file that holds no key of the curve is refused, and not replaced."""
    path = home.folder / "buyer.secp256k1"
    path.write_text(text, encoding="ascii")
    with pytest.raises(IntegrityError):
        KeyFolder(home.folder, home).ledger("buyer")
    assert path.read_text(encoding="ascii") == text


def test_a_lost_or_foreign_key_is_refused(home: Home) -> None:
    """A key that this home has used is neither made anew nor replaced by another."""
    keys = KeyFolder(home.folder, home)
    keys.ledger("buyer")
    path = home.folder / "buyer.secp256k1"
    path.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        keys.ledger("buyer")
    assert not path.exists()
    path.write_text("11" * 32, encoding="ascii")
    with pytest.raises(InputError, match="another"):
        keys.ledger("buyer")


def test_a_database_is_durable_on_commit(tmp_path: Path) -> None:
    """Databases are opened with a write-ahead log and full synchronisation."""
    database = open_database(tmp_path / "log.db")
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()


@pytest.mark.parametrize("size", [None, 0, 1, 100, 4096, 5000])
@pytest.mark.parametrize("name", ["log", "home"])
def test_a_truncated_database_is_refused(tmp_path: Path, name: str, size: int | None) -> None:
    """A database that lost its end, all of it, or its file is refused with the file's name."""
    home = Home(tmp_path)
    database = home.database("log")
    for connection in (database, home.database("home")):
        connection.execute("CREATE TABLE t (x BLOB)")
        connection.executemany("INSERT INTO t VALUES (?)", [(b"x" * 1000,) for _ in range(50)])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    home.close()
    path = tmp_path / f"{name}.db"
    data = path.read_bytes()
    path.unlink()
    if size is not None:
        path.write_bytes(data[:size])
    for _ in range(2):
        with pytest.raises(IntegrityError, match=rf"{name}\.db"):
            Home(tmp_path).database("log")
