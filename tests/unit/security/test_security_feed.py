"""The feed: what is told arrives as JSON in file and webhook, or its failing is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from affiant.kernel.errors import DeliveryError, InputError
from affiant.verticals.security.feed import TRIES, Feed
from affiant.verticals.security.watch import Event

EVENTS = [
    Event("sighting", 1_800_000_000, "a line of text — with a dash\nand two lines", {"n": 1}),
    Event("blind", 1_800_000_001, "another", {"what": "log"}),
]


@dataclass
class Siem:
    """A webhook: what it answers, one by one, and what it got."""

    answers: list[int | bytes] = field(default_factory=list)
    got: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def siem(*answers: int | bytes) -> Iterator[Siem]:
    """Run a webhook that gives these answers, then 200."""
    told = Siem(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(("POST", self.headers["Content-Type"], json.loads(data)))
            self._answer()

        def do_GET(self) -> None:
            told.got.append(("GET", "", None))
            self._answer()

        def _answer(self) -> None:
            answer = told.answers.pop(0) if told.answers else 200
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                return
            self.send_response(answer)
            if answer in {301, 302, 303, 307, 308}:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody sleep between tries."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def lines(path: Path) -> list[Any]:
    """Return what a file's lines hold."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_events_are_appended_as_json_lines(tmp_path: Path) -> None:
    """One line an event, after what was there; the facts stand beside name, time and text."""
    path = tmp_path / "events.jsonl"
    Feed(path).tell(EVENTS)
    Feed(path).tell(EVENTS[:1])
    told = lines(path)
    assert [line["event"] for line in told] == ["sighting", "blind", "sighting"]
    assert told[0] == {
        "event": "sighting",
        "time": "2027-01-15T08:00:00Z",
        "text": EVENTS[0].text,
        "n": 1,
    }
    assert path.read_bytes().endswith(b"\n")


def test_nothing_to_tell_touches_nothing(tmp_path: Path) -> None:
    """Without events there is neither file nor request."""
    with siem() as told:
        Feed(tmp_path / "events.jsonl", told.url).tell([])
    assert told.got == []
    assert list(tmp_path.iterdir()) == []


def test_a_feed_to_nowhere_takes_all() -> None:
    """Without file and webhook there is nothing to do."""
    Feed().tell(EVENTS)


def test_the_webhook_gets_one_array() -> None:
    """All events of a look arrive in one request, as a JSON array."""
    with siem() as told:
        Feed(webhook=told.url).tell(EVENTS)
    ((method, kind, content),) = told.got
    assert (method, kind) == ("POST", "application/json")
    assert content == [event.to_json() for event in EVENTS]


@pytest.mark.parametrize("answer", [200, 201, 202, 204])
def test_any_success_is_one(answer: int) -> None:
    """What a SIEM accepts is delivered, once."""
    with siem(answer) as told:
        Feed(webhook=told.url).tell(EVENTS)
    assert len(told.got) == 1


@pytest.mark.parametrize("failures", range(1, TRIES))
def test_the_webhook_is_tried_again(failures: int) -> None:
    """Up to two failures, a try more delivers."""
    with siem(*[503] * failures) as told:
        Feed(webhook=told.url).tell(EVENTS)
    assert len(told.got) == failures + 1


@pytest.mark.parametrize("answer", [400, 401, 404, 500, 503])
def test_a_webhook_that_refuses_is_an_error(answer: int) -> None:
    """After three tries it is told, with what the webhook said and what to do."""
    with siem(*[answer] * TRIES) as told, pytest.raises(DeliveryError) as caught:
        Feed(webhook=told.url).tell(EVENTS)
    assert len(told.got) == TRIES
    assert str(answer) in caught.value.message
    assert caught.value.remedy


def test_a_webhook_that_is_gone_is_an_error() -> None:
    """Where nobody listens nothing is delivered, and that is told."""
    with siem() as told:
        pass
    with pytest.raises(DeliveryError, match="takes no events"):
        Feed(webhook=told.url).tell(EVENTS)


def test_a_webhook_that_speaks_no_http_is_an_error() -> None:
    """An answer that is no HTTP is a failure to deliver like any other."""
    with siem(*[b"SMTP ready\r\n\r\n"] * TRIES) as told, pytest.raises(DeliveryError):
        Feed(webhook=told.url).tell(EVENTS)
    assert len(told.got) == TRIES


@pytest.mark.parametrize("answer", [301, 302, 303])
def test_a_webhook_that_moved_is_an_error(answer: int) -> None:
    """A redirect that loses the events is no delivery."""
    with siem(*[answer] * TRIES) as told, pytest.raises(DeliveryError):
        Feed(webhook=told.url).tell(EVENTS)


@pytest.mark.parametrize("answer", [307, 308])
def test_a_webhook_that_moved_and_wants_a_post_is_an_error(answer: int) -> None:
    """A redirect of a POST is not followed."""
    with siem(*[answer] * TRIES) as told, pytest.raises(DeliveryError):
        Feed(webhook=told.url).tell(EVENTS)


@pytest.mark.parametrize("url", ["ftp://host/", "file:///etc/passwd", "host:80", "", "HTTPX://h"])
def test_what_is_no_http_address_is_refused(url: str) -> None:
    """Only http and https are addresses of webhooks, and that is told before anything is done."""
    with pytest.raises(InputError, match=r"is no http\(s\) address"):
        Feed(webhook=url)


@pytest.mark.parametrize("url", ["http://[broken/", "http://a b/", "http://host:port/"])
def test_a_broken_http_address_is_told(url: str) -> None:
    """An address that cannot be used is refused, or fails to deliver, with a remedy."""
    with pytest.raises((InputError, DeliveryError)):
        Feed(webhook=url).tell(EVENTS)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder in its place, or a missing folder, is told, and the webhook gets nothing twice."""
    with siem() as told:
        for path in (tmp_path, tmp_path / "missing" / "events.jsonl"):
            with pytest.raises(DeliveryError, match="takes no events"):
                Feed(path, told.url).tell(EVENTS)
    assert len(told.got) == 2, "the webhook has taken them, once from each"


def test_file_and_webhook_both_get_all(tmp_path: Path) -> None:
    """With both, each gets every event."""
    path = tmp_path / "events.jsonl"
    with siem() as told:
        Feed(path, told.url).tell(EVENTS)
    assert lines(path) == told.got[0][2]
