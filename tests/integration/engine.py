"""Embedded chains for tests: opened on a file, with a clock that only tests move."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account

from affiant.apps.database import open_database
from affiant.apps.house import ENGINE_FOLDER
from affiant.chain import install
from affiant.chain.embedded import EmbeddedChain
from affiant.chain.journal import Genesis, Journal
from affiant.kernel.encoding import keccak256, to_hex
from affiant.kernel.identity import LedgerKey

from .processes import family, named

CHAIN_ID = 31337
START = 1_790_000_000
SENDER = LedgerKey(b"\x11" * 32)


@dataclass
class HandClock:
    """A clock that moves only when it is told to."""

    time: int = START

    def now(self) -> int:
        """Return seconds since 1970."""
        return self.time


def anvil() -> Path:
    """Return the engine, or skip the test."""
    found = install.anvil_path(ENGINE_FOLDER)
    if found is None:
        pytest.skip("anvil is not installed; run: affiant chain install")
    return found


@dataclass
class Opened:
    """An embedded chain at work."""

    chain: EmbeddedChain
    journal: Journal
    database: sqlite3.Connection
    sent: list[str] = field(default_factory=list)

    @property
    def engine(self) -> list[int]:
        """The processes of the engine: the shell that watches, anvil, and what else it started."""
        shell = self.chain._engine._process.pid
        return [shell, *family(shell)]

    @property
    def anvil(self) -> int:
        """The process id of anvil itself."""
        (pid,) = anvils(self.engine)
        return pid

    def ask(self, method: str, *params: Any) -> Any:
        """Ask through the allow-listed provider."""
        answer = self.chain.make_request(method, list(params))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def cheat(self, method: str, *params: Any) -> Any:
        """Ask the engine behind our back, as another process on this machine could."""
        call: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return requests.post(self.chain._engine.url, json=call, timeout=10).json()

    def send(self, nonce: int, **fields: Any) -> dict[str, Any]:
        """Send a transaction of the test's sender; return the answer."""
        return dict(self.chain.make_request("eth_sendRawTransaction", [signed(nonce, **fields)]))  # type: ignore[arg-type]

    def acknowledged(self, nonce: int) -> str:
        """Send a transaction that must be accepted; return its hash."""
        answer = self.send(nonce)
        assert "error" not in answer, answer
        self.sent.append(answer["result"])
        return str(answer["result"])

    def head(self) -> tuple[int, str, str]:
        """Return number, hash and state root of the newest block."""
        block = self.ask("eth_getBlockByNumber", "latest", False)
        return int(block["number"], 16), block["hash"], block["stateRoot"]

    def nonce(self) -> int:
        """Return the next nonce of the test's sender."""
        return int(self.ask("eth_getTransactionCount", to_hex(SENDER.address), "latest"), 16)

    def receipt(self, transaction: str) -> Any:
        """Return a receipt, or None."""
        return self.ask("eth_getTransactionReceipt", transaction)


def anvils(pids: Iterable[int]) -> list[int]:
    """Return those of these processes that are anvil itself."""
    return [pid for pid in pids if named(pid).endswith("anvil")]


def signed(nonce: int, **fields: Any) -> str:
    """Return a raw transaction of the test's sender."""
    free = {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "value": 0, "gas": 21_000}
    rest = {"type": 2, "chainId": CHAIN_ID, "nonce": nonce, "to": b"\x22" * 20, "data": b""}
    made = Account.from_key(SENDER.secret).sign_transaction({**free, **rest, **fields})
    return to_hex(bytes(made.raw_transaction))


def chain_hash(nonce: int, **fields: Any) -> str:
    """Return the hash of that transaction."""
    return to_hex(keccak256(bytes.fromhex(signed(nonce, **fields)[2:])))


@contextmanager
def opened(path: Path, clock: HandClock | None = None) -> Iterator[Opened]:
    """Open the chain whose journal is at `path`."""
    time = clock or HandClock()
    database = open_database(path)
    try:
        journal = Journal(database, Genesis(CHAIN_ID, time.now(), install.ANVIL_VERSION))
        chain = EmbeddedChain(anvil(), journal, time)
        try:
            yield Opened(chain, journal, database)
        finally:
            chain.close()
    finally:
        database.close()
