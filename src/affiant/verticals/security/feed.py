"""The feed to a SIEM: every event as a JSON line in a file, or to a webhook, or both.

What cannot be delivered is an error, not a silence: the caller keeps the events and tells them
again.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from affiant.kernel.errors import DeliveryError, InputError
from affiant.verticals.security.watch import Event

TRIES = 3
TIMEOUT = 5
"""Seconds."""


@dataclass
class Feed:
    """Where events go; each place keeps what it has not taken yet."""

    path: Path | None = None
    webhook: str | None = None
    _file: list[Event] = field(default_factory=list)
    _posts: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.webhook is not None and not _is_address(self.webhook):
            told = f"--webhook {self.webhook!r:.80} is no http(s) address"
            raise InputError(told, "Give one, like https://host")

    def tell(self, events: Sequence[Event]) -> None:
        """Deliver events, and what waits, to every place.

        Raises:
            DeliveryError: the file or the webhook did not take them; the other one has.
        """
        wrong: DeliveryError | None = None
        for waiting, deliver in ((self._file, self._write), (self._posts, self._post)):
            waiting.extend(events)
            try:
                if waiting:
                    deliver(waiting)
                waiting.clear()
            except DeliveryError as error:
                wrong = error
        if wrong is not None:
            raise wrong

    def _write(self, events: Sequence[Event]) -> None:
        if self.path is None:
            return
        lines = "".join(json.dumps(event.to_json()) + "\n" for event in events)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            told = f"{self.path} takes no events: {error.strerror}"
            raise DeliveryError(told, "Make room, or name another file with --out") from error

    def _post(self, events: Sequence[Event]) -> None:
        if self.webhook is None:
            return
        url, data = self.webhook, json.dumps([event.to_json() for event in events]).encode()
        request = urllib.request.Request(  # noqa: S310 (http and https only, checked above)
            url, data, {"Content-Type": "application/json"}, method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirect)
        wrong: Exception | None = None
        for attempt in range(TRIES):
            time.sleep(attempt * 0.5)
            try:
                with opener.open(request, timeout=TIMEOUT):
                    return
            except (OSError, HTTPException, ValueError) as error:
                wrong = error
        told = f"the webhook {url} takes no events: {wrong}"
        raise DeliveryError(told, "Check that it runs; the events are told again") from wrong


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, without the events."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and usable
