"""This vertical's compiled contracts, and the appointment that what agents move have in common."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from affiant.kernel.encoding import to_hex
from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey


@functools.cache
def artifact(name: str) -> Mapping[str, Any]:
    """Return a contract of this vertical, compiled."""
    file = resources.files("affiant.verticals.finance") / "artifacts" / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def appoint(house: House, owner: LedgerKey, target: bytes, name: str, mandate: bytes) -> None:
    """Appoint a mandate as the one whose decisions reach a contract, unless it is."""
    held: str = house.call(target, artifact(name), "mandate")
    if held.lower() != to_hex(mandate):
        house.send(owner, target, artifact(name), "appoint", mandate)
