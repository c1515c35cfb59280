"""The story: an agent orders for the last 24 periods under oath, then three attempts fail."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.encoding import jcs_decode, jcs_encode, sha256, to_hex
from affiant.kernel.errors import CallReverted, InputError
from affiant.kernel.house import Act, House, Step
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket
from affiant.kernel.model import Input
from affiant.kernel.ports import Archive
from affiant.kernel.token import DECIMALS, SettlementToken, paid, units
from affiant.verticals.supply.costs import compare
from affiant.verticals.supply.demand import Demand, air_passengers, read_sales
from affiant.verticals.supply.newsvendor import unit_costs
from affiant.verticals.supply.reorder import GreedyModel, ReorderModel, history_input, trade_input

PERIODS = 24
ORDERS = Path("orders.csv")
ORDERS_A_DAY = 1000
"""What the mandate allows in a day is at least this many orders at the cap."""
CAP_FACTOR = 3
"""The cap per order, as a multiple of the item's largest period on record."""
DAY = 86_400
# Refusals that say nothing against the order itself: cut off too long, overtaken, no funds.
_PASSING = ("CallFailed", "DecisionExpired", "Expired", "NotYetValid", "WrongNonce")
_COLUMNS = ("item", "period", "quantity", "decision", "transaction")


@dataclass(frozen=True)
class Shop:
    """Who trades: the token, whom it pays, the mandate, and the most an order may cost."""

    money: SettlementToken
    supplier: bytes
    mandate: bytes
    cap: Decimal

    def trade(self, demand: Demand) -> Input:
        """Return the terms of trade for an item."""
        return trade_input(demand, self.money.address, self.supplier, *unit_costs(None, None))


def check(*, sales: Path | None = None, orders: Path = ORDERS, periods: int = PERIODS) -> None:
    """Refuse what the story could not be told over, before anything is opened.

    Raises:
        InputError: the sales or the orders file cannot be used.
    """
    demands = _demands(sales)
    _budget(demands, _count(demands, periods))
    if sales is not None:
        _write_orders(orders, [])


def story(
    house: House,
    *,
    sales: Path | None = None,
    orders: Path = ORDERS,
    periods: int = PERIODS,
) -> Iterator[Step]:
    """Tell the story over the built-in series, or over a user's sales; write their orders.

    Raises:
        InputError: the file cannot be used; nothing has been ordered.
    """
    check(sales=sales, orders=orders, periods=periods)
    demands = _demands(sales)
    starts = [_start(demand, periods) for demand in demands]
    count = _count(demands, periods)
    shop = _open_shop(house, demands, count)
    short = "" if count == periods * len(demands) else " (a short history allows no more)"
    yield Step(
        "grant",
        f"the shop lets its agent pay one supplier, at most {shop.cap} SETL at once; "
        f"{count} orders to place{short}",
        {"mandate": to_hex(shop.mandate), "agent": to_hex(house.key("buyer").address)},
    )
    rows: list[dict[str, Any]] = []
    for demand, start in zip(demands, starts, strict=True):
        ordered: list[int] = []
        for step, row in _orders(house, shop, demand, start):
            rows.append(row)
            ordered.append(int(row["quantity"]))
            yield step
        yield _cost(demand, ordered, start)
    if sales is not None:
        _write_orders(orders, rows)
        yield Step("orders", f"orders written to {orders}", {"orders": str(orders)})
    yield from _attempts(house, shop, demands[0])


def _count(demands: Sequence[Demand], periods: int) -> int:
    return sum(len(demand.quantities) - _start(demand, periods) for demand in demands)


def _demands(sales: Path | None) -> list[Demand]:
    return [air_passengers()] if sales is None else read_sales(sales)


def _start(demand: Demand, periods: int) -> int:
    least = 2 * demand.season + 2 * demand.lead_time - 1
    start = max(len(demand.quantities) - periods, least)
    if start >= len(demand.quantities):
        raise InputError(
            f"item {demand.item!r} has {len(demand.quantities)} periods, "
            f"the first order needs {least + 1}",
            "Give a longer history",
        )
    return start


def _open_shop(house: House, demands: Sequence[Demand], count: int) -> Shop:
    """Find or grant the mandate, and put into it what `count` orders may cost at most."""
    cap, limit = _budget(demands, count)
    principal, agent = house.key("shop"), house.key("buyer")
    supplier = house.key("supplier").address
    money = SettlementToken.deploy(house, principal)
    mandate = house.grant(
        "reorder",
        principal=principal,
        agent=agent,
        rules=[money.rule([supplier], cap)],
        buckets=[Bucket(units(limit), DAY)],
    )
    money.fund(house, principal, mandate, cap * (count + 1))
    return Shop(money, supplier, mandate, cap)


def _budget(demands: Sequence[Demand], count: int) -> tuple[Decimal, Decimal]:
    """Return the most for one order, and the bound for a day.

    Raises:
        InputError: more than a mandate can hold.
    """
    largest = max(Decimal(str(max(d.quantities))) * d.unit_price for d in demands)
    cap = _round_up(max(CAP_FACTOR * largest, Decimal(1)))
    # Both rounded up, so that a longer history usually finds the same mandate again.
    limit = 2 * cap * _round_up(Decimal(max(count, ORDERS_A_DAY)))
    if limit * 10**DECIMALS >= 1 << 96:
        raise InputError(
            f"sales worth up to {largest:g} a period are more than a mandate can hold",
            "Give quantities or prices in a larger unit",
        )
    return cap, limit


def _round_up(value: Decimal) -> Decimal:
    """Return the next of 1, 2, 5, 10, 20, 50, … at or above a value."""
    step = Decimal(1)
    while True:
        for digit in (1, 2, 5):
            if digit * step >= value:
                return digit * step
        step *= 10


def _orders(
    house: House, shop: Shop, demand: Demand, start: int
) -> Iterator[tuple[Step, dict[str, Any]]]:
    agent, model, trade = house.agent("buyer"), ReorderModel(), shop.trade(demand)
    item = sha256(demand.item.encode()).hex()[:16]
    total = len(demand.quantities) - start
    for done, target in enumerate(range(start, len(demand.quantities)), 1):
        period = demand.periods[target]
        known = target - demand.lead_time + 1
        inputs = [history_input(demand, known, period), trade]
        # One order for an item and a period in this house, whatever becomes of the sales file.
        job = f"reorder/{item}/{period}"
        began = time.monotonic()
        act = agent.recall(job)
        while act is not None and act.refused in _PASSING:  # once more in every run
            job += "/again"
            act = agent.recall(job)
        act = act or agent.act(job, shop.mandate, model, inputs)
        step, row = _told(act, demand, target, time.monotonic() - began)
        yield replace(step, progress=(done, total)), row


def _told(act: Act, demand: Demand, target: int, seconds: float) -> tuple[Step, dict[str, Any]]:
    period, actual = demand.periods[target], demand.quantities[target]
    quantity = int(act.proposal.output["quantity"]) if act.proposal and not act.refused else 0
    facts: dict[str, Any] = {
        "item": demand.item,
        "period": period,
        "quantity": quantity,
        "demand": actual,
        "decision": to_hex(act.decision.leaf),
        "refused": act.refused,
        "transaction": to_hex(act.execution.transaction) if act.execution else None,
        "gas": act.execution.gas if act.execution else None,
        "seconds": round(seconds, 4),
    }
    if act.proposal and not act.refused:
        price = paid(act.proposal.call)
        text = f"{period}  ordered {quantity}, needed {actual:g}, paid {price} SETL"
        facts["paid"] = str(price)
    else:
        text = f"{period}  refused: {act.refused} ({act.reason})"
    row = {
        "item": demand.item,
        "period": period,
        "quantity": quantity,
        "decision": facts["decision"],
        "transaction": facts["transaction"] or "",
    }
    return Step("order", text, facts, good=act.refused in (None, "nothing-to-order")), row


def _cost(demand: Demand, ordered: list[int], start: int) -> Step:
    underage, overage = unit_costs(None, None)
    compared = compare(demand, ordered, underage, overage, start)
    text = (
        f"{demand.item}: cost {compared.ours:g} over {compared.periods} periods; ordering the last "
        f"known demand costs {compared.last_known:g}, the same period last year "
        f"{compared.last_season:g} (a unit short costs {underage:g}, a unit left {overage:g})"
    )
    facts = {
        "item": demand.item,
        "ours": compared.ours,
        "lastKnown": compared.last_known,
        "lastSeason": compared.last_season,
        "underage": underage,
        "overage": overage,
    }
    return Step("cost", text, facts)


def _write_orders(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the orders, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    draft = path.parent / f"{path.name}.new"
    try:
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        if rows:
            draft.replace(path)
        else:
            draft.unlink()
    except OSError as error:
        draft.unlink(missing_ok=True)
        told = f"the orders cannot be written to {path}: {error.strerror}"
        raise InputError(told, "Name another file with --orders") from error


@dataclass(frozen=True)
class AlteredArchive:
    """An archive in which somebody has changed one cell of every history after it was sworn to."""

    archive: Archive

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
        """Keep data."""
        self.archive.put(subject, salt, data)

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return the salt, and data with the last quantity changed."""
        kept = self.archive.get(subject)
        if kept is None:
            return None
        value = jcs_decode(kept[1])
        if "quantities" in value:
            value["quantities"][-1] += 1
        return kept[0], jcs_encode(value)


def _attempts(house: House, shop: Shop, demand: Demand) -> Iterator[Step]:
    """Show that what must not happen does not: each attempt is a new job of its own."""
    tries = to_hex(sha256(str(house.log.head().size).encode()))[2:10]
    history = history_input(demand, len(demand.quantities), "the next")
    trade = shop.trade(demand)
    offer = Input.of({"price": str(2 * shop.cap)}, source="a supplier's offer", units="tokens")
    greedy = GreedyModel()

    act = house.agent("buyer").act(f"attempt/{tries}/cap", shop.mandate, greedy, [trade, offer])
    yield _attempt("order above the cap, by an agent that checks", act.refused, "AboveCap", act)

    careless = house.agent("buyer", careful=False)
    act = careless.act(f"attempt/{tries}/forced", shop.mandate, greedy, [trade, offer])
    yield _attempt("the same, forced past the agent", act.refused, "AboveCap", act, by="contract")

    yield _never_logged(house, shop)

    altered = house.agent("buyer", archive=AlteredArchive(house.archive))
    act = altered.act(f"attempt/{tries}/altered", shop.mandate, ReorderModel(), [history, trade])
    yield _attempt("a history cell altered after logging", act.refused, "input-altered", act)


def _attempt(
    title: str, refused: str | None, expected: str, act: Act, *, by: str = "agent"
) -> Step:
    facts = {
        "attempt": title,
        "refusedBy": by,
        "rule": refused,
        "decision": to_hex(act.decision.leaf),
    }
    text = f"{title}: refused by the {by} ({refused})" if refused else f"{title}: NOT REFUSED"
    return Step("attempt", text, facts, good=refused == expected)


def _never_logged(house: House, shop: Shop) -> Step:
    """Sign a decision that would be allowed, keep it out of the log, and try to execute it."""
    key: LedgerKey = house.key("buyer")
    state, now = house.ledger.state(shop.mandate), house.clock.now()
    call = shop.money.transfer(shop.supplier, 1)
    action = Action(
        epoch=state.epoch,
        nonce=state.nonce,
        model=ReorderModel().digest,
        target=call.target,
        value=0,
        data=call.data,
        deadline=now + 60,
        relayer=ANYONE,
        salt=sha256(now.to_bytes(8)),
    )
    bound = BoundAction(house.ledger.chain_id, shop.mandate, action)
    told = statement.sign(bodies.DECISION, bound.digest, sha256(b"off the record"), key, now)
    title, rule = "a signed action whose decision was never logged", ""
    try:
        house.ledger.execute(bound, told, house.log, house.ledger.anchor(house.log))
    except CallReverted as error:
        rule = error.error
    facts = {"attempt": title, "refusedBy": "contract", "rule": rule or None}
    text = f"{title}: refused by the contract ({rule})" if rule else f"{title}: NOT REFUSED"
    return Step("attempt", text, facts, good=rule == "SeatNotHeld")
