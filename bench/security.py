"""The sentinel: hijackers stopped, honest agents left alone, events judged per second.

Simulated agents (`bench/agents.py`) work for months; then they are hijacked. A harmful action is
executed in the block in which it is sworn, as fast as the mandate allows; a suspension holds two
blocks after the sentinel saw its grounds (one for the anchor, one to carry it), so what is done in
those two blocks still counts. Thresholds were chosen on a fleet of seed 1; the figures are of seeds
2 and 3. Honest agents swear to their source's data themselves on one day in 1,000, when its key
fails; a figure without a goal says what becomes of it at one day in 300.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from affiant.apps.wiring import open_house
from affiant.verticals.security.follow import LogFollower
from affiant.verticals.security.sentinel import Sentinel
from affiant.verticals.security.sightings import Sighting, Sworn
from affiant.verticals.security.story import story
from bench.agents import (
    BLOCK,
    DATA,
    DAY,
    START,
    SimulatedAgent,
    World,
    attack,
    deliveries,
    fleet,
)
from bench.run import Figure, Run, median, rounded

CARRIED = 2 * BLOCK
GOALS = {
    "drip, its own model": "<= 2",
    "drip, the usual model's name": "<= 2",
    "mimic, a genuine invoice": "<= 2",
    "mimic, a forged invoice": "<= 2",
    "brute": "<= 0",
    "a grab, an invoice its desk swore to": None,
    "mimic, an invoice its desk swore to, greedy": None,
    "mimic, an invoice its desk swore to, patient": None,
}


def measure(run: Run) -> list[Figure]:
    """Measure honest work, attacks, speed, and the story on the real chain."""
    figures = list(_fleet(run))
    figures += _real_purchases()
    figures += _told(run)
    return figures


def watch_over(world: World) -> Sentinel:
    """Return a sentinel that has the announced models, and can read what was observed."""
    return Sentinel(world.ledger, world, world.log_id, world.models)


def suspensions(sentinel: Sentinel, told: Sequence[Sworn]) -> list[Sighting]:
    """Judge statements; return what would have suspended somebody, at most once a week each."""
    found, until = list[Sighting](), defaultdict[str, int](int)
    for item in told:
        for sighting in sentinel.sworn(item):
            due = sighting.time >= until[sighting.suspect]
            if due and sighting.grounds:
                until[sighting.suspect] = sighting.time + 7 * DAY
                found.append(sighting)
    return found


def _fleet(run: Run) -> Iterator[Figure]:
    agents, days = (20, 60) if run.quick else (100, 365)
    world = World()
    made, told = fleet(world, agents, days, seed=2)
    sentinel = watch_over(world)
    began = time.perf_counter()
    wrong = suspensions(sentinel, told)
    seconds = time.perf_counter() - began
    kept = sum(len(standing.findings) for standing in sentinel.standings.values())
    note = f"{agents} agents over {days} days, {len(told):,} statements; single findings: {kept:,}"
    goal = "<= 3" if agents * days >= 30_000 else None
    name = f"false suspensions in {agents * days:,} simulated agent-days"
    yield Figure(name, len(wrong), "", goal, note=note)
    note = "observations and decisions, in memory, replays included; one core"
    yield Figure("events judged", rounded(len(told) / seconds), "per s", ">= 5000", note=note)
    yield from _attacks(sentinel, made, START + days * DAY)
    if not run.quick:
        world = World()
        _, told = fleet(world, agents, days, seed=3, failures=1 / 300)
        wrong = suspensions(watch_over(world), told)
        name = "the same, sources' keys failing one day in 300"
        yield Figure(name, len(wrong), "", note=f"seed 3, {agents * days:,} agent-days")


def _attacks(sentinel: Sentinel, made: Sequence[SimulatedAgent], begin: int) -> Iterator[Figure]:
    after: dict[str, list[int]] = defaultdict(list)
    kinds = list(GOALS)
    for number, agent in enumerate(made):
        kind = kinds[number % len(kinds)]
        moment = random.Random(number)  # noqa: S311 (it must repeat)
        after[kind].append(_harm(sentinel, agent, kind, begin + number * DAY, moment))
    for kind, goal in GOALS.items():
        done = sorted(after[kind])
        note = f"the most of {len(done)} attacks, the median {median(done)}; each tried 25 actions"
        if goal is None:
            caught = sum(harm <= 2 for harm in done)
            note += f", {caught} were stopped; the agent is deceived, all that it swears is honest"
        yield Figure(f"harmful actions after the first: {kind}", done[-1], "", goal, note=note)


def _harm(
    sentinel: Sentinel, agent: SimulatedAgent, kind: str, begin: int, moment: random.Random
) -> int:
    """Return how many harmful actions were executed after the first one."""
    executed, stopped = 0, None
    for at, told in attack(agent, kind, begin, moment):
        if stopped is not None and at > stopped:
            break
        executed += kind != "brute"  # the contract refuses what is outside the terms
        for item in told:
            for sighting in sentinel.sworn(item):
                if stopped is None and sighting.grounds:
                    stopped = at + CARRIED
    return max(0, executed - 1)


def _real_purchases() -> list[Figure]:
    name = "false suspensions in real purchases"
    if not (DATA / "scms-deliveries").is_dir():
        return [Figure(name, None, "", "<= 3", note="AFFIANT_DATA has no scms-deliveries")]
    world = World()
    days, told = deliveries(world)
    wrong = suspensions(watch_over(world), told)
    note = (
        f"10,324 lines of a public health programme, 43 countries as agents, {days:,} agent-days; "
        "every line is taken as honest"
    )
    return [Figure(name, len(wrong), "", "<= 3", note=note)]


def _told(run: Run) -> Iterator[Figure]:
    """Tell the story on the real log, chain and contracts."""
    began = time.perf_counter()
    with open_house(run.folder / "security") as house:
        steps = list(story(house))
        seconds = time.perf_counter() - began
        attacks = [step for step in steps if step.title == "attack"]
        for step in attacks:
            brute = "brute" in step.facts["attack"]
            harm = step.facts["executed"] - (0 if brute else 1)
            yield Figure(
                f"real chain, harmful actions after the first: {step.facts['attack']}",
                max(0, harm),
                "",
                "<= 0" if brute else "<= 2",
            )
        began = time.perf_counter()
        reader = LogFollower(house.view, house.kinds)
        read = [item for item in reader.read(house.clock.now()) if isinstance(item, Sworn)]
        reading = time.perf_counter() - began
    note = "from the first mandate to the last payment, without the audit"
    yield Figure("the story", rounded(seconds), "s", note=note)
    note = f"{len(read)} entries from SQLite: decoded, signature and body checked, tree built"
    yield Figure("entries read and verified", rounded(len(read) / reading), "per s", note=note)
