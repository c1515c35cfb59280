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
    _peaks: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def root(self) -> bytes:
        """The root of the entries read so far."""
        return merkle.fold([peak for _, peak in self._peaks])

    def read(self, now: int) -> Iterator[Sworn | Sighting]:
        """Yield what is new in the log, and what is wrong with it; then nothing is read on."""
        head = self.log.head()
        wrong = self._signed(head)
        least = max(self.size, self.seen[0])
        if wrong is None and head.size < least:
            wrong = "rollback", f"it shows {head.size} entries, it had {least}"
        while wrong is None and self.size < head.size:
            entry = self.log.entry(self.size)
            told = self._sworn(self.size, entry, now)
            self._append(merkle.leaf_hash(entry))
            if self.size == self.seen[0] and self.root != self.seen[1]:
                wrong = "fork", f"its first {self.size} entries are not those that were seen before"
                break
            yield told
        if wrong is None and self.root != head.root:
            wrong = "fork", f"at size {head.size} it signs {to_hex(head.root)}, not its entries'"
        if wrong is not None:
            yield self.trouble(*wrong, now)

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
        finding = Finding(detector, RULE, "ASI06", f"{origin}: {reason}", (first,))
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
            return self.trouble("bad-entry", f"entry {index} does not hold: {error.message}", now)
        self.time = max(self.time, min(told.issued_at, now))
        return Sworn(index, told, body, self.time)


@dataclass
class ChainFollower:
    """Reads a chain from block 0 on."""

    ledger: Ledger
    blocks: deque[Block] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

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
        dropped: list[Block] = []
        while self.blocks and not self._stands(self.blocks[-1]):
            dropped.append(self.blocks.pop())
            if not self.blocks:
                raise IntegrityError(
                    f"{self.ledger.name} replaced more than {len(dropped)} blocks",
                    "Find out why its history changed before you rely on it; then watch anew",
                )
        if dropped:
            yield Reorganised(tuple(reversed(dropped)))

    def _stands(self, block: Block) -> bool:
        held = self.ledger.block(block.number)
        return held is not None and held.hash == block.hash
