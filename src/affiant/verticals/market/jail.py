"""The inside of a computation: puts up walls around itself, tries them, then runs the program.

This file is a script that `compute` starts in a process of its own, from the standard library
alone. It reads a request from its input and writes to its output one line that tells which walls
stand, then how the program ended. The line is written before a byte of the program runs, so the
program cannot forge it; what follows is the program's own anyway.

Walls, each of which is left out where this machine does not have it:

- namespaces: no network, System V objects or mounts but empty ones of its own (`unshare`);
- chroot: an empty folder for the file system, where root or a user namespace allows it;
- landlock: no path may be opened, made or removed, no TCP port reached (Landlock);
- nobody: no rights of root: another user, no capabilities, `no_new_privs`;
- descriptors: none can be made any more, so nothing opened or connected (RLIMIT_NOFILE 0);
- processes: none and no threads (RLIMIT_NPROC 0), which root would not heed;
- seccomp: of the system calls, only those for memory, time and what is open already;
- audit: the interpreter's own events, but a few harmless ones, raise. Python code can get around
  this one; it names what was tried.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import platform
import resource
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What a program may import: it is loaded before the walls, nothing can be loaded behind them.
MODULES = (
    *("array", "base64", "binascii", "bisect", "calendar", "cmath", "collections", "copy", "csv"),
    *("dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq"),
    *("itertools", "json", "math", "operator", "random", "re", "statistics", "string", "struct"),
    *("textwrap", "typing", "unicodedata", "zlib", "_strptime"),
)
HARMLESS = {
    *("array.__new__", "builtins.id", "compile", "exec", "object.__getattr__"),
    *("object.__setattr__", "sys._getframe", "time.sleep"),
}
NOBODY = 65_534
NEW = {"user": 0x1000_0000, "net": 0x4000_0000, "ipc": 0x0800_0000, "mounts": 0x0002_0000}
NO_NEW_PRIVS, SECCOMP, PARENT_DEATH, FILTER, KILL = 38, 22, 1, 2, 9
#: read write close fstat lseek mmap mprotect munmap brk sigaction sigprocmask sigreturn mremap
#: sched_yield madvise nanosleep getpid exit getrusage gettimeofday time sigaltstack futex
#: clock_gettime clock_getres clock_nanosleep exit_group getrandom; by number, for each machine.
CALLS = {
    "x86_64": (
        0xC000_003E,
        *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 25, 24, 28, 35, 39, 60, 98, 96, 201, 131, 202),
        *(228, 229, 230, 231, 318),
    ),
    "aarch64": (
        0xC000_00B7,
        *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 216, 124, 233, 101, 172, 93, 165),
        *(169, 132, 98, 113, 114, 115, 94, 278),
    ),
}
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Read the request, wall in, and run."""
    request = json.loads(sys.stdin.buffer.read())
    for name in MODULES:
        __import__(name)
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(out + 1, 4096)
    _bound(resource.RLIMIT_FSIZE, 0)
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_CPU, request["cpu"])
    _bound(resource.RLIMIT_AS, request["memory"])
    walls = [name for name in request["walls"] if name != "audit" and _stands(WALLS[name])]
    open_ways = [name for name, tried in TRIES.items() if not tried()]
    for name in ("ctypes", "_ctypes", "resource", "signal", "socket", "_socket"):
        sys.modules.pop(name, None)  # no wall: it names what a program should not ask for
    if "audit" in request["walls"]:
        sys.addaudithook(_audit)
        walls.append("audit")
    _write(out, json.dumps({"walls": walls, "open": open_ways}).encode() + b"\n")
    if request["weak"] or not open_ways:
        _write(out, _result(base64.b64decode(request["program"]), request["data"]))
    os._exit(0)


def _result(source: bytes, data: Any) -> bytes:
    """Run the program; return how it ended, and a line or the output."""
    try:
        names: dict[str, Any] = {"__name__": "program"}
        program = compile(source, "program.py", "exec", dont_inherit=True)
        exec(program, names)  # noqa: S102 - the walls are for this
        answer = names["run"](data)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it ends here
        return b"failed\n" + f"{type(error).__name__}: {str(error)[:200]}".encode(errors="replace")
    try:
        return b"done\n" + json.dumps(answer, allow_nan=False).encode()
    except MemoryError:
        return b"failed\nMemoryError: the output does not fit"
    except BaseException as error:  # noqa: BLE001 - the answer's own code may run here
        return b"not-json\n" + f"{type(error).__name__}: {str(error)[:200]}".encode()


def _write(out: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


def _bound(what: int, most: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))


def _stands(build: Callable[[], object]) -> bool:
    """Put up a wall; tell whether the machine did so."""
    try:
        build()
    except (OSError, AttributeError, ValueError, KeyError):
        return False
    return True


def _call(function: str, *arguments: Any) -> int:
    result: int = getattr(LIBC, function)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), function)
    return result


def _namespaces() -> None:
    flags = NEW["net"] | NEW["ipc"] | NEW["mounts"]
    try:
        _call("unshare", flags)
    except PermissionError:
        _call("unshare", flags | NEW["user"])


def _chroot() -> None:
    os.chroot(".")
    os.chdir("/")


def _landlock() -> None:
    """Handle every access that this kernel's Landlock knows, and allow none."""
    version = _call("syscall", 444, None, 0, 1)
    files = {1: 1 << 13, 2: 1 << 14, 3: 1 << 15, 4: 1 << 15}.get(version, 1 << 16) - 1
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _call("syscall", 444, struct.pack("=QQQ", files, 3, 3)[:size], size, 0)
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    try:
        _call("syscall", 446, rules, 0)
    finally:
        os.close(rules)


def _nobody() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _call("capset", struct.pack("=II", 0x2008_0522, 0), bytes(24))
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", PARENT_DEATH, KILL, 0, 0, 0)


def _seccomp() -> None:
    """Allow the calls of `CALLS`, answer EPERM to all others, kill another architecture's."""
    architecture, *calls = CALLS[platform.machine()]
    allow, refuse, kill = 0x7FFF_0000, 0x0005_0001, 0x8000_0000
    load, equal, end = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (end, 0, 0, kill), (load, 0, 0, 0)]
    for place, number in enumerate(calls):
        program.append((equal, len(calls) - place, 0, number))
    program += [(end, 0, 0, refuse), (end, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    whole = struct.pack("@HP", len(program), ctypes.addressof(code))
    _call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", SECCOMP, FILTER, whole, 0, 0)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in HARMLESS:
        about = f" {arguments[0]}" if event == "import" else ""
        raise PermissionError(f"audit: {event}{about}")


#: In the order in which they are put up: each must still be allowed by those before.
WALLS: dict[str, Callable[[], object]] = {
    "namespaces": _namespaces,
    "chroot": _chroot,
    "landlock": _landlock,
    "nobody": _nobody,
    "processes": lambda: _bound(resource.RLIMIT_NPROC, 0),
    "descriptors": lambda: _bound(resource.RLIMIT_NOFILE, 0),
    "seccomp": _seccomp,
}


def _no_network() -> bool:
    """Try to reach this machine; that nobody listens would tell that it can be reached."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
            tried.connect(("127.0.0.1", 9))
    except OSError:
        return True
    return False


def _no_files() -> bool:
    """Try to read this file, and the folder; to make a file there, and a folder."""
    here = str(Path(__file__).parent)
    for path, flags in ((__file__, os.O_RDONLY), (here, os.O_RDONLY), ("x", os.O_CREAT)):
        with contextlib.suppress(OSError):
            os.close(os.open(path, flags))
            return False
    return not _stands(lambda: os.mkdir("probe"))  # noqa: PTH102 - no more calls than needed


def _no_processes() -> bool:
    try:
        child = os.fork()
    except OSError:
        return True
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return False


TRIES: dict[str, Callable[[], bool]] = {
    "network": _no_network,
    "files": _no_files,
    "processes": _no_processes,
}

if __name__ == "__main__":
    main()
