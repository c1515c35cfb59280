"""Bargaining under oath: every offer is sworn and logged before the other side answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import from_hex
from affiant.kernel.house import House
from affiant.kernel.statement import Statement
from affiant.verticals.market.bargain import Accept, Bargain, Leave, Mine, Offer, next_offer
from affiant.verticals.market.kinds import OFFER
from affiant.verticals.market.wants import Terms


@dataclass(frozen=True)
class Party:
    """Somebody who bargains: the name of its key in this house, and what it wants."""

    name: str
    mine: Mine


@dataclass(frozen=True)
class Agreement:
    """What two parties agreed on: the sworn offer, and the sworn agreement to it."""

    terms: Terms
    offer: Statement
    accepted: Statement


def negotiate(
    house: House, session: str, bargain: Bargain, one: Party, two: Party
) -> tuple[Agreement | Leave, list[Statement]]:
    """Let two parties bargain; return how it ended, and what they swore, in its order.

    A session that was cut off goes on where it ended: each offer is sworn once.
    """
    parties = {party.mine.side: party for party in (one, two)}
    history, sworn = list[Offer](), list[Statement]()
    while True:
        number = len(history)
        party = parties[bargain.turn(number)]
        own = [offer.digest for offer in history if offer.side == party.mine.side]
        answer = next_offer(bargain, party.mine, history, own[-1] if own else None)
        if isinstance(answer, Leave):
            return answer, sworn
        agrees = isinstance(answer, Accept)
        offer = history[-1] if isinstance(answer, Accept) else answer
        told = house.affiant(party.name).swear(
            f"bargain/{session}/{number}",
            OFFER,
            from_hex(f"0x{offer.digest.removeprefix('0x')}", 32),
            _content(bargain, offer, number, party, agrees=agrees),
            sworn[-1:],
        )
        sworn.append(told)
        if agrees:
            return Agreement(offer.terms, sworn[-2], told), sworn
        history.append(offer)


def _content(
    bargain: Bargain, offer: Offer, number: int, party: Party, *, agrees: bool
) -> dict[str, Any]:
    return {
        "bargain": bargain.subject,
        "number": number,
        "side": party.mine.side,
        "price": str(offer.terms.price),
        "deadline": offer.terms.deadline,
        "after": f"0x{offer.after.removeprefix('0x')}",
        "agrees": agrees,
    }
