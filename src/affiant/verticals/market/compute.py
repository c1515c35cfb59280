"""Compute next to data: the program comes to the data, and only its answer leaves.

A program is Python source with a function `run(data)` that returns JSON. It runs if its digest is
on the allow-list, which denies everything while it is empty; in a process of its own, behind the
walls of `jail`, with bounds on time, memory and output. The jail tries the walls from inside
before it runs the program: where the network, files or other processes can be reached it does not
run, unless it is told that weak walls will do.

The answer is all that comes out, but it does come out: whoever puts a program on the list vouches
that its answers may be told. How long it ran, and how it failed, tell something too. A program can
import the modules of `jail.MODULES` and no others. The same program on the same data gives the
same output if it does not ask for the time, random numbers or addresses in memory; the order of
sets of text is kept the same.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from affiant.kernel.encoding import jcs_decode, jcs_encode, sha256
from affiant.kernel.errors import MalformedError

JAIL = Path(__file__).with_name("jail.py")
#: All there are, in the order in which they are put up.
WALLS = (
    *("namespaces", "chroot", "landlock", "nobody"),
    *("processes", "descriptors", "seccomp", "audit"),
)
HEAD = 1024
"""Bytes that the jail may write beside the output."""
#: As isolated as `-I`, which would also ignore the seed that keeps the order of sets the same.
PYTHON = (sys.executable, "-P", "-s", "-S", "-B", "-X", "utf8")
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True)
class Limits:
    """What a program may use."""

    seconds: float = 10
    memory: int = 512 << 20
    """Bytes of address space, of which the interpreter takes about 30 MB."""
    output: int = 1 << 20
    """Bytes that it may write."""


@dataclass(frozen=True)
class Run:
    """What a program answered."""

    output: Any
    digest: bytes
    """SHA-256 of the output's canonical JSON."""
    program: bytes
    data: bytes
    seconds: float
    walls: tuple[str, ...]
    """Those that stood; see `jail`."""
    open: tuple[str, ...]
    """What could be reached from inside, `network`, `files` or `processes`: none unless weak."""


@dataclass(frozen=True)
class Refused:
    """No answer, for this reason. `rule` names it for machines; the reason may be the program's."""

    rule: str
    reason: str


def run(
    program: bytes,
    data: Mapping[str, Any],
    allowed: Collection[bytes],
    limits: Limits = Limits(),
    *,
    weak: bool = False,
    walls: Collection[str] = WALLS,
) -> Run | Refused:
    """Run a program over data if its digest is allowed; tell its answer, or why there is none.

    `walls` leaves some out, which is for tests of the others.

    Raises:
        MalformedError: the data are not JSON.
    """
    digest, given = sha256(program), jcs_encode(data)
    if digest not in allowed:
        return Refused("not-allowed", f"program {digest.hex()} is not on the allow-list")
    request = {
        "program": base64.b64encode(program).decode(),
        "data": json.loads(given),
        "walls": [name for name in WALLS if name in walls],
        "cpu": int(limits.seconds) + 1,
        "memory": limits.memory,
        "weak": weak,
    }
    began = time.monotonic()
    written = _start(json.dumps(request).encode(), limits, began + limits.seconds)
    seconds = time.monotonic() - began
    if isinstance(written, Refused):
        return written
    told, _, rest = written.partition(b"\n")
    report = json.loads(told)
    if report["open"] and not weak:
        return Refused("no-wall", f"nothing keeps a program here from: {', '.join(report['open'])}")
    answer = _answer(rest, limits.output)
    if isinstance(answer, Refused):
        return answer
    output, stood, reached = jcs_decode(answer), tuple(report["walls"]), tuple(report["open"])
    return Run(output, sha256(answer), digest, sha256(given), seconds, stood, reached)


def _answer(written: bytes, most: int) -> bytes | Refused:
    """Return the output in its canonical encoding."""
    kind, _, text = written.partition(b"\n")
    if kind in {b"failed", b"not-json"}:
        return Refused(kind.decode(), text.decode(errors="replace")[:300])
    if not written:
        return Refused("failed", "it ended without an answer")
    if kind != b"done":
        return Refused("not-json", "the program wrote something else than its answer")
    try:
        _check(text)
        answer = jcs_encode(json.loads(text))
    except MalformedError as error:
        return Refused("not-json", str(error)[:300])
    return answer if len(answer) <= most else Refused("too-much-output", f"more than {most} bytes")


def _check(text: bytes) -> None:
    """Refuse what is not JSON: too deep, a name twice, an integer that JSON does not hold."""
    try:
        jcs_decode(text)
    except MalformedError as error:
        if error.reason != "not-canonical":  # which is looked at last, and no fault here
            raise


def _start(request: bytes, limits: Limits, deadline: float) -> bytes | Refused:
    """Start the jail, and stop all of it; return what it wrote."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
        file.write(request)
        file.seek(0)
        inside, outside = os.pipe()
        with open(inside, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
            try:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                    [*PYTHON, str(JAIL)],
                    stdin=file,
                    stdout=outside,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
            finally:
                os.close(outside)
            try:
                written = _read(pipe, limits.output + HEAD, deadline)
                return written if isinstance(written, Refused) else _end(process, written, deadline)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _read(pipe: IO[bytes], most: int, deadline: float) -> bytes | Refused:
    """Read to the end, in time, and no more than so many bytes."""
    written = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(pipe, selectors.EVENT_READ)
        while waiting.select(max(deadline - time.monotonic(), 0)):
            part = pipe.read(1 << 16)
            if not part:
                return bytes(written)
            written += part
            if len(written) > most:
                return Refused("too-much-output", f"more than {most} bytes")
    return Refused("timeout", "no answer in time")


def _end(process: subprocess.Popen[bytes], written: bytes, deadline: float) -> bytes | Refused:
    """Wait until the jail ends; it stays a zombie, so that its group can still be killed."""
    ask = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while (ended := os.waitid(os.P_PID, process.pid, ask)) is None:
        if time.monotonic() > deadline:
            return Refused("timeout", "it went on after its answer")
        time.sleep(0.001)
    if ended.si_code != os.CLD_EXITED and ended.si_status == signal.SIGXCPU:
        return Refused("timeout", "it used up its time on the processor")
    if ended.si_code != os.CLD_EXITED or ended.si_status:
        return Refused("failed", f"it ended with {ended.si_status}")
    return written if b"\n" in written else Refused("failed", "the jail did not begin")
