"""Finance on the real contracts: what the guard refuses, what a hostile agent gets, what acts cost.

The benign updates follow the liquidity indices of two Aave reserves, as in `finance_steward`: an
hour stands for a day. A fund on the embedded chain is marked to each index every 25 minutes and
recorded; at each record the contract judges what an agent would propose, the same from an own node,
and a small move of loan-to-value and threshold. The hostile agent is `contracts/test/finance`'s
campaign: properly sworn actions, arguments at the edges, judged by an oracle of its own.
"""

from __future__ import annotations

import math
import os
import random
import re
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant.apps.wiring import open_house
from affiant.chain import mandates
from affiant.kernel.action import ANYONE, Action
from affiant.kernel.errors import CallReverted
from affiant.kernel.house import House
from affiant.verticals.finance import calls
from affiant.verticals.finance.contracts import artifact
from affiant.verticals.finance.desk import FUND_MANAGER, STAKING, TREASURY, Desk, Post
from affiant.verticals.finance.markets import closes
from affiant.verticals.finance.snapshot import (
    LTV,
    RATIO,
    THRESHOLD,
    TIMESTAMP,
    WAD,
    Bound,
    Limits,
    Record,
    Stored,
    Update,
    Wait,
    incident,
    propose,
)
from affiant.verticals.finance.vault import endow
from bench import contracts
from bench.finance_steward import HOUR, MINUTE, Series, reserves
from bench.gas import NOW, Chain, made_key, open_chain
from bench.run import REPOSITORY, Figure, Run, rounded

ACTIONS = 100_000
DEPOSIT = 10**15
APART = 25
FREE = {RATIO: Bound(1, 2**96 - 1), TIMESTAMP: Bound(1, 2**48 - 1)}
"""Bounds that hold nothing back: here only what is between parameters is judged."""


@dataclass
class MovedClock:
    """A clock that is set."""

    time: int = NOW

    def now(self) -> int:
        """Return the time it was set to."""
        return self.time


def measure(run: Run) -> list[Figure]:
    """Measure judgements, the campaign, and acts."""
    return [*_judgements(run), *_campaign(run), *_acts(run)]


def _judgements(run: Run) -> Iterator[Figure]:
    folder = Path(os.environ.get("AFFIANT_DATA", REPOSITORY.parent / "shared/data"))
    folder /= "aave-v3-minute"
    if not folder.exists():
        yield Figure("benign updates on chain", None, "", note=f"no data in {folder}")
        return
    seen: Counter[str | None] = Counter()
    chosen = reserves(folder)[: run.times(1, 2)]
    for number, series in enumerate(chosen):
        clock = MovedClock(series.start)
        with open_chain(run.folder / f"guard{number}", clock) as chain:
            guarded = Guarded(chain, clock, series.limits)
            seen += _judged(guarded, series, run.times(12 * HOUR, 96 * HOUR))
    made = seen.total()
    named = ", ".join(f"{name} {count}" for name, count in seen.items() if name)
    goal = None if run.quick else ">= 1000"
    yield Figure("benign updates judged by the guard's contract", made, "", goal)
    share = rounded(100 * (made - seen[None]) / made)
    yield Figure("of them refused", share, "%", "<= 1", note=named or "none")
    clock = MovedClock(incident().history[-60].timestamp)
    with open_chain(run.folder / "incident", clock) as chain:
        yield _replayed(chain, clock)


class Guarded:
    """A fund that follows an index, its record, and the guard of its oracle."""

    def __init__(self, chain: Chain, clock: MovedClock, limits: Limits) -> None:
        self.chain, self.clock, self.limits = chain, clock, limits
        self.owner = made_key("owner")
        deploy = chain.connection.deploy
        owner, operator = self.owner.address, chain.operator
        self.token = deploy(operator, contracts.token(), "Token", "TOK", owner)
        self.fund = deploy(operator, artifact("Fund"), self.token, "Fund", "F", 0, owner)
        core = (chain.ledger.factory_address, chain.ledger.anchor_address)
        self.steward = deploy(operator, artifact("RiskSteward"), owner, *core)
        self.record = deploy(operator, artifact("RatioRecord"), self.fund, 0)
        ids = [calls.parameter_id(name) for name in (RATIO, TIMESTAMP)]
        told = (self.fund, self.steward, *ids, limits.growth)
        oracle = deploy(operator, artifact("CappedRatio"), *told)
        times = (limits.youngest, limits.record_age, limits.tolerance)
        gap = (calls.parameter_id(LTV), calls.parameter_id(THRESHOLD), limits.gap)
        self.guard = deploy(operator, artifact("SnapshotGuard"), oracle, self.record, times, gap)
        send, most = chain.send, 2**256 - 1
        send(self.owner, self.token, contracts.token(), "mint", owner, 10 * DEPOSIT)
        send(self.owner, self.token, contracts.token(), "approve", self.fund, most)
        send(self.owner, self.fund, artifact("Fund"), "deposit", DEPOSIT, owner)
        loose, narrow = (1, 2**96 - 1, 0, 0), (1_000, 10**6, 30_000, 0)
        first = {RATIO: (loose, WAD), TIMESTAMP: (loose, clock.time - 1)}
        first |= {LTV: (narrow, 785_000), THRESHOLD: (narrow, 810_000)}
        for name, (bounds, value) in first.items():
            told = (calls.parameter_id(name), bounds, value)
            send(self.owner, self.steward, artifact("RiskSteward"), "defineParameter", *told)
        self.assets, self.history = DEPOSIT, list[Record]()

    def follow(self, ratio: int) -> None:
        """Mark the fund to a ratio, and record it."""
        gained = DEPOSIT * ratio // WAD - self.assets
        self.chain.send(self.owner, self.fund, artifact("Fund"), "mark", gained)
        self.assets += gained
        self.chain.send(self.owner, self.record, artifact("RatioRecord"), "record")
        connection = self.chain.connection
        told = connection.call(self.record, artifact("RatioRecord"), "atOrBefore", self.clock.time)
        self.history.append(Record(*told))

    def refusal(self, update: Update) -> str | None:
        """Return the error by which the contract refuses an update; None if it does not."""
        call = calls.update(self.steward, update)
        action = Action(0, 0, bytes(32), call.target, 0, call.data, 2**63, ANYONE, bytes(32))
        told = mandates.action_to_abi(action)
        connection = self.chain.connection
        try:
            connection.call(self.guard, artifact("SnapshotGuard"), "check", told, bytes(32))
        except CallReverted as error:
            return error.error
        return None


def _judged(guarded: Guarded, series: Series, seconds: int) -> Counter[str | None]:
    draw, limits, first = random.Random(1), guarded.limits, series.ratios[0]  # noqa: S311 (it must repeat)
    seen: Counter[str | None] = Counter()
    for at in range(0, min(seconds // MINUTE, len(series.ratios)), APART):
        guarded.clock.time = now = series.start + MINUTE * at
        guarded.follow(series.ratios[at] * WAD // first)
        stored = {RATIO: Stored(WAD), TIMESTAMP: Stored(series.start - 1)}
        update = propose(guarded.history, stored, FREE, now, limits)
        if isinstance(update, Wait):
            continue
        seen[guarded.refusal(update)] += 1
        then = now - limits.youngest - draw.randrange(HOUR)
        if then >= series.start:
            own = series.at(then) * WAD // first
            seen[guarded.refusal({RATIO: own, TIMESTAMP: then})] += 1
        step = draw.choice([-5_000, -2_500, 2_500, 5_000])
        seen[guarded.refusal({LTV: 785_000 + step, THRESHOLD: 810_000 + step})] += 1
    return seen


def _replayed(chain: Chain, clock: MovedClock) -> Figure:
    """Put the incident's last months on chain, and let the contract judge its update."""
    case = incident()
    guarded = Guarded(chain, clock, case.limits)
    for record in case.history[-60:]:
        clock.time = record.timestamp
        guarded.follow(record.ratio)
    clock.time = case.now
    chain.send(guarded.owner, guarded.token, contracts.token(), "mint", b"\1" * 20, 1)
    name = guarded.refusal(case.update)
    right = next(r for r in reversed(case.history) if r.timestamp <= case.now - 7 * 86_400)
    true = guarded.refusal({RATIO: guarded.history[-8].ratio, TIMESTAMP: right.timestamp})
    good = name == "ValueNotOfItsTime" and true is None
    note = f"{name}; the true pair of that time: {true or 'passes'}"
    return Figure("incident refused by the contract", int(good), "of 1", ">= 1", note=note)


def _campaign(run: Run) -> Iterator[Figure]:
    actions = run.times(2_000, ACTIONS)
    command = ["contracts/node", "npx", "--no-install", "forge", "test", "-vv"]
    command += ["--match-path", "contracts/test/finance/FinanceFuzz.t.sol"]
    environment = {**os.environ, "FINANCE_ACTIONS": str(actions)}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    told = dict(re.findall(r"(\w+)=(\d+)", done.stdout))
    if "actions" not in told:
        why = (done.stderr or done.stdout).strip().splitlines()[-1:]
        yield Figure("hostile actions", None, "", f">= {actions}", note=f"forge: {why}")
        return
    note = f"{int(told['executed']):,} executed: {told['fees']} fees, {told['updates']} updates, "
    note += f"{told['rebalances']} rebalances; {time.monotonic() - began:.0f} s with compiling"
    yield Figure("hostile actions, sworn and logged", int(told["actions"]), "", f">= {actions}")
    yield Figure("of them outside the mandate", int(told["outside"]), "", "<= 0", note=note)


def _acts(run: Run) -> Iterator[Figure]:
    """Act once of each kind in a house of its own, after a dry run of the same."""
    with open_house(run.folder / "finance-home") as house:
        for name, post in _posts(house):
            dry = statistics.median(_seconds(lambda p=post: p.rehearse(house)) for _ in range(5))
            began = time.perf_counter()
            done = post.act(house, f"bench/{name}")
            seconds = time.perf_counter() - began
            if done.execution is None:
                yield Figure(f"{name}, gas", None, "gas", note=f"{done.refused}: {done.reason}")
                continue
            note = "from look to logged outcome " + f"{1000 * seconds:.0f} ms"
            note += f", a dry run {1000 * dry:.0f} ms"
            yield Figure(f"{name}, whole transaction", done.execution.gas, "gas", note=note)


def _posts(house: House) -> Iterator[tuple[str, Post]]:
    desk, owner, trader = Desk.open(house), house.key(TREASURY), house.key("trader")
    desk.pool.fill(owner, trader, 100)
    draw = random.Random(0)  # noqa: S311 (it must repeat)
    for _ in range(30):
        desk.pool.arbitrage(trader, desk.pool.price * math.exp(draw.choice([-0.02, 0.02])))
    yield "a pool's fee set", desk.fee()
    staking = house.key(STAKING)
    endow(house, owner, staking, desk.staked)
    told = (desk.staked, artifact("Fund"), "deposit", 10**10, staking.address)
    house.send(staking, *told)
    pair = {LTV: 785_000, THRESHOLD: 810_000}
    desk.oracle.define(owner, {RATIO: WAD, TIMESTAMP: house.clock.now() - 60} | pair)
    desk.oracle.record_now(staking)
    time.sleep(5)
    yield "a snapshot updated under its guard", desk.parameters()
    for fund in desk.vault.funds:
        endow(house, owner, house.key(FUND_MANAGER), fund)
    desk.vault.deposit(owner, house.key("saver"), 100_000)
    yield "a vault of three funds rebalanced", desk.weights(closes(), "2018-06-29")


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
