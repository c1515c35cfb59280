"""The market's contracts under random use: escrow and credits conserve value, and nothing is stuck.

Foundry calls them at random, many accounts and any arguments; after each call what came in must be
what went out and what is held, and after every deadline anybody must be able to empty every job.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator

from bench.run import REPOSITORY, Figure, Run

DEPTH = 250
LINE = r"\[(PASS|FAIL)[^\]]*\] (invariant\w+)\(\) \(runs: \d+, calls: (\d+)"
SUITES = "contracts/test/market/{Job,Credits}Invariant.t.sol"


def measure(run: Run) -> list[Figure]:
    """Let Foundry try."""
    return list(_campaign(run))


def _campaign(run: Run) -> Iterator[Figure]:
    command = ["contracts/node", "npx", "--no-install", "forge", "test", "--match-path", SUITES]
    runs = run.times(8, 400)
    kept = {"FOUNDRY_INVARIANT_RUNS": str(runs), "FOUNDRY_INVARIANT_DEPTH": str(DEPTH)}
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **kept},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(
        r"\[(PASS|FAIL)[^\]]*\] (invariant\w+)\(\) \(runs: \d+, calls: (\d+)", done.stdout
    )
    if not told:
        why = (done.stderr or done.stdout).strip().splitlines()[-1:]
        yield Figure("random calls of escrow and credits", None, "", ">= 100000", note=str(why))
        return
    least = min(int(calls) for _, _, calls in told)
    names = ", ".join(name for _, name, _ in told)
    goal = None if run.quick else ">= 100000"
    note = f"each of {names}; {time.monotonic() - began:.0f} s with compiling"
    yield Figure(
        "random calls of escrow and credits, for each invariant", least, "", goal, note=note
    )
    broken = sum(verdict == "FAIL" for verdict, _, _ in told)
    yield Figure("of the invariants broken", broken, f"of {len(told)}", "<= 0")
