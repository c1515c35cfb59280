"""The statement: a COSE_Sign1 of about 300 bytes with exactly one accepted encoding.

Specified in specs/statement.md. An entry is `d2 84 58 LL protected a0 58 60 payload 58 40 sig`;
its leaf, SHA-256(0x00 || entry), is the statement's id. `decode` gives a `SignedStatement`, which
says nothing yet; only `SignedStatement.verify` makes a `Statement`, and everything that acts on
statements takes that type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from affiant.kernel.encoding import (
    cbor_decode,
    cbor_encode,
    cose_decode,
    cose_encode,
    keccak256,
    sha256,
)
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import PublicKey, Signer, public_key_of

CONTENT_TYPE = 42  # CoAP content format of application/octet-stream
PAYLOAD_LENGTH = 96
MAX_LENGTH = 1024
# An `iat` from 1970-01-01T18:12:16Z on takes four bytes, so a header is a prefix plus four bytes.
IAT_RANGE = range(0x10000, 0x100000000)


@dataclass(frozen=True)
class Statement:
    """A statement whose signature has been checked."""

    kind: str
    subject: bytes
    body: bytes
    """SHA-256 of the body."""
    issuer: PublicKey
    issued_at: int
    """Seconds since 1970, by the issuer's clock."""
    signature: bytes

    @cached_property
    def entry(self) -> bytes:
        """The bytes that the log holds."""
        head = protected_header(self.issuer, self.kind, self.issued_at)
        return encode_entry(head, payload(self.kind, self.subject, self.body), self.signature)

    @cached_property
    def leaf(self) -> bytes:
        """The statement's id: SHA-256(0x00 || entry), its RFC 9162 leaf hash."""
        return sha256(b"\0" + self.entry)


@dataclass(frozen=True)
class SignedStatement:
    """A well-formed statement whose signature has not been checked."""

    unverified: Statement

    def verify(self) -> Statement:
        """Check the signature and hand out the statement.

        Raises:
            MalformedError: `high-s` or `bad-signature`.
        """
        told = self.unverified
        head = protected_header(told.issuer, told.kind, told.issued_at)
        body = payload(told.kind, told.subject, told.body)
        told.issuer.verify(sig_structure(head, body), told.signature)
        return told


def sign(kind: str, subject: bytes, body: bytes, signer: Signer, issued_at: int) -> Statement:
    """Swear: sign that `body` (its SHA-256) is said about `subject`, both 32 bytes.

    Raises:
        MalformedError: `wrong-length` or `bad-time`.
    """
    head = protected_header(signer.public, kind, issued_at)
    signature = signer.sign(sig_structure(head, payload(kind, subject, body)))
    return Statement(kind, subject, body, signer.public, issued_at, signature)


def decode(entry: bytes) -> SignedStatement:
    """Read an entry in its one encoding.

    Raises:
        MalformedError: with the rule that was broken as `reason`.
    """
    if len(entry) > MAX_LENGTH:
        raise MalformedError("too-long", f"{len(entry)} bytes are more than {MAX_LENGTH}")
    protected, unprotected, said, signature = cose_decode(entry)
    if unprotected:
        raise MalformedError("unprotected-header", "the unprotected map must be empty in an entry")
    if said is None:
        raise MalformedError("not-cose-sign1", "the payload must be attached")
    if len(said) != PAYLOAD_LENGTH:
        raise MalformedError("wrong-length", f"payload has {len(said)} bytes, not {PAYLOAD_LENGTH}")
    if len(signature) != 64:
        raise MalformedError("wrong-length", f"signature has {len(signature)} bytes, not 64")
    issuer, kind, issued_at = _read_header(protected)
    if keccak256(kind.encode()) != said[:32]:
        raise MalformedError("kind-mismatch", f"payload and header ({kind}) name different kinds")
    told = Statement(kind, said[32:64], said[64:], issuer, issued_at, signature)
    return SignedStatement(told)


def protected_header(issuer: PublicKey, kind: str, issued_at: int) -> bytes:
    """Return the protected header: {1: alg, 3: 42, 4: kid, 15: {1: iss, 2: sub, 6: iat}}."""
    if issued_at not in IAT_RANGE:
        raise MalformedError("bad-time", f"iat {issued_at} does not take exactly four bytes")
    claims = {1: issuer.did, 2: kind, 6: issued_at}
    return cbor_encode({1: issuer.alg, 3: CONTENT_TYPE, 4: issuer.kid, 15: claims})


def header_prefix(issuer: PublicKey, kind: str) -> bytes:
    """Return everything of the protected header but the four bytes of `iat`."""
    return protected_header(issuer, kind, IAT_RANGE.start)[:-4]


def payload(kind: str, subject: bytes, body: bytes) -> bytes:
    """Return the 96 bytes kind || subject || body."""
    if len(subject) != 32 or len(body) != 32:
        raise MalformedError("wrong-length", "subject and body must be digests of 32 bytes")
    return keccak256(kind.encode()) + subject + body


def sig_structure(protected: bytes, said: bytes) -> bytes:
    """Return the bytes that are signed (RFC 9052 section 4.4, empty external_aad)."""
    return cbor_encode(["Signature1", protected, b"", said])


def encode_entry(protected: bytes, said: bytes, signature: bytes) -> bytes:
    """Return the entry: tag 18 around [protected, {}, payload, signature]."""
    return cose_encode(protected, {}, said, signature)


def _read_header(protected: bytes) -> tuple[PublicKey, str, int]:
    header = cbor_decode(protected)
    if not isinstance(header, dict) or list(header) != [1, 3, 4, 15]:
        raise MalformedError("bad-header", "the protected header must hold labels 1, 3, 4 and 15")
    claims = header[15]
    if not isinstance(claims, dict) or list(claims) != [1, 2, 6]:
        raise MalformedError("bad-header", "the claims must hold iss, sub and iat")
    did, kind, issued_at = claims[1], claims[2], claims[6]
    if not isinstance(did, str) or not isinstance(kind, str) or type(issued_at) is not int:
        raise MalformedError("bad-header", "iss and sub must be text, iat an integer")
    issuer = public_key_of(did)
    if header[1] != issuer.alg:
        raise MalformedError("alg-mismatch", f"alg {header[1]!r} is not that of {did}")
    if header[4] != issuer.kid:
        raise MalformedError("kid-mismatch", f"kid {header[4]!r:.80} is not that of {did}")
    # Building it again refuses any other content type, time or length in one comparison.
    if protected_header(issuer, kind, issued_at) != protected:
        raise MalformedError("bad-header", "the protected header is not in its one form")
    return issuer, kind, issued_at
