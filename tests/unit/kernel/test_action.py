"""Claims about actions beyond the vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from affiant.kernel.action import Action, BoundAction
from affiant.kernel.errors import MalformedError

from .refusals import refused

ACTION = Action(1, 2, b"m" * 32, b"t" * 20, 3, b"data", 4, b"r" * 20, b"s" * 32)
BOUND = BoundAction(31337, b"M" * 20, ACTION)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 0},
        {"nonce": 0},
        {"model": b"n" * 32},
        {"target": b"u" * 20},
        {"value": 0},
        {"data": b"date"},
        {"deadline": 0},
        {"relayer": bytes(20)},
        {"salt": b"t" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_binds_every_field(change: dict[str, Any]) -> None:
    """Changing any one field changes the digest."""
    other = BoundAction(31337, b"M" * 20, replace(ACTION, **change))
    assert other.digest != BOUND.digest


def test_the_digest_binds_chain_and_mandate() -> None:
    """The same action on another chain or under another mandate has another digest."""
    assert BoundAction(1, b"M" * 20, ACTION).digest != BOUND.digest
    assert BoundAction(31337, b"N" * 20, ACTION).digest != BOUND.digest


def test_json_goes_there_and_back() -> None:
    """The JSON form reads back to the same action."""
    assert BoundAction.from_json(BOUND.to_json()) == BOUND


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 1 << 32},
        {"epoch": -1},
        {"epoch": True},
        {"epoch": 1.0},
        {"nonce": 1 << 256},
        {"value": -1},
        {"deadline": 1 << 64},
        {"model": b"m" * 31},
        {"target": b"t" * 32},
        {"relayer": b""},
        {"salt": "s" * 32},
        {"data": bytearray(4)},
    ],
    ids=repr,
)
def test_a_field_out_of_range_is_refused(change: dict[str, Any]) -> None:
    """A field that its ABI type cannot hold is refused when the action is made."""
    with refused("bad-action"):
        replace(ACTION, **change)


def test_a_chain_id_above_a_word_is_refused() -> None:
    """A chain id that fits no word is refused when it is read, not when it is hashed."""
    value = {**BOUND.to_json(), "chainId": str(1 << 256)}
    with pytest.raises(MalformedError):
        BoundAction.from_json(value)
