"""The differential test: the kernel's rules and the contract's, over the same random lives.

Each life is one mandate with random terms. Its steps are planned with the kernel's own answer in
mind (so that amounts and stays lie at the edges), sworn and logged together, and then taken to the
real contract one by one, at the planned second: it must give the same answer by the same name, and
the same levels. AFFIANT_DIFFERENTIAL_ACTIONS and AFFIANT_DIFFERENTIAL_SEED choose how many and
which.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from affiant.chain.connection import DEPLOYER
from affiant.kernel import mandate as rules
from affiant.kernel import suspension as stays
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.encoding import keccak256, word
from affiant.kernel.errors import CallReverted, MandateRefused
from affiant.kernel.mandate import Bucket, Level, Pin, Rule, State, Terms
from affiant.kernel.ports import Seat
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension

from .world import AGENT, MODEL, PRINCIPAL, STRANGER, SUPPLIER, TRANSFER, World, watch

pytestmark = pytest.mark.integration

ACTIONS = int(os.environ.get("AFFIANT_DIFFERENTIAL_ACTIONS", "400"))
SEED = int(os.environ.get("AFFIANT_DIFFERENTIAL_SEED", "1"))
STEPS = 40
APPROVE = keccak256(b"approve(address,uint256)")[:4]
NATIVE = bytes(4)
PAYEES = (SUPPLIER.address, PRINCIPAL.address)


@dataclass(frozen=True)
class Step:
    """What is done at a second, and what the kernel says of it: a state, or a rule's name."""

    at: int
    expected: str | None
    after: State
    iat: int = 0
    action: Action | None = None
    cancel: int | None = None
    stay: Suspension | None = None
    resume: int | None = None
    """The second until which the guardian is silenced."""
    revoke: bool = False


class Life:
    """Plans the steps of one mandate."""

    def __init__(self, world: World, moment: random.Random) -> None:
        self.world = world
        self.moment = moment
        self.terms = self._terms()
        self.mandate = world.mandate(
            **{
                name: getattr(self.terms, name)
                for name in (
                    *("valid_from", "valid_until", "longest_life"),
                    *("buckets", "rules", "guardian"),
                )
            }
        )
        world.opened.cheat("anvil_setBalance", "0x" + self.mandate.hex(), hex(10**18))
        self.state = State()
        self.now = world.clock.now()

    def _terms(self) -> Terms:
        moment, now = self.moment, self.world.clock.now()
        buckets = (
            Bucket(moment.randrange(2, 3_000), moment.randrange(1, 300)),
            Bucket(moment.randrange(2, 12), moment.randrange(20, 200)),
        )
        cap = moment.choice([buckets[0].capacity, buckets[0].capacity // 2, 5_000])
        pin = Pin(0, tuple(word(payee) for payee in PAYEES))
        limit = moment.randrange(2, 200)
        guardian = watch(limit, limit + moment.choice([1, 7, moment.randrange(1, 400)]))
        return self.world.terms(
            valid_from=now + moment.randrange(-5, 30),
            valid_until=now + moment.randrange(500, 9_000),
            longest_life=moment.randrange(1, 900),
            buckets=buckets,
            guardian=guardian if moment.random() < 0.9 else None,
            rules=(
                Rule(self.world.token, TRANSFER, amount_word=1, cap=max(cap, 1), pins=(pin,)),
                Rule(self.world.token, APPROVE, amount_word=254, cap=1, bucket=1),
                Rule(DEPLOYER, NATIVE, amount_word=255, cap=max(cap // 3, 1), bucket=0),
            ),
        )

    def step(self) -> Step:
        """Plan the next step."""
        moment = self.moment
        self.now += moment.choice([0, 0, 1, 1, 2, 5, 20, moment.randrange(150)])
        first, last = self.terms.valid_from, self.terms.valid_until
        if self.now < first and moment.random() < 0.3:
            self.now = max(self.now, moment.choice([first - 1, first]))
        if self.now < last and moment.random() < 0.015:
            self.now = moment.choice([last, last + 1])
        does = moment.choices(
            [self._cancel, self._revoke, self._resume, self._stay, self._act], [6, 0.6, 4, 20, 70]
        )
        return does[0]()

    def _revoke(self) -> Step:
        self.state = replace(self.state, revoked=True)
        return Step(self.now, None, self.state, revoke=True)

    def _resume(self) -> Step:
        silent = self.now + self.moment.choice([-10, 0, 5, 30, 90])
        self.state = stays.resume(self.state, silent)
        return Step(self.now, None, self.state, resume=silent)

    def _act(self) -> Step:
        moment = self.moment
        if moment.random() < 0.85:  # actions mostly wait, else most would find the agent suspended
            self.now = max(self.now, self.state.suspended_until - moment.choice([0, 0, 0, 1]))
        action, iat = self._action()
        plain = action.data
        for _ in range(moment.choice([0, 0, 0, 1, 1, 2, 3])):
            action, iat = self._spoil(action, iat)
        expected = self._refusal(action, iat)
        if expected is None and action.data[:4] != TRANSFER:
            # Allowed arguments that the target itself would not take say nothing of the rules.
            action = replace(action, data=plain)
        if expected is None:
            self.state = rules.check(self.terms, self.state, action, now=self.now, iat=iat)
        return Step(self.now, expected, self.state, iat=iat, action=action)

    def _refusal(self, action: Action, iat: int) -> str | None:
        try:
            rules.check(self.terms, self.state, action, now=self.now, iat=iat)
        except MandateRefused as error:
            return error.rule
        return None

    def _cancel(self) -> Step:
        nonce = self.state.nonce + self.moment.choice([0, 0, 0, 1])
        expected = None if nonce == self.state.nonce else "WrongNonce"
        if expected is None:
            self.state = replace(self.state, nonce=nonce + 1)
        return Step(self.now, expected, self.state, cancel=nonce)

    def _stay(self) -> Step:
        """Plan a suspension at the edge of what is left."""
        moment, now, state = self.moment, self.now, self.state
        half = 50 if self.terms.guardian is None else self.terms.guardian.bucket.capacity
        begins, left = max(now, state.suspended_until), stays.longest(self.terms, state, now)
        iat = now + moment.choice([0, 0, 0, 0, -1, -10, 20, 60, 60, 61])
        ends = [begins + left] * 4 + [begins + left + 1] * 4 + [begins + left // 3] * 2
        ends += [begins, begins - 1, begins + 1, now, iat + half, iat + half + 1, 2**40 - 1]
        number = max(0, state.watch.number + moment.choice([0] * 12 + [1, -1]))
        asked, expected = Suspension(number, moment.choice(ends)), None
        try:
            self.state = stays.suspend(self.terms, state, asked, now=now, iat=iat)
        except MandateRefused as error:
            expected = error.rule
        return Step(now, expected, self.state, iat=iat, stay=asked)

    def _action(self) -> tuple[Action, int]:
        """Return an action at the edge of what is left."""
        moment = self.moment
        rule = moment.choices(self.terms.rules, [5, 2, 2])[0]
        bucket = self.terms.buckets[rule.bucket]
        left = rules.remaining(bucket, self.state.levels.get(rule.bucket, Level()), self.now)
        edges = [left, left + 1, left // 2, left // 3, rule.cap, rule.cap + 1, 0, 1]
        amount = moment.choice(edges)
        value, data = 0, TRANSFER + word(moment.choice(PAYEES)) + word(amount)
        if rule.selector == APPROVE:
            data = APPROVE + word(STRANGER.address) + word(moment.randrange(2**256))
        if rule.selector == NATIVE:
            value, data = amount, NATIVE + self.world.fresh()
        iat = self.now - moment.choice([0, 0, 0, 1, 10])
        life = moment.choice([0, 1, self.terms.longest_life, self.terms.longest_life])
        deadline = max(self.now, iat + life) if moment.random() < 0.5 else iat + life
        action = Action(
            epoch=self.state.epoch,
            nonce=self.state.nonce,
            model=MODEL,
            target=rule.target,
            value=value,
            data=data,
            deadline=min(deadline, iat + self.terms.longest_life),
            relayer=ANYONE,
            salt=self.world.fresh(),
        )
        return action, iat

    def _spoil(self, action: Action, iat: int) -> tuple[Action, int]:
        moment, data = self.moment, action.data
        kinds: list[Callable[[], dict[str, Any]]] = [
            lambda: {"nonce": action.nonce + 1},
            lambda: {"nonce": max(0, action.nonce - 1)},
            lambda: {"epoch": 1},
            lambda: {"deadline": self.now - moment.randrange(1, 3)},
            lambda: {"deadline": iat + self.terms.longest_life + moment.choice([0, 1, 10**6])},
            lambda: {"deadline": 2**64 - 1},
            lambda: {"target": self.world.ledger.anchor_address},
            lambda: {"target": self.world.ledger.factory_address},
            lambda: {"target": self.world.token},
            lambda: {"data": data[: moment.randrange(len(data) + 1)]},
            lambda: {"data": data + moment.randbytes(moment.randrange(1, 40))},
            lambda: {"data": data[:4] + word(STRANGER.address) + data[36:]},
            lambda: {"data": data[:4] + b"\x01" + data[5:]},
            lambda: {"data": moment.randbytes(4) + data[4:]},
            lambda: {"data": data[:36] + word(2**256 - 1 - moment.randrange(2))},
            lambda: {"value": moment.randrange(1, 50)},
            lambda: {"iat": self.now + moment.choice([59, 60, 61])},
            lambda: {"iat": self.now - moment.randrange(1, 400)},
        ]
        changes = moment.choice(kinds)()
        iat = changes.pop("iat", iat)
        return replace(action, **changes), iat


Sworn = tuple[BoundAction, Statement] | tuple[BoundSuspension, Statement]


def swear(world: World, life: Life, steps: list[Step]) -> dict[int, Sworn]:
    """Swear and log what a life's steps need, under one anchor."""
    sworn: dict[int, Sworn] = {}
    for number, step in enumerate(steps):
        if step.action is not None:
            bound = BoundAction(world.ledger.chain_id, life.mandate, step.action)
            sworn[number] = bound, world.swear(bound, iat=step.iat)
        elif step.stay is not None:
            stay = BoundSuspension(world.ledger.chain_id, life.mandate, step.stay)
            sworn[number] = stay, world.alert(stay, iat=step.iat)
        if number in sworn:
            world.log.append(sworn[number][1].leaf)
    return sworn


def take(world: World, life: Life, step: Step, sworn: Sworn | None, seat: Seat) -> str | None:
    """Take a step on the chain; return the error by which it was refused."""
    try:
        if step.revoke:
            world.ledger.revoke(life.mandate, PRINCIPAL)
        elif step.resume is not None:
            world.ledger.resume(life.mandate, step.resume, PRINCIPAL)
        elif step.cancel is not None:
            by = life.moment.choice([AGENT, PRINCIPAL])
            world.ledger.cancel(life.mandate, step.cancel, by)
        elif sworn is not None and isinstance(sworn[0], BoundSuspension):
            world.ledger.suspend(*sworn, world.log, seat)
        elif sworn is not None:
            world.ledger.execute(*sworn, world.log, seat)
    except CallReverted as error:
        return error.error
    return None


def test_the_kernel_and_the_contract_answer_alike(world: World) -> None:
    """Over random lives both accept and refuse the same actions, by the same names and levels."""
    moment = random.Random(SEED)  # noqa: S311 (a reproducible test)
    met, done = Counter[str](), 0
    while done < ACTIONS:
        life = Life(world, moment)
        steps = [life.step() for _ in range(STEPS)]
        sworn = swear(world, life, steps)
        seat = world.ledger.anchor(world.log)
        for number, step in enumerate(steps):
            world.tick(step.at - world.clock.now())
            told = f"seed {SEED}, life of step {done}, step {number}: {step}"
            answer = take(world, life, step, sworn.get(number), seat)
            assert answer == step.expected, told
            _same_state(world, life, step, told)
            does = "suspension" if step.stay else "action" if step.action else "other"
            met[f"{does}: {answer or 'accepted'}"] += 1
        done += STEPS
    common = ["accepted", "AgentSuspended", "AboveLimit", "AboveCap", "WrongNonce", "PinMismatch"]
    common += ["NoRule", "DecisionExpired", "LivesTooLong", "SwornInFuture", "CalldataTooShort"]
    stay = ["accepted", "AboveLimit", "SuspendsNothing", "LivesTooLong", "SwornInFuture"]
    stay += ["WrongSuspension", "GuardianSilenced"]
    wanted = {f"action: {name}" for name in [*common, "WrongEpoch"]}
    wanted |= {f"suspension: {name}" for name in stay}
    assert ACTIONS < 300 or wanted <= set(met), (wanted - set(met), met)


def _same_state(world: World, life: Life, step: Step, told: str) -> None:
    state = world.ledger.state(life.mandate)
    after = step.after
    names = ("revoked", "epoch", "nonce", "suspended_until")
    assert [getattr(state, n) for n in names] == [getattr(after, n) for n in names], told
    for index, bucket in enumerate(life.terms.buckets):
        level = after.levels.get(index, Level())
        left = rules.remaining(bucket, state.levels[index], step.at)
        assert left == rules.remaining(bucket, level, step.at), told
    if life.terms.guardian is not None:
        seconds, watched = life.terms.guardian.bucket, state.watch
        assert replace(watched, level=after.watch.level) == after.watch, told
        left = rules.remaining(seconds, watched.level, step.at)
        assert left == rules.remaining(seconds, after.watch.level, step.at), told


def test_what_only_the_contract_can_know(world: World) -> None:
    """A target without code, the mandate itself, and a relayer are the contract's to refuse."""
    nobody = b"\x77" * 20
    terms = world.terms(rules=(Rule(nobody, b"ping", amount_word=254, cap=1),))
    mandate = world.mandate(rules=terms.rules)
    bound = world.bind(mandate, world.pay())
    action = replace(bound.action, target=nobody, data=b"ping")
    rules.check(terms, State(), action, now=world.clock.now())
    told = world.swear(replace(bound, action=action))
    seat = world.log_it(told)
    with pytest.raises(CallReverted) as caught:
        world.ledger.execute(replace(bound, action=action), told, world.log, seat)
    assert caught.value.error == "NoCode"
