"""Claims about following a real chain: what a block did, what is feigned, what is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from eth_account import Account

from affiant.chain import artifacts, mandates
from affiant.chain.connection import DEPLOYER, Connection
from affiant.chain.ledger import EvmLedger
from affiant.chain.provider import AllowListedProvider
from affiant.kernel import merkle, statement
from affiant.kernel.action import BoundAction
from affiant.kernel.body import ALERT
from affiant.kernel.encoding import keccak256, sha256, to_hex, word
from affiant.kernel.errors import LedgerError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Rule, Terms
from affiant.kernel.ports import Attempt, Block
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension

from .engine import CHAIN_ID
from .node import Node, node
from .world import AGENT, GUARDIAN, OPERATOR, PRINCIPAL, STRANGER, PlainLog, World, watch

pytestmark = pytest.mark.integration

EXECUTED = keccak256(b"Executed(bytes32,bytes32,uint32,uint256)")
NOWHERE = sha256(b"nowhere")


@pytest.fixture
def mandate(world: World) -> bytes:
    """Return a fresh mandate."""
    world.tick()
    return world.mandate()


def newest(world: World) -> Block:
    """Return the newest block."""
    block = world.ledger.block(world.opened.head()[0])
    assert block is not None
    return block


def calldata(world: World, bound: BoundAction, told: Statement, **oath: Any) -> bytes:
    """Return the call of `execute` that carries a decision, its oath changed if wanted."""
    seat = world.ledger.anchor(world.log)
    index = world.log.index_of(told.leaf)
    index = seat.start if index is None or not seat.start <= index < seat.end else index
    path = merkle.inclusion_path(world.log.node, index, seat.start, seat.end)
    names = ("body", "iat", "v", "r", "s", "index", "seat", "path")
    packed = dict(zip(names, mandates.oath_to_abi(told, index, seat, path), strict=True)) | oath
    action = mandates.action_to_abi(bound.action)
    abi = artifacts.load("Mandate")
    call = world.connection._function(
        bound.mandate, abi, "execute", (action, tuple(packed.values()))
    )
    return bytes.fromhex(call._encode_transaction_data()[2:])


def send(world: World, to: bytes, data: bytes, key: LedgerKey = OPERATOR) -> bytes:
    """Send a transaction that may fail, and have it mined all the same."""
    count = world.opened.ask("eth_getTransactionCount", to_hex(key.address), "latest")
    fields = {"type": 2, "chainId": CHAIN_ID, "nonce": int(count, 16), "gas": 2_000_000}
    fields |= {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "value": 0}
    made = Account.from_key(key.secret).sign_transaction({**fields, "to": to, "data": data})
    return bytes.fromhex(
        world.opened.ask("eth_sendRawTransaction", to_hex(made.raw_transaction))[2:]
    )


def test_an_execution_is_told_by_its_block(world: World, mandate: bytes) -> None:
    """The block of an execution names mandate, decision and transaction, and no attempt."""
    done = world.act(mandate, world.pay())
    block = world.ledger.block(done.number)
    assert block is not None
    assert block.executed == ((mandate, done.leaf, done.transaction),)
    assert (block.attempts, block.anchored) == ((), ())
    assert (block.number, block.hash, block.time) == (done.number, done.block, world.clock.now())


def test_blocks_follow_one_another(world: World, mandate: bytes) -> None:
    """Each block's parent is the hash of the one before; beyond the newest there is none."""
    world.act(mandate, world.pay())
    world.tick()
    head = world.opened.head()[0]
    told = [world.ledger.block(number) for number in range(head - 4, head + 1)]
    for block, later in pairwise(told):
        assert block is not None
        assert later is not None
        assert later.parent == block.hash
    assert told[-1] == Block(head, told[-1].hash, told[-2].hash, world.clock.now())  # type: ignore[union-attr]
    assert world.ledger.block(head + 1) is None
    assert world.ledger.block(head + 10**9) is None


def test_an_anchor_is_told_by_its_block(world: World) -> None:
    """The block of an anchor names log, size and root, as the ledger does."""
    world.log.append(world.fresh())
    world.ledger.anchor(world.log)
    log_id = world.log.policy.log_id
    last = world.ledger.anchored(log_id)[-1]
    block = world.ledger.block(last.block)
    assert block is not None
    assert block.anchored == ((log_id, last.size, last.root),)


def test_a_failed_attempt_is_told(world: World, mandate: bytes) -> None:
    """A call of `execute` that failed is told with carrier, decision, action and transaction."""
    bound = world.bind(mandate, world.pay(401))
    told = world.swear(bound)
    world.log_it(told)
    failed = send(world, mandate, calldata(world, bound, told), key=STRANGER)
    block = newest(world)
    wanted = Attempt(mandate, STRANGER.address, told.leaf, bound, True, failed)
    assert (block.attempts, block.executed) == ((wanted,), ())


def test_an_attempt_off_the_record_is_told(world: World, mandate: bytes) -> None:
    """What the agent signed and never logged is told as its attempt when somebody carries it."""
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    send(world, mandate, calldata(world, bound, told))
    (attempt,) = newest(world).attempts
    assert (attempt.leaf, attempt.by_agent, attempt.bound) == (told.leaf, True, bound)


def test_nobody_is_blamed_for_what_another_signed(world: World, mandate: bytes) -> None:
    """An attempt that the agent did not sign, or signed otherwise, is not told as the agent's."""
    bound = world.bind(mandate, world.pay(401))
    told = world.swear(bound)
    other = replace(bound, action=replace(bound.action, nonce=7))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = (order - int.from_bytes(told.signature[32:])).to_bytes(32, "big")
    for data in (
        calldata(world, bound, world.swear(bound, key=STRANGER)),
        calldata(world, other, told),
        calldata(world, bound, told, body=NOWHERE),
        calldata(world, bound, told, iat=told.issued_at + 1),
        calldata(world, bound, told, v=0),
        calldata(world, bound, told, r=bytes(32)),
        calldata(world, bound, told, s=high),
    ):
        send(world, mandate, data)
        (attempt,) = newest(world).attempts
        assert attempt.by_agent is False
    send(world, mandate, calldata(world, bound, told))
    assert [attempt.by_agent for attempt in newest(world).attempts] == [True]


def test_other_calls_are_no_attempts(world: World, mandate: bytes) -> None:
    """Another function, another contract, or no calldata is no attempt, failed or not."""
    bound = world.bind(mandate, world.pay(401))
    data = calldata(world, bound, world.swear(bound))
    for to, sent in (
        (world.token, data),
        (b"\x99" * 20, data),
        (mandate, b""),
        (mandate, data[:4]),
        (mandate, data[:-1]),
        (mandate, b"\0\0\0\0" + data[4:]),
    ):
        send(world, to, sent)
        assert newest(world).attempts == ()
    world.send(AGENT, mandate, "cancel", 0)
    assert newest(world).attempts == ()


@pytest.mark.parametrize("length", [2**63, 2**64, 2**255, 2**256 - 1], ids=hex)
def test_calldata_that_claims_the_impossible_stops_nobody(
    world: World, mandate: bytes, length: int
) -> None:
    """A call whose bytes claim to be longer than any memory fails, and its block is read."""
    bound = world.bind(mandate, world.pay(401))
    data = calldata(world, bound, world.swear(bound))
    size = word(len(bound.action.data))
    assert data.count(size) == 1
    send(world, mandate, data.replace(size, word(length)))
    assert newest(world).attempts == ()


def deploy_feigning(world: World, *topics: bytes) -> bytes:
    """Deploy a contract that, whenever it is called, emits these topics over 64 bytes of zeros."""
    runtime = b"".join(b"\x7f" + topic for topic in reversed(topics))
    runtime += bytes.fromhex("60406000") + bytes([0xA0 + len(topics)]) + b"\0"
    code = bytes([0x60, len(runtime)]) + bytes.fromhex("80600b6000396000f3") + runtime
    artifact = {"contract": "Feigning", "abi": [], "bytecode": to_hex(code)}
    return world.connection.deploy(OPERATOR, artifact)


@pytest.mark.parametrize(
    "topics",
    [
        (EXECUTED, NOWHERE, NOWHERE),
        (EXECUTED, NOWHERE),
        (EXECUTED,),
        (EXECUTED, NOWHERE, NOWHERE, NOWHERE),
    ],
    ids=["the same", "a topic less", "no topics", "a topic more"],
)
def test_a_feigned_execution_is_not_believed(
    world: World, mandate: bytes, topics: tuple[bytes, ...]
) -> None:
    """An `Executed` of a contract that is no mandate of ours is passed over, whatever its form."""
    feigning = deploy_feigning(world, *topics)
    transaction = send(world, feigning, b"")
    (log,) = world.connection.receipt(transaction)["logs"]
    assert bytes(log["topics"][0]) == EXECUTED
    assert newest(world).executed == ()
    done = world.act(mandate, world.pay())
    assert newest(world).executed == ((mandate, done.leaf, done.transaction),)


def test_a_feigned_anchor_is_not_believed(world: World) -> None:
    """An `Anchored` of a contract that is not the anchor is passed over."""
    log = world.connection.receipt(world.ledger.anchored(world.log.policy.log_id)[-1].transaction)
    topic = bytes(log["logs"][0]["topics"][0])
    send(world, deploy_feigning(world, topic, world.log.policy.log_id), b"")
    assert newest(world).anchored == ()


def test_a_receipt_of_another_block_is_not_mixed_in(
    world: World, mandate: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the block was replaced while it was read, that is an error and no answer."""
    bound = world.bind(mandate, world.pay(401))
    told = world.swear(bound)
    send(world, mandate, calldata(world, bound, told))
    true = world.connection.receipt
    moved = {"status": 1, "blockHash": NOWHERE}
    monkeypatch.setattr(world.connection, "receipt", lambda sent: {**true(sent), **moved})
    with pytest.raises(LedgerError, match="any more"):
        newest(world)
    monkeypatch.undo()
    assert len(newest(world).attempts) == 1


@contextmanager
def another_chain() -> Iterator[tuple[Node, EvmLedger]]:
    """Give a node that can forget blocks, and the contracts on it."""
    with node(4343) as made:
        made.ask("anvil_setBalance", to_hex(OPERATOR.address), hex(10**20))
        connection = Connection(AllowListedProvider(made.url), "node", OPERATOR)
        yield made, EvmLedger(connection, OPERATOR)


def test_a_reorganisation_is_seen_by_parents() -> None:
    """After blocks were replaced, the next one's parent is not the block that was read before."""
    with another_chain() as (made, ledger):
        log = PlainLog("reorganised.test", OPERATOR)
        log.append(word(1))
        log.append(word(2))
        ledger.anchor(log)
        fork = int(made.ask("eth_blockNumber"), 16)
        base, snapshot = ledger.block(fork), made.ask("evm_snapshot")
        assert base is not None
        assert len(base.anchored) == 1
        log.append(word(3))
        ledger.anchor(log)
        first = ledger.block(fork + 1)
        assert first is not None
        assert (first.parent, first.anchored[0][1]) == (base.hash, 3)
        made.ask("evm_revert", snapshot)
        assert ledger.block(fork + 1) is None
        assert ledger.block(fork) == base
        log.append(word(4))
        EvmLedger(ledger._chain, OPERATOR).anchor(log)
        made.ask("evm_mine")
        other, second = ledger.block(fork + 1), ledger.block(fork + 2)
        assert other is not None
        assert second is not None
        assert (other.parent, other.anchored[0][1]) == (base.hash, 4)
        assert second.parent == other.hash != first.hash


def test_padding_hides_no_attempt(world: World) -> None:
    """Calldata with other padding than zeros, which contracts accept, is seen all the same."""
    mandate = world.mandate()
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    data = calldata(world, bound, told)
    end = data.index(bound.action.data) + len(bound.action.data)
    dirty = data[: end + 5] + b"\1" + data[end + 6 :]
    send(world, mandate, dirty)
    assert [attempt.by_agent for attempt in newest(world).attempts] == [True]


def test_a_lost_seat_is_anchored_again() -> None:
    """After a reorganisation that took the anchor, an alert is carried by the same open ledger."""
    with another_chain() as (made, ledger):
        log = PlainLog("lost.test", OPERATOR)
        log.append(word(1))
        log.append(word(2))
        ledger.anchor(log)
        now = ledger.now()
        terms = Terms(
            principal=PRINCIPAL.address,
            agent=AGENT.address,
            anchor=ledger.anchor_address,
            log_id=log.policy.log_id,
            valid_from=now - 10,
            valid_until=now + 10**6,
            longest_life=600,
            header=mandates.header_of(AGENT.public),
            buckets=(Bucket(1000, 60),),
            rules=(Rule(DEPLOYER, bytes(4), amount_word=255, cap=50),),
            guardian=watch(86_400, 604_800),
        )
        mandate = ledger.grant(terms, AGENT.public, word(1), GUARDIAN.public)
        before = made.ask("evm_snapshot")
        asked = Suspension(ledger.state(mandate).watch.number, ledger.now() + 3600)
        bound = BoundSuspension(ledger.chain_id, mandate, asked)
        told = statement.sign(ALERT, bound.digest, sha256(bound.digest), GUARDIAN, ledger.now())
        log.append(told.leaf)
        ledger.suspend(bound, told, log, ledger.anchor(log))
        assert ledger.state(mandate).suspended_until == asked.until
        made.ask("evm_revert", before)
        made.ask("evm_mine")
        assert ledger.state(mandate).suspended_until == 0
        ledger.suspend(bound, told, log, ledger.anchor(log))
        assert ledger.state(mandate).suspended_until == asked.until
