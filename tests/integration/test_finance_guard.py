"""The guard in Solidity and its twin in Python refuse the same updates, by the same names."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from affiant.chain import mandates
from affiant.kernel.action import ANYONE, Action
from affiant.kernel.encoding import keccak256
from affiant.kernel.errors import CallReverted
from affiant.verticals.finance import calls
from affiant.verticals.finance.contracts import artifact
from affiant.verticals.finance.oracle import DAY, bounds, limits
from affiant.verticals.finance.snapshot import (
    LTV,
    RATIO,
    THRESHOLD,
    TIMESTAMP,
    Record,
    Stored,
    Update,
    violated,
)

from .world import OPERATOR, PRINCIPAL, World, new_world

pytestmark = pytest.mark.integration

LIMITS = limits(DAY)
GAP = (calls.parameter_id(LTV), calls.parameter_id(THRESHOLD), LIMITS.gap)


@dataclass
class Guarded:
    """A fund that earns, the record of its ratio over seven weeks, and the guard over it."""

    world: World
    fund: bytes
    steward: bytes
    record: bytes
    guard: bytes
    stored: dict[str, Stored]
    history: list[Record]

    def market(self) -> int:
        """Return the fund's ratio now."""
        return int(self._call(self.fund, "Fund", "convertToAssets", 10**18))

    def judged(self, update: Update) -> str | None:
        """Return the error by which the contract refuses an update; None if it does not."""
        call = calls.update(self.steward, update)
        action = Action(0, 0, bytes(32), call.target, 0, call.data, 2**63, ANYONE, bytes(32))
        told = mandates.action_to_abi(action)
        try:
            self._call(self.guard, "SnapshotGuard", "check", told, keccak256(b"a decision"))
        except CallReverted as error:
            return error.error
        return None

    def expected(self, update: Update) -> str | None:
        """Return the same by the Python twin."""
        now = self.world.connection.now()
        return violated(update, self.stored, self.history, LIMITS, now, self.market())

    def _call(self, address: bytes, name: str, function: str, *arguments: Any) -> Any:
        return self.world.connection.call(address, artifact(name), function, *arguments)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Let a fund earn for 35 days, recorded about every six hours."""
    with new_world(tmp_path_factory.mktemp("guard")) as world:
        yield _earned(world)


def _earned(world: World) -> Guarded:
    deploy, send, owner = world.connection.deploy, world.connection.send, PRINCIPAL.address
    fund = deploy(OPERATOR, artifact("Fund"), world.token, "Staked", "ST", 0, owner)
    steward = deploy(
        OPERATOR,
        artifact("RiskSteward"),
        owner,
        world.ledger.factory_address,
        world.ledger.anchor_address,
    )
    record = deploy(OPERATOR, artifact("RatioRecord"), fund, 3_600)
    ids = [calls.parameter_id(name) for name in (RATIO, TIMESTAMP)]
    oracle = deploy(OPERATOR, artifact("CappedRatio"), fund, steward, *ids, LIMITS.growth)
    times = (LIMITS.youngest, LIMITS.record_age, LIMITS.tolerance)
    guard = deploy(OPERATOR, artifact("SnapshotGuard"), oracle, record, times, GAP)
    world.mint(owner, 10**15)
    erc20 = artifact("Fund")  # every ERC-20 has `approve`
    send(PRINCIPAL, world.token, erc20, "approve", fund, 2**256 - 1)
    send(PRINCIPAL, fund, artifact("Fund"), "deposit", 10**12, owner)
    now = world.clock.now()
    first = {RATIO: 10**18, TIMESTAMP: now, LTV: 785_000, THRESHOLD: 810_000}
    for name, value in first.items():
        bound = bounds(DAY)[name]
        told = (bound.least, bound.most, bound.step, bound.delay)
        args = (calls.parameter_id(name), told, value)
        send(PRINCIPAL, steward, artifact("RiskSteward"), "defineParameter", *args)
    draw, history = random.Random(4), list[Record]()  # noqa: S311 (it must repeat)
    for turn in range(120):
        # One long pause, and one day on which the fund earned more than a cap lets grow.
        world.tick(10 * DAY if turn == 20 else draw.choice([3_601, 20_000, 21_600, 30_000]))
        earned = 3_000_000_000 if turn == 60 else draw.randrange(10_000_000, 40_000_000)
        send(PRINCIPAL, fund, artifact("Fund"), "mark", earned)
        send(PRINCIPAL, record, artifact("RatioRecord"), "record")
        made = world.connection.events(record, artifact("RatioRecord"), "Recorded")[-1]["args"]
        history.append(Record(made["time"], made["ratio"]))
    stored = {name: Stored(value) for name, value in first.items()}
    return Guarded(world, fund, steward, record, guard, stored, history)


def updates(guarded: Guarded, count: int) -> Iterator[Update]:
    """Yield updates around what is right: true pairs, their neighbours, and parts of them."""
    draw, now = random.Random(5), guarded.world.connection.now()  # noqa: S311 (it must repeat)
    for _ in range(count):
        known = draw.choice(guarded.history)
        off = draw.choice([0, 0, 0, 1, -1, LIMITS.tolerance, LIMITS.tolerance + 1, -400, 20_000])
        later = draw.choice(
            [0, 0, 0, 1, 3_000, LIMITS.record_age, LIMITS.record_age + 1, -(10**6), -(10**7)]
        )
        update = {
            RATIO: known.ratio + known.ratio * off // 10**6 + draw.choice([-1, 0, 1]),
            TIMESTAMP: draw.choice([known.timestamp + later, now - LIMITS.youngest]) % 2**48,
            LTV: draw.choice([700_000, 790_000, 790_001, 800_000]),
            THRESHOLD: draw.choice([780_000, 805_000, 810_000, 809_999]),
        }
        parts = draw.choice(
            [(RATIO, TIMESTAMP)] * 6
            + [(RATIO,), (TIMESTAMP,), (LTV,), (THRESHOLD,), (LTV, THRESHOLD), tuple(update), ()]
        )
        yield {name: update[name] for name in parts}


def test_both_refuse_the_same_by_the_same_name(guarded: Guarded) -> None:
    """Over 700 updates, right, nearly right and wrong, chain and Python never differ."""
    seen: Counter[str | None] = Counter()
    for update in updates(guarded, 700):
        name = guarded.judged(update)
        assert name == guarded.expected(update), update
        seen[name] += 1
    assert set(seen) == {
        None,
        "MovedApart",
        "TimestampGoesBack",
        "TimestampTooYoung",
        "NoRecord",
        "ValueNotOfItsTime",
        "CapBelowMarket",
        "GapTooSmall",
    }
    assert min(seen.values()) >= 5, seen


def test_what_was_recorded_is_never_refused(guarded: Guarded) -> None:
    """Every recorded pair that is old enough, and whose cap covers the market, passes."""
    now = guarded.world.connection.now()
    old = [record for record in guarded.history if record.timestamp <= now - LIMITS.youngest]
    assert len(old) > 50
    for record in old:
        update = {RATIO: record.ratio, TIMESTAMP: record.timestamp}
        assert guarded.judged(update) in (None, "CapBelowMarket")
    newest = {RATIO: old[-1].ratio, TIMESTAMP: old[-1].timestamp}
    assert guarded.judged(newest) is None
