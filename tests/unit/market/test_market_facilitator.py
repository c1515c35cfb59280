"""The facilitator settles each payment once, whatever happens in between, and wastes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
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

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import CallReverted, IntegrityError, LedgerError, SetupError
from affiant.verticals.market.facilitator import MARGIN, SLACK, Facilitator
from affiant.verticals.market.payment import Payment, Requirements
from affiant.verticals.market.verdict import Reason


class PulledError(Exception):
    """Somebody pulled the plug."""


@dataclass
class Desk:
    """A facilitator that may fall over and be opened again."""

    path: Path
    clock: Clock = field(default_factory=Clock)
    unlogged: set[bytes] = field(default_factory=set)
    waiting: bool = False
    sworn: int = PRICE

    def __post_init__(self) -> None:
        self.chain = FakeChain(self.clock)
        self.open()

    def open(self) -> Facilitator:
        """Open it."""
        self.facilitator = Facilitator(
            self.chain,
            [TOKEN],
            CARRIER,
            self.clock,
            lambda leaf: leaf not in self.unlogged,
            self.path,
            agrees=lambda payment: payment.authorization.value == self.sworn,
            under_way=lambda: self.waiting,
        )
        return self.facilitator

    def again(self) -> Facilitator:
        """Fall over, and open it again."""
        self.facilitator.close()
        return self.open()

    def settle(self, payment: Payment, wanted: Requirements = WANTED) -> bytes:
        """Settle a payment that is good; return the transaction."""
        told = self.facilitator.settle(payment, wanted)
        assert told.objection is None, told
        assert told.transaction is not None
        return told.transaction

    def refused(self, payment: Payment, wanted: Requirements = WANTED) -> str:
        """Settle a payment that is not; return the reason."""
        sent = self.chain.sent
        told = self.facilitator.settle(payment, wanted)
        assert told.objection is not None, told
        assert told.transaction is None
        assert self.chain.sent == sent
        return str(told.objection.reason)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give a facilitator with empty books."""
    made = Desk(tmp_path / "settlements.db")
    yield made
    made.facilitator.close()


def test_a_payment_is_settled_once(desk: Desk) -> None:
    """Verified, settled, and settled again after a restart: one transfer, one answer."""
    assert desk.facilitator.verify(paid(), WANTED).objection is None
    assert desk.chain.sent == 0
    first = desk.settle(paid())
    assert desk.settle(paid()) == first
    desk.again()
    desk.clock.time += 10**9
    assert desk.settle(paid()) == first
    assert desk.chain.sent == 1
    assert desk.chain.held == {BUYER.address: 9 * PRICE, SELLER.address: PRICE}


def test_a_replay_asks_the_chain_nothing(desk: Desk) -> None:
    """What was settled is answered from the file, for the chain may be slow or gone."""
    first, asked = desk.settle(paid()), desk.chain.asked
    assert desk.settle(paid()) == first
    desk.again()
    assert desk.settle(paid()) == first
    assert desk.chain.asked == asked


def test_what_is_settled_is_not_forgotten(desk: Desk) -> None:
    """Forgetting what was begun does not touch what was settled."""
    desk.settle(paid())
    slot = (TOKEN.address, BUYER.address, paid().authorization.nonce)
    desk.facilitator._kept.forget(slot)
    assert desk.facilitator._kept.get(slot) is not None


def forged() -> Payment:
    """Return a payment of which one byte of the signature was flipped."""
    one = paid()
    return replace(one, signature=bytes([one.signature[0] ^ 1]) + one.signature[1:])


CHEAP = replace(WANTED, amount=1)
WRONG: list[tuple[Payment, Requirements, str]] = [
    (forged(), WANTED, Reason.SIGNATURE),
    (replace(forged(), signature=b""), WANTED, Reason.SIGNATURE),
    (replace(paid(), accepted=CHEAP), WANTED, Reason.REQUIREMENTS),
    (replace(paid(wanted=CHEAP), accepted=WANTED), WANTED, Reason.VALUE),
    (replace(paid(), accepted=replace(WANTED, amount=9)), replace(WANTED, amount=9), Reason.VALUE),
    (
        replace(paid(wanted=replace(WANTED, pay_to=STRANGER.address)), accepted=WANTED),
        WANTED,
        Reason.RECIPIENT,
    ),
    (paid(), replace(WANTED, scheme="upto"), Reason.SCHEME),
    (paid(), replace(WANTED, network="eip155:1"), Reason.NETWORK),
    (paid(), replace(WANTED, asset=b"\1" * 20), Reason.ASSET),
    (paid(), replace(WANTED, name="Other"), Reason.REQUIREMENTS),
    (paid(wanted=replace(WANTED, amount=0)), replace(WANTED, amount=0), Reason.REQUIREMENTS),
    (paid(valid_before=NOW + MARGIN - 1), WANTED, Reason.BEFORE),
    (paid(valid_before=NOW - 1), WANTED, Reason.BEFORE),
    (paid(valid_before=NOW + WANTED.seconds + SLACK + 1), WANTED, Reason.BEFORE),
    (paid(valid_after=NOW), WANTED, Reason.AFTER),
    (paid(valid_after=2**256 - 1), WANTED, Reason.AFTER),
    (paid(key=STRANGER), WANTED, Reason.BALANCE),
    (paid("unlogged"), WANTED, Reason.UNLOGGED),
]


@pytest.mark.parametrize(("payment", "wanted", "reason"), WRONG)
def test_what_is_wrong_is_named_and_not_sent(
    desk: Desk, payment: Payment, wanted: Requirements, reason: str
) -> None:
    """Both routes name the same fault, nothing is broadcast, and nothing is kept of it."""
    desk.unlogged.add(sha256(b"unlogged"))
    verdict = desk.facilitator.verify(payment, wanted)
    assert verdict.objection is not None
    assert verdict.objection.reason == reason
    assert desk.refused(payment, wanted) == reason
    assert desk.chain.held == {BUYER.address: 10 * PRICE}
    told = payment.authorization
    assert desk.facilitator._kept.get((TOKEN.address, told.payer, told.nonce)) is None


@pytest.mark.parametrize(
    "good",
    [
        paid(valid_before=NOW + MARGIN),
        paid(valid_before=NOW + WANTED.seconds + SLACK),
        paid(valid_after=NOW - 1),
    ],
)
def test_the_last_good_second_is_good(desk: Desk, good: Payment) -> None:
    """A payment at the very edge of its time is settled."""
    assert desk.settle(good)


def test_a_statement_about_something_else_is_not_enough(desk: Desk) -> None:
    """A logged statement that swears to another amount does not let this payment through."""
    desk.sworn = PRICE + 1
    verdict = desk.facilitator.verify(paid(), WANTED)
    assert verdict.objection is not None
    assert verdict.objection.reason == Reason.UNSWORN
    assert desk.refused(paid()) == Reason.UNSWORN


def test_what_is_logged_later_is_settled_later(desk: Desk) -> None:
    """A payment refused because its statement was not logged is taken once it is."""
    desk.unlogged.add(paid().authorization.nonce)
    assert desk.refused(paid()) == Reason.UNLOGGED
    desk.unlogged.clear()
    assert desk.settle(paid())


def slowly() -> None:
    """Take long enough for others to come by."""
    time.sleep(0.2)


@pytest.mark.parametrize("count", [100])
def test_duplicates_at_once_share_one_transaction(desk: Desk, count: int) -> None:
    """All of many that bring one payment at the same moment get the same transaction."""
    desk.chain.before = slowly
    gone = at_once(count, lambda _: desk.settle(paid()))
    assert len(gone) == count
    assert len(set(gone)) == 1
    assert desk.chain.sent == 1


def test_two_payments_with_one_nonce_at_once(desk: Desk) -> None:
    """Of payments that differ but share a nonce, brought together, one is settled."""
    rivals = [paid(valid_before=NOW + 30 + n) for n in range(8)]
    desk.chain.before = slowly
    gone = at_once(64, lambda n: desk.facilitator.settle(rivals[n % 8], WANTED))
    good = {told.transaction for told in gone if told.objection is None}
    bad = {told.objection.reason for told in gone if told.objection is not None}
    assert (len(good), bad) == (1, {Reason.USED})
    assert (len(gone), desk.chain.sent) == (64, 1)
    assert sum(told.objection is None for told in gone) == 8


def test_one_payment_pays_for_one_thing(desk: Desk) -> None:
    """A payment settled for one resource is not good for another, also after a restart."""
    desk.settle(paid(resource="http://seller.test/a"))
    desk.again()
    assert desk.refused(paid(resource="http://seller.test/b")) == Reason.USED
    assert desk.refused(paid()) == Reason.USED


def test_a_forged_replay_learns_nothing(desk: Desk) -> None:
    """Whoever repeats a settled payment without the payer's signature is refused."""
    desk.settle(paid())
    assert desk.refused(forged()) == Reason.SIGNATURE


def test_money_for_one_of_two(desk: Desk) -> None:
    """Two payments that the payer can only make one of: one is settled, the other not sent."""
    desk.chain.held[BUYER.address] = PRICE
    gone = at_once(2, lambda n: desk.facilitator.settle(paid(f"statement {n}"), WANTED))
    assert sorted(told.objection is None for told in gone) == [False, True]
    assert {told.objection.reason for told in gone if told.objection} == {Reason.BALANCE}
    assert desk.chain.sent == 1


def test_the_clock_is_looked_at_when_it_is_sent(desk: Desk) -> None:
    """A payment that expires while others before it are mined is not broadcast."""
    slow = paid("slow")

    def pass_time() -> None:
        slowly()
        desk.clock.time += 100

    desk.chain.after = pass_time
    gone = at_once(2, lambda n: desk.facilitator.settle((slow, paid())[n], WANTED))
    assert {told.objection.reason for told in gone if told.objection} == {Reason.BEFORE}
    assert desk.chain.sent == 1


def pull() -> None:
    """Pull the plug."""
    raise PulledError


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_the_broadcast_is_repaired(desk: Desk, moment: str) -> None:
    """Fallen over before or after the chain took it, it is settled once all the same."""
    setattr(desk.chain, moment, pull)
    with pytest.raises(PulledError):
        desk.facilitator.settle(paid(), WANTED)
    setattr(desk.chain, moment, int)
    desk.again()
    assert desk.settle(paid()) == sha256(b"transaction 1")
    assert desk.settle(paid()) == sha256(b"transaction 1")
    assert desk.chain.sent == 1


def test_a_crash_does_not_open_the_nonce_to_another(desk: Desk) -> None:
    """After a crash a rival with the same nonce is refused, and the first is still settled."""
    desk.chain.after = pull
    with pytest.raises(PulledError):
        desk.facilitator.settle(paid(), WANTED)
    desk.again()
    assert desk.refused(paid(valid_before=NOW + 30)) == Reason.USED
    assert desk.settle(paid()) == sha256(b"transaction 1")


def test_what_may_still_be_mined_is_not_sent_again(desk: Desk) -> None:
    """On a chain with a queue an uncertain payment stays pending until the chain tells."""

    def silence() -> None:
        raise LedgerError("no answer", "Ask again")

    desk.chain.before = silence
    with pytest.raises(LedgerError):
        desk.facilitator.settle(paid(), WANTED)
    desk.chain.before, desk.waiting = int, True
    assert desk.refused(paid()) == Reason.PENDING
    told = paid().authorization
    desk.chain.move(told.payer, told.payee, told.value, told.nonce, b"\7" * 32)
    assert desk.settle(paid()) == b"\7" * 32
    assert desk.chain.sent == 0


def test_duplicates_share_a_failure(desk: Desk) -> None:
    """If the chain does not answer, all that wait hear of it, and the next one may try."""

    def silence() -> None:
        raise LedgerError("no answer", "Ask again")

    desk.chain.before = silence

    def attempt(_: int) -> str:
        with pytest.raises(LedgerError):
            desk.facilitator.settle(paid(), WANTED)
        return "heard"

    assert at_once(16, attempt) == ["heard"] * 16
    desk.chain.before = int
    assert desk.settle(paid())


def carried(desk: Desk, *, payee: bytes = SELLER.address, value: int = PRICE) -> None:
    """Let somebody else carry an authorisation with the payment's nonce, just before us."""
    nonce = paid().authorization.nonce
    desk.chain.before = lambda: desk.chain.move(BUYER.address, payee, value, nonce, b"\7" * 32)


def test_carried_by_somebody_else(desk: Desk) -> None:
    """A payment that another carried to the chain a moment earlier is settled by that."""
    carried(desk)
    assert desk.settle(paid()) == b"\7" * 32
    assert desk.chain.sent == 0


@pytest.mark.parametrize("other", [{"payee": STRANGER.address}, {"value": 1}])
def test_used_for_something_else(desk: Desk, other: dict[str, Any]) -> None:
    """A nonce that the payer used to pay another, or another amount, does not pay the seller."""
    carried(desk, **other)
    assert desk.refused(paid()) == Reason.USED


def test_a_cancelled_nonce_is_used(desk: Desk) -> None:
    """A nonce that was cancelled while we were sending does not pay the seller."""
    told = paid().authorization
    desk.chain.before = lambda: desk.chain.used.add((told.payer, told.nonce))
    assert desk.refused(paid()) == Reason.USED


def test_a_neighbour_in_the_transaction_is_no_payment(desk: Desk) -> None:
    """A transfer to the seller under another nonce of the same transaction does not count."""

    def both() -> None:
        told, here = paid().authorization, b"\7" * 32
        desk.chain.move(BUYER.address, SELLER.address, PRICE, b"\1" * 32, here)
        desk.chain.move(BUYER.address, STRANGER.address, 1, told.nonce, here)
        desk.chain.move(BUYER.address, SELLER.address, PRICE, b"\2" * 32, here)

    desk.chain.before = both
    assert desk.refused(paid()) == Reason.USED


def test_what_fails_on_chain_may_be_tried_again(desk: Desk) -> None:
    """A transaction that failed although it was simulated leaves the payment unsettled."""

    def fail() -> None:
        raise CallReverted("failed on chain", "")

    desk.chain.before = fail
    assert desk.refused(paid()) == Reason.SIMULATION
    desk.chain.before = int
    assert desk.settle(paid())


def test_the_file_is_for_one_process(desk: Desk) -> None:
    """A second facilitator on the same file is refused, as they would not see one another."""
    held = desk.facilitator
    held.settle(paid(), WANTED)
    with pytest.raises(SetupError, match="in use"):
        desk.open()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """A file that is no database is refused with a remedy, not read."""
    (tmp_path / "settlements.db").write_bytes(b"nonsense" * 100)
    with pytest.raises(IntegrityError, match="damaged"):
        Desk(tmp_path / "settlements.db")


def test_what_is_supported(desk: Desk) -> None:
    """It tells scheme, network and the account that carries."""
    told = desk.facilitator.supported()
    assert told["kinds"] == [{"x402Version": 2, "scheme": "exact", "network": "eip155:31337"}]
    assert told["signers"] == {"eip155:*": [to_checksum_address(CARRIER.address)]}
