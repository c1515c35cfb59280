"""Who signs: public keys, their did:key name, their key id, and signatures.

Three algorithms (IANA COSE numbers): ES256K (-47, secp256k1; the kid is the 20-byte ledger
address), EdDSA (-8, Ed25519) and ES256 (-7, P-256), whose kid is the RFC 9679 thumbprint.
A name (did:key) holds the whole key, so key, kid and name are derived from one another and
never looked up. ES256K and ES256 signatures are 64 bytes r || s with s in the lower half.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import coincurve
from coincurve import ecdsa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from affiant.kernel.encoding import cbor_encode, keccak256, sha256
from affiant.kernel.errors import MalformedError

ES256K, EDDSA, ES256 = -47, -8, -7

# Multicodec prefixes of public keys, as varints (secp256k1-pub, ed25519-pub, p256-pub).
_MULTICODEC = {ES256K: b"\xe7\x01", EDDSA: b"\xed\x01", ES256: b"\x80\x24"}
_KEY_LENGTH = {ES256K: 33, EDDSA: 32, ES256: 33}
# Half the group order: a signature and its twin (r, n - s) are both valid, so only one is allowed.
_HALF_ORDER = {
    ES256K: 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0,
    ES256: 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8,
}
_P25519 = 2**255 - 19
_D25519 = -121665 * pow(121666, -1, _P25519) % _P25519
# The y of the points of order 1, 2, 4 and 8 (two y for the last).
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = {0, 1, _P25519 - 1, _Y8, _P25519 - _Y8}
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class PublicKey:
    """A public key: COSE algorithm number and raw bytes (compressed point, or Ed25519 key)."""

    alg: int
    raw: bytes

    @cached_property
    def did(self) -> str:
        """The key's did:key name (base58btc multibase)."""
        return "did:key:z" + _base58_encode(_MULTICODEC[self.alg] + self.raw)

    @cached_property
    def kid(self) -> bytes:
        """The key id: 20-byte ledger address for ES256K, else the RFC 9679 thumbprint."""
        if self.alg == ES256K:
            return address_of(coincurve.PublicKey(self.raw))
        if self.alg == EDDSA:
            _require_ed25519(self.raw)
            return sha256(cbor_encode({1: 1, -1: 6, -2: self.raw}))
        numbers = _p256(self.raw).public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        return sha256(cbor_encode({1: 2, -1: 1, -2: x, -3: y}))

    @property
    def digest(self) -> bytes:
        """The digest by which a `key` statement names this key: SHA-256 of its did:key."""
        return sha256(self.did.encode())

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a 64-byte signature over `message`.

        Raises:
            MalformedError: `wrong-length`, `high-s` or `bad-signature`.
        """
        if len(signature) != 64:
            raise MalformedError("wrong-length", f"signature has {len(signature)} bytes, not 64")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if self.alg in _HALF_ORDER and s > _HALF_ORDER[self.alg]:
            raise MalformedError("high-s", f"signature 0x{signature.hex()} has s in the upper half")
        if not self._holds(message, signature, r, s):
            raise MalformedError("bad-signature", f"0x{signature.hex()} is not by {self.did}")

    def _holds(self, message: bytes, signature: bytes, r: int, s: int) -> bool:
        try:
            if self.alg == ES256K:
                der = ecdsa.cdata_to_der(ecdsa.deserialize_compact(signature))
                return coincurve.PublicKey(self.raw).verify(der, message)
            if self.alg == EDDSA:
                ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
                return True
            der = encode_dss_signature(r, s)
            _p256(self.raw).verify(der, message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """Whatever can sign for one key; the secret stays behind it."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte COSE signature over `message`."""
        ...


@dataclass(frozen=True, repr=False)
class LedgerKey:
    """A secp256k1 key: signs statements, checkpoints and transactions of one ledger address."""

    secret: bytes

    @cached_property
    def _key(self) -> coincurve.PrivateKey:
        return coincurve.PrivateKey(self.secret)

    @cached_property
    def public(self) -> PublicKey:
        """The key's public half."""
        return PublicKey(ES256K, self._key.public_key.format(compressed=True))

    @property
    def address(self) -> bytes:
        """The 20-byte ledger address."""
        return self.public.kid

    def sign(self, message: bytes) -> bytes:
        """Return r || s (low s, RFC 6979 nonce) over SHA-256 of `message`."""
        return self._key.sign_recoverable(message)[:64]

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r || s || v (v is 27 or 28) over a 32-byte digest, as Solidity expects it."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


@dataclass(frozen=True, repr=False)
class Ed25519Key:
    """An Ed25519 key: signs checkpoints, receipts and statements of devices and institutions."""

    secret: bytes

    @cached_property
    def _key(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.secret)

    @cached_property
    def public(self) -> PublicKey:
        """The key's public half."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return PublicKey(EDDSA, raw)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`."""
        return self._key.sign(message)


@lru_cache(maxsize=1024)
def public_key_of(did: str) -> PublicKey:
    """Read a did:key name.

    Raises:
        MalformedError: `bad-did`: another form, another key type, or not a point of the curve.
    """
    if not did.startswith("did:key:z"):
        raise MalformedError("bad-did", f"{did!r:.80} is not a did:key in base58btc")
    decoded = _base58_decode(did.removeprefix("did:key:z"))
    for alg, prefix in _MULTICODEC.items():
        if decoded.startswith(prefix) and len(decoded) == len(prefix) + _KEY_LENGTH[alg]:
            key = PublicKey(alg, decoded[len(prefix) :])
            try:
                key.kid  # noqa: B018 (deriving it proves that the point is on the curve)
            except ValueError as error:
                raise MalformedError("bad-did", f"{did}: {error}") from error
            if key.did != did:
                raise MalformedError("bad-did", f"{did} is not the one name of its key")
            return key
    raise MalformedError("bad-did", f"{did!r:.80} names no secp256k1, Ed25519 or P-256 key")


def address_of(key: coincurve.PublicKey) -> bytes:
    """Return the 20-byte ledger address of a secp256k1 key."""
    return keccak256(key.format(compressed=False)[1:])[12:]


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the address that signed a 32-byte digest with r || s || v, as `ecrecover` does.

    Raises:
        MalformedError: `wrong-length`, `high-s` or `bad-signature`.
    """
    if len(signature) != 65:
        raise MalformedError("wrong-length", f"signature has {len(signature)} bytes, not 65")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER[ES256K]:
        raise MalformedError("high-s", f"signature 0x{signature.hex()} has s in the upper half")
    if signature[64] not in (27, 28):
        raise MalformedError("bad-signature", f"v is {signature[64]}, not 27 or 28")
    try:
        plain = signature[:64] + bytes([signature[64] - 27])
        key = coincurve.PublicKey.from_signature_and_message(plain, digest, hasher=None)
    except Exception as error:  # coincurve raises a bare Exception where recovery fails
        raise MalformedError("bad-signature", f"0x{signature.hex()} recovers no key") from error
    return address_of(key)


def recovery_v(public: PublicKey, digest: bytes, signature: bytes) -> int:
    """Return the v (27 or 28) with which `ecrecover` finds `public` behind r || s.

    Raises:
        MalformedError: `bad-signature`: neither value does.
    """
    for v in (27, 28):
        try:
            if recover(digest, signature + bytes([v])) == public.kid:
                return v
        except MalformedError:
            continue
    raise MalformedError("bad-signature", f"0x{signature.hex()} is not by {public.did}")


def _require_ed25519(raw: bytes) -> None:
    """Refuse what is no point, and the points of small order: they bind nobody to a message.

    Raises:
        ValueError: no usable key.
    """
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    u, v = y * y - 1, _D25519 * y * y + 1
    if y >= _P25519 or pow(u * v, (_P25519 - 1) // 2, _P25519) == _P25519 - 1:
        raise ValueError("not a point of Ed25519")
    if y in _SMALL_ORDER:
        raise ValueError("a point of small order")


def _p256(raw: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)


def _base58_encode(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _base58_decode(text: str) -> bytes:
    number = 0
    for character in text[:128]:  # far above any key's length, so that work stays bounded
        digit = _BASE58.find(character)
        if digit < 0:
            raise MalformedError("bad-did", f"{character!r} is not a base58 digit")
        number = number * 58 + digit
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
