"""A dry run tells what the contracts would do, and leaves no trace and no oath behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from web3.exceptions import ContractLogicError

from affiant.chain import artifacts
from affiant.chain.reverts import Errors
from affiant.kernel.encoding import keccak256, word
from affiant.kernel.errors import CallReverted, LedgerError
from affiant.kernel.mandate import Pin, Rule
from affiant.kernel.model import Call

from .world import CAP, LIMIT, MODEL, PRINCIPAL, SUPPLIER, TRANSFER, World, deploy_refusing

pytestmark = pytest.mark.integration


def refusal(world: World, mandate: bytes, call: Call) -> CallReverted:
    """Return the refusal of a rehearsal."""
    with pytest.raises(CallReverted) as caught:
        world.ledger.rehearse(mandate, call, MODEL)
    return caught.value


def test_what_would_run_is_told_with_its_gas(world: World) -> None:
    """A dry run of an allowed payment names gas near the real one's, and pays nothing."""
    mandate = world.mandate()
    state, block, paid = world.ledger.state(mandate), world.opened.chain.number, world.balance
    before = paid(SUPPLIER.address)
    gas = world.ledger.rehearse(mandate, world.pay(CAP), MODEL)
    assert world.ledger.state(mandate) == state
    assert (world.opened.chain.number, paid(SUPPLIER.address)) == (block, before)
    real = world.act(mandate, world.pay(CAP)).gas
    # Without a path and with an anchor that only agrees, a proof costs less than the real one.
    assert 0.8 * real < gas < 1.1 * real


def test_what_would_be_refused_is_told_by_its_name(world: World) -> None:
    """Cap, rule, bucket and pin are those of the mandate as it stands now."""
    mandate = world.mandate()
    assert refusal(world, mandate, world.pay(CAP + 1)).error == "AboveCap"
    assert refusal(world, mandate, world.pay(1, to=b"\x77" * 20)).error == "PinMismatch"
    assert refusal(world, mandate, Call(world.token, b"\1\2\3\4")).error == "NoRule"
    world.act(mandate, world.pay(CAP))
    assert CAP <= LIMIT // 2 < 2 * CAP
    assert refusal(world, mandate, world.pay(CAP)).error == "AboveLimit"


def test_the_targets_word_is_quoted(world: World) -> None:
    """What the target would refuse is told as its word: here a balance that is too small."""
    pin = Pin(0, (SUPPLIER.address.rjust(32, b"\0"),))
    pay = Rule(world.token, TRANSFER, amount_word=1, cap=CAP, pins=(pin,))
    empty = world.mandate(rules=(pay,))
    world.act(empty, world.pay(CAP))
    world.send(PRINCIPAL, empty, "withdraw", world.token, 1_000_000 - CAP)
    world.tick(10_000)
    said = refusal(world, empty, world.pay(1))
    assert said.error == "CallFailed"
    assert "ERC20InsufficientBalance" in said.message


def test_a_guards_word_is_quoted(world: World) -> None:
    """A guard that refuses everything refuses the dry run and the act, and its error is shown."""
    guard = deploy_refusing(world, bytes.fromhex("c0ffee00"))
    guarded = world.mandate(guard=guard)
    said = refusal(world, guarded, world.pay(1))
    assert said.error == "GuardRefused"
    assert "the guard said 0xc0ffee00" in said.message
    with pytest.raises(CallReverted, match="the guard said 0xc0ffee00"):
        world.act(guarded, world.pay(1))
    assert world.ledger.state(guarded).nonce == 0


def test_a_suspended_agent_is_told_so(world: World) -> None:
    """A dry run under a suspension is refused by it."""
    mandate = world.watched()
    world.suspend(world.stay(mandate))
    assert refusal(world, mandate, world.pay(1)).error == "AgentSuspended"


def test_a_mandate_with_other_terms_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the code is not that of the terms, nothing is asked."""
    mandate = world.mandate()
    other = replace(world.ledger.terms(mandate), valid_until=1)
    monkeypatch.setitem(world.ledger._terms, mandate, other)
    with pytest.raises(LedgerError, match="does not end with the terms"):
        world.ledger.rehearse(mandate, world.pay(1), MODEL)


def test_a_dry_run_is_of_now_and_leaves_no_block(world: World) -> None:
    """On a chain whose last block is old, times count as they are now, and nothing is mined."""
    now = world.clock.now()
    ending = world.mandate(valid_until=now + 5_000)
    still = world.watched()
    world.suspend(world.stay(still, 400))
    block, rows = world.opened.chain.number, list(world.opened.database.iterdump())
    assert refusal(world, still, world.pay(1)).error == "AgentSuspended"
    world.clock.time += 4_000  # nobody mines meanwhile
    assert world.ledger.rehearse(still, world.pay(1), MODEL) > 0
    assert world.ledger.rehearse(ending, world.pay(1), MODEL) > 0
    world.clock.time += 2_000
    assert refusal(world, ending, world.pay(1)).error == "Expired"
    assert world.opened.chain.number == block
    assert list(world.opened.database.iterdump()) == rows
    world.tick()
    assert world.opened.chain.number == block + 1
    world.act(still, world.pay(1))


def test_a_node_that_ignores_overrides_is_found_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the stand-in is not believed, that is said of the node and not of the action."""
    eth, mandate = world.connection._web3.eth, world.mandate()
    asked = eth.estimate_gas

    def deaf(request: Any, block: Any = None, _: Any = None) -> int:
        return asked(request, block)

    monkeypatch.setattr(eth, "estimate_gas", deaf)
    with pytest.raises(LedgerError, match="without the overrides"):
        world.ledger.rehearse(mandate, world.pay(1), MODEL)


@pytest.mark.parametrize("said", ["c0ffee00", "0f2e5b6c" + "00" * 4])
def test_whatever_a_guard_says_is_told_and_cut(world: World, said: str) -> None:
    """Data that is no error anybody knows is shown as it is."""
    guarded = world.mandate(guard=deploy_refusing(world, bytes.fromhex(said)))
    assert said in refusal(world, guarded, world.pay(1)).message


def test_hostile_refusals_do_not_stop_anybody() -> None:
    """An error that lies about its own length is shown in part, and never crashes whoever reads."""
    errors = Errors()
    for name in ("Mandate", "MandateFactory"):
        errors.learn(artifacts.load(name)["abi"])
    failed = keccak256(b"CallFailed(bytes)")[:4]
    liar = failed + word(32) + word(2**64)
    nested = failed + word(32) + word(len(liar)) + liar
    long = failed + word(32) + word(10**5) + b"\xab" * 10**5
    for raw in (liar, nested, failed + b"\xff" * 10**6, long):
        told = errors.reverted(ContractLogicError("reverted", data="0x" + raw.hex()))
        assert len(told.message) < 1_000
