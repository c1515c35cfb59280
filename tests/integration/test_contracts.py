"""Claims about the contracts, driven through the Python ledger on a real chain."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import get_abi_output_types

from affiant.chain import artifacts, mandates
from affiant.chain.connection import DEPLOYER
from affiant.chain.ledger import EvmLedger
from affiant.kernel import mandate as rules
from affiant.kernel import merkle
from affiant.kernel.action import Action
from affiant.kernel.checkpoint import Checkpoint
from affiant.kernel.encoding import jcs_decode, jcs_encode, keccak256, sha256, word
from affiant.kernel.errors import AffiantError, CallReverted, IntegrityError, LedgerError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Pin, Rule, Terms
from affiant.kernel.model import Call
from affiant.kernel.ports import LogView

from .world import (
    AGENT,
    CAP,
    LIFE,
    LIMIT,
    OPERATOR,
    PRINCIPAL,
    STRANGER,
    SUPPLIER,
    WINDOW,
    PlainLog,
    World,
    deploy_refusing,
    new_world,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def mandate(world: World) -> bytes:
    """Return a fresh mandate."""
    return world.mandate()


@contextmanager
def reverts(error: str) -> Iterator[None]:
    """Expect a contract to refuse by this name."""
    with pytest.raises(CallReverted) as caught:
        yield
    assert caught.value.error == error, caught.value.message


def test_a_sworn_and_logged_action_is_executed(world: World, mandate: bytes) -> None:
    """The call happens once, the nonce counts up, and the chain tells the statement and subject."""
    before = world.balance(SUPPLIER.address)
    bound = world.bind(mandate, world.pay(250))
    told = world.swear(bound)
    done = world.ledger.execute(bound, told, world.log, world.log_it(told))
    assert world.balance(SUPPLIER.address) == before + 250
    assert (done.leaf, done.subject, done.nonce) == (told.leaf, bound.digest, 0)
    assert {event["address"] for event in done.events} == {
        "0x" + mandate.hex(),
        "0x" + world.token.hex(),
    }
    assert world.ledger.executions(mandate) == [done]
    assert world.ledger.executions(mandate, told.leaf) == [done]
    assert world.ledger.executions(mandate, bytes(32)) == []
    assert world.ledger.transaction_leaf(done.transaction) == told.leaf
    state = world.ledger.state(mandate)
    assert (state.revoked, state.epoch, state.nonce) == (False, 0, 1)
    assert world.read(mandate, "level", 0) == LIMIT // 2 - 250
    left = rules.remaining(Bucket(LIMIT, WINDOW), state.levels[0], world.ledger.now())
    assert left == LIMIT // 2 - 250


def test_native_value_goes_out_of_the_mandate(world: World, mandate: bytes) -> None:
    """A rule that meters native value lets it out of the mandate's own budget, up to its cap."""
    world.opened.cheat("anvil_setBalance", "0x" + mandate.hex(), hex(1_000))
    call = Call(DEPLOYER, bytes(4) + world.fresh(), 50)
    world.act(mandate, call)
    assert int(world.opened.ask("eth_getBalance", "0x" + mandate.hex(), "latest"), 16) == 950
    with reverts("AboveCap"):
        world.act(mandate, replace(call, data=bytes(4) + world.fresh(), value=51))


def _refused_actions() -> dict[str, tuple[str, Any]]:
    """Return, by name of the claim, the error and a function of the world that makes the try."""
    return {
        "a call above the cap": ("AboveCap", lambda w, m: w.act(m, w.pay(CAP + 1))),
        "another recipient": ("PinMismatch", lambda w, m: w.act(m, w.pay(1, STRANGER.address))),
        "another function": (
            "NoRule",
            lambda w, m: w.act(m, Call(w.token, keccak256(b"mint(address,uint256)")[:4])),
        ),
        "no function": ("NoRule", lambda w, m: w.act(m, Call(w.token, b""))),
        "another contract": (
            "NoRule",
            lambda w, m: w.act(m, replace(w.pay(), target=w.ledger.factory_address)),
        ),
        "the anchor": (
            "ForbiddenTarget",
            lambda w, m: w.act(m, replace(w.pay(), target=w.ledger.anchor_address)),
        ),
        "the mandate itself": (
            "ForbiddenTarget",
            lambda w, m: w.act(m, replace(w.pay(), target=m)),
        ),
        "nobody there": ("NoCode", lambda w, m: w.act(m, replace(w.pay(), target=b"\x99" * 20))),
        "the zero address": ("NoCode", lambda w, m: w.act(m, replace(w.pay(), target=bytes(20)))),
        "no second argument": (
            "CalldataTooShort",
            lambda w, m: w.act(m, replace(w.pay(), data=w.pay().data[:36])),
        ),
        "native value beside": (
            "ValueNotAllowed",
            lambda w, m: w.act(m, replace(w.pay(), value=1)),
        ),
        "another nonce": ("WrongNonce", lambda w, m: w.act(m, w.pay(), nonce=1)),
        "another epoch": ("WrongEpoch", lambda w, m: w.act(m, w.pay(), epoch=1)),
        "an old decision": (
            "DecisionExpired",
            lambda w, m: w.act(m, w.pay(), deadline=w.clock.now() - 1),
        ),
        "a hoarded decision": (
            "LivesTooLong",
            lambda w, m: w.act(m, w.pay(), deadline=w.clock.now() + LIFE + 1),
        ),
        "a decision of tomorrow": (
            "SwornInFuture",
            lambda w, m: w.act(m, w.pay(), iat=w.clock.now() + 3_600),
        ),
        "another relayer": (
            "WrongRelayer",
            lambda w, m: w.act(m, w.pay(), relayer=STRANGER.address),
        ),
        "another signer": ("WrongSigner", lambda w, m: w.act(m, w.pay(), key=STRANGER)),
    }


@pytest.mark.parametrize("claim", _refused_actions())
def test_an_action_outside_the_terms_is_refused_by_name(
    world: World, mandate: bytes, claim: str
) -> None:
    """What the terms do not allow is refused by the contract, by name, and nothing has changed."""
    error, attempt = _refused_actions()[claim]
    world.tick()
    with reverts(error):
        attempt(world, mandate)
    assert world.ledger.state(mandate).nonce == 0
    assert world.ledger.executions(mandate) == []
    world.act(mandate, world.pay(CAP))


def test_a_full_bucket_refuses_until_it_has_leaked(world: World, mandate: bytes) -> None:
    """What no longer fits is refused by name, and fits again when enough has leaked."""
    world.act(mandate, world.pay(CAP))
    with reverts("AboveLimit"):
        world.act(mandate, world.pay(101))
    world.tick(1)
    world.act(mandate, world.pay(105))
    with reverts("AboveLimit"):
        world.act(mandate, world.pay(1))
    world.tick(WINDOW)
    assert world.read(mandate, "level", 0) == LIMIT // 2


def test_a_decision_is_executed_once(world: World, mandate: bytes) -> None:
    """The same action under the same oath is refused the second time, and moves nothing."""
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    seat = world.log_it(told)
    world.ledger.execute(bound, told, world.log, seat)
    before = world.balance(SUPPLIER.address)
    with reverts("WrongNonce"):
        world.ledger.execute(bound, told, world.log, seat)
    assert world.balance(SUPPLIER.address) == before


def test_a_decision_dies_with_its_deadline(world: World, mandate: bytes) -> None:
    """A decision may run in the second of its deadline; one second later it is void."""
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    seat = world.log_it(told)
    world.tick(LIFE + 1)
    with reverts("DecisionExpired"):
        world.ledger.execute(bound, told, world.log, seat)
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    seat = world.log_it(told)
    world.tick(LIFE)
    world.ledger.execute(bound, told, world.log, seat)


def test_the_mandate_has_a_life(world: World) -> None:
    """Before its first second and after its last a mandate refuses by name."""
    now = world.clock.now()
    late = world.mandate(valid_from=now + 50, valid_until=now + 60)
    with reverts("NotYetValid"):
        world.act(late, world.pay())
    world.tick(50)
    world.act(late, world.pay())
    world.tick(11)
    with reverts("Expired"):
        world.act(late, world.pay())


def test_a_signed_action_off_the_record_is_refused(world: World, mandate: bytes) -> None:
    """A decision that would be allowed but is in no log, or in another log, moves nothing."""
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    with reverts("SeatNotHeld"):
        world.ledger.execute(bound, told, world.log, world.ledger.anchor(world.log))
    other = PlainLog("elsewhere.test", STRANGER)
    other.append(sha256(b"x"))
    with reverts("SeatNotHeld"):
        world.ledger.execute(bound, told, other, world.log_it(told, other))
    world.ledger.execute(bound, told, world.log, world.log_it(told))


def test_one_logged_oath_does_not_carry_another(world: World, mandate: bytes) -> None:
    """A logged decision for one amount does not carry the same call with another amount."""
    bound = world.bind(mandate, world.pay(1))
    told = world.swear(bound)
    seat = world.log_it(told)
    other = replace(bound, action=replace(bound.action, data=world.pay(2).data))
    with reverts("WrongSigner"):
        world.ledger.execute(other, told, world.log, seat)


def test_a_mandate_of_another_log_refuses(world: World) -> None:
    """Terms that name another log refuse what is in this one."""
    elsewhere = world.mandate(log_id=sha256(b"another log"))
    with reverts("SeatNotHeld"):
        world.act(elsewhere, world.pay())


def test_revoked_is_revoked(world: World, mandate: bytes) -> None:
    """Only the principal revokes; then nothing runs any more, and the funds go back."""
    for key in (AGENT, STRANGER, OPERATOR):
        with reverts("NotPrincipal"):
            world.send(key, mandate, "revoke")
    world.send(PRINCIPAL, mandate, "revoke")
    assert world.ledger.state(mandate).revoked
    with reverts("Revoked"):
        world.act(mandate, world.pay())
    world.send(PRINCIPAL, mandate, "withdraw", world.token, 1_000_000)
    assert world.balance(mandate) == 0


def test_only_the_principal_withdraws(world: World, mandate: bytes) -> None:
    """Agent, operator and strangers take nothing out; the principal takes any part back."""
    for key in (AGENT, STRANGER, OPERATOR):
        with reverts("NotPrincipal"):
            world.send(key, mandate, "withdraw", world.token, 1)
    before = world.balance(PRINCIPAL.address)
    world.send(PRINCIPAL, mandate, "withdraw", world.token, 7)
    assert world.balance(PRINCIPAL.address) == before + 7


@pytest.mark.parametrize("key", [AGENT, PRINCIPAL], ids=["agent", "principal"])
def test_a_cancelled_nonce_is_used_up(world: World, mandate: bytes, key: LedgerKey) -> None:
    """After a cancel what was sworn for that nonce is void, and the next nonce works."""
    bound = world.bind(mandate, world.pay())
    told = world.swear(bound)
    seat = world.log_it(told)
    world.ledger.cancel(mandate, 0, key)
    with reverts("WrongNonce"):
        world.ledger.execute(bound, told, world.log, seat)
    assert world.ledger.cancelled(mandate) == {(0, 0)}
    assert world.act(mandate, world.pay()).nonce == 1


def test_only_the_current_nonce_is_cancelled_and_by_its_own(world: World, mandate: bytes) -> None:
    """Nobody else cancels, and no other nonce than the current one."""
    with reverts("NotPrincipalOrAgent"):
        world.ledger.cancel(mandate, 0, STRANGER)
    for nonce in (1, 2**64):
        with reverts("WrongNonce"):
            world.ledger.cancel(mandate, nonce, AGENT)
    assert world.ledger.cancelled(mandate) == set()


def test_nothing_is_being_executed_between_actions(world: World, mandate: bytes) -> None:
    """Outside an execution `executing` tells zeros, before and after one."""
    for _ in range(2):
        assert world.read(mandate, "executing") == [bytes(32), bytes(32)]
        world.act(mandate, world.pay())


def test_a_failed_call_uses_nothing_up(world: World, mandate: bytes) -> None:
    """If the target fails, the nonce and the bucket stay, and the failure has the target's name."""
    world.send(PRINCIPAL, mandate, "withdraw", world.token, 1_000_000)
    with pytest.raises(CallReverted) as caught:
        world.act(mandate, world.pay())
    assert caught.value.error in {"CallFailed", "ERC20InsufficientBalance"}
    assert world.ledger.state(mandate).nonce == 0
    assert world.read(mandate, "level", 0) == LIMIT // 2


def _refusing_mandate(world: World, data: bytes) -> tuple[bytes, Call]:
    target = deploy_refusing(world, data)
    rule = Rule(target, b"ping", amount_word=254, cap=1)
    return world.mandate(rules=(rule,)), Call(target, b"ping")


def test_a_target_that_refuses_with_junk(world: World) -> None:
    """A target may refuse with any bytes; the error then is CallFailed."""
    mandate, call = _refusing_mandate(world, b"\xde\xad\xbe\xef")
    with reverts("CallFailed"):
        world.act(mandate, call)


def test_a_target_cannot_pass_for_the_mandate(world: World) -> None:
    """A target that refuses with an error of the mandate's own is still told as CallFailed."""
    mandate, call = _refusing_mandate(world, keccak256(b"NoAgent()")[:4])
    with reverts("CallFailed"):
        world.act(mandate, call)


def test_a_target_that_refuses_with_half_an_error(world: World) -> None:
    """A target that refuses with a known selector and no arguments is an error of ours."""
    mandate, call = _refusing_mandate(world, keccak256(b"AboveCap(uint256,uint256)")[:4])
    with pytest.raises(AffiantError):
        world.act(mandate, call)


def _fork(log: PlainLog, size: int) -> PlainLog:
    """Return another history of the same log, with its own signature."""
    forked = PlainLog(log.policy.origin, OPERATOR)
    for leaf in [sha256(b"forged"), *log.leaves[1:], *map(word, range(size))][:size]:
        forked.append(leaf)
    return forked


def test_a_longer_fork_is_refused_by_us_and_by_the_chain(world: World) -> None:
    """A history that does not extend the chain's is refused before sending, and by the contract."""
    head = world.ledger.anchor(world.log)
    forked = _fork(world.log, head.end + 3)
    with pytest.raises(IntegrityError, match="changed or forked"):
        EvmLedger(world.connection, OPERATOR).anchor(forked)
    (last,) = [a for a in world.ledger.anchored(world.log.policy.log_id) if a.size == head.end]
    with reverts("WrongHead"):
        _anchor_by_hand(world, forked, head.count + 1, last.size)


def test_a_longer_fork_on_the_true_peaks_is_refused_by_the_chain(world: World) -> None:
    """Signed for a root that does not extend the true peaks, an anchor has the wrong signature."""
    head = world.ledger.anchor(world.log)
    forked = _fork(world.log, head.end + 3)
    with reverts("WrongLogSigner"):
        _anchor_by_hand(world, forked, head.count + 1, head.end, true=world.log)


def _anchor_by_hand(
    world: World, log: PlainLog, count: int, size: int, true: LogView | None = None
) -> None:
    policy, head = log.policy, log.head()
    world.connection.send(
        OPERATOR,
        world.ledger.anchor_address,
        artifacts.load("LogAnchor"),
        "anchor",
        (policy.origin_hash, policy.signer, [], 0),
        (count, size, [(true or log).node(*place) for place in merkle.peak_places(0, size)]),
        [log.node(*place) for place in merkle.peak_places(size, head.size)],
        head.size,
        [head.signature],
    )


@pytest.mark.parametrize("less", [0, 1], ids=["same size", "shorter"])
def test_a_fork_that_is_not_longer_is_refused_by_us(world: World, less: int) -> None:
    """A log of another history is refused also when it is as long as the chain's, or shorter."""
    world.log.append(world.fresh())
    head = world.ledger.anchor(world.log)
    forked = _fork(world.log, head.end - less)
    with pytest.raises(IntegrityError):
        EvmLedger(world.connection, OPERATOR).anchor(forked)


def test_anchoring_twice_is_anchoring_once(world: World) -> None:
    """Without new entries nothing is sent, and the seat is the same; another reader sees it too."""
    world.log.append(world.fresh())
    seat = world.ledger.anchor(world.log)
    block = world.opened.head()
    assert world.ledger.anchor(world.log) == seat
    assert EvmLedger(world.connection, OPERATOR).anchor(world.log) == seat
    assert world.opened.head() == block


def test_a_grant_is_found_again(world: World) -> None:
    """The same terms and salt are the same mandate, without a transaction, for any reader."""
    terms, salt = world.terms(), world.fresh()
    first = world.ledger.grant(terms, AGENT.public, salt)
    block = world.opened.head()
    again = EvmLedger(world.connection, OPERATOR)
    assert again.grant(terms, AGENT.public, salt) == first
    assert world.opened.head() == block
    assert again.terms(first) == terms
    assert again.grant(terms, AGENT.public, world.fresh()) != first


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"principal": bytes(20)}, "NoPrincipal"),
        ({"agent": STRANGER.address}, "WrongKey"),
        ({"anchor": b"\x99" * 20}, "AnchorWithoutCode"),
        ({"log_id": bytes(32)}, "NoLog"),
        ({"header": b"junk"}, "WrongHeader"),
        ({"valid_until": 1}, "NeverValid"),
        ({"longest_life": 0}, "NoLife"),
        ({"buckets": (Bucket(1, 10),)}, "LimitTooSmall"),
        ({"buckets": (Bucket(10, 0),)}, "NoWindow"),
        ({"buckets": ()}, "UnknownBucket"),
        ({"rules": ()}, "NoRules"),
        ({"extensions": b"x"}, "UnknownExtensions"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_terms_that_hold_nothing_are_no_mandate(
    world: World, change: dict[str, Any], error: str
) -> None:
    """The factory refuses, by name, terms that would not hold what they say."""
    with reverts(error):
        world.ledger.grant(world.terms(**change), AGENT.public, world.fresh())


def test_terms_of_a_stranger_are_not_believed(world: World) -> None:
    """What the factory has not made is no mandate, whatever it answers."""
    for address in (world.token, b"\x99" * 20):
        with pytest.raises(LedgerError, match="no mandate"):
            world.ledger.terms(address)


def random_terms(world: World, seed: int) -> Terms:
    """Return random terms that the factory takes."""
    moment = random.Random(seed)  # noqa: S311 (a reproducible test)
    buckets = tuple(
        Bucket(moment.randrange(2, 2**96), moment.randrange(1, 2**32))
        for _ in range(moment.randrange(1, 4))
    )
    targets = moment.sample([bytes([n]) * 20 for n in range(1, 9)], moment.randrange(1, 6))
    return world.terms(
        valid_from=moment.randrange(2**40),
        valid_until=moment.randrange(2**40, 2**53),
        longest_life=moment.randrange(1, 2**32),
        buckets=buckets,
        rules=tuple(
            Rule(
                target=target,
                selector=moment.randbytes(4),
                amount_word=moment.randrange(256),
                cap=moment.randrange(2**128),
                bucket=moment.randrange(len(buckets)),
                pins=tuple(
                    Pin(
                        moment.randrange(254),
                        tuple(moment.randbytes(32) for _ in range(moment.randrange(1, 4))),
                    )
                    for _ in range(moment.randrange(3))
                ),
            )
            for target in targets
        ),
    )


@pytest.mark.parametrize("seed", range(6))
def test_terms_are_the_same_in_every_form(world: World, seed: int) -> None:
    """Terms survive the way through the ABI, through JSON, and through a mandate's own code."""
    terms = random_terms(world, seed)
    (function,) = [e for e in artifacts.load("Mandate")["abi"] if e.get("name") == "terms"]
    types = get_abi_output_types(function)
    (told,) = decode(types, encode(types, [mandates.terms_to_abi(terms)]))
    assert mandates.terms_from_abi(told) == terms
    assert Terms.from_json(terms.to_json()) == terms
    mandate = world.ledger.grant(terms, AGENT.public, word(seed))
    assert EvmLedger(world.connection, OPERATOR).terms(mandate) == terms


def test_terms_without_an_end_can_be_put_into_a_bundle(world: World) -> None:
    """A mandate may last as long as the chain can count; its terms then have a JSON form, too."""
    terms = world.terms(valid_until=2**64 - 1)
    assert world.ledger.terms(world.ledger.grant(terms, AGENT.public, world.fresh())) == terms
    assert Terms.from_json(jcs_decode(jcs_encode(terms.to_json()))) == terms


def test_digests_are_the_contracts(world: World, mandate: bytes) -> None:
    """Action digest, statement id, log id, checkpoint digest are those that the chain computes."""
    moment = random.Random(3)  # noqa: S311 (a reproducible test)
    policy = world.log.policy
    for _ in range(3):
        salt, model = moment.randbytes(32), moment.randbytes(32)
        bound = world.bind(mandate, world.pay(moment.randrange(1, 50)), salt=salt, model=model)
        told = world.swear(bound)
        seat = world.log_it(told)
        done = world.ledger.execute(bound, told, world.log, seat)
        assert (done.subject, done.leaf) == (bound.digest, told.leaf)
        last = world.ledger.anchored(policy.log_id)[-1]
        assert (last.size, last.root) == (len(world.log.leaves), world.log.head().root)
    wrong = Checkpoint(policy.origin, len(world.log.leaves) + 1, bytes(32)).digest(policy.log_id)
    assert wrong != Checkpoint("x", 1, bytes(32)).digest(policy.log_id)


def test_an_error_on_chain_has_a_name(tmp_path: Path) -> None:
    """Two senders of one decision: the second is told by name that it came too late."""
    with new_world(tmp_path) as world:
        mandate = world.mandate()
        bound = world.bind(mandate, world.pay())
        told = world.swear(bound)
        seat = world.log_it(told)
        world.ledger.execute(bound, told, world.log, seat)
        with reverts("WrongNonce"):
            EvmLedger(world.connection, STRANGER).execute(bound, told, world.log, seat)


def test_amounts_beyond_an_action_are_refused_before_they_are_sworn() -> None:
    """An action that no chain could carry is no action in Python either."""
    with pytest.raises(AffiantError):
        Action(0, 0, bytes(32), bytes(20), 1 << 256, b"", 0, bytes(20), bytes(32))
