"""What an agent wants of a price and a deadline, how it gives in, and which terms it asks for.

The utility is linear and additive: 1 for both issues at best, 0 for both at the reservation
values; nothing worse than a reservation value is ever agreed to. An agent's aim falls with time by
a polynomial or exponential tactic (Faratin, Sierra and Jennings, 1998: beta below 1 gives in late,
"Boulware", above 1 early, "conceder"). Of all terms that reach its aim, it asks for those nearest
to the other's last offer, in its own scores: a trade-off that costs it nothing and helps the other
(after Faratin, Sierra and Jennings, 2002; nearest points: Somefun, Gerding, Bohte and La Poutre,
2004).

Everything is exact: fractions, and the logarithms of `decimal`, which round in one way everywhere.
Amounts are in a token's smallest units, deadlines in seconds, shares in ppm.
"""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from affiant.kernel.errors import InputError

PPM = 1_000_000
ZERO, ONE = Fraction(0), Fraction(1)
EXACT = decimal.Context(
    prec=28, rounding=decimal.ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, traps=[]
)

Tactic = Literal["polynomial", "exponential"]


@dataclass(frozen=True)
class Terms:
    """What may be agreed on."""

    price: int
    deadline: int


@dataclass(frozen=True)
class Issue:
    """What an agent wants of one issue; which way is better follows from the two values."""

    best: int
    reservation: int
    """The worst value that it agrees to. If it is the best too, nothing else will do."""

    @property
    def fixed(self) -> bool:
        """Whether there is only one value that will do."""
        return self.best == self.reservation

    def score(self, value: int) -> Fraction:
        """Return 0 at the reservation, 1 at best, in a line also beyond; 0 if fixed."""
        if self.fixed:
            return ZERO
        return Fraction(value - self.reservation, self.best - self.reservation)

    def agrees(self, value: int) -> bool:
        """Tell whether a value is not worse than the reservation."""
        return value == self.best if self.fixed else self.score(value) >= 0

    def at(self, score: Fraction, *, up: bool) -> int:
        """Return the value with this score, rounded to the agent's favour, or against it."""
        exact = score * abs(self.best - self.reservation)
        steps = -(-exact // 1) if up else exact // 1
        return self.reservation + (steps if self.best > self.reservation else -steps)


@dataclass(frozen=True)
class Wants:
    """What an agent wants, and how it gives in. It tells none of this to the other."""

    price: Issue
    deadline: Issue
    weight: int = PPM // 2
    """Of the price, in ppm; the deadline has the rest."""
    tactic: Tactic = "polynomial"
    beta: int = PPM
    """In ppm: below a million it gives in late, above early."""
    start: int = 0
    """How much of the way it gives in at once, in ppm."""

    def __post_init__(self) -> None:
        if not (0 <= self.weight <= PPM and self.beta > 0 and 0 <= self.start <= PPM):
            told = f"weight {self.weight}, beta {self.beta} and start {self.start} do not fit"
            raise InputError(told, "Give shares in ppm, and a beta above 0")
        if self.tactic == "exponential" and self.start == 0:
            raise InputError("an exponential tactic cannot start at 0", "Give a start above 0")

    @property
    def weights(self) -> tuple[Fraction, Fraction]:
        """The weights of price and deadline; 0 for one that is fixed."""
        price = Fraction(self.weight, PPM)
        return (ZERO if self.price.fixed else price, ZERO if self.deadline.fixed else ONE - price)

    def utility(self, terms: Terms) -> Fraction:
        """Return the utility of terms, also of those that are not agreed to."""
        price, deadline = self.weights
        scores = self.price.score(terms.price), self.deadline.score(terms.deadline)
        return price * scores[0] + deadline * scores[1]

    def agrees(self, terms: Terms) -> bool:
        """Tell whether nothing in these terms is worse than the reservation values."""
        return self.price.agrees(terms.price) and self.deadline.agrees(terms.deadline)

    def aim(self, turn: int, end: int) -> Fraction:
        """Return the least utility to ask for; from `end` on it is 0, that of the reservation."""
        return sum(self.weights, ZERO) * (1 - self._given_in(turn, end))

    def _given_in(self, turn: int, end: int) -> Fraction:
        if turn >= end:
            return ONE
        start, beta = (EXACT.divide(Decimal(share), PPM) for share in (self.start, self.beta))
        passed = EXACT.divide(Decimal(turn), end)
        if self.tactic == "exponential":
            left = _power(EXACT.subtract(1, passed), beta)
            share = EXACT.exp(EXACT.multiply(left, EXACT.ln(start)))
        else:
            grown = _power(passed, EXACT.divide(1, beta))
            share = EXACT.add(start, EXACT.multiply(EXACT.subtract(1, start), grown))
        return Fraction(int(EXACT.multiply(share, PPM)), PPM)


def ask(wants: Wants, aim: Fraction, own: Terms | None, other: Terms | None) -> Terms:
    """Return the terms nearest to the other's that reach the aim, and no more than asked before.

    They are always between best and reservation values.
    """
    if other is None:
        return own or Terms(wants.price.best, wants.deadline.best)
    ceiling = sum(wants.weights, ZERO) if own is None else wants.utility(own)
    scores = wants.price.score(other.price), wants.deadline.score(other.deadline)
    there = _terms(wants, _within(scores[0]), _within(scores[1]), up=True)
    reached = wants.utility(there)
    if aim <= reached <= ceiling:
        return there
    level, up = (aim, True) if reached < aim else (ceiling, False)
    found = _terms(wants, *_nearest(wants.weights, level, scores), up=up)
    return found if own is None or aim <= wants.utility(found) <= ceiling else own


def _nearest(
    weights: tuple[Fraction, Fraction], level: Fraction, scores: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction]:
    """Return the scores from 0 to 1 on the line of this utility that are nearest to others."""
    (price, deadline), (x, y) = weights, scores
    if price == 0:
        return _within(x), _within(level / deadline)
    x += price * (level - price * x - deadline * y) / (price**2 + deadline**2)
    low, high = max(ZERO, (level - deadline) / price), min(ONE, level / price)
    x = min(max(x, low), high)
    return x, _within((level - price * x) / deadline) if deadline else _within(y)


def _terms(wants: Wants, price: Fraction, deadline: Fraction, *, up: bool) -> Terms:
    return Terms(wants.price.at(price, up=up), wants.deadline.at(deadline, up=up))


def _within(score: Fraction) -> Fraction:
    return min(max(score, ZERO), ONE)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    """Return base ** exponent by `exp` and `ln`, whose rounding is specified."""
    return EXACT.exp(EXACT.multiply(EXACT.ln(base), exponent)) if base else base
