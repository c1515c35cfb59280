"""This vertical's compiled contracts."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


@functools.cache
def artifact(name: str) -> Mapping[str, Any]:
    """Return a contract of this vertical, compiled."""
    file = resources.files("affiant.verticals.market") / "artifacts" / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text())
    return found
