"""An office on simulators: a clerk that pays invoices, a desk, a firm, a sentinel, strangers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, cast

from affiant.agent.affiant import Affiant
from affiant.agent.runtime import Runtime
from affiant.kernel import body as bodies
from affiant.kernel import checkpoint, merkle, receipt, statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.body import CORE_KINDS, Body
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import keccak256, sha256, to_hex, word
from affiant.kernel.errors import IntegrityError, LedgerError
from affiant.kernel.house import Act, House
from affiant.kernel.identity import Ed25519Key, LedgerKey, PublicKey
from affiant.kernel.mandate import Bucket, Guardian, Pin, Rule, State, Terms
from affiant.kernel.model import Call, Doubt, Input, Model, Proposal
from affiant.kernel.ports import Block, Head, LogView, Seat
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage
from affiant.testing import (
    ANCHOR,
    FixedClock,
    LedgerSimulator,
    MemoryArchive,
    MemoryOutbox,
    fixed_key,
    memory_database,
)
from affiant.verticals.security import appeal
from affiant.verticals.security.sightings import Sworn
from affiant.verticals.security.watch import Event, Watch

KINDS = {**CORE_KINDS, **appeal.KINDS}
CLERK, DESK, FIRM, SENTINEL, STRANGER = "clerk", "desk", "firm", "sentinel", "stranger"
TOKEN = b"\x70" * 20
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
LANDLORD, PLUMBER, THIEF = b"\x51" * 20, b"\x52" * 20, b"\x66" * 20
CAP, DAILY, DAY, HOUR, LIFE = 500, 1_000_000, 86_400, 3_600, 600
USED_TO = 24
"""Payments after which the clerk's habits say something."""
GAP = 700
"""Seconds between honest payments."""
SALT = bytes(bodies.SALT_LENGTH)
NOTES = Ed25519Key(sha256(b"the office's notes"))


def transfer(to: bytes, units: int) -> Call:
    """Return the call that pays."""
    return Call(TOKEN, TRANSFER + word(to) + word(units))


def invoice(to: bytes, units: int) -> Input:
    """Return an invoice that nobody has sworn to yet."""
    return Input.of({"to": to.hex(), "units": units}, source="orders", units="tokens")


@dataclass(frozen=True)
class PayModel:
    """Pays what an invoice says; one of nothing is doubted, one below nothing breaks it."""

    name: str = "test.pay-invoice"
    version: str = "1"
    deterministic: bool = True

    @property
    def digest(self) -> bytes:
        """SHA-256 over name and version."""
        return sha256(f"{self.name} {self.version}".encode())

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to an invoice."""
        (due,) = inputs
        if due["units"] == 0:
            return Doubt("nothing-due", "nothing is due")
        if due["units"] < 0:
            raise ValueError("an invoice below nothing")
        call = transfer(bytes.fromhex(due["to"]), due["units"])
        return Proposal(call, {"units": due["units"]}, "it is due")


@dataclass(frozen=True)
class Hijacked(PayModel):
    """Whoever holds the clerk's key, and calls its own wish the clerk's model."""

    call: Call = field(default_factory=lambda: transfer(THIEF, 2))

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer what the hijacker wants."""
        assert inputs
        return Proposal(self.call, None, "it is due")


class Book(Sequencer):
    """The office's log; `down` makes it unreadable, `shut` makes it take nothing."""

    down = shut = False

    def entry(self, index: int) -> bytes:
        """Return an entry."""
        self._reachable(down=self.down)
        return super().entry(index)

    def register(self, entry: bytes) -> int:
        """Log a statement."""
        self._reachable(down=self.down or self.shut)
        return super().register(entry)

    def head(self) -> Head:
        """Return the newest checkpoint."""
        self._reachable(down=self.down)
        return super().head()

    @staticmethod
    def _reachable(*, down: bool) -> None:
        if down:
            raise IntegrityError("the log does not answer", "Try again")


class Chain(LedgerSimulator):
    """The office's chain; the calls named in `down` get no answer."""

    down: frozenset[str] = frozenset()

    def block(self, number: int) -> Block | None:
        """Return a block."""
        self._reachable("block")
        return super().block(number)

    def terms(self, mandate: bytes) -> Terms:
        """Return the terms of a mandate."""
        self._reachable("terms")
        return super().terms(mandate)

    def state(self, mandate: bytes) -> State:
        """Return the state of a mandate; unlike the simulator, as strict as the real ledger."""
        self._reachable("state")
        super().terms(mandate)
        return super().state(mandate)

    def granted(self, agent: bytes) -> list[bytes]:
        """Return the mandates of an agent."""
        self._reachable("granted")
        return super().granted(agent)

    def anchor(self, log: LogView, index: int | None = None) -> Seat:
        """Return a seat on chain."""
        self._reachable("anchor")
        return super().anchor(log, index)

    def suspend(
        self, suspension: BoundSuspension, told: Statement, log: LogView, seat: Seat
    ) -> bytes:
        """Carry an alert."""
        self._reachable("suspend")
        return super().suspend(suspension, told, log, seat)

    def _reachable(self, name: str) -> None:
        if name in self.down:
            raise LedgerError(f"{self.name} does not answer", "Try again")


@dataclass
class Paper:
    """The log as its operator could show it: any entries, signed with its true keys."""

    policy: LogPolicy
    entries: list[bytes]
    known: dict[bytes, bytes]
    shown: Head | None = None
    """What it shows as its newest checkpoint, if that is not true."""

    @classmethod
    def of(cls, log: LogView) -> Paper:
        """Copy a log."""
        entries = [log.entry(index) for index in range(log.size())]
        told = [statement.decode(entry).unverified.body for entry in entries]
        return cls(log.policy, entries, {digest: log.body(digest) or b"" for digest in told})

    @property
    def key(self) -> PublicKey:
        """The key of its notes."""
        return NOTES.public

    def size(self) -> int:
        """Return how many entries there are."""
        return len(self.entries)

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries."""
        return merkle.root_of(self.node, size)

    def head(self) -> Head:
        """Return the checkpoint that it shows, by default the true one."""
        return self.shown or self.signed(self.size(), self.root(self.size()))

    def signed(self, size: int, root: bytes) -> Head:
        """Sign any size and root."""
        told = Checkpoint(self.policy.origin, size, root)
        note = checkpoint.sign_note(told, NOTES)
        signature = fixed_key("log").sign_digest(told.digest(self.policy.log_id))
        return Head(size, root, note, signature, receipt.sign_root(told.origin, root, NOTES))

    def index_of(self, leaf: bytes) -> int | None:
        """Return the index of a statement."""
        leaves = [merkle.leaf_hash(entry) for entry in self.entries]
        return leaves.index(leaf) if leaf in leaves else None

    def about(self, subject: bytes) -> list[int]:
        """Return the statements about a subject."""
        told = [statement.decode(entry).unverified.subject for entry in self.entries]
        return [index for index, found in enumerate(told) if found == subject]

    def entry(self, index: int) -> bytes:
        """Return an entry."""
        return self.entries[index]

    def body(self, digest: bytes) -> bytes | None:
        """Return a body."""
        return self.known.get(digest)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        if level == 0:
            return merkle.leaf_hash(self.entries[index])
        below = (self.node(level - 1, 2 * index + side) for side in (0, 1))
        return merkle.node_hash(*below)

    def receipt(self, index: int) -> bytes:
        """Nobody asks for one here."""
        raise IntegrityError(f"no receipt of entry {index}", "Ask the log itself")


class Office:
    """A house on simulators, with one clerk whose mandate names the sentinel as guardian."""

    folder = Path("/nowhere")

    def __init__(self, guardian: str | None = SENTINEL, limit: int = DAY) -> None:
        self.clock = FixedClock()
        self.kinds: Mapping[str, bodies.Kind] = KINDS
        signer = fixed_key("log")
        policy = LogPolicy("test.example/office", signer.address)
        storage = Storage(memory_database())
        self.log = Book(storage, policy, signer, NOTES, KINDS, self.clock)
        self.shown: LogView | None = None
        self.ledger = Chain(self.clock)
        self.ledger.targets[TOKEN] = lambda *_: None
        self.archive, self.outbox = MemoryArchive(), MemoryOutbox()
        self.random = random.Random(0).randbytes  # noqa: S311 (it must repeat)
        self.model: Model = PayModel()
        self.known: dict[bytes, Model] = {self.model.digest: self.model}
        self.mandate = self.hire(CLERK, guardian, limit=limit)
        self.jobs = 0

    @property
    def view(self) -> LogView:
        """The log, as the watch sees it."""
        return self.shown or self.log

    def house(self) -> House:
        """Return the office as what it stands for."""
        return cast("House", self)

    def models(self) -> Mapping[bytes, Model]:
        """Return the models at hand."""
        return self.known

    def key(self, name: str) -> LedgerKey:
        """Return the key of that name."""
        return fixed_key(name)

    def did(self, name: str = CLERK) -> str:
        """Return the did:key of that name."""
        return self.key(name).public.did

    def knows(self, name: str) -> bool:
        """Tell whether somebody of that name has a key: all but nobody."""
        return name != "nobody" and bool(self.key(name))

    def affiant(self, name: str) -> Affiant:
        """Return whoever swears with the key of that name."""
        return Affiant(
            key=self.key(name),
            log=self.log,
            archive=self.archive,
            outbox=self.outbox,
            clock=self.clock,
            random=self.random,
            turn=RLock(),
            kinds=self.kinds,
        )

    def agent(self, name: str = CLERK, *, careful: bool = True) -> Runtime:
        """Return the agent with the key of that name."""
        return Runtime(
            key=self.key(name),
            log=self.log,
            ledger=self.ledger,
            archive=self.archive,
            outbox=self.outbox,
            clock=self.clock,
            random=self.random,
            kinds=self.kinds,
            careful=careful,
        )

    def hire(
        self,
        name: str,
        guardian: str | None = SENTINEL,
        *,
        firm: str = FIRM,
        limit: int = DAY,
        pins: Sequence[bytes] = (),
    ) -> bytes:
        """Grant a mandate to an agent; return its address."""
        pinned = (Pin(0, tuple(map(word, pins))),) if pins else ()
        rule = Rule(TOKEN, TRANSFER, amount_word=1, cap=CAP, bucket=0, pins=pinned)
        agent, now = self.key(name), self.clock.now()
        terms = Terms(
            principal=self.key(firm).address,
            agent=agent.address,
            anchor=ANCHOR,
            log_id=self.log.policy.log_id,
            valid_from=now - DAY,
            valid_until=now + 10**7,
            longest_life=LIFE,
            header=statement.header_prefix(agent.public, bodies.DECISION),
            buckets=(Bucket(DAILY, DAY),),
            rules=(rule,),
            guardian=None if guardian is None else watcher(self.key(guardian), limit),
        )
        return self.ledger.grant(terms)

    def watch(self, guardian: str | None = SENTINEL, **options: Any) -> Watch:
        """Begin a watch that answers; with None, one that only tells."""
        return Watch(self.house(), guardian=guardian, **options)

    def pay(
        self,
        to: bytes = LANDLORD,
        units: int = 100,
        *,
        by: str | None = DESK,
        name: str = CLERK,
        mandate: bytes | None = None,
        model: Model | None = None,
        careful: bool = True,
    ) -> Act:
        """Let an agent pay an invoice that the desk, or somebody else, swears to."""
        self.jobs += 1
        due = invoice(to, units)
        if by is not None:
            due = self.affiant(by).observe(f"invoice/{self.jobs}", due)
        agent = self.agent(name, careful=careful)
        return agent.act(f"pay/{self.jobs}", mandate or self.mandate, model or self.model, [due])

    def work(self, times: int = USED_TO, to: bytes = LANDLORD) -> None:
        """Let the clerk do honest work."""
        for _ in range(times):
            self.clock.advance(GAP)
            assert self.pay(to).execution is not None
        self.clock.advance(GAP)

    def mimic(self, to: bytes = THIEF, units: int = 100) -> Act:
        """Let a hijacker pay a thief on an invoice that it swears to itself: two soft findings."""
        return self.pay(to, units, by=CLERK, careful=False)

    def drip(self) -> Act:
        """Let a hijacker pay a thief what no invoice says: a hard rule is broken."""
        return self.pay(model=Hijacked(), careful=False)

    def seen(self, to: bytes = LANDLORD, units: int = 100, by: str = DESK) -> bytes:
        """Let somebody swear to an invoice; return the observation's leaf."""
        self.jobs += 1
        leaf = self.affiant(by).observe(f"invoice/{self.jobs}", invoice(to, units)).observation
        assert leaf is not None
        return leaf

    def swear(
        self,
        kind: str,
        subject: bytes,
        content: dict[str, Any],
        *,
        by: str = CLERK,
        late: int = 0,
        logged: bool = True,
    ) -> Statement:
        """Swear with somebody's key, by a clock that is `late`; log it."""
        at = self.clock.now() - late
        body = Body(kind, bodies.moment(at), self.random(len(SALT)), content)
        told = statement.sign(kind, subject, body.digest, self.key(by), at)
        if logged:
            self.log.put_body(body.encoded)
            self.log.register(told.entry)
        return told

    def vouch(self, model: Model | None = None, *, by: str = FIRM) -> Statement:
        """Let somebody swear to a model."""
        told = model or self.model
        content = {
            "name": told.name,
            "version": told.version,
            "deterministic": told.deterministic,
            "training": "",
            "metrics": {},
            "approvals": [],
        }
        return self.swear(bodies.MODEL, told.digest, content, by=by)

    def bind(
        self, call: Call | None = None, mandate: bytes | None = None, **fields: Any
    ) -> BoundAction:
        """Return an action under a mandate, by default the clerk's next one."""
        call, under = call or transfer(LANDLORD, 100), mandate or self.mandate
        state = self.ledger.state(under)
        usual: dict[str, Any] = {
            "epoch": state.epoch,
            "nonce": state.nonce,
            "model": self.model.digest,
            "target": call.target,
            "value": call.value,
            "data": call.data,
            "deadline": self.clock.now() + LIFE,
            "relayer": ANYONE,
            "salt": self.random(32),
        }
        return BoundAction(self.ledger.chain_id, under, Action(**{**usual, **fields}))

    def decide(
        self,
        bound: BoundAction | None = None,
        *,
        by: str = CLERK,
        inputs: Sequence[bytes] = (),
        late: int = 0,
        logged: bool = True,
    ) -> Statement:
        """Swear to a decision, whatever the terms say; it is not carried."""
        bound = bound or self.bind()
        if logged and not self.log.about(bound.action.model):
            self.vouch(
                PayModel() if bound.action.model == PayModel().digest else _Other(bound), by=by
            )
        content = {
            "action": bound.to_json(),
            "mandate": to_hex(bound.mandate),
            "model": to_hex(bound.action.model),
            "inputs": [to_hex(leaf) for leaf in inputs],
            "output": None,
            "reason": "it is due",
            "confidence": None,
            "seed": None,
        }
        return self.swear(bodies.DECISION, bound.digest, content, by=by, late=late, logged=logged)

    def off_the_record(self, by: str = CLERK, **parts: Any) -> Statement:
        """Let an agent carry a decision that it never logged; the contract refuses it."""
        bound = self.bind(**parts)
        told = self.decide(bound, by=by, logged=False)
        self.ledger.attempt(bound, told)
        return told

    def statements(self) -> list[Statement]:
        """Return all that was logged."""
        return [statement.decode(self.log.entry(i)).verify() for i in range(self.log.size())]

    def said(self, kind: str) -> list[tuple[Statement, dict[str, Any]]]:
        """Return the statements of a kind, with what they say."""
        return [
            (told, bodies.decode(self.log.body(told.body) or b"", KINDS).content)
            for told in self.statements()
            if told.kind == kind
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return what alerts say, oldest first."""
        return [content for _, content in self.said(bodies.ALERT)]

    def sworn(self, told: Statement) -> Sworn:
        """Return a logged statement as a follower gives it."""
        index = self.log.index_of(told.leaf)
        assert index is not None
        body = bodies.decode(self.log.body(told.body) or b"", KINDS)
        return Sworn(index, told, body, min(told.issued_at, self.clock.now()))

    def suspended(self, mandate: bytes | None = None) -> bool:
        """Tell whether an agent is kept still now."""
        state = self.ledger.state(mandate or self.mandate)
        return state.suspended_until > self.clock.now()


@dataclass(frozen=True)
class _Other:
    """The name of a model that nobody has."""

    bound: BoundAction
    name: str = "test.unknown"
    version: str = "1"
    deterministic: bool = True

    @property
    def digest(self) -> bytes:
        return self.bound.action.model

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        return Doubt("unknown", f"nobody has this model, for {len(inputs)} inputs")


def busy(guardian: str | None = SENTINEL, limit: int = DAY) -> Office:
    """Return an office whose clerk has done enough honest work to have habits."""
    office = Office(guardian, limit)
    office.vouch()
    office.work()
    return office


def watcher(key: LedgerKey, limit: int = DAY) -> Guardian:
    """Return a guardian that may suspend for so many seconds in any week."""
    header = statement.header_prefix(key.public, bodies.ALERT)
    return Guardian(key.address, limit, 7 * DAY, header)


def names(events: Sequence[Event]) -> list[str]:
    """Return the names of events, in order."""
    return [event.name for event in events]


def sightings(events: Sequence[Event]) -> set[tuple[str, str]]:
    """Return (suspect, detector) of what was sighted."""
    told = [event.facts for event in events if event.name == "sighting"]
    return {(facts["suspect"], facts["detector"]) for facts in told}


def detectors(events: Sequence[Event]) -> set[str]:
    """Return the detectors that sighted something."""
    return {detector for _, detector in sightings(events)}
