"""What this house is made of: its verticals, one line each, and the door to the real parts.

Nothing is imported before it is asked for, which keeps `affiant --help` fast.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affiant.kernel.errors import InputError, SetupError

if TYPE_CHECKING:
    from affiant.apps.house import RealHouse
    from affiant.kernel.body import Kind
    from affiant.kernel.house import Vertical
    from affiant.kernel.model import Model

VERTICALS = ("supply", "security", "finance", "market")
JOINED = {"finance": "affiant.apps.stories.finance"}
"""Verticals whose story and models join another's part: the module that brings them together."""


def vertical(name: str) -> Vertical:
    """Return a vertical by name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in VERTICALS:
        raise InputError(f"there is no story {name!r}", f"Choose one of: {', '.join(VERTICALS)}")
    found: Vertical = importlib.import_module(f"affiant.verticals.{name}.vertical").VERTICAL
    if name in JOINED:
        return replace(found, story=f"{JOINED[name]}:story", models=f"{JOINED[name]}:models")
    return found


def door(target: str) -> Any:
    """Import `module:name`."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def check_extra(found: Vertical) -> None:
    """Refuse a vertical whose extra is not installed.

    Raises:
        SetupError: with the command that installs it.
    """
    missing = [name for name in found.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"the story {found.name!r} needs {', '.join(missing)}, not in the base set",
            f'Run: make setup EXTRAS="{found.name}"',
        )


def kinds() -> dict[str, Kind]:
    """Return every kind of statement that this house knows."""
    from affiant.kernel.body import CORE_KINDS

    known = dict(CORE_KINDS)
    for name in VERTICALS:
        known |= vertical(name).kinds
    return known


def models() -> dict[bytes, Model]:
    """Return every model of the installed verticals, by digest, for replays."""
    found: dict[bytes, Model] = {}
    for name in VERTICALS:
        brought = vertical(name)
        if all(importlib.util.find_spec(need) for need in brought.needs):
            found |= {model.digest: model for model in door(brought.models)()}
    return found


def open_house(
    home: str | Path = ".affiant",
    *,
    rpc: str | None = None,
    port: int = 0,
    reading: bool = False,
    dry: bool = False,
) -> RealHouse:
    """Open the house in a folder, made on first use; use it in a `with` statement."""
    from affiant.apps.house import RealHouse

    return RealHouse(Path(home), rpc=rpc, port=port, reading=reading, dry=dry)
