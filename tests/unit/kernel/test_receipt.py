"""Claims about receipts beyond the vectors."""

from __future__ import annotations

import pytest

from affiant.kernel import body, merkle, receipt, statement
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key, LedgerKey

from .refusals import refused

ORIGIN = "log.example/a"
LOG, OTHER = Ed25519Key(sha256(b"log")), Ed25519Key(sha256(b"other"))
SWORN = statement.sign(
    body.DECISION, bytes(32), bytes(32), LedgerKey(sha256(b"agent")), 1_800_000_000
)
SIBLING = sha256(b"sibling")
ROOT = merkle.node_hash(SIBLING, SWORN.leaf)
RECEIPT = receipt.Receipt(2, 1, (SIBLING,), receipt.sign_root(ORIGIN, ROOT, LOG))


def test_a_receipt_proves_its_leaf_only() -> None:
    """A receipt leads to the signed root from its own leaf, and from no other."""
    assert receipt.verify(RECEIPT, SWORN.leaf, ORIGIN, LOG.public) == ROOT
    with refused("bad-signature"):
        receipt.verify(RECEIPT, SIBLING, ORIGIN, LOG.public)


def test_a_receipt_is_of_one_log() -> None:
    """A receipt is refused under another log's key or origin."""
    data = RECEIPT.encode(ORIGIN, LOG.public)
    assert receipt.decode(data, ORIGIN, LOG.public) == RECEIPT
    with refused("foreign-receipt"):
        receipt.decode(data, ORIGIN, OTHER.public)
    with refused("foreign-receipt"):
        receipt.decode(data, "log.example/b", LOG.public)


def test_a_note_signature_is_no_receipt_signature() -> None:
    """The log's signature over the bare root is not a receipt's signature."""
    lie = receipt.Receipt(2, 1, (SIBLING,), LOG.sign(ROOT))
    with refused("bad-signature"):
        receipt.verify(lie, SWORN.leaf, ORIGIN, LOG.public)


def test_one_signature_serves_every_leaf() -> None:
    """Receipts of two leaves under one root carry the same signature and header."""
    first = receipt.Receipt(2, 0, (SWORN.leaf,), RECEIPT.signature)
    assert receipt.verify(first, SIBLING, ORIGIN, LOG.public) == ROOT


def test_a_transparent_statement_is_split() -> None:
    """An entry with receipts splits into both; the entry alone is not transparent."""
    data = RECEIPT.encode(ORIGIN, LOG.public)
    assert receipt.split_transparent(receipt.transparent(SWORN.entry, [data, data])) == (
        SWORN.entry,
        [data, data],
    )
    with refused("bad-receipt"):
        receipt.split_transparent(SWORN.entry)


@pytest.mark.parametrize("receipts", [[1], ["x"], [None], [[b"x"]]])
def test_a_receipt_that_is_no_byte_string_is_refused(receipts: list[bytes]) -> None:
    """Label 394 holds byte strings and nothing else."""
    with refused("bad-receipt"):
        receipt.split_transparent(receipt.transparent(SWORN.entry, receipts))


def test_no_receipts_at_all_are_refused() -> None:
    """RFC 9942 wants at least one receipt at label 394."""
    with refused("bad-receipt"):
        receipt.split_transparent(receipt.transparent(SWORN.entry, []))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    """A receipt's signature has 64 bytes."""
    lie = receipt.Receipt(2, 1, (SIBLING,), bytes(length))
    with pytest.raises(MalformedError):
        receipt.verify(lie, SWORN.leaf, ORIGIN, LOG.public)


def test_a_huge_receipt_is_refused_before_it_is_read() -> None:
    """A file far longer than any receipt costs no time to refuse, whatever number it spells."""
    huge = b"\xc4\x82\x00\xc2\x59\x80\x00" + b"\xff" * (1 << 15)
    with refused("too-long"):
        receipt.split_transparent(huge)
    with refused("too-long"):
        receipt.decode(huge, ORIGIN, LOG.public)
