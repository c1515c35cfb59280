"""Claims about keys, their names and their signatures."""

from __future__ import annotations

import pytest

from affiant.kernel import identity
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key, LedgerKey, PublicKey

from .refusals import refused

LEDGER = LedgerKey(sha256(b"ledger"))
DEVICE = Ed25519Key(sha256(b"device"))
HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 2 * HALF + 1
DIGEST = sha256(b"digest")


@pytest.mark.parametrize(
    ("did", "alg", "raw"),
    [
        # Examples of the W3C did:key specification.
        (
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
            identity.EDDSA,
            "2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6",
        ),
        (
            "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            identity.ES256K,
            "03874c15c7fda20e539c6e5ba573c139884c351188799f5458b4b41f7924f235cd",
        ),
    ],
)
def test_published_names_are_read(did: str, alg: int, raw: str) -> None:
    """The examples of the did:key specification give their keys, and the keys their names."""
    key = identity.public_key_of(did)
    assert (key.alg, key.raw.hex()) == (alg, raw)
    assert key.did == did


def test_a_published_p256_name_is_read() -> None:
    """A P-256 example of the did:key specification gives a key with the same name."""
    did = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
    key = identity.public_key_of(did)
    assert (key.alg, key.did) == (identity.ES256, did)


def test_the_kid_of_a_p256_key_is_that_of_rfc_9679() -> None:
    """The thumbprint of the RFC's example key is the one the RFC gives."""
    x = bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
    y = bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
    key = PublicKey(identity.ES256, bytes([2 + (y[-1] & 1)]) + x)
    thumbprint = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert key.kid.hex() == thumbprint


def test_the_kid_of_a_ledger_key_is_its_address() -> None:
    """The address of secret 1 is the well-known one."""
    key = LedgerKey((1).to_bytes(32))
    assert key.address.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert key.public.kid == key.address


@pytest.mark.parametrize("signer", [LEDGER, DEVICE])
def test_a_signature_holds_for_its_message_only(signer: LedgerKey | Ed25519Key) -> None:
    """A signature verifies over its own message and no other, by its own key and no other."""
    signature = signer.sign(b"message")
    signer.public.verify(b"message", signature)
    with refused("bad-signature"):
        signer.public.verify(b"another", signature)
    other = LedgerKey(sha256(b"x")) if signer is LEDGER else Ed25519Key(sha256(b"x"))
    with refused("bad-signature"):
        other.public.verify(b"message", signature)


@pytest.mark.parametrize("signer", [LEDGER, DEVICE])
@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(
    signer: LedgerKey | Ed25519Key, length: int
) -> None:
    """A signature has 64 bytes."""
    with refused("wrong-length"):
        signer.public.verify(b"message", bytes(length))


def test_a_high_s_twin_is_refused() -> None:
    """The other valid form of an ECDSA signature is refused before it is checked."""
    signature = LEDGER.sign(b"message")
    s = int.from_bytes(signature[32:])
    assert s <= HALF
    with refused("high-s"):
        LEDGER.public.verify(b"message", signature[:32] + (ORDER - s).to_bytes(32))


def test_signing_is_deterministic() -> None:
    """The same key and message give the same signature, so that a retry swears nothing new."""
    assert LEDGER.sign(b"message") == LedgerKey(LEDGER.secret).sign(b"message")
    assert DEVICE.sign(b"message") == Ed25519Key(DEVICE.secret).sign(b"message")


def test_a_secret_is_not_shown() -> None:
    """Neither key shows its secret when it is printed."""
    assert LEDGER.secret.hex() not in repr(LEDGER)
    assert repr(LEDGER.secret) not in repr(LEDGER)
    assert repr(DEVICE.secret) not in repr(DEVICE)


def test_a_digest_signature_recovers_its_signer() -> None:
    """The 65 bytes of r || s || v recover the address, for the digest that was signed only."""
    signature = LEDGER.sign_digest(DIGEST)
    assert signature[64] in (27, 28)
    assert identity.recover(DIGEST, signature) == LEDGER.address
    try:
        recovered = identity.recover(sha256(b"another"), signature)
    except MalformedError:
        return
    assert recovered != LEDGER.address


def test_recovery_v_finds_the_signer() -> None:
    """A statement's signature gets the v with which ecrecover finds its key."""
    signature = LEDGER.sign(b"message")
    v = identity.recovery_v(LEDGER.public, sha256(b"message"), signature)
    assert identity.recover(sha256(b"message"), signature + bytes([v])) == LEDGER.address
    with refused("bad-signature"):
        identity.recovery_v(LEDGER.public, sha256(b"another"), signature)


@pytest.mark.parametrize("v", [0, 1, 2, 26, 31, 255])
def test_another_v_recovers_nobody(v: int) -> None:
    """Only 27 and 28 are values of v."""
    with refused("bad-signature"):
        identity.recover(DIGEST, LEDGER.sign_digest(DIGEST)[:64] + bytes([v]))


@pytest.mark.parametrize("v", [29, 30])
def test_v_29_and_30_recover_nobody(v: int) -> None:
    """The contract's ecrecover knows 27 and 28 only, so nobody signs with 29 or 30."""
    signature = (2).to_bytes(32) + (5).to_bytes(32) + bytes([v])
    with refused("bad-signature"):
        identity.recover(DIGEST, signature)


def test_recovery_refuses_a_high_s_and_another_length() -> None:
    """Recovery refuses what the contract refuses: high s, and any length but 65."""
    signature = LEDGER.sign_digest(DIGEST)
    s = ORDER - int.from_bytes(signature[32:64])
    with refused("high-s"):
        identity.recover(DIGEST, signature[:32] + s.to_bytes(32) + signature[64:])
    with refused("wrong-length"):
        identity.recover(DIGEST, signature[:64])


@pytest.mark.parametrize("did", ["", "did:key:", "did:web:z", "did:key:z0", "did:key:z\ud800"])
def test_another_name_is_refused(did: str) -> None:
    """What is no did:key is refused."""
    with refused("bad-did"):
        identity.public_key_of(did)


# The encodings of Ed25519 points of small order, and strings that encode no point at all. Under
# the first kind of key one signature holds for every message.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NO_POINT = ["02" + "00" * 31, "ff" * 32]


@pytest.mark.parametrize("raw", SMALL_ORDER + NO_POINT)
def test_an_ed25519_key_that_is_no_key_is_refused(raw: str) -> None:
    """A name must hold a point of the curve's large group, or it binds nobody to anything."""
    with refused("bad-did"):
        identity.public_key_of(PublicKey(identity.EDDSA, bytes.fromhex(raw)).did)


def test_no_named_key_signs_every_message() -> None:
    """No name leads to a key under which one signature holds for every message."""
    key = PublicKey(identity.EDDSA, bytes.fromhex(SMALL_ORDER[0]))
    signature = key.raw + bytes(32)
    with pytest.raises(MalformedError):
        identity.public_key_of(key.did).verify(b"message", signature)


def test_the_digest_of_a_key_is_that_of_its_name() -> None:
    """A `key` statement is about the SHA-256 of the did:key."""
    assert LEDGER.public.digest == sha256(LEDGER.public.did.encode())
    assert LEDGER.public.digest != DEVICE.public.digest
