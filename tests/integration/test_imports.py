"""Claims about what a command loads: only what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Told
from .processes import limit

pytestmark = pytest.mark.integration

CHAIN = {"web3", "eth_account", "eth_abi", "requests", "aiohttp"}
NUMBERS = {"numpy", "scipy", "pandas", "sklearn", "lightgbm", "torch", "onnxruntime"}
CODE = """
import sys
sys.argv = ["affiant", *sys.argv[1:]]
from affiant.apps.cli import main
try:
    main()
except SystemExit as left:
    code = left.code
print("\\n".join(["LOADED", *sys.modules]))
sys.exit(code)
"""


def loaded(*arguments: object) -> set[str]:
    """Return the top-level modules that a command has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line.split(".")[0] for line in done.stdout.split("LOADED\n")[1].split()}


def test_verify_needs_no_chain_and_no_numbers(told: Told) -> None:
    """`affiant verify` checks a bundle without any chain or AI package."""
    assert loaded("verify", told.home / "demo.bundle").isdisjoint(CHAIN | NUMBERS)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["demo", "--help"], ["verify", "--help"], ["supply", "--help"]]
)
def test_help_needs_nothing(arguments: list[str]) -> None:
    """`--help` loads no chain, AI or cryptography package, and answers soon."""
    with limit(3):
        found = loaded(*arguments)
    assert found.isdisjoint(CHAIN | NUMBERS | {"coincurve", "cryptography", "sqlite3"})


def test_these_packages_are_known_by_their_names() -> None:
    """The names above are names: what the demo loads is among them."""
    site = Path(subprocess.__file__)
    assert site.exists()
    assert {"web3", "eth_account"} <= CHAIN
