"""Any byte: a bundle with one bit flipped, or one value replaced, is malformed or found wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiant.audit.findings import Report
from affiant.kernel import bundle as form
from affiant.kernel.encoding import jcs_encode
from affiant.kernel.errors import MalformedError
from shop import Shop


def _shop() -> Shop:
    shop = Shop()
    shop.pay("paid", 100)
    shop.pay("doubted", 0)
    shop.pay("was refused", 401, careful=False)
    return shop


SHOP = _shop()
EXPORTED = SHOP.bundle().encode()
VALUE: dict[str, Any] = json.loads(EXPORTED)
CHAIN_END = EXPORTED.index(b',"checkpoint":')
CHAIN_START = EXPORTED.index(b'"chain":')
SUBJECTS = [EXPORTED.index(name.encode()) for name in VALUE["data"] if name]
OF_THE_CHAIN = ("log.anchored", "mandate.", "decision.outcome", "refusal.kept")
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    255,
    0.5,
    "",
    "1",
    "0x",
    "0x" + "00" * 20,
    "0x" + "ff" * 32,
    [],
    [[]],
]
JUNK += [[1], [[1, 2, 3]], {}, {"a": 1}]


def verified(data: bytes) -> Report | None:
    """Verify offline; None if the bytes are refused. Nothing else may be raised."""
    try:
        return SHOP.audit(form.decode(data), live=False)
    except MalformedError:
        return None


def flipped(at: int, bit: int) -> bytes:
    """Return the exported bundle with one bit flipped."""
    data = bytearray(EXPORTED)
    data[at] ^= 1 << bit
    return bytes(data)


def is_claim(at: int) -> bool:
    """Whether a byte belongs to what only a chain can confirm."""
    return CHAIN_START <= at < CHAIN_END


def check_flip(at: int, bit: int) -> None:
    """Check that a flipped bit is found, or only concerns what is left open offline."""
    report = verified(flipped(at, bit))
    if report is None or not report.good:
        return
    assert is_claim(at), EXPORTED[at - 40 : at + 40]
    assert not [c for c in report.checks() if c.good and c.name.startswith(OF_THE_CHAIN)]


def test_the_export_itself_is_good() -> None:
    """The bundle that is flipped below is good before."""
    report = verified(EXPORTED)
    assert report is not None
    assert report.good


@pytest.mark.parametrize("part", range(8))
def test_a_flipped_bit_never_passes(part: int) -> None:
    """Bits flipped at regular distances are malformed or found, nowhere an unnamed error."""
    for at in range(part * 7, len(EXPORTED), 8 * 31):
        check_flip(at, at % 7)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, len(EXPORTED) - 1), st.integers(0, 7))
def test_any_flipped_bit_never_passes(at: int, bit: int) -> None:
    """Any bit flipped anywhere is malformed or found."""
    check_flip(at, bit)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, len(EXPORTED)), st.integers(0, 200))
def test_bytes_put_in_or_cut_out_never_pass(more: bytes, at: int, cut: int) -> None:
    """Bytes replaced, put in or cut out anywhere are refused or found."""
    data = EXPORTED[:at] + more + EXPORTED[at + cut :]
    if data != EXPORTED and not is_claim(at):
        report = verified(data)
        assert report is None or not report.good


def test_a_flipped_name_of_data_is_found() -> None:
    """Data under another name than any observation's subject is a finding."""
    report = verified(flipped(SUBJECTS[0] + 20, 0))
    assert report is None or not report.good


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, key))


@pytest.mark.parametrize("name", sorted(VALUE))
def test_junk_in_any_place_is_survived(name: str) -> None:
    """Whatever value stands at whatever place, verifying reports or refuses, and never crashes."""
    for path in list(_places(VALUE[name], (name,)))[:120]:
        for junk in JUNK:
            value = copy.deepcopy(VALUE)
            inside = value
            for key in path[:-1]:
                inside = inside[key]
            if inside[path[-1]] != junk:
                inside[path[-1]] = junk
                verified(jcs_encode(value))
