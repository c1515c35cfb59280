"""The story: a year of crisis in a pool, an oracle and a vault, and two who want to be paid."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import keccak256, to_hex
from affiant.kernel.house import Act, House, Step
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket
from affiant.kernel.model import Call, Doubt, Proposal
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.finance import calls, snapshot
from affiant.verticals.finance.contracts import artifact
from affiant.verticals.finance.desk import (
    FUND_MANAGER,
    RISK_AGENT,
    STAKING,
    TREASURY,
    WINDOW,
    Desk,
    Post,
    seen_of,
)
from affiant.verticals.finance.history import history
from affiant.verticals.finance.markets import Closes, closes
from affiant.verticals.finance.oracle import DEMO_DAY, Oracle, limits, open_oracle
from affiant.verticals.finance.pretrade import Screen, TradeModel, account_input, order_input
from affiant.verticals.finance.risk import assess
from affiant.verticals.finance.risk_parameters import HeldBackModel
from affiant.verticals.finance.risk_prices import Prices
from affiant.verticals.finance.strategy import PPM, decide
from affiant.verticals.finance.vault import Vault, endow
from affiant.verticals.finance.walkforward import walk_forward

LOOK = 6
"""Hours between two looks of the fee agent."""
CALM, STORM = ("2007-12-17", 2), ("2008-09-26", 3)
"""Days of oil's closes, and how many: two quiet ones, and those after Lehman's fall."""
QUARTERS = ("2007-12-31", "2008-03-31", "2008-06-30", "2008-09-30", "2008-12-31")
SAVED = 100_000
RISK_DAYS = 2_000
RATIO, NEGLECTED = 1.2289, 1.1572
"""Of wstETH in March 2026: the market's, and the one that was stored since early 2024."""


DAILY_YIELD = 0.03 / 365


class RogueModel:
    """A model gone wrong: it wants one call, whatever it sees."""

    name, version, deterministic = "affiant.finance.rogue", "1", True

    def __init__(self, call: Call) -> None:
        self._call = call

    @property
    def digest(self) -> bytes:
        """Of its name: nobody can run it again."""
        return keccak256(self.name.encode())

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:  # noqa: ARG002 (whatever it sees)
        """Answer the one call."""
        return Proposal(self._call, {}, "because")


@dataclass(frozen=True)
class Telling:
    """The desk, the market, and the name of this telling, so that every job happens once."""

    desk: Desk
    market: Closes
    run: str

    @property
    def house(self) -> House:
        """The house that the desk is in."""
        return self.desk.house

    def attempt(self, title: str, post: Post, call: Call, expected: str) -> Step:
        """Let an agent gone wrong try: the decision is sworn, and the contract refuses it."""
        agent = self.house.agent(post.agent, careful=False)
        act = agent.act(f"attempt/{title}/{self.run}", post.mandate, RogueModel(call), [])
        end = f"refused by the contract ({act.reason})" if act.refused else "NOT REFUSED"
        facts = {"attempt": title, "rule": act.refused, "decision": to_hex(act.decision.leaf)}
        good = act.refused is not None and expected in act.reason
        return Step("attempt", f"{title}: {end}", facts, good=good)


@dataclass(frozen=True)
class Counterparty:
    """Somebody who is owed money, and what is known of its account."""

    name: str
    figures: Mapping[str, float]
    suspect: bool


def story(house: House, screen: Screen, counterparties: Sequence[Counterparty]) -> Iterator[Step]:
    """Tell the story; told again in the same house, it goes on from there."""
    desk = Desk.open(house)
    old = _oracles(desk)
    told = Telling(desk, closes(), to_hex(keccak256(str(house.log.size()).encode()))[2:10])
    yield Step(
        "grant",
        "one agent may set a pool's fee, one an oracle's parameters, one a vault's weights; each "
        "contract takes them only from a mandate while it executes a sworn decision",
        {"pool": to_hex(desk.pool.address), "vault": to_hex(desk.vault.address)},
    )
    yield from _fees(told)
    yield from _snapshots(told, old)
    yield from _vault(told)
    yield from _walked(told.market)
    yield _risk(told.market)
    yield from _screened(told, screen, counterparties)
    yield _changes(told)


def _fees(told: Telling) -> Iterator[Step]:
    """Trade along oil's closes, calm and then not; let the agent look every six hours."""
    desk, pool, market = told.desk, told.desk.pool, told.market
    trader = told.house.key("arbitrageur")
    pool.fill(told.house.key(TREASURY), trader, market.until(CALM[0], 1)["WTI"][0])
    price = pool.price
    fees, changes, stormy = [pool.fee], list[Act](), list[int]()
    moves = list(itertools.chain(_hours(market, *CALM), _hours(market, *STORM)))
    for hour, move in enumerate(moves, 1):
        price *= math.exp(move)
        pool.arbitrage(trader, price)
        if hour % LOOK:
            continue
        act = desk.fee().act(told.house, f"fee/{hour}/{told.run}")
        if act.execution is not None:
            changes.append(act)
            fees.append(pool.fee)
            time.sleep(pool.bounds.delay)  # the contract would refuse the next one sooner
        if hour >= 24 * CALM[1]:
            stormy.append(pool.fee)
        text = f"{hour} hours of trades, fee {pool.fee / 100:g} bp"
        yield Step("trade", text, progress=(hour, len(moves)))
    moved = " -> ".join(f"{fee / 100:g}" for fee in fees)
    yield Step(
        "fee",
        f"oil in two calm days of 2007 and three of September 2008: the fee went {moved} bp, "
        f"in {len(changes)} sworn changes",
        {"fees": fees, "decisions": [to_hex(act.decision.leaf) for act in changes]},
        good=max(stormy) > stormy[0],
    )
    low, high = pool.bounds.lowest, pool.bounds.highest
    far = low if pool.fee - low > high - pool.fee else high
    for title, pips, error in (
        ("a fee beyond its range", high + 1, "FeeOutOfRange"),
        ("a fee further than a step", far, "StepTooLarge"),
    ):
        call = calls.set_fee(pool.address, pips)
        yield told.attempt(title, desk.fee(), call, error)


def _hours(market: Closes, first: str, days: int) -> Iterator[float]:
    """Yield log moves of 24 hours for each day: drawn in the size of its move, and adding up to it.

    Only closes are known; the way between them is a bridge, the same in every telling.
    """
    draw, start = random.Random(1), market.at(first)  # noqa: S311 (it must repeat)
    for before, after in itertools.pairwise(market.series["WTI"][start : start + days + 1]):
        move = math.log(after / before)
        steps = [draw.gauss(0, abs(move) / math.sqrt(24)) for _ in range(24)]
        yield from (step + (move - math.fsum(steps)) / 24 for step in steps)


def _oracles(desk: Desk) -> Oracle:
    """Begin the desk's oracle, and one whose snapshot nobody has touched for two years."""
    house, kept, manager = desk.house, desk.oracle, desk.house.key(STAKING)
    compiled = artifact("Fund")
    endow(house, house.key(TREASURY), manager, desk.staked)
    if house.call(desk.staked, compiled, "totalSupply") == 0:
        house.send(manager, desk.staked, compiled, "deposit", units(10_000), manager.address)
        house.send(manager, desk.staked, compiled, "mark", round(units(10_000) * (RATIO - 1)))
    absent, agent = house.key("absent treasury"), house.key(RISK_AGENT)
    old = open_oracle(house, absent, agent, desk.staked, name="old parameters", day=DEMO_DAY)
    now, pair = house.clock.now(), {snapshot.LTV: 785_000, snapshot.THRESHOLD: 810_000}
    first = {snapshot.RATIO: kept.read("marketRatio"), snapshot.TIMESTAMP: now - DEMO_DAY}
    kept.define(house.key(TREASURY), first | pair)
    stale = {
        snapshot.RATIO: round(NEGLECTED * 10**6) * 10**12,
        snapshot.TIMESTAMP: now - 768 * DEMO_DAY,
    }
    old.define(absent, stale | pair)
    total = house.call(desk.staked, compiled, "totalAssets")
    house.send(manager, desk.staked, compiled, "mark", round(total * DAILY_YIELD))
    kept.record_now(manager)
    return old


def _snapshots(told: Telling, old: Oracle) -> Iterator[Step]:
    """Move a snapshot as it should be, and then as on 10 March 2026."""
    kept, post = told.desk.oracle, told.desk.parameters()
    act = post.act(told.house, f"snapshot/{told.run}")
    yield Step(
        "snapshot",
        f"ratio and time of a snapshot move together: {act.reason}",
        {"decision": to_hex(act.decision.leaf), "refused": act.refused},
        good=act.execution is not None,
    )
    stored = old.stored()
    wrong = Post(RISK_AGENT, old.mandate, HeldBackModel(), seen_of(old))
    act = wrong.act(told.house, f"held back/{told.run}")
    wanted = act.proposal.output if act.proposal else {}
    ratio, moment = int(wanted[snapshot.RATIO]), int(wanted[snapshot.TIMESTAMP])
    most = snapshot.cap(ratio, moment, limits(old.day).growth, told.house.clock.now())
    market = old.read("marketRatio")
    yield Step(
        "incident",
        "10 March 2026 again: the ratio as far as its bound lets it, the time in full; each is in "
        f"bounds, together they put the oracle {1 - most / market:.2%} under the market: "
        f"refused before execution ({act.reason})",
        {
            "decision": to_hex(act.decision.leaf),
            "refused": act.refused,
            "reason": act.reason,
            "underMarket": 1 - most / market,
        },
        good=act.refused == "GuardRefused"
        and "ValueNotOfItsTime" in act.reason
        and old.stored() == stored,
    )
    alone = {snapshot.TIMESTAMP: told.house.clock.now() - 3 * DEMO_DAY}
    call = calls.update(kept.steward, alone)
    yield told.attempt("a time without its ratio", post, call, "MovedApart")
    call = calls.update(kept.steward, {snapshot.LTV: 795_000})
    yield told.attempt("loans near liquidation", post, call, "GapTooSmall")


def _vault(told: Telling) -> Iterator[Step]:
    """Carry a vault through 2008, rebalanced each quarter by sworn decisions."""
    house, vault, market = told.house, told.desk.vault, told.market
    manager = house.key(FUND_MANAGER)
    for fund in vault.funds:
        endow(house, house.key(TREASURY), manager, fund)
    vault.deposit(house.key(TREASURY), house.key("saver"), SAVED)
    value, moves = vault.assets, list[Act]()
    for turn, day in enumerate(QUARTERS):
        if turn:
            _mark(vault, market, QUARTERS[turn - 1], day, manager)
        post = told.desk.weights(market, day)
        moves.append(post.act(house, f"weights/{day}/{told.run}"))
        yield Step("rebalance", f"{day}: {moves[-1].reason}", progress=(turn + 1, len(QUARTERS)))
    done = [act for act in moves if act.execution is not None]
    ends = [market.until(day, 1) for day in (QUARTERS[0], QUARTERS[-1])]
    fell = {name: ends[1][name][0] / ends[0][name][0] - 1 for name in market.series}
    yield Step(
        "vault",
        f"2008 in the vault: {vault.assets / value - 1:+.1%} with fees paid, in {len(done)} sworn "
        "moves; " + ", ".join(f"{name} {change:+.1%}" for name, change in fell.items()),
        {"decisions": [to_hex(act.decision.leaf) for act in moves]},
        good=bool(done) and all(act.refused in (None, "inside-band") for act in moves),
    )
    call = calls.rebalance(vault.address, units(SAVED), [PPM, 0, 0])
    yield told.attempt("all into one fund", post, call, "WeightTooLarge")


def _mark(vault: Vault, market: Closes, before: str, day: str, manager: LedgerKey) -> None:
    for fund, prices in enumerate(market.series.values()):
        vault.mark(manager, fund, prices[market.at(day)] / prices[market.at(before)] - 1)


def _walked(market: Closes) -> Iterator[Step]:
    """Say what the rule would have earned over all the years, beside 1/N, with costs."""
    told = walk_forward(list(market.series.values()), decide)
    ours, equal = told.ours, told.equal
    verdict = {True: "better than", False: "worse than", None: "not to be told from"}[told.beats]
    yield Step(
        "walk-forward",
        f"{market.days[WINDOW][:4]} to {market.days[-1][:4]} at 10 bp: {ours.growth:.1%} a year, "
        f"Sharpe {ours.sharpe:.2f}, deepest fall {ours.drawdown:.0%}, cost {ours.cost:.2%} a year; "
        f"1/N: {equal.growth:.1%}, {equal.sharpe:.2f}, {equal.drawdown:.0%}, {equal.cost:.2%}. "
        f"{verdict.capitalize()} 1/N by its Sharpe ratio",
        {"sharpeDifference": [told.sharpe.low, told.sharpe.value, told.sharpe.high]},
    )


def _risk(market: Closes) -> Step:
    """Say what may be lost by the next day, with the tests of such forecasts."""
    days, closed = market.days[-RISK_DAYS:], market.series["WTI"][-RISK_DAYS:]
    report = assess(Prices("WTI", days, closed))
    tested = report.backtest
    tests = ", ".join(f"{test.name} p {test.p:.2f}" for test in tested.verdicts)
    return Step(
        "risk",
        f"WTI after {report.as_of}: VaR 99 % {report.var:.2f}, ES {report.es:.2f} {report.unit}; "
        f"{tested.violations} violations in {tested.periods} days; {tests}",
        {"tests": {test.name: test.p for test in tested.verdicts}},
        good=tested.passes,
    )


def _screened(
    told: Telling, screen: Screen, counterparties: Sequence[Counterparty]
) -> Iterator[Step]:
    """Let a trader pay those who are owed, after a look at their accounts."""
    house, owner = told.house, told.house.key(TREASURY)
    money = SettlementToken.deploy(house, owner)
    mandate = house.grant(
        "trades",
        principal=owner,
        agent=house.key("trader"),
        rules=[money.rule(None, 1_000)],
        buckets=[Bucket(units(1_000_000), 86_400)],
    )
    money.fund(house, owner, mandate, 10_000)
    for other in counterparties:
        account = house.key(other.name).address
        seen = [
            order_input(money, f"{told.run}-{other.name}", account, 250),
            account_input(account, other.figures),
        ]
        post = Post("trader", mandate, TradeModel(screen), seen)
        act = post.act(house, f"trade/{other.name}/{told.run}")
        logged = house.log.index_of(act.decision.leaf) is not None
        stopped = act.refused == "counterparty-suspected"
        end = "refused, and the refusal is in the log" if stopped else "paid 250 SETL"
        yield Step(
            "counterparty",
            f"{other.name}: {end} ({act.reason})",
            {"decision": to_hex(act.decision.leaf), "refused": act.refused},
            good=logged and stopped == other.suspect,
        )


def _changes(told: Telling) -> Step:
    """Read back from the chain what was changed: every change names its decision."""
    changes, log = history(told.desk), told.house.log
    known = [log.index_of(bytes.fromhex(change["decision"][2:])) is not None for change in changes]
    text = f"the chain tells of {len(changes)} changes; each names its decision, which is logged"
    good = bool(changes) and all(known)
    return Step("history", text, {"changes": changes}, good=good)
