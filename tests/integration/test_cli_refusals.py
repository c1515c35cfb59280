"""Claims about the `affiant` command when what it is given is bad, or its home is damaged.

Every refusal has one form: exit code 2, one line with what is wrong, one line with what to do, no
traceback, nothing half done.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from affiant.apps import house as real
from affiant.apps.wiring import open_house
from affiant.kernel.errors import AffiantError

from .command import COMMAND, Run, process
from .conftest import Told
from .processes import free_port, taken_port
from .test_cli import flip_entry, months, sales

pytestmark = pytest.mark.integration

GOOD = "".join(f"bolt,{period},{quantity:g}\n" for period, quantity in months(30))
HEADER = "item,period,quantity\n"


@dataclass(frozen=True)
class Held:
    """What a home holds, as far as an attempt that failed must not change it."""

    entries: int
    drafts: int
    files: frozenset[str]

    @classmethod
    def of(cls, home: Path) -> Held:
        """Look at a home."""
        volatile = ("-wal", "-shm")
        files = {p.name for p in home.rglob("*") if not p.name.endswith(volatile)}
        return cls(
            _count(home, "log", "entries"), _count(home, "agent", "drafts"), frozenset(files)
        )


def _count(home: Path, name: str, table: str) -> int:
    with closing(sqlite3.connect(home / f"{name}.db")) as database:
        query = f"SELECT count(*) FROM {table}"
        return int(database.execute(query).fetchone()[0])


# -- sales files ---------------------------------------------------------------------------------

SALES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": ("", ("empty",)),
    "header only": (HEADER, ("no rows",)),
    "other columns": ("item,when,quantity\nbolt,2020-01,1\n", ("line 1", "'when'")),
    "a column missing": ("item,period\nbolt,2020-01\n", ("line 1", "quantity")),
    "a value too many": (HEADER + "bolt,2020-01,1,2\n", ("line 2", "4 values")),
    "open quotes": (HEADER + '"bolt,2020-01,1\n', ("line 2",)),
    "negative": (HEADER + GOOD + "nut,2020-01,-5\n", ("line 32", "quantity", "'-5'")),
    "no number": (HEADER + "bolt,2020-01,many\n", ("line 2", "quantity", "'many'")),
    "not finite": (HEADER + "bolt,2020-01,inf\n", ("line 2", "quantity", "'inf'")),
    "a thousands separator": (HEADER + 'bolt,2020-01,"1,000"\n', ("line 2", "quantity")),
    "a gap": (HEADER + GOOD.replace("bolt,2020-05,104\n", ""), ("2020-05", "line 6", "period")),
    "twice the same period": (HEADER + GOOD + "bolt,2020-05,1\n", ("line 32", "period", "line 6")),
    "no such month": (HEADER + "bolt,2020-13,1\n", ("line 2", "period", "'2020-13'")),
    "months and weeks": (HEADER + "bolt,2020-01,1\nbolt,2020-W05,1\n", ("line 3", "period")),
    "too short": (HEADER + "bolt,2020-01,1\n", ("1 months",)),
    "no UTF-8": (HEADER.encode() + b"b\xf6lt,2020-01,1\n", ("line 2", "UTF-8")),
}


@pytest.mark.parametrize("what", SALES)
def test_bad_sales_are_told_with_their_place(
    small: Path, affiant: Run, tmp_path: Path, what: str
) -> None:
    """A sales file that cannot be used is refused with its line and column; nothing is ordered."""
    content, words = SALES[what]
    path, target = tmp_path / "sales.csv", tmp_path / "orders.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = Held.of(small)
    done = affiant("demo", "--home", small, "--sales", path, "--orders", target)
    done.refused(str(path), *words)
    assert Held.of(small) == before
    assert not target.exists()


@pytest.mark.parametrize("kind", ["missing", "a folder", "below a file"])
def test_sales_that_cannot_be_read(small: Path, affiant: Run, tmp_path: Path, kind: str) -> None:
    """A sales file that is not there, or is no file, is refused; nothing is ordered."""
    (tmp_path / "file").touch()
    paths = {"missing": "none.csv", "a folder": ".", "below a file": "file/sales.csv"}
    before = Held.of(small)
    affiant("demo", "--home", small, "--sales", tmp_path / paths[kind]).refused("error: ")
    assert Held.of(small) == before


def test_missing_sales_as_a_process(affiant: Run, tmp_path: Path) -> None:
    """The real command exits 2 with two lines, and a new home can be used afterwards."""
    process("demo", "--home", tmp_path / "new", "--sales", "none.csv").refused("none.csv")
    affiant("chain", "status", "--home", tmp_path / "new").held()


@pytest.mark.parametrize("target", ["none/orders.csv", "."], ids=["no folder", "a folder"])
def test_orders_that_cannot_be_written(
    small: Path, affiant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Where the orders could not be written is told before anything is ordered."""
    monkeypatch.chdir(tmp_path)
    path = sales(tmp_path / "sales.csv", {"bolt": months(30)})
    before = Held.of(small)
    options = ["--sales", path, "--orders", target, "--periods", "2"]
    affiant("demo", "--home", small, *options).refused(target)
    assert Held.of(small) == before


def test_sales_beyond_any_budget(small: Path, affiant: Run, tmp_path: Path) -> None:
    """Amounts that no mandate could hold are refused; nothing is ordered."""
    path = tmp_path / "sales.csv"
    lines = "".join(f"bolt,{period},1e12,999999999999999999\n" for period, _ in months(30))
    path.write_text("item,period,quantity,unit_price\n" + lines)
    before = Held.of(small)
    affiant("demo", "--home", small, "--sales", path, "--periods", "2").refused("error: ")
    assert Held.of(small) == before


# -- where the chain is --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rpc",
    ["ftp://127.0.0.1:1", "127.0.0.1:8545", "", "http://", "http://127.0.0.1:99999", "ws://x"],
)
def test_an_rpc_that_is_no_address(affiant: Run, tmp_path: Path, rpc: str) -> None:
    """An RPC that is no HTTP address is refused; the home can still become an embedded one."""
    affiant("demo", "--home", tmp_path / "new", "--rpc", rpc).refused("http")
    affiant("chain", "status", "--home", tmp_path / "new").held()


def test_an_rpc_where_nobody_is(affiant: Run, tmp_path: Path) -> None:
    """A node that does not answer is refused, with its address; the home stays free."""
    url = f"http://127.0.0.1:{free_port()}"
    process("demo", "--home", tmp_path / "new", "--rpc", url).refused(url)
    affiant("chain", "status", "--home", tmp_path / "new").held()


def test_an_embedded_home_has_no_rpc(small: Path, affiant: Run) -> None:
    """A home that lives on the embedded chain refuses another chain, and stays as it was."""
    before = Held.of(small)
    affiant("demo", "--home", small, "--rpc", f"http://127.0.0.1:{free_port()}").refused()
    assert Held.of(small) == before


def test_a_taken_port(small: Path, affiant: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody has is refused, and told; the home works on another."""
    monkeypatch.setattr("affiant.chain.anvil._START_SECONDS", 1)
    with taken_port() as port:
        affiant("chain", "status", "--home", small, "--port", port).refused(str(port), "in use")
    affiant("chain", "status", "--home", small, "--port", free_port()).held()


# -- what the machine lacks ----------------------------------------------------------------------


def test_an_engine_that_is_not_there(
    affiant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the engine the remedy is the command that installs it."""
    monkeypatch.setattr(real, "ENGINE_FOLDER", tmp_path / "engine")
    affiant("demo", "--home", tmp_path / "new").refused("anvil", "affiant chain install", "--rpc")


def test_without_an_engine_the_home_stays_free(
    affiant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows the remedy "or give --rpc URL" is not told that the home is embedded."""
    monkeypatch.setattr(real, "ENGINE_FOLDER", tmp_path / "engine")
    affiant("demo", "--home", tmp_path / "new").refused()
    done = affiant("demo", "--home", tmp_path / "new", "--rpc", f"http://127.0.0.1:{free_port()}")
    done.refused("does not answer")
    with closing(sqlite3.connect(tmp_path / "new" / "home.db")) as database:
        rows = database.execute("SELECT value FROM home WHERE key = 'ledger'").fetchall()
    assert rows == []


def test_no_npm_and_no_pip(tmp_path: Path) -> None:
    """Where neither npm nor pip is, the installation is refused, and leaves no engine behind."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    bare = tmp_path / "bare" / "bin" / "python"
    folder = tmp_path / "engine"
    code = (
        "import sys; from pathlib import Path; import affiant.apps.house as house;"
        f"house.ENGINE_FOLDER = Path({str(folder)!r}); sys.executable = {str(bare)!r};"
        "sys.argv = ['affiant', 'chain', 'install'];"
        "from affiant.apps.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert "   do: Install npm" in done.stderr
    assert not list(folder.rglob("anvil"))


# -- the home ------------------------------------------------------------------------------------


def cut(name: str, size: int | None) -> Callable[[Path], None]:
    """Return a change that cuts a database to a size, or, without one, to its first half."""

    def change(home: Path) -> None:
        path = home / f"{name}.db"
        os.truncate(path, path.stat().st_size // 2 if size is None else size)

    return change


def overwrite(name: str, data: bytes) -> Callable[[Path], None]:
    """Return a change that overwrites a file."""

    def change(home: Path) -> None:
        (home / name).write_bytes(data)

    return change


def remove(name: str) -> Callable[[Path], None]:
    """Return a change that removes a file."""

    def change(home: Path) -> None:
        (home / name).unlink()

    return change


def become_folder(name: str) -> Callable[[Path], None]:
    """Return a change that puts a folder where a file was."""

    def change(home: Path) -> None:
        (home / name).unlink()
        (home / name).mkdir()

    return change


def another_format(home: Path) -> None:
    """Say that the home was made by a later version."""
    with closing(sqlite3.connect(home / "home.db")) as database, database:
        database.execute("UPDATE home SET value = '1' WHERE key = 'format'")


def keys_as_file(home: Path) -> None:
    """Put a file where the keys were."""
    shutil.rmtree(home / "keys")
    (home / "keys").touch()


DATABASES = ("log", "chain", "agent", "home")
DAMAGED: dict[str, Callable[[Path], None]] = {
    **{f"{n}.db cut to {s or 0}": cut(n, s) for n in DATABASES for s in (0, 99, 100)},
    **{f"{n}.db cut in half": cut(n, None) for n in DATABASES},
    **{f"{n}.db of junk": overwrite(f"{n}.db", b"junk " * 999) for n in DATABASES},
    **{f"{n}.db removed": remove(f"{n}.db") for n in DATABASES},
    "another format": another_format,
    "a key of junk": overwrite("keys/operator.secp256k1", b"junk"),
    "a key of no bytes": overwrite("keys/log.secp256k1", b""),
    "a key of zeros": overwrite("keys/log.secp256k1", b"0" * 64),
    "a short key": overwrite("keys/log.ed25519", b"00ff\n"),
    **{f"{n}.db a folder": become_folder(f"{n}.db") for n in DATABASES},
    "keys a file": keys_as_file,
    "a key a folder": become_folder("keys/log.ed25519"),
    "the log's key removed": remove("keys/log.secp256k1"),
    "the notes' key removed": remove("keys/log.ed25519"),
    "the operator's key removed": remove("keys/operator.secp256k1"),
    "a key in no ASCII": overwrite("keys/log.ed25519", b"\xff" * 64),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_home_is_refused(small: Path, affiant: Run, what: str) -> None:
    """A home that lost something it rests on is refused, and nothing is made anew in its place."""
    DAMAGED[what](small)
    before = {p: p.read_bytes() for p in sorted(small.rglob("*")) if p.is_file()}
    affiant("chain", "status", "--home", small).refused(str(small))
    for path, data in before.items():
        if path.suffix != ".db" and path.name != "lock":
            assert path.read_bytes() == data
    sizes = {p: len(d) for p, d in before.items() if p.name in ("log.db", "chain.db", "agent.db")}
    assert {p: p.stat().st_size for p in sizes} == sizes


@pytest.mark.parametrize("name", ["agent", "home", "chain", "log"])
def test_nothing_is_paid_twice_on_a_damaged_home(small: Path, affiant: Run, name: str) -> None:
    """A home that forgot what it did is refused by demo and audit before anything is done again."""
    os.truncate(small / f"{name}.db", 0)
    affiant("demo", "--home", small, "--periods", "2").refused(f"{name}.db")
    affiant("audit", "--home", small).refused(f"{name}.db")


def test_a_damaged_home_as_a_process(small: Path) -> None:
    """The real command tells a truncated log in two lines."""
    cut("log", None)(small)
    process("demo", "--home", small).refused("log.db", "damaged")


def test_a_home_in_use(small: Path, affiant: Run) -> None:
    """While one process has a home open a second one is refused, and the first goes on."""
    with open_house(small) as house:
        process("demo", "--home", small).refused("another process")
        with pytest.raises(AffiantError, match="another process"):
            open_house(small)
        assert house.ledger.now()
    affiant("chain", "status", "--home", small).held()


@pytest.mark.parametrize("home", ["/dev/null", "/dev/null/home", "/proc/home"])
def test_a_home_that_cannot_be(affiant: Run, home: str) -> None:
    """A file where the home should be, or a place where none can be made, is refused."""
    affiant("demo", "--home", home).refused(home)
    affiant("audit", "--home", home).refused(home)


def test_a_home_that_cannot_be_written(small: Path, tmp_path: Path) -> None:
    """A user who may not write to a home is refused, and told so."""
    if os.geteuid() == 0 and not _readable_by_nobody():
        pytest.skip("runs as root, and other users cannot read this environment")
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 1:
            pytest.skip(f"other users cannot enter {folder}")
    user = 65534 if os.geteuid() == 0 else None
    process("demo", "--home", locked / "home", user=user).refused(str(locked))
    assert small.exists()


def _readable_by_nobody() -> bool:
    try:
        probe = subprocess.run([COMMAND, "--help"], user=65534, capture_output=True, check=False)
    except PermissionError:
        return False
    return probe.returncode == 0


# -- what is asked for ---------------------------------------------------------------------------


def test_an_unknown_story(affiant: Run, tmp_path: Path) -> None:
    """A story that nobody knows is refused with those that are known; no home is made."""
    affiant("demo", "nosuch", "--home", tmp_path / "new").refused("'nosuch'", "supply")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "target", ["0xzz", "zz", "0x", "0x1234", "0x" + "00" * 32, "0x" + "0" * 40]
)
def test_an_audit_of_nothing(told: Told, affiant: Run, target: str) -> None:
    """A name that is no name, or that nothing has, is refused."""
    affiant("audit", target, "--home", told.home).refused()


def test_an_audit_without_a_home(affiant: Run, tmp_path: Path) -> None:
    """Where there is no log nothing is audited, and no home is made."""
    affiant("audit", "--home", tmp_path / "none").refused(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (None, "cannot be read"),
        (b"", "not-json"),
        (b"junk", "not-json"),
        (b"{}", "bad-bundle"),
        (b"[]", "bad-bundle"),
        (b"null", "bad-bundle"),
        (b'{"format":"affiant/bundle/v2"}', "bad-bundle"),
        (b"[" * 100_000, "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"format": "affiant/bundle/v1"}', "not-canonical"),
    ],
    ids=["missing", "empty", "junk", "{}", "[]", "null", "v2", "deep", "bytes", "spaces"],
)
def test_a_bundle_that_is_none(affiant: Run, tmp_path: Path, data: bytes | None, word: str) -> None:
    """A file that is no bundle is refused, and named."""
    path = tmp_path / "some.bundle"
    if data is not None:
        path.write_bytes(data)
    affiant("verify", path).refused(word)


def test_a_cut_bundle(told: Told, affiant: Run, tmp_path: Path) -> None:
    """A bundle of which the end is missing is refused."""
    path = tmp_path / "cut.bundle"
    whole = (told.home / "demo.bundle").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    affiant("verify", path).refused("not-json")
    process("verify", path).refused("not-json")


@pytest.mark.parametrize("target", ["none/x.bundle", "folder"])
def test_an_export_that_cannot_be_written(
    small: Path, affiant: Run, tmp_path: Path, target: str
) -> None:
    """Where a bundle cannot be written is told."""
    (tmp_path / "folder").mkdir()
    affiant("audit", "--home", small, "--export", tmp_path / target).refused(target)


def test_a_failed_export_leaves_nothing(small: Path, affiant: Run, tmp_path: Path) -> None:
    """An export onto a folder leaves no draft beside it."""
    (tmp_path / "folder").mkdir()
    affiant("audit", "--home", small, "--export", tmp_path / "folder").refused()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "home"]


@pytest.mark.parametrize("target", [".", "/"])
def test_an_export_onto_the_folder_itself(small: Path, affiant: Run, target: str) -> None:
    """An export onto the current folder is refused like any other that cannot be written."""
    affiant("audit", "--home", small, "--export", target).refused()


def test_a_damaged_log_still_opens_for_reading(small: Path, affiant: Run) -> None:
    """A log whose tree no longer has its signed root is refused by demo, and read by audit."""
    flip_entry(small)
    with closing(sqlite3.connect(small / "log.db")) as database, database:
        (top,) = database.execute("SELECT max(level) FROM nodes").fetchone()
        database.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = ?", (top,))
    affiant("demo", "--home", small).refused("signed")
    done = affiant("audit", "--home", small)
    assert done.code == 1, done
    assert "FINDING statement.signature" in done.out
