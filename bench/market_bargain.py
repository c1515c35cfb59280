"""Bargaining over price and deadline: agents with time-dependent tactics, against each other.

Random pairs: reservation values, best values, weights, tactics, beta (0.2 to 5) and rounds (8 to
40) are drawn for each; a zone exists where both reservation intervals overlap. Utilities are each
agent's own, 1 at best values and 0 at reservation values. The Pareto front and the Nash solution
(most product of utilities) are those of all terms that both agree to, not of those that the agents
could have found. Peers: the same agents without trade-offs, each issue giving in by itself
(Faratin, Sierra and Jennings, 1998), and agents that split the
difference and take at the end what they can agree to. Nothing was fitted; the
seeds are told because the pairs are drawn from them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import fmean

from affiant.verticals.market.bargain import Accept, Bargain, Mine, Offer, next_offer, play
from affiant.verticals.market.wants import PPM, Issue, Terms, Wants
from bench.run import Figure, Run, rounded

SEED = 20_261_125
STEPS = 400
"""Points of each edge of the front that the Nash solution is looked for on."""

Ask = Callable[[Wants, Fraction, Terms | None, Terms | None], Terms]
Point = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Two agents and what they bargain about."""

    bargain: Bargain
    buyer: Wants
    seller: Wants

    @property
    def zone(self) -> bool:
        """Whether any terms suit both."""
        price = self.seller.price.reservation <= self.buyer.price.reservation
        return price and self.seller.deadline.reservation <= self.buyer.deadline.reservation

    @property
    def front(self) -> list[Point]:
        """The Pareto front in utilities: with linear utilities, two edges of the zone."""
        low, high = self.seller, self.buyer
        ends = [(w.price.reservation, w.deadline.reservation) for w in (low, high)]
        # The corner: who cares more for the price, beside the deadline, gets all of it.
        corners = [Terms(ends[0][0], ends[1][1]), Terms(ends[1][0], ends[0][1])]
        dearer = self._slope(self.buyer) > self._slope(self.seller)
        best = corners[0] if dearer else corners[1]
        return [self.utilities(terms) for terms in (Terms(*ends[0]), best, Terms(*ends[1]))]

    def utilities(self, terms: Terms) -> Point:
        """Return both utilities of terms."""
        return float(self.buyer.utility(terms)), float(self.seller.utility(terms))

    def _slope(self, wants: Wants) -> Fraction:
        weight = Fraction(wants.weight, PPM)
        price = weight / abs(wants.price.best - wants.price.reservation)
        return price * abs(wants.deadline.best - wants.deadline.reservation) / (1 - weight)


@dataclass(frozen=True)
class Deal:
    """How one bargain between two ended."""

    terms: Terms | None
    rounds: int


def measure(run: Run) -> list[Figure]:
    """Let random pairs bargain."""
    dice = random.Random(SEED)  # noqa: S311
    pairs = [_pair(dice) for _ in range(run.times(200, 800))]
    able = [pair for pair in pairs if pair.zone]
    ours = [_ours(pair) for pair in able]
    sides = [(_with(pair, _each_alone), _with(pair, _split)) for pair in able]
    alone, split = [one for one, _ in sides], [other for _, other in sides]
    apart = [_ours(pair) for pair in pairs if not pair.zone]
    late = max(deal.rounds / pair.bargain.rounds for deal, pair in zip(ours, able, strict=True))
    used = fmean(deal.rounds / pair.bargain.rounds for deal, pair in zip(ours, able, strict=True))
    return [
        Figure(
            "agreements, where a zone exists",
            rounded(100 * _agreed(ours)),
            "%",
            goal=">= 100",
            peer=rounded(100 * _agreed(split)),
            note=f"{len(able)} pairs; peer: splits the difference; without trade-offs "
            f"{100 * _agreed(alone):.1f} %",
        ),
        Figure(
            "agreements, where none exists",
            sum(deal.terms is not None for deal in apart),
            "deals",
            goal="<= 0",
            note=f"in {len(apart)} pairs",
        ),
        Figure(
            "share of the rounds used",
            rounded(100 * used),
            "%",
            note=f"the mean; at most {late:.0%}",
        ),
        *_quality(able, ours, alone, split),
        *_hard(dice, run.times(200, 800)),
    ]


def _quality(
    pairs: Sequence[Pair], ours: Sequence[Deal], alone: Sequence[Deal], split: Sequence[Deal]
) -> list[Figure]:
    """Compare agreements with the front and the Nash solution."""
    told = {"ours": ours, "alone": alone, "split": split}
    gaps, nash, product, joint = (
        {name: fmean(measured) for name, measured in found.items()}
        for found in (
            {name: _each(pairs, deals, _gap) for name, deals in told.items()},
            {name: _each(pairs, deals, _to_nash) for name, deals in told.items()},
            {name: _each(pairs, deals, _product) for name, deals in told.items()},
            {name: _each(pairs, deals, _joint) for name, deals in told.items()},
        )
    )
    figures = [
        ("distance to the Pareto front", gaps, "in utilities; 0 is on it"),
        ("distance to the Nash solution", nash, "in utilities"),
        ("product of utilities, of the Nash solution's", product, "no deal counts as 0"),
        ("joint utility, of the most possible", joint, "the sum of both; no deal counts as 0"),
    ]
    return [
        Figure(
            name,
            rounded(values["ours"]),
            "",
            peer=rounded(values["split"]),
            note=f"{note}; the mean; peer: splits the difference; "
            f"without trade-offs {values['alone']:.3g}",
        )
        for name, values, note in figures
    ]


def _hard(dice: random.Random, count: int) -> list[Figure]:
    """Bargain with others that never give in, or offer anything."""
    worse, utilities = 0, tuple[list[float], list[float]](([], []))
    for place in range(count):
        pair = _pair(dice)
        fixed = (
            _between(dice, pair.seller.price, pair.buyer.price),
            _between(dice, pair.seller.deadline, pair.buyer.deadline),
        )
        history, answer = list[Offer](), None
        while answer is None:
            turn, head = len(history), history[-1].digest if history else pair.bargain.digest
            if pair.bargain.turn(turn) == "seller" and turn < pair.bargain.rounds:
                drawn = dice.randrange(10**6), dice.randrange(10**6)
                terms = Terms(*(fixed if place % 2 else drawn))
                history.append(Offer(turn, "seller", terms, head))
                continue
            if pair.bargain.turn(turn) == "seller":
                break
            found = next_offer(pair.bargain, Mine("buyer", pair.buyer), history)
            if isinstance(found, Offer):
                history.append(found)
            else:
                answer = found
        if isinstance(answer, Accept):
            utilities[place % 2].append(float(pair.buyer.utility(answer.terms)))
            worse += not pair.buyer.agrees(answer.terms) or utilities[place % 2][-1] < 0
    return [
        Figure(
            "deals below the reservation, with hardliners and random others",
            worse,
            "deals",
            goal="<= 0",
            note=f"of {sum(map(len, utilities))} deals in {count}",
        ),
        Figure(
            "utility left to us by hardliners that we can agree with",
            rounded(fmean(utilities[1])) if utilities[1] else None,
            "",
            note=f"in {len(utilities[1])} deals: time alone moves our agent, so who never gives in "
            "gets what it wants, down to our reservation values",
        ),
    ]


def _ours(pair: Pair) -> Deal:
    answer, history = play(pair.bargain, Mine("buyer", pair.buyer), Mine("seller", pair.seller))
    return Deal(answer.terms if isinstance(answer, Accept) else None, len(history))


def _with(pair: Pair, ask: Ask) -> Deal:
    """Let two agents bargain that ask in another way, and accept in the same."""
    sides, last = {"buyer": pair.buyer, "seller": pair.seller}, dict[str, Terms]()
    for turn in range(pair.bargain.rounds + 1):
        side = pair.bargain.turn(turn)
        wants, other = sides[side], last.get("seller" if side == "buyer" else "buyer")
        terms = ask(wants, wants.aim(turn, pair.bargain.rounds - 2), last.get(side), other)
        due = ask is _split and turn >= pair.bargain.rounds - 2
        good = other is not None and (due or wants.utility(other) >= wants.utility(terms))
        if other and good and wants.agrees(other):
            return Deal(other, turn)
        last[side] = terms
    return Deal(None, pair.bargain.rounds)


def _each_alone(wants: Wants, aim: Fraction, _: Terms | None, __: Terms | None) -> Terms:
    return Terms(wants.price.at(aim, up=True), wants.deadline.at(aim, up=True))


def _split(wants: Wants, _: Fraction, own: Terms | None, other: Terms | None) -> Terms:
    """Return the middle between both last offers, within own bounds."""
    if own is None or other is None:
        return own or Terms(wants.price.best, wants.deadline.best)
    price = (wants.price.score(own.price) + wants.price.score(other.price)) / 2
    deadline = (wants.deadline.score(own.deadline) + wants.deadline.score(other.deadline)) / 2
    scores = [min(max(score, Fraction(0)), Fraction(1)) for score in (price, deadline)]
    return Terms(wants.price.at(scores[0], up=False), wants.deadline.at(scores[1], up=False))


def _agreed(deals: Sequence[Deal]) -> float:
    return fmean(deal.terms is not None for deal in deals)


def _each(
    pairs: Sequence[Pair], deals: Sequence[Deal], what: Callable[[Pair, Deal], float | None]
) -> list[float]:
    found = (what(pair, deal) for pair, deal in zip(pairs, deals, strict=True))
    return [value for value in found if value is not None]


def _gap(pair: Pair, deal: Deal) -> float | None:
    """Return how far from the front a deal is."""
    if deal.terms is None:
        return None
    point = pair.utilities(deal.terms)
    return min(_to_edge(point, start, end) for start, end in pairwise(pair.front))


def _to_edge(point: Point, start: Point, end: Point) -> float:
    along = end[0] - start[0], end[1] - start[1]
    size = along[0] ** 2 + along[1] ** 2
    share = 0.0
    if size > 0:
        share = (point[0] - start[0]) * along[0] + (point[1] - start[1]) * along[1]
        share = min(max(share / size, 0.0), 1.0)
    return math.dist(point, (start[0] + share * along[0], start[1] + share * along[1]))


def _nash(pair: Pair) -> Point:
    points = [
        (a[0] + (b[0] - a[0]) * step / STEPS, a[1] + (b[1] - a[1]) * step / STEPS)
        for a, b in pairwise(pair.front)
        for step in range(STEPS + 1)
    ]
    return max(points, key=math.prod)


def _to_nash(pair: Pair, deal: Deal) -> float | None:
    return None if deal.terms is None else math.dist(pair.utilities(deal.terms), _nash(pair))


def _product(pair: Pair, deal: Deal) -> float | None:
    most = math.prod(_nash(pair))
    if most <= 0:
        return None
    return 0.0 if deal.terms is None else math.prod(pair.utilities(deal.terms)) / most


def _joint(pair: Pair, deal: Deal) -> float:
    most = max(map(sum, pair.front))
    return 0.0 if deal.terms is None or most <= 0 else sum(pair.utilities(deal.terms)) / most


def _pair(dice: random.Random) -> Pair:
    bargain = Bargain("a job", dice.randint(8, 40), dice.choice(("buyer", "seller")))
    issues = [_issues(dice) for _ in range(2)]
    buyer, seller = (_wants(dice, issues[0][side], issues[1][side]) for side in range(2))
    return Pair(bargain, buyer, seller)


def _issues(dice: random.Random) -> tuple[Issue, Issue]:
    """Draw one issue for a buyer, who wants less of it, and for a seller, who wants more."""
    cost = dice.randint(200_000, 600_000)
    worth = cost + dice.randint(-50_000, 400_000)
    low = dice.randint(100_000, min(cost, worth) - 1)
    high = dice.randint(max(cost, worth) + 1, 1_100_000)
    return Issue(low, worth), Issue(high, cost)


def _between(dice: random.Random, seller: Issue, buyer: Issue) -> int:
    ends = sorted((seller.reservation, buyer.reservation))
    return dice.randint(*ends)


def _wants(dice: random.Random, price: Issue, deadline: Issue) -> Wants:
    beta = int(PPM * 5 ** dice.uniform(-1, 1))
    weight, exponential = dice.randint(100_000, 900_000), dice.random() < 0.5
    start = dice.randint(1_000, 100_000)
    return Wants(
        price, deadline, weight, "exponential" if exponential else "polynomial", beta, start
    )
