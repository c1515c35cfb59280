"""The answer to a sighting: a sworn warning, or a sworn suspension carried to the chain.

A guardian can only keep an agent still, for a while, on its budget; what it cannot do is sworn as a
warning that says so. A suspension is sworn once for its evidence and mandate, and carried until the
chain holds it: also when blocks that held it are replaced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from affiant.kernel import alert
from affiant.kernel import body as bodies
from affiant.kernel import suspension as stays
from affiant.kernel.alert import Finding
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import AffiantError, CallReverted, InputError, MandateRefused
from affiant.kernel.house import Affiant
from affiant.kernel.ports import Clock, Ledger, Log
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension
from affiant.verticals.security.appeal import charge_of
from affiant.verticals.security.sightings import Sighting, Sworn

SECONDS = 3 * 3600
"""How long a suspension lasts, if the guardian's budget allows it."""
FRESH = 86_400
"""Seconds after which a sighting is no cause to suspend any more: somebody should look first."""
WARNINGS = 30
"""Warnings that are sworn in an hour at most, whoever gives cause for them."""
REPEAT = 3600
"""Seconds until a warning about the same is sworn again: alerts must not flood the log."""
NOT_THE_GUARDIAN = "NotTheGuardian"


@dataclass(frozen=True)
class Answer:
    """What was answered: the alert, and the suspension that it demands, if any."""

    suspect: str
    findings: tuple[Finding, ...]
    told: Statement
    mandate: bytes | None = None
    until: int = 0
    refused: str | None = None
    """Why the agent was not suspended."""


@dataclass
class Guardian:
    """A detector's key at work, and what it has answered."""

    affiant: Affiant
    log: Log
    ledger: Ledger
    clock: Clock
    seconds: int = SECONDS
    carrying: dict[bytes, tuple[BoundSuspension, Statement]] = field(default_factory=dict)
    """Alerts that the chain may not hold yet."""
    _suspended: set[tuple[bytes, Finding]] = field(default_factory=set)
    """(mandate, finding) of every suspension that was sworn."""
    _warned: set[tuple[str, Finding]] = field(default_factory=set)
    _quiet: dict[tuple[str, str], int] = field(default_factory=dict)
    _sworn: deque[int] = field(default_factory=deque)
    """When warnings were sworn of late."""
    _told: set[tuple[bytes, str]] = field(default_factory=set)

    def recall(self, item: Sworn) -> None:
        """Take note of a logged alert: one of ours is not sworn again, and is carried on.

        Raises:
            LedgerError: the chain does not answer; recall it again.
        """
        told, said = item.statement, item.body.content
        if told.issuer != self.affiant.key.public:
            return
        findings = [Finding.from_json(finding) for finding in said["findings"]]
        if said["suspension"] is not None:
            try:
                charge = charge_of(self.log, self.ledger, told.leaf)
            except InputError:  # whoever swore this with our key gets nothing from it
                return
            self._suspended |= {(charge.bound.mandate, finding) for finding in findings}
            self.carrying.setdefault(told.leaf, (charge.bound, told))
        self._warned |= {(said["suspect"], finding) for finding in findings}
        if said["suspension"] is None:
            about = [said["refused"] or "", *(finding.detector for finding in findings)]
            self._quiet |= {(said["suspect"], name): item.time + REPEAT for name in about}

    def answer(self, sighting: Sighting, mandates: Sequence[bytes]) -> Iterator[Answer]:
        """Suspend what there are grounds for, or warn.

        Raises:
            AffiantError: log or chain does not answer; answer the same again.
        """
        suspect, done = sighting.suspect, False
        fresh = sighting.time > self.clock.now() - FRESH
        for mandate in mandates if sighting.grounds and fresh else ():
            if (mandate, sighting.finding) in self._suspended or self._still(mandate):
                continue
            refused = self._prevented(mandate)
            if refused is None:
                yield self._suspend(suspect, sighting.grounds, mandate)
            elif self._due(suspect, _why(refused, mandate), sighting):
                yield self._warn(suspect, sighting.grounds, mandate, refused)
            done = True
        named = (suspect, sighting.finding) in self._warned
        if not done and not named and self._due(suspect, sighting.finding.detector, sighting):
            yield self._warn(suspect, [sighting.finding])

    def confirm(self) -> Iterator[tuple[bytes, str] | AffiantError]:
        """Carry again what the chain has lost or never got; yield alert and result, or an error.

        The result is `carried`, `lapsed`, or the rule by which the contract refuses it, told once.
        """
        for leaf, (bound, told) in list(self.carrying.items()):
            try:
                held = self.ledger.state(bound.mandate)
                # A higher number means: it was carried, or its principal has voided it.
                due = held.watch.number == bound.suspension.number and not held.revoked
                if bound.suspension.until <= self.clock.now():
                    del self.carrying[leaf]
                    if due:
                        yield leaf, "lapsed"
                elif due:
                    result = self._carry(bound, told) or "carried"
                    if result == "carried" or (leaf, result) not in self._told:
                        self._told.add((leaf, result))
                        yield leaf, result
            except AffiantError as error:
                yield error

    def _still(self, mandate: bytes) -> bool:
        """Tell whether a mandate is revoked, or suspended for long enough from now on."""
        state = self.ledger.state(mandate)
        return state.revoked or state.suspended_until > self.clock.now() + self.seconds // 2

    def _asked(self, mandate: bytes) -> Suspension:
        terms, state, now = self.ledger.terms(mandate), self.ledger.state(mandate), self.clock.now()
        longest = max(stays.longest(terms, state, now), 1)
        return Suspension(state.watch.number, now + min(self.seconds, longest))

    def _prevented(self, mandate: bytes) -> str | None:
        """Return the rule by which the contract would refuse a suspension by this guardian."""
        terms, state = self.ledger.terms(mandate), self.ledger.state(mandate)
        if terms.guardian is None or terms.guardian.account != self.affiant.key.address:
            return NOT_THE_GUARDIAN
        try:
            stays.suspend(terms, state, self._asked(mandate), now=self.clock.now())
        except MandateRefused as error:
            return error.rule
        return None

    def _suspend(self, suspect: str, findings: Sequence[Finding], mandate: bytes) -> Answer:
        bound = BoundSuspension(self.ledger.chain_id, mandate, self._asked(mandate))
        content = alert.content_of(suspect, findings, bound)
        job = f"{_name(suspect, findings)}/{bound.digest.hex()}"
        told = self.affiant.swear(job, bodies.ALERT, bound.digest, content)
        self.carrying[told.leaf] = bound, told
        refused = self._carry(bound, told)
        self._suspended |= {(mandate, finding) for finding in findings}
        self._warned |= {(suspect, finding) for finding in findings}
        return Answer(suspect, tuple(findings), told, mandate, bound.suspension.until, refused)

    def _carry(self, bound: BoundSuspension, told: Statement) -> str | None:
        """Carry an alert; return the rule by which the contract refuses it."""
        seat = self.ledger.anchor(self.log, self.log.index_of(told.leaf))
        try:
            self.ledger.suspend(bound, told, self.log, seat)
        except CallReverted as error:
            return error.error
        return None

    def _due(self, suspect: str, about: str, sighting: Sighting) -> bool:
        while self._sworn and self._sworn[0] <= self.clock.now() - REPEAT:
            self._sworn.popleft()
        quiet = sighting.time < self._quiet.get((suspect, about), 0)
        return not quiet and len(self._sworn) < WARNINGS

    def _warn(
        self,
        suspect: str,
        findings: Sequence[Finding],
        mandate: bytes | None = None,
        refused: str | None = None,
    ) -> Answer:
        why = None if mandate is None or refused is None else _why(refused, mandate)
        content = alert.content_of(suspect, findings, refused=why)
        subject = alert.subject_of(content)
        job = f"{_name(suspect, findings)}/{why or alert.WARN}"
        told = self.affiant.swear(job, bodies.ALERT, subject, content)
        self._sworn.append(told.issued_at)
        about = [finding.detector for finding in findings] + ([] if why is None else [why])
        self._warned |= {(suspect, finding) for finding in findings}
        self._quiet |= {(suspect, name): told.issued_at + REPEAT for name in about}
        return Answer(suspect, tuple(findings), told, mandate, refused=refused)


def _why(refused: str, mandate: bytes) -> str:
    return f"{refused} {to_hex(mandate)}"


def _name(suspect: str, findings: Sequence[Finding]) -> str:
    """Name the job of an alert by its evidence, so that the same is sworn once."""
    told = [f"{f.detector} {f.statements} {f.transactions}" for f in findings]
    return f"alert/{to_hex(sha256(' '.join([suspect, *told]).encode()))}"
