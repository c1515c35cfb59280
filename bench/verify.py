"""Checking evidence: a bundle in process and by the command, the log's registration, start-up.

The bundle is the demo's: a log of about 110 statements with bodies, data and chain facts. The
commands are timed as processes, beside a Python that does nothing.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from affiant.apps.database import open_database
from affiant.apps.house import SystemClock
from affiant.audit.walk import audit
from affiant.kernel import body as bodies
from affiant.kernel import bundle, statement
from affiant.kernel.body import CORE_KINDS, Body
from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.encoding import sha256
from affiant.kernel.identity import Ed25519Key
from affiant.kernel.ports import Draft
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage
from bench.demo import AFFIANT, tell
from bench.gas import made_key
from bench.run import Figure, Run, median, rounded, spread


def measure(run: Run) -> list[Figure]:
    """Check the demo's bundle, log statements, start commands."""
    home = run.folder / "home0"
    if not home.exists():
        tell(run, "home0")
    file = home / "demo.bundle"
    return [*_in_process(run, file), *_commands(run, file), *_registration(run)]


def _in_process(run: Run, file: Path) -> Iterator[Figure]:
    data = file.read_bytes()
    report = audit(bundle.decode(data), CORE_KINDS)
    seconds = timed(lambda: audit(bundle.decode(data), CORE_KINDS), run.times(15, 50))
    read = timed(lambda: bundle.decode(data), run.times(15, 50))
    checks, statements = len(report.checks()), len(bundle.decode(data).statements)
    note = (
        f"decode and audit of {len(data):,} bytes, {statements} statements, {checks} checks, "
        f"{len(report.findings())} findings; {spread(seconds)}"
    )
    yield Figure("verifying the demo's bundle", median(seconds), "s", "<= 0.2", note=note)
    yield Figure("of which decoding", median(read), "s", note=spread(read))
    yield Figure("checks", rounded(checks / median(seconds)), "per s", note="one process")
    yield Figure("statements", rounded(statements / median(seconds)), "per s", note="one process")


def _commands(run: Run, file: Path) -> Iterator[Figure]:
    times = run.times(5, 15)
    commands = {
        "nothing": [sys.executable, "-c", "pass"],
        "help": [AFFIANT, "--help"],
        "verify": [AFFIANT, "verify", str(file)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 + times):  # in turn, so that whatever else the machine does falls on all
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=run.environment)
            seconds[name].append(time.perf_counter() - began)
    first = {name: taken.pop(0) for name, taken in seconds.items()}
    nothing = median(seconds["nothing"])
    for name, label, goal in (
        ("help", "`affiant --help`", "<= 0.4"),
        ("verify", "`affiant verify FILE`", None),
    ):
        note = (
            f"{spread(seconds[name])}, after a first start of {rounded(first[name])} s in which "
            "Python may have had files to compile; peer: `python -c pass`"
        )
        yield Figure(label, median(seconds[name]), "s", goal, nothing, note)


def _registration(run: Run) -> Iterator[Figure]:
    """Log observations one by one, each durable before the next, beside bare SQLite."""
    times = run.times(200, 1000)
    folder = run.folder / "log"
    folder.mkdir()
    signer, key = made_key("log"), Ed25519Key(sha256(b"affiant bench log"))
    policy = LogPolicy("bench.local/log", signer.address)
    storage = Storage(open_database(folder / "log.db"))
    log = Sequencer(storage, policy, signer, key, CORE_KINDS, SystemClock())
    bare = _bare_tables(folder / "bare.db")
    logged, inserted = [], []
    for draft in [_observation(number) for number in range(times)]:
        # In turn, so that whatever else the disk does falls on both.
        logged += timed(partial(_log, log, draft), 1)
        inserted += timed(partial(_insert, bare, draft), 1)
    note = (
        f"body, then statement, one by one by one caller, two commits each, synchronous=FULL on "
        f"{filesystem(folder)}; {spread(logged)}; peer: the same bytes into bare SQLite tables, "
        "two commits each, in turn with the log"
    )
    rate, peer = rounded(times / sum(logged)), rounded(times / sum(inserted))
    yield Figure("statements logged, durable", rate, "per s", None, peer, note)


def _log(log: Sequencer, draft: Draft) -> None:
    log.put_body(draft.body)
    log.register(draft.statement.entry)


def _observation(number: int) -> Draft:
    now = int(time.time())
    salt = sha256(b"salt %d" % number)
    content = {"source": "bench", "shape": [1], "units": "", "kept": "agent"}
    body = Body(bodies.OBSERVATION, bodies.moment(now), salt[: bodies.SALT_LENGTH], content)
    told = statement.sign(body.kind, salt, body.digest, made_key("agent"), now)
    return Draft(body.encoded, told)


def _bare_tables(path: Path) -> sqlite3.Connection:
    database = open_database(path)
    for table in ("bodies", "entries"):
        database.execute(f"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
    return database


def _insert(database: sqlite3.Connection, draft: Draft) -> None:
    told = draft.statement
    database.execute("INSERT INTO bodies VALUES (?, ?)", (told.body, draft.body))
    database.execute("INSERT INTO entries VALUES (?, ?)", (told.leaf, told.entry))


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Return what some work takes, each time."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return seconds


def filesystem(folder: Path) -> str:
    """Return the type of the file system that holds a folder, where the machine tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "an unknown file system"
    rows = [line.split() for line in mounts.read_text("utf-8").splitlines()]
    over = [(len(row[1]), row[2]) for row in rows if _holds(row[1], folder)]
    return max(over)[1] if over else "an unknown file system"


def _holds(mount: str, folder: Path) -> bool:
    return os.path.commonpath([mount, folder.resolve()]) == mount
