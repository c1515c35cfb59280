"""Claims about the embedded chain: durable, the same after a replay, and not to be forged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from web3.types import RPCEndpoint

from affiant.apps.database import open_database
from affiant.chain import install
from affiant.chain.embedded import EmbeddedChain
from affiant.chain.journal import Genesis, Journal
from affiant.chain.provider import ALLOWED
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import AffiantError, IntegrityError, LedgerError, SetupError

from .engine import (
    CHAIN_ID,
    SENDER,
    START,
    HandClock,
    Opened,
    anvil,
    anvils,
    chain_hash,
    opened,
    signed,
)
from .processes import answers, family, gone, kill, limit, taken_port

pytestmark = pytest.mark.integration


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return where a new journal may be."""
    return tmp_path / "chain.db"


def edit(path: Path, statement: str, *values: object) -> None:
    """Change a journal that nobody has open."""
    database = sqlite3.connect(path)
    with database:
        database.execute(statement, values)
    database.close()


def test_a_replay_gives_the_same_head(journal: Path) -> None:
    """After closing and opening again, head, state and receipts are the same, and it goes on."""
    clock = HandClock()
    with opened(journal, clock) as chain:
        for nonce in range(5):
            clock.time += nonce  # two blocks in one second, too
            chain.acknowledged(nonce)
        head, receipts = chain.head(), [chain.receipt(sent) for sent in chain.sent]
    clock.time += 7 * 86_400
    with opened(journal, clock) as again:
        assert again.head() == head
        assert [again.receipt(sent) for sent in chain.sent] == receipts
        again.acknowledged(5)
        assert again.head()[0] == head[0] + 1


def test_nothing_is_left_after_a_normal_end_and_after_an_error(journal: Path) -> None:
    """No engine process stays behind, and nobody listens on its port, however the user ends."""
    with opened(journal) as chain:
        engine, url = chain.engine, chain.chain._engine.url
        assert chain.anvil in engine
    assert gone(engine)
    assert not answers(url)
    with contextlib.suppress(RuntimeError), opened(journal) as chain:
        engine, url = chain.engine, chain.chain._engine.url
        raise RuntimeError
    assert gone(engine)
    assert not answers(url)


def test_nothing_is_left_if_the_watching_shell_is_killed(journal: Path) -> None:
    """Whoever kills the shell between us and the engine leaves no engine behind once we close."""
    with opened(journal) as chain:
        pid, (shell, *_) = chain.anvil, chain.engine
        kill(shell)
    try:
        assert gone([pid], 1)
    finally:
        kill(pid)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE blocks SET time = time + 1 WHERE number = 2",
        "UPDATE blocks SET hash = zeroblob(32) WHERE number = 2",
        "UPDATE genesis SET time = time - 1",
        "UPDATE genesis SET chain_id = 1",
        "DELETE FROM transactions WHERE block = 2",
    ],
    ids=["time", "hash", "genesis", "chain id", "transaction dropped"],
)
def test_a_journal_that_mines_differently_is_refused(journal: Path, change: str) -> None:
    """Whatever was edited in the journal, a block that hashes differently stops the opening."""
    with opened(journal) as chain:
        for nonce in range(3):
            chain.acknowledged(nonce)
    edit(journal, "PRAGMA foreign_keys = OFF")
    edit(journal, change)
    with pytest.raises(IntegrityError), opened(journal):
        pass


def test_an_edited_transaction_is_refused(journal: Path) -> None:
    """Another transaction of the same sender in a block's place is found by the block's hash."""
    with opened(journal) as chain:
        for nonce in range(3):
            chain.acknowledged(nonce)
    other = bytes.fromhex(signed(1, to=b"\x33" * 20)[2:])
    edit(journal, "UPDATE transactions SET raw = ? WHERE block = 2", other)
    with pytest.raises(IntegrityError, match="block 2"), opened(journal):
        pass


def test_a_refused_journal_leaves_no_engine(journal: Path) -> None:
    """A chain that refuses to open has ended the engine it started."""
    with opened(journal) as chain:
        chain.acknowledged(0)
    edit(journal, "UPDATE blocks SET time = time + 1")
    before = set(anvils(family(os.getpid())))
    with pytest.raises(IntegrityError), opened(journal):
        pass
    assert set(anvils(family(os.getpid()))) <= before


def test_a_journalled_block_is_mined_on_start(journal: Path) -> None:
    """A block that was written down but not mined when everything stopped is mined on start."""
    with opened(journal) as chain:
        chain.acknowledged(0)
    database = open_database(journal)
    with database:
        when = database.execute("SELECT max(time) + 3 FROM blocks").fetchone()[0]
        database.execute("INSERT INTO blocks VALUES (2, ?, NULL)", (when,))
        raw = bytes.fromhex(signed(1)[2:])
        database.execute("INSERT INTO transactions VALUES (2, 0, ?)", (raw,))
    database.close()
    with opened(journal) as chain:
        number, head, _ = chain.head()
        assert (number, chain.nonce()) == (2, 2)
        assert chain.journal.blocks()[1].hash == bytes.fromhex(head[2:])
        chain.acknowledged(2)
    with opened(journal) as chain:
        assert chain.head()[0] == 3


def test_a_mined_but_unacknowledged_block_is_found_again(journal: Path) -> None:
    """If only the acknowledgement was lost, the block mined on start is the one that was mined."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        head = chain.head()
    edit(journal, "UPDATE blocks SET hash = NULL")
    with opened(journal) as chain:
        assert chain.head() == head


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"nonce": 9}, "nonce too high"),
        ({"nonce": 0}, "nonce too low"),
        ({"value": 1}, "nsufficient funds"),
        ({"gas": 20_000}, "gas too low"),
        ({"gas": 40_000_000}, "gas"),
        ({"chainId": 1}, "chain id"),
        ({"maxFeePerGas": 10}, "nsufficient funds"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_refused_transaction_is_reported_and_the_chain_goes_on(
    journal: Path, fields: dict[str, int], told: str
) -> None:
    """What the engine does not mine is an error with its reason; the chain goes on."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        answer = chain.send(**{"nonce": 1, **fields})
        assert told in answer["error"]["message"]
        chain.acknowledged(1)
        head = chain.head()
    with opened(journal) as chain:
        assert chain.head() == head
        assert "error" in chain.send(**{"nonce": 2, **fields})
        chain.acknowledged(2)


def test_a_refused_transaction_is_not_remembered_for_later(journal: Path) -> None:
    """A transaction reported as not mined is not mined after all when its nonce comes up."""
    with opened(journal) as chain:
        assert "error" in chain.send(1)
        chain.acknowledged(0)
        assert chain.nonce() == 1
    with opened(journal) as chain:
        assert chain.nonce() == 1


@pytest.mark.parametrize("raw", ["0x", "0x0102", "0x" + "ff" * 99])
def test_junk_for_a_transaction_is_refused(journal: Path, raw: str) -> None:
    """Bytes that are no transaction are refused and leave no block."""
    with opened(journal) as chain:
        assert "error" in chain.chain.make_request(RPCEndpoint("eth_sendRawTransaction"), [raw])
        assert chain.head()[0] == 0


@pytest.mark.parametrize(
    "method",
    [
        "anvil_setBalance",
        "anvil_setStorageAt",
        "anvil_setCode",
        "anvil_setNonce",
        "anvil_impersonateAccount",
        "anvil_dropAllTransactions",
        "anvil_reset",
        "anvil_loadState",
        "anvil_nodeInfo",
        "hardhat_impersonateAccount",
        "hardhat_setBalance",
        "hardhat_setStorageAt",
        "tenderly_setBalance",
        "evm_mine",
        "evm_setNextBlockTimestamp",
        "evm_increaseTime",
        "evm_snapshot",
        "evm_revert",
        "eth_sendTransaction",
        "eth_sendUnsignedTransaction",
        "eth_sign",
        "eth_accounts",
        "personal_unlockAccount",
        "debug_traceTransaction",
        "txpool_content",
        "Eth_call",
        "eth_call ",
        "",
    ],
)
def test_methods_that_forge_state_are_refused(method: str, embedded: Opened) -> None:
    """Behind the provider there is no method that writes state, moves time or acts for others."""
    with pytest.raises(LedgerError, match="not allowed"):
        embedded.chain.make_request(RPCEndpoint(method), [to_hex(SENDER.address), "0xff"])
    assert method not in ALLOWED


def test_a_stale_chain_comes_back_to_the_present(journal: Path) -> None:
    """A chain reopened days later estimates, and mines, at the time that it is now."""
    clock = HandClock()
    with opened(journal, clock) as chain:
        chain.acknowledged(0)
    clock.time += 30 * 86_400
    with opened(journal, clock) as chain:
        assert int(chain.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16) < clock.time
        chain.ask("eth_estimateGas", {"from": to_hex(SENDER.address), "to": "0x" + "22" * 20})
        pending = chain.ask("eth_getBlockByNumber", "pending", False)
        assert int(pending["timestamp"], 16) == clock.time
        assert chain.chain.number == 1  # asking mines nothing
        chain.acknowledged(1)
        block = chain.ask("eth_getBlockByNumber", "latest", False)
        assert int(block["timestamp"], 16) == clock.time
        clock.time -= 86_400  # a clock set back moves no block back
        chain.acknowledged(2)
        block = chain.ask("eth_getBlockByNumber", "latest", False)
        assert int(block["timestamp"], 16) == clock.time + 86_400
        head = chain.head()
    with opened(journal, clock) as chain:
        assert chain.head() == head


def test_a_taken_port_is_told_at_once(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody has is an error that says so when the engine says so."""
    monkeypatch.setattr("affiant.chain.anvil._START_SECONDS", 1)
    with taken_port() as port, closing(open_database(journal)) as database:
        fresh = Journal(database, Genesis(CHAIN_ID, START, install.ANVIL_VERSION))
        with limit(0.9), pytest.raises(SetupError, match=f"port {port}.*in use"):
            EmbeddedChain(anvil(), fresh, HandClock(), port)


def test_the_engine_dying_is_told(journal: Path) -> None:
    """With the engine gone a transaction is refused; opened again, the chain is whole."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        kill(chain.anvil)
        with pytest.raises(LedgerError):
            chain.send(1)
    with opened(journal) as chain:
        assert chain.receipt(chain_hash(0)) is not None
        chain.acknowledged(chain.nonce())


def test_the_engine_dying_is_told_every_time(journal: Path) -> None:
    """With the engine gone, each further transaction is refused in the same way as the first."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        kill(chain.anvil)
        for _ in range(2):
            with pytest.raises(AffiantError):
                chain.send(1)


def test_a_stranger_on_the_engine_cannot_spoil_the_journal(journal: Path) -> None:
    """Whatever another process sends to the engine, what was acknowledged is never lost."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        chain.cheat("eth_sendRawTransaction", signed(1))
        for nonce in (2, 3):
            try:
                chain.acknowledged(nonce)
            except (AffiantError, AssertionError):
                continue
    with opened(journal) as again:
        assert all(again.receipt(sent) is not None for sent in chain.sent)


def test_a_chain_that_somebody_else_mined_on_takes_nothing_more(journal: Path) -> None:
    """Once the engine is ahead of the journal nothing is acknowledged that a restart would lose."""
    with opened(journal) as chain:
        chain.acknowledged(0)
        chain.cheat("evm_mine")
        with pytest.raises(IntegrityError):
            chain.send(1)
        for nonce in (1, 2):
            try:
                chain.acknowledged(nonce)
            except (AffiantError, AssertionError):
                continue
    with opened(journal) as again:
        assert all(again.receipt(sent) is not None for sent in chain.sent)


@pytest.mark.parametrize("junk", [["0xzz"], [], [None]], ids=repr)
def test_junk_parameters_are_refused(embedded: Opened, junk: list[object]) -> None:
    """A call that holds no raw transaction is refused with an error of ours, or of the protocol."""
    with contextlib.suppress(AffiantError):
        answer = embedded.chain.make_request(RPCEndpoint("eth_sendRawTransaction"), junk)
        assert "error" in answer
