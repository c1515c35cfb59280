"""Claims about the `affiant` command when what it is given is good."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from affiant.apps.wiring import open_house
from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.encoding import b64url, from_b64url, jcs_decode, jcs_encode, to_hex

from .command import Done, Run, process
from .conftest import Told

pytestmark = pytest.mark.integration


def orders(done: Done) -> list[dict[str, Any]]:
    """Return the orders that were told as JSON."""
    return [step for step in done.told["steps"] if step["step"] == "order"]


def test_the_story_holds(told: Told) -> None:
    """The demo exits 0, orders for 24 periods, fails every forgery, and its audit finds nothing."""
    told.first.held()
    text = told.first.out
    assert text.count("ordered ") == 24
    assert text.count(": caught, ") == 3
    assert text.count("refused by the contract") == 3
    assert "0 findings, independent witnesses: 0" in text
    assert "✗" not in text


def test_a_second_run_orders_nothing_twice(told: Told) -> None:
    """The same command again exits 0 and tells the same orders, of the same transactions."""
    told.second.held()
    assert told.second.told["good"] is True
    again = orders(told.second)
    assert len(again) == 24
    for step in again:
        assert step["text"] in told.first.out
    with open_house(told.home) as house:
        mandate = bytes.fromhex(told.second.told["steps"][0]["mandate"][2:])
        done = [to_hex(execution.transaction) for execution in house.ledger.executions(mandate)]
    assert done == [step["transaction"] for step in again]


def test_json_tells_what_the_text_tells(told: Told) -> None:
    """With --json the same steps are told, each with its facts, and nothing else is printed."""
    steps = told.second.told["steps"]
    assert {step["step"] for step in steps} == {
        "grant",
        "order",
        "cost",
        "attempt",
        "forgery",
        "audit",
    }
    for step in steps:
        if step["step"] in ("grant", "order", "cost", "attempt"):
            assert step["text"] in told.first.out
    assert [step["findings"] for step in steps if step["step"] == "audit"] == [[]]


def test_audit_of_everything(told: Told, affiant: Run) -> None:
    """An audit of the whole house exits 0, as text and as JSON, with the same counts."""
    text = affiant("audit", "--home", told.home)
    text.held()
    report = affiant("audit", "--home", told.home, "--json")
    report.held()
    assert report.told["good"] is True
    assert report.told["findings"] == []
    assert report.told["independentWitnesses"] == 0
    open_, checks = len(report.told["notChecked"]), report.told["checks"]
    assert f"{checks - open_} checks hold, 0 findings, {open_} not checked" in text.out


@pytest.mark.parametrize("kind", ["transaction", "decision", "agent"])
def test_audit_by_name(told: Told, affiant: Run, kind: str) -> None:
    """An audit by transaction, statement or agent shows that decision and what it rests on."""
    order = orders(told.second)[5]
    grant = told.second.told["steps"][0]
    name = grant["agent"] if kind == "agent" else order[kind]
    done = affiant("audit", name, "--home", told.home, "--json")
    done.held()
    tree = json.dumps(done.told["tree"])
    assert order["decision"] in tree
    assert order["transaction"] in tree
    decisions = sum("decision 0x" in node["title"] for node in done.told["tree"])
    assert (decisions >= 24) if kind == "agent" else (decisions == 1)
    mixed = affiant("audit", name.upper().replace("0X", "0x"), "--home", told.home, "--json")
    assert mixed.told == done.told


def test_replay(told: Told, affiant: Run) -> None:
    """A replay runs every decision's model again, and each answers as it did."""
    done = affiant("audit", "--replay", "--home", told.home, "--json")
    done.held()
    checks = [check for node in done.told["tree"] for check in _checks(node)]
    replays = [check for check in checks if check["check"] == "decision.replay"]
    assert len(replays) >= 24
    assert all(check["good"] for check in replays)


def _checks(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [*node["checks"], *(c for child in node["children"] for c in _checks(child))]


def test_an_export_is_verified_offline(told: Told, affiant: Run, tmp_path: Path) -> None:
    """A bundle of one transaction holds by itself; it says what only a chain can tell."""
    path = tmp_path / "one.bundle"
    transaction = orders(told.second)[3]["transaction"]
    done = affiant("audit", transaction, "--export", path, "--home", told.home)
    done.held()
    assert str(path) in done.out
    offline = process("verify", path)
    offline.held()
    assert "offline" in offline.out
    assert "needs the chain" in offline.out
    report = affiant("verify", path, "--json")
    report.held()
    assert report.told["good"] is True
    assert report.told["ledger"] is None
    assert list(tmp_path.iterdir()) == [path]


def test_the_storys_bundle_holds(told: Told, affiant: Run) -> None:
    """The bundle that the demo leaves in the home verifies, also against the log's own id."""
    report = affiant("verify", told.home / "demo.bundle", "--json")
    report.held()
    affiant("verify", told.home / "demo.bundle", "--log-id", report.told["logId"]).held()
    other = affiant("verify", told.home / "demo.bundle", "--log-id", "0x" + "00" * 32)
    assert other.code == 1
    assert "FINDING log.id" in other.out


def _first(bundle: dict[str, Any], kind: str) -> str:
    for index, text in sorted(bundle["statements"].items(), key=lambda item: int(item[0])):
        if kind.encode() in from_b64url(text):
            return str(index)
    raise AssertionError(kind)


def _flip_statement(bundle: dict[str, Any]) -> None:
    index = _first(bundle, bodies.DECISION)
    data = bytearray(from_b64url(bundle["statements"][index]))
    data[-100] ^= 1  # inside the payload: another body digest
    bundle["statements"][index] = b64url(bytes(data))


def _change_body(bundle: dict[str, Any]) -> None:
    for digest, text in bundle["bodies"].items():
        if b'"quantity":' in from_b64url(text):
            changed = from_b64url(text).replace(b'"quantity":', b'"quantity":1', 1)
            bundle["bodies"][digest] = b64url(changed)
            return


def _change_data(bundle: dict[str, Any]) -> None:
    kept = bundle["data"][min(bundle["data"])]
    kept["data"] = b64url(from_b64url(kept["data"]) + b" ")


def _drop_entry(bundle: dict[str, Any]) -> None:
    del bundle["statements"][_first(bundle, bodies.DECISION)]


def _change_anchor(bundle: dict[str, Any]) -> None:
    bundle["chain"]["anchors"][0]["root"] = "0x" + "00" * 32


def _invent_execution(bundle: dict[str, Any]) -> None:
    grant = next(iter(bundle["chain"]["mandates"].values()))
    grant["executions"].append({**grant["executions"][0], "decision": "0x" + "11" * 32})


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a byte of a statement": (_flip_statement, "statement.signature"),
    "a body": (_change_body, "statement.body"),
    "observed data": (_change_data, "observation.data"),
    "a decision left out": (_drop_entry, "mandate.on-the-record"),
    "an anchor": (_change_anchor, "log.anchored"),
    "an execution invented": (_invent_execution, "mandate.on-the-record"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_bundle_is_named(told: Told, affiant: Run, tmp_path: Path, what: str) -> None:
    """A bundle with something changed exits 1, and the finding names what."""
    change, finding = TAMPERED[what]
    bundle = jcs_decode((told.home / "demo.bundle").read_bytes())
    change(bundle)
    path = tmp_path / "tampered.bundle"
    path.write_bytes(jcs_encode(bundle))
    done = affiant("verify", path)
    assert done.code == 1, done
    assert f"FINDING {finding}" in done.out
    assert "DOES NOT HOLD" in done.out
    report = affiant("verify", path, "--json")
    assert report.code == 1
    assert finding in {check["check"] for check in report.told["findings"]}


def flip_entry(home: Path) -> bytes:
    """Flip a byte of the first decision in a home's log; return the decision as it was."""
    with closing(sqlite3.connect(home / "log.db")) as database, database:
        query = "SELECT idx, entry FROM entries WHERE kind = ? ORDER BY idx LIMIT 1"
        index, entry = database.execute(query, (bodies.DECISION,)).fetchone()
        changed = bytearray(entry)
        changed[-100] ^= 1
        database.execute("UPDATE entries SET entry = ? WHERE idx = ?", (bytes(changed), index))
    return bytes(entry)


def test_audit_of_a_log_with_a_flipped_byte(small: Path) -> None:
    """An audit of a home whose log lost a bit exits 1 and names the statement's signature."""
    flip_entry(small)
    done = process("audit", "--home", small)
    assert done.code == 1, done
    assert "FINDING statement.signature" in done.out
    assert done.err == ""


@pytest.mark.parametrize("kind", ["decision", "agent", "transaction"])
def test_audit_by_name_of_a_log_with_a_flipped_byte(small: Path, affiant: Run, kind: str) -> None:
    """Also asked by name, an audit that meets the damage does not say that all is well."""
    with open_house(small) as house:
        agent = house.key("buyer").address
        mandate = next(iter(_mandates(small)))
        transaction = house.ledger.executions(mandate)[0].transaction
    leaf = statement.decode(flip_entry(small)).verify().leaf
    names = {"decision": leaf, "agent": agent, "transaction": transaction}
    done = affiant("audit", to_hex(names[kind]), "--home", small)
    assert done.code in (1, 2), done
    assert "Traceback" not in done.err


def _mandates(home: Path) -> set[bytes]:
    with closing(sqlite3.connect(home / "log.db")) as database:
        rows = database.execute("SELECT body FROM bodies").fetchall()
    contents = [jcs_decode(bytes(body))["content"] for (body,) in rows]
    return {bytes.fromhex(c["mandate"][2:]) for c in contents if "mandate" in c}


def test_demo_on_a_log_with_a_flipped_byte(small: Path, affiant: Run) -> None:
    """On a damaged log the demo does not say that all is well."""
    flip_entry(small)
    done = affiant("demo", "--home", small, "--periods", "2")
    assert done.code in (1, 2), done
    assert "Traceback" not in done.err


def test_demo_does_not_write_on_a_log_with_a_flipped_byte(small: Path, affiant: Run) -> None:
    """A log that lost a bit is refused with exit code 2 before anything is added to it."""
    flip_entry(small)
    before = _size(small)
    done = affiant("demo", "--home", small, "--periods", "2")
    assert _size(small) == before
    done.refused()


def _size(home: Path) -> int:
    with closing(sqlite3.connect(home / "log.db")) as database:
        return int(database.execute("SELECT count(*) FROM entries").fetchone()[0])


def sales(path: Path, items: dict[str, list[tuple[str, float]]]) -> Path:
    """Write a sales file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "period", "quantity"])
        writer.writerows((i, *row) for i, rows in items.items() for row in rows)
    return path


def months(count: int, base: int = 100) -> list[tuple[str, float]]:
    """Return that many months of sales."""
    return [(f"{2020 + n // 12}-{n % 12 + 1:02}", base + n % 12) for n in range(count)]


def weeks(count: int) -> list[tuple[str, float]]:
    """Return that many weeks of sales; no year here has a 53rd."""
    return [(f"{2021 + n // 52}-W{n % 52 + 1:02}", 40 + n % 7) for n in range(count)]


def test_several_items_are_ordered_for(small: Path, affiant: Run, tmp_path: Path) -> None:
    """A file with two items gives an order per item and period, in a file, each with its proof."""
    path = sales(tmp_path / "sales.csv", {"bolt": months(30), "nut": months(28, 900)})
    target = tmp_path / "mine.csv"
    arguments = ["demo", "--home", small, "--sales", path, "--orders", target, "--periods", "3"]
    affiant(*arguments).held()
    rows = list(csv.DictReader(target.open()))
    assert [row["item"] for row in rows] == ["bolt"] * 3 + ["nut"] * 3
    assert [row["period"] for row in rows[:3]] == ["2022-04", "2022-05", "2022-06"]
    assert all(int(row["quantity"]) > 0 and row["transaction"] for row in rows)
    before = target.read_bytes()
    affiant(*arguments).held()
    assert target.read_bytes() == before
    affiant("audit", rows[-1]["transaction"], "--replay", "--home", small).held()


def test_weeks_are_ordered_for(small: Path, affiant: Run, tmp_path: Path) -> None:
    """A file of ISO weeks works as one of months does."""
    path = sales(tmp_path / "sales.csv", {"bolt": weeks(120)})
    target = tmp_path / "orders.csv"
    affiant("demo", "--home", small, "--sales", path, "--orders", target, "--periods", "2").held()
    rows = list(csv.DictReader(target.open()))
    assert [row["period"] for row in rows] == ["2023-W15", "2023-W16"]


def test_an_item_that_nobody_wants_is_not_ordered(
    small: Path, affiant: Run, tmp_path: Path
) -> None:
    """Where nothing was ever sold nothing is ordered, under oath, and the story goes on."""
    path = sales(tmp_path / "sales.csv", {"dust": [(p, 0) for p, _ in months(30)]})
    target = tmp_path / "orders.csv"
    affiant("demo", "--home", small, "--sales", path, "--orders", target, "--periods", "2").held()
    assert [row["quantity"] for row in csv.DictReader(target.open())] == ["0", "0"]


def test_status(told: Told, affiant: Run) -> None:
    """The chain's status tells the same in text and in JSON, and changes nothing."""
    done = affiant("chain", "status", "--home", told.home, "--json")
    done.held()
    assert done.told["chainId"] == 31337
    assert done.told["anchors"] > 24
    text = affiant("chain", "status", "--home", told.home)
    for value in done.told.values():
        assert str(value) in text.out


def test_homes_do_not_know_each_other(small_home: Path, small: Path, affiant: Run) -> None:
    """A home can be copied; what a copy does leaves the other as it was."""
    before = _size(small_home)
    affiant("demo", "--home", small, "--periods", "2").held()
    assert _size(small) > before == _size(small_home)
