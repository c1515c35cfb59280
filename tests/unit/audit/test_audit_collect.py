"""Collecting: a target brings all that it rests on, and nothing of that name is an error."""

from __future__ import annotations

import pytest

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import AffiantError, InputError
from affiant.kernel.receipt import split_transparent
from affiant.testing import memory_database, memory_log
from shop import STRANGER, Shop, findings


@pytest.fixture
def busy() -> Shop:
    """Return a shop with three jobs behind it: two payments and a doubt."""
    shop = Shop()
    shop.pay("one", 100)
    shop.pay("two", 200)
    shop.pay("three", 0)
    return shop


def kinds(bundle: Bundle) -> list[str]:
    """Return the kinds of a bundle's statements, in order of the log."""
    entries = [split_transparent(bundle.statements[i])[0] for i in sorted(bundle.statements)]
    return [statement.decode(entry).verify().kind.split("/")[1] for entry in entries]


ONE = ["policy", "key", "model", "observation", "decision", "outcome"]


def test_without_target_all_is_collected(busy: Shop) -> None:
    """The whole bundle holds every entry, body and datum, and every anchor."""
    bundle = busy.bundle()
    assert len(bundle.statements) == busy.log.head().size
    assert bundle.chain["whole"] is True
    assert len(bundle.chain["anchors"]) == len(busy.ledger.anchored(busy.log.policy.log_id))
    assert len(bundle.data) == 3


@pytest.mark.parametrize("upper", [False, True])
def test_a_transaction_brings_its_job(busy: Shop, *, upper: bool) -> None:
    """A transaction's bundle holds its decision, inputs, model and outcome, and no other job."""
    done = busy.ledger.executions(busy.mandate)[1]
    target = to_hex(done.transaction)
    bundle = busy.bundle("0x" + target[2:].upper() if upper else target)
    assert kinds(bundle) == ONE
    assert bundle.chain["whole"] is False
    (grant,) = bundle.chain["mandates"].values()
    assert [e["decision"] for e in grant["executions"]] == [to_hex(done.leaf)]
    assert findings(busy.audit(bundle, models=busy.models())) == set()
    assert busy.audit(bundle).open() == []


@pytest.mark.parametrize("kind", ["decision", "outcome"])
def test_a_statement_brings_its_job(busy: Shop, kind: str) -> None:
    """Decision and outcome bring each other, by lineage and by subject."""
    told = next(told for told in busy.told() if told.kind == f"affiant/{kind}/v1")
    bundle = busy.bundle(to_hex(told.leaf))
    assert kinds(bundle) == ONE
    assert busy.audit(bundle).good


def test_an_observation_brings_itself(busy: Shop) -> None:
    """An observation rests on nothing."""
    told = next(told for told in busy.told() if told.kind == bodies.OBSERVATION)
    assert kinds(busy.bundle(to_hex(told.leaf))) == ["policy", "key", "observation"]


def test_an_agent_brings_all_its_answers(busy: Shop) -> None:
    """An agent's bundle holds its decisions and refusals with all that belongs to them."""
    bundle = busy.bundle(to_hex(busy.key.address))
    assert kinds(bundle).count("decision") == 2
    assert kinds(bundle).count("refusal") == 1
    assert len(bundle.statements) == busy.log.head().size
    assert findings(busy.audit(bundle, models=busy.models())) == set()


@pytest.mark.parametrize(
    "target",
    [to_hex(STRANGER.address), to_hex(sha256(b"none")), "0x", "0x00", "job", "", "0xzz", "0x123"],
)
def test_an_unknown_target_is_an_error(busy: Shop, target: str) -> None:
    """What names nothing here is refused with what can be named."""
    with pytest.raises(InputError):
        busy.bundle(target)


def test_a_transaction_of_no_decision_is_unknown(busy: Shop) -> None:
    """An anchor's transaction is on chain, but no statement belongs to it."""
    anchored = busy.ledger.anchored(busy.log.policy.log_id)[0]
    with pytest.raises(InputError):
        busy.bundle(to_hex(anchored.transaction))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"content":5}',
        b'"x"',
        b"[1]",
        b"\xff",
        b"{ }",
    ],
)
def test_a_damaged_body_is_found_in_the_bundle_of_its_job(damage: bytes) -> None:
    """Whatever a body was swapped for, the audit of the transaction names it."""
    shop, database = Shop(), memory_database()
    shop.log = memory_log(shop.clock, database=database)
    act = shop.pay()
    assert act.execution is not None
    database.execute("UPDATE bodies SET body = ? WHERE digest = ?", (damage, act.decision.body))
    bundle = shop.bundle(to_hex(act.execution.transaction))
    assert "statement.body" in findings(shop.audit(bundle))


@pytest.mark.parametrize("live", [True, False])
def test_a_damaged_entry_is_found_in_the_bundle_of_its_job(*, live: bool) -> None:
    """An entry that cannot be read any more is named by the audit of its transaction."""
    shop, database = Shop(), memory_database()
    shop.log = memory_log(shop.clock, database=database)
    act = shop.pay()
    assert act.execution is not None
    cut = act.decision.entry[:-1]
    database.execute("UPDATE entries SET entry = ? WHERE leaf = ?", (cut, act.decision.leaf))
    bundle = shop.bundle(to_hex(act.execution.transaction))
    assert "statement.encoding" in findings(shop.audit(bundle, live=live))


def test_a_lost_entry_is_an_error_with_a_remedy(busy: Shop) -> None:
    """A row that is gone is named, for nothing can stand in its place."""
    database = busy.log._storage._db
    database.execute("DELETE FROM entries WHERE idx = 4")
    with pytest.raises(AffiantError, match="lost a row"):
        busy.bundle()
