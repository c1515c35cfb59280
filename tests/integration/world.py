"""The real contracts on an embedded chain, with a log that takes anything and a clock at hand.

The log's own registration policy is not at work here: what the contracts refuse must be refused
also by a log that admits everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from affiant.chain import artifacts, mandates
from affiant.chain.connection import DEPLOYER, Connection
from affiant.chain.ledger import EvmLedger
from affiant.kernel import body as bodies
from affiant.kernel import merkle, statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import keccak256, sha256, to_hex, word
from affiant.kernel.identity import Ed25519Key, LedgerKey, PublicKey
from affiant.kernel.mandate import Bucket, Guardian, Pin, Rule, Terms
from affiant.kernel.model import Call
from affiant.kernel.ports import Execution, Head, Seat
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension

from .engine import HandClock, Opened, opened

MODEL = sha256(b"a model")
TOKEN = artifacts.load("SettlementToken")
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
CAP, LIMIT, WINDOW, LIFE = 400, 1_000, 100, 600
STAY_LIMIT, STAY_WINDOW = 1_000, 5_000
OPERATOR, PRINCIPAL, AGENT, SUPPLIER, STRANGER, GUARDIAN = (
    LedgerKey(hashlib.sha256(name).digest())
    for name in (b"operator", b"principal", b"agent", b"supplier", b"stranger", b"guardian")
)


class PlainLog:
    """A tree of leaves under a signed head: it admits everything."""

    def __init__(self, origin: str, signer: LedgerKey) -> None:
        self.policy = LogPolicy(origin, signer.address)
        self._signer = signer
        self._nodes: dict[tuple[int, int], bytes] = {}
        self.leaves: list[bytes] = []

    @property
    def key(self) -> PublicKey:
        """A key for notes, which nobody asks for here."""
        return Ed25519Key(b"\x01" * 32).public

    def size(self) -> int:
        """Return how many leaves there are."""
        return len(self.leaves)

    def append(self, leaf: bytes) -> None:
        """Take a leaf."""
        for level, index, value in merkle.new_nodes(self.node, len(self.leaves), [leaf]):
            self._nodes[level, index] = value
        self.leaves.append(leaf)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        return self._nodes[level, index]

    def head(self) -> Head:
        """Sign what there is."""
        size = len(self.leaves)
        root = merkle.root_of(self.node, size)
        digest = Checkpoint(self.policy.origin, size, root).digest(self.policy.log_id)
        return Head(size, root, "", self._signer.sign_digest(digest), b"")

    def index_of(self, leaf: bytes) -> int | None:
        """Return the index of a statement."""
        return self.leaves.index(leaf) if leaf in self.leaves else None

    def about(self, _subject: bytes) -> list[int]:
        """Know nothing of subjects."""
        return []

    def entry(self, _index: int) -> bytes:
        """Keep no entries."""
        return b""

    def body(self, _digest: bytes) -> bytes | None:
        """Keep no bodies."""
        return None

    def receipt(self, _index: int) -> bytes:
        """Give no receipts."""
        return b""


@dataclass
class World:
    """Contracts, keys, a token, and the log that the mandates name."""

    opened: Opened
    clock: HandClock
    connection: Connection
    ledger: EvmLedger
    token: bytes
    log: PlainLog = field(default_factory=lambda: PlainLog("world.test", OPERATOR))
    _salts: int = 0

    def mandate(self, **changes: Any) -> bytes:
        """Create a mandate with these terms, a million in it; return its address."""
        terms = self.terms(**changes)
        guardian = None if terms.guardian is None else GUARDIAN.public
        address = self.ledger.grant(terms, AGENT.public, self.fresh(), guardian)
        self.mint(address, 1_000_000)
        return address

    def terms(self, **changes: Any) -> Terms:
        """Return terms: transfers to the supplier, counted approvals, metered native value."""
        pin = Pin(0, (word(SUPPLIER.address),))
        pay = Rule(self.token, TRANSFER, amount_word=1, cap=CAP, pins=(pin,))
        plain = Terms(
            principal=PRINCIPAL.address,
            agent=AGENT.address,
            anchor=self.ledger.anchor_address,
            log_id=self.log.policy.log_id,
            valid_from=self.clock.now() - 10,
            valid_until=self.clock.now() + 100_000,
            longest_life=LIFE,
            header=mandates.header_of(AGENT.public),
            buckets=(Bucket(LIMIT, WINDOW),),
            rules=(pay, Rule(DEPLOYER, b"\0\0\0\0", amount_word=255, cap=50)),
        )
        return replace(plain, **changes)

    def watched(self, **changes: Any) -> bytes:
        """Create a mandate with a guardian; return its address."""
        return self.mandate(guardian=watch(), **changes)

    def fresh(self) -> bytes:
        """Return 32 bytes that were not used before."""
        self._salts += 1
        return word(self._salts)

    def mint(self, account: bytes, units: int) -> None:
        """Give an account tokens."""
        self.connection.send(PRINCIPAL, self.token, TOKEN, "mint", account, units)

    def balance(self, account: bytes) -> int:
        """Return an account's tokens."""
        return int(self.connection.call(self.token, TOKEN, "balanceOf", account))

    def read(self, mandate: bytes, name: str, *arguments: Any) -> Any:
        """Read from a mandate."""
        return self.connection.call(mandate, artifacts.load("Mandate"), name, *arguments)

    def send(self, sender: LedgerKey, mandate: bytes, name: str, *arguments: Any) -> Any:
        """Send a transaction to a mandate."""
        return self.connection.send(sender, mandate, artifacts.load("Mandate"), name, *arguments)

    def tick(self, seconds: int = 0) -> None:
        """Let time pass, and let the chain know."""
        self.clock.time += seconds
        with self.opened.chain._lock:
            assert self.opened.chain._mine([]) is None

    def pay(self, units: int = 100, to: bytes = SUPPLIER.address) -> Call:
        """Return the call that pays the supplier."""
        return Call(self.token, TRANSFER + word(to) + word(units))

    def bind(self, mandate: bytes, call: Call, **changes: Any) -> BoundAction:
        """Return the next action of a mandate."""
        state = self.ledger.state(mandate)
        fields: dict[str, Any] = {
            "epoch": state.epoch,
            "nonce": state.nonce,
            "model": MODEL,
            "target": call.target,
            "value": call.value,
            "data": call.data,
            "deadline": self.clock.now() + LIFE,
            "relayer": ANYONE,
            "salt": self.fresh(),
        }
        return BoundAction(self.ledger.chain_id, mandate, Action(**{**fields, **changes}))

    def swear(
        self, bound: BoundAction, *, key: LedgerKey = AGENT, iat: int | None = None
    ) -> Statement:
        """Swear to an action, in nobody's log yet."""
        body = sha256(bound.digest)
        when = self.clock.now() if iat is None else iat
        return statement.sign(bodies.DECISION, bound.digest, body, key, when)

    def stay(self, mandate: bytes, seconds: int = 100, **changes: Any) -> BoundSuspension:
        """Return the next suspension of a mandate."""
        number = self.ledger.state(mandate).watch.number
        usual: dict[str, Any] = {"number": number, "until": self.clock.now() + seconds}
        return BoundSuspension(self.ledger.chain_id, mandate, Suspension(**{**usual, **changes}))

    def alert(
        self, stay: BoundSuspension, *, key: LedgerKey = GUARDIAN, iat: int | None = None
    ) -> Statement:
        """Swear to an alert that demands a suspension, in nobody's log yet."""
        when = self.clock.now() if iat is None else iat
        return statement.sign(bodies.ALERT, stay.digest, sha256(stay.digest), key, when)

    def suspend(self, stay: BoundSuspension, told: Statement | None = None) -> bytes:
        """Swear to an alert, log, anchor and carry it; return the transaction's hash."""
        told = told or self.alert(stay)
        return self.ledger.suspend(stay, told, self.log, self.log_it(told))

    def log_it(self, told: Statement, log: PlainLog | None = None) -> Seat:
        """Log a statement, and anchor it."""
        (log or self.log).append(told.leaf)
        return self.ledger.anchor(log or self.log)

    def act(
        self,
        mandate: bytes,
        call: Call,
        *,
        key: LedgerKey = AGENT,
        iat: int | None = None,
        **changes: Any,
    ) -> Execution:
        """Go the whole way of an action: bind, swear, log, anchor, execute."""
        bound = self.bind(mandate, call, **changes)
        told = self.swear(bound, key=key, iat=iat)
        seat = self.log_it(told)
        return self.ledger.execute(bound, told, self.log, seat)


def watch(limit: int = STAY_LIMIT, window: int = STAY_WINDOW) -> Guardian:
    """Return the guardian of watched mandates."""
    return Guardian(
        GUARDIAN.address, limit, window, mandates.header_of(GUARDIAN.public, bodies.ALERT)
    )


@contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """Make a world; it is thrown away, so its journal need not be durable."""
    clock = HandClock()
    with opened(folder / "chain.db", clock) as chain:
        chain.database.execute("PRAGMA synchronous = OFF")
        connection = Connection(chain.chain, "test chain", OPERATOR)
        ledger = EvmLedger(connection, OPERATOR)
        owner = PRINCIPAL.address
        address = connection.deploy(OPERATOR, TOKEN, "Settlement Token", "SETL", owner)
        made = World(chain, clock, connection, ledger, address)
        made.log.append(sha256(b"an entry"))
        made.log.append(sha256(b"another"))
        yield made


def deploy_refusing(world: World, data: bytes) -> bytes:
    """Deploy a contract that refuses every call with these few bytes; return its address."""
    runtime = bytes([0x5F + len(data)]) + data + bytes.fromhex("600052")
    runtime += bytes([0x60, len(data), 0x60, 32 - len(data), 0xFD])
    code = bytes([0x5F + len(runtime)]) + runtime + bytes.fromhex("600052")
    code += bytes([0x60, len(runtime), 0x60, 32 - len(runtime), 0xF3])
    return world.connection.deploy(
        OPERATOR, {"contract": "Refusing", "abi": [], "bytecode": to_hex(code)}
    )
