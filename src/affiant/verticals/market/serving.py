"""A small HTTP server for this room: bounded bodies, JSON errors, one thread a request, an end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import urlsplit

from affiant.kernel.errors import AffiantError, DeliveryError, InputError

MAX_BODY = 1 << 16
PATIENCE = 10
"""Seconds that a server waits for a request to arrive."""
TIMEOUT = 180
"""Seconds that a client waits for an answer: a payment may take a block or two."""
MAX_ANSWER = 1 << 24
_BACKLOG = 1024
_DRAINED = 1 << 20


@dataclass(frozen=True)
class Request:
    """A request; the names of its headers are in lower case."""

    method: str
    path: str
    """With the query."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An answer; the names of received headers are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Mapping[str, Any], **headers: str) -> Self:
        """Return an answer in JSON."""
        kind = {"content-type": "application/json"}
        return cls(status, json.dumps(value).encode(), kind | headers)


App = Callable[[Request], Answer]


class Serving:
    """An app at work on this machine, until it is closed."""

    def __init__(
        self, app: App, *, host: str = "127.0.0.1", port: int = 0, max_body: int = MAX_BODY
    ) -> None:
        """Begin to listen; port 0 takes a free one.

        Raises:
            InputError: the address cannot be had.
        """
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise InputError(
                f"{host}:{port} cannot be listened on: {error}", "Choose another port"
            ) from error
        self._server.app, self._server.max_body = app, max_body
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, and return when those that were taken are answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for answers
    request_queue_size = _BACKLOG
    app: App
    max_body: int


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version, sys_version = "affiant", ""

    def _answer(self) -> None:
        server = cast("_Server", self.server)
        length = self._length(server.max_body)
        if length is None:
            return
        body = self.rfile.read(length)
        if len(body) != length:
            self.send_error(HTTPStatus.BAD_REQUEST, "the body ended early")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer = server.app(Request(self.command, self.path, body, headers))
        except AffiantError as error:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            return
        except BaseException:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our fault")
            raise
        self._write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815 (the base's names)

    def _length(self, most: int) -> int | None:
        """Return how long the body is; None if it was refused."""
        told = self.headers.get("content-length", "0")
        if self.headers.get("transfer-encoding") is not None or not _is_length(told):
            self.send_error(HTTPStatus.LENGTH_REQUIRED, "give a Content-Length")
            return None
        if int(told) > most:
            self.rfile.read(min(int(told), _DRAINED))  # else the sender may never see the answer
            self.send_error(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{told} bytes are more than {most}"
            )
            return None
        return int(told)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer in JSON also where the standard library would not."""
        self._write(Answer.of(code, {"error": message or explain or HTTPStatus(code).phrase}))

    def _write(self, answer: Answer) -> None:
        with suppress(ConnectionError, TimeoutError):  # whoever asked has gone
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's own name)
        """Say nothing."""


def ask(url: str, request: Request) -> Answer:
    """Send a request to `url`; its path is the request's.

    Raises:
        InputError: no http(s) address.
        DeliveryError: no answer; whether the request arrived is not known.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"{url!r:.200} is no http(s) address", "Give one, like http://host:port/")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request(request.method, request.path, request.body, dict(request.headers))
        told = connection.getresponse()
        body = told.read(MAX_ANSWER + 1)
        headers = {name.lower(): value for name, value in told.getheaders()}
    except (OSError, HTTPException, ValueError) as error:
        raise DeliveryError(f"{url} does not answer: {error!r}", "Ask again later") from error
    finally:
        connection.close()
    if len(body) > MAX_ANSWER:
        raise DeliveryError(f"{url} answers with more than {MAX_ANSWER} bytes", "Ask for less")
    return Answer(told.status, body, headers)


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16
