"""CI notices when nothing real was tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEST = """
import pytest

@pytest.mark.integration
@pytest.mark.skipif({skip}, reason="no engine")
def test_something_real():
    pass

def test_something_else():
    pass
"""


@pytest.mark.parametrize(("skip", "code"), [(True, 1), (False, 0)])
def test_ci_fails_if_every_integration_test_is_skipped(
    tmp_path: Path, *, skip: bool, code: int
) -> None:
    """With CI set, a run in which all tests of real processes were skipped fails."""
    for name in ("conftest.py", "shop.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    (tmp_path / "test_it.py").write_text(TEST.format(skip=skip))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = integration: real\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
