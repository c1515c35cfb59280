"""Provenance: whose word a decision rests on, and whether its model says it.

A decision is run again where that is possible: where its model is at hand and deterministic, and
the data is there and is what was sworn to. An answer with another call is a hard rule. A model that
nobody but the agent vouches for, or data that the source used to swear to and the agent now swears
to itself, is a finding that may be wrong.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from affiant.kernel.alert import RULE, Finding
from affiant.kernel.encoding import jcs_decode, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.model import SALT_LENGTH, Model, Proposal, commitment
from affiant.kernel.ports import Archive
from affiant.verticals.security.habits import PROBATION
from affiant.verticals.security.sightings import Decided, Seen, Sighting, chance_text, short

SOFT = "provenance"
KNOWN = "known"

RARE = 0.05
"""Whoever vouches more often than this is expected to."""
MEMORY = 500
"""Decisions after which an earlier voucher counts by 1/e."""


@dataclass
class Vouchers:
    """Who vouches for one sort of thing, and how often of late."""

    counts: dict[str, float] = field(default_factory=dict)
    waiting: deque[tuple[int, str]] = field(default_factory=deque)
    """When somebody unexpected begins to count: a word is not made usual by being given often."""

    def chance(self, by: str, time: int) -> float:
        """Return how likely it is that `by` vouches, by Laplace's rule."""
        while self.waiting and self.waiting[0][0] <= time:
            self._count(self.waiting.popleft()[1])
        return (self.counts.get(by, 0.0) + 1) / (sum(self.counts.values()) + 2)

    def learn(self, by: str, time: int) -> None:
        """Count once more; somebody unexpected after probation."""
        if self.chance(by, time) > RARE:
            self._count(by)
        else:
            self.waiting.append((time + PROBATION, by))

    def _count(self, by: str) -> None:
        fade = 1 - 1 / MEMORY
        self.counts = {name: count * fade for name, count in self.counts.items() if count > RARE}
        self.counts[by] = self.counts.get(by, 0.0) + 1


@dataclass
class Provenance:
    """Runs decisions again with the models at hand; remembers who vouched for what."""

    archive: Archive
    models: Mapping[bytes, Model]
    vouched_for: set[tuple[bytes, bytes]] = field(default_factory=set)
    """(model digest, ledger address) of whoever swore to it."""
    _models: dict[tuple[str, bytes], Vouchers] = field(
        default_factory=lambda: defaultdict(Vouchers)
    )
    _sources: dict[tuple[tuple[str, bytes], str], Vouchers] = field(
        default_factory=lambda: defaultdict(Vouchers)
    )

    def judge(self, told: Decided) -> Iterator[Sighting]:
        """Judge a decision."""
        wrong = self._again(told)
        if wrong is not None:
            yield self._sighting(told, *wrong)
        by = self._voucher(told)
        chance = self._models[told.past].chance(by, told.time)
        if by != KNOWN and chance <= RARE:
            reason, said = f"nobody but the agent vouches for model {by}", chance_text(chance)
            yield self._sighting(told, SOFT, "unknown-model", "ASI04", reason, said)
        for seen in told.inputs:
            # Also over all sources together: a new name of a source makes nobody's word usual.
            chance = min(voucher.chance(seen.by, told.time) for voucher in self._of(told, seen))
            if chance <= RARE:
                reason = f"{seen.source!r:.80} is sworn to by {seen.by}, not by who usually does"
                said = chance_text(chance)
                yield self._sighting(told, SOFT, "unsworn-source", "ASI06", reason, said)

    def learn(self, told: Decided) -> None:
        """Take a decision into the agent's past."""
        self._models[told.past].learn(self._voucher(told), told.time)
        for seen in told.inputs:
            for voucher in self._of(told, seen):
                voucher.learn(seen.by, told.time)

    def _of(self, told: Decided, seen: Seen) -> tuple[Vouchers, Vouchers]:
        return self._sources[told.past, seen.source], self._sources[told.past, ""]

    def _voucher(self, told: Decided) -> str:
        digest = told.bound.action.model
        known = digest in self.models or (digest, told.principal) in self.vouched_for
        return KNOWN if known else to_hex(digest)

    def _again(self, told: Decided) -> tuple[str, str, str, str] | None:
        """Run a decision again; return what is wrong with it, if it can be told."""
        model = self.models.get(told.bound.action.model)
        values = None if model is None or not model.deterministic else self._values(told)
        if model is None or values is None:
            return None
        try:
            answer = model.predict(values)
        except Exception as error:  # noqa: BLE001 (whatever stops it: this machine may be at fault)
            reason = f"{model.name} fails over these inputs: {error!r:.120}"
            return SOFT, "replay-failed", "ASI06", reason
        said = f"{model.name} would not have acted: {answer.reason:.120}"
        if isinstance(answer, Proposal):
            call, action = answer.call, told.bound.action
            if (call.target, call.data, call.value) == (action.target, action.data, action.value):
                return None
            said = f"{model.name} would have made another call: {answer.reason:.120}"
        return RULE, "not-reproducible", "ASI01", said

    def _values(self, told: Decided) -> list[Any] | None:
        if not told.whole:
            return None
        values = []
        for seen in told.inputs:
            kept = self.archive.get(seen.subject)
            # Data that is not what was sworn to is no evidence against the agent.
            if kept is None or len(kept[0]) != SALT_LENGTH or commitment(*kept) != seen.subject:
                return None
            try:
                values.append(jcs_decode(kept[1]))
            except MalformedError:
                return None
        return values

    def _sighting(
        self,
        told: Decided,
        family: str,
        detector: str,
        threat: str,
        reason: str,
        chance: str | None = None,
    ) -> Sighting:
        finding = Finding(detector, family, threat, short(reason), (told.leaf,), (), chance)
        return Sighting(told.agent, finding, told.time)
