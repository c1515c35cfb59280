"""The house as a story sees it: the wired parts, an agent to act with, and steps to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from affiant.kernel.body import Kind
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Rule
from affiant.kernel.model import Input, Model, Proposal
from affiant.kernel.ports import Archive, Clock, Execution, Ledger, Log, LogView
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Act:
    """What became of one job."""

    decision: Statement
    """The sworn decision, or the sworn refusal."""
    proposal: Proposal | None
    """What the model wanted, executed or refused; None where it had doubts."""
    refused: str | None = None
    """The rule that stopped it, by the agent or by the contract; None if it ran."""
    reason: str = ""
    execution: Execution | None = None
    outcome: Statement | None = None

    def __str__(self) -> str:
        if self.execution is None:
            return f"refused ({self.refused}): {self.reason}; sworn in 0x{self.decision.leaf.hex()}"
        transaction = self.execution.transaction.hex()
        return f"executed in 0x{transaction}, sworn in 0x{self.decision.leaf.hex()}"


@dataclass(frozen=True)
class Rehearsal:
    """What would become of a decision now."""

    proposal: Proposal | None
    refused: str | None = None
    """The rule that would stop it; None if it would run."""
    reason: str = ""
    gas: int | None = None

    def __str__(self) -> str:
        if self.proposal is None:
            return f"nothing would be done ({self.refused}): {self.reason}"
        if self.refused is not None:
            return f"would be refused ({self.refused}): {self.reason}"
        return f"would be executed, for {self.gas} gas: {self.reason}"


class Agent(Protocol):
    """Whoever decides under oath."""

    @property
    def key(self) -> LedgerKey: ...

    def act(self, job: str, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Act:
        """Decide over the inputs, under oath, and act: once per job, however often called."""
        ...

    def rehearse(self, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Rehearsal:
        """Decide and ask the chain what would become of it: nothing is sworn, logged or sent."""
        ...

    def recall(self, job: str) -> Act | None:
        """Return what became of a job that was decided, or None."""
        ...


class Affiant(Protocol):
    """Whoever swears and does not act: a source of data, a detector, a principal."""

    @property
    def key(self) -> LedgerKey: ...

    def swear(
        self,
        job: str,
        kind: str,
        subject: bytes,
        content: Mapping[str, Any],
        because: Sequence[Statement] = (),
    ) -> Statement:
        """Swear and log a statement, once per job."""
        ...

    def observe(self, job: str, item: Input) -> Input:
        """Swear to data as its source; return the input with which an agent decides over it."""
        ...


@dataclass(frozen=True)
class Step:
    """One step of a story: a line for people, and the same facts for machines."""

    title: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    good: bool | None = None
    """Whether a check came out as it should; None where nothing was checked."""
    progress: tuple[int, int] | None = None
    """(done, all) of a long work that this step is part of."""


class House(Protocol):
    """The real parts, wired together."""

    @property
    def folder(self) -> Path: ...

    @property
    def log(self) -> Log: ...

    @property
    def view(self) -> LogView:
        """The log, to be read: also where it is damaged, or may not be written."""
        ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def archive(self) -> Archive: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Every kind of statement that this house knows."""
        ...

    def models(self) -> Mapping[bytes, Model]:
        """Return the models of its verticals by digest, for replays."""
        ...

    def key(self, name: str) -> LedgerKey:
        """Return the key of that name in this house, made on first use."""
        ...

    def knows(self, name: str) -> bool:
        """Tell whether this house has a key of that name."""
        ...

    def agent(self, name: str, *, careful: bool = True, archive: Archive | None = None) -> Agent:
        """Return the agent with the key of that name.

        One that is not `careful` does not check the terms itself; another `archive` keeps its data
        elsewhere. Stories use both to show what happens then.
        """
        ...

    def affiant(self, name: str) -> Affiant:
        """Return whoever swears with the key of that name."""
        ...

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
        """Find or create the mandate of that name; return its address.

        The guardian may suspend the agent, on sworn alerts, for at most one day in any seven. The
        guard is a contract, an `IGuard`, that judges every action as a whole; the approvals one, an
        `IApprovals`, that says whether the model that decided is approved.
        """
        ...

    def artifact(self, name: str) -> Mapping[str, Any]:
        """Return a core contract, compiled: `SettlementToken`, money on a chain of one's own."""
        ...

    def deploy(self, artifact: Mapping[str, Any], *arguments: Any) -> bytes:
        """Find or deploy a contract; return its address."""
        ...

    def call(self, address: bytes, artifact: Mapping[str, Any], name: str, *arguments: Any) -> Any:
        """Read from a contract."""
        ...

    def events(
        self, address: bytes, artifact: Mapping[str, Any], name: str
    ) -> list[Mapping[str, Any]]:
        """Return a contract's events of that name, oldest first: what `args` hold, and where."""
        ...

    def send(
        self,
        sender: LedgerKey,
        address: bytes,
        artifact: Mapping[str, Any],
        name: str,
        *arguments: Any,
    ) -> bytes:
        """Send a transaction and wait until it is final here; return its hash."""
        ...


@dataclass(frozen=True)
class Vertical:
    """What a vertical brings to the house. The doors are `module:name`, opened when used.

    Its verbs are the typer application `app` in its module `cli`.
    """

    name: str
    summary: str
    story: str
    """A function `story(house, **options) -> Iterator[Step]`."""
    models: str
    """A function `models() -> list[Model]` with every model that a replay may need."""
    check: str | None = None
    """A function `check(**options)` that refuses bad options before a house is opened."""
    needs: tuple[str, ...] = ()
    """Modules beyond the base set; the extra with the vertical's name installs them."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
