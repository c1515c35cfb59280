"""Following a log and a chain: nothing is taken on their word, and replaced history is noticed.

The log's tree is built again from the entries' own bytes and compared with every checkpoint that
the log signs and that the chain holds. The chain is read block by block; a block whose parent is
not the block read before means that history was replaced; then reading goes back to where both
agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from affiant.kernel import body as bodies
from affiant.kernel import merkle, statement
from affiant.kernel.alert import RULE, Finding
from affiant.kernel.body import Kind
from affiant.kernel.checkpoint import Checkpoint, open_note
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import IntegrityError, MalformedError
from affiant.kernel.ports import Block, Head, Ledger, LogView
from affiant.verticals.security.sightings import Sighting, Sworn

REMEMBERED = 256
"""Blocks that are remembered; a chain that replaces more than these is not followed any further."""


@dataclass(frozen=True)
class Reorganised:
    """The chain replaced blocks: what they did may not have happened."""

    dropped: tuple[Block, ...]


@dataclass
class LogFollower:
    """Reads a log from its first entry on. `seen` is the size and root of an earlier reading."""

    log: LogView
    kinds: Mapping[str, Kind]
    seen: tuple[int, bytes] = (0, merkle.EMPTY_ROOT)
    size: int = 0
    time: int = 0
    sound: bool = True
    """Whether nothing was wrong with the log so far."""
    broken: tuple[str, str] | None = None
    """The fork or rollback after which nothing is read on."""
    unreadable: set[bytes] = field(default_factory=set)
    """Leaves of entries that are in the log and do not hold."""
    _peaks: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def root(self) -> bytes:
        """The root of the entries read so far."""
        return merkle.fold([peak for _, peak in self._peaks])

    def read(self, now: int) -> Iterator[Sworn | Sighting]:
        """Yield what is new in the log. A fork or rollback is told each time, and ends reading."""
        if self.broken is None:
            held, head = self.log.size(), self.log.head()
            self.broken = self._signed(head)
            least = max(self.size, self.seen[0])
            if self.broken is None and head.size < least:
                self.broken = "rollback", f"it shows {head.size} entries, it had {least}"
            yield from self._entries(head, now)
            if self.broken is None and head.size < held:  # a writer signs all that it has
                told = f"{held - head.size} entries are under no checkpoint"
                yield self.trouble("unsigned-tail", told, now)
        if self.broken is not None:
            yield self.trouble(*self.broken, now)

    def _entries(self, head: Head, now: int) -> Iterator[Sworn | Sighting]:
        while self.broken is None and self.size < head.size:
            entry = self.log.entry(self.size)
            told = self._sworn(self.size, entry, now)
            self._append(merkle.leaf_hash(entry))
            if self.size == self.seen[0] and self.root != self.seen[1]:
                reason = f"its first {self.size} entries are not those that were seen before"
                self.broken = "fork", reason
                return
            yield told
        if self.broken is None and self.root != head.root:
            reason = f"at size {head.size} it signs {to_hex(head.root)}, not its entries'"
            self.broken = "fork", reason

    def compare(self, size: int, root: bytes, now: int) -> Sighting | None:
        """Compare a checkpoint that the chain holds with the entries read."""
        if size > self.size:
            told = f"the chain holds {size} entries of it, it shows {self.size}"
            return self.trouble("rollback", told, now)
        try:
            path = merkle.consistency_path(self.log.node, size, self.size)
            merkle.check_consistency(size, self.size, root, self.root, path)
        except (MalformedError, IntegrityError) as error:
            told = f"the chain holds {to_hex(root)} at size {size}: {error.message}"
            return self.trouble("fork", told, now)
        return None

    def trouble(self, detector: str, reason: str, now: int) -> Sighting:
        """Return a finding about the log itself; the evidence is its policy, its first entry."""
        self.sound = False
        origin, first = self.log.policy.origin, merkle.leaf_hash(self.log.entry(0))
        finding = Finding(detector, RULE, "ASI06", reason, (first,))
        return Sighting(origin, finding, now)

    def _signed(self, head: Head) -> tuple[str, str] | None:
        try:
            told = open_note(head.note, self.log.key)
        except MalformedError as error:
            return "fork", f"its checkpoint does not hold: {error.message}"
        wanted = Checkpoint(self.log.policy.origin, head.size, head.root)
        return None if told == wanted else ("fork", f"it signed {told}, and shows {wanted}")

    def _append(self, leaf: bytes) -> None:
        level = 0
        while self._peaks and self._peaks[-1][0] == level:
            leaf = merkle.node_hash(self._peaks.pop()[1], leaf)
            level += 1
        self._peaks.append((level, leaf))
        self.size += 1

    def _sworn(self, index: int, entry: bytes, now: int) -> Sworn | Sighting:
        try:
            told = statement.decode(entry).verify()
            said = self.log.body(told.body) or b""
            body = bodies.decode(said, self.kinds)
            if (body.kind, sha256(said)) != (told.kind, told.body):
                raise MalformedError("kind-mismatch", "the body is not the one sworn to")
        except MalformedError as error:
            self.unreadable.add(merkle.leaf_hash(entry))
            return self.trouble("bad-entry", f"entry {index} does not hold: {error.message}", now)
        self.time = max(self.time, told.issued_at)  # the log lets none run far ahead of its clock
        return Sworn(index, told, body, self.time)


@dataclass
class ChainFollower:
    """Reads a chain from block 0 on."""

    ledger: Ledger
    blocks: deque[Block] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _dropped: list[Block] = field(default_factory=list)
    _lost: str = ""

    @property
    def height(self) -> int:
        """The number of the newest block read; -1 before any."""
        return self.blocks[-1].number if self.blocks else -1

    def read(self) -> Iterator[Block | Reorganised]:
        """Yield new blocks, and replaced ones.

        Raises:
            IntegrityError: more blocks were replaced than are remembered.
            LedgerError: the chain does not answer.
        """
        yield from self._rewind()
        while True:
            block = self.ledger.block(self.height + 1)
            if block is None:
                return
            if self.blocks and block.parent != self.blocks[-1].hash:
                yield from self._rewind()
                continue
            self.blocks.append(block)
            yield block

    def _rewind(self) -> Iterator[Reorganised]:
        while not self._lost and self.blocks and not self._stands(self.blocks[-1]):
            self._dropped.append(self.blocks.pop())
            if not self.blocks:
                self._lost = f"{self.ledger.name} replaced more than {len(self._dropped)} blocks"
        if self._lost:
            raise IntegrityError(
                self._lost, "Find out why its history changed before you rely on it; watch anew"
            )
        if self._dropped:  # also those before the chain stopped answering in between
            dropped, self._dropped = tuple(reversed(self._dropped)), []
            yield Reorganised(dropped)

    def _stands(self, block: Block) -> bool:
        held = self.ledger.block(block.number)
        return held is not None and held.hash == block.hash
