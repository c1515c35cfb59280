"""What the rooms need of one another, as Protocols; `apps/wiring` builds the real parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from affiant.kernel.action import BoundAction
from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.identity import LedgerKey, PublicKey
from affiant.kernel.mandate import State, Terms
from affiant.kernel.model import Call
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> int:
        """Return seconds since 1970."""
        ...


@dataclass(frozen=True)
class Head:
    """A log's newest checkpoint in both signed forms."""

    size: int
    root: bytes
    note: str
    """C2SP signed note."""
    signature: bytes
    """r || s || v over the EIP-712 Checkpoint."""
    root_signature: bytes
    """The signature that RFC 9942 receipts under this root carry."""


@dataclass(frozen=True)
class Draft:
    """A sworn statement with its body: the bytes kept before they are sent."""

    body: bytes
    statement: Statement


class LogView(Protocol):
    """A transparency log, to be read."""

    @property
    def policy(self) -> LogPolicy: ...

    @property
    def key(self) -> PublicKey:
        """The Ed25519 key of its notes and receipts."""
        ...

    def size(self) -> int:
        """Return how many entries there are; the newest may not be under a checkpoint yet."""
        ...

    def head(self) -> Head:
        """Return the newest checkpoint."""
        ...

    def index_of(self, leaf: bytes) -> int | None: ...

    def about(self, subject: bytes) -> list[int]:
        """Return the indices of the statements about a subject."""
        ...

    def entry(self, index: int) -> bytes: ...

    def body(self, digest: bytes) -> bytes | None: ...

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        ...

    def receipt(self, index: int) -> bytes:
        """Return the RFC 9942 receipt of the entry at `index` under the newest checkpoint."""
        ...


class Log(LogView, Protocol):
    """A transparency log that takes statements."""

    def put_body(self, body: bytes) -> bytes:
        """Hand over a body before its statement; return its SHA-256."""
        ...

    def register(self, entry: bytes) -> int:
        """Log a statement and return its index; the same entry again gives the same index."""
        ...


@dataclass(frozen=True)
class Seat:
    """A right-edge subtree that the chain holds: leaves [start, end), anchored at `time`."""

    count: int
    start: int
    end: int
    time: int
    root: bytes


@dataclass(frozen=True)
class Anchored:
    """A checkpoint that the chain holds."""

    size: int
    root: bytes
    block: int
    transaction: bytes


@dataclass(frozen=True)
class Execution:
    """What the chain says of one executed action."""

    leaf: bytes
    subject: bytes
    nonce: int
    transaction: bytes
    block: bytes
    number: int
    gas: int
    events: tuple[dict[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True)
class Suspended:
    """What the chain says of one suspension: the alert that demanded it, and where."""

    leaf: bytes
    suspension: Suspension
    transaction: bytes


@dataclass(frozen=True)
class Attempt:
    """A call of a mandate's `execute` that a block holds and that failed."""

    mandate: bytes
    sender: bytes
    """Who carried it; anyone may carry what an agent swore to."""
    leaf: bytes
    """The statement that its oath rebuilds."""
    bound: BoundAction
    by_agent: bool
    """Whether the mandate's agent signed exactly this action."""
    transaction: bytes


@dataclass(frozen=True)
class Block:
    """What one block did to mandates and anchored logs."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    executed: tuple[tuple[bytes, bytes, bytes], ...] = ()
    """(mandate, leaf, transaction) of every executed action."""
    attempts: tuple[Attempt, ...] = ()
    anchored: tuple[tuple[bytes, int, bytes], ...] = ()
    """(log id, size, root) of every checkpoint."""


class Ledger(Protocol):
    """A chain with the core contracts."""

    @property
    def chain_id(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def anchor_address(self) -> bytes:
        """What knows the logs here."""
        ...

    @property
    def factory_address(self) -> bytes:
        """Who made every mandate here."""
        ...

    def now(self) -> int:
        """Return the newest block's time."""
        ...

    def height(self) -> int:
        """Return the newest block's number."""
        ...

    def terms(self, mandate: bytes) -> Terms:
        """Return a mandate's terms.

        Raises:
            MandateUnknown: there is no such mandate here.
            LedgerError: the chain does not answer.
        """
        ...

    def state(self, mandate: bytes) -> State: ...

    def granted(self, agent: bytes) -> list[bytes]:
        """Return every mandate of the agent with that address, oldest first."""
        ...

    def anchor(self, log: LogView, index: int | None = None) -> Seat:
        """Return a seat on chain that holds the entry at `index`, by default the newest one.

        If there is none, the chain's head of the log is brought up to its newest checkpoint.

        Raises:
            IntegrityError: the chain holds another history of the log.
            LedgerError: the chain does not take the checkpoint.
        """
        ...

    def execute(
        self, action: BoundAction, statement: Statement, log: LogView, seat: Seat
    ) -> Execution:
        """Carry a logged decision to the mandate.

        Raises:
            CallReverted: the contract refused; nothing was sent.
        """
        ...

    def rehearse(self, mandate: bytes, call: Call, model: bytes) -> int:
        """Ask what would become of a call now, and of its gas; nothing is signed or sent.

        Raises:
            CallReverted: the mandate, its guard or the target would refuse it.
        """
        ...

    def suspend(
        self, suspension: BoundSuspension, told: Statement, log: LogView, seat: Seat
    ) -> bytes:
        """Carry a logged alert to its mandate; return the transaction's hash.

        Raises:
            CallReverted: the contract refused; nothing was sent.
        """
        ...

    def resume(self, mandate: bytes, silent_until: int, key: LedgerKey) -> bytes:
        """End a suspension, and silence the guardian, as principal; return the transaction."""
        ...

    def revoke(self, mandate: bytes, key: LedgerKey) -> bytes:
        """End a mandate for ever, as principal; return the transaction's hash."""
        ...

    def suspensions(self, mandate: bytes) -> list[Suspended]:
        """Return every suspension of a mandate, oldest first."""
        ...

    def block(self, number: int) -> Block | None:
        """Return what a block did to mandates and anchored logs; None beyond the newest.

        Raises:
            LedgerError: the chain does not answer, or replaced the block just now; ask again.
        """
        ...

    def cancel(self, mandate: bytes, nonce: int, key: LedgerKey) -> bytes:
        """Use up a nonce without acting; return the transaction's hash."""
        ...

    def executions(self, mandate: bytes, leaf: bytes | None = None) -> list[Execution]:
        """Return a mandate's executed actions, oldest first; of one decision, if given."""
        ...

    def transaction_leaf(self, transaction: bytes) -> bytes | None:
        """Return the decision that a transaction executed."""
        ...

    def cancelled(self, mandate: bytes) -> set[tuple[int, int]]:
        """Return (epoch, nonce) of every cancelled action."""
        ...

    def anchored(self, log_id: bytes) -> list[Anchored]:
        """Return every anchored checkpoint of a log, oldest first."""
        ...


class Archive(Protocol):
    """Where observed data is kept, by its commitment."""

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None: ...

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return (salt, data)."""
        ...


class Outbox(Protocol):
    """Sworn statements, kept durably before they are sent: an agent's write-ahead record."""

    def get(self, job: str) -> Draft | None: ...

    def put(self, job: str, draft: Draft) -> None:
        """Store what is sworn for a job, once."""
        ...

    def begin(self, job: str) -> None:
        """Note that a job has a decision whose outcome is not logged yet."""
        ...

    def finish(self, job: str) -> None:
        """Note that a job's outcome is logged."""
        ...

    def unfinished(self) -> list[str]:
        """Return the jobs begun and not finished, oldest first."""
        ...
