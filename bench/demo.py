"""The demo: how long it takes, how much disk the installation takes, how long an order takes.

The story orders for 24 periods; every order is observed, decided, sworn, logged, anchored, executed
and reported. Every run has a fresh folder.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from affiant.apps.house import RealHouse
from affiant.apps.wiring import open_house
from affiant.chain import artifacts
from affiant.kernel.house import Act, Agent, House, Rehearsal
from affiant.kernel.model import Doubt, Input, Model, Proposal
from affiant.kernel.ports import Archive, Ledger, Log
from affiant.verticals.supply.story import story
from bench import contracts
from bench.gas import open_chain
from bench.run import REPOSITORY, Figure, Run, median, percentile, rounded, spread

AFFIANT = str(Path(sys.executable).parent / "affiant")
PATIENCE = 60
"""Seconds that a quick run gives the installation."""


def measure(run: Run) -> list[Figure]:
    """Tell the story, time it, and measure what it needs."""
    stories = [tell(run, f"home{number}") for number in range(run.times(1, 3))]
    whole = [told.seconds for told in stories]
    note = f"`affiant demo`, a process; the first also compiles Python files; {spread(whole)}"
    return [
        Figure("the demo, wall time", median(whole), "s", "<= 30", note=note),
        *_orders(stories, _transfer_seconds(stories[0].home, run.times(24, 72))),
        *_inside(run),
        *_gas(stories[0]),
        *_installation(run),
    ]


@dataclass(frozen=True)
class Story:
    """A demo that has been told."""

    home: Path
    seconds: float
    """From starting the process to its end."""
    steps: list[dict[str, Any]]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The orders that were executed."""
        return [step for step in self.steps if step["step"] == "order" and step["gas"]]


def tell(run: Run, name: str) -> Story:
    """Run the demo in a fresh folder of that name."""
    home = run.folder / name
    command = [AFFIANT, "demo", "--json", "--home", str(home)]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=run.environment)
    return Story(home, time.perf_counter() - began, json.loads(done.stdout)["steps"])


def _orders(stories: Sequence[Story], transfers: Sequence[float]) -> Iterator[Figure]:
    seconds = [float(order["seconds"]) for told in stories for order in told.orders]
    note = (
        "from observing to the logged outcome, so more than from decision to execution; "
        f"{spread(seconds)} orders; peer: a plain ERC-20 transfer on the same chain"
    )
    for percent, goal in ((50, None), (95, "<= 1")):
        name, peer = f"an order, p{percent}", percentile(transfers, percent)
        yield Figure(name, percentile(seconds, percent), "s", goal, peer, note)
        note = f"as above; peer: {spread(transfers)} transfers"
    ratio = rounded(percentile(seconds, 50) / percentile(transfers, 50))
    note = "taken one after the other, so what else the machine did is in it"
    yield Figure("an order, as a multiple of a plain transfer, p50", ratio, "times", note=note)


def _transfer_seconds(home: Path, times: int) -> list[float]:
    """Return what plain ERC-20 transfers on the demo's own chain take, each until it is mined."""
    seconds = []
    with open_house(home) as house:
        holder, abi = house.key("bench"), contracts.token()
        token = house.deploy(abi, "Token", "TOK", holder.address)
        house.send(holder, token, abi, "mint", holder.address, 10**9)
        recipient = house.key("supplier").address
        for _ in range(times):
            began = time.perf_counter()
            house.send(holder, token, abi, "transfer", recipient, 1)
            seconds.append(time.perf_counter() - began)
    return seconds


def _inside(run: Run) -> Iterator[Figure]:
    """Tell the story again in this process, with a watch on the parts of the agent."""
    with open_house(run.folder / "watched") as house:
        watched = Watched(house)
        for step in story(cast("House", watched)):
            if step.title == "cost":
                break
    note = "from the model's answer to the mined transaction, in process; " + spread(watched.acts)
    yield Figure("decision to executed action, p50", percentile(watched.acts, 50), "s")
    yield Figure("decision to executed action, p95", percentile(watched.acts, 95), "s", note=note)
    whole = sum(watched.orders)
    watched.took("the rest: swearing, the agent's own records", whole - sum(watched.parts.values()))
    for part, seconds in sorted(watched.parts.items(), key=lambda item: -item[1]):
        share = rounded(seconds / len(watched.orders))
        note = f"{100 * seconds / whole:.0f} % of an order, mean of {len(watched.orders)}"
        yield Figure(f"of an order: {part}", share, "s", note=note)


@dataclass
class Watched:
    """A house whose agents' parts are timed."""

    house: RealHouse
    parts: dict[str, float] = field(default_factory=dict)
    acts: list[float] = field(default_factory=list)
    """Seconds from each answer of the model to its execution."""
    orders: list[float] = field(default_factory=list)
    answered: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.house, name)

    def agent(self, name: str, *, careful: bool = True, archive: Archive | None = None) -> Agent:
        """Return an agent with a watch on its log, ledger and model."""
        agent = self.house.agent(name, careful=careful, archive=archive)
        log, ledger = Part(agent.log, self), Part(agent.ledger, self)
        agent = type(agent)(
            **{**vars(agent), "log": cast("Log", log), "ledger": cast("Ledger", ledger)}
        )
        return WatchedAgent(agent, self)

    def took(self, part: str, seconds: float) -> None:
        """Add to what a part took."""
        self.parts[part] = self.parts.get(part, 0.0) + seconds


@dataclass(frozen=True)
class Part:
    """The log or the ledger; the runtime's calls are timed, calls between the two are not."""

    part: Any
    watched: Watched

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        label = LABELS.get(name)
        if label is None:
            return found
        return functools.partial(self._timed, found, label)

    def _timed(self, call: Callable[..., Any], label: str, *arguments: Any) -> Any:
        bare = [a.part if isinstance(a, Part) else a for a in arguments]
        began = time.perf_counter()
        result = call(*bare)
        ended = time.perf_counter()
        self.watched.took(label, ended - began)
        if call.__name__ == "execute":
            self.watched.acts.append(ended - self.watched.answered)
        return result


LABELS = {
    "put_body": "the log, durable",
    "register": "the log, durable",
    "about": "the log, durable",
    "anchor": "anchoring",
    "execute": "executing",
    "executions": "asking the chain what it holds",
    "state": "asking the chain what it holds",
    "terms": "asking the chain what it holds",
}


@dataclass(frozen=True)
class WatchedAgent:
    """An agent whose acts are timed."""

    agent: Agent
    watched: Watched

    @property
    def key(self) -> Any:
        """The agent's key."""
        return self.agent.key

    def rehearse(self, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Rehearsal:
        """Rehearse, unwatched."""
        return self.agent.rehearse(mandate, model, inputs)

    def recall(self, job: str) -> Act | None:
        """Return what became of a job that was decided, or None."""
        return self.agent.recall(job)

    def act(self, job: str, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Act:
        """Act, and take the time."""
        began = time.perf_counter()
        result = self.agent.act(job, mandate, WatchedModel(model, self.watched), inputs)
        self.watched.orders.append(time.perf_counter() - began)
        return result


@dataclass(frozen=True)
class WatchedModel:
    """A model that notes when it has answered."""

    model: Model
    watched: Watched

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer as the model does."""
        began = time.perf_counter()
        answer = self.model.predict(inputs)
        self.watched.answered = time.perf_counter()
        self.watched.took("the model", self.watched.answered - began)
        return answer


def _gas(told: Story) -> Iterator[Figure]:
    """Read from the demo's own chain what its orders and their anchors cost."""
    orders = [int(order["gas"]) for order in told.orders][1:]
    with open_chain(told.home) as chain:
        where, abi = chain.ledger.anchor_address, artifacts.load("LogAnchor")
        hashes = [
            bytes(e["transactionHash"]) for e in chain.connection.events(where, abi, "Anchored")
        ]
        anchors = [int(chain.connection.receipt(found)["gasUsed"]) for found in hashes][1:]
    note = f"one rule with a pin; {spread(orders, 'gas')}, without the first"
    yield Figure("gas of an order's transfer", median(orders), "gas", note=note)
    note = f"no witnesses, fresh seats; {spread(anchors, 'gas')}, without the first"
    yield Figure("gas of an anchor", median(anchors), "gas", note=note)
    note = "every order anchors for itself; orders that share an anchor share its gas"
    yield Figure(
        "gas of an order with its anchor", median(orders) + median(anchors), "gas", note=note
    )


def _installation(run: Run) -> list[Figure]:
    """Install into a fresh environment as the Makefile does, and measure the folder."""
    name, goal = "installation on disk, with anvil", "<= 200"
    needed = [REPOSITORY / "requirements" / f"{name}.txt" for name in ("base", "build")]
    if not all(path.exists() for path in needed):
        return [Figure(name, None, "MB", goal, note=f"there is no {needed[0].name} yet")]
    folder = run.folder / "installed"
    began = time.perf_counter()
    try:
        _install(folder, needed, PATIENCE if run.quick else 10 * PATIENCE)
    except subprocess.TimeoutExpired:
        return [Figure(name, None, "MB", goal, note=f"did not end within {PATIENCE} s")]
    except subprocess.CalledProcessError as error:
        told = str(error.stderr or error.stdout).strip().splitlines()[-1:]
        return [Figure(name, None, "MB", goal, note=f"could not be installed: {told}")]
    seconds = time.perf_counter() - began
    size = disk(folder)
    engine = disk(folder / "share" / "affiant")
    packages = next((folder / "lib").glob("python*/site-packages"))
    largest = sorted(((disk(p), p.name) for p in packages.iterdir() if p.is_dir()), reverse=True)
    parts = ", ".join(f"{label} {megabytes(part):g}" for part, label in largest[:5])
    note = f"MB of 10^6 bytes as blocks on disk: anvil {megabytes(engine):g}, {parts}, …"
    first = Figure(name, megabytes(size), "MB", goal, note=note)
    note = "downloads by pip and npm; their caches and the network decide"
    took = Figure("installing it", rounded(seconds), "s", note=note)
    command = [str(folder / "bin" / "affiant"), "demo", "--json", "--home"]
    plain = {k: v for k, v in run.environment.items() if k != "PYTHONPYCACHEPREFIX"}
    home = str(run.folder / "new")
    subprocess.run([*command, home], capture_output=True, check=True, env=plain)
    note = "Python has compiled what the demo imports; the home is not counted"
    after = Figure("the same after a demo", megabytes(disk(folder)), "MB", note=note)
    return [first, after, took]


def _install(folder: Path, needed: Sequence[Path], patience: float) -> None:
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--no-compile", "--quiet"]
    files = [option for path in needed for option in ("-r", str(path))]
    ends = time.monotonic() + patience
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "--require-hashes", *files],
        [*pip, "--no-deps", "--no-build-isolation", str(REPOSITORY)],
        [str(folder / "bin" / "affiant"), "chain", "install"],
    ):
        left = max(ends - time.monotonic(), 0.1)
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=left)


def disk(folder: Path) -> int:
    """Return the bytes that a folder takes on disk, as `du` counts them."""
    seen = {(s.st_dev, s.st_ino): s.st_blocks * 512 for s in map(Path.lstat, folder.rglob("*"))}
    return sum(seen.values())


def megabytes(size: int) -> float:
    """Return MB of 10^6 bytes."""
    return rounded(size / 1e6)
