"""Compute next to data: who is not on the list does not run, and who runs gets nothing else."""

import json
import os
import platform
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affiant.kernel.encoding import jcs_encode, sha256
from affiant.kernel.errors import MalformedError
from affiant.verticals.market import jail
from affiant.verticals.market.compute import WALLS, Limits, Refused, Run, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

DATA = {"prices": [3, 1, 2], "name": "ä"}
REAL = [wall for wall in WALLS if wall != "audit"]
ALONE = ["seccomp"]
WITHOUT = [wall for wall in REAL if wall != "seccomp"]
STOPPED = {
    *("PermissionError", "OSError", "BlockingIOError", "FileNotFoundError", "gaierror"),
    *("ModuleNotFoundError", "RuntimeError", "error", "ProcessLookupError", "URLError"),
}
"""What it looks like inside when something is not allowed, or not there."""
SETS = [
    pytest.param(walls, id=name)
    for name, walls in (("all", WALLS), ("real", REAL), ("seccomp", ALONE), ("others", WITHOUT))
]


def do(source: str, data: dict[str, Any] | None = None, **options: Any) -> Run | Refused:
    """Run a program that is on the list."""
    program = textwrap.dedent(source).encode()
    given = DATA if data is None else data
    return run(program, given, {sha256(program)}, **options)


def refused(source: str, **options: Any) -> Refused:
    """Run a program that is on the list, and must come to nothing."""
    found = do(source, **options)
    assert isinstance(found, Refused), found
    return found


def stopped(source: str, **options: Any) -> None:
    """Run a program that is on the list, and must fail by what the interpreter or kernel says."""
    found = refused(source, **options)
    assert found.rule == "failed"
    assert found.reason.partition(":")[0] in STOPPED, found.reason


def ran(source: str, **options: Any) -> Run:
    """Run a program that is on the list, and must answer."""
    found = do(source, **options)
    assert isinstance(found, Run), found
    return found


EACH = """    for n in range(3, 9):
        try: {}
        except OSError: pass"""


class Listener:
    """Counts who reaches a port of this machine."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.reached = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.reached += 1

    def settled(self, expected: int) -> int:
        """Return how many came, waiting a little for those that are on their way."""
        until = time.monotonic() + (5 if expected else 0.05)
        while time.monotonic() < until and (not expected or self.reached < expected):
            time.sleep(0.005)
        return self.reached


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A real listener."""
    found = Listener()
    yield found
    found.socket.shutdown(socket.SHUT_RDWR)
    found.socket.close()


def test_an_answer_comes_with_its_digests() -> None:
    """Output, program and data are named by digests that anyone can compute; nothing was open."""
    program = b"def run(data):\n    return {'sum': sum(data['prices']), 'name': data['name']}"
    found = run(program, DATA, {sha256(program)})
    assert isinstance(found, Run)
    assert found.output == {"sum": 6, "name": "ä"}
    assert found.digest == sha256(jcs_encode(found.output))
    assert (found.program, found.data) == (sha256(program), sha256(jcs_encode(DATA)))
    assert found.open == ()
    assert 0 < found.seconds < 10


def test_equal_runs_have_equal_outputs() -> None:
    """Also where sets of text have an order, which Python by itself draws anew each time."""
    source = "def run(d): return [list({'a', 'b', 'c', 'd', 'e'}), hash('x') % 1000, 0.1 + 0.2]"
    assert len({ran(source).digest for _ in range(4)}) == 1


def test_an_empty_list_denies_everything() -> None:
    """Nothing is on the list unless somebody puts it there."""
    found = run(b"def run(data): return 1", DATA, set())
    assert isinstance(found, Refused)
    assert found.rule == "not-allowed"


def test_a_byte_more_is_another_program() -> None:
    """The list names the bytes, so a program that was changed is not on it."""
    good = b"def run(data): return 1"
    found = run(good + b" ", DATA, {sha256(good)})
    assert isinstance(found, Refused)
    assert found.rule == "not-allowed"


def test_data_must_be_json() -> None:
    """Data that have no digest are not computed on."""
    with pytest.raises(MalformedError):
        do("def run(d): return 1", data={"x": float("nan")})


def test_all_walls_stand_here() -> None:
    """On a Linux that has them all, all stand, and the kernel says so of the process itself."""
    if platform.machine() not in jail.CALLS:
        pytest.skip("no list of system calls for this machine")
    found = ran("def run(d): return 1")
    missing = set(WALLS) - set(found.walls)
    assert not missing - {"namespaces", "chroot", "landlock"}, missing


@pytest.mark.parametrize(
    "walls", [(), ("audit",), ("namespaces",), ("chroot", "audit"), ("nobody",)]
)
def test_without_a_real_wall_nothing_runs(walls: tuple[str, ...], tmp_path: Path) -> None:
    """What is open is named, and the program was not begun."""
    mark = tmp_path / "begun"
    found = refused(f"open({str(mark)!r}, 'w')\ndef run(d): return 1", walls=walls)
    assert found.rule == "no-wall"
    assert "processes" in found.reason
    assert not mark.exists()


@pytest.mark.parametrize(
    ("walls", "shut"),
    [
        (("namespaces",), "network"),
        (("descriptors",), "network"),
        (("landlock",), "files"),
        (("chroot", "nobody"), "files"),
        (("nobody", "processes"), "processes"),
        (("seccomp",), "network"),
        (("seccomp",), "files"),
        (("seccomp",), "processes"),
    ],
)
def test_each_wall_alone_shuts_what_it_is_there_for(walls: tuple[str, ...], shut: str) -> None:
    """The others away, what a wall should shut cannot be reached from inside."""
    if "chroot" in walls and os.getuid() != 0:
        pytest.skip("the folder belongs to whoever runs the test")
    found = ran("def run(d): return 1", walls=walls, weak=True)
    if set(found.walls) != set(walls):
        pytest.skip(f"this machine has {found.walls} of {walls}")
    assert shut not in found.open


def test_weak_walls_are_told() -> None:
    """Told that weak walls will do, it runs, and the result says what was open."""
    found = ran("def run(d): return 1", walls=("audit",), weak=True)
    assert found.walls == ("audit",)
    assert found.open == ("network", "files", "processes")


def test_the_probes_find_an_open_door(listener: Listener) -> None:
    """Without walls the same escapes do work here: so that they fail elsewhere means something."""
    source = f"""
    import socket, os
    def run(d):
        socket.create_connection(("127.0.0.1", {listener.port})).close()
        child = os.fork()
        if child == 0:
            os._exit(7)
        return [os.waitpid(child, 0)[1] >> 8, open("/etc/passwd").read(4)]
    """
    assert ran(source, walls=(), weak=True).output == [7, "root"]
    assert listener.settled(1) == 1


NETWORK = {
    "tcp": "socket.create_connection(('127.0.0.1', PORT), 1)",
    "raw-module": "__import__('_socket').socket().connect(('127.0.0.1', PORT))",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "unix": "socket.socket(socket.AF_UNIX).connect('\\0systemd')",
    "dns": "socket.getaddrinfo('example.org', 80)",
    "http": "__import__('urllib.request').request.urlopen('http://127.0.0.1:PORT')",
}


@pytest.mark.parametrize("walls", SETS)
@pytest.mark.parametrize("way", NETWORK)
def test_no_network(way: str, walls: list[str], listener: Listener) -> None:
    """Each way to this machine or out of it fails, and the listener saw nobody."""
    call = NETWORK[way].replace("PORT", str(listener.port))
    stopped(f"import socket\ndef run(d):\n    {call}\n    return 1", walls=walls)
    assert listener.settled(0) == 0


def test_no_network_by_the_walls_alone(listener: Listener) -> None:
    """With the module that Python itself has taken away given back, the kernel still refuses."""
    source = f"""
    import gc, sys
    def run(d):
        found = [m for m in gc.get_objects() if getattr(m, '__name__', '') == '_socket']
        module = [m for m in found if hasattr(m, 'getaddrinfo')][0]
        module.socket().connect(("127.0.0.1", {listener.port}))
    """
    for walls in (REAL, ALONE, WITHOUT):
        found = refused(source, walls=walls)
        assert found.rule == "failed"
        assert "ermission" in found.reason or "OSError" in found.reason, found.reason
    assert listener.settled(0) == 0


FILES = {
    "passwd": "open('/etc/passwd').read()",
    "key": "open(KEY).read()",
    "key-by-descriptor": "os.read(os.open(KEY, os.O_RDONLY), 99)",
    "folder": "os.listdir('/')[0]",
    "library": "__import__('wave').sys.path",
    "environment": "open('/proc/self/environ').read()",
    "parent": "open(f'/proc/{os.getppid()}/environ').read()",
    "write": "open(OUT, 'w').write('x')",
    "write-here": "open('here', 'w').write('x')",
    "truncate": "os.truncate(KEY, 0)",
    "remove": "os.unlink(KEY)",
    "rename": "os.rename(KEY, OUT)",
    "folder-made": "os.mkdir(OUT)",
    "mode": "os.chmod(KEY, 0o777)",
    "link": "os.symlink(KEY, OUT)",
    "link-here": "os.symlink(KEY, 'here') or open('here').read()",
    "hard-link": "os.link(KEY, OUT)",
    "chroot": "os.chroot('/') or os.chdir('/..') or open(KEY).read()",
    "setuid": "os.setuid(0) or open(KEY).read()",
}


@pytest.mark.parametrize("walls", SETS)
@pytest.mark.parametrize("way", FILES)
def test_no_files(way: str, walls: list[str], tmp_path: Path) -> None:
    """The agent's key cannot be read or touched, and nothing is written anywhere."""
    key, out = tmp_path / "agent.key", tmp_path / "out"
    key.write_text("the secret")
    mode = key.stat().st_mode
    call = FILES[way].replace("KEY", repr(str(key))).replace("OUT", repr(str(out)))
    stopped(f"import os\ndef run(d): return str({call})", walls=walls)
    assert (key.read_text(), key.stat().st_mode, out.exists()) == ("the secret", mode, False)
    assert [path.name for path in tmp_path.iterdir()] == ["agent.key"]


def test_no_descriptor_is_left_from_the_outside(tmp_path: Path) -> None:
    """A file that the house has open, and lets children inherit, is closed inside."""
    key = tmp_path / "agent.key"
    key.write_text("the secret")
    descriptor = os.open(key, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    source = """
    import os
    def run(d):
        found = []
        for number in range(200):
            try:
                found.append(os.read(number, 99).decode())
            except OSError:
                pass
        return found
    """
    assert not any(ran(source).output)
    os.close(descriptor)


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the house's environment comes along."""
    monkeypatch.setenv("AFFIANT_SECRET", "the secret")
    found = ran("import os\ndef run(d): return dict(os.environ)")
    assert set(found.output) <= {"PYTHONHASHSEED", "LC_CTYPE"}


PROCESSES = {
    "fork": "os.fork()",
    "bomb": "[os.fork() for _ in range(20)]",
    "exec": "os.execv('/bin/sh', ['sh', '-c', 'exit 0'])",
    "system": "os.system('true') != 0 and os.fork()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "subprocess": "__import__('subprocess').run(['true'])",
    "thread": "__import__('_thread').start_new_thread(print, ())",
    "kill": "os.kill(os.getppid(), 9)",
    "session": "os.setsid() and os.fork()",
}


@pytest.mark.parametrize("walls", SETS)
@pytest.mark.parametrize("way", PROCESSES)
def test_no_processes(way: str, walls: list[str]) -> None:
    """No process and no thread can be started, and the house's own cannot be stopped."""
    stopped(f"import os\ndef run(d): return str({PROCESSES[way]})", walls=walls)


def test_nothing_lives_on_after_the_end(tmp_path: Path) -> None:
    """Even behind weak walls, what a program leaves behind in its group is stopped with it."""
    mark = tmp_path / "alive"
    source = f"""
    import os, time
    def run(d):
        if os.fork() == 0:
            for n in range(3, 64):
                try:
                    os.close(n)
                except OSError:
                    pass
            time.sleep(0.5)
            open({str(mark)!r}, "w")
            os._exit(0)
        return 1
    """
    found = do(source, walls=(), weak=True, limits=Limits(seconds=2))
    time.sleep(0.7)
    assert isinstance(found, Run | Refused)
    assert not mark.exists()


def test_a_program_that_does_not_end_is_stopped() -> None:
    """Looping, sleeping, catching everything, or going on with its output closed."""
    loops = (
        "def run(d):\n    while True: pass",
        "import time\ndef run(d): time.sleep(60)",
        "def run(d):\n    while True:\n        try: 1 / 0\n        except BaseException: pass",
        "while True: pass",
        f"import os, time\ndef run(d):\n{EACH.format('os.close(n)')}\n    time.sleep(60)",
    )
    for source in loops:
        began = time.monotonic()
        assert refused(source, limits=Limits(seconds=0.4)).rule == "timeout"
        assert time.monotonic() - began < 3


def test_memory_is_bounded() -> None:
    """Two gigabytes, at once or bit by bit, or as one large number, are not to be had."""
    for call in ("len(bytearray(2 << 30))", "[bytearray(1 << 20) for _ in range(4096)] and 1"):
        found = refused(f"def run(d): return {call}")
        assert (found.rule, found.reason[:11]) == ("failed", "MemoryError")
    assert refused("def run(d): return 'x' * 10**9").rule == "failed"


def test_output_is_bounded() -> None:
    """An answer too long, or endless writing to wherever answers go, is cut off."""
    few = Limits(output=1000)
    assert ran("def run(d): return 'x' * 998", limits=few).output == "x" * 998
    for source in (
        "def run(d): return 'x' * 999",
        "def run(d): return 'x' * 50_000_000",
        f"import os\ndef run(d):\n{EACH.format('[os.write(n, bytes(4096)) for _ in range(9999)]')}",
    ):
        assert refused(source, limits=few).rule == "too-much-output"


def test_what_is_printed_is_no_answer() -> None:
    """Standard output leads nowhere; bytes put before the answer make it none."""
    forged = 'done\\n{"forged": 1}'
    assert ran(f"def run(d):\n    print('{forged}')\n    return 2").output == 2
    source = f"""
    import os
    def run(d):
        for n in range(3, 9):
            try: os.write(n, b'{forged}')
            except OSError: pass
        return 2
    """
    assert refused(source).rule == "not-json"


def test_the_walls_cannot_be_forged() -> None:
    """A report of the program's own comes too late to be read as the jail's."""
    report = json.dumps({"walls": ["forged"], "open": []}) + "\\ndone\\n1"
    source = f"""
    import os
    def run(d):
        for n in range(3, 9):
            try: os.write(n, b'{report}')
            except OSError: pass
        os._exit(0)
    """
    assert refused(source).rule == "not-json"


NOT_JSON = {
    "nan": "float('nan')",
    "infinity": "[float('inf')]",
    "large": "2**64",
    "huge": "10**5000",
    "a-little-too-large": "2**53 + 1",
    "set": "{1, 2}",
    "bytes": "b'x'",
    "itself": "(lambda x: x.append(x) or x)([])",
    "surrogate": "'\\ud800'",
    "deep": "__import__('functools').reduce(lambda x, _: [x], range(500), 1)",
    "deeper": "__import__('functools').reduce(lambda x, _: [x], range(100_000), 1)",
    "key-twice": "{1: 'a', '1': 'b'}",
}


@pytest.mark.parametrize("value", NOT_JSON)
def test_what_is_not_json_is_refused(value: str) -> None:
    """JSON that has one reading for everybody, or none at all."""
    assert refused(f"def run(d): return {NOT_JSON[value]}").rule == "not-json"


FAILED = {
    "no-run": "x = 1",
    "no-python": "def run(d: return",
    "raises": "def run(d): raise ValueError('no')",
    "exits": "import sys\ndef run(d): sys.exit(0)",
    "ends": "import os\ndef run(d): os._exit(0)",
    "ends-badly": "import os\ndef run(d): os._exit(3)",
    "recurses": "def run(d): return run(d)",
    "null-bytes": "def run(d): return 1\0",
    "error-that-raises": "class E(Exception):\n    def __str__(self): 1 / 0\ndef run(d): raise E",
}


@pytest.mark.parametrize("way", FAILED)
def test_a_program_that_fails_has_no_answer(way: str) -> None:
    """However it fails, the refusal says so."""
    assert refused(FAILED[way]).rule == "failed"


def test_useful_modules_are_there() -> None:
    """Mean, digest, pattern, date and data class, without a file of the library at hand."""
    source = """
    import dataclasses, datetime, hashlib, re, statistics
    from collections import namedtuple
    Pair = namedtuple("Pair", "a b")
    @dataclasses.dataclass
    class Point:
        x: int
    def run(d):
        day = datetime.datetime.strptime("2026-11-25", "%Y-%m-%d").isoformat()
        digest = hashlib.sha256(b"x").hexdigest()[:4]
        return [statistics.mean(d["prices"]), digest, re.findall("a+", "baa"), day,
                dataclasses.asdict(Point(3)), Pair(1, 2)]
    """
    expected = [2, "2d71", ["aa"], "2026-11-25T00:00:00", {"x": 3}, [1, 2]]
    assert ran(source).output == expected


def test_a_user_who_is_not_root_is_walled_in_too() -> None:
    """The jail alone, started without root's rights, tells that nothing is open."""
    if os.getuid() != 0 or not Path("/usr/bin/setpriv").exists():
        pytest.skip("needs root, to be somebody else")
    here = Path(jail.__file__).read_bytes()
    request = {"program": "", "data": {}, "walls": REAL, "cpu": 5, "memory": 1 << 29, "weak": False}
    drop = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--bounding-set=-all"]
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("needs a Python that others may run")
    code = f"__file__ = '/usr/bin/python3'\nexec({here.decode()!r})"
    found = subprocess.run(
        [*drop, str(python), "-P", "-s", "-S", "-B", "-c", code],
        input=json.dumps(request).encode(),
        capture_output=True,
        cwd="/",
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout.partition(b"\n")[0])["open"] == []
