"""The three posts of the desk: which agent looks at what, and under which mandate it acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from affiant.kernel.errors import InputError
from affiant.kernel.house import Act, House, Rehearsal
from affiant.kernel.model import Input, Model
from affiant.verticals.finance.allocation import AllocationModel, holdings_input, prices_input
from affiant.verticals.finance.fee_setting import FeeModel, pool_input, trades_input
from affiant.verticals.finance.markets import Closes, closes
from affiant.verticals.finance.oracle import DEMO_DAY, Oracle, bounds, limits, open_oracle
from affiant.verticals.finance.pool import SCHEDULE, Pool, open_pool
from affiant.verticals.finance.risk_parameters import (
    SnapshotModel,
    history_input,
    parameters_input,
)
from affiant.verticals.finance.vault import Vault, open_fund, open_vault

TREASURY, STAKING = "treasury", "staking"
FEE_AGENT, RISK_AGENT, ALLOCATOR = "fee agent", "risk agent", "allocator"
FUND_MANAGER = "fund manager"
FUNDS = ("S&P 500", "NASDAQ", "WTI")
BLOCK = 3_600
"""Seconds that a block stands for in the pool: a demo trades five days in a few seconds."""
WINDOW = 504
"""Closes that the allocator looks at: two years."""
LOOKED_AT = 400
"""Trades and records that an agent is shown: more than the day or the weeks it looks back."""


@dataclass(frozen=True)
class Post:
    """An agent at its post: what it decides over, and how."""

    agent: str
    mandate: bytes
    model: Model
    inputs: Sequence[Input]

    def act(self, house: House, job: str) -> Act:
        """Decide and act under oath; once per job."""
        return house.agent(self.agent).act(job, self.mandate, self.model, self.inputs)

    def rehearse(self, house: House) -> Rehearsal:
        """Decide, and ask the chain what would become of it."""
        return house.agent(self.agent).rehearse(self.mandate, self.model, self.inputs)


@dataclass(frozen=True)
class Desk:
    """A pool, an oracle and a vault, each with an agent of its own."""

    house: House
    pool: Pool
    staked: bytes
    oracle: Oracle
    vault: Vault

    @classmethod
    def open(cls, house: House) -> Desk:
        """Find the desk's contracts and mandates, or make them."""
        owner = house.key(TREASURY)
        staked = open_fund(house, owner, house.key(STAKING), "Staked ether", exit_fee=0)
        agent, manager = house.key(RISK_AGENT), house.key(FUND_MANAGER)
        return cls(
            house,
            open_pool(house, owner, house.key(FEE_AGENT)),
            staked,
            open_oracle(house, owner, agent, staked, name="risk parameters", day=DEMO_DAY),
            open_vault(house, owner, house.key(ALLOCATOR), manager, FUNDS),
        )

    def fee(self) -> Post:
        """Return the fee agent's post over the pool's trades so far."""
        pool, now = self.pool, self.house.ledger.height() * BLOCK
        seen = trades_input(pool.trades(BLOCK)[-LOOKED_AT:], pool.fees(BLOCK)[-LOOKED_AT:], now)
        told = pool_input(pool.address, pool.fee, pool.since, pool.bounds, SCHEDULE)
        return Post(FEE_AGENT, pool.mandate, FeeModel(), [seen, told])

    def parameters(self) -> Post:
        """Return the risk agent's post over the ratios recorded so far."""
        return Post(RISK_AGENT, self.oracle.mandate, SnapshotModel(), seen_of(self.oracle))

    def weights(self, closes: Closes, day: str) -> Post:
        """Return the allocator's post over two years of closes up to a day."""
        vault = self.vault
        seen = [
            prices_input(closes.until(day, WINDOW), day),
            holdings_input(vault.address, vault.assets, FUNDS, vault.weights(), vault.caps()),
        ]
        return Post(ALLOCATOR, vault.mandate, AllocationModel(), seen)


def seen_of(oracle: Oracle) -> list[Input]:
    """Return what an oracle's agent sees of it."""
    told = (oracle.steward, oracle.stored(), bounds(oracle.day), limits(oracle.day))
    history = oracle.history()[-LOOKED_AT:]
    return [history_input(history), parameters_input(*told, oracle.house.clock.now())]


def post_of(desk: Desk, what: str, until: str | None = None) -> Post:
    """Return the post that decides over a `fee`, `parameters`, or the `weights` until a day.

    Raises:
        InputError: `until` is no day of the closes at hand, or weights are not asked for.
    """
    if until is not None and what != "weights":
        raise InputError(f"--until says nothing about {what}", "Leave it out")
    if what == "fee":
        return desk.fee()
    if what == "parameters":
        return desk.parameters()
    market = closes()
    day = market.days[-1] if until is None else until
    if not _is_day(day) or not market.days[0] <= day <= market.days[-1]:
        remedy = f"Give a day from {market.days[0]} to {market.days[-1]}"
        raise InputError(f"there is no close until {day!r:.40}", remedy)
    return desk.weights(market, day)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
