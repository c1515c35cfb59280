"""The anvil process under our supervision: started on loopback, never left behind."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from affiant.kernel.errors import SetupError

_LISTENING = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
_START_SECONDS = 20
# The shell ends anvil when its standard input closes, so also when this process is killed; and it
# ends with anvil, so that we hear of it.
_WATCH = """
exec 3<&0
"$@" </dev/null 3<&- & child=$!
(cat <&3 >/dev/null; kill $child) >/dev/null 2>&1 & watcher=$!
wait $child
kill $watcher
"""


class Anvil:
    """One anvil process, mining only on demand, with no accounts and no fees of its own."""

    def __init__(self, binary: Path, *, chain_id: int, genesis_time: int, port: int = 0) -> None:
        """Start anvil and wait until it listens.

        Raises:
            SetupError: it does not start, for instance because the port is taken.
        """
        options = [f"--port={port}", f"--chain-id={chain_id}", f"--timestamp={genesis_time}"]
        options += ["--no-mining", "--order=fifo", "--accounts=1", "--balance=0", "--color=never"]
        options += ["--gas-price=0", "--block-base-fee-per-gas=0", "--disable-min-priority-fee"]
        self._process = subprocess.Popen(  # noqa: S603 (a fixed command)
            ["/bin/sh", "-c", _WATCH, "sh", str(binary), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # one group, so that closing ends all of it
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._wait_for_port(port)}"

    def close(self) -> None:
        """End the process, and the shell beside it, and wait for them."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        """Drain the output for as long as the process lives, so that it never blocks."""
        listening = False
        for line in self._process.stdout or ():
            if not listening:
                self._lines.put(line)
                listening = _LISTENING.search(line) is not None
        self._lines.put(None)

    def _wait_for_port(self, wanted: int) -> str:
        told: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=_START_SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                self.close()
                end = "".join(told)[-400:].strip()
                raise SetupError(
                    f"the chain engine did not start on port {wanted}: {end}",
                    "If the port is taken, give another with --port, or 0 for any free one",
                )
            found = _LISTENING.search(line)
            if found:
                return found[1]
            told.append(line)
