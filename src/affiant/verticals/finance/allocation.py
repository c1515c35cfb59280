"""The vault's agent: prices and holdings in, one rebalancing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Proposal
from affiant.verticals.finance import calls, strategy

PPM = strategy.PPM
SLACK = 20_000
"""Ppm of the vault by which its turnover may exceed what was reckoned: others put in and take out
between the decision and its execution, and could otherwise hold every rebalancing up."""


class AllocationModel(CodeModel):
    """Risk parity under a volatility target; stays where a move would change little."""

    name = "affiant.finance.allocation"
    sources = (
        "verticals/finance/allocation.py",
        "verticals/finance/calls.py",
        "verticals/finance/strategy.py",
    )

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (prices, holdings), as `prices_input` and `holdings_input` make them."""
        prices, held = inputs
        if not int(held["assets"]):
            return Doubt("vault-empty", "the vault holds nothing to move")
        # By name: JSON does not keep the order of the vault's funds, and a call has only places.
        funds = [prices["series"].get(name, ()) for name in held["funds"]]
        found = strategy.decide(funds, held["weights"], caps=held["caps"])
        if isinstance(found, strategy.Stay):
            return Doubt(found.rule, found.reason)
        most = int(held["assets"]) * (found.turnover + SLACK) // PPM
        output = {
            "weights": dict(zip(held["funds"], found.weights, strict=True)),
            "turnover": found.turnover,
            "volatility": found.volatility,
        }
        call = calls.rebalance(from_hex(held["vault"], 20), most, found.weights)
        return Proposal(call, output, f"{found.reason}; turns over {found.turnover} ppm")


def prices_input(series: Mapping[str, Sequence[float]], until: str) -> Input:
    """Return the prices of each fund's market, oldest first, up to a day."""
    told = {name: list(prices) for name, prices in series.items()}
    shape = (len(told), min(map(len, told.values()), default=0))
    value = {"series": told, "until": until}
    return Input.of(value, source="market closes", units="price per unit", shape=shape)


def holdings_input(
    vault: bytes, assets: int, funds: Sequence[str], weights: Sequence[int], caps: Sequence[int]
) -> Input:
    """Return what a vault holds: its assets in all, and of each fund the share and the cap in ppm.

    `funds` names them in the vault's order; prices are found by these names.
    """
    value = {
        "vault": to_hex(vault),
        "assets": str(assets),
        "funds": list(funds),
        "weights": list(weights),
        "caps": list(caps),
    }
    return Input.of(value, source="the vault", units="smallest units of the asset, ppm")
