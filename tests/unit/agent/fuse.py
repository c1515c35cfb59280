"""Ports behind a fuse: the N-th call on any of them ends the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Crash(BaseException):
    """The process is gone; no `except Exception` sees it."""


@dataclass
class Fuse:
    """Counts calls on all ports it is put around, and blows at one of them."""

    blows_at: int
    after: bool = False
    """Whether that call still has its effect."""
    calls: int = 0

    @property
    def blown(self) -> bool:
        """Whether it came to that."""
        return self.calls >= self.blows_at

    def around(self, port: object) -> Any:
        """Return the port behind this fuse."""
        return _Fused(port, self)

    def ports(self, **ports: object) -> dict[str, Any]:
        """Return several ports behind this fuse."""
        return {name: self.around(port) for name, port in ports.items()}


class _Fused:
    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        found, fuse = getattr(self._port, name), self._fuse
        if not callable(found):
            return found

        def call(*args: object, **options: object) -> object:
            fuse.calls += 1
            here = fuse.calls == fuse.blows_at
            if here and not fuse.after:
                raise Crash
            result = found(*args, **options)
            if here:
                raise Crash
            return result

        return call
