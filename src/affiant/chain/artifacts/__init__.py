"""Compiled contracts, committed; `make contracts` rebuilds them and CI compares the bytes."""

import json
from importlib import resources
from typing import Any


def load(name: str, package: str = __name__) -> dict[str, Any]:
    """Return the artifact (abi, bytecode, …) of a contract."""
    text = resources.files(package).joinpath(f"{name}.json").read_text(encoding="utf-8")
    artifact: dict[str, Any] = json.loads(text)
    return artifact
