"""The Makefile's errors have remedies, and leave nothing half done."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what the Makefile looks at, without an environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def make(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in the copy."""
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def python_without(tree: Path, what: str) -> str:
    """Return a Python that fails when it is asked for something."""
    path = tree / "python"
    path.write_text(
        f'#!/bin/sh\ncase "$2" in *{what}*) exit 1;; esac\nexec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("lacks", "told"), [("ensurepip", "has no venv"), ("version_info", "older than 3.11")]
)
def test_a_python_that_will_not_do_is_named(tree: Path, lacks: str, told: str) -> None:
    """Without venv, or with an old Python, `make demo` says what to do and makes nothing."""
    done = make(tree, "demo", f"PYTHON={python_without(tree, lacks)}")
    assert done.returncode == 2
    assert told in done.stderr
    assert "do: " in done.stderr
    assert not (tree / ".venv").exists()


def test_an_unknown_extra_is_named(tree: Path) -> None:
    """`make setup EXTRAS="nope"` names what there is, and installs nothing."""
    (tree / ".venv").mkdir()
    (tree / ".venv" / "base").touch()
    done = make(tree, "setup", "EXTRAS=nope")
    assert done.returncode == 2
    assert "there is no extra 'nope'" in done.stderr


def test_make_alone_lists_the_commands(tree: Path) -> None:
    """`make` lists demo, test, check, bench, contracts and setup."""
    done = make(tree)
    assert done.returncode == 0
    for command in ("demo", "test", "check", "bench", "contracts", "setup"):
        assert f"make {command} " in done.stdout
