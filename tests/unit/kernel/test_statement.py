"""Claims about statements beyond the vectors."""

from __future__ import annotations

import cbor2
import pytest

from affiant.kernel import body, statement
from affiant.kernel.encoding import keccak256, sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key, LedgerKey

from .refusals import refused

AGENT = LedgerKey(sha256(b"agent"))
DEVICE = Ed25519Key(sha256(b"device"))
SUBJECT, BODY = sha256(b"subject"), sha256(b"body")
NOW = 1_800_000_000
SWORN = statement.sign(body.DECISION, SUBJECT, BODY, AGENT, NOW)


def test_an_entry_has_the_layout_that_the_contract_rebuilds() -> None:
    """An entry is d2 84 58 LL header a0 58 60 payload 58 40 signature."""
    header = statement.protected_header(AGENT.public, body.DECISION, NOW)
    said = keccak256(b"affiant/decision/v1") + SUBJECT + BODY
    whole = b"\xd2\x84\x58" + bytes([len(header)]) + header + b"\xa0\x58\x60" + said + b"\x58\x40"
    assert SWORN.entry == whole + SWORN.signature
    assert SWORN.leaf == sha256(b"\0" + SWORN.entry)


def test_the_signed_bytes_have_the_layout_that_the_contract_rebuilds() -> None:
    """The signed bytes are 84 6a Signature1 58 LL header 40 58 60 payload."""
    header = statement.protected_header(AGENT.public, body.DECISION, NOW)
    said = statement.payload(body.DECISION, SUBJECT, BODY)
    head = b"\x84\x6aSignature1\x58" + bytes([len(header)]) + header
    assert statement.sig_structure(header, said) == head + b"\x40\x58\x60" + said


def test_a_header_is_its_prefix_and_four_bytes() -> None:
    """Only the last four bytes of an agent's header change with time."""
    prefix = statement.header_prefix(AGENT.public, body.DECISION)
    for iat in (0x10000, NOW, 0xFFFFFFFF):
        header = statement.protected_header(AGENT.public, body.DECISION, iat)
        assert header == prefix + iat.to_bytes(4)


@pytest.mark.parametrize("iat", [-1, 0, 0xFFFF, 1 << 32])
def test_a_time_of_another_width_is_refused(iat: int) -> None:
    """A time that does not take four bytes cannot be sworn."""
    with refused("bad-time"):
        statement.sign(body.DECISION, SUBJECT, BODY, AGENT, iat)


@pytest.mark.parametrize(("subject", "said"), [(b"", BODY), (SUBJECT, BODY + b"x")])
def test_a_digest_of_another_length_is_refused(subject: bytes, said: bytes) -> None:
    """Subject and body have 32 bytes each."""
    with refused("wrong-length"):
        statement.sign(body.DECISION, subject, said, AGENT, NOW)


def test_reading_does_not_verify() -> None:
    """A well-formed entry with a bad signature is read, and refused when it is verified."""
    entry = SWORN.entry[:-1] + bytes([SWORN.entry[-1] ^ 1])
    told = statement.decode(entry)
    assert told.unverified.subject == SUBJECT
    with refused("bad-signature"):
        told.verify()


def test_a_verified_statement_is_what_was_sworn() -> None:
    """Reading and verifying an entry gives the statement that was signed."""
    assert statement.decode(SWORN.entry).verify() == SWORN


def test_two_kinds_have_two_leaves() -> None:
    """The same words sworn as another kind are another statement."""
    assert statement.sign(body.REFUSAL, SUBJECT, BODY, AGENT, NOW).leaf != SWORN.leaf


def test_an_entry_stays_short() -> None:
    """Entries of all core kinds and of both key types have at most 340 bytes."""
    for kind in body.CORE_KINDS:
        for key in (AGENT, DEVICE):
            assert 280 < len(statement.sign(kind, SUBJECT, BODY, key, NOW).entry) <= 340


@pytest.mark.parametrize("label", [1, 4, 6])
def test_a_huge_number_in_the_header_is_refused(label: int) -> None:
    """A number of 6,000 digits as alg, kid or iat is refused like any other wrong value."""
    claims = {1: AGENT.public.did, 2: body.DECISION, 6: NOW}
    header = {1: AGENT.public.alg, 3: 42, 4: AGENT.public.kid, 15: claims}
    (claims if label == 6 else header)[label] = 1 << 20_000
    protected = cbor2.dumps(header)
    signature = AGENT.sign(statement.sig_structure(protected, SWORN.entry[-162:-66]))
    entry = b"\xd2" + cbor2.dumps([protected, {}, SWORN.entry[-162:-66], signature])
    with pytest.raises(MalformedError):
        statement.decode(entry)


def test_a_long_entry_is_refused_before_it_is_read() -> None:
    """An entry of a megabyte (here one decimal number) costs no time to refuse."""
    entry = b"\xc4\x82\x00\xc2\x5a\x00\x10\x00\x00" + b"\xff" * (1 << 20)
    with refused("too-long"):
        statement.decode(entry[:2000])
