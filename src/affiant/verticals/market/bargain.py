"""Two agents bargain over a price and a deadline by alternating offers.

An agent offers what `wants` asks for, and accepts what is at least as good as its own next offer
(AC_next; Baarslag, Hindriks and Jonker, 2013). Two rounds before the end it asks for no more than
its reservation values, so two such agents agree by the last round if any terms suit both.

An agent's offers follow from the other's, so a history that it would not have had is found out.
Each offer names the digest of the one before: whoever remembers the digest of its own last offer,
as one does that swore to it, has pinned all that came before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from affiant.kernel.errors import InputError
from affiant.verticals.market.wants import Terms, Wants, ask

LEAST_ROUNDS = 4
"""With fewer, one of the two would have to give in before it has seen an offer."""

Side = Literal["buyer", "seller"]


@dataclass(frozen=True)
class Bargain:
    """What both know: the subject, as text, how many offers there may be, and who begins."""

    subject: str
    rounds: int
    opens: Side = "buyer"

    def __post_init__(self) -> None:
        if self.rounds < LEAST_ROUNDS:
            told = f"{self.rounds} rounds are too few"
            raise InputError(told, f"Give {LEAST_ROUNDS} or more")

    def turn(self, number: int) -> Side:
        """Return whose offer has this number; the first has 0."""
        other: Side = "seller" if self.opens == "buyer" else "buyer"
        return self.opens if number % 2 == 0 else other

    @property
    def digest(self) -> str:
        """What the first offer names as what came before."""
        return _digest([self.subject, self.rounds, self.opens])


@dataclass(frozen=True)
class Mine:
    """One agent: its side, and what it wants."""

    side: Side
    wants: Wants


@dataclass(frozen=True)
class Offer:
    """One side's offer; `number` counts both sides' from 0, `after` is what came before."""

    number: int
    side: Side
    terms: Terms
    after: str

    @property
    def digest(self) -> str:
        """SHA-256 over all of it."""
        return _digest([self.number, self.side, self.terms.price, self.terms.deadline, self.after])


@dataclass(frozen=True)
class Accept:
    """Agreement to the other's last offer, named by its digest."""

    terms: Terms
    offer: str


@dataclass(frozen=True)
class Leave:
    """No agreement, for this reason. `rule` names it for machines."""

    rule: str
    reason: str


@dataclass(frozen=True)
class _Course:
    """How far a history was followed: the last offer of each side, and what came before."""

    after: str
    own: Offer | None = None
    other: Offer | None = None


def read(value: Any) -> Offer | Leave:
    """Read an offer that the other sent as JSON, or say why it is none."""
    if not isinstance(value, Mapping) or value.keys() != {"number", "side", "terms", "after"}:
        return Leave("not-an-offer", "an offer holds number, side, terms and after")
    terms = value["terms"]
    if not isinstance(terms, Mapping) or terms.keys() != {"price", "deadline"}:
        return Leave("wrong-issue", "price and deadline are bargained over, and nothing else")
    numbers = (value["number"], terms["price"], terms["deadline"])
    if not all(type(number) is int and number >= 0 for number in numbers):
        return Leave("not-an-amount", "number, price and deadline are integers from 0 on")
    if value["side"] not in ("buyer", "seller") or not isinstance(value["after"], str):
        return Leave("not-an-offer", "side is buyer or seller, after is text")
    return Offer(value["number"], value["side"], Terms(*numbers[1:]), value["after"])


def next_offer(
    bargain: Bargain, mine: Mine, history: Sequence[Offer], sworn: str | None = None
) -> Offer | Accept | Leave:
    """Return this agent's answer to a history, whose length is the number of the next offer.

    `sworn` is the digest of the last offer that this agent made, if it remembers one: a history
    whose last offer of this agent is another one is refused.
    """
    course = _Course(bargain.digest)
    for number, offer in enumerate(history):
        fault = _fault(bargain, mine, course, number, offer)
        if fault is not None:
            return fault
        told = {"own" if offer.side == mine.side else "other": offer}
        course = replace(course, after=offer.digest, **told)
    turn = len(history)
    if bargain.turn(turn) != mine.side:
        return Leave("out-of-turn", f"offer {turn} is not for the {mine.side} to make")
    if sworn is not None and (course.own is None or course.own.digest != sworn):
        return Leave("history-rewritten", "the last own offer is not the one that was sworn to")
    answer = _answer(bargain, mine, course, turn)
    if turn >= bargain.rounds and isinstance(answer, Offer):
        return Leave("last-round", f"no agreement in {bargain.rounds} rounds")
    return answer


def play(bargain: Bargain, one: Mine, two: Mine) -> tuple[Accept | Leave, list[Offer]]:
    """Let two agents bargain; return how it ended, and the offers."""
    sides, history = {one.side: one, two.side: two}, list[Offer]()
    while True:
        answer = next_offer(bargain, sides[bargain.turn(len(history))], history)
        if not isinstance(answer, Offer):
            return answer, history
        history.append(answer)


def _fault(
    bargain: Bargain, mine: Mine, course: _Course, number: int, offer: Offer
) -> Leave | None:
    """Return what is wrong with the offer of a history that has this place."""
    if number >= bargain.rounds:
        return Leave("last-round", f"offer {number} comes after the last of {bargain.rounds}")
    if offer.side != bargain.turn(number) or offer.number != number:
        told = f"offer {offer.number} of the {offer.side} has place {number}"
        return Leave("out-of-turn", told)
    if offer.after != course.after:
        return Leave("chain-broken", f"offer {number} does not follow the one before")
    if offer.side == mine.side and offer != _answer(bargain, mine, course, number):
        told = f"offer {number} is not what the {mine.side} would have offered"
        return Leave("history-rewritten", told)
    return None


def _answer(bargain: Bargain, mine: Mine, course: _Course, turn: int) -> Offer | Accept:
    """Return the next offer, or agreement if the other's last is at least as good."""
    wants, last = mine.wants, course.other
    own, other = (None if offer is None else offer.terms for offer in (course.own, course.other))
    terms = ask(wants, wants.aim(turn, bargain.rounds - 2), own, other)
    if last and wants.agrees(last.terms) and wants.utility(last.terms) >= wants.utility(terms):
        return Accept(last.terms, last.digest)
    return Offer(turn, mine.side, terms, course.after)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
