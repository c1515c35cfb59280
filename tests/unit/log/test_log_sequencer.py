"""The sequencer: one order, one history, signed once, whatever fails and whenever it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier

import pytest

from affiant.kernel import body as bodies
from affiant.kernel import checkpoint, merkle, receipt
from affiant.kernel.body import CORE_KINDS
from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import AffiantError, IntegrityError, RegistrationRefused, SetupError
from affiant.kernel.identity import Ed25519Key, recover
from affiant.kernel.ports import Draft, Head, LogView
from affiant.log.reader import LogReader
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage
from affiant.testing import FixedClock, fixed_key, memory_database, memory_log
from shop import Scribe, statements

SIZES = range(2, 20)
PLAIN = {"source": "s", "shape": [], "units": "", "kept": "agent"}


@pytest.fixture
def database() -> sqlite3.Connection:
    """Return a database in which a log can be made, broken and opened again."""
    return memory_database()


@pytest.fixture
def log(database: sqlite3.Connection, scribe: Scribe) -> Sequencer:
    """Return a log in that database."""
    return memory_log(scribe.clock, database=database)


def grow(log: Sequencer, scribe: Scribe, size: int) -> list[Draft]:
    """Log observations until the log has that many entries."""
    first = log.head().size
    drafts = [
        scribe.swear(bodies.OBSERVATION, sha256(b"%d" % n), PLAIN) for n in range(first, size)
    ]
    for draft in drafts:
        add(log, draft)
    return drafts


def add(log: Sequencer, draft: Draft) -> None:
    """Log one statement."""
    log.put_body(draft.body)
    log.register(draft.statement.entry)


def dump(database: sqlite3.Connection) -> str:
    """Return everything in a database."""
    return "\n".join(database.iterdump())


@contextmanager
def failing(database: sqlite3.Connection, trigger: str) -> Iterator[None]:
    """Let a write fail, as on a broken disk."""
    database.execute(
        f"CREATE TEMP TRIGGER broken BEFORE INSERT ON {trigger} "
        "BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END"
    )
    with pytest.raises(SetupError, match="the disk is broken"):
        yield
    database.execute("DROP TRIGGER broken")


def test_the_log_swears_policy_and_key_first(log: Sequencer) -> None:
    """A new log has two entries, its policy and its key, both by its own ledger key."""
    policy, key = statements(log)
    assert (policy.kind, policy.subject) == (bodies.POLICY, log.policy.log_id)
    assert (key.kind, key.subject) == (bodies.KEY, log.key.digest)
    assert {policy.issuer, key.issuer} == {fixed_key("log").public}
    assert LogReader.open(log._storage).policy == log.policy
    assert LogReader.open(log._storage).key == log.key


def test_every_entry_has_a_receipt_at_every_size(log: Sequencer, scribe: Scribe) -> None:
    """At each size every entry's receipt verifies and leads to the root that was signed."""
    for size in SIZES:
        grow(log, scribe, size)
        head = log.head()
        for index in range(size):
            got = receipt.decode(log.receipt(index), log.policy.origin, log.key)
            leaf = merkle.leaf_hash(log.entry(index))
            root = receipt.verify(got, leaf, log.policy.origin, log.key)
            assert (got.index, got.size, root) == (index, size, head.root)
            assert log.index_of(leaf) == index


def test_a_head_is_one_checkpoint_in_three_signatures(log: Sequencer, scribe: Scribe) -> None:
    """Note, EIP-712 signature and receipt signature are over the same origin, size and root."""
    grow(log, scribe, 7)
    head = log.head()
    opened = checkpoint.open_note(head.note, log.key)
    assert (opened.origin, opened.size, opened.root) == (log.policy.origin, 7, head.root)
    assert recover(opened.digest(log.policy.log_id), head.signature) == log.policy.signer
    assert head.root == merkle.root_of(log.node, 7)


def test_every_head_extends_every_earlier_one(log: Sequencer, scribe: Scribe) -> None:
    """Between every two heads there is a consistency proof."""
    heads: list[Head] = []
    for size in SIZES:
        grow(log, scribe, size)
        heads.append(log.head())
    for old in heads:
        for new in heads[heads.index(old) :]:
            path = merkle.consistency_path(log.node, old.size, new.size)
            merkle.check_consistency(old.size, new.size, old.root, new.root, path)


def test_a_size_is_signed_once(
    log: Sequencer, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the head is asked for, each size is signed once."""
    signed: list[int] = []
    sign = log._sign

    def counted(size: int, root: bytes) -> Head:
        signed.append(size)
        return sign(size, root)

    monkeypatch.setattr(log, "_sign", counted)
    for size in (2, 3, 5):
        grow(log, scribe, size)
        assert log.head() == log.head()
    assert signed == [2, 3, 5]


def test_opened_again_it_is_the_same_log(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection
) -> None:
    """Reopening neither founds nor signs anything anew, and the log goes on where it was."""
    grow(log, scribe, 6)
    head, before = log.head(), dump(database)
    again = memory_log(scribe.clock, database=database)
    assert again.head() == head
    assert dump(database) == before
    grow(again, scribe, 9)
    path = merkle.consistency_path(again.node, 6, 9)
    merkle.check_consistency(6, 9, head.root, again.head().root, path)


def test_one_entry_at_once_from_many_threads_is_one_entry(log: Sequencer, scribe: Scribe) -> None:
    """Eight threads that register one statement at the same time get one index."""
    draft, start = scribe.observation(b"{}"), Barrier(8)
    log.put_body(draft.body)

    def register(_: int) -> int:
        start.wait()
        return log.register(draft.statement.entry)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(register, range(8))) == {2}
    assert log.head().size == 3


def test_many_entries_at_once_are_one_history(log: Sequencer, scribe: Scribe) -> None:
    """Eight threads that register 64 statements and ask for heads leave one consistent tree."""
    drafts = [scribe.swear(bodies.OBSERVATION, sha256(b"%d" % n), PLAIN) for n in range(64)]

    def register(draft: Draft) -> tuple[int, Head]:
        log.put_body(draft.body)
        return log.register(draft.statement.entry), log.head()

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(register, drafts))
    assert sorted(index for index, _ in done) == list(range(2, 66))
    last = log.head()
    for index, head in done:
        assert head.size > index
        path = merkle.consistency_path(log.node, head.size, last.size)
        merkle.check_consistency(head.size, last.size, head.root, last.root, path)


@pytest.mark.parametrize("table", ["entries", "nodes", "open_decisions", "bodies"])
def test_a_registration_that_fails_leaves_nothing(scribe: Scribe, table: str) -> None:
    """Whichever write fails, the log is as it was, and the same statement can be sent again."""
    scribe.begin()
    database: sqlite3.Connection = scribe.log._storage._db
    draft, before = scribe.decision(), dump(database)
    with failing(database, table):
        scribe.register(draft)
    if table != "bodies":  # the body was handed over before
        database.execute("DELETE FROM bodies WHERE digest = ?", (draft.statement.body,))
    assert dump(database) == before
    assert scribe.register(draft) == 4
    with pytest.raises(RegistrationRefused, match="decision-open"):
        scribe.register(scribe.decision(scribe.action(salt=b"\1" * 32)))


def test_a_checkpoint_that_is_not_kept_is_not_given_out(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection
) -> None:
    """A head whose storing fails is not returned; it is signed again later, the same."""
    grow(log, scribe, 3)
    with failing(database, "checkpoints"):
        log.head()
    assert log.head().size == 3


def test_a_full_disk_is_survived(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection
) -> None:
    """When the disk is full nothing is half done, and with room again the log goes on."""
    grow(log, scribe, 4)
    head = log.head()
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SetupError):
        grow(log, scribe, 200)
    assert not database.in_transaction
    database.execute(f"PRAGMA max_page_count = {10 * pages}")
    held = log._storage.size()
    grow(log, scribe, held + 2)
    path = merkle.consistency_path(log.node, 4, held + 2)
    merkle.check_consistency(4, held + 2, head.root, log.head().root, path)


def test_a_full_disk_is_named(log: Sequencer, scribe: Scribe, database: sqlite3.Connection) -> None:
    """When the disk is full, the error says so."""
    grow(log, scribe, 4)
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SetupError, match="full"):
        grow(log, scribe, 200)


@pytest.mark.parametrize("place", merkle.peak_places(0, 7))
@pytest.mark.parametrize("damage", ["UPDATE nodes SET hash = zeroblob(32)", "DELETE FROM nodes"])
def test_nothing_is_signed_over_a_damaged_tree(
    log: Sequencer,
    scribe: Scribe,
    database: sqlite3.Connection,
    place: tuple[int, int],
    damage: str,
) -> None:
    """A log whose signed tree is damaged neither opens nor signs another head."""
    grow(log, scribe, 7)
    log.head()
    database.execute(f"{damage} WHERE level = ? AND idx = ?", place)
    with pytest.raises(IntegrityError):
        memory_log(scribe.clock, database=database)
    with suppress(IntegrityError):  # it may be noticed already here
        add(log, scribe.observation(b"one more"))
    if log._storage.size() > 7:
        with pytest.raises(IntegrityError):
            log.head()
    (newest,) = database.execute("SELECT max(size) FROM checkpoints").fetchone()
    assert newest == 7


def test_a_log_that_lost_entries_does_not_open(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection
) -> None:
    """Entries cut off behind a signed checkpoint are noticed before anything is signed."""
    grow(log, scribe, 7)
    log.head()
    database.execute("DELETE FROM entries WHERE idx > 4")
    with pytest.raises(IntegrityError):
        memory_log(scribe.clock, database=database)


@pytest.mark.parametrize("size", [5, 6])
def test_nothing_is_signed_over_nodes_that_are_not_their_entries(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection, size: int
) -> None:
    """Damage to what came since the last checkpoint is noticed before it is signed."""
    grow(log, scribe, 4)
    log.head()
    for draft in [scribe.observation(b"1"), scribe.observation(b"2")][: size - 4]:
        add(log, draft)
        database.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 4")
    with pytest.raises(IntegrityError):
        log.head()


def test_the_signer_is_the_one_the_policy_names(log: Sequencer) -> None:
    """A log is not opened with a ledger key that its policy does not name."""
    stranger, key = fixed_key("stranger"), Ed25519Key(sha256(b"notes"))
    with pytest.raises(SetupError):
        Sequencer(log._storage, log.policy, stranger, key, CORE_KINDS, FixedClock())


@pytest.mark.parametrize("what", ["notes key", "origin", "ledger key"])
def test_a_log_is_opened_only_with_what_it_swore_to(
    log: Sequencer, scribe: Scribe, database: sqlite3.Connection, what: str
) -> None:
    """Another notes key, origin or signer than entries 0 and 1 swear to is refused."""
    grow(log, scribe, 5)
    log.head()
    name = "other" if what == "ledger key" else "log"
    origin = "test.example/other" if what == "origin" else log.policy.origin
    notes = b"notes other" if what == "notes key" else b"notes log"
    signer, key = fixed_key(name), Ed25519Key(sha256(b"affiant testing: " + notes))
    policy = LogPolicy(origin, signer.address)
    with pytest.raises(AffiantError):
        Sequencer(Storage(database), policy, signer, key, CORE_KINDS, scribe.clock)


def test_a_crash_while_founding_is_made_good() -> None:
    """A log that was cut off after its policy swears to its key when it is opened again."""
    database, clock = memory_database(), FixedClock()
    Storage(database)
    with failing(database, "entries WHEN NEW.idx = 1"):
        memory_log(clock, database=database)
    log: LogView = memory_log(clock, database=database)
    assert [told.kind for told in statements(log)] == [bodies.POLICY, bodies.KEY]
