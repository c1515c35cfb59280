"""A capped ratio on chain: the steward's parameters, the record, the oracle and the guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from affiant.kernel.errors import CallReverted
from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket
from affiant.verticals.finance import calls, snapshot
from affiant.verticals.finance.calls import parameter_id
from affiant.verticals.finance.contracts import appoint, artifact
from affiant.verticals.finance.snapshot import Bound, Limits, Record, Stored

DEMO_DAY = 2
"""Seconds that stand for a day in the story: it has no week to wait."""
DAY = 86_400
GROWTH = 96_800
"""Ppm by which a cap may grow in a year: wstETH's."""
UPDATES_A_DAY = 1_000


def bounds(day: int) -> dict[str, Bound]:
    """Return each parameter's own bounds: as in Aave's steward of March 2026, 3 % in three days."""
    delay = 3 * day
    return {
        snapshot.RATIO: Bound(10**18, 2 * 10**18, step=30_000, delay=delay),
        snapshot.TIMESTAMP: Bound(1, 2**48 - 1, delay=delay),
        snapshot.LTV: Bound(1_000, 950_000, step=20_000, delay=delay),
        snapshot.THRESHOLD: Bound(1_000, 970_000, step=20_000, delay=delay),
    }


def limits(day: int) -> Limits:
    """Return what must hold between them. A year stays one of 365 times 86,400 seconds."""
    growth = GROWTH * DAY // day
    return Limits(growth, youngest=2 * day, record_age=day, tolerance=10, gap=20_000)


@dataclass(frozen=True)
class Oracle:
    """One capped ratio, whose steward counts `day` seconds as a day."""

    house: House
    steward: bytes
    record: bytes
    capped: bytes
    guard: bytes
    mandate: bytes
    day: int

    def stored(self) -> dict[str, Stored]:
        """Return the parameters as they stand."""
        found = {}
        for name in bounds(self.day):
            value, changed, _ = self._parameter(name)
            found[name] = Stored(value, changed)
        return found

    def history(self) -> list[Record]:
        """Return every ratio that was recorded, oldest first."""
        told = self.house.events(self.record, artifact("RatioRecord"), "Recorded")
        return [Record(event["args"]["time"], event["args"]["ratio"]) for event in told]

    def read(self, name: str) -> int:
        """Read from the oracle: `cap`, `marketRatio`, `ratio`."""
        return int(self.house.call(self.capped, artifact("CappedRatio"), name))

    def record_now(self, by: LedgerKey) -> None:
        """Record the present ratio, unless that was done this second."""
        try:
            self.house.send(by, self.record, artifact("RatioRecord"), "record")
        except CallReverted as error:
            if error.error != "TooSoon":
                raise

    def define(self, owner: LedgerKey, values: Mapping[str, int]) -> None:
        """Define the parameters with their first values, where that has not been done."""
        for name, value in values.items():
            try:
                self._parameter(name)
            except CallReverted as error:
                if error.error != "Undefined":
                    raise
                bound = bounds(self.day)[name]
                most = (bound.least, bound.most, bound.step, bound.delay)
                told = (parameter_id(name), most, value)
                self.house.send(
                    owner, self.steward, artifact("RiskSteward"), "defineParameter", *told
                )

    def _parameter(self, name: str) -> Any:
        compiled = artifact("RiskSteward")
        return self.house.call(self.steward, compiled, "parameter", parameter_id(name))


def open_oracle(
    house: House, owner: LedgerKey, agent: LedgerKey, source: bytes, *, name: str, day: int = DAY
) -> Oracle:
    """Find or make a capped ratio over a vault's shares, and its agent's guarded mandate."""
    core = (house.ledger.factory_address, house.ledger.anchor_address)
    steward = house.deploy(artifact("RiskSteward"), owner.address, *core)
    record = house.deploy(artifact("RatioRecord"), source, day // 24)
    ids = {parameter: parameter_id(parameter) for parameter in bounds(day)}
    held = limits(day)
    told = (source, steward, ids[snapshot.RATIO], ids[snapshot.TIMESTAMP], held.growth)
    capped = house.deploy(artifact("CappedRatio"), *told)
    times = (held.youngest, held.record_age, held.tolerance)
    gap = (ids[snapshot.LTV], ids[snapshot.THRESHOLD], held.gap)
    guard = house.deploy(artifact("SnapshotGuard"), capped, record, times, gap)
    mandate = house.grant(
        name,
        principal=owner,
        agent=agent,
        rules=[calls.update_rule(steward)],
        buckets=[Bucket(2 * UPDATES_A_DAY, DAY)],
        guard=guard,
    )
    appoint(house, owner, steward, "RiskSteward", mandate)
    return Oracle(house, steward, record, capped, guard, mandate, day)
