"""What somebody might try, on a log on disk, a bundle in hand or the ledger: each fails by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affiant.audit.collect import collect
from affiant.audit.findings import Report
from affiant.audit.walk import audit
from affiant.kernel import body as bodies
from affiant.kernel import merkle, receipt, statement
from affiant.kernel.body import CORE_KINDS
from affiant.kernel.checkpoint import Checkpoint, sign_note
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import CallReverted, IntegrityError, RegistrationRefused
from affiant.kernel.house import Act
from affiant.kernel.identity import Ed25519Key
from affiant.kernel.ports import LogView
from affiant.kernel.receipt import Receipt
from affiant.log.reader import LogReader
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage
from affiant.testing import LedgerSimulator, MemoryArchive, memory_log
from shop import LIFE, STRANGER, Scribe, Shop, findings

THIEF = Ed25519Key(sha256(b"a thief's key for notes"))
DECISION = 4


class Disk:
    """A shop whose log is a file that a payment and a doubt have left behind."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "log.db"
        self.shop = Shop()
        database = self.open()
        self.shop.log = memory_log(self.shop.clock, database=database)
        self.act: Act = self.shop.pay()
        self.shop.pay("doubted", 0)
        self.shop.ledger.anchor(self.shop.log)
        database.close()

    def open(self) -> sqlite3.Connection:
        """Open the file as it is now."""
        return sqlite3.connect(self.path, isolation_level=None)

    def edit(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        """Change the file by SQL."""
        database = self.open()
        for sql in statements:
            database.execute(sql, values)
        database.close()

    def flip(self, old: bytes, at: int) -> None:
        """Change one bit of some bytes wherever they stand in the file."""
        data = self.path.read_bytes()
        new = bytearray(old)
        new[at] ^= 1
        assert data.count(old) == 1
        self.path.write_bytes(data.replace(old, bytes(new)))

    def view(self) -> LogView:
        """Open the log as an audit does."""
        return LogReader.open(Storage(self.open()))

    def audit(self, view: LogView | None = None) -> Report:
        """Audit the log on disk against the chain."""
        shop = self.shop
        bundle = collect(view or self.view(), shop.ledger, shop.archive)
        return audit(bundle, CORE_KINDS, ledger=shop.ledger.name)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """Return a log on disk."""
    return Disk(tmp_path)


@contextmanager
def refused(rule: str) -> Iterator[None]:
    """Expect the contract to refuse by this rule."""
    with pytest.raises(CallReverted) as caught:
        yield
    assert caught.value.error == rule


def test_the_untouched_log_holds(disk: Disk) -> None:
    """Before anybody touches it, the log on disk holds against the chain."""
    assert disk.audit().findings() == []


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0, "statement.encoding"),  # the tag
        (3, "statement.encoding"),  # the header's length
        (30, "statement.encoding"),  # the issuer's kid
        (-100, "statement.signature"),  # the body's digest
        (-1, "statement.signature"),  # the signature
    ],
)
def test_flip_a_byte_of_an_entry(disk: Disk, at: int, expected: str) -> None:
    """A bit flipped in an entry on disk fails its encoding or signature, its place and the root."""
    disk.flip(disk.act.decision.entry, at)
    found = findings(disk.audit())
    assert expected in found
    assert {"log.root", "mandate.on-the-record"} <= found


def test_flip_a_byte_of_a_body(disk: Disk) -> None:
    """A bit flipped in a body on disk fails the body's check."""
    disk.flip(b'"reason":"100 are due"', 12)
    assert "statement.body" in findings(disk.audit())


def test_flip_a_node(disk: Disk) -> None:
    """A flipped node makes receipts of other trees, and the log refuses to open for writing."""
    disk.edit("UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0")
    assert "statement.logged" in findings(disk.audit())
    disk.edit("UPDATE nodes SET hash = zeroblob(32) WHERE level = 3 AND idx = 0")
    with pytest.raises(IntegrityError):
        memory_log(disk.shop.clock, database=disk.open())


def test_flip_a_root(disk: Disk) -> None:
    """A flipped root in the newest checkpoint is not the one that was signed."""
    disk.edit("UPDATE checkpoints SET root = zeroblob(32)")
    with pytest.raises(IntegrityError):
        memory_log(disk.shop.clock, database=disk.open())


def test_drop_an_entry_of_the_log(disk: Disk) -> None:
    """An entry taken out of the log on disk is an integrity error of reader and writer."""
    disk.edit("DELETE FROM entries WHERE idx = 4")
    with pytest.raises(IntegrityError, match="lost a row"):
        disk.audit()


def test_drop_a_decision_and_close_the_gap(disk: Disk) -> None:
    """A decision taken out, with all later entries moved down, fails place, root and record."""
    disk.edit(
        "DELETE FROM entries WHERE idx = 4",
        "UPDATE entries SET idx = idx - 1 WHERE idx > 4",
        "INSERT INTO entries SELECT 7, zeroblob(32), entry, kind, subject, issuer "
        "FROM entries WHERE idx = 2",
    )
    found = findings(disk.audit())
    assert {"statement.logged", "log.root", "mandate.on-the-record"} <= found


def test_drop_the_end_of_the_log(disk: Disk) -> None:
    """A log cut back to an earlier checkpoint is shorter than what the chain holds."""
    disk.edit(
        "DELETE FROM checkpoints WHERE size > 5",
        "DELETE FROM entries WHERE idx >= 5",
        "DELETE FROM nodes WHERE (idx + 1) << level > 5",
    )
    found = findings(disk.audit())
    assert "log.anchored" in found
    log = memory_log(disk.shop.clock, database=disk.open())
    with pytest.raises(IntegrityError):
        disk.shop.ledger.anchor(log)


def test_reorder_two_entries(disk: Disk) -> None:
    """Two entries in each other's place are not where the tree has them."""
    disk.edit(
        "UPDATE entries SET idx = 99 WHERE idx = 4",
        "UPDATE entries SET idx = 4 WHERE idx = 5",
        "UPDATE entries SET idx = 5 WHERE idx = 99",
    )
    found = findings(disk.audit())
    assert {"statement.logged", "log.root"} <= found


def test_reorder_so_that_reasons_come_later(shop: Shop, scribe: Scribe, monkeypatch: Any) -> None:
    """A decision logged before its inputs and model fails lineage, inputs and model."""
    monkeypatch.setattr(shop.log._rules, "check", lambda _told, _now: None)
    scribe.register(scribe.decision(), scribe.model, scribe.seen)
    assert {"decision.inputs", "decision.model"} <= findings(shop.audit())


def fork(shop: Shop, leave_out: int) -> Sequencer:
    """Write another history, as long, with the log's own keys: what its operator could do."""
    other, log = memory_log(shop.clock), shop.log
    for index in range(2, log.head().size):
        told = statement.decode(log.entry(index)).verify()
        if index != leave_out:
            other.put_body(log.body(told.body) or b"")
            try:
                other.register(told.entry)
            except RegistrationRefused:
                continue
    scribe = Scribe(shop)
    scribe.log = other
    while other.head().size < log.head().size:
        scribe.register(scribe.observation(b"%d" % other.head().size))
    return other


def test_fork_the_log(shop: Shop) -> None:
    """A second history signed by the log's own keys contradicts what the chain holds."""
    shop.pay()
    shop.pay("doubted", 0)
    shop.ledger.anchor(shop.log)
    forked = fork(shop, DECISION)
    assert forked.head().size == shop.log.head().size
    report = shop.audit(collect(forked, shop.ledger, shop.archive))
    assert {"log.anchored", "mandate.on-the-record"} <= findings(report)
    assert "statement.signature" not in findings(report)


def test_fork_on_the_chain(shop: Shop) -> None:
    """The chain neither takes a fork's extension nor one from peaks it does not hold."""
    shop.pay()
    shop.ledger.anchor(shop.log)
    held = shop.ledger.anchored(shop.log.policy.log_id)[-1].size
    forked = fork(shop, DECISION)
    scribe = Scribe(shop)
    scribe.log = forked
    scribe.register(scribe.observation(b"one"), scribe.observation(b"more"))
    with pytest.raises(IntegrityError):
        shop.ledger.anchor(forked)
    head = forked.head()
    fresh = [forked.node(*place) for place in merkle.peak_places(held, head.size)]
    with refused("WrongHead"):
        peaks = [forked.node(*place) for place in merkle.peak_places(0, held)]
        shop.ledger.extend(forked.policy, peaks, fresh, head)
    with refused("WrongLogSigner"):  # true peaks, and a head over another tree
        peaks = [shop.log.node(*place) for place in merkle.peak_places(0, held)]
        shop.ledger.extend(forked.policy, peaks, fresh, head)


def test_replay_a_decision(shop: Shop) -> None:
    """A decision carried a second time has used its nonce."""
    act = shop.pay()
    bound = Scribe(shop).begin().action(nonce=0)
    seat = shop.ledger.anchor(shop.log)
    with refused("WrongNonce"):
        shop.ledger.execute(bound, act.decision, shop.log, seat)
    assert shop.paid == [100]


@pytest.mark.parametrize("where", ["another mandate", "another chain", "another salt"])
def test_replay_a_decision_elsewhere(shop: Shop, where: str) -> None:
    """A decision for one mandate, chain and salt is nobody's signature on any other."""
    scribe = Scribe(shop).begin()
    bound = scribe.action()
    draft = scribe.decision(bound)
    scribe.register(draft)
    ledger, other = shop.ledger, bound
    if where == "another chain":
        ledger = LedgerSimulator(shop.clock, chain_id=1)
        ledger.targets = shop.ledger.targets
        other = replace(bound, mandate=ledger.grant(shop.ledger.terms(shop.mandate)))
    elif where == "another mandate":
        terms = replace(shop.ledger.terms(shop.mandate), longest_life=LIFE + 1)
        other = replace(bound, mandate=ledger.grant(terms))
    else:
        other = replace(bound, action=replace(bound.action, salt=b"\1" * 32))
    seat = ledger.anchor(shop.log)
    with refused("WrongSigner"):
        ledger.execute(other, draft.statement, shop.log, seat)


def test_replay_a_refusal_as_a_decision(shop: Shop) -> None:
    """A refusal of the same action, by the same key, in the same log, is no decision."""
    scribe = Scribe(shop).begin()
    bound = scribe.action()
    refusal = scribe.refusal(bound)
    scribe.register(refusal)
    seat = shop.ledger.anchor(shop.log)
    with refused("WrongSigner"):
        shop.ledger.execute(bound, refusal.statement, shop.log, seat)


@pytest.mark.parametrize(
    ("seconds", "rule"),
    [(LIFE, None), (LIFE + 1, "DecisionExpired"), (10**7 + 1, "Expired")],
)
def test_expire(shop: Shop, seconds: int, rule: str | None) -> None:
    """A decision runs up to its deadline, not after; and nothing after the mandate's end."""
    scribe = Scribe(shop).begin()
    bound = scribe.action()
    draft = scribe.decision(bound)
    scribe.register(draft)
    seat = shop.ledger.anchor(shop.log)
    shop.clock.advance(seconds)
    if rule is None:
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
        return
    with refused(rule):
        shop.ledger.execute(bound, draft.statement, shop.log, seat)


def test_hoard_a_decision(shop: Shop) -> None:
    """A deadline further from the oath than the terms allow is refused when it is used."""
    scribe = Scribe(shop).begin()
    bound = scribe.action(deadline=shop.clock.now() + LIFE + 1)
    draft = scribe.decision(bound)
    scribe.register(draft)
    seat = shop.ledger.anchor(shop.log)
    with refused("LivesTooLong"):
        shop.ledger.execute(bound, draft.statement, shop.log, seat)


def test_swap_a_body(disk: Disk) -> None:
    """A body swapped for another, well-formed one is not the one sworn to."""
    digest = disk.act.decision.body
    disk.edit(
        "UPDATE bodies SET body = (SELECT body FROM bodies WHERE digest != ?1) WHERE digest = ?1",
        values=(digest,),
    )
    assert "statement.body" in findings(disk.audit())


def test_alter_an_input(disk: Disk) -> None:
    """Data altered after it was sworn to fails its check, and is never acted on."""
    disk.shop.archive._db.execute("UPDATE observed SET data = ?", (b'{"units":1}',))
    assert findings(disk.audit()) == {"observation.data"}


def test_act_by_a_foreign_log(shop: Shop) -> None:
    """A decision in a log that the terms do not name finds no seat, and fails the mandate's log."""
    shop.log = memory_log(shop.clock, name="foreign")
    act = shop.pay()
    assert act.refused == "SeatNotHeld"
    assert shop.paid == []
    assert findings(shop.audit()) == {"mandate.log"}


def test_anchor_a_log_that_another_key_signed(shop: Shop) -> None:
    """A head that the log's own ledger key did not sign is not anchored."""
    Scribe(shop).begin()
    head = shop.log.head()
    fresh = [shop.log.node(*place) for place in merkle.peak_places(0, head.size)]
    digest = Checkpoint(shop.log.policy.origin, head.size, head.root).digest(shop.log.policy.log_id)
    forged = replace(head, signature=STRANGER.sign_digest(digest))
    with refused("WrongLogSigner"):
        shop.ledger.extend(shop.log.policy, [], fresh, forged)


def _forged_receipt(shop: Shop, change: Callable[[Receipt], Receipt]) -> bytes:
    log = shop.log
    true = receipt.decode(log.receipt(DECISION), log.policy.origin, log.key)
    made = change(true).encode(log.policy.origin, log.key)
    return receipt.transparent(log.entry(DECISION), [made])


@pytest.mark.parametrize(
    "change",
    [
        lambda got: replace(got, signature=THIEF.sign(b"root")),
        lambda got: replace(got, index=got.index + 1),
        lambda got: replace(got, size=got.size + 1),
        lambda got: replace(got, path=got.path[:-1]),
        lambda got: replace(got, path=(bytes(32), *got.path[1:])),
        lambda got: replace(got, path=(*got.path, bytes(32))),
    ],
    ids=["signature", "index", "size", "short", "other", "long"],
)
def test_forge_a_receipt(shop: Shop, change: Callable[[Receipt], Receipt]) -> None:
    """A receipt with anything changed puts its statement nowhere."""
    shop.pay()
    bundle = shop.bundle()
    given = {**bundle.statements, DECISION: _forged_receipt(shop, change)}
    report = shop.audit(replace(bundle, statements=given))
    assert {"statement.logged", "mandate.on-the-record"} <= findings(report)


def test_give_no_receipt_or_two(shop: Shop) -> None:
    """A statement needs exactly one receipt."""
    shop.pay()
    bundle, entry = shop.bundle(), shop.log.entry(DECISION)
    twice = receipt.transparent(entry, [shop.log.receipt(DECISION)] * 2)
    for given in (entry, twice):
        forged = replace(bundle, statements={**bundle.statements, DECISION: given})
        assert findings(shop.audit(forged)) & {"statement.logged", "statement.encoding"}


def test_give_an_old_receipt(shop: Shop) -> None:
    """A true receipt of an earlier tree is not one of the checkpoint at hand."""
    shop.pay("one")
    old = receipt.transparent(shop.log.entry(DECISION), [shop.log.receipt(DECISION)])
    shop.pay("two")
    bundle = shop.bundle()
    forged = replace(bundle, statements={**bundle.statements, DECISION: old})
    assert "statement.logged" in findings(shop.audit(forged))


def test_sign_the_bundle_with_another_logs_key(shop: Shop) -> None:
    """Somebody who signs note and receipts with a key of their own is not the log."""
    shop.pay()
    log, head, bundle = shop.log, shop.log.head(), shop.bundle()
    signature = receipt.sign_root(bundle.origin, head.root, THIEF)
    given = {}
    for index in bundle.statements:
        true = receipt.decode(log.receipt(index), bundle.origin, log.key)
        made = replace(true, signature=signature).encode(bundle.origin, THIEF.public)
        given[index] = receipt.transparent(log.entry(index), [made])
    note = sign_note(Checkpoint(bundle.origin, head.size, head.root), THIEF)
    forged = replace(bundle, key=THIEF.public.did, note=note, statements=given)
    assert findings(shop.audit(forged)) == {"log.key"}


def test_claim_an_execution_that_never_was(shop: Shop, scribe: Scribe) -> None:
    """An outcome that swears to an execution the chain does not know is found."""
    decision = scribe.decision()
    claim: dict[str, Any] = {
        "status": "executed",
        "transaction": to_hex(bytes(32)),
        "block": to_hex(bytes(32)),
    }
    scribe.begin().register(decision, scribe.outcome(decision, number=1, **claim))
    assert findings(shop.audit()) == {"decision.outcome"}


def test_deny_an_execution_that_was(shop: Shop, scribe: Scribe) -> None:
    """An outcome that swears to a refusal of what the chain executed is found."""
    bound = scribe.begin().action()
    decision = scribe.decision(bound)
    scribe.register(decision)
    seat = shop.ledger.anchor(shop.log)
    shop.ledger.execute(bound, decision.statement, shop.log, seat)
    scribe.register(scribe.outcome(decision))
    assert findings(shop.audit()) == {"decision.outcome"}


def test_execute_without_a_logged_decision(shop: Shop, scribe: Scribe) -> None:
    """A signed decision that was kept out of the log is in no seat."""
    bound = scribe.begin().action()
    draft = scribe.decision(bound)
    seat = shop.ledger.anchor(shop.log)
    with refused("SeatNotHeld"):
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
    assert shop.paid == []


def test_execute_before_it_is_anchored(shop: Shop, scribe: Scribe) -> None:
    """A logged decision that the chain has not seen anchored does not run yet."""
    seat = shop.ledger.anchor(scribe.begin().log)
    bound = scribe.action()
    draft = scribe.decision(bound)
    scribe.register(draft)
    with refused("SeatNotHeld"):
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
    grown = shop.ledger.anchor(shop.log)
    with refused("SeatNotHeld"):
        shop.ledger.execute(bound, draft.statement, shop.log, replace(grown, count=0))
    assert shop.ledger.execute(bound, draft.statement, shop.log, grown).nonce == 0


def test_sign_for_the_agent(shop: Shop, scribe: Scribe) -> None:
    """A decision by another key, logged and all, is not the agent's."""
    bound = scribe.begin().action()
    draft = scribe.decision(bound, key=STRANGER)
    scribe.register(draft)
    seat = shop.ledger.anchor(shop.log)
    with refused("WrongSigner"):
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
    assert "decision.terms" in findings(shop.audit())


def test_log_two_decisions_for_one_nonce(shop: Shop, scribe: Scribe) -> None:
    """The log takes one open decision for a nonce, and the chain executes one of two ever."""
    first, second = scribe.begin().action(), scribe.action(salt=b"\1" * 32)
    one, two = scribe.decision(first), scribe.decision(second)
    scribe.register(one)
    with pytest.raises(RegistrationRefused, match="decision-open"):
        scribe.register(two)
    shop.ledger.execute(first, one.statement, shop.log, shop.ledger.anchor(shop.log))
    shop.clock.advance(LIFE + 1)
    late = scribe.action(nonce=0, salt=b"\2" * 32)
    again = scribe.decision(late)
    scribe.register(again)
    seat = shop.ledger.anchor(shop.log)
    with refused("WrongNonce"):
        shop.ledger.execute(late, again.statement, shop.log, seat)


def test_call_a_log_by_anothers_name(shop: Shop) -> None:
    """A bundle of one log does not pass for another when it is held to that one's id."""
    shop.pay()
    other = memory_log(shop.clock, name="other")
    report = shop.audit(log_id=other.policy.log_id)
    assert findings(report) == {"log.id"}


def test_policy_and_key_of_another_log(shop: Shop) -> None:
    """A log whose first words are about another log is not this one."""
    shop.pay()
    other = memory_log(shop.clock, name="other")
    bundle = shop.bundle()
    given = {
        index: receipt.transparent(other.entry(index), [other.receipt(index)]) for index in (0, 1)
    }
    told = [statement.decode(other.entry(index)).verify() for index in (0, 1)]
    more = {one.body: other.body(one.body) or b"" for one in told}
    forged = replace(
        bundle,
        statements={**bundle.statements, **given},
        bodies={**bundle.bodies, **more},
    )
    assert {"log.policy", "log.key", "statement.logged"} <= findings(shop.audit(forged))
    assert told[0].kind == bodies.POLICY


@pytest.mark.parametrize("table", ["observed", "entries", "bodies"])
def test_a_cell_of_another_type_is_found(disk: Disk, table: str) -> None:
    """Text where bytes were is found like any other change; SQLite lets every type in."""
    decided = disk.act.decision
    if table == "observed":
        disk.shop.archive._db.execute("UPDATE observed SET data = 'text'")
    if table == "entries":
        disk.edit("UPDATE entries SET entry = 'text' WHERE leaf = ?", values=(decided.leaf,))
    if table == "bodies":
        disk.edit("UPDATE bodies SET body = 'text' WHERE digest = ?", values=(decided.body,))
    try:
        assert not disk.audit().good
    except IntegrityError:
        return


def test_an_input_of_another_type_is_a_sworn_refusal(shop: Shop) -> None:
    """Observed data that is now text is refused as altered, not a crash."""

    class Retyped(MemoryArchive):
        def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
            super().put(subject, salt, data)
            self._db.execute("UPDATE observed SET data = 'text'")

    assert shop.pay(archive=Retyped()).refused == "input-altered"
