"""The calls that the finance agents may make, and the rules that let them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from affiant.kernel.encoding import keccak256, word
from affiant.kernel.mandate import EACH, Rule
from affiant.kernel.model import Call

SET_FEE = keccak256(b"setFee(uint24)")[:4]
UPDATE = keccak256(b"update(bytes32[],uint256[])")[:4]
REBALANCE = keccak256(b"rebalance(uint256,uint256[])")[:4]


def set_fee(pool: bytes, pips: int) -> Call:
    """Return the call that sets a pool's fee, in millionths of a trade."""
    return Call(pool, SET_FEE + word(pips))


def fee_rule(pool: bytes) -> Rule:
    """Return the rule that allows setting a fee; each change counts one."""
    return Rule(pool, SET_FEE, amount_word=EACH, cap=1)


def parameter_id(name: str) -> bytes:
    """Return a parameter's id: its name, as one word."""
    return name.encode("ascii").ljust(32, b"\0")


def update(steward: bytes, values: Mapping[str, int]) -> Call:
    """Return the call that sets parameters together, in the order of their ids."""
    ids = sorted(map(parameter_id, values))
    told = {parameter_id(name): value for name, value in values.items()}
    heads = word(64) + word(64 + 32 * (len(ids) + 1))
    return Call(steward, UPDATE + heads + _array(ids) + _array([word(told[i]) for i in ids]))


def update_rule(steward: bytes) -> Rule:
    """Return the rule that allows updates; each counts one, whatever it sets."""
    return Rule(steward, UPDATE, amount_word=EACH, cap=1)


def rebalance(vault: bytes, turnover: int, weights: Sequence[int]) -> Call:
    """Return the call that moves a vault to weights in ppm, turning over at most so much."""
    head = word(turnover) + word(64)
    return Call(vault, REBALANCE + head + _array([word(weight) for weight in weights]))


def rebalance_rule(vault: bytes, cap: int) -> Rule:
    """Return the rule that allows rebalancing, metered by the most it may turn over."""
    return Rule(vault, REBALANCE, amount_word=0, cap=cap)


def _array(words: Sequence[bytes]) -> bytes:
    return word(len(words)) + b"".join(words)
