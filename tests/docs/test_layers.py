"""import-linter holds the house; these tests hold import-linter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a tree."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {"PYTHONPATH": str(root / "src"), "PATH": ""}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the sources that a test may break."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_keeps_every_rule(copy: Path) -> None:
    """The sources keep all layer contracts."""
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("agent/runtime.py", "import affiant.log.sequencer", "Three storeys"),
        ("audit/walk.py", "import affiant.agent.runtime", "Three storeys"),
        ("chain/ledger.py", "import affiant.apps.house", "Three storeys"),
        ("kernel/merkle.py", "import affiant.log.storage", "Three storeys"),
        ("cellar/__init__.py", "", "Three storeys"),
        ("verticals/other/__init__.py", "import affiant.verticals.supply.forecast", "Verticals"),
        ("kernel/errors.py", "import affiant.kernel.statement", "No knots"),
        ("kernel/action.py", "import web3", "Kernel stays pure"),
    ],
)
def test_a_deliberate_break_is_caught_by_its_contract(
    copy: Path, file: str, line: str, contract: str
) -> None:
    """Each break of a rule breaks the contract that is meant for it."""
    path = copy / "src" / "affiant" / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    broken = [told for told in done.stdout.splitlines() if told.endswith("BROKEN")]
    assert any(told.startswith(contract) for told in broken) or contract in done.stdout
