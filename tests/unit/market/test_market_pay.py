"""The buyer's wallet: what it pays for, what it does not, and that it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from till import BUYER, NOW, PRICE, TOKEN, WANTED, Clock, at_once

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import InputError
from affiant.verticals.market.pay import Sworn, Wallet
from affiant.verticals.market.payment import Demand

SWORN = Sworn(sha256(b"a statement"), NOW + WANTED.seconds)


def wallet(folder: Path, clock: Clock | None = None) -> Wallet:
    """Open a wallet that pays for three requests."""
    file = folder / "wallet.db"
    return Wallet(BUYER, [TOKEN], clock or Clock(), file, at_once=PRICE, in_all=3 * PRICE)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Wallet]:
    """Give a wallet that has paid for nothing."""
    with wallet(tmp_path) as made:
        yield made


def test_it_pays_what_is_demanded(full: Wallet) -> None:
    """The nonce is the statement, the signature is the agent's, the time is what was granted."""
    told = full.pay(WANTED, SWORN, "http://seller.test/a")
    assert told.signed_by_payer(TOKEN)
    assert told.authorization.nonce == SWORN.leaf
    assert told.authorization.valid_before == NOW + WANTED.seconds
    assert (told.accepted, told.resource) == (WANTED, "http://seller.test/a")
    assert told.identifier is not None


@pytest.mark.parametrize(
    "wanted",
    [
        replace(WANTED, amount=PRICE + 1),
        replace(WANTED, amount=0),
        replace(WANTED, network="eip155:1"),
        replace(WANTED, asset=b"\1" * 20),
        replace(WANTED, name="Other"),
        replace(WANTED, scheme="upto"),
        replace(WANTED, seconds=601),
    ],
)
def test_it_does_not_pay_beyond_its_limits(full: Wallet, wanted: object) -> None:
    """Above the price, in other money or for too long nothing is signed, nor counted."""
    with pytest.raises(InputError):
        full.pay(wanted, SWORN)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        full.choose(Demand("http://seller.test/a", (wanted,)))  # type: ignore[arg-type]
    assert full.spent == 0


def test_it_does_not_sign_for_ever(full: Wallet) -> None:
    """A payment that could be taken long after it was wanted is not signed."""
    with pytest.raises(InputError, match="more than 600 s"):
        full.pay(WANTED, replace(SWORN, valid_before=NOW + 601))


def test_it_chooses_the_cheapest_it_can_pay(full: Wallet) -> None:
    """Of several prices the lowest payable one is taken; of none, none."""
    cheap, foreign = replace(WANTED, amount=5), replace(WANTED, amount=1, asset=b"\1" * 20)
    assert full.choose(Demand("", (WANTED, foreign, cheap))) == cheap
    with pytest.raises(InputError, match="no price is known"):
        full.choose(Demand("", ()))


def test_its_limit_holds_in_all(full: Wallet) -> None:
    """Of many payments at once only as many are signed as the limit allows."""

    def attempt(number: int) -> bool:
        try:
            full.pay(WANTED, replace(SWORN, leaf=sha256(b"%d" % number)))
        except InputError:
            return False
        return True

    assert sum(at_once(20, attempt)) == 3
    assert full.spent == 3 * PRICE


def test_a_statement_pays_once_also_after_a_restart(tmp_path: Path) -> None:
    """Under one statement the same payment comes back, counted once, and no other."""
    clock = Clock()
    with wallet(tmp_path, clock) as first:
        told = first.pay(WANTED, SWORN)
    clock.time += 30
    with wallet(tmp_path, clock) as second:
        assert second.pay(WANTED, SWORN) == told
        assert second.spent == PRICE
        with pytest.raises(InputError, match="something else"):
            second.pay(replace(WANTED, amount=5), SWORN)
        with pytest.raises(InputError, match="something else"):
            second.pay(WANTED, SWORN, "http://seller.test/b")
        with pytest.raises(InputError, match="something else"):
            second.pay(WANTED, replace(SWORN, valid_before=NOW + 61))
