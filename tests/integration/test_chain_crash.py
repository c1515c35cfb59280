"""Claims about the embedded chain under `kill -9`: of the engine, of us, and of both, any time."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .engine import Opened, anvils, opened
from .processes import answers, gone, kill
from .programs import Program, program
from .sending import send_on

pytestmark = pytest.mark.integration

TRIALS = int(os.environ.get("AFFIANT_CRASH_TRIALS", "6"))


@dataclass
class Sending:
    """The sending program at work."""

    program: Program
    engine: list[int]
    url: str

    @property
    def anvil(self) -> int:
        """The process id of anvil."""
        return anvils(self.engine)[0]


@contextmanager
def sending(journal: Path) -> Iterator[Sending]:
    """Start the sending program."""
    with program(send_on, str(journal)) as started:
        pids, url = started.told(2)
        yield Sending(started, [int(pid) for pid in pids.split()], url)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("trial", range(TRIALS))
def test_no_acknowledged_transaction_is_lost(tmp_path: Path, trial: int) -> None:
    """After kill -9 at a random moment every acknowledged transaction is there, and it goes on."""
    moment = random.Random(trial)  # noqa: S311 (a reproducible moment)
    victims = ("engine", "us", "both")[trial % 3]
    journal = tmp_path / "chain.db"
    with sending(journal) as run:
        acknowledged = run.program.told(moment.randrange(1, 40))
        time.sleep(moment.uniform(0, 0.01))
        if victims != "us":
            kill(run.anvil)
        if victims != "engine":
            kill(run.program.pid)
        acknowledged += run.program.rest()
        assert gone([*run.engine, run.program.pid])
        assert not answers(run.url)
    acknowledged = [line for line in acknowledged if line.startswith("0x")]
    with opened(journal) as chain:
        _holds(chain, acknowledged)
        head, nonce = chain.head(), chain.nonce()
        assert nonce - len(acknowledged) in (0, 1)  # one may be mined whose sender never heard
        assert head[0] == len(chain.journal.blocks())
    with opened(journal) as chain:
        assert chain.head() == head
        acknowledged.append(chain.acknowledged(nonce))
        _holds(chain, acknowledged)


def _holds(chain: Opened, acknowledged: list[str]) -> None:
    missing = [sent for sent in acknowledged if chain.receipt(sent) is None]
    assert not missing
    held = {h for block in range(chain.head()[0] + 1) for h in _transactions(chain, block)}
    assert set(acknowledged) <= held


def _transactions(chain: Opened, number: int) -> list[str]:
    return list(chain.ask("eth_getBlockByNumber", hex(number), False)["transactions"])


@pytest.mark.usefixtures("engine")
def test_the_engines_death_is_told_in_one_line(tmp_path: Path) -> None:
    """A program whose engine is killed ends with an error of ours, not with a traceback."""
    with sending(tmp_path / "chain.db") as run:
        run.program.told(3)
        kill(run.anvil)
        assert run.program.rest()[-1].startswith("error: ")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("signal", [1, 2, 15], ids=["hang-up", "interrupt", "terminate"])
def test_a_signal_leaves_no_engine(tmp_path: Path, signal: int) -> None:
    """Whatever signal ends us, the engine ends as well, and the journal opens again."""
    with sending(tmp_path / "chain.db") as run:
        acknowledged = run.program.told(3)
        os.kill(run.program.pid, signal)
        acknowledged += run.program.rest()
        assert gone([*run.engine, run.program.pid])
        assert not answers(run.url)
    with opened(tmp_path / "chain.db") as chain:
        _holds(chain, acknowledged)
