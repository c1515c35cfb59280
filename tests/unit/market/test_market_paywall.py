"""The seller's side: paid before handed out, made once, and given again to whoever paid."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from till import (
    BUYER,
    CARRIER,
    NOW,
    PRICE,
    SELLER,
    STRANGER,
    TOKEN,
    WANTED,
    Clock,
    FakeChain,
    at_once,
    paid,
)

from affiant.kernel.errors import LedgerError
from affiant.verticals.market.facilitator import Facilitator
from affiant.verticals.market.payment import REQUIRED, RESPONSE, Demand, Payment
from affiant.verticals.market.paywall import Paywall, _Turns
from affiant.verticals.market.serving import Answer, Request
from affiant.verticals.market.verdict import Reason, Settlement
from affiant.verticals.market.wire import decode_header

URL = "http://seller.test"


@dataclass
class Shop:
    """A paywall before a handler that counts, and a facilitator on books of its own."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    made: int = 0
    status: int = 200

    def __post_init__(self) -> None:
        self.chain = FakeChain(self.clock)
        self.facilitator = Facilitator(
            self.chain, [TOKEN], CARRIER, self.clock, lambda _: True, self.folder / "settled.db"
        )
        self.open()

    def open(self) -> None:
        """Open the paywall."""
        file = self.folder / "sales.db"
        self.paywall = Paywall(
            self.handle, TOKEN, WANTED, self.facilitator, self.clock, file, url=URL
        )

    def handle(self, request: Request) -> Answer:
        """Make something."""
        self.made += 1
        return Answer.of(self.status, {"number": self.made, "path": request.path}, mine="yes")

    def ask(
        self, payment: Payment | str | None = None, path: str = "/a", body: bytes = b""
    ) -> Answer:
        """Ask for something, with a payment or without."""
        header = payment.to_header() if isinstance(payment, Payment) else payment
        headers = {} if header is None else {"payment-signature": header}
        return self.paywall.answer(Request("POST", path, body, headers))

    def refused(self, payment: Payment | None, path: str = "/a", body: bytes = b"") -> str:
        """Ask with a payment that is not taken; return the error."""
        told = self.ask(payment, path, body)
        assert told.status == 402
        demand = Demand.from_header(told.headers[REQUIRED])
        assert (demand.accepts, demand.resource) == ((WANTED,), URL + path)
        return demand.error


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Give a shop in which nothing was sold."""
    made = Shop(tmp_path)
    yield made
    made.paywall.close()
    made.facilitator.close()


def test_without_a_payment_it_demands_one(shop: Shop) -> None:
    """Status 402, the price in header and body, and nothing is made."""
    assert "missing" in shop.refused(None)
    assert shop.made == 0


def test_a_paid_request_is_answered_with_a_receipt(shop: Shop) -> None:
    """The handler's own answer comes back, with what the facilitator says of the payment."""
    told = shop.ask(paid(resource=f"{URL}/a"))
    assert (told.status, told.headers["mine"]) == (200, "yes")
    receipt = Settlement.from_json(decode_header(told.headers[RESPONSE]))
    assert (receipt.objection, receipt.payer, receipt.amount) == (None, BUYER.address, PRICE)
    assert shop.chain.held[SELLER.address] == PRICE


@pytest.mark.parametrize("count", [2, 50])
def test_the_same_request_gets_the_same_answer(shop: Shop, count: int) -> None:
    """Repeated one by one or all at once, a paid request is made and paid once."""
    for told in (at_once(count, lambda _: shop.ask(paid())), [shop.ask(paid()) for _ in range(3)]):
        assert {(one.status, one.body, one.headers[RESPONSE]) for one in told} == {
            (200, told[0].body, told[0].headers[RESPONSE])
        }
    assert (shop.made, shop.chain.sent) == (1, 1)


@pytest.mark.parametrize("header", ["", "nonsense", "e30="])
def test_what_cannot_be_read_is_a_bad_request(shop: Shop, header: str) -> None:
    """A header that is no payment gets status 400, not a demand."""
    assert shop.ask(header).status == 400
    assert shop.made == 0


def test_what_is_wrong_is_not_made(shop: Shop) -> None:
    """Another price, another's signature, another resource, no money: 402, and nothing is made."""
    cheap = replace(WANTED, amount=1)
    assert shop.refused(paid(wanted=cheap)) == Reason.REQUIREMENTS
    assert shop.refused(paid(resource=f"{URL}/b")) == Reason.REQUIREMENTS
    assert shop.refused(replace(paid(), signature=b"\1" * 65)) == Reason.SIGNATURE
    assert shop.refused(paid(key=STRANGER)) == Reason.BALANCE
    assert shop.refused(paid(valid_before=NOW)) == Reason.BEFORE
    assert (shop.made, shop.chain.sent) == (0, 0)


def test_a_payment_is_for_one_request(shop: Shop) -> None:
    """With another path or body, the same payment is used up, not good again."""
    assert shop.ask(paid(), "/a", b"one").status == 200
    assert shop.refused(paid(), "/a", b"two") == Reason.USED
    assert shop.refused(paid(), "/b", b"one") == Reason.USED
    assert shop.made == 1


def test_what_the_chain_shows_does_not_buy_the_answer(shop: Shop) -> None:
    """Whoever copies a settled payment from the chain lacks the buyer's name for it."""
    mine = paid(identifier="known-to-buyer-only")
    assert shop.ask(mine).status == 200
    assert shop.refused(replace(mine, identifier=None)) == Reason.USED
    assert shop.refused(replace(mine, identifier="x" * 16)) == Reason.USED
    assert shop.ask(mine).status == 200


def test_a_forged_copy_does_not_buy_the_answer(shop: Shop) -> None:
    """A paid request repeated under another signature gets a demand, not the kept answer."""
    assert shop.ask(paid()).status == 200
    assert shop.refused(replace(paid(), signature=b"\1" * 65)) == Reason.SIGNATURE


def test_a_payment_is_for_one_seller(shop: Shop, tmp_path: Path) -> None:
    """A payment that names no resource is not good again at another paywall of the same payee."""
    assert shop.ask(paid()).status == 200
    with Paywall(
        shop.handle,
        TOKEN,
        WANTED,
        shop.facilitator,
        shop.clock,
        tmp_path / "other.db",
        url="http://other.test",
    ) as other:
        shop.chain.used.clear()  # so that only the facilitator's own record speaks against it
        header = {"payment-signature": paid().to_header()}
        told = other.answer(Request("POST", "/a", b"", header))
    assert told.status == 402
    assert Demand.from_header(told.headers[REQUIRED]).error == Reason.USED


def test_a_failed_request_costs_nothing(shop: Shop) -> None:
    """If the handler fails nothing is paid, and the same payment is good for another try."""
    shop.status = 500
    assert shop.ask(paid()).status == 500
    assert shop.chain.sent == 0
    shop.status = 200
    assert shop.ask(paid()).status == 200
    assert (shop.made, shop.chain.sent) == (2, 1)


def test_nothing_is_handed_out_unpaid(shop: Shop) -> None:
    """A buyer whose money is gone after the check gets a demand, with the failure in it."""
    shop.chain.before = lambda: shop.chain.held.update({BUYER.address: 0})
    told = shop.ask(paid())
    assert told.status == 402
    assert b"number" not in told.body
    receipt = Settlement.from_json(decode_header(told.headers[RESPONSE]))
    assert receipt.objection is not None
    assert receipt.objection.reason == Reason.BALANCE
    shop.chain.before, shop.chain.held[BUYER.address] = int, PRICE
    assert shop.ask(paid()).status == 200
    assert shop.made == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_seller_that_falls_over_answers_later(shop: Shop, moment: str) -> None:
    """Fallen over while settling, it hands out what it made when it is asked again, paid once."""

    def silence() -> None:
        raise LedgerError("no answer", "Ask again")

    setattr(shop.chain, moment, silence)
    with pytest.raises(LedgerError):
        shop.ask(paid())
    setattr(shop.chain, moment, int)
    shop.paywall.close()
    shop.open()
    assert shop.ask(paid()).status == 200
    assert (shop.made, shop.chain.sent) == (1, 1)


def test_answers_are_kept_as_long_as_their_payments(shop: Shop) -> None:
    """An answer can be had until its payment expires; then it is gone, and the payment too."""
    shop.ask(paid())
    shop.clock.time = NOW + WANTED.seconds - 1
    assert shop.ask(paid()).status == 200
    shop.clock.time += 10
    later = shop.clock.time + 60
    assert shop.ask(paid("another", valid_before=later)).status == 200
    assert shop.refused(paid()) == Reason.BEFORE
    assert shop.made == 2


def test_the_locks_do_not_pile_up(shop: Shop) -> None:
    """Nothing is left in memory of payments that were taken."""
    at_once(20, lambda n: shop.ask(paid(f"statement {n % 4}")))
    assert shop.paywall._turns._locks == {}
    assert shop.facilitator._flights == {}


def test_who_comes_last_waits_too() -> None:
    """While one is at work on a payment, whoever comes waits, also after others have gone."""
    turns, slot = _Turns(), (b"", b"", b"")
    inside, go = [threading.Event() for _ in range(3)], [threading.Event() for _ in range(3)]

    def work(number: int) -> None:
        with turns.take(slot):
            inside[number].set()
            assert go[number].wait(10)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    threads[0].start()
    assert inside[0].wait(10)
    threads[1].start()
    while turns._locks[slot][1] < 2:
        time.sleep(0.001)
    go[0].set()
    assert inside[1].wait(10)
    threads[0].join(10)
    threads[2].start()
    assert not inside[2].wait(0.1)
    go[1].set()
    assert inside[2].wait(10)
    go[2].set()
    threads[1].join(10)
    threads[2].join(10)
    assert turns._locks == {}
