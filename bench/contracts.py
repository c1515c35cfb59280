"""The contracts that the benches measure beside the core: a token and a wallet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.run import FOLDER, REPOSITORY


def token() -> dict[str, Any]:
    """Return the compiled SettlementToken, a plain OpenZeppelin ERC-20."""
    return _load(REPOSITORY / "src/affiant/chain/artifacts/SettlementToken.json")


def wallet() -> dict[str, Any]:
    """Return the compiled OneSignatureWallet: one owner's EIP-712 signature, and no more."""
    return _load(FOLDER / "artifacts" / "OneSignatureWallet.json")


def _load(path: Path) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return artifact
