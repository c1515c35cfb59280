"""Claims about an agent under `kill -9`: whenever it dies, every job is done once, and provably."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affiant.apps import house as real
from affiant.apps.house import RealHouse
from affiant.apps.wiring import kinds, open_house
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.kernel.errors import AffiantError
from affiant.kernel.house import Act
from affiant.kernel.model import Input

from .buying import TOKEN, buy, shop
from .processes import family, gone, kill
from .programs import Program, program

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("engine")]

ORDERS = 8
TRIALS = int(os.environ.get("AFFIANT_AGENT_TRIALS", "5"))


def kill_after(started: Program, lines: int, seconds: float) -> None:
    """Kill a program some time after it told that much; nothing of it stays behind."""
    started.told(lines)
    time.sleep(seconds)
    left = family(started.pid)
    kill(started.pid)
    started.process.join()
    assert gone(left)


def all_is_well(home: Path, orders: int) -> None:
    """Check that each order was executed once, in order, and that the audit finds nothing."""
    with open_house(home) as house:
        mandate, model = shop(house)
        done = house.ledger.executions(mandate)
        assert [execution.nonce for execution in done] == list(range(orders))
        assert len({execution.subject for execution in done}) == orders
        paid = house.call(model.token, TOKEN, "balanceOf", model.supplier)
        assert paid == orders * (orders + 1) // 2
        assert house.ledger.cancelled(mandate) == set()
        report = audit(
            collect(house.log, house.ledger, house.archive),
            kinds(),
            ledger="here",
            log_id=house.log.policy.log_id,
        )
        assert report.findings() == []
        assert report.open() == []


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_killed_agent_does_every_job_once(tmp_path: Path, trial: int) -> None:
    """Killed at random moments and begun again, an agent executes each job exactly once."""
    moment = random.Random(trial)  # noqa: S311 (a reproducible moment)
    with program(buy, str(tmp_path), str(ORDERS)) as started:
        # One trial dies while the house is built, the others while orders are placed.
        lines, most = (1, 0.25) if trial == 0 else (moment.randrange(2, ORDERS), 0.12)
        kill_after(started, lines, moment.uniform(0, most))
    with program(buy, str(tmp_path), str(ORDERS)) as started:
        expected = ["begun", "open", *(f"placed {number}" for number in range(ORDERS))]
        assert started.rest() == expected
        assert started.process.exitcode == 0
    all_is_well(tmp_path, ORDERS)


def act_once(house: RealHouse, job: str = "order/0") -> Act:
    """Do the first job of the buying program."""
    mandate, model = shop(house)
    return house.agent("buyer").act(job, mandate, model, [Input.of({"units": 1}, source="orders")])


class Crash(Exception):
    """Stands for the death of the process, at a chosen point."""


# Where an agent may die: at each call of these, before it does anything or when it has done it.
DOORS = {
    "a statement kept": "affiant.agent.outbox.SqliteOutbox.put",
    "a statement logged": "affiant.log.sequencer.Sequencer._append",
    "an anchor": "affiant.chain.ledger.EvmLedger.anchor",
    "an execution": "affiant.chain.ledger.EvmLedger.execute",
    "a cancel": "affiant.chain.ledger.EvmLedger.cancel",
    "a block journalled": "affiant.chain.journal.Journal.begin",
    "a block acknowledged": "affiant.chain.journal.Journal.finish",
}


class Deaths:
    """Lets a function die at its call number `call`, and tells whether it came to that."""

    def __init__(self, door: str, call: int, *, after: bool) -> None:
        place, self.name = door.rsplit(".", 1)
        module, owner = place.rsplit(".", 1)
        self.owner = getattr(importlib.import_module(module), owner)
        self.real = getattr(self.owner, self.name)
        self.call, self.calls, self.after = call, 0, after

    @contextmanager
    def awaited(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Die inside, or not."""

        def dying(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls != self.call:
                return self.real(*args, **kwargs)
            if self.after:
                self.real(*args, **kwargs)
            raise Crash

        with monkeypatch.context() as patched, contextlib.suppress(Crash):
            patched.setattr(self.owner, self.name, dying)
            yield

    @property
    def happened(self) -> bool:
        """Whether the call came."""
        return self.calls >= self.call


@pytest.fixture(scope="session")
def shop_home(shared: Path, engine: Path) -> Path:
    """Make a home with a mandate in it; tests copy it."""
    assert engine.exists()
    with open_house(shared / "shop") as house:
        shop(house)
    return shared / "shop"


@pytest.fixture
def home(shop_home: Path, tmp_path: Path) -> Path:
    """Give a copy of that home."""
    return Path(shutil.copytree(shop_home, tmp_path / "home"))


@pytest.mark.parametrize(
    ("door", "moment"),
    [
        *((door, "before") for door in DOORS),
        *((door, "after") for door in ("an anchor", "an execution", "a cancel")),
        ("a block acknowledged", "after"),
    ],
)
def test_a_crash_at_each_step_resumes(
    home: Path, door: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step was the last, the same job begun again ends as it must: once, and provably."""
    todo = [(units, call) for units in (1, 101) for call in range(1, 8)]
    died, past = None, set[int]()
    while todo or died:
        with open_house(home) as house:
            if died:  # begun again, in a house opened again
                assert _order(house, *died).refused == (None if died[0] == 1 else "AboveCap")
                died = None
            while todo and not died:
                units, call = todo.pop(0)
                deaths = Deaths(DOORS[door], call, after=moment == "after")
                if units not in past:
                    with deaths.awaited(monkeypatch):
                        _order(house, units, call)
                    died = (units, call) if deaths.happened else None
                    past |= set() if died else {units}  # it never comes to so many calls
    assert past
    with open_house(home) as house:
        mandate, model = shop(house)
        executed = [execution.nonce for execution in house.ledger.executions(mandate)]
        given_up = [nonce for _, nonce in house.ledger.cancelled(mandate)]
        assert sorted(executed + given_up) == list(range(len(executed) + len(given_up)))
        assert house.call(model.token, TOKEN, "balanceOf", model.supplier) == len(executed)
        report = audit(
            collect(house.log, house.ledger, house.archive),
            kinds(),
            ledger="here",
            log_id=house.log.policy.log_id,
        )
        assert report.findings() == []


def _order(house: RealHouse, units: int, number: int) -> Act:
    """Order by an agent that does not check the terms itself; above 100 the contract refuses."""
    order = Input.of({"units": units}, source="orders")
    agent = house.agent("buyer", careful=False)
    return agent.act(f"{units}/{number}", *shop(house), [order])


@contextmanager
def dies_at(monkeypatch: pytest.MonkeyPatch, door: str, call: int = 1) -> Iterator[None]:
    """Die inside, before that call."""
    deaths = Deaths(DOORS[door], call, after=False)
    with deaths.awaited(monkeypatch):
        yield
    assert deaths.happened


class LaterClock:
    """The machine's clock, some time later."""

    later = 0

    def now(self) -> int:
        """Return seconds since 1970."""
        return int(time.time()) + self.later


def test_a_job_resumed_too_late_acts_at_most_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision that outlived its deadline over a crash is refused by name and given up."""
    monkeypatch.setattr(real, "SystemClock", LaterClock)
    with open_house(tmp_path) as house:
        shop(house)
        with dies_at(monkeypatch, "an execution"):
            act_once(house)
    monkeypatch.setattr(LaterClock, "later", 3 * 86_400)
    with open_house(tmp_path) as house:
        assert act_once(house).refused == "DecisionExpired"
        assert act_once(house, "order/1").refused is None
        report = audit(
            collect(house.log, house.ledger, house.archive),
            kinds(),
            ledger="here",
            log_id=house.log.policy.log_id,
        )
        assert report.findings() == []


def test_a_reopened_house_works_after_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A house closed for a month opens, finds its mandate, and acts at the time that it is now."""
    monkeypatch.setattr(real, "SystemClock", LaterClock)
    with open_house(tmp_path) as house:
        first = shop(house)
        assert act_once(house).refused is None
        block = house.ledger.now()
    monkeypatch.setattr(LaterClock, "later", 30 * 86_400)
    with open_house(tmp_path) as house:
        assert shop(house) == first
        assert house.ledger.now() == block  # finding the mandate again takes no transaction
        assert act_once(house, "order/1").refused is None
        assert house.ledger.now() >= block + 30 * 86_400 - 5


def test_a_crash_while_the_log_is_founded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose founding was cut off after its first entry is founded fully on the next start."""
    with dies_at(monkeypatch, "a statement logged", 2):
        open_house(tmp_path)
    with open_house(tmp_path) as house:
        assert act_once(house).refused is None
    all_is_well(tmp_path, 1)


def test_another_job_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash the agent can go on with another job at once."""
    with open_house(tmp_path) as house:
        shop(house)
        with dies_at(monkeypatch, "an execution"):
            act_once(house)
    with open_house(tmp_path) as house:
        try:
            assert act_once(house, "order/1").refused is None
        except AffiantError as error:
            pytest.fail(str(error))
