"""A program for crash tests: sends transactions for ever, and tells each one acknowledged."""

from __future__ import annotations

from pathlib import Path

from .engine import HandClock, opened
from .programs import Tell


def send_on(tell: Tell, journal: str) -> None:
    """Tell the engine's processes and URL, then every acknowledged transaction."""
    clock = HandClock()
    with opened(Path(journal), clock) as chain:
        tell(" ".join(map(str, chain.engine)))
        tell(chain.chain._engine.url)
        nonce = chain.nonce()
        while True:
            clock.time += nonce % 2
            tell(chain.acknowledged(nonce))
            nonce += 1
