"""Why a contract refused, by the names of the custom errors that its ABI tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types
from web3.exceptions import ContractLogicError

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import CallReverted

# Of these the data is what another contract said: it must not pass for the mandate's own word.
_QUOTED = {"CallFailed": "target", "GuardRefused": "guard"}
_LONGEST = 600  # characters of a refusal that are told


class Errors:
    """The custom errors of the contracts met so far."""

    def __init__(self) -> None:
        self._known: dict[bytes, Mapping[str, Any]] = {}

    def learn(self, abi: Sequence[Mapping[str, Any]]) -> None:
        """Take in the errors of an ABI."""
        for entry in abi:
            if entry["type"] == "error":
                self._known[function_abi_to_4byte_selector(entry)] = entry  # type: ignore[arg-type]

    def reverted(self, error: ContractLogicError) -> CallReverted:
        """Return the refusal that a node told, by its name and with its values."""
        data = error.data if isinstance(error.data, str) else "0x"
        raw = bytes.fromhex(data.removeprefix("0x"))
        name, values = self._decoded(raw)
        if name is None:
            why = f" ({error.message or '':.{_LONGEST}})"
            return CallReverted(to_hex(raw[:4]) if raw else "no reason", why)
        if name not in _QUOTED or len(values) != 1:
            return CallReverted(name, f" ({_told(values):.{_LONGEST}})")
        (said,) = values.values()
        inner, fields = self._decoded(said)
        told = f"{inner}, {_told(fields)}" if inner and fields else inner or to_hex(said)
        return CallReverted(name, f" (the {_QUOTED[name]} said {told:.{_LONGEST}})")

    def _decoded(self, raw: bytes) -> tuple[str | None, dict[str, Any]]:
        """Return the name and fields of a custom error; nothing if it is none that we know."""
        entry = self._known.get(raw[:4])
        if entry is None:
            return None, {}
        try:
            values = decode(get_abi_input_types(entry), raw[4:])  # type: ignore[arg-type]
        except (DecodingError, OverflowError, ValueError):  # a contract may say anything
            return None, {}
        return entry["name"], dict(zip((f["name"] for f in entry["inputs"]), values, strict=True))


def _told(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{field} {_shown(value)}" for field, value in fields.items())


def _shown(value: object) -> object:
    """Return a value as people read it; a word that holds a name, as that name."""
    if not isinstance(value, bytes):
        return value
    name = value.rstrip(b"\0")
    is_name = len(value) == 32 and name.isascii() and name.decode("ascii", "replace").isprintable()
    return repr(name.decode()) if is_name and len(name) > 3 else to_hex(value)
