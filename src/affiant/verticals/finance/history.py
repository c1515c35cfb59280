"""What agents changed here, read back from the chain: each change names the decision behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from affiant.kernel.encoding import to_hex
from affiant.kernel.house import House
from affiant.verticals.finance.contracts import artifact
from affiant.verticals.finance.desk import Desk


def history(desk: Desk) -> list[dict[str, Any]]:
    """Return every change of the pool's fee, the steward's parameters and the vault's weights."""
    told: list[tuple[bytes, str, str, Callable[[Any], tuple[Any, ...]]]] = [
        (desk.pool.address, "Pool", "FeeChanged", lambda a: ("fee", a["previous"], a["fee"])),
        (desk.oracle.steward, "RiskSteward", "Updated", _parameter),
        (
            desk.vault.address,
            "StrategyVault",
            "Rebalanced",
            lambda a: ("weights", None, a["weights"]),
        ),
    ]
    found = [change for where in told for change in _changes(desk.house, *where)]
    return sorted(found, key=lambda change: (change["block"], change["what"]))


def _changes(
    house: House, address: bytes, contract: str, event: str, told: Callable[[Any], tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    for seen in house.events(address, artifact(contract), event):
        decision = bytes(seen["args"]["decision"])
        if not any(decision):  # the first fee, at construction
            continue
        what, before, after = told(seen["args"])
        yield {
            "block": seen["blockNumber"],
            "transaction": to_hex(bytes(seen["transactionHash"])),
            "decision": to_hex(decision),
            "model": to_hex(bytes(seen["args"]["model"])),
            "what": what,
            "from": before,
            "to": after,
        }


def _parameter(changed: Any) -> tuple[str, str, str]:
    name = bytes(changed["id"]).rstrip(b"\0").decode("ascii", "replace")
    return name, str(changed["previous"]), str(changed["value"])
