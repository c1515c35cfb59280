"""The answer to a sighting: a sworn warning, or a sworn suspension carried to the chain.

A guardian can only keep an agent still, for a while, on its budget; what it cannot do is sworn as a
warning that says so. An alert is sworn once for its evidence and carried until the chain holds it:
also when blocks that held it are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from affiant.kernel import alert
from affiant.kernel import body as bodies
from affiant.kernel import suspension as stays
from affiant.kernel.alert import Finding
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import CallReverted, MandateRefused
from affiant.kernel.house import Affiant
from affiant.kernel.ports import Clock, Ledger, Log
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension
from affiant.verticals.security.sightings import Sighting

SECONDS = 3 * 3600
"""How long a suspension lasts, if the guardian's budget allows it."""


@dataclass(frozen=True)
class Answer:
    """What was answered: the alert, and the suspension that it demands, if any."""

    suspect: str
    findings: tuple[Finding, ...]
    told: Statement
    mandate: bytes | None = None
    until: int = 0
    refused: str | None = None
    """Why the chain did not take the suspension."""


@dataclass
class Guardian:
    """A detector's key at work. `carrying` holds what the chain may not hold yet."""

    affiant: Affiant
    log: Log
    ledger: Ledger
    clock: Clock
    seconds: int = SECONDS
    carrying: dict[bytes, tuple[BoundSuspension, Statement]] = field(default_factory=dict)

    def warn(self, sighting: Sighting) -> Answer:
        """Swear what was seen, without consequence."""
        return self._warn(sighting.suspect, [sighting.finding])

    def still(self, mandate: bytes) -> bool:
        """Tell whether a mandate is revoked, or suspended for long enough from now on."""
        state = self.ledger.state(mandate)
        return state.revoked or state.suspended_until > self.clock.now() + self.seconds // 2

    def suspend(self, suspect: str, findings: Sequence[Finding], mandate: bytes) -> Answer:
        """Swear and carry a suspension of a mandate; warn where the guardian may not suspend."""
        terms, state = self.ledger.terms(mandate), self.ledger.state(mandate)
        now = self.clock.now()
        if terms.guardian is None or terms.guardian.account != self.affiant.key.address:
            return self._warn(suspect, findings, mandate, "NotTheGuardian")
        longest = stays.longest(terms, state, now)
        asked = Suspension(state.watch.number, now + min(self.seconds, max(longest, 1)))
        bound = BoundSuspension(self.ledger.chain_id, mandate, asked)
        try:
            stays.suspend(terms, state, asked, now=now)
        except MandateRefused as error:
            return self._warn(suspect, findings, mandate, error.rule)
        content = alert.content_of(suspect, findings, bound)
        job = f"{_name(suspect, findings)}/{bound.digest.hex()}"
        told = self.affiant.swear(job, bodies.ALERT, bound.digest, content)
        self.carrying[told.leaf] = bound, told
        refused = self._carry(bound, told)
        return Answer(suspect, tuple(findings), told, mandate, asked.until, refused)

    def confirm(self) -> Iterator[bytes]:
        """Carry again what the chain has lost or never got; yield the alerts that it now holds."""
        now = self.clock.now()
        for leaf, (bound, told) in list(self.carrying.items()):
            if bound.suspension.until <= now:
                del self.carrying[leaf]
                continue
            held = self.ledger.state(bound.mandate)
            # A higher number means: it was carried, or its principal has voided it.
            due = held.watch.number == bound.suspension.number and not held.revoked
            if due and self._carry(bound, told) is None:
                yield leaf

    def _carry(self, bound: BoundSuspension, told: Statement) -> str | None:
        """Carry an alert; return the rule by which the contract refuses it."""
        seat = self.ledger.anchor(self.log, self.log.index_of(told.leaf))
        try:
            self.ledger.suspend(bound, told, self.log, seat)
        except CallReverted as error:
            return error.error
        return None

    def _warn(
        self,
        suspect: str,
        findings: Sequence[Finding],
        mandate: bytes | None = None,
        refused: str | None = None,
    ) -> Answer:
        content = alert.content_of(suspect, findings)
        subject = alert.subject_of(content)
        told = self.affiant.swear(_name(suspect, findings), bodies.ALERT, subject, content)
        return Answer(suspect, tuple(findings), told, mandate, refused=refused)


def _name(suspect: str, findings: Sequence[Finding]) -> str:
    """Name the job of an alert by its evidence, so that the same is sworn once."""
    told = [f"{f.detector} {f.statements} {f.transactions}" for f in findings]
    return f"alert/{to_hex(sha256(' '.join([suspect, *told]).encode()))}"
