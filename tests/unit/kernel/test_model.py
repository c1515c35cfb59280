"""Claims about inputs and their commitments."""

from __future__ import annotations

import pytest

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import AffiantError
from affiant.kernel.model import Input, commitment

from .refusals import refused


def test_an_input_is_canonical_json() -> None:
    """An input holds canonical bytes, which give its value back."""
    made = Input.of({"b": 1, "a": [0.5, None]}, source="sensor", units="m", shape=[2])
    assert made.data == b'{"a":[0.5,null],"b":1}'
    assert made.value == {"a": [0.5, None], "b": 1}
    assert (made.source, made.units, made.shape) == ("sensor", "m", (2,))


def test_what_is_no_json_is_no_input() -> None:
    """A value that JSON cannot hold is refused."""
    with refused("not-json"):
        Input.of(float("inf"), source="sensor")


def test_a_commitment_is_a_salted_digest() -> None:
    """An observation's subject is SHA-256 of salt and data, so it changes with either."""
    salt = bytes(range(32))
    assert commitment(salt, b"data") == sha256(salt + b"data")
    assert commitment(salt, b"date") != commitment(salt, b"data")
    assert commitment(bytes(32), b"data") != commitment(salt, b"data")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    """A commitment opens in one way only, so its salt has exactly 32 bytes."""
    with pytest.raises((AffiantError, ValueError)):
        commitment(bytes(length), b"data")
