"""The real parts, wired together in one folder: the only place that builds them."""

from __future__ import annotations

import secrets
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from affiant.agent.affiant import Affiant
from affiant.agent.outbox import SqliteArchive, SqliteOutbox
from affiant.agent.runtime import Runtime
from affiant.apps.home import Home
from affiant.apps.keys import KeyFolder
from affiant.apps.wiring import kinds, models
from affiant.chain import artifacts, install, mandates
from affiant.chain.connection import Connection
from affiant.chain.embedded import EmbeddedChain
from affiant.chain.journal import Genesis, Journal
from affiant.chain.ledger import EvmLedger
from affiant.chain.provider import AllowListedProvider
from affiant.kernel.body import ALERT
from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.encoding import jcs_encode, sha256
from affiant.kernel.errors import InputError, IntegrityError, SetupError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Guardian, Rule, Terms
from affiant.kernel.model import Model
from affiant.kernel.ports import Archive, Clock, LogView
from affiant.log.reader import LogReader
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage

EMBEDDED_CHAIN_ID = 31337
ENGINE_FOLDER = Path(sys.prefix) / "share" / "affiant"
DAY = 86_400
VALID_SECONDS = 365 * DAY
LONGEST_LIFE = 600
"""Seconds a decision may wait for its execution."""
_BEFORE_DRY = "A dry run makes nothing: tell the story or act here first, or name another --home"
SUSPENSION_LIMIT = DAY
SUSPENSION_WINDOW = 7 * DAY
"""Seconds: a guardian may keep an agent still for one day in any seven, half a day at once."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Return seconds since 1970."""
        return int(time.time())


@dataclass(frozen=True)
class ChainClock:
    """The time that a block mined now would have: a fork lives in its own time."""

    chain: Connection

    def now(self) -> int:
        """Return seconds since 1970."""
        return self.chain.present()


class RealHouse:
    """A house in one folder: log, ledger (embedded, or an RPC node's), keys, agents."""

    view: LogView
    """The log, to be read: the one that is written, or a damaged one as far as it goes."""

    def __init__(
        self,
        folder: Path,
        *,
        rpc: str | None = None,
        port: int = 0,
        reading: bool = False,
        dry: bool = False,
    ) -> None:
        """Open or make a house. For `reading`, a damaged log is opened as far as it can be read.

        A `dry` one sends and makes nothing, and may stand before any fork of its own chain.

        Raises:
            AffiantError: what is wrong, and what to do; nothing is left running.
        """
        self._stack = ExitStack()
        self._turn = threading.RLock()
        self._dry = dry
        self.kinds = kinds()
        try:
            self._home = Home(folder)
            self._stack.callback(self._home.close)
            self.clock: Clock = SystemClock()
            self.keys = KeyFolder(folder / "keys", self._home)
            self._open_log(reading=reading or dry)
            agent_db = self._database("agent")
            self.archive = SqliteArchive(agent_db)
            self._outbox = SqliteOutbox(agent_db)
            self._operator = self.keys.ledger("operator")
            self._chain = self._connect(rpc, port)
            if dry:
                self.clock = ChainClock(self._chain)
            self.ledger = EvmLedger(self._chain, self._operator)
            try:
                self.ledger.check_history(self.view)
            except IntegrityError:
                if not (reading or dry):
                    raise
                self.view = LogReader.open(self._storage)  # an audit tells more, and signs nothing
        except BaseException:
            self._stack.close()
            raise

    @property
    def folder(self) -> Path:
        """Where the house keeps everything."""
        return self._home.folder

    def close(self) -> None:
        """End the engine, close the databases, unlock the folder."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def models(self) -> Mapping[bytes, Model]:
        """Return the models of the installed verticals by digest, for replays."""
        return models()

    def key(self, name: str) -> LedgerKey:
        """Return the key of that name, made on first use.

        Raises:
            InputError: a dry run would have to make it.
        """
        if self._dry and not self.keys.has(name):
            raise InputError(f"{self.folder} has no key {name!r}", _BEFORE_DRY)
        return self.keys.ledger(name)

    def knows(self, name: str) -> bool:
        """Tell whether this house has a key of that name."""
        return self.keys.has(name)

    def agent(self, name: str, *, careful: bool = True, archive: Archive | None = None) -> Runtime:
        """Return the agent with the key of that name."""
        return Runtime(
            key=self.key(name),
            log=self.log,
            ledger=self.ledger,
            archive=archive or self.archive,
            outbox=self._outbox,
            clock=self.clock,
            random=secrets.token_bytes,
            turn=self._turn,
            kinds=self.kinds,
            careful=careful,
            dry=self._dry,
        )

    def affiant(self, name: str) -> Affiant:
        """Return whoever swears with the key of that name.

        Raises:
            InputError: in a dry run nobody swears.
        """
        if self._dry:
            raise InputError("a dry run swears to nothing", _BEFORE_DRY)
        return Affiant(
            key=self.key(name),
            log=self.log,
            archive=self.archive,
            outbox=self._outbox,
            clock=self.clock,
            random=secrets.token_bytes,
            turn=self._turn,
            kinds=self.kinds,
        )

    def grant(
        self,
        name: str,
        *,
        principal: LedgerKey,
        agent: LedgerKey,
        rules: Sequence[Rule],
        buckets: Sequence[Bucket],
        guardian: LedgerKey | None = None,
        guard: bytes | None = None,
        approvals: bytes | None = None,
    ) -> bytes:
        """Find or create the mandate of that name with exactly these terms; return its address."""
        told = Terms(
            principal=principal.address,
            agent=agent.address,
            anchor=self.ledger.anchor_address,
            log_id=self.view.policy.log_id,
            valid_from=0,
            valid_until=VALID_SECONDS,
            longest_life=LONGEST_LIFE,
            header=mandates.header_of(agent.public),
            buckets=tuple(buckets),
            rules=tuple(rules),
            guardian=None if guardian is None else _guardian(guardian),
            guard=guard,
            approvals=approvals,
        )
        told.check_usable()
        digest = sha256(jcs_encode(told.to_json()))
        now, salt = self._granted(name, digest)
        while now + VALID_SECONDS < self.clock.now():  # that one has run out: the next of its name
            name += "'"
            now, salt = self._granted(name, digest)
        terms = Terms(**{**vars(told), "valid_from": now, "valid_until": now + VALID_SECONDS})
        watch = None if guardian is None else guardian.public
        return self.ledger.grant(terms, agent.public, salt, watch)

    def _granted(self, name: str, digest: bytes) -> tuple[int, bytes]:
        if self._dry and not self._home.has_granted(name, digest):
            raise InputError(f"{self.folder} has not granted the mandate {name!r}", _BEFORE_DRY)
        return self._home.grant(name, digest, self.clock.now(), secrets.token_bytes(32))

    def artifact(self, name: str) -> Mapping[str, Any]:
        """Return a core contract, compiled."""
        return artifacts.load(name)

    def deploy(self, artifact: Mapping[str, Any], *arguments: Any) -> bytes:
        """Find or deploy a contract; return its address."""
        return self._chain.deploy(self._operator, artifact, *arguments)

    def call(self, address: bytes, artifact: Mapping[str, Any], name: str, *arguments: Any) -> Any:
        """Read from a contract."""
        return self._chain.call(address, artifact, name, *arguments)

    def events(
        self, address: bytes, artifact: Mapping[str, Any], name: str
    ) -> list[Mapping[str, Any]]:
        """Return a contract's events of that name, oldest first."""
        return self._chain.events(address, artifact, name)

    def send(
        self,
        sender: LedgerKey,
        address: bytes,
        artifact: Mapping[str, Any],
        name: str,
        *arguments: Any,
    ) -> bytes:
        """Send a transaction and wait for it; return its hash."""
        receipt = self._chain.send(sender, address, artifact, name, *arguments)
        return bytes(receipt["transactionHash"])

    def copy_log(self, target: sqlite3.Connection) -> None:
        """Copy the log's database, for those who want to try something on it."""
        self._log_db.backup(target)

    def _database(self, name: str) -> sqlite3.Connection:
        database = self._home.database(name)
        self._stack.callback(database.close)
        return database

    def _open_log(self, *, reading: bool) -> None:
        signer, key = self.keys.ledger("log"), self.keys.ed25519("log")
        origin = f"affiant.local/{signer.address.hex()[:16]}"
        policy = LogPolicy(origin, signer.address)
        self._log_db = self._database("log")
        storage = self._storage = Storage(self._log_db)
        self._log: Sequencer | None = None
        if storage.size() == 0 and (reading or self._home.fact("log") is not None):
            raise IntegrityError(
                f"the log in {self.folder} has lost all its entries",
                "Restore log.db from its newest backup; beginning anew would fork it",
            )
        try:
            self._log = self.view = Sequencer(storage, policy, signer, key, self.kinds, self.clock)
            self._home.settle("log", policy.origin, "the log was {held}")
        except IntegrityError:
            if not reading:
                raise
            self.view = LogReader.open(storage)

    @property
    def log(self) -> Sequencer:
        """The log that this house writes.

        Raises:
            IntegrityError: it is damaged, and was opened to be read.
        """
        if self._log is None:
            raise IntegrityError(
                f"the log in {self.folder} is damaged and can only be read",
                "Run: affiant audit, which says where; restore log.db from its newest backup",
            )
        return self._log

    def _connect(self, rpc: str | None, port: int) -> Connection:
        if rpc is None:
            engine = install.anvil_path(ENGINE_FOLDER)
            if engine is None:
                raise SetupError(
                    "the embedded ledger's engine, anvil, is not installed",
                    "Run: affiant chain install (by npm, or by pip); or give --rpc URL",
                )
            self._home.settle("ledger", "embedded", "this home lives on {held}; give its --rpc")
            now = self.clock.now()
            genesis = Genesis(EMBEDDED_CHAIN_ID, now, install.ANVIL_VERSION)
            journal = Journal(self._database("chain"), genesis)
            seen = int(self._home.fact("block") or 0)
            chain = EmbeddedChain(
                engine, journal, self.clock, port, lambda n: self._home.note("block", max(n, seen))
            )
            self._stack.callback(chain.close)
            if chain.number < seen:
                raise IntegrityError(
                    f"the chain's journal ends at block {chain.number}, this home has seen {seen}",
                    "Restore chain.db from its newest backup; an older one would act again",
                )
            name = f"embedded chain {journal.genesis.chain_id}"
            return Connection(chain, name, self._operator, dry=self._dry)
        if not rpc.startswith(("http://", "https://")):
            raise InputError(
                f"--rpc {rpc!r} is no http(s) address", "Give one, like http://host:port"
            )
        name = f"chain at {rpc}"
        connection = Connection(AllowListedProvider(rpc), name, self._operator, dry=self._dry)
        if self._dry:  # a fork may have another id
            return connection
        found = f"chain {connection.chain_id}, genesis {connection.genesis}"
        self._home.settle("ledger", found, f"this home lives on {{held}}; {rpc} is {found}")
        return connection


def _guardian(key: LedgerKey) -> Guardian:
    header = mandates.header_of(key.public, ALERT)
    return Guardian(key.address, SUSPENSION_LIMIT, SUSPENSION_WINDOW, header)
