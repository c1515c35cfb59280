"""For any value and any bytes: one encoding, and no surprise."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel import body, bundle, checkpoint, receipt, statement
from affiant.kernel.action import Action, BoundAction
from affiant.kernel.encoding import (
    b64url,
    cbor_decode,
    cbor_encode,
    from_b64url,
    jcs_decode,
    jcs_encode,
)
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import public_key_of

from .strategies import (
    AGENT,
    BY_DEVICE,
    LOG,
    ORIGIN,
    QUICK,
    RECEIPT,
    SWORN,
    actions,
    cbor_values,
    json_values,
)

Read = Callable[[bytes], object]


READERS: dict[str, Read] = {
    "cbor_decode": cbor_decode,
    "jcs_decode": jcs_decode,
    "statement.decode": statement.decode,
    "receipt.decode": lambda data: receipt.decode(data, ORIGIN, LOG.public),
    "split_transparent": receipt.split_transparent,
    "body.decode": lambda data: body.decode(data, body.CORE_KINDS),
    "bundle.decode": bundle.decode,
    "open_note": lambda data: checkpoint.open_note(
        data.decode(errors="surrogateescape"), LOG.public
    ),
    "public_key_of": lambda data: public_key_of(data.decode(errors="surrogateescape")),
    "from_b64url": lambda data: from_b64url(data.decode(errors="surrogateescape")),
}
NOTE = checkpoint.sign_note(checkpoint.Checkpoint(ORIGIN, 2, bytes(32)), LOG)
BODY = body.Body(
    body.KEY,
    "2027-01-15T08:00:00Z",
    bytes(16),
    {"did": AGENT.public.did, "purpose": "agent", "effective": 1},
)
BUNDLE = bundle.Bundle(
    ORIGIN, LOG.public.did, bytes(20), (), 0, NOTE, bytes(65), {0: b""}, {}, {},
    {"chainId": "1", "anchors": [], "mandates": {}, "whole": True},
)  # fmt: skip
GOOD: dict[str, bytes] = {
    "cbor_decode": cbor_encode([1, {2: b"x"}, "y", 1.5]),
    "jcs_decode": b'{"a":[1,0.5,null],"b":"x"}',
    "statement.decode": SWORN.entry,
    "receipt.decode": RECEIPT,
    "split_transparent": receipt.transparent(SWORN.entry, [RECEIPT]),
    "body.decode": BODY.encoded,
    "bundle.decode": BUNDLE.encode(),
    "open_note": NOTE.encode(),
    "public_key_of": AGENT.public.did.encode(),
    "from_b64url": b"AQID",
}


@QUICK
@given(cbor_values)
def test_cbor_is_one_encoding(value: Any) -> None:
    """What was encoded decodes to the same value and encodes to the same bytes."""
    data = cbor_encode(value)
    assert cbor_decode(data) == value
    assert cbor_encode(cbor_decode(data)) == data


@QUICK
@given(st.binary(max_size=40))
def test_cbor_that_is_read_is_in_its_one_encoding(data: bytes) -> None:
    """Whatever bytes are read, encoding what was read gives them back."""
    try:
        value = cbor_decode(data)
    except MalformedError:
        return
    assert cbor_encode(value) == data


@QUICK
@given(json_values)
def test_json_is_one_encoding(value: Any) -> None:
    """What was encoded decodes to the same value and encodes to the same bytes."""
    data = jcs_encode(value)
    assert jcs_decode(data) == value
    assert jcs_encode(jcs_decode(data)) == data


@QUICK
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_is_written_is_read(number: float) -> None:
    """A number is read back exactly, or was refused when it was written."""
    try:
        data = jcs_encode(number)
    except MalformedError:
        return
    assert struct.pack(">d", float(jcs_decode(data))) == struct.pack(">d", number + 0.0)


@QUICK
@given(st.text(max_size=30))
def test_text_that_is_read_is_canonical(text: str) -> None:
    """Whatever text is read as JSON, encoding what was read gives it back."""
    try:
        value = jcs_decode(text.encode())
    except MalformedError:
        return
    assert jcs_encode(value) == text.encode()


@QUICK
@given(st.binary(max_size=40))
def test_base64url_is_one_encoding(data: bytes) -> None:
    """Any bytes go there and back."""
    assert from_b64url(b64url(data)) == data


@QUICK
@given(st.integers(0, (1 << 256) - 1), st.binary(min_size=20, max_size=20), actions)
def test_actions_go_there_and_back(chain_id: int, mandate: bytes, action: Action) -> None:
    """Any action reads back from its JSON form with the same digest."""
    bound = BoundAction(chain_id, mandate, action)
    told = BoundAction.from_json(jcs_decode(jcs_encode(bound.to_json())))
    assert told == bound
    assert told.digest == bound.digest


@QUICK
@given(actions, actions)
def test_two_actions_have_two_digests(first: Action, second: Action) -> None:
    """Digests are equal only if the actions are."""
    same = BoundAction(1, bytes(20), first).digest == BoundAction(1, bytes(20), second).digest
    assert same == (first == second)


@pytest.mark.parametrize("sworn", [SWORN, BY_DEVICE], ids=["ES256K", "EdDSA"])
def test_every_flipped_bit_of_an_entry_is_seen(sworn: statement.Statement) -> None:
    """An entry with any one bit changed is refused when it is read or verified."""
    for position in range(len(sworn.entry) * 8):
        data = bytearray(sworn.entry)
        data[position // 8] ^= 1 << position % 8
        with pytest.raises(MalformedError):
            statement.decode(bytes(data)).verify()


@QUICK
@given(st.integers(0, len(SWORN.entry) - 1), st.integers(1, 255))
def test_every_changed_byte_of_an_entry_is_seen(position: int, change: int) -> None:
    """An entry with any one byte changed is refused when it is read or verified."""
    data = bytearray(SWORN.entry)
    data[position] ^= change
    with pytest.raises(MalformedError):
        statement.decode(bytes(data)).verify()


def check_receipt(data: bytes) -> None:
    """Read a receipt and check it, as its user does."""
    receipt.verify(receipt.decode(data, ORIGIN, LOG.public), SWORN.leaf, ORIGIN, LOG.public)


def test_every_flipped_bit_of_a_receipt_is_seen() -> None:
    """A receipt with any one bit changed is refused when it is read or verified."""
    for position in range(len(RECEIPT) * 8):
        data = bytearray(RECEIPT)
        data[position // 8] ^= 1 << position % 8
        with pytest.raises(MalformedError):
            check_receipt(bytes(data))


@pytest.mark.parametrize("name", READERS)
def test_what_is_good_is_read(name: str) -> None:
    """Each reader reads its example, so that the tests below start from something real."""
    READERS[name](GOOD[name])


@pytest.mark.parametrize("name", READERS)
@QUICK
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    """Whatever bytes arrive, a reader returns or raises MalformedError, and nothing else."""
    try:
        READERS[name](data)
    except MalformedError:
        return


@pytest.mark.parametrize("name", READERS)
@QUICK
@given(data=st.data())
def test_any_mutation_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """The same from a good example, cut, repeated, or with a few bytes replaced."""
    mutated = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(mutated)))
        length = data.draw(st.integers(0, 8))
        mutated[start : start + length] = data.draw(st.binary(max_size=8))
    try:
        READERS[name](bytes(mutated))
    except MalformedError:
        return


@pytest.mark.parametrize("name", ["jcs_decode", "body.decode", "bundle.decode"])
@QUICK
@given(
    value=json_values,
    field=st.sampled_from(
        sorted({"at", "because", "content", "kind", "salt"} | set(jcs_decode(BUNDLE.encode())))
    ),
)
def test_any_json_in_any_field_is_read_or_refused(name: str, value: Any, field: str) -> None:
    """Canonical JSON with anything in any field is read or refused with MalformedError."""
    document = {**jcs_decode(GOOD[name]), field: value}
    try:
        READERS[name](jcs_encode(document))
    except MalformedError:
        return


@pytest.mark.parametrize(
    "name", ["cbor_decode", "statement.decode", "receipt.decode", "split_transparent"]
)
@QUICK
@given(value=cbor_values, place=st.integers(0, 3))
def test_any_cbor_in_any_item_is_read_or_refused(name: str, value: Any, place: int) -> None:
    """A COSE_Sign1 with anything in any item is read or refused with MalformedError."""
    items = [b"", {}, bytes(96), bytes(64)]
    items[place] = value
    try:
        READERS[name](b"\xd2" + cbor_encode(items))
    except MalformedError:
        return


@QUICK
@given(st.binary(max_size=60))
def test_any_header_is_read_or_refused(header: bytes) -> None:
    """A COSE_Sign1 around any protected header is read or refused with MalformedError."""
    with pytest.raises(MalformedError):
        statement.decode(b"\xd2" + cbor_encode([header, {}, bytes(96), bytes(64)]))


@QUICK
@given(
    st.dictionaries(st.sampled_from([1, 3, 4, 15]), cbor_values),
    st.lists(cbor_values, min_size=3, max_size=3),
)
def test_any_claim_is_read_or_refused(changes: dict[int, Any], claims: list[Any]) -> None:
    """A header of the right labels with anything in them is refused with MalformedError."""
    header = {1: -47, 3: 42, 4: AGENT.public.kid, 15: dict(zip((1, 2, 6), claims, strict=True))}
    protected = cbor_encode({**header, **changes})
    with pytest.raises(MalformedError):
        statement.decode(b"\xd2" + cbor_encode([protected, {}, bytes(96), bytes(64)]))


@QUICK
@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_a_key_or_refused(did: str) -> None:
    """Whatever text arrives as a did:key, it is a key with that name, or refused."""
    for text in (did, "did:key:z" + did):
        try:
            assert public_key_of(text).did == text
        except MalformedError:
            continue


@QUICK
@given(st.text(st.characters(codec=None), max_size=20), st.integers(0, len(NOTE)))
def test_any_text_in_a_note_is_read_or_refused(text: str, place: int) -> None:
    """A note with any text put in somewhere is read or refused, half surrogate pairs included."""
    try:
        told = checkpoint.open_note(NOTE[:place] + text + NOTE[place:], LOG.public)
    except MalformedError:
        return
    assert told == checkpoint.Checkpoint(ORIGIN, 2, bytes(32))
