"""Programs that tests kill: real processes, forked from one that has loaded everything."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

from affiant.kernel.errors import AffiantError

Tell = Callable[[str], None]

_CONTEXT = multiprocessing.get_context("forkserver")
# What takes long to load; the server knows installed packages only.
_CONTEXT.set_forkserver_preload(["pytest", "requests", "affiant.apps.house"])


@dataclass
class Program:
    """A program at work, and the end of the line on which it tells what it does."""

    process: ForkServerProcess
    line: Connection

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process.pid is not None
        return self.process.pid

    def told(self, count: int) -> list[str]:
        """Wait for that many things to be told, or for the program's end."""
        found: list[str] = []
        while len(found) < count:
            try:
                found.append(self.line.recv())
            except (EOFError, OSError):
                break
        return found

    def rest(self) -> list[str]:
        """Return all that is still told until the program ends."""
        told = self.told(1_000_000)
        self.process.join(30)
        return told


@contextmanager
def program(main: Callable[..., None], *arguments: str) -> Iterator[Program]:
    """Start `main(tell, *arguments)` in a process of its own."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_run, args=(theirs, main, *arguments))
    process.start()
    theirs.close()
    try:
        yield Program(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def _run(line: Connection, main: Callable[..., None], *arguments: str) -> None:
    try:
        main(line.send, *arguments)
    except AffiantError as error:
        line.send(f"error: {error}")
    except KeyboardInterrupt:
        line.close()
    except Exception as error:  # noqa: BLE001 (what a user would see as a traceback)
        line.send(f"traceback: {error!r}")
