"""The vault on chain: its funds, what it holds, and the mandate under which an agent moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.finance import calls
from affiant.verticals.finance.contracts import appoint, artifact

PPM = 1_000_000
MOST_IN_ONE = 600_000
"""Ppm of the vault that one fund may hold."""
MOST_COST = 2_000
"""Ppm of what is moved that moving it may cost."""
EXIT_FEE = 1_000
"""Ppm: what a fund keeps of what leaves it, 10 bp, the cost that the walk-forward reckons with."""
MOVED_A_DAY = 1_000_000
"""Tokens that the mandate lets the vault turn over in a day."""


@dataclass(frozen=True)
class Vault:
    """A vault and its funds, all in the settlement token."""

    house: House
    address: bytes
    money: SettlementToken
    funds: tuple[bytes, ...]
    mandate: bytes

    @property
    def assets(self) -> int:
        """What it is worth, in the token's smallest units."""
        return int(self.read("totalAssets"))

    def weights(self) -> list[int]:
        """Return each fund's share of the vault, in ppm."""
        _, held = self.read("holdings")
        return [amount * PPM // max(self.assets, 1) for amount in held]

    def caps(self) -> list[int]:
        """Return the most of the vault that each fund may hold, in ppm."""
        return [most for _, most in self.read("places")]

    def read(self, name: str, *arguments: Any) -> Any:
        """Read from the vault."""
        return self.house.call(self.address, artifact("StrategyVault"), name, *arguments)

    def deposit(self, owner: LedgerKey, saver: LedgerKey, amount: int) -> None:
        """Give a saver tokens and put them into the vault."""
        erc20, count = self.house.artifact("SettlementToken"), units(amount)
        self.money.fund(self.house, owner, saver.address, amount)
        self.house.send(saver, self.money.address, erc20, "approve", self.address, count)
        told = (count, saver.address)
        self.house.send(saver, self.address, artifact("StrategyVault"), "deposit", *told)

    def mark(self, manager: LedgerKey, fund: int, change: float) -> None:
        """Let a fund's manager book what its market did, as a share of what the fund holds."""
        compiled, address = artifact("Fund"), self.funds[fund]
        amount = round(int(self.house.call(address, compiled, "totalAssets")) * change)
        if amount:
            self.house.send(manager, address, compiled, "mark", amount)


def open_fund(
    house: House, owner: LedgerKey, manager: LedgerKey, name: str, exit_fee: int = EXIT_FEE
) -> bytes:
    """Find or make a fund."""
    money = SettlementToken.deploy(house, owner)
    told = (money.address, name, name.upper()[:8], exit_fee, manager.address)
    return house.deploy(artifact("Fund"), *told)


def endow(house: House, owner: LedgerKey, manager: LedgerKey, fund: bytes) -> None:
    """Give a fund's manager what it pays gains from, and let the fund take it."""
    money, erc20 = SettlementToken.deploy(house, owner), house.artifact("SettlementToken")
    money.fund(house, owner, manager.address, 10_000_000)
    if house.call(money.address, erc20, "allowance", manager.address, fund) < 2**200:
        house.send(manager, money.address, erc20, "approve", fund, 2**256 - 1)


def open_vault(
    house: House, owner: LedgerKey, agent: LedgerKey, manager: LedgerKey, funds: Sequence[str]
) -> Vault:
    """Find or make the vault over funds of these names."""
    money = SettlementToken.deploy(house, owner)
    made = tuple(open_fund(house, owner, manager, name) for name in funds)
    places = [(fund, MOST_IN_ONE) for fund in made]
    bounds = (0, MOST_COST)
    core = (owner.address, house.ledger.factory_address, house.ledger.anchor_address)
    told = (money.address, "Sworn vault", "SWORN", places, bounds, *core)
    address = house.deploy(artifact("StrategyVault"), *told)
    mandate = house.grant(
        "vault",
        principal=owner,
        agent=agent,
        rules=[calls.rebalance_rule(address, units(MOVED_A_DAY))],
        buckets=[Bucket(units(2 * MOVED_A_DAY), 86_400)],
    )
    appoint(house, owner, address, "StrategyVault", mandate)
    return Vault(house, address, money, made, mandate)
