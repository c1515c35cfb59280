"""The calls of the finance agents are what an ABI encoder makes, and the rules fit them."""

from __future__ import annotations

from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.encoding import keccak256
from affiant.kernel.mandate import Rule
from affiant.kernel.model import Call
from affiant.verticals.finance import calls

TARGET = b"\x7a" * 20
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=31)
words = st.integers(0, 2**256 - 1)


def encoded(signature: str, *values: object) -> bytes:
    """Return calldata by an independent encoder."""
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    return keccak256(signature.encode())[:4] + encode(kinds, values)


def fits(rule: Rule, call: Call) -> bool:
    """Tell whether a rule is for a call."""
    return (rule.target, rule.selector) == (call.target, call.data[:4])


@given(st.integers(0, 2**24 - 1))
def test_a_fee(pips: int) -> None:
    """A fee is set by `setFee(uint24)`."""
    call = calls.set_fee(TARGET, pips)
    assert call.data == encoded("setFee(uint24)", pips)
    assert fits(calls.fee_rule(TARGET), call)


@given(st.dictionaries(names, words, max_size=6))
def test_an_update(values: dict[str, int]) -> None:
    """An update carries ids in ascending order, each with its value, in the canonical encoding."""
    call = calls.update(TARGET, values)
    ids = sorted(name.encode().ljust(32, b"\0") for name in values)
    told = [values[name.rstrip(b"\0").decode()] for name in ids]
    assert call.data == encoded("update(bytes32[],uint256[])", ids, told)
    assert fits(calls.update_rule(TARGET), call)


@given(words, st.lists(words, max_size=6))
def test_a_rebalancing(turnover: int, weights: list[int]) -> None:
    """A rebalancing tells its turnover first, which is the word that its rule meters."""
    call = calls.rebalance(TARGET, turnover, weights)
    assert call.data == encoded("rebalance(uint256,uint256[])", turnover, weights)
    rule = calls.rebalance_rule(TARGET, 5)
    assert fits(rule, call)
    start = 4 + 32 * rule.amount_word
    assert int.from_bytes(call.data[start : start + 32]) == turnover
