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
from affiant.kernel.alert import ASSOCIATION, INDEPENDENT, RULE, Finding, grounded
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
    short,
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
        self._paces: dict[tuple[str, bytes], Pace] = defaultdict(Pace)
        self._recent: dict[tuple[str, bytes], deque[tuple[Decided, list[Finding]]]] = defaultdict(
            lambda: deque(maxlen=TOGETHER)
        )
        self._seen: dict[bytes, Seen] = {}
        self._decided: dict[bytes, Decided] = {}
        self._early: dict[bytes, Sworn] = {}
        self._principals: dict[str, dict[bytes, bytes]] = defaultdict(dict)
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
        elif bound is not None:  # of no mandate yet: judged when the chain executes it
            self._early[leaf] = told
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
            terms, early = ours[mandate], self._early.pop(leaf, None)
            bound = None if early is None else _bound(early)
            if early is not None and bound is not None and terms is not None:
                found += self._decision(early, bound, terms)
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
            name = self._name(terms.agent)
            executed, logged = tried.leaf in self._executed, self._logged(tried.leaf)
            judged = self.rules.attempted(tried, name, block.time, logged=logged, executed=executed)
            if judged is not None:
                found.append(judged)
                if judged.suspect == name:
                    self._principals[name][terms.principal] = terms.agent
        return self._noted(found)

    def _name(self, agent: bytes) -> str:
        """Return an agent's did:key, or its address if it never swore here."""
        names = (n for n, held in self._principals.items() if agent in held.values())
        return next(names, to_hex(agent))

    def _logged(self, leaf: bytes) -> bool:
        # An entry that does not hold is the log's fault: its words may have been a decision.
        return leaf in self._decided or leaf in self._early or leaf in self.unreadable

    def undo(self, dropped: Sequence[Block]) -> None:
        """Forget what replaced blocks executed: to carry it again is no replay."""
        for block in dropped:
            self._executed -= {leaf for _, leaf, _ in block.executed}

    def _together(self, past: tuple[str, bytes]) -> tuple[Finding, ...]:
        """Return what the last decision is grounds for a suspension by; nothing if it is not.

        What may be wrong counts together over the last decisions with the same account. A rule
        counts for the decision that broke it: that one has been answered.
        """
        recent = self._recent[past]
        last, now = recent[-1]
        together = [
            finding
            for decided, findings in recent
            for finding in findings
            if finding.family in INDEPENDENT and decided.counterparty == last.counterparty
        ]
        together += [finding for finding in now if finding.family == RULE]
        if not any(finding.family != ASSOCIATION for finding in now):
            return ()
        return tuple(together) if grounded([finding.family for finding in together]) else ()

    def mandates(self, suspect: str) -> list[bytes]:
        """Return a suspect's mandates, by every principal for whom it has decided anything."""
        held = self._principals.get(suspect, {})
        granted = [m for agent in set(held.values()) for m in self.ledger.granted(agent)]
        terms = [(mandate, self._terms_of(mandate)) for mandate in granted]
        return [m for m, granted_by in terms if granted_by and granted_by.principal in held]

    def settle(self, leaves: Sequence[bytes], principal: bytes, *, right: bool) -> set[bytes]:
        """Begin anew with whoever made these decisions for a principal; `right` if it says so.

        Return all that they have decided for it: its principal has judged that.
        """
        judged = [self._decided[leaf] for leaf in leaves if leaf in self._decided]
        judged = [decided for decided in judged if decided.principal == principal]
        pasts = {decided.past for decided in judged}
        settled = {leaf for leaf, decided in self._decided.items() if decided.past in pasts}
        for decided in judged:
            self._recent[decided.past].clear()
            findings = self.standings[decided.agent].findings
            kept = [one for one in findings if settled.isdisjoint(one[1].statements)]
            findings.clear()
            findings.extend(kept)
            if right:
                self.habits.accept(decided)
        return settled

    def _noted(self, found: list[Sighting]) -> list[Sighting]:
        """Keep findings with their suspects. A rule is grounds by itself."""
        told = []
        for sighting in found:
            finding, grounds = sighting.finding, sighting.grounds
            self.standings[sighting.suspect].findings.append((sighting.time, finding))
            if finding.family == RULE and not grounds:
                grounds = (finding,)
            told.append(replace(sighting, grounds=grounds))
        return told

    def _refused(self, told: Sworn) -> Iterator[Sighting]:
        if told.body.content["rule"] == "input-altered":
            reason = short(told.body.content["reason"])
            leaves = (told.statement.leaf,)
            finding = Finding("input-altered", "provenance", "ASI06", reason, leaves)
            yield Sighting(told.statement.issuer.did, finding, told.time)

    def _decision(self, told: Sworn, bound: BoundAction, terms: Terms) -> list[Sighting]:
        by = told.statement.issuer
        if bound.chain_id != self.ledger.chain_id:  # nothing can come of it here
            return []
        if by.kid != terms.agent:
            return [self.rules.impersonated(told, bound.mandate)]
        self._principals[by.did][terms.principal] = by.kid
        decided = self._as_decided(told, bound, terms)
        self._decided[decided.leaf] = decided
        found = [*self.rules.decided(decided, terms)]
        found += self.provenance.judge(decided)
        found += self.habits.judge(decided)
        pace = self._paces[decided.past]
        point = pace.point(decided)
        found += self._pace(decided, pace, point)
        found += self.labels.decided(decided, terms)
        self._recent[decided.past].append((decided, [sighting.finding for sighting in found]))
        grounds = self._together(decided.past)
        if not grounds:
            self.provenance.learn(decided)
            self.habits.learn(decided)
            pace.neighbours.learn(point)
        return [
            sighting
            if sighting.finding.family == ASSOCIATION
            else replace(sighting, grounds=grounds)
            for sighting in found
        ]

    def _as_decided(self, told: Sworn, bound: BoundAction, terms: Terms) -> Decided:
        amount, accounts = measure(bound, terms)
        leaves = [from_hex(leaf, 32) for leaf in told.body.content["inputs"]]
        inputs = tuple(self._seen[leaf] for leaf in leaves if leaf in self._seen)
        return Decided(
            agent=told.statement.issuer.did,
            leaf=told.statement.leaf,
            time=told.time,
            iat=told.statement.issued_at,
            bound=bound,
            inputs=inputs,
            amount=amount,
            accounts=accounts,
            principal=terms.principal,
            whole=len(inputs) == len(leaves),
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
