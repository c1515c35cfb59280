"""The examples run, with the real log and the real chain."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_an_example_runs_twice_and_acts_once(example: Path, tmp_path: Path) -> None:
    """An example prints what happened, and the same when it is run again."""
    runs = [
        subprocess.run(
            [sys.executable, str(example)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert "executed in 0x" in runs[0].stdout
    assert runs[0].stdout == runs[1].stdout
