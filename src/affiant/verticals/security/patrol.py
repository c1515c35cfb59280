"""The patrol: a watch that comes back, remembers what it saw, and delivers what it tells.

The home is opened for each look and closed after it, so that agents can use it in between. What the
log showed is remembered in the home: a log that later shows less, or something else, is caught also
by a watch that was started anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import (
    AffiantError,
    DeliveryError,
    InputError,
    IntegrityError,
    SetupError,
)
from affiant.kernel.house import House
from affiant.verticals.security.feed import Feed
from affiant.verticals.security.labels import Labels
from affiant.verticals.security.watch import Event, Memory, Watch

MEMORY = "sentinel.json"
CODES = {"blind": 2, "not-suspended": 1, "not-carried": 1, "sighting": 1, "suspended": 1}
"""What an event makes of the exit code, at least."""


@dataclass
class Patrol:
    """Looks, tells, remembers. `code` is 0 if all was well, 1 if something was seen, 2 if blind."""

    open_house: Callable[[], AbstractContextManager[House]]
    home: Path
    feed: Feed
    guardian: str | None = None
    labels: Labels = field(default_factory=Labels)
    again: bool = False
    """Whether to tell also what an earlier watch has told."""
    code: int = 0
    _watch: Watch | None = None

    def lines(self, *, every: float | None, json: bool) -> Iterator[str]:
        """Yield what to print: once, or every so many seconds until stopped.

        Raises:
            InputError: the home holds no log.
            DeliveryError: a single look could not be delivered; looks that follow try again.
        """
        if not (self.home / "log.db").is_file():
            raise InputError(f"{self.home} holds no log", "Name a home with --home")
        while True:
            yield from self._look(json=json, last=every is None)
            if every is None:
                break
            time.sleep(every)
        if not json and self._watch is not None:
            yield from _standings(self._watch)

    def _look(self, *, json: bool, last: bool) -> Iterator[str]:
        try:
            events = self._events()
        except AffiantError as error:
            if last or isinstance(error, InputError):
                raise
            now = int(time.time())
            facts = {"what": "home", "error": error.message, "remedy": error.remedy}
            events = [Event("blind", now, f"home out of reach: {error}", facts)]
        for event in events:
            self.code = max(self.code, CODES.get(event.name, 0))
            yield _line(event, json=json)
        try:
            self.feed.tell(events)
        except DeliveryError as error:
            if last:
                raise
            self.code = 2
            yield _line(Event("undelivered", int(time.time()), str(error)), json=json)
            return
        if self._watch is not None and self._watch.memory is not None:
            self._remember(self._watch.memory)

    def _events(self) -> list[Event]:
        with self.open_house() as house:
            if self.guardian is not None and not house.knows(self.guardian):
                told = f"{self.home} holds no key named {self.guardian!r}"
                raise InputError(told, "Give --answer the name of a guardian's key in this home")
            if self._watch is None:
                self._watch = Watch(
                    house,
                    guardian=self.guardian,
                    labels=self.labels,
                    seen=self._seen(),
                    again=self.again,
                )
            else:
                self._watch.enter(house)
            return self._watch.step()

    def _seen(self) -> Memory:
        path = self.home / MEMORY
        if not path.exists():
            return Memory()
        try:
            told: dict[str, Any] = json.loads(path.read_text("utf-8"))
            size, block, answered = (int(told[name]) for name in ("size", "block", "answered"))
            root, hash_ = from_hex(told["root"], 32), from_hex(told["hash"])
            return Memory(size, root, block, hash_, answered)
        except (
            OSError,
            ArithmeticError,
            ValueError,
            LookupError,
            TypeError,
            AffiantError,
        ) as error:
            raise IntegrityError(
                f"{path} cannot be read: {error!r}",
                "Find out who changed it; remove it only if you trust the log as it is now",
            ) from error

    def _remember(self, seen: Memory) -> None:
        draft = self.home / f"{MEMORY}.new"
        told = {**vars(seen), "root": to_hex(seen.root), "hash": to_hex(seen.hash)}
        try:
            draft.write_text(json.dumps(told) + "\n", "utf-8")
            draft.replace(self.home / MEMORY)
        except OSError as error:
            raise SetupError(
                f"{draft} cannot be written: {error.strerror}", "Make room, or mend the disk"
            ) from error


def _line(event: Event, *, json: bool) -> str:
    if json:
        return _dumps(event.to_json())
    return f"{event.to_json()['time']}  {event.name:<12} {event.text}"


def _dumps(value: Any) -> str:
    return json.dumps(value)


def _standings(watch: Watch) -> Iterator[str]:
    now = watch.log.time
    ranked = [(standing.risk(now), who) for who, standing in watch.sentinel.standings.items()]
    yield ""
    yield "risk  who, and why"
    for risk, who in sorted(ranked, reverse=True):
        found = watch.sentinel.standings[who].findings
        if found:
            why = ", ".join(sorted({finding.detector for _, finding in found}))
            yield f"{100 * risk:4.0f}  {who}: {why}"
    calm = sum(not standing.findings for standing in watch.sentinel.standings.values())
    yield f"   0  {calm} others: nothing"
