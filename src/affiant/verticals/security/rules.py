"""Hard rules: what is wrong for certain. The evidence decides, no threshold of likelihood.

Each names its class of the OWASP Top 10 for Agentic Applications 2026. A rule blames whoever signed
or sent, never whom the words are about: a stranger's decision under somebody's mandate is the
stranger's, and a logged decision carried twice is its carrier's.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from affiant.kernel import mandate as terms_rules
from affiant.kernel.alert import RULE, Finding
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import MandateRefused
from affiant.kernel.mandate import State, Terms
from affiant.kernel.ports import Attempt
from affiant.verticals.security.sightings import Decided, Sighting, Sworn, short

# What an action outside its terms amounts to. Rules of time are left out: a clock is no attack.
OUTSIDE = {
    "ForbiddenTarget": "ASI03",
    "NoRule": "ASI05",
    "CalldataTooShort": "ASI05",
    "PinMismatch": "ASI01",
    "ValueNotAllowed": "ASI02",
    "AboveCap": "ASI02",
    "AboveLimit": "ASI02",
    "LivesTooLong": "ASI10",
}
SKEW = 300
"""Seconds by which an honest agent's clock may be slow: two decisions overlap only beyond that."""


@dataclass
class Rules:
    """The rules' memory. At most `flood` statements by one key in `flood_window` seconds."""

    flood: int = 600
    flood_window: int = 60
    _times: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _held: dict[tuple[bytes, int, int], tuple[int, bytes]] = field(default_factory=dict)

    def sworn(self, told: Sworn) -> Iterator[Sighting]:
        """Judge any statement."""
        by, times = told.statement.issuer.did, self._times[told.statement.issuer.did]
        times.append(told.time)
        while times[0] <= told.time - self.flood_window:
            times.popleft()
        if len(times) > self.flood:
            reason = f"{len(times)} statements within {self.flood_window} s"
            times.clear()  # counted anew, so that one flood is told once
            yield _sighting(by, "flooding", "ASI08", reason, told.time, told.statement.leaf)

    def impersonated(self, told: Sworn, mandate: bytes) -> Sighting:
        """Judge a decision under a mandate by somebody who is not its agent."""
        reason = f"it decides under mandate {to_hex(mandate)}, which is another agent's"
        by, leaf = told.statement.issuer.did, told.statement.leaf
        return _sighting(by, "impersonation", "ASI03", reason, told.time, leaf)

    def decided(self, told: Decided, terms: Terms) -> Iterator[Sighting]:
        """Judge a decision of a mandate's own agent."""
        action = told.bound.action
        state = State(epoch=action.epoch, nonce=action.nonce)
        try:
            terms_rules.check(terms, state, action, now=told.iat)
        except MandateRefused as error:
            if error.rule in OUTSIDE:
                threat = OUTSIDE[error.rule]
                reason = short(error.message)
                yield _sighting(told.agent, "outside-mandate", threat, reason, told.time, told.leaf)
        slot = (told.bound.mandate, action.epoch, action.nonce)
        held = self._held.get(slot)
        if held is not None and told.time + SKEW <= held[0]:
            reason = f"nonce {action.nonce} was still promised to {to_hex(held[1])}"
            leaves = (held[1], told.leaf)
            yield _sighting(told.agent, "equivocation", "ASI10", reason, told.time, *leaves)
        self._held[slot] = (action.deadline, told.leaf)

    def attempted(
        self, tried: Attempt, agent: str, time: int, *, logged: bool, executed: bool
    ) -> Sighting | None:
        """Judge a call of a mandate that failed on chain; `agent` is the mandate's."""
        carrier = to_hex(tried.sender)
        if executed:
            told = (carrier, "replay", "ASI07", f"{to_hex(tried.leaf)} was executed before")
        elif not tried.by_agent:
            told = (carrier, "forged-oath", "ASI03", "the mandate's agent did not sign it")
        elif not logged:
            told = (agent, "off-the-record", "ASI10", "it signed an action that is not in the log")
        else:
            return None  # a logged decision that the contract refused: judged as a decision
        suspect, detector, threat, reason = told
        finding = Finding(detector, RULE, threat, reason, (), (tried.transaction,))
        return Sighting(suspect, finding, time)


def _sighting(
    suspect: str, detector: str, threat: str, reason: str, time: int, *leaves: bytes
) -> Sighting:
    return Sighting(suspect, Finding(detector, RULE, threat, reason, leaves), time)
