"""Provenance: whose word a decision rests on, and whether its model says it.

A decision is run again where that is possible: where its model is at hand and deterministic, and
the data is there and is what was sworn to. An answer with another call is a hard rule. A model that
nobody but the agent vouches for, or data that the source used to swear to and the agent now swears
to itself, is a finding that may be wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from affiant.kernel.alert import RULE, Finding
from affiant.kernel.encoding import jcs_decode, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.model import SALT_LENGTH, Model, Proposal, commitment
from affiant.kernel.ports import Archive
from affiant.verticals.security.sightings import Decided, Seen, Sighting, chance_text

SOFT = "provenance"
KNOWN = "known"

RARE = 0.05
"""Whoever vouches more often than this is expected to."""
MEMORY = 500
"""Decisions after which an earlier voucher counts by 1/e."""
SLOW = 0.2


@dataclass
class Vouchers:
    """Who vouches for one sort of thing, and how often of late."""

    counts: dict[str, float] = field(default_factory=dict)
    total: float = 0.0

    def chance(self, by: str) -> float:
        """Return how likely it is that `by` vouches, by Laplace's rule."""
        return (self.counts.get(by, 0.0) + 1) / (self.total + 2)

    def learn(self, by: str) -> None:
        """Count once more; somebody unexpected counts for little, and gets there slowly."""
        fade, weight = 1 - 1 / MEMORY, 1.0 if self.chance(by) > RARE else SLOW
        self.counts = {name: count * fade for name, count in self.counts.items() if count > RARE}
        self.counts[by] = self.counts.get(by, 0.0) + weight
        self.total = sum(self.counts.values())


@dataclass
class Provenance:
    """Runs decisions again with the models at hand; remembers who vouched for what."""

    archive: Archive
    models: Mapping[bytes, Model]
    vouched_for: set[tuple[bytes, bytes]] = field(default_factory=set)
    """(model digest, ledger address) of whoever swore to it."""
    _models: dict[str, Vouchers] = field(default_factory=lambda: defaultdict(Vouchers))
    _sources: dict[tuple[str, str], Vouchers] = field(default_factory=lambda: defaultdict(Vouchers))

    def judge(self, told: Decided, principal: bytes) -> Iterator[Sighting]:
        """Judge a decision under a mandate of that principal."""
        wrong = self._again(told)
        if wrong is not None:
            yield self._sighting(told, *wrong)
        by = self._voucher(told, principal)
        chance = self._models[told.agent].chance(by)
        if by != KNOWN and chance <= RARE:
            reason, said = f"nobody but the agent vouches for model {by}", chance_text(chance)
            yield self._sighting(told, SOFT, "unknown-model", "ASI04", reason, said)
        for seen in told.inputs:
            # Also over all sources together: a new name of a source makes nobody's word usual.
            chance = min(voucher.chance(seen.by) for voucher in self._of(told, seen))
            if chance <= RARE:
                reason = f"{seen.source!r:.80} is sworn to by {seen.by}, not by who usually does"
                said = chance_text(chance)
                yield self._sighting(told, SOFT, "unsworn-source", "ASI06", reason, said)

    def learn(self, told: Decided, principal: bytes) -> None:
        """Take a decision into the agent's past."""
        self._models[told.agent].learn(self._voucher(told, principal))
        for seen in told.inputs:
            for voucher in self._of(told, seen):
                voucher.learn(seen.by)

    def _of(self, told: Decided, seen: Seen) -> tuple[Vouchers, Vouchers]:
        return self._sources[told.agent, seen.source], self._sources[told.agent, ""]

    def _voucher(self, told: Decided, principal: bytes) -> str:
        digest = told.bound.action.model
        known = digest in self.models or (digest, principal) in self.vouched_for
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
        finding = Finding(detector, family, threat, reason, (told.leaf,), (), chance)
        return Sighting(told.agent, finding, told.time)
