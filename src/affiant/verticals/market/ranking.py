"""Scores of agents from feedback, so that reviewers weigh no more than the money they parted with.

Only feedback counts that is tied to a settled payment and a logged job, once a job. That alone does
not help: who pays its own agent gets the money back. So a client's word weighs by the share of its
spending that went to agents whom trusted clients found good, the agent it speaks of left out; and
less the further its words are from what others found. Both are measured by the seeds, the named
clients with whom trust begins: who spends and errs like them is trusted like them. Trust spreads
along money, for a few rounds (after EigenTrust: Kamvar, Schlosser and Garcia-Molina, 2003; and
SybilRank: Cao, Sirivianos, Yang and Pregueiro, 2012). Three bounds follow:

- Weight is linear in money, up to a cap a pair: a thousand clients weigh what one does.
- Clients and agents that pay each other weigh nothing if nobody trusted pays them too.
- An agent passes on trust in the measure in which it got it: other payments dilute it for all.

So to bend scores, attackers must part with money as honest clients do, at good agents, and lie
little. Scores are means, shrunk to the seeds' mean of all agents (a Beta prior); age halves
weights. Only + - * / and `math.fsum` are used, so the same feedback gives the same scores.

What it does not see: good agents that sell trust by handing money back, and seeds that collude.
What it costs: clients with few jobs hardly count, and with one seed alone no trust spreads.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from affiant.kernel.errors import InputError

PPM = 1_000_000
DAY = 86_400


@dataclass(frozen=True)
class Feedback:
    """What a client said of an agent, and what whoever looked it up found of the job."""

    agent: str
    client: str
    value: int
    """In ppm of the best."""
    job: str | None = None
    amount: int = 0
    """What was settled, in the token's smallest units."""
    settled_at: int = 0
    settled: bool = False
    logged: bool = False


@dataclass(frozen=True)
class Settings:
    """How scores are reckoned. A unit is the median of what seeds paid for a job."""

    rounds: int = 4
    """How often trust spreads from clients to agents and back."""
    prior: float = 3.0
    """How many units the seeds' mean of all agents counts for."""
    cap: float = 10.0
    """The most units that count of what one client paid one agent."""
    clear: float = 0.2
    """How far above the mean an agent must be for all that it is paid to count as spent."""
    far: float = 2.0
    """How many times the seeds' mean square error a client has whose word weighs nothing."""
    half_life: int = 180 * DAY

    def __post_init__(self) -> None:
        if min(self.prior, self.cap, self.clear, self.half_life) <= 0 or self.far <= 1:
            raise InputError(f"{self} cannot be reckoned with", "Give values above 0, far above 1")


@dataclass(frozen=True)
class Score:
    """An agent's score from 0 to 1, and the units of trusted money it rests on."""

    value: float
    weight: float


@dataclass
class _Pair:
    """All that one client said of one agent: units, and the same times values."""

    units: float
    valued: float


Pairs = Mapping[tuple[str, str], _Pair]
Weights = Mapping[tuple[str, str], float]


def rank(
    feedback: Iterable[Feedback],
    seeds: Collection[str],
    now: int,
    settings: Settings = Settings(),
) -> dict[str, Score]:
    """Return the score of every agent that anybody spoke of, the best first.

    Raises:
        InputError: no seed has paid for a job, so there is nothing to begin with.
    """
    said = list(feedback)
    counted = _counted(said, now)
    first = [item for item in counted if item.client in seeds]
    if not first:
        raise InputError("no seed has paid for a logged job", "Name clients that have")
    pairs = _pairs(counted, statistics.median(item.amount for item in first), now, settings)
    weights: dict[tuple[str, str], float] = {
        pair: found.units if pair[0] in seeds else 0.0 for pair, found in pairs.items()
    }
    valued = math.fsum(pairs[pair].valued for pair in pairs if pair[0] in seeds)
    mean = valued / math.fsum(weights.values())
    for _ in range(settings.rounds):
        weights = _weights(pairs, weights, seeds, mean, settings)
    scores = _scores(pairs, weights, mean, settings)
    named = {item.agent: Score(mean, 0.0) for item in said} | scores
    return dict(sorted(named.items(), key=lambda item: (-item[1].value, item[0])))


def _counted(feedback: Iterable[Feedback], now: int) -> list[Feedback]:
    """Return what is tied to a payment and a job, the last word on each job; in one order."""
    last: dict[tuple[str, str, str], Feedback] = {}
    for item in feedback:
        bound = item.settled and item.logged and item.job is not None and item.amount > 0
        sound = 0 <= item.value <= PPM and item.settled_at <= now and item.client != item.agent
        if bound and sound:
            last[str(item.job), item.client, item.agent] = item
    return [last[job] for job in sorted(last)]


def _pairs(
    counted: Iterable[Feedback], unit: float, now: int, settings: Settings
) -> dict[tuple[str, str], _Pair]:
    """Return what each client paid each agent, aged, in units, and capped."""
    pairs: dict[tuple[str, str], _Pair] = defaultdict(lambda: _Pair(0.0, 0.0))
    for item in counted:
        halves, rest = divmod(now - item.settled_at, settings.half_life)
        aged = (1 - rest / settings.half_life / 2) / (1 << min(halves, 60))
        units = item.amount / unit * aged
        pair = pairs[item.client, item.agent]
        pair.units += units
        pair.valued += units * item.value / PPM
    for pair in pairs.values():
        part = min(1.0, settings.cap / pair.units)
        pair.units, pair.valued = pair.units * part, pair.valued * part
    return dict(pairs)


def _scores(pairs: Pairs, weights: Weights, mean: float, settings: Settings) -> dict[str, Score]:
    """Return each agent's weighted mean, shrunk to the mean of all."""
    terms: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair, found in pairs.items():
        terms[pair[1]].append((weights[pair], weights[pair] * found.valued / found.units))
    scores = {}
    for agent, said in terms.items():
        weight = math.fsum(weight for weight, _ in said)
        value = math.fsum(valued for _, valued in said) + mean * settings.prior
        scores[agent] = Score(value / (weight + settings.prior), weight)
    return scores


def _weights(
    pairs: Pairs, before: Weights, seeds: Collection[str], mean: float, rules: Settings
) -> dict[tuple[str, str], float]:
    """Return what each client's word on each agent weighs; a seed's weighs what it paid.

    Others are measured by the seeds: how much went to good agents, how far off their words were.
    """
    scores, got, paid = _scores(pairs, before, mean, rules), _sums(pairs, 1), _sums(pairs, 0)
    credit = {
        agent: min(1.0, score.weight / got[agent])
        * min(1.0, max(0.0, (score.value - mean) / rules.clear))
        for agent, score in scores.items()
    }
    good = {pair: found.units * credit[pair[1]] for pair, found in pairs.items()}
    off = {
        pair: found.units * _off(found, before[pair], scores[pair[1]], rules.prior)
        for pair, found in pairs.items()
    }
    spent, apart = _sum(good), _sum(off)
    known = [seed for seed in seeds if seed in paid]
    money = math.fsum(paid[seed] for seed in known)
    usual = math.fsum(spent[seed] for seed in known) / money
    error = math.fsum(apart[seed] for seed in known) / money
    weights = {}
    for pair, found in pairs.items():
        client, trust = pair[0], 1.0
        if client not in seeds:
            share = (spent[client] - good[pair]) / paid[client]
            wrong = apart[client] / paid[client]
            trust = min(1.0, share / usual) if usual > 0 else 0.0
            trust *= _near(wrong, error, rules.far)
        weights[pair] = found.units * trust
    return weights


def _near(wrong: float, usual: float, far: float) -> float:
    """Return 1 for an error that is usual, 0 for one that is `far` times as large."""
    if usual <= 0:  # seeds that no other seed can be compared with tell nothing
        return 0.0 if wrong > 0 else 1.0
    return min(1.0, max(0.0, (far - wrong / usual) / (far - 1)))


def _off(found: _Pair, weight: float, score: Score, prior: float) -> float:
    """Return the square of how far a word is from what all others found, as sure as that is."""
    said, rest = found.valued / found.units, score.weight - weight
    others = (score.value * (score.weight + prior) - said * weight) / (rest + prior)
    return (said - others) ** 2 * rest / (rest + prior)


def _sums(pairs: Pairs, place: int) -> dict[str, float]:
    """Return what each client paid in all, or with place 1 what each agent got."""
    return _sum({pair: found.units for pair, found in pairs.items()}, place)


def _sum(values: Weights, place: int = 0) -> dict[str, float]:
    terms: dict[str, list[float]] = defaultdict(list)
    for pair, value in values.items():
        terms[pair[place]].append(value)
    return {name: math.fsum(found) for name, found in terms.items()}
