"""The buyer's agent takes one step at a time, exactly as agreed, and doubts otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode

from affiant.kernel.encoding import word
from affiant.kernel.errors import MalformedError
from affiant.kernel.mandate import EACH
from affiant.kernel.model import Doubt, Input, Proposal
from affiant.verticals.market.escrow import Escrow
from affiant.verticals.market.kinds import KINDS, OFFER, amount
from affiant.verticals.market.ordering import OrderModel, order_input
from affiant.verticals.market.orders import APPROVE, CREATE, FUND, NOBODY, Order
from affiant.verticals.market.rating import GIVE_FEEDBACK, RateModel, delivery_input, rate_rule

ESCROW, TOKEN = b"\xe5" * 20, b"\x70" * 20
HOUSE: Any = None
ORDER = Order(
    terms=b"\x01" * 32,
    provider=b"\x50" * 20,
    evaluator=b"\x51" * 20,
    arbiter=b"\x52" * 20,
    price=85_000_000,
    expires=1_800_000_000,
    dispute=3_600,
    answer=7_200,
    description="a translation",
)


def standing(job: dict[str, str] | None, allowance: int = 0) -> Input:
    """Return where an order stands."""
    return Input.of({"job": job, "allowance": str(allowance)}, source="escrow")


def job(status: str = "Open", budget: int = ORDER.price) -> dict[str, str]:
    """Return a job as the agent sees it."""
    return {"number": "7", "status": status, "budget": str(budget)}


def answer(seen: Input) -> Proposal | Doubt:
    """Return the agent's answer for the order."""
    told = order_input(Escrow(HOUSE, ESCROW, TOKEN), ORDER)
    return OrderModel().predict([told.value, seen.value])


def test_the_first_step_creates_exactly_what_was_agreed() -> None:
    """The job names provider, evaluator, arbiter, windows and the sworn agreement, and no hook."""
    told = answer(standing(None))
    assert isinstance(told, Proposal)
    assert (told.call.target, told.call.data[:4]) == (ESCROW, CREATE)
    kinds = [
        "address",
        "address",
        "uint256",
        "string",
        "address",
        "(bytes32,address,uint32,uint32)",
    ]
    provider, evaluator, expires, text, hook, bargain = decode(kinds, told.call.data[4:])
    assert bytes.fromhex(provider[2:]) == ORDER.provider
    assert bytes.fromhex(evaluator[2:]) == ORDER.evaluator
    assert (expires, text, int(hook, 16)) == (ORDER.expires, ORDER.description, 0)
    assert bargain[0] == ORDER.terms
    assert (bytes.fromhex(bargain[1][2:]), *bargain[2:]) == (ORDER.arbiter, 3_600, 7_200)


def test_then_the_escrow_may_take_the_price_and_then_it_is_paid_in() -> None:
    """Without allowance the price is approved to the escrow, with it the job is funded."""
    told = answer(standing(job(), ORDER.price - 1))
    assert isinstance(told, Proposal)
    assert told.call.data == APPROVE + word(ESCROW) + word(ORDER.price)
    told = answer(standing(job(), ORDER.price))
    assert isinstance(told, Proposal)
    assert told.call.data[:4] == FUND
    assert decode(["uint256", "uint256", "bytes"], told.call.data[4:]) == (7, ORDER.price, b"")


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        (job(budget=ORDER.price + 1), "budget-differs"),
        (job(budget=0), "budget-differs"),
        (job("Funded"), "nothing-to-do"),
        (job("Expired"), "nothing-to-do"),
    ],
)
def test_the_agent_doubts(seen: dict[str, str], rule: str) -> None:
    """A provider that asks for another price gets nothing, and a funded job nothing more."""
    told = answer(standing(seen, ORDER.price))
    assert isinstance(told, Doubt)
    assert told.rule == rule


def test_the_rules_pin_spender_hook_and_arbiter() -> None:
    """Approvals go to the escrow alone, jobs have this arbiter and no hook."""
    fund, approve, create = Escrow(HOUSE, ESCROW, TOKEN).desk.rules(100, ORDER.arbiter)
    assert (fund.target, fund.amount_word, fund.cap) == (ESCROW, 1, 100)
    assert [(pin.word, pin.allowed) for pin in approve.pins] == [(0, (word(ESCROW),))]
    told = answer(standing(None))
    assert isinstance(told, Proposal)
    for pin in create.pins:
        start = 4 + 32 * pin.word
        assert told.call.data[start : start + 32] in pin.allowed
    assert [pin.allowed for pin in create.pins] == [(word(NOBODY),), (word(ORDER.arbiter),)]
    assert create.amount_word == EACH


@pytest.mark.parametrize(
    ("settled", "delivered", "as_agreed", "points"),
    [(True, True, True, 100), (True, True, False, 50), (True, False, False, 0)],
)
def test_a_rating_follows_from_the_delivery(
    *, settled: bool, delivered: bool, as_agreed: bool, points: int
) -> None:
    """Full marks for what came as agreed, half for what came otherwise, none for nothing."""
    seen = delivery_input(
        b"\x8a" * 20, 3, 7, b"\x09" * 32, settled=settled, delivered=delivered, as_agreed=as_agreed
    )
    told = RateModel().predict([seen.value])
    assert isinstance(told, Proposal)
    assert told.call.data[:4] == GIVE_FEEDBACK == bytes.fromhex("3c036a7e")
    kinds = ["uint256", "int128", "uint8", "string", "string", "string", "string", "bytes32"]
    agent, value, decimals, *_, digest = decode(kinds, told.call.data[4:])
    assert (agent, value, decimals, digest) == (3, points, 0, b"\x09" * 32)
    assert rate_rule(b"\x8a" * 20).selector == GIVE_FEEDBACK


def test_an_unsettled_job_is_not_rated() -> None:
    """Nothing is said of what is not settled."""
    seen = delivery_input(
        b"\x8a" * 20, 3, 7, bytes(32), settled=False, delivered=True, as_agreed=True
    )
    assert isinstance(RateModel().predict([seen.value]), Doubt)


@pytest.mark.parametrize("text", ["", "01", "-1", "1.5", 1, None, "0x1", "1" * 79])
def test_what_is_no_amount_is_refused(text: object) -> None:
    """Amounts are decimal integers as text, in their one form."""
    with pytest.raises(MalformedError):
        amount(text)
    assert amount("0") == 0
    assert amount("85000000") == 85_000_000


@pytest.mark.parametrize(
    ("field", "junk"),
    [("price", "1.5"), ("number", "0"), ("after", "0x12"), ("deadline", 1.0), ("side", None)],
)
def test_an_offer_with_junk_fits_into_no_body(field: str, junk: object) -> None:
    """Each field of a sworn offer has one form."""
    with pytest.raises(MalformedError):
        KINDS[OFFER].fields[field](junk)
