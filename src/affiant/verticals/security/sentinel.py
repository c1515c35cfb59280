"""The sentinel: every statement and block goes past it; it says who stands where, and why.

It judges hard rules first, then what may be wrong: drift from the agent's habits, unusual amounts
and pace, provenance, association. It answers nobody itself: the `grounds` of a sighting are what
would justify it.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from affiant.kernel import body as bodies
from affiant.kernel.action import BoundAction
from affiant.kernel.alert import ASSOCIATION, RULE, Finding, grounded
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import MandateUnknown
from affiant.kernel.mandate import Terms
from affiant.kernel.model import Model
from affiant.kernel.ports import Archive, Block, Ledger
from affiant.verticals.security.anomaly import Neighbours
from affiant.verticals.security.habits import Habits
from affiant.verticals.security.labels import Labels
from affiant.verticals.security.provenance import Provenance
from affiant.verticals.security.rules import Rules
from affiant.verticals.security.sightings import (
    Decided,
    Seen,
    Sighting,
    Sworn,
    chance_text,
    measure,
)

UNLIKELY = 1e-5
"""An amount or pace that is likelier than this in the agent's own past is no finding."""
TOGETHER = 3
"""Decisions of an agent whose findings count together, if they deal with the same account."""
HALF_LIFE = 86_400
"""Seconds in which a finding loses half of its weight in a standing."""
WEIGHTS = defaultdict(lambda: 0.4, {RULE: 0.95, ASSOCIATION: 0.2})
HOUR = 3600


@dataclass
class Standing:
    """Who stands where: the findings about somebody, newest last, and the risk they add up to."""

    findings: deque[tuple[int, Finding]] = field(default_factory=lambda: deque(maxlen=50))

    def risk(self, now: int) -> float:
        """Return 0 to 1: the chance that at least one finding is right, if each had its weight."""
        calm = 1.0
        for time, finding in self.findings:
            calm *= 1 - WEIGHTS[finding.family] * 0.5 ** (max(0, now - time) / HALF_LIFE)
        return 1 - calm


@dataclass
class Pace:
    """One agent's amounts and times, and what is unusual about them."""

    # All features are logarithms: differences below a tenth are none.
    neighbours: Neighbours = field(default_factory=lambda: Neighbours(least_spread=0.1))
    times: deque[int] = field(default_factory=deque)

    def point(self, told: Decided) -> tuple[float, float, float]:
        """Return log amount, log seconds since the last decision, log decisions in this hour."""
        gap = told.time - self.times[-1] if self.times else HOUR
        self.times.append(told.time)
        while self.times[0] <= told.time - HOUR:
            self.times.popleft()
        return math.log1p(told.amount), math.log1p(max(0, gap)), math.log1p(len(self.times))


@dataclass
class Sentinel:
    """Scores everybody who swears, and who calls mandates."""

    ledger: Ledger
    archive: Archive
    log_id: bytes
    """The log that is read. Mandates that name another one are none of its business."""
    models: Mapping[bytes, Model] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    rules: Rules = field(default_factory=Rules)
    standings: dict[str, Standing] = field(default_factory=lambda: defaultdict(Standing))

    def __post_init__(self) -> None:
        self.habits = Habits()
        self.provenance = Provenance(self.archive, self.models)
        self._paces: dict[str, Pace] = defaultdict(Pace)
        self._recent: dict[str, deque[tuple[Decided, list[Finding]]]] = defaultdict(
            lambda: deque(maxlen=TOGETHER)
        )
        self._seen: dict[bytes, Seen] = {}
        self._decided: dict[bytes, Decided] = {}
        self._agents: dict[bytes, str] = {}
        self._executed: set[bytes] = set()
        self._tried: set[bytes] = set()
        self._terms: dict[bytes, Terms] = {}
        self.unreadable: set[bytes] = set()

    def enter(self, ledger: Ledger, archive: Archive) -> None:
        """Go on with the same ledger and archive, opened again."""
        self.ledger, self.archive, self.provenance.archive = ledger, archive, archive

    def sworn(self, told: Sworn) -> list[Sighting]:
        """Judge a statement.

        Raises:
            LedgerError: the chain does not answer; nothing was counted, judge it again.
        """
        bound = _bound(told)
        terms = None if bound is None else self._terms_of(bound.mandate)
        found = list(self.rules.sworn(told))
        leaf, by = told.statement.leaf, told.statement.issuer
        self.standings[by.did]  # whoever swears has a standing, also a good one
        if told.statement.kind == bodies.OBSERVATION:
            source = told.body.content["source"]
            self._seen[leaf] = Seen(leaf, told.statement.subject, source, by.did)
        elif told.statement.kind == bodies.MODEL:
            self.provenance.vouched_for.add((told.statement.subject, by.kid))
        elif told.statement.kind == bodies.REFUSAL:
            found += self._refused(told)
        elif bound is not None and terms is not None:
            found += self._decision(told, bound, terms)
        return self._noted(found)

    def block(self, block: Block) -> list[Sighting]:
        """Judge what a block did; the log must have been read since the block was.

        Raises:
            LedgerError: the chain does not answer; nothing was counted, judge it again.
        """
        ours = {
            mandate: self._terms_of(mandate)
            for mandate in [mandate for mandate, _, _ in block.executed]
            + [tried.mandate for tried in block.attempts]
        }
        found = []
        for mandate, leaf, transaction in block.executed:
            self._executed.add(leaf)
            if ours[mandate] is not None and not self._logged(leaf):
                reason = f"mandate {to_hex(mandate)} executed {to_hex(leaf)}, which nobody logged"
                finding = Finding("off-the-record", RULE, "ASI10", reason, (), (transaction,))
                found.append(Sighting(to_hex(mandate), finding, block.time))
        for tried in block.attempts:
            terms = ours[tried.mandate]
            # A transaction may be mined again after a reorganisation.
            if terms is None or tried.transaction in self._tried:
                continue
            self._tried.add(tried.transaction)
            name = self._agents.setdefault(terms.agent, to_hex(terms.agent))
            executed, logged = tried.leaf in self._executed, self._logged(tried.leaf)
            judged = self.rules.attempted(tried, name, block.time, logged=logged, executed=executed)
            found += [] if judged is None else [judged]
        return self._noted(found)

    def _logged(self, leaf: bytes) -> bool:
        # An entry that does not hold is the log's fault: its words may have been a decision.
        return leaf in self._decided or leaf in self.unreadable

    def undo(self, dropped: Sequence[Block]) -> None:
        """Forget what replaced blocks executed: to carry it again is no replay."""
        for block in dropped:
            self._executed -= {leaf for _, leaf, _ in block.executed}

    def _together(self, suspect: str) -> list[Finding]:
        """Return what counts together with the suspect's last decision."""
        recent = self._recent[suspect]
        if not recent:
            return []
        last, _ = recent[-1]
        return [
            finding
            for decided, findings in recent
            for finding in findings
            if finding.family == RULE or decided.counterparty == last.counterparty
        ]

    def mandates(self, suspect: str) -> list[bytes]:
        """Return the mandates of a suspect that is an agent, those of this log."""
        agent = next((kid for kid, did in self._agents.items() if did == suspect), None)
        held = [] if agent is None else self.ledger.granted(agent)
        return [mandate for mandate in held if self._terms_of(mandate) is not None]

    def settle(self, leaves: list[bytes], *, right: bool) -> None:
        """Begin anew with whoever made these decisions; `right` if its principal says so."""
        for leaf in leaves:
            told = self._decided.get(leaf)
            if told is not None:
                self._recent[told.agent].clear()
                self.standings[told.agent].findings.clear()
                if right:
                    self.habits.accept(told)

    def _noted(self, found: list[Sighting]) -> list[Sighting]:
        """Keep findings with their suspects, and say what they are grounds for now."""
        told = []
        for sighting in found:
            self.standings[sighting.suspect].findings.append((sighting.time, sighting.finding))
            findings = self._together(sighting.suspect)
            if sighting.finding not in findings:
                findings = [*findings, sighting.finding]
            grounds = [finding for finding in findings if finding.family != ASSOCIATION]
            if not grounded([finding.family for finding in grounds]):
                grounds = []
            told.append(replace(sighting, grounds=tuple(grounds)))
        return told

    def _refused(self, told: Sworn) -> Iterator[Sighting]:
        if told.body.content["rule"] == "input-altered":
            reason = told.body.content["reason"]
            leaves = (told.statement.leaf,)
            finding = Finding("input-altered", "provenance", "ASI06", reason, leaves)
            yield Sighting(told.statement.issuer.did, finding, told.time)

    def _decision(self, told: Sworn, bound: BoundAction, terms: Terms) -> list[Sighting]:
        by = told.statement.issuer
        if bound.chain_id != self.ledger.chain_id:  # nothing can come of it here
            return []
        if by.kid != terms.agent:
            return [self.rules.impersonated(told, bound.mandate)]
        self._agents[by.kid] = by.did
        decided = self._as_decided(told, bound, terms)
        self._decided[decided.leaf] = decided
        found = [*self.rules.decided(decided, terms)]
        found += self.provenance.judge(decided, terms.principal)
        found += self.habits.judge(decided)
        pace = self._paces[by.did]
        point = pace.point(decided)
        found += self._pace(decided, pace, point)
        found += self.labels.decided(decided, terms)
        self._recent[by.did].append((decided, [sighting.finding for sighting in found]))
        if not grounded([finding.family for finding in self._together(by.did)]):
            self.provenance.learn(decided, terms.principal)
            self.habits.learn(decided)
            pace.neighbours.learn(point)
        return found

    def _as_decided(self, told: Sworn, bound: BoundAction, terms: Terms) -> Decided:
        amount, accounts = measure(bound, terms)
        leaves = [from_hex(leaf, 32) for leaf in told.body.content["inputs"]]
        return Decided(
            agent=told.statement.issuer.did,
            leaf=told.statement.leaf,
            time=told.time,
            iat=told.statement.issued_at,
            bound=bound,
            inputs=tuple(self._seen[leaf] for leaf in leaves if leaf in self._seen),
            amount=amount,
            accounts=accounts,
        )

    def _pace(
        self, told: Decided, pace: Pace, point: tuple[float, float, float]
    ) -> Iterator[Sighting]:
        chance = pace.neighbours.score(point)
        if chance <= UNLIKELY:
            gap, many = round(math.expm1(point[1])), round(math.expm1(point[2]))
            reason = f"{told.amount} units, {gap} s after the last, {many} within the hour"
            said, leaves = chance_text(chance), (told.leaf,)
            finding = Finding("amount-and-pace", "anomaly", "ASI10", reason, leaves, (), said)
            yield Sighting(told.agent, finding, told.time)

    def _terms_of(self, mandate: bytes) -> Terms | None:
        """Return the terms of a mandate of this chain and log; None of any other."""
        if mandate not in self._terms:
            try:
                self._terms[mandate] = self.ledger.terms(mandate)
            except MandateUnknown:
                return None
        terms = self._terms[mandate]
        return terms if terms.log_id == self.log_id else None


def _bound(told: Sworn) -> BoundAction | None:
    if told.statement.kind != bodies.DECISION:
        return None
    return BoundAction.from_json(told.body.content["action"])
