"""The watch: one step reads what is new in log and chain, judges it, answers it, and tells it.

Whatever cannot be seen is told as an event of its own, `blind`: silence means that all was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import AffiantError, InputError, MalformedError, SetupError
from affiant.kernel.house import House
from affiant.kernel.merkle import EMPTY_ROOT
from affiant.kernel.ports import Block
from affiant.verticals.security.answer import Answer, Guardian
from affiant.verticals.security.appeal import APPEAL, WRONG, charge_of
from affiant.verticals.security.follow import ChainFollower, LogFollower, Reorganised
from affiant.verticals.security.labels import Labels
from affiant.verticals.security.sentinel import Sentinel
from affiant.verticals.security.sightings import Sighting, Sworn

SKEW = 120
"""Seconds by which this clock may be behind: twice what a log lets statements run ahead."""


@dataclass(frozen=True)
class Event:
    """Something to tell: `name`, a line for people, and the same for machines."""

    name: str
    time: int
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return one line of a SIEM's feed."""
        return {
            "event": self.name,
            "time": bodies.moment(self.time),
            "text": self.text,
            **self.facts,
        }


@dataclass(frozen=True)
class Memory:
    """How far an earlier watch has read, and what the log was then."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    block: int = -1
    hash: bytes = b""
    """Of that block."""
    answered: int = 0
    """The entries whose sightings a watch with a guardian's key has answered."""


class Watch:
    """A sentinel over a house; with a guardian's name, one that answers."""

    def __init__(
        self,
        house: House,
        *,
        guardian: str | None = None,
        labels: Labels | None = None,
        seen: Memory | None = None,
        again: bool = False,
    ) -> None:
        """Begin a watch. It reads all, and tells what it has not `seen`; all of it if `again`."""
        self._house = house
        self._before = seen or Memory()
        self._told = Memory() if again else self._before
        self.log = LogFollower(house.view, house.kinds, (self._before.size, self._before.root))
        self._chain = ChainFollower(house.ledger)
        log_id, models = house.view.policy.log_id, house.models()
        self.sentinel = Sentinel(house.ledger, house.archive, log_id, models, labels or Labels())
        self.sentinel.unreadable = self.log.unreadable
        self._guardian: Guardian | None = None
        self._name = guardian or ""
        if guardian is not None:
            self._guardian = Guardian(house.affiant(guardian), house.log, house.ledger, house.clock)
        self._blocks: deque[Block] = deque()
        self._items: deque[Sworn | Sighting] = deque()
        self._open: list[Sighting] = []
        self._held: list[Sighting] = []
        """What blocks that were told of before have shown."""

    @property
    def memory(self) -> Memory | None:
        """What to remember for the next watch; None while something is wrong or waits."""
        judged = not self._items and not self._blocks and not self._open
        if not judged or not self.log.sound or self.log.size < self._before.size:
            return None
        height, hash_ = self._before.block, self._before.hash
        if self._chain.height >= height and self._chain.blocks:
            height, hash_ = self._chain.height, self._chain.blocks[-1].hash
        answered = self._before.answered if self._guardian is None else self.log.size
        return Memory(self.log.size, self.log.root, height, hash_, answered)

    def enter(self, house: House) -> None:
        """Go on in the same house after it was closed and opened again."""
        self._house = house
        self.log.log, self._chain.ledger = house.view, house.ledger
        self.sentinel.enter(house.ledger, house.archive)
        if self._guardian is not None:
            self._guardian.log, self._guardian.ledger = house.log, house.ledger
            self._guardian.affiant = house.affiant(self._name)

    def step(self) -> list[Event]:
        """Read, judge and answer all that is new.

        What could not be judged or answered, because log or chain did not answer, waits for the
        next step; so does what the chain did until the log has been read.
        """
        events: list[Event] = []
        self._read_chain(events)
        if self._read_log(events):
            self._judge(events)
        slow = self._slow()
        if slow is not None:
            events.append(self._blind("clock", slow))
        elif self._guardian is not None:
            events += self._answers(self._guardian)
        return events

    def _slow(self) -> AffiantError | None:
        """Return what is wrong with a clock that is behind; nothing is answered by it."""
        newest = max([self.log.time, *(block.time for block in self._chain.blocks)])
        behind = newest - self._house.clock.now()
        if behind <= SKEW:
            return None
        told = f"this machine's clock is {behind} s behind log or chain"
        return SetupError(told, "Set the clock; nobody is suspended until then")

    def _read_chain(self, events: list[Event]) -> None:
        try:
            for item in self._chain.read():
                if isinstance(item, Reorganised):
                    gone = {block.hash for block in item.dropped}
                    self._blocks = deque(b for b in self._blocks if b.hash not in gone)
                    self.sentinel.undo(item.dropped)
                    events.append(self._reorganised(item))
                else:
                    self._blocks.append(item)
        except AffiantError as error:
            events.append(self._blind("chain", error))

    def _read_log(self, events: list[Event]) -> bool:
        try:
            self._items += self.log.read(self._house.clock.now())
        except AffiantError as error:
            events.append(self._blind("log", error))
            return False
        return True

    def _judge(self, events: list[Event]) -> None:
        """Judge statements first, then blocks: what a block executed was logged before."""
        try:
            while self._items:
                item = self._items[0]
                found, new, due = self._entry(item, events), True, True
                if isinstance(item, Sworn):
                    new = item.index >= self._told.size
                    due = item.index >= self._before.answered
                self._seen(found, events, new=new, due=due)
                self._items.popleft()
            while self._blocks and self.log.broken is None:
                block = self._blocks[0]
                found = [*self.sentinel.block(block), *self._anchored(block)]
                self._blocks.popleft()
                new = block.number > self._told.block
                self._seen(found, events, new=new, due=True)
                self._held += [] if new else found
                if block.number == self._told.block and block.hash != self._told.hash:
                    # Another chain than the one told of: which blocks changed is not known.
                    events.append(self._other_chain(block))
                    events += map(_sighted, self._held)
        except AffiantError as error:
            events.append(self._blind("chain", error))

    def _seen(self, found: list[Sighting], events: list[Event], *, new: bool, due: bool) -> None:
        if self._guardian is not None and due:
            self._open += found
        if new:
            events += map(_sighted, found)

    def _entry(self, item: Sworn | Sighting, events: list[Event]) -> list[Sighting]:
        if isinstance(item, Sighting):
            self.sentinel.standings[item.suspect].findings.append((item.time, item.finding))
            return [item]
        if item.statement.kind == bodies.ALERT and self._guardian is not None:
            self._guardian.recall(item)
        elif item.statement.kind == APPEAL:
            told = self._appeal(item)
            events += [told] if item.index >= self._told.size else []
        return self.sentinel.sworn(item)

    def _appeal(self, item: Sworn) -> Event:
        content, by = item.body.content, item.statement.issuer
        leaf = from_hex(content["alert"], 32)
        facts = {"appeal": to_hex(item.statement.leaf), "alert": to_hex(leaf), "by": by.did}
        try:
            charge = charge_of(self.log.log, self._house.ledger, leaf)
        except (InputError, MalformedError) as error:
            return Event("appeal-ignored", item.time, error.message, facts)
        if by.kid != charge.terms.principal:
            return Event("appeal-ignored", item.time, f"{by.did} is not the principal", facts)
        verdict, reason = content["verdict"], content["reason"]
        settled = self.sentinel.settle(
            charge.evidence, charge.terms.principal, right=verdict == WRONG
        )
        self._open = [s for s in self._open if settled.isdisjoint(s.finding.statements)]
        text = f"the principal says ({verdict}): {reason}"
        return Event("appeal", item.time, text, {**facts, "verdict": verdict})

    def _anchored(self, block: Block) -> Iterator[Sighting]:
        for log_id, size, root in block.anchored:
            if log_id == self.log.log.policy.log_id:
                wrong = self.log.compare(size, root, block.time)
                if wrong is not None:
                    yield wrong

    def _answers(self, guardian: Guardian) -> Iterator[Event]:
        waiting, self._open = self._open, []
        for sighting in waiting:
            try:
                held = self.sentinel.mandates(sighting.suspect) if sighting.grounds else []
                for answer in guardian.answer(sighting, held):
                    yield _answered(answer, guardian)
            except AffiantError as error:
                self._open.append(sighting)
                yield self._blind("answer", error)
        for carried in guardian.confirm():
            if isinstance(carried, AffiantError):
                yield self._blind("answer", carried)
                continue
            leaf, result = carried
            name = "carried-again" if result == "carried" else "not-carried"
            text = f"alert {to_hex(leaf)}, carried to the chain once more: {result}"
            facts = {"alert": to_hex(leaf), "result": result}
            yield Event(name, guardian.clock.now(), text, facts)

    def _other_chain(self, block: Block) -> Event:
        text = f"block {block.number} is not the one seen before; what came before it is told again"
        return Event("reorganised", block.time, text, {"block": block.number})

    def _reorganised(self, item: Reorganised) -> Event:
        numbers = [block.number for block in item.dropped]
        if numbers[0] <= self._told.block:  # what replaces them is new
            self._told = replace(self._told, block=numbers[0] - 1)
        text = f"{self._house.ledger.name} replaced blocks {numbers[0]} to {numbers[-1]}"
        undone = [to_hex(leaf) for block in item.dropped for _, leaf, _ in block.executed]
        return Event("reorganised", self._house.clock.now(), text, {"executionsDropped": undone})

    def _blind(self, what: str, error: AffiantError) -> Event:
        facts = {"what": what, "error": error.message, "remedy": error.remedy}
        return Event("blind", self._house.clock.now(), f"{what} out of reach: {error}", facts)


def _sighted(sighting: Sighting) -> Event:
    finding = sighting.finding
    text = f"{finding.threat} {finding.detector}: {sighting.suspect}: {finding.reason}"
    facts = {"suspect": sighting.suspect, **finding.to_json()}
    return Event("sighting", sighting.time, text, facts)


def _answered(answer: Answer, guardian: Guardian) -> Event:
    facts: dict[str, Any] = {"suspect": answer.suspect, "alert": to_hex(answer.told.leaf)}
    facts["threats"] = sorted({finding.threat for finding in answer.findings})
    if answer.mandate is not None:
        facts |= {"mandate": to_hex(answer.mandate), "until": answer.until}
    if answer.refused is not None:
        text = f"{answer.suspect} not suspended: {answer.refused}; told in alert {facts['alert']}"
        return Event("not-suspended", guardian.clock.now(), text, {**facts, "rule": answer.refused})
    if answer.mandate is None:
        about = ", ".join(sorted({finding.detector for finding in answer.findings}))
        text = f"{answer.suspect} warned of ({about}) in alert {facts['alert']}"
        return Event("warned", guardian.clock.now(), text, facts)
    until = bodies.moment(answer.until)
    text = f"{answer.suspect} suspended until {until} by alert {facts['alert']}"
    return Event("suspended", guardian.clock.now(), text, facts)
