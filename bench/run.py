"""Runs benches and tells their figures: as a table, as JSON, and in RESULTS.md.

A bench is a file of this folder with a function `measure(run) -> list[Figure]`. It takes the
machine as it is: what is reported is what was measured here, now.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import pkgutil
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affiant.kernel.errors import AffiantError

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent


@dataclass(frozen=True)
class Figure:
    """One measured number. `value` is None if it could not be measured; `note` says why."""

    name: str
    value: float | None
    unit: str
    goal: str | None = None
    """A bound such as `<= 30` or `>= 1`."""
    peer: float | None = None
    """The same measured of what people use otherwise."""
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the goal holds; None without goal or value."""
        if self.goal is None or self.value is None:
            return None
        sign, bound = self.goal.split()
        return self.value <= float(bound) if sign == "<=" else self.value >= float(bound)

    def to_json(self) -> dict[str, Any]:
        """Return the figure for machines."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "holds": self.holds,
            "peer": self.peer,
            "note": self.note,
        }


@dataclass(frozen=True)
class Run:
    """One run of one or more benches."""

    folder: Path
    """Where everything goes that is made on the way; it is removed afterwards."""
    quick: bool
    """Fewer repetitions, and nothing that takes long."""

    @property
    def environment(self) -> dict[str, str]:
        """What commands run in: Python keeps what it compiles, as it does by default, but here."""
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return kept | {"PYTHONPYCACHEPREFIX": str(self.folder / "compiled")}

    def times(self, quick: int, full: int) -> int:
        """Return how often to repeat."""
        return quick if self.quick else full


Bench = Callable[[Run], list[Figure]]


def main() -> int:
    """Measure; return 0, or 1 if a goal does not hold, or 2 if it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "name",
        nargs="?",
        help="one bench, with those named after it; all without, and write RESULTS.md",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    names = benches()
    chosen = [n for n in names if options.name is None or f"{n}_".startswith(f"{options.name}_")]
    if not chosen:
        print(f"error: there is no bench {options.name!r}", file=sys.stderr)
        print(f"   do: choose one of: {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        told = measure_all(chosen, quick=options.quick)
    except AffiantError as error:
        print(f"error: {error.message}\n   do: {error.remedy}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd} failed:\n{error.stderr or error.stdout}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print(table(told))
    if options.name is None:
        write(FOLDER / "results.json", json.dumps(told, indent=2) + "\n")
        write(FOLDER / "RESULTS.md", document(told))
    return 1 if any(figure["holds"] is False for figure in told["figures"]) else 0


def benches() -> list[str]:
    """Return the name of every file of this folder that has a `measure`."""
    found = sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))
    text = {name: (FOLDER / f"{name}.py").read_text("utf-8") for name in found}
    return [name for name in found if "\ndef measure(" in text[name]]


def measure_all(names: Sequence[str], *, quick: bool) -> dict[str, Any]:
    """Run benches; return machine, date and figures."""
    told: dict[str, Any] = {
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "load": round(os.getloadavg()[0], 2),
        "seconds": {},
        "figures": [],
    }
    with tempfile.TemporaryDirectory(prefix="affiant-bench-") as folder:
        run = Run(Path(folder), quick)
        for name in names:
            print(f"measuring {name}", file=sys.stderr)
            began = time.monotonic()
            bench: Bench = importlib.import_module(f"bench.{name}").measure
            told["figures"] += [{"bench": name, **figure.to_json()} for figure in bench(run)]
            told["seconds"][name] = round(time.monotonic() - began, 1)
    return told


def machine() -> dict[str, Any]:
    """Return what it was measured on."""
    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        lines = about.read_text("utf-8").splitlines()
        model = next((x.partition(": ")[2] for x in lines if x.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def median(values: Sequence[float]) -> float:
    """Return the median, rounded to four significant digits; of integers, one of them."""
    if all(isinstance(value, int) for value in values):
        return statistics.median_low(values)
    return rounded(statistics.median(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile by nearest rank: a value that was measured."""
    rank = math.ceil(len(values) * percent / 100)
    return rounded(sorted(values)[max(rank, 1) - 1])


def rounded(value: float) -> float:
    """Return four significant digits; whole numbers stay whole."""
    return value if isinstance(value, int) else float(f"{value:.4g}")


def spread(values: Sequence[float], unit: str = "s") -> str:
    """Return the least, the most and the number of values."""
    least, most = number(rounded(min(values))), number(rounded(max(values)))
    return f"{least} to {most} {unit} in {len(values)}"


def table(told: dict[str, Any]) -> str:
    """Return the figures for a terminal, a line each, with notes beneath."""
    here = told["machine"]
    lines = [f"{here['cpu']}, {here['cores']} cores, Python {here['python']}, {told['date']}"]
    for name, seconds in told["seconds"].items():
        lines += ["", f"{name} ({seconds} s)"]
        for figure in _of(told, name):
            mark = {True: "✓", False: "✗", None: " "}[figure["holds"]]
            goal = f"  goal {figure['goal']}" if figure["goal"] else ""
            peer = f"  peer {number(figure['peer'])}" if figure["peer"] is not None else ""
            amount = f"{number(figure['value'])} {figure['unit']}"
            lines.append(f"{mark} {figure['name']:<58} {amount:>18}{goal}{peer}")
            lines += [f"      {figure['note']}"] if figure["note"] else []
    return "\n".join(lines)


def document(told: dict[str, Any]) -> str:
    """Return RESULTS.md."""
    here, again = told["machine"], "python -m bench" + (" --quick" if told["quick"] else "")
    where = f"{here['cpu']}, {here['cores']} cores, Python {here['python']}, {here['platform']}"
    lines = [
        "# What was measured",
        "",
        f"{told['date'][:10]}, {where}.",
        f"One run; the load average was {told['load']} when it began. Times are medians unless a",
        "line says otherwise, and they are this machine's. Gas does not depend on the machine.",
        "",
        f"To repeat: `make bench`, or `{again}` in the environment that `make test` makes.",
        "One bench alone: `python -m bench NAME [--quick] [--json]`. For machines the same is in",
        "[results.json](results.json). The run writes this file; do not edit it.",
        "",
    ]
    for name, seconds in told["seconds"].items():
        about = importlib.import_module(f"bench.{name}").__doc__ or ""
        lines += [f"## {name}", "", " ".join(about.split()), "", f"Took {seconds} s.", ""]
        lines += ["| figure | value | goal | holds | peer | note |", "|---|---:|---:|---|---:|---|"]
        lines += [_row(figure) for figure in _of(told, name)] + [""]
    return "\n".join(lines)


def _row(figure: dict[str, Any]) -> str:
    holds = {True: "yes", False: "**no**", None: ""}[figure["holds"]]
    value = f"{number(figure['value'])} {figure['unit']}".strip()
    cells = [figure["name"], value, figure["goal"] or "", holds]
    cells += ["" if figure["peer"] is None else number(figure["peer"]), figure["note"]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _of(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [figure for figure in told["figures"] if figure["bench"] == name]


def number(value: float | None) -> str:
    """Return a number for people."""
    if value is None:
        return "not measured"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
