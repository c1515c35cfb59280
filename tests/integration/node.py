"""An EVM node with a mind of its own, as `--rpc` names one."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from affiant.kernel.encoding import to_hex
from affiant.kernel.identity import LedgerKey

from .engine import anvil

COIN = 10**18


@dataclass(frozen=True)
class Node:
    """An EVM node with a mind of its own: it mines when it wants to and demands fees."""

    url: str

    def ask(self, method: str, *params: Any) -> Any:
        """Ask it anything."""
        call: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = requests.post(self.url, json=call, timeout=10).json()
        assert "error" not in answer, answer
        return answer["result"]

    def fund(self, home: Path, wei: int) -> str:
        """Give a home's operator money; return its address."""
        (home / "keys").mkdir(parents=True, exist_ok=True)
        path = home / "keys" / "operator.secp256k1"
        if not path.exists():
            path.write_text(secrets.token_hex(32))
        operator = address_of(home, "operator")
        self.ask("anvil_setBalance", operator, hex(wei))
        return operator


@contextmanager
def node(chain_id: int, *options: str) -> Iterator[Node]:
    """Start a node."""
    command = [str(anvil()), "--port=0", f"--chain-id={chain_id}", "--accounts=1", "--color=never"]
    command += options
    process_ = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process_.stdout is not None
        line = next(line for line in process_.stdout if "Listening on" in line)
        threading.Thread(target=process_.stdout.read, daemon=True).start()
        yield Node(f"http://{line.split('Listening on ')[1].strip()}")
    finally:
        process_.kill()
        process_.wait()


def address_of(home: Path, name: str) -> str:
    """Return the address of a home's key."""
    secret = (home / "keys" / f"{name}.secp256k1").read_text().strip()
    return to_hex(LedgerKey(bytes.fromhex(secret)).address)
