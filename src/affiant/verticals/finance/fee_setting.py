"""The pool's agent: its own trades in, the next fee out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Proposal
from affiant.verticals.finance import calls
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule, next_fee, wanted_fee
from affiant.verticals.finance.volatility import forecast


class FeeModel(CodeModel):
    """Forecasts volatility from the pool's own trades and follows a threshold schedule."""

    name = "affiant.finance.fee"
    sources = (
        "verticals/finance/fee_setting.py",
        "verticals/finance/calls.py",
        "verticals/finance/fee.py",
        "verticals/finance/volatility.py",
    )

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (trades, pool), as `trades_input` and `pool_input` make them."""
        trades, pool = inputs
        seen, fees = ([tuple(pair) for pair in trades[name]] for name in ("trades", "fees"))
        found = forecast(seen, trades["now"], fees)
        output = {**asdict(found), "fee": pool["fee"]}
        if not found.enough:
            told = f"only {found.hours} hours of trades are known"
            return Doubt("too-few-trades", told, output)
        schedule = pool["schedule"]
        steps = FeeSchedule(
            tuple(schedule["thresholds"]), tuple(schedule["fees"]), schedule["margin"]
        )
        wanted = wanted_fee(found, steps, pool["fee"])
        fee = next_fee(pool["fee"], wanted, FeeBounds(**pool["bounds"]), pool["since"])
        output |= {"wanted": wanted, "fee": fee}
        moves = f"volatility of a day {found.pips / 10_000:.2f} %, wanted fee {wanted} pips"
        if fee == pool["fee"]:
            why = "too early to change" if wanted != fee else "as it is"
            return Doubt("fee-stands", f"{moves}: {why}", output)
        return Proposal(calls.set_fee(from_hex(pool["pool"], 20), fee), output, f"{moves}")


def trades_input(
    trades: Sequence[tuple[int, float]], fees: Sequence[tuple[int, int]], now: int
) -> Input:
    """Return the pool's own trades as (second, price after it), and its fees as (second, pips).

    Both oldest first; what a fee hides of the market's moves depends on it.
    """
    value = {"trades": [*map(list, trades)], "fees": [*map(list, fees)], "now": now}
    return Input.of(value, source="the pool's events", units="s, price, pips", shape=[len(trades)])


def pool_input(
    pool: bytes, fee: int, since: int, bounds: FeeBounds, schedule: FeeSchedule
) -> Input:
    """Return the fee in pips, seconds since its last change, its bounds and the schedule."""
    value = {
        "pool": to_hex(pool),
        "fee": fee,
        "since": since,
        "bounds": asdict(bounds),
        "schedule": asdict(schedule),
    }
    return Input.of(value, source="the pool", units="pips, s")
