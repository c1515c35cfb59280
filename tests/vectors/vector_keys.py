"""The fixed keys of the vectors. They are published: never use them for anything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affiant.kernel.checkpoint import LogPolicy
from affiant.kernel.encoding import sha256
from affiant.kernel.identity import ES256, Ed25519Key, LedgerKey, PublicKey

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class P256Key:
    """A P-256 signer as an institution's hardware would be: low s, RFC 6979 nonce."""

    secret: bytes

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(self.secret), ec.SECP256R1())

    @cached_property
    def public(self) -> PublicKey:
        """The key's public half."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return PublicKey(ES256, point)

    def sign(self, message: bytes) -> bytes:
        """Return r || s with s in the lower half."""
        der = self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


AGENT = LedgerKey(sha256(b"affiant vectors: agent"))
THIEF = LedgerKey(sha256(b"affiant vectors: thief"))
LOG_SIGNER = LedgerKey(sha256(b"affiant vectors: log signer"))
WITNESSES = sorted(
    (LedgerKey(sha256(b"affiant vectors: witness %d" % n)) for n in (1, 2, 3)),
    key=lambda key: key.address,
)
LOG = Ed25519Key(sha256(b"affiant vectors: log"))
OTHER_LOG = Ed25519Key(sha256(b"affiant vectors: other log"))
DEVICE = Ed25519Key(sha256(b"affiant vectors: device"))
INSTITUTION = P256Key(sha256(b"affiant vectors: institution"))

ORIGIN = "log.example/vectors"
POLICY = LogPolicy(ORIGIN, LOG_SIGNER.address, tuple(key.address for key in WITNESSES), 2)
IAT = 1_800_000_000  # 2027-01-15T08:00:00Z


def twin(signature: bytes, order: int) -> bytes:
    """Return the other valid signature (r, n - s)."""
    s = int.from_bytes(signature[32:64])
    return signature[:32] + (order - s).to_bytes(32, "big") + signature[64:]
