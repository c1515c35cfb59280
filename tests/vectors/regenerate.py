"""Write the vectors: `python tests/vectors/regenerate.py`, in the project's environment.

Keys, salts and times are fixed, so the same kernel gives the same bytes. What an invalid vector
must be refused for is written down here by hand, never asked of the kernel.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vector_alerts import alert_bodies, granted_terms, suspensions
from vector_documents import actions, bodies, canonical_json, mandates
from vector_statements import statements
from vector_trees import bundles, checkpoints, receipts, trees

FOLDER = Path(__file__).parent


def all_bodies() -> dict[str, Any]:
    """Return the content of body.json: every kind's bodies, alerts last."""
    plain, alerts = bodies(), alert_bodies()
    return {part: plain[part] + alerts[part] for part in plain}


FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "action.json": actions,
    "body.json": all_bodies,
    "bundle.json": bundles,
    "checkpoint.json": checkpoints,
    "jcs.json": canonical_json,
    "mandate.json": lambda: mandates() | granted_terms(),
    "merkle.json": trees,
    "receipt.json": receipts,
    "statement.json": statements,
    "suspension.json": suspensions,
}


def text_of(name: str) -> str:
    """Return a vector file's text."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write every file."""
    for name in FILES:
        (FOLDER / name).write_text(text_of(name), encoding="ascii")


if __name__ == "__main__":
    main()
