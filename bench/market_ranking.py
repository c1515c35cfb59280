"""Ranking agents while nine of ten reviewers are Sybils, against the plain average of ERC-8004.

A simulation: 150 agents with true quality from 0.2 to 0.95; 60 honest clients, of whom 8 are the
seeds, hire 10 to 30 agents each by chance, pay log-normal prices around 10 and rate with noise of
0.15 (a new seed of the dice for each world). 540 Sybils serve the worse half of the agents, all of
them. Kinds: `free` reviews without a job, praise for their own and blame for rivals; `wash`, large
settled and logged jobs with their own agents, whose money comes back; `bad-mouth`, real jobs at a
twentieth of the price with good agents, rated 0; `camouflage`, wash trading beside cheap real jobs
with good agents, rated truly; `all` of them by turns. AUC: how often an agent of the better half is
ranked above one of the worse half, ties counting half. Peers: the average of all feedback, and of
that with a settled, logged job alone.

Design and settings were chosen on worlds 0 to 8 and were final before worlds 100 and on, which are
told, were looked at. What attackers spend is what they pay to others than their own, as a share of
all that honest clients paid; gas comes on top. Attackers that know the rules rate good agents
without any noise and mix in lies; the worst of ten mixes is told, and there may be worse. Honest
clients here hire by chance and alike: clients that differ in taste, or only hire who is well known,
are not simulated.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import fmean

from affiant.verticals.market.ranking import DAY, PPM, Feedback, Score, rank
from bench.run import Figure, Run, rounded

AGENTS, HONEST, SEEDS, SYBILS = 150, 60, 8, 540
PRICE, CHEAP, NOISE = 10.0, 0.05, 0.15
NOW, YEAR = 400 * DAY, 365 * DAY
TOLD = 100
"""The first world whose figures are told."""
BURNT = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""What attackers may spend, as shares of what honest clients paid."""


def measure(run: Run) -> list[Figure]:
    """Attack worlds, and rank."""
    numbers = range(TOLD, TOLD + run.times(2, 10))
    attacks = {"nobody": nobody, **ATTACKS, "all": every}
    figures = [_attack(numbers, name, attack) for name, attack in attacks.items()]
    return figures + _clever(numbers[: run.times(1, 3)], run.quick) + _seeds(numbers[:5])


def _attack(numbers: Sequence[int], name: str, attack: Callable[[World, int], None]) -> Figure:
    worlds = [attacked(World(number), attack) for number in numbers]
    found = [ours(world) for world in worlds]
    bound = fmean(average(world, bound=True) for world in worlds)
    burnt = fmean(world.burnt / world.paid for world in worlds)
    return Figure(
        f"AUC, attack: {name}",
        rounded(fmean(found)),
        "",
        goal=">= 0.90",
        peer=rounded(fmean(average(world) for world in worlds)),
        note=f"least {min(found):.3f} of {len(found)} worlds; peer: average of all feedback; of "
        f"that with a settled, logged job {bound:.3f}; attackers spend {burnt:.1%}",
    )


def _clever(numbers: Sequence[int], quick: bool) -> list[Figure]:  # noqa: FBT001
    """Find how much attackers that know the rules must spend, by the worst of their mixes."""
    worst = {0.0: ("nobody", fmean(ours(World(number)) for number in numbers))}
    for share in BURNT[::3] if quick else BURNT:
        found = {
            name: fmean(ours(attacked(World(n), Clever(share, **mix))) for n in numbers)
            for name, mix in MIXES.items()
        }
        name = min(found, key=found.__getitem__)
        worst[share] = (name, found[name])
    told = ", ".join(
        f"{value:.2f} at {share:.0%} ({name})" for share, (name, value) in worst.items()
    )
    return [
        Figure(
            "AUC, attackers that know the rules and spend 10 %",
            rounded(worst[BURNT[0]][1]),
            "",
            goal=">= 0.90",
            note=f"the worst of {len(MIXES)} mixes of truth and lies: {told}",
        ),
        Figure(
            "spending at which these reach AUC 0.80",
            _crossing({share: value for share, (_, value) in worst.items()}),
            "%",
            note="of all that honest clients paid, between the shares above in a line; the peer "
            "falls to 0.14 and less for gas alone",
        ),
    ]


def _crossing(values: dict[float, float]) -> float | None:
    for (low, high), (share, below) in pairwise(values.items()):
        if below < 0.80 <= high:
            return rounded(100 * (low + (share - low) * (high - 0.80) / (high - below)))
    return None


def _seeds(numbers: Sequence[int]) -> list[Figure]:
    """Tell what it rests on: seeds, and good agents that do not sell."""

    def auc_of(
        name: str,
        count: int = SEEDS,
        spoilt: int = 0,
        sellers: int = 0,
        jobs: tuple[int, int] = (10, 30),
    ) -> Figure:
        found = []
        for number in numbers:
            world = World(number, count, sellers=sellers, jobs=jobs)
            spoil(world, spoilt)
            attack = Clever(1.0, praise=1.0, lie=0.3) if sellers else every
            found.append(ours(attacked(world, attack)))
        calm = fmean(ours(World(number, count, jobs=jobs)) for number in numbers)
        note = f"least {min(found):.3f} of {len(found)} worlds; {calm:.3f} if nobody attacks"
        return Figure(name, rounded(fmean(found)), "", note=note)

    return [
        auc_of("AUC, all attacks, 4 seeds", count=4),
        auc_of("AUC, all attacks, 2 seeds", count=2),
        auc_of("AUC, all attacks, 1 of 8 seeds says the opposite", spoilt=1),
        auc_of("AUC, all attacks, 3 of 8 seeds say the opposite", spoilt=3),
        auc_of("AUC, all attacks, honest clients have 3 to 9 jobs", jobs=(3, 9)),
        auc_of("AUC, 2 of 75 good agents hand all back to Sybils", sellers=2),
        auc_of("AUC, 10 of 75 good agents hand all back to Sybils", sellers=10),
    ]


@dataclass
class World:
    """Agents, and what is said of them."""

    number: int
    seeds: int = SEEDS
    said: list[Feedback] = field(default_factory=list)
    burnt: float = 0.0
    paid: float = 0.0
    """What honest clients paid."""
    sellers: int = 0
    """How many good agents hand their money back to Sybils, which then hire nobody else."""
    jobs: tuple[int, int] = (10, 30)
    """The fewest and most that an honest client has."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.number)  # noqa: S311
        self.quality = {f"agent-{n}": self.dice.uniform(0.2, 0.95) for n in range(AGENTS)}
        ordered = sorted(self.quality, key=self.quality.__getitem__)
        self.worse, self.better = ordered[: AGENTS // 2], ordered[AGENTS // 2 :]
        names = list(self.quality)
        for n in range(HONEST):
            for agent in self.dice.sample(names, self.dice.randint(*self.jobs)):
                amount = PRICE * self.dice.lognormvariate(0, 0.7)
                self.paid += amount
                self.say(f"client-{n}", agent, self.truth(agent), amount)

    @property
    def named(self) -> set[str]:
        """The seeds."""
        return {f"client-{n}" for n in range(self.seeds)}

    def truth(self, agent: str) -> float:
        """Return an honest rating."""
        return self.quality[agent] + self.dice.gauss(0, NOISE)

    def say(self, client: str, agent: str, value: float, amount: float = 0) -> None:
        """Rate a job of this price, or, without a price, none."""
        self.said.append(
            Feedback(
                agent,
                client,
                round(min(max(value, 0.0), 1.0) * PPM),
                f"job-{len(self.said)}",
                round(amount * 1_000_000),
                NOW - self.dice.randrange(YEAR),
                settled=amount > 0,
                logged=amount > 0,
            )
        )

    def own(self, sybil: int) -> list[str]:
        """Return the ring of agents that a Sybil serves: five of the worse half."""
        return [self.worse[(sybil * 5 + n) % len(self.worse)] for n in range(5)]

    def wash(self, sybil: int, scale: float = 3.0) -> None:
        """Pay the own agents much, and get it back."""
        for agent in self.own(sybil):
            self.say(f"sybil-{sybil}", agent, 1.0, scale * PRICE)

    def real(self, sybil: int, count: int, price: float, value: float | None = None) -> None:
        """Pay good agents, and rate them truly or as told."""
        for agent in self.dice.sample(self.better, count):
            self.burnt += price
            said = self.truth(agent) if value is None else value
            self.say(f"sybil-{sybil}", agent, said, price)


def free(world: World, sybil: int) -> None:
    """Praise own agents and blame rivals, without a job."""
    for agent in world.own(sybil):
        world.say(f"sybil-{sybil}", agent, 1.0)
    for agent in world.dice.sample(world.better, 5):
        world.say(f"sybil-{sybil}", agent, 0.0)


def wash(world: World, sybil: int) -> None:
    """Trade with own agents alone."""
    world.wash(sybil)


def bad_mouth(world: World, sybil: int) -> None:
    """Hire rivals for little, and rate them 0."""
    world.real(sybil, 5, CHEAP * PRICE, 0.0)


def camouflage(world: World, sybil: int) -> None:
    """Hire good agents for little, rate them truly, and trade with own agents."""
    world.real(sybil, 5, CHEAP * PRICE)
    world.wash(sybil)


ATTACKS = {"free": free, "wash": wash, "bad-mouth": bad_mouth, "camouflage": camouflage}


def every(world: World, sybil: int) -> None:
    """Take turns at all of them."""
    list(ATTACKS.values())[sybil % len(ATTACKS)](world, sybil)


def nobody(world: World, sybil: int) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Clever:
    """Sybils that know the rules, and spend a share of what honest clients paid.

    They pay good agents and rate them as they are, without any noise; by washing they praise their
    own, partly with the truth, so as to be no further off than others; or they blame some rivals.
    """

    share: float
    truth: float = 0.0
    """Units washed with true ratings, for each unit that is spent."""
    praise: float = 0.0
    """Units washed with praise, for each unit that is spent."""
    blame: float = 0.0
    """The part of the spent units that blames."""
    lie: float = 1.0
    """How far a lie is from the truth, at most."""

    def __call__(self, world: World, sybil: int) -> None:
        """Do what one Sybil does."""
        budget = self.share * world.paid / SYBILS
        hired = world.better[-world.sellers :] if world.sellers else world.better
        for agent in world.dice.choices(hired, k=10):
            world.burnt += 0 if world.sellers else budget / 10
            false = world.dice.random() < self.blame
            value = world.quality[agent] - self.lie * false
            world.say(f"sybil-{sybil}", agent, value, budget / 10)
        for agent in world.own(sybil):
            said = (world.quality[agent], world.quality[agent] + self.lie)
            for value, part in zip(said, (self.truth, self.praise), strict=True):
                if part:
                    world.say(f"sybil-{sybil}", agent, value, budget * part / 5)


MIXES = {
    "praise": {"praise": 1.0},
    "praise with truth": {"praise": 0.5, "truth": 1.0},
    "little praise": {"praise": 0.3, "truth": 0.3},
    "much praise, small lies": {"praise": 2.0, "lie": 0.25},
    "praise, small lies": {"praise": 1.0, "lie": 0.3},
    "blame": {"blame": 1.0},
    "some blame": {"blame": 0.15},
    "some blame, small lies": {"blame": 0.5, "lie": 0.3},
    "both": {"blame": 0.1, "praise": 0.2, "truth": 0.3},
    "both, small lies": {"blame": 0.5, "praise": 1.0, "lie": 0.25},
}


def attacked(world: World, attack: Callable[[World, int], None]) -> World:
    """Let all Sybils attack a world."""
    for sybil in range(SYBILS):
        attack(world, sybil)
    return world


def spoil(world: World, count: int) -> None:
    """Let some seeds say the opposite of what they found."""
    bought = {f"client-{n}" for n in range(count)}
    world.said = [
        replace(item, value=PPM - item.value) if item.client in bought else item
        for item in world.said
    ]


def auc(world: World, scores: dict[str, float]) -> float:
    """Return how often a better agent is ranked above a worse one."""
    middle = fmean(scores.values())
    wins = 0.0
    for good in world.better:
        for bad in world.worse:
            a, b = scores.get(good, middle), scores.get(bad, middle)
            wins += 1.0 if a > b else 0.5 if a == b else 0.0
    return wins / len(world.better) / len(world.worse)


def ours(world: World) -> float:
    """Return the AUC of our ranking."""
    found: dict[str, Score] = rank(world.said, world.named, NOW)
    return auc(world, {agent: score.value for agent, score in found.items()})


def average(world: World, *, bound: bool = False) -> float:
    """Return the AUC of the plain average, of all or of feedback with a settled, logged job."""
    values = defaultdict(list)
    for item in world.said:
        if not bound or (item.settled and item.logged):
            values[item.agent].append(item.value / PPM)
    return auc(world, {agent: fmean(found) for agent, found in values.items()})
