"""The action: one EVM call under a mandate, and the EIP-712 digest a decision swears to.

Specified in specs/action.md. The domain holds chain and mandate, so a decision for one is void
on every other; the salt keeps small actions from being guessed from the digest alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import from_hex, keccak256, to_hex, word
from affiant.kernel.errors import MalformedError

ANYONE = b"\0" * 20
ACTION_TYPE = (
    b"Action(uint32 epoch,uint256 nonce,bytes32 model,address target,uint256 value,"
    b"bytes data,uint64 deadline,address relayer,bytes32 salt)"
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
# field -> (bits of an integer, or None for bytes; length of bytes, or None for any)
_FIELDS: dict[str, tuple[int | None, int | None]] = {
    "epoch": (32, None),
    "nonce": (256, None),
    "model": (None, 32),
    "target": (None, 20),
    "value": (256, None),
    "data": (None, None),
    "deadline": (64, None),
    "relayer": (None, 20),
    "salt": (None, 32),
}
_PLAIN = re.compile(r"0|[1-9][0-9]{0,77}")  # as far as a uint256 goes
_DECIMAL = {"nonce", "value", "chainId"}


@dataclass(frozen=True)
class Action:
    """One call. Addresses are 20 bytes, digests and salt 32; `value` is in wei."""

    epoch: int
    nonce: int
    model: bytes
    target: bytes
    value: int
    data: bytes
    deadline: int
    """Last second, by the chain's clock, at which the call may run."""
    relayer: bytes
    """The only account that may carry the call to the chain, or `ANYONE`."""
    salt: bytes

    def __post_init__(self) -> None:
        for name, (bits, length) in _FIELDS.items():
            value = getattr(self, name)
            if bits is not None and not (type(value) is int and 0 <= value < 1 << bits):
                raise MalformedError("bad-action", f"{name} {value!r} is not a uint{bits}")
            if bits is None and not isinstance(value, bytes):
                raise MalformedError("bad-action", f"{name} {value!r} is not bytes")
            if length is not None and len(value) != length:
                raise MalformedError("bad-action", f"{name} has {len(value)} bytes, not {length}")

    def struct_hash(self) -> bytes:
        """Return the EIP-712 hashStruct."""
        words = [keccak256(ACTION_TYPE), word(self.epoch), word(self.nonce), self.model]
        words += [word(self.target), word(self.value), keccak256(self.data), word(self.deadline)]
        words += [word(self.relayer), self.salt]
        return keccak256(b"".join(words))


@dataclass(frozen=True)
class BoundAction:
    """An action bound to a chain and a mandate: what a decision is about."""

    chain_id: int
    mandate: bytes
    action: Action

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest: subject of the decision, refusal and outcome of this action."""
        separator = domain_separator(self.chain_id, self.mandate)
        return keccak256(b"\x19\x01" + separator + self.action.struct_hash())

    def to_json(self) -> dict[str, Any]:
        """Return the form in which bodies hold an action."""
        result: dict[str, Any] = {"chainId": str(self.chain_id), "mandate": to_hex(self.mandate)}
        for name in _FIELDS:
            value = getattr(self.action, name)
            if isinstance(value, bytes):
                result[name] = to_hex(value)
            else:
                result[name] = str(value) if name in _DECIMAL else value
        return result

    @classmethod
    def from_json(cls, value: object) -> BoundAction:
        """Read the form in which bodies hold an action.

        Raises:
            MalformedError: `bad-action`, `not-hex` or `wrong-length`.
        """
        if not isinstance(value, dict) or set(value) != {"chainId", "mandate", *_FIELDS}:
            raise MalformedError("bad-action", f"{value!r:.120} does not hold an action's fields")
        fields: dict[str, Any] = {
            name: _integer(name, value[name]) if bits else from_hex(value[name], length)
            for name, (bits, length) in _FIELDS.items()
        }
        chain_id = _integer("chainId", value["chainId"])
        if chain_id >= 1 << 256:
            raise MalformedError("bad-action", f"chainId {chain_id} is not a uint256")
        return cls(chain_id, from_hex(value["mandate"], 20), Action(**fields))


def domain_separator(chain_id: int, mandate: bytes) -> bytes:
    """Return the EIP-712 domain separator of a mandate on a chain."""
    words = [keccak256(_DOMAIN_TYPE), keccak256(b"Affiant Mandate"), keccak256(b"1")]
    return keccak256(b"".join([*words, word(chain_id), word(mandate)]))


def _integer(name: str, value: object) -> int:
    if name not in _DECIMAL and type(value) is int:
        return value
    if name in _DECIMAL and isinstance(value, str) and _PLAIN.fullmatch(value):
        return int(value)
    raise MalformedError("bad-action", f"{name} {value!r:.80} is not in its one form")
