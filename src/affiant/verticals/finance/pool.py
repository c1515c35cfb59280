"""A pool on chain: its fee's bounds, its own trades as the agent reads them, and trading in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.finance import calls
from affiant.verticals.finance.contracts import appoint, artifact
from affiant.verticals.finance.fee import FeeBounds, FeeSchedule

PIPS = 1_000_000
FOREVER = 2**63
BOUNDS = FeeBounds(lowest=500, highest=20_000, step=10_000, delay=1)
"""5 to 200 bp, at most 100 bp at once, once a second: a demo has no hours to wait."""
FIRST_FEE = 3_000
SCHEDULE = FeeSchedule(
    thresholds=(37_150, 64_196, 77_035, 92_442), fees=(2_000, 3_000, 5_000, 15_000, 20_000)
)
"""Fees in pips by the volatility of a day: what `calibrate.py` fits to VIX for an elasticity of
20 bp and gas of 5 $ (see `bench/finance_fee.py`). An operator's own assumption gives others."""
CHANGES_A_DAY = 1_000
LIQUIDITY = 100_000
"""Goods in a new pool, in whole tokens."""
DAY = 86_400


@dataclass(frozen=True)
class Pool:
    """A constant-product pool of goods (token 0) and money (token 1)."""

    house: House
    address: bytes
    goods: SettlementToken
    money: SettlementToken
    mandate: bytes
    bounds: FeeBounds

    @property
    def fee(self) -> int:
        """The fee, in pips."""
        return int(self.read("fee"))

    @property
    def since(self) -> int:
        """Seconds since the fee last changed."""
        return self.house.clock.now() - int(self.read("feeChangedAt"))

    @property
    def price(self) -> float:
        """Money for one of the goods."""
        return float(self.read("reserve1") / self.read("reserve0"))

    def read(self, name: str, *arguments: Any) -> Any:
        """Read from the contract."""
        return self.house.call(self.address, artifact("Pool"), name, *arguments)

    def trades(self, block_seconds: int) -> list[tuple[int, float]]:
        """Return (time, price after it) of every trade; a block stands for so many seconds."""
        swaps = self.house.events(self.address, artifact("Pool"), "Swapped")
        told = ((swap["blockNumber"], swap["args"]) for swap in swaps)
        return [(n * block_seconds, args["reserve1"] / args["reserve0"]) for n, args in told]

    def fees(self, block_seconds: int) -> list[tuple[int, int]]:
        """Return (time, pips) of the first fee and of every change; a block as in `trades`."""
        changes = self.house.events(self.address, artifact("Pool"), "FeeChanged")
        return [(event["blockNumber"] * block_seconds, event["args"]["fee"]) for event in changes]

    def arbitrage(self, trader: LedgerKey, market: float) -> bool:
        """Trade to where it no longer pays, as arbitrageurs do; tell whether it paid at all."""
        keep = 1 - self.fee / PIPS
        goods, money = int(self.read("reserve0")), int(self.read("reserve1"))
        price = money / goods
        if price < market * keep:
            token, amount = self.money, (math.sqrt(goods * money * market * keep) - money) / keep
        elif price > market / keep:
            token, amount = self.goods, (math.sqrt(goods * money * keep / market) - goods) / keep
        else:
            return False
        self.swap(trader, token, int(amount))
        return True

    def swap(self, trader: LedgerKey, token: SettlementToken, amount: int) -> bytes:
        """Swap so many smallest units of a token; return the transaction's hash."""
        told = (token.address, amount, 0, trader.address, FOREVER)
        return self.house.send(trader, self.address, artifact("Pool"), "swap", *told)

    def fill(self, owner: LedgerKey, provider: LedgerKey, price: float) -> None:
        """Give an account tokens to trade with, and an empty pool liquidity at a price."""
        erc20, pair = self.house.artifact("SettlementToken"), (provider.address, self.address)
        amounts = {self.goods: LIQUIDITY, self.money: round(LIQUIDITY * price)}
        for token, amount in amounts.items():
            token.fund(self.house, owner, provider.address, 10 * amount)
            if self.house.call(token.address, erc20, "allowance", *pair) < 2**200:
                most = 2**256 - 1
                self.house.send(provider, token.address, erc20, "approve", self.address, most)
        if self.read("totalSupply") == 0:
            told = (*map(units, amounts.values()), 0, provider.address)
            self.house.send(provider, self.address, artifact("Pool"), "add", *told)


def open_pool(house: House, owner: LedgerKey, agent: LedgerKey) -> Pool:
    """Find or make the pool of an owner, and the mandate under which an agent sets its fee."""
    erc20 = house.artifact("SettlementToken")
    money = SettlementToken.deploy(house, owner)
    goods = SettlementToken(house.deploy(erc20, "Barrel of oil", "OIL", owner.address))
    limits = (BOUNDS.lowest, BOUNDS.highest, BOUNDS.step, BOUNDS.delay)
    core = (owner.address, house.ledger.factory_address, house.ledger.anchor_address)
    told = (goods.address, money.address, limits, FIRST_FEE, *core)
    address = house.deploy(artifact("Pool"), *told)
    mandate = house.grant(
        "pool fee",
        principal=owner,
        agent=agent,
        rules=[calls.fee_rule(address)],
        buckets=[Bucket(2 * CHANGES_A_DAY, DAY)],
    )
    appoint(house, owner, address, "Pool", mandate)
    return Pool(house, address, goods, money, mandate, BOUNDS)
