"""Claims about bundles beyond the vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from affiant.kernel import bundle
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import jcs_encode
from affiant.kernel.errors import MalformedError

EMPTY = Bundle(
    origin="log.example/a",
    key="did:key:z",
    signer=b"s" * 20,
    witnesses=(b"w" * 20,),
    threshold=1,
    note="note",
    signature=b"g" * 65,
    statements={0: b"a", 10: b"b"},
    bodies={b"b" * 32: b"{}"},
    data={b"d" * 32: (b"t" * 32, b"data")},
    chain={"chainId": "1", "anchors": [], "mandates": {}, "whole": True},
)
SUBJECT = "0x" + (b"d" * 32).hex()


def test_a_bundle_goes_there_and_back() -> None:
    """A bundle decodes to what was encoded."""
    assert bundle.decode(EMPTY.encode()) == EMPTY


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["policy"].update(threshold="1"),
        lambda value: value["policy"].update(threshold=1.5),
        lambda value: value["policy"].update(threshold=True),
        lambda value: value["policy"].update(more=0),
        lambda value: value["policy"].update(witnesses={"0x" + "77" * 20: 0}),
        lambda value: value["data"][SUBJECT].update(more=0),
    ],
    ids=["text", "fraction", "true", "policy field", "witnesses as object", "data field"],
)
def test_a_bundle_has_one_form(change: Callable[[dict[str, Any]], None]) -> None:
    """What is not kept when a bundle is read must not be in it, so that no byte is idle."""
    value = json.loads(EMPTY.encode())
    change(value)
    with pytest.raises(MalformedError):
        bundle.decode(jcs_encode(value))


@pytest.mark.parametrize("index", ["", "-1", "00", "1.0", " 1", "\u0661", "1" * 20])
def test_a_log_index_has_one_form(index: str) -> None:
    """A log index is a plain number of at most 19 digits."""
    value = json.loads(EMPTY.encode())
    value["statements"] = {index: ""}
    with pytest.raises(MalformedError):
        bundle.decode(jcs_encode(value))


@pytest.mark.parametrize("name", json.loads(EMPTY.encode()))
@pytest.mark.parametrize("junk", [None, 7, "x", [], [[]], {}, {"a": 1}, [1], True, 0.5])
def test_junk_in_a_field_is_refused(name: str, junk: Any) -> None:
    """Whatever stands in a field, a bundle is read or refused, never a crash."""
    value = {**json.loads(EMPTY.encode()), name: junk}
    try:
        told = bundle.decode(jcs_encode(value))
    except MalformedError:
        return
    assert told.encode() == jcs_encode(value)
