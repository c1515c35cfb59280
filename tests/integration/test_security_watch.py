"""`affiant security watch` and `appeal` as commands, on a home in which a clerk was hijacked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from affiant.apps.wiring import open_house
from affiant.kernel import statement
from affiant.kernel.mandate import Bucket
from affiant.kernel.model import Input
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.security.invoices import Hijacked, PayInvoice, invoice

from .command import Done, Run

pytestmark = pytest.mark.integration

CLERK, DESK, FIRM, SENTINEL = "clerk", "orders desk", "firm", "sentinel"
NOWHERE = f"0x{'12' * 32}"


@pytest.fixture(scope="module")
def hijacked_home(shared: Path, engine: Path) -> Path:
    """Make a home in which a clerk paid one invoice, and a thief what no invoice says."""
    assert engine.exists()
    home = shared / "hijacked"
    with open_house(home) as house:
        firm, thief = house.key(FIRM), house.key("thief").address
        money = SettlementToken.deploy(house, firm)
        mandate = house.grant(
            CLERK,
            principal=firm,
            agent=house.key(CLERK),
            rules=[money.rule(None, 500)],
            buckets=[Bucket(units(100_000), 86_400)],
            guardian=house.key(SENTINEL),
        )
        money.fund(house, firm, mandate, 1_000)
        for number, model in enumerate((PayInvoice(), Hijacked(call=money.transfer(thief, 2)))):
            due = invoice(money, str(number), house.key("landlord").address, 100)
            seen = house.affiant(DESK).observe(f"invoice/{number}", due)
            act = house.agent(CLERK).act(f"pay/{number}", mandate, model, [seen])
            assert act.execution is not None
    return home


@pytest.fixture
def home(hijacked_home: Path, tmp_path: Path) -> Path:
    """Give a copy of that home."""
    return Path(shutil.copytree(hijacked_home, tmp_path / "home"))


def flip(home: Path, place: int, byte: int = -10) -> None:
    """Flip a bit of an entry of a home's log; places below 0 count from the end."""
    with closing(sqlite3.connect(home / "log.db")) as database, database:
        order = "DESC" if place < 0 else "ASC"
        query = f"SELECT idx, entry FROM entries ORDER BY idx {order} LIMIT 1 OFFSET ?"
        at = -place - 1 if place < 0 else place
        index, entry = database.execute(query, (at,)).fetchone()
        changed = bytearray(entry)
        changed[byte] ^= 1
        database.execute("UPDATE entries SET entry = ? WHERE idx = ?", (bytes(changed), index))


def events(done: Done) -> list[dict[str, Any]]:
    """Return the events that were told as JSON lines."""
    assert "Traceback" not in done.err, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_watch_tells_once_in_lines_json_and_file(
    home: Path, tmp_path: Path, affiant: Run
) -> None:
    """The first look exits 1 and tells all, the next 0 and nothing, `--again` tells it again."""
    out = tmp_path / "events.jsonl"
    first = affiant("security", "watch", "--home", home, "--json", "--out", out)
    (event,) = events(first)
    assert (first.code, event["event"], event["detector"]) == (1, "sighting", "not-reproducible")
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == [event]
    calm = affiant("security", "watch", "--home", home, "--json", "--out", out)
    assert (calm.code, calm.out) == (0, "")
    again = affiant("security", "watch", "--home", home, "--again")
    assert again.code == 1
    assert "ASI01 not-reproducible" in again.out
    assert "risk  who, and why" in again.out
    assert len(out.read_text("utf-8").splitlines()) == 1


def test_an_answer_and_its_appeal(home: Path, affiant: Run) -> None:
    """The guardian's watch suspends; its principal alone lifts; the next watch is calm."""
    answered = affiant("security", "watch", "--home", home, "--answer", SENTINEL, "--json")
    assert answered.code == 1
    told = events(answered)
    assert [event["event"] for event in told] == ["sighting", "suspended"]
    alert = told[-1]["alert"]
    words = ("security", "appeal", alert, "--home", home, "--reason", "it was right")
    affiant(*words, "--as", CLERK).refused("is not the principal", "nobody else can")
    lifted = affiant(*words, "--as", FIRM, "--cured", "--json")
    lifted.held()
    assert (lifted.told["alert"], lifted.told["verdict"]) == (alert, "cured")
    with open_house(home) as house:
        mandate = house.ledger.granted(house.key(CLERK).address)[0]
        assert house.ledger.state(mandate).suspended_until == 0
    calm = affiant("security", "watch", "--home", home, "--answer", SENTINEL, "--json")
    assert calm.code == 0
    (event,) = events(calm)
    assert (event["event"], event["appeal"]) == ("appeal", lifted.told["appeal"])


def test_what_is_no_alert_is_refused(home: Path, affiant: Run) -> None:
    """An alert that is not in the log, another statement, or no leaf at all is refused."""
    with open_house(home) as house:
        other = "0x" + statement.decode(house.log.entry(2)).verify().leaf.hex()
    for alert in (NOWHERE, other):
        words = ("security", "appeal", alert, "--home", home, "--reason", "x", "--as", FIRM)
        affiant(*words).refused("is no alert in this log")
    for alert in ("0x12", "alert", NOWHERE[2:]):
        words = ("security", "appeal", alert, "--home", home, "--reason", "x", "--as", FIRM)
        affiant(*words).refused("Give the alert as 0x and 64 digits")


def test_a_missing_home_is_refused(tmp_path: Path, affiant: Run) -> None:
    """A watch over a folder that is no home is refused, and makes none."""
    home = tmp_path / "missing"
    affiant("security", "watch", "--home", home).refused("holds no log")
    assert not home.exists()


def test_an_appeal_in_a_missing_home_makes_none(tmp_path: Path, affiant: Run) -> None:
    """An appeal in a folder that is no home is refused, and makes none."""
    home = tmp_path / "missing"
    done = affiant("security", "appeal", NOWHERE, "--home", home, "--reason", "x", "--as", FIRM)
    assert done.code == 2
    assert not home.exists()


def test_bad_options_are_refused(home: Path, tmp_path: Path, affiant: Run) -> None:
    """A file that cannot be written, labels that are not there and a strange webhook are told."""
    words = ("security", "watch", "--home", home)
    affiant(*words, "--out", tmp_path / "no" / "where").refused("takes no events")
    affiant(*words, "--labels", tmp_path / "labels.csv").refused("cannot be read")
    affiant(*words, "--webhook", "ftp://host").refused("is no http(s) address")


def lies(home: Path, affiant: Run) -> set[str]:
    """Watch a home; return what is wrong with its log, of which nobody else may be blamed."""
    done = affiant("security", "watch", "--home", home, "--json")
    assert done.code in {1, 2}
    told = [
        event
        for event in events(done)
        if event.get("detector") in {"fork", "bad-entry", "unsigned-tail"}
    ]
    assert all(event["suspect"].startswith("affiant.local/") for event in told)
    return {event["detector"] for event in told}


@pytest.mark.parametrize(("place", "byte"), [(2, -10), (5, -100), (5, 20), (-2, -1)])
def test_a_tampered_log_is_told(home: Path, affiant: Run, place: int, byte: int) -> None:
    """One bit of an entry flipped in log.db: the watch does not exit 0, and names the log."""
    flip(home, place, byte)
    assert "fork" in lies(home, affiant)


@pytest.mark.parametrize("byte", [20, -1])
def test_a_tampered_tail_is_told(home: Path, affiant: Run, byte: int) -> None:
    """Also an entry that is not under a checkpoint yet is not passed over in silence."""
    flip(home, -1, byte)
    assert lies(home, affiant)


def test_a_log_whose_first_words_are_damaged_is_refused(home: Path, affiant: Run) -> None:
    """A log that does not even say who it is cannot be read, and that is told."""
    flip(home, 0)
    affiant("security", "watch", "--home", home).refused("policy and key, cannot be read")


def test_a_guardian_does_not_write_into_a_tampered_log(home: Path, affiant: Run) -> None:
    """With a guardian's key the house is opened to write, and a damaged log is refused."""
    flip(home, 2)
    affiant("security", "watch", "--home", home, "--answer", SENTINEL).refused("Restore")


def test_a_body_that_was_changed_is_told(home: Path, affiant: Run) -> None:
    """A body that is not the one sworn to any more is a bad entry."""
    with closing(sqlite3.connect(home / "log.db")) as database, database:
        (entry,) = database.execute("SELECT entry FROM entries WHERE idx = 3").fetchone()
        digest = statement.decode(entry).unverified.body
        query = "SELECT body FROM bodies WHERE digest = ?"
        changed = bytearray(database.execute(query, (digest,)).fetchone()[0])
        changed[30] ^= 1
        database.execute("UPDATE bodies SET body = ? WHERE digest = ?", (bytes(changed), digest))
    assert lies(home, affiant) == {"bad-entry"}


def test_a_log_rolled_back_after_a_watch_is_told(home: Path, affiant: Run) -> None:
    """A home whose log was replaced by an older copy after a watch is not taken for calm."""
    older = (home / "log.db").read_bytes()
    with open_house(home) as house:
        house.affiant(DESK).observe("later", Input.of({"note": "later"}, source=DESK))
    affiant("security", "watch", "--home", home, "--json")
    for name in ("log.db-wal", "log.db-shm"):
        (home / name).unlink(missing_ok=True)
    (home / "log.db").write_bytes(older)
    done = affiant("security", "watch", "--home", home, "--json")
    assert done.code != 0
    assert "rollback" in {event.get("detector") for event in events(done)}
