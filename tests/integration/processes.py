"""Processes as the operating system sees them: who is whose child, who is still there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    return [child for child, parent, dead in _table() if parent == pid and not dead]


def family(pid: int) -> list[int]:
    """Return the living descendants of a process."""
    found = children(pid)
    return found + [grandchild for child in found for grandchild in family(child)]


def named(pid: int) -> str:
    """Return the name of the program that a process runs; nothing if it is gone."""
    command = ["ps", "-o", "comm=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def alive(pid: int) -> bool:
    """Tell whether a process lives; one that is dead but not yet buried does not."""
    return any(found == pid and not dead for found, _, dead in _table())


def kill(pid: int) -> None:
    """End a process as a power cut would."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def gone(pids: list[int], seconds: float = 5) -> bool:
    """Tell whether these processes are gone, within some time."""
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def answers(url: str) -> bool:
    """Tell whether somebody listens at a URL."""
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Fail unless what is inside takes less than that."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s"


@contextmanager
def taken_port() -> Iterator[int]:
    """Give a port on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _table() -> list[tuple[int, int, bool]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return [(int(pid), int(parent), state.startswith("Z")) for pid, parent, state in rows]
