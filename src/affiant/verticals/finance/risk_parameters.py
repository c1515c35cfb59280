"""The steward's agent: a record of ratios and the parameters as they stand in, one update out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.model import CodeModel, Doubt, Input, Proposal
from affiant.verticals.finance import calls, snapshot
from affiant.verticals.finance.snapshot import Bound, Limits, Record, Stored, Update, Wait

WAD = snapshot.WAD
_SOURCES = (
    "verticals/finance/risk_parameters.py",
    "verticals/finance/calls.py",
    "verticals/finance/snapshot.py",
)


class SnapshotModel(CodeModel):
    """Takes the newest snapshot that bounds and invariants allow; ratio and time move together."""

    name = "affiant.finance.snapshot"
    sources = _SOURCES

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (history, parameters), as `history_input` and `parameters_input` make them."""
        history, told = inputs
        stored = {name: Stored(int(value), at) for name, (value, at) in told["stored"].items()}
        bounds = {
            name: Bound(int(bound["least"]), int(bound["most"]), bound["step"], bound["delay"])
            for name, bound in told["bounds"].items()
        }
        records, limits = _records(history), Limits(**told["limits"])
        found = snapshot.propose(records, stored, bounds, told["now"], limits)
        if isinstance(found, Wait):
            return Doubt(found.rule, found.reason)
        return _proposal(told, found, "the newest snapshot that bounds and invariants allow")


class HeldBackModel(CodeModel):
    """What ran on 10 March 2026: cuts the ratio to its bound, and moves the time all the same."""

    name = "affiant.finance.held-back"
    sources = _SOURCES

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to the same inputs as `SnapshotModel`."""
        history, told = inputs
        youngest = told["now"] - told["limits"]["youngest"]
        wanted = [record for record in _records(history) if record.timestamp <= youngest]
        if not wanted:
            return Doubt("NoRecord", f"nothing was recorded until {youngest}")
        kept, step = int(told["stored"][snapshot.RATIO][0]), told["bounds"][snapshot.RATIO]["step"]
        most = kept + kept * step // snapshot.PPM
        update = {
            snapshot.RATIO: min(wanted[-1].ratio, most),
            snapshot.TIMESTAMP: wanted[-1].timestamp,
        }
        return _proposal(told, update, "the ratio as far as its bound lets it move")


def history_input(history: Sequence[Record]) -> Input:
    """Return the ratios that were recorded, oldest first."""
    value = [[record.timestamp, str(record.ratio)] for record in history]
    return Input.of(value, source="ratio record", units="s, 1e-18", shape=[len(value), 2])


def parameters_input(
    steward: bytes,
    stored: Mapping[str, Stored],
    bounds: Mapping[str, Bound],
    limits: Limits,
    now: int,
) -> Input:
    """Return the parameters as they stand at `now`, their bounds, and what must hold between."""
    told = {
        name: {**asdict(bound), "least": str(bound.least), "most": str(bound.most)}
        for name, bound in bounds.items()
    }
    value = {
        "steward": to_hex(steward),
        "stored": {name: [str(kept.value), kept.changed] for name, kept in stored.items()},
        "bounds": told,
        "limits": asdict(limits),
        "now": now,
    }
    return Input.of(value, source="risk steward")


def _records(history: Sequence[Any]) -> list[Record]:
    return [Record(time, int(ratio)) for time, ratio in history]


def _proposal(told: Mapping[str, Any], update: Update, why: str) -> Proposal:
    output = {name: str(value) for name, value in update.items()}
    ratio, time = update[snapshot.RATIO] / WAD, update[snapshot.TIMESTAMP]
    call = calls.update(from_hex(told["steward"], 20), update)
    return Proposal(call, output, f"ratio {ratio:.6f} of {time}: {why}")
