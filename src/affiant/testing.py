"""Simulators of all that surrounds an agent: the real rules, without network, disk or chain.

`Simulation` wires them like a house: archive, outbox and a real `Sequencer` in memory, a ledger
that refuses what the contracts refuse, a clock that stands, randomness that repeats.
"""

from __future__ import annotations

import copy
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

from affiant.agent.affiant import Affiant
from affiant.agent.outbox import SqliteArchive, SqliteOutbox
from affiant.agent.runtime import Runtime
from affiant.kernel import errors, merkle, statement
from affiant.kernel import mandate as rules
from affiant.kernel import suspension as stays
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.body import ALERT, CORE_KINDS, DECISION
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import jcs_encode, sha256, to_hex
from affiant.kernel.errors import CallReverted
from affiant.kernel.identity import Ed25519Key, LedgerKey, recover
from affiant.kernel.mandate import Bucket, Guardian, Rule, State, Terms
from affiant.kernel.model import Call
from affiant.kernel.ports import (
    Anchored,
    Attempt,
    Block,
    Clock,
    Execution,
    Head,
    LogView,
    Seat,
    Suspended,
)
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage

ANCHOR, FACTORY, OPERATOR = b"\xaa" * 20, b"\xfa" * 20, b"\x0e" * 20


@dataclass
class FixedClock:
    """A clock that stands until it is advanced."""

    time: int = 1_800_000_000

    def now(self) -> int:
        return self.time

    def advance(self, seconds: int) -> None:
        self.time += seconds


def fixed_key(name: str) -> LedgerKey:
    """Return the key of that name; everybody knows it."""
    return LedgerKey(sha256(b"affiant testing: " + name.encode()))


def memory_database() -> sqlite3.Connection:
    """Open a database in memory, for several threads."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def memory_log(
    clock: Clock, *, name: str = "log", database: sqlite3.Connection | None = None
) -> Sequencer:
    """Make the log of that name, or open it in `database`; its keys follow from its name."""
    signer, key = fixed_key(name), Ed25519Key(sha256(b"affiant testing: notes " + name.encode()))
    policy = LogPolicy(f"test.example/{name}", signer.address)
    storage = Storage(database or memory_database())
    return Sequencer(storage, policy, signer, key, CORE_KINDS, clock)


class MemoryArchive(SqliteArchive):
    def __init__(self) -> None:
        super().__init__(memory_database())


class MemoryOutbox(SqliteOutbox):
    def __init__(self) -> None:
        super().__init__(memory_database())


class LedgerSimulator:
    """A chain with the core contracts; of several broken rules it may name another than they do."""

    def __init__(self, clock: Clock, *, chain_id: int = 31337) -> None:
        self.chain_id = chain_id
        self.name = f"simulated chain {chain_id}"
        self.factory_address, self.anchor_address = FACTORY, ANCHOR
        self.targets: dict[bytes, Callable[[bytes, int], object]] = {}  # given calldata and value
        self.approved: dict[bytes, set[bytes]] = {}  # models, by approvals contract
        self.guards: dict[bytes, Callable[[Action, bytes], object]] = {}  # raise what is refused
        self._clock = clock
        self._peaks: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._seats: defaultdict[bytes, list[Seat]] = defaultdict(list)
        self._anchored: defaultdict[bytes, list[Anchored]] = defaultdict(list)
        self._terms: dict[bytes, Terms] = {}
        self._states: defaultdict[bytes, State] = defaultdict(State)
        self._executions: defaultdict[bytes, list[Execution]] = defaultdict(list)
        self._cancelled: defaultdict[bytes, set[tuple[int, int]]] = defaultdict(set)
        self._suspensions: defaultdict[bytes, list[Suspended]] = defaultdict(list)
        self._transactions: dict[bytes, bytes | None] = {}
        self._blocks = [Block(0, sha256(self.name.encode()), bytes(32), clock.now())]
        self._mined = 0

    def now(self) -> int:
        return self._clock.now()

    def height(self) -> int:
        return len(self._blocks) - 1

    def grant(self, terms: Terms) -> bytes:
        """Create the mandate with these terms; return its address."""
        address = sha256(jcs_encode([self.chain_id, terms.to_json()]))[12:]
        self._terms[address] = terms
        return address

    def terms(self, mandate: bytes) -> Terms:
        if mandate not in self._terms:
            told = f"{to_hex(mandate)} is no mandate on {self.name}"
            raise errors.MandateUnknown(told, "Check it")
        return self._terms[mandate]

    def granted(self, agent: bytes) -> list[bytes]:
        return [mandate for mandate, terms in self._terms.items() if terms.agent == agent]

    def state(self, mandate: bytes) -> State:
        return self._states[mandate]

    def anchor(self, log: LogView, index: int | None = None) -> Seat:
        """Return a seat that holds the entry at `index`, by default the newest one."""
        head, seats = log.head(), self._seats[log.policy.log_id]
        wanted = head.size - 1 if index is None else index
        size = seats[-1].end if seats else 0
        held = [log.node(*place) for place in merkle.peak_places(0, min(size, head.size))]
        if held != self._peaks[log.policy.log_id]:
            raise errors.IntegrityError(f"{log.policy.origin} was changed or forked", "Do not act")
        for seat in reversed(seats[-1024:]):
            if seat.start <= wanted < seat.end:
                return seat
        fresh = [log.node(*place) for place in merkle.peak_places(size, head.size)]
        return self.extend(log.policy, held, fresh, head)

    def extend(self, policy: LogPolicy, held: list[bytes], fresh: list[bytes], head: Head) -> Seat:
        """Extend a log as `LogAnchor.anchor` does: from the peaks that the chain holds."""
        log_id, size, seats = policy.log_id, head.size, self._seats[policy.log_id]
        old = seats[-1].end if seats else 0
        if held != self._peaks[log_id]:
            raise CallReverted("WrongHead", f" ({to_hex(log_id)})")
        places = [*merkle.peak_places(0, old), *merkle.peak_places(old, size)]
        known = dict(zip(places, [*held, *fresh], strict=True))

        def node(level: int, index: int) -> bytes:
            if (level, index) in known:
                return known[level, index]
            return merkle.node_hash(*(node(level - 1, 2 * index + side) for side in (0, 1)))

        root = merkle.root_of(node, size)
        digest = Checkpoint(policy.origin, size, root).digest(log_id)
        if policy.signer != _recovered(digest, head.signature):
            raise CallReverted("WrongLogSigner", "")
        peaks = merkle.peak_places(0, size)
        transaction, number = self._mine(None, anchored=((log_id, size, root),))
        start = max(index << level for level, index in peaks if index << level <= old)
        recent = merkle.subtree_root(node, start, size)
        self._peaks[log_id] = [node(*place) for place in peaks]
        self._anchored[log_id].append(Anchored(size, root, number, transaction))
        seats.append(Seat(len(seats), start, size, self.now(), recent))
        return seats[-1]

    def execute(self, action: BoundAction, told: Statement, log: LogView, seat: Seat) -> Execution:
        """Carry a logged decision to its mandate; what is refused changes nothing."""
        mandate, called = action.mandate, action.action
        terms, state = self.terms(mandate), self.state(mandate)
        try:
            state = rules.check(terms, state, called, now=self.now(), iat=told.issued_at)
        except errors.MandateRefused as error:
            raise CallReverted(error.rule, f" ({error.message})") from error
        if called.relayer not in (ANYONE, OPERATOR):
            raise CallReverted("WrongRelayer", "")
        if called.target not in self.targets:
            raise CallReverted("NoCode", f" ({to_hex(called.target)})")
        subject = BoundAction(self.chain_id, mandate, called).digest
        self._sworn(terms, subject, told, log, seat)
        leaf = told.leaf
        if terms.approvals is not None and called.model not in self.approved[terms.approvals]:
            raise CallReverted("ModelNotApproved", f" ({to_hex(called.model)})")
        if terms.guard is not None:
            try:
                self.guards[terms.guard](called, leaf)
            except Exception as error:
                raise CallReverted("GuardRefused", f" ({error!r})") from error
        try:
            self.targets[called.target](called.data, called.value)
        except Exception as error:
            raise CallReverted("CallFailed", f" ({error})") from error
        self._states[mandate] = state
        transaction, number = self._mine(leaf, mandate=mandate)
        block = self._blocks[number].hash
        done = Execution(leaf, subject, called.nonce, transaction, block, number, gas=100_000)
        self._executions[mandate].append(done)
        return done

    def rehearse(self, mandate: bytes, call: Call, model: bytes) -> int:
        """Check a call as `execute` would, but for guard and target, which are not asked."""
        terms, state, now = self.terms(mandate), self.state(mandate), self.now()
        bound = (call.target, call.value, call.data, now + terms.longest_life, ANYONE, bytes(32))
        try:
            rules.check(terms, state, Action(state.epoch, state.nonce, model, *bound), now=now)
        except errors.MandateRefused as error:
            raise CallReverted(error.rule, f" ({error.message})") from error
        return 100_000

    def attempt(self, action: BoundAction, told: Statement, sender: bytes = OPERATOR) -> bytes:
        """Mine a call of `execute` that fails; return the transaction's hash."""
        by_agent = told.issuer.kid == self.terms(action.mandate).agent
        by_agent = by_agent and (told.kind, told.subject) == (DECISION, action.digest)
        return self._mine(
            None,
            attempts=lambda transaction: (
                Attempt(action.mandate, sender, told.leaf, action, by_agent, transaction),
            ),
        )[0]

    def suspend(
        self, suspension: BoundSuspension, told: Statement, log: LogView, seat: Seat
    ) -> bytes:
        """Carry a logged alert to its mandate; what is refused changes nothing."""
        mandate, asked = suspension.mandate, suspension.suspension
        terms = self.terms(mandate)
        try:
            iat, now = told.issued_at, self.now()
            state = stays.suspend(terms, self.state(mandate), asked, now=now, iat=iat)
        except errors.MandateRefused as error:
            raise CallReverted(error.rule, f" ({error.message})") from error
        subject = BoundSuspension(self.chain_id, mandate, asked).digest
        self._sworn(terms, subject, told, log, seat, by=terms.guardian)
        self._states[mandate] = state
        transaction, _ = self._mine(None)
        self._suspensions[mandate].append(Suspended(told.leaf, asked, transaction))
        return transaction

    def resume(self, mandate: bytes, silent_until: int, key: LedgerKey) -> bytes:
        self._principal(mandate, key)
        self._states[mandate] = stays.resume(self.state(mandate), silent_until)
        return self._mine(None)[0]

    def revoke(self, mandate: bytes, key: LedgerKey) -> bytes:
        self._principal(mandate, key)
        self._states[mandate] = replace(self.state(mandate), revoked=True)
        return self._mine(None)[0]

    def suspensions(self, mandate: bytes) -> list[Suspended]:
        return list(self._suspensions[mandate])

    def block(self, number: int) -> Block | None:
        return self._blocks[number] if number < len(self._blocks) else None

    def save(self) -> dict[str, Any]:
        """Return all that blocks have done, for `restore`."""
        held = ["_peaks", "_seats", "_anchored", "_states", "_executions", "_cancelled"]
        held += ["_suspensions", "_transactions", "_blocks"]
        return {name: copy.deepcopy(getattr(self, name)) for name in held}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take back the blocks mined since, as a reorganisation does; other ones may follow."""
        vars(self).update(copy.deepcopy(saved))

    def cancel(self, mandate: bytes, nonce: int, key: LedgerKey) -> bytes:
        terms, state = self.terms(mandate), self.state(mandate)
        if key.address not in (terms.principal, terms.agent):
            raise CallReverted("NotPrincipalOrAgent", f" ({to_hex(key.address)})")
        if nonce != state.nonce:
            raise CallReverted("WrongNonce", f" ({nonce}, {state.nonce})")
        self._states[mandate] = replace(state, nonce=nonce + 1)
        self._cancelled[mandate].add((state.epoch, nonce))
        return self._mine(None)[0]

    def executions(self, mandate: bytes, leaf: bytes | None = None) -> list[Execution]:
        return [done for done in self._executions[mandate] if leaf in (None, done.leaf)]

    def transaction_leaf(self, transaction: bytes) -> bytes | None:
        return self._transactions.get(transaction)

    def cancelled(self, mandate: bytes) -> set[tuple[int, int]]:
        return set(self._cancelled[mandate])

    def anchored(self, log_id: bytes) -> list[Anchored]:
        return list(self._anchored[log_id])

    def _principal(self, mandate: bytes, key: LedgerKey) -> None:
        if key.address != self.terms(mandate).principal:
            raise CallReverted("NotPrincipal", f" ({to_hex(key.address)})")

    def _mine(
        self,
        leaf: bytes | None,
        *,
        mandate: bytes = b"",
        attempts: Callable[[bytes], tuple[Attempt, ...]] = lambda _: (),
        anchored: tuple[tuple[bytes, int, bytes], ...] = (),
    ) -> tuple[bytes, int]:
        self._mined += 1
        transaction = sha256(f"{self.name}, transaction {self._mined}".encode())
        self._transactions[transaction] = leaf
        parent, number = self._blocks[-1].hash, len(self._blocks)
        executed = () if leaf is None else ((mandate, leaf, transaction),)
        block = Block(
            number,
            sha256(parent + transaction),
            parent,
            self.now(),
            executed,
            attempts(transaction),
            anchored,
        )
        self._blocks.append(block)
        return transaction, number

    def _sworn(
        self,
        terms: Terms,
        subject: bytes,
        told: Statement,
        log: LogView,
        at: Seat,
        by: Guardian | None = None,
    ) -> None:
        """Refuse what the agent, or `by`, did not sign about `subject`, or is not in the seat."""
        prefix, account, kind = terms.header, terms.agent, DECISION
        if by is not None:
            prefix, account, kind = by.header, by.account, ALERT
        header = prefix + told.issued_at.to_bytes(4, "big")
        said = statement.payload(kind, subject, told.body)
        digest = sha256(statement.sig_structure(header, said))
        if account not in (_recovered(digest, told.signature, v) for v in (27, 28)):
            raise CallReverted("WrongSigner", f" ({to_hex(account)})")
        leaf = merkle.leaf_hash(statement.encode_entry(header, said, told.signature))
        index = log.index_of(told.leaf)
        if index is None or not at.start <= index < at.end:
            index = at.start
        path = merkle.inclusion_path(log.node, index, at.start, at.end)
        root = merkle.root_from_path(leaf, index - at.start, at.end - at.start, path)
        if replace(at, root=root) not in self._seats[terms.log_id][-1024:]:
            raise CallReverted("SeatNotHeld", f" ({to_hex(terms.log_id)}, {at.count})")


def _recovered(digest: bytes, signature: bytes, *v: int) -> bytes:
    try:
        return recover(digest, signature + bytes(v))
    except errors.MalformedError:
        return b""


class Simulation:
    """An agent with all that it needs to act. Replace any part before asking for the agent."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.log = memory_log(self.clock)
        self.ledger = LedgerSimulator(self.clock)
        self.archive, self.outbox = MemoryArchive(), MemoryOutbox()
        self.principal, self.key = fixed_key("principal"), fixed_key("agent")
        self.random = random.Random(0).randbytes  # noqa: S311 (it must repeat)

    def agent(self, **parts: Any) -> Runtime:
        """Return the agent; any field of `Runtime` may be given another value."""
        names = ("key", "log", "ledger", "archive", "outbox", "clock", "random")
        return Runtime(**{name: getattr(self, name) for name in names} | parts)

    def affiant(self, key: LedgerKey) -> Affiant:
        """Return whoever swears with that key."""
        names = ("log", "archive", "outbox", "clock", "random")
        parts = {name: getattr(self, name) for name in names}
        return Affiant(key=key, turn=RLock(), kinds=CORE_KINDS, **parts)

    def grant(self, allowed: Sequence[Rule], buckets: Sequence[Bucket], **terms: Any) -> bytes:
        """Create a mandate for the agent, and its rules' targets; return its address."""
        self.ledger.targets = {r.target: lambda *_: None for r in allowed} | self.ledger.targets
        now, header = self.clock.now(), statement.header_prefix(self.key.public, DECISION)
        parties = self.principal.address, self.key.address, ANCHOR, self.log.policy.log_id
        usual = Terms(*parties, now, now + 10**7, 600, header, tuple(buckets), tuple(allowed))
        return self.ledger.grant(replace(usual, **terms))
