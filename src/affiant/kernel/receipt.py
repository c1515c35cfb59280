"""The receipt: an RFC 9942 COSE receipt that a statement is in a log.

Specified in specs/log.md. The protected header is the same for every receipt of a log, and the
signed payload is the (detached) root, so one signature serves every statement under that root. A
statement with its receipt in the unprotected header (label 394) is a Transparent Statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from affiant.kernel import merkle
from affiant.kernel.encoding import cbor_decode, cbor_encode, cose_decode, cose_encode
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key, PublicKey
from affiant.kernel.statement import sig_structure

VDS, VDP, RECEIPTS = 395, 396, 394  # RFC 9942 header labels
RFC9162_SHA256 = 1
_INCLUSION = -1


@dataclass(frozen=True)
class Receipt:
    """A leaf's place in a tree, and the log's signature over that tree's root."""

    size: int
    index: int
    path: tuple[bytes, ...]
    signature: bytes

    def encode(self, origin: str, key: PublicKey) -> bytes:
        """Return the COSE_Sign1 bytes."""
        proof = cbor_encode([self.size, self.index, list(self.path)])
        header = protected_header(origin, key)
        return cose_encode(header, {VDP: {_INCLUSION: [proof]}}, None, self.signature)


def protected_header(origin: str, key: PublicKey) -> bytes:
    """Return {1: alg, 4: kid, 15: {1: the log's did, 2: origin}, 395: 1}."""
    claims = {1: key.did, 2: origin}
    return cbor_encode({1: key.alg, 4: key.kid, 15: claims, VDS: RFC9162_SHA256})


def sign_root(origin: str, root: bytes, key: Ed25519Key) -> bytes:
    """Return the signature that every receipt under `root` carries."""
    return key.sign(sig_structure(protected_header(origin, key.public), root))


def decode(data: bytes, origin: str, key: PublicKey) -> Receipt:
    """Read a receipt of the log `origin` with key `key`; its signature is not checked yet.

    Raises:
        MalformedError: another form, or a receipt of another log.
    """
    protected, unprotected, payload, signature = cose_decode(data)
    if protected != protected_header(origin, key):
        raise MalformedError("foreign-receipt", f"not a receipt of {origin} with {key.did}")
    if payload is not None:
        raise MalformedError("bad-receipt", "the payload (the root) must be detached")
    try:
        ((label, (proof,)),) = unprotected[VDP].items()
        size, index, path = cbor_decode(proof)
        well_formed = label == _INCLUSION and len(unprotected) == 1 and isinstance(path, list)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise MalformedError("bad-receipt", "no single inclusion proof") from error
    integers = type(size) is int and type(index) is int and 0 <= index < size < 1 << 63
    if not well_formed or not integers or not _hashes(path):
        raise MalformedError("bad-receipt", "the inclusion proof is not [size, index, [hashes]]")
    receipt = Receipt(size, index, tuple(path), signature)
    if receipt.encode(origin, key) != data:
        raise MalformedError("bad-receipt", "the receipt is not in its one form")
    return receipt


def verify(receipt: Receipt, leaf: bytes, origin: str, key: PublicKey) -> bytes:
    """Check that the log signed a tree that holds `leaf`; return that tree's root.

    Raises:
        MalformedError: `bad-path` or `bad-signature`.
    """
    root = merkle.root_from_path(leaf, receipt.index, receipt.size, receipt.path)
    key.verify(sig_structure(protected_header(origin, key), root), receipt.signature)
    return root


def transparent(entry: bytes, receipts: Sequence[bytes]) -> bytes:
    """Return the Transparent Statement: the entry with its receipts (RFC 9943 section 5.3)."""
    protected, _, said, signature = cose_decode(entry)
    return cose_encode(protected, {RECEIPTS: list(receipts)}, said, signature)


def split_transparent(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the entry and the receipts of a Transparent Statement in its one form.

    Raises:
        MalformedError: `bad-receipt`, or a rule of the encoding.
    """
    protected, unprotected, said, signature = cose_decode(data)
    receipts = unprotected.get(RECEIPTS)
    if not isinstance(receipts, (list, tuple)) or not receipts:
        raise MalformedError("bad-receipt", "no receipts at label 394")
    if not all(isinstance(item, bytes) for item in receipts):
        raise MalformedError("bad-receipt", "label 394 holds something that is no byte string")
    entry = cose_encode(protected, {}, said, signature)
    if transparent(entry, receipts) != data:
        raise MalformedError("bad-receipt", "the Transparent Statement is not in its one form")
    return entry, list(receipts)


def _hashes(path: list[object]) -> bool:
    return len(path) <= 63 and all(isinstance(step, bytes) and len(step) == 32 for step in path)
