"""Drift from an agent's own baseline: whom it deals with, what it calls.

How likely something new is, is learned from the agent itself: an agent that often deals with new
accounts may go on doing so. What is new stays new for a while: until it has been let stand for
`PROBATION`, or its principal has said that it was right. So one payment does not make a habit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from affiant.kernel.alert import Finding
from affiant.kernel.encoding import to_hex
from affiant.verticals.security.sightings import Decided, Sighting, chance_text, short

PROBATION = 7 * 86_400
"""Seconds."""
RARE = 0.1
"""What is likelier than this in the agent's own past is no finding."""
MEMORY = 500
"""Decisions after which an earlier surprise counts by 1/e."""


@dataclass
class Habit:
    """One sort of thing that an agent does: which values it knows, how often a new one comes."""

    news: float = 0.0
    total: float = 0.0
    known: dict[bytes, int] = field(default_factory=dict)
    """Value to the time from which it is no news any more."""
    waiting: deque[int] = field(default_factory=deque)
    """When each value on probation begins to count as news: oddities do not excuse the next one."""

    def chance(self, value: bytes, time: int) -> float:
        """Return how likely a value as new as this one is, by Laplace's rule; 1 for a known one."""
        while self.waiting and self.waiting[0] <= time:
            self.waiting.popleft()
            self.news += 1
        if time >= self.known.get(value, time + 1):
            return 1.0
        return (self.news + 1) / (self.total + 2)

    def learn(self, value: bytes, time: int) -> None:
        """Count a value; a new one is on probation. The first of all is the habit itself."""
        fade = 1 - 1 / MEMORY
        first, fresh = not self.known, value not in self.known
        self.news, self.total = self.news * fade, self.total * fade + 1
        if fresh:
            self.known[value] = time if first else time + PROBATION
            if not first:
                self.waiting.append(time + PROBATION)

    def accept(self, value: bytes, time: int) -> None:
        """Take a value as known from now on."""
        self.known[value] = min(time, self.known.get(value, time))


@dataclass
class Habits:
    """Every agent's habits."""

    _habits: dict[tuple[tuple[str, bytes], str], Habit] = field(default_factory=dict)

    def judge(self, told: Decided) -> Iterator[Sighting]:
        """Judge a decision."""
        for name, threat, value in _traits(told):
            chance = self._habit(told, name).chance(value, told.time)
            if chance <= RARE:
                reason = f"a new {name}, by its past {100 * chance:.2g} % likely: {to_hex(value)}"
                said = chance_text(chance)
                finding = Finding(
                    f"new-{name}", "drift", threat, short(reason), (told.leaf,), (), said
                )
                yield Sighting(told.agent, finding, told.time)

    def learn(self, told: Decided) -> None:
        """Take a decision into the agent's past."""
        for name, _, value in _traits(told):
            self._habit(told, name).learn(value, told.time)

    def accept(self, told: Decided) -> None:
        """Take what a decision did as right: its principal said so."""
        for name, _, value in _traits(told):
            self._habit(told, name).accept(value, told.time)

    def _habit(self, told: Decided, name: str) -> Habit:
        return self._habits.setdefault((told.past, name), Habit())


def _traits(told: Decided) -> Iterator[tuple[str, str, bytes]]:
    yield "function", "ASI02", told.function
    if told.counterparty is not None:
        yield "counterparty", "ASI01", told.counterparty
