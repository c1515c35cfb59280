"""What an agent looks at, what decides, and what it may answer.

A `Model` is anything with a digest that turns inputs into a `Proposal` (one call, with reasons) or
a `Doubt` (no call, with reasons). The call is part of the answer, so a replay covers both.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol

from affiant.kernel.encoding import jcs_decode, jcs_encode, sha256, to_hex
from affiant.kernel.errors import MalformedError

SALT_LENGTH = 32


@dataclass(frozen=True)
class Input:
    """Something observed: canonical JSON bytes, and what an observation tells about them."""

    data: bytes
    source: str
    units: str
    shape: tuple[int, ...] = ()
    observation: bytes | None = None
    """The leaf under which its source swore to it; without one, the agent swears that it saw it."""

    @classmethod
    def of(cls, value: Any, *, source: str, units: str = "", shape: Sequence[int] = ()) -> Input:
        """Make an input of any JSON value.

        Raises:
            MalformedError: the value is not JSON.
        """
        return cls(jcs_encode(value), source, units, tuple(shape))

    @property
    def value(self) -> Any:
        """The JSON value."""
        return jcs_decode(self.data)


@dataclass(frozen=True)
class Call:
    """An EVM call: 20-byte target, calldata, value in wei."""

    target: bytes
    data: bytes
    value: int = 0


@dataclass(frozen=True)
class Proposal:
    """A model's answer: do this call, for this reason. `output` is JSON; numbers are compared."""

    call: Call
    output: Any
    reason: str
    confidence: str | None = None
    """A decimal number as text."""
    seed: int | None = None


@dataclass(frozen=True)
class Doubt:
    """A model's answer: do nothing, for this reason. `rule` names it for machines."""

    rule: str
    reason: str
    output: Any = None


class Model(Protocol):
    """What decides. `digest` changes whenever its answers could."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def digest(self) -> bytes: ...

    @property
    def deterministic(self) -> bool:
        """Whether the same inputs always give the same answer."""
        ...

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to the JSON values of the inputs."""
        ...


class CodeModel:
    """A model that is code of this package: a base for such models, which add `predict`."""

    name: str
    version: str = "1"
    deterministic: bool = True
    sources: tuple[str, ...]
    """The files, from the package's folder on, that its answers depend on; and on nothing else."""

    @functools.cached_property
    def digest(self) -> bytes:
        """SHA-256 over name, version and sources."""
        told = {"name": self.name, "version": self.version, "sources": _digests(self.sources)}
        return sha256(jcs_encode(told))


def sources_digest(paths: Sequence[str]) -> bytes:
    """Return the digest of files of this package, named from its folder on."""
    return sha256(jcs_encode(_digests(paths)))


def _digests(paths: Sequence[str]) -> dict[str, str]:
    folder = resources.files("affiant")
    return {path: to_hex(sha256((folder / path).read_bytes())) for path in paths}


def commitment(salt: bytes, data: bytes) -> bytes:
    """Return an observation's subject: SHA-256(salt || data), with a salt of 32 bytes.

    The salt keeps small or guessable data from being found by trying.

    Raises:
        MalformedError: `wrong-length`.
    """
    if len(salt) != SALT_LENGTH:  # a free boundary would let one commitment open to two data
        raise MalformedError("wrong-length", f"salt has {len(salt)} bytes, not {SALT_LENGTH}")
    return sha256(salt + data)
