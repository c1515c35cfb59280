"""AI under oath: no sworn decision, no action.

The names below are the public ones; each is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affiant.agent.sworn import sworn
    from affiant.apps.house import RealHouse
    from affiant.apps.wiring import open_house
    from affiant.kernel.errors import AffiantError
    from affiant.kernel.house import Act
    from affiant.kernel.mandate import Bucket, Pin, Rule
    from affiant.kernel.model import Call, Doubt, Input, Model, Proposal

_HOMES = {
    "Act": "affiant.kernel.house",
    "AffiantError": "affiant.kernel.errors",
    "Bucket": "affiant.kernel.mandate",
    "Call": "affiant.kernel.model",
    "Doubt": "affiant.kernel.model",
    "Input": "affiant.kernel.model",
    "Model": "affiant.kernel.model",
    "Pin": "affiant.kernel.mandate",
    "Proposal": "affiant.kernel.model",
    "RealHouse": "affiant.apps.house",
    "Rule": "affiant.kernel.mandate",
    "open_house": "affiant.apps.wiring",
    "sworn": "affiant.agent.sworn",
}

__all__ = [
    "Act",
    "AffiantError",
    "Bucket",
    "Call",
    "Doubt",
    "Input",
    "Model",
    "Pin",
    "Proposal",
    "RealHouse",
    "Rule",
    "open_house",
    "sworn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'affiant' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
