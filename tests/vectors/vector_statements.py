"""Statement vectors: one valid statement per algorithm, and one broken rule per invalid one.

Every invalid entry is signed over the bytes it has, so that only the rule under test refuses it.
"""

from __future__ import annotations

from typing import Any, Protocol

import cbor2
from vector_keys import (
    AGENT,
    DEVICE,
    ED25519_ORDER,
    IAT,
    INSTITUTION,
    P256_ORDER,
    SECP256K1_ORDER,
    THIEF,
    twin,
)

from affiant.kernel import body, statement
from affiant.kernel.encoding import keccak256, sha256
from affiant.kernel.identity import PublicKey

SUBJECT = sha256(b"affiant vectors: subject")
BODY = sha256(b"affiant vectors: body")
PAYLOAD = keccak256(body.DECISION.encode()) + SUBJECT + BODY
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Key(Protocol):
    """Anything that signs."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        ...


def statements() -> dict[str, Any]:
    """Return the content of statement.json."""
    return {"valid": _valid(), "invalid": _invalid()}


def _valid() -> list[dict[str, Any]]:
    cases: list[tuple[str, Key, str, int]] = [
        ("a decision by an agent (ES256K)", AGENT, body.DECISION, IAT),
        ("an observation by a device (EdDSA)", DEVICE, body.OBSERVATION, IAT + 1),
        ("a model by an institution (ES256)", INSTITUTION, body.MODEL, IAT + 2),
        ("the earliest iat", AGENT, body.REFUSAL, 0x10000),
        ("the latest iat", DEVICE, body.OUTCOME, 0xFFFFFFFF),
        ("a kind this log may not know", INSTITUTION, "example/bill-of-lading/v1", IAT),
    ]
    result = []
    for name, key, kind, issued_at in cases:
        made = statement.sign(kind, SUBJECT, BODY, key, issued_at)
        header = statement.protected_header(key.public, kind, issued_at)
        said = statement.payload(kind, SUBJECT, BODY)
        result.append(
            {
                "name": name,
                "alg": key.public.alg,
                "key": key.public.raw.hex(),
                "did": key.public.did,
                "kid": key.public.kid.hex(),
                "kind": kind,
                "iat": issued_at,
                "subject": SUBJECT.hex(),
                "body": BODY.hex(),
                "protected": header.hex(),
                "sig_structure": statement.sig_structure(header, said).hex(),
                "signature": made.signature.hex(),
                "entry": made.entry.hex(),
                "leaf": made.leaf.hex(),
            }
        )
    return result


def _invalid() -> list[dict[str, Any]]:
    return [
        {"name": name, "reason": reason, "key": key.raw.hex(), "alg": key.alg, "entry": data.hex()}
        for name, reason, key, data in (*_envelopes(), *_headers(), *_names(), *_signatures())
    ]


Case = tuple[str, str, PublicKey, bytes]


def _header(key: Key = AGENT, **changes: Any) -> dict[int, Any]:
    """Return the protected header as a map; `c1`, `h4` and the like replace an item."""
    claims: dict[int, Any] = {1: key.public.did, 2: body.DECISION, 6: IAT}
    header: dict[int, Any] = {1: key.public.alg, 3: 42, 4: key.public.kid, 15: claims}
    for name, value in changes.items():
        part = header if name[0] == "h" else claims
        part[int(name[1:])] = value
    return header


def _entry(protected: bytes, *, key: Key = AGENT, said: bytes = PAYLOAD) -> bytes:
    signature = key.sign(cbor2.dumps(["Signature1", protected, b"", said]))
    return b"\xd2" + cbor2.dumps([protected, {}, said, signature])


def _without(mapping: dict[int, Any], label: int) -> dict[int, Any]:
    return {name: value for name, value in mapping.items() if name != label}


def _envelopes() -> list[Case]:
    agent = AGENT.public
    protected = cbor2.dumps(_header())
    good = _entry(protected)
    signature = good[-64:]
    head, tail = good[2 : 4 + len(protected)], b"\xa0\x58\x60" + PAYLOAD + b"\x58\x40" + signature
    long_head = b"\x59\x00" + head[1:]

    def build(*items: Any) -> bytes:
        return b"\xd2" + cbor2.dumps(list(items))

    cases = [
        ("no bytes", "not-cbor", b""),
        ("one byte short", "not-cbor", good[:-1]),
        ("a trailing byte", "trailing-byte", good + b"\0"),
        ("the same entry twice", "trailing-byte", good + good),
        ("tag 18 in two bytes", "not-deterministic", b"\xd8\x12" + good[1:]),
        ("array length in two bytes", "not-deterministic", b"\xd2\x98\x04" + good[2:]),
        ("header length in three bytes", "not-deterministic", b"\xd2\x84" + long_head + tail),
        (
            "payload length in three bytes",
            "not-deterministic",
            good.replace(b"\xa0\x58\x60", b"\xa0\x59\x00\x60"),
        ),
        ("array of indefinite length", "not-cbor", b"\xd2\x9f" + good[2:] + b"\xff"),
        (
            "payload of indefinite length",
            "not-cbor",
            b"\xd2\x84" + head + b"\xa0\x5f\x58\x60" + PAYLOAD + b"\xff\x58\x40" + signature,
        ),
        (
            "unprotected map of indefinite length",
            "not-cbor",
            good.replace(b"\xa0\x58", b"\xbf\xff\x58"),
        ),
        ("no tag", "not-cose-sign1", good[1:]),
        ("tag 98 (COSE_Sign)", "not-cose-sign1", b"\xd8\x62" + good[1:]),
        ("three items", "not-cose-sign1", build(protected, {}, PAYLOAD)),
        ("five items", "not-cose-sign1", build(protected, {}, PAYLOAD, signature, b"")),
        (
            "header as a map, not a byte string",
            "not-cose-sign1",
            build({1: -47}, {}, PAYLOAD, signature),
        ),
        (
            "unprotected header is an array",
            "not-cose-sign1",
            build(protected, [], PAYLOAD, signature),
        ),
        ("payload is text", "not-cose-sign1", build(protected, {}, "x" * 96, signature)),
        ("detached payload", "not-cose-sign1", build(protected, {}, None, signature)),
        (
            "unprotected kid",
            "unprotected-header",
            build(protected, {4: agent.kid}, PAYLOAD, signature),
        ),
        (
            "receipts still attached",
            "unprotected-header",
            build(protected, {394: [b"r"]}, PAYLOAD, signature),
        ),
        ("payload of 95 bytes", "wrong-length", _entry(protected, said=PAYLOAD[:-1])),
        ("payload of 97 bytes", "wrong-length", _entry(protected, said=PAYLOAD + b"\0")),
        ("empty payload", "wrong-length", _entry(protected, said=b"")),
        ("signature of 63 bytes", "wrong-length", build(protected, {}, PAYLOAD, signature[:-1])),
        (
            "signature of 65 bytes",
            "wrong-length",
            build(protected, {}, PAYLOAD, signature + b"\x1b"),
        ),
        ("no signature", "wrong-length", build(protected, {}, PAYLOAD, b"")),
        (
            "payload and header of two kinds",
            "kind-mismatch",
            _entry(cbor2.dumps(_header(c2=body.REFUSAL))),
        ),
    ]
    return [(name, reason, agent, data) for name, reason, data in cases]


def _headers() -> list[Case]:
    agent = AGENT.public
    good = cbor2.dumps(_header())
    claims = _header()[15]
    reordered = cbor2.dumps({3: 42, 1: agent.alg, 4: agent.kid, 15: claims})
    reversed_claims = cbor2.dumps(_header(h15={6: IAT, 2: body.DECISION, 1: agent.did}))
    cases = [
        ("empty header", "not-cbor", b""),
        ("header map not in order", "not-deterministic", reordered),
        ("claims not in order", "not-deterministic", reversed_claims),
        (
            "alg in three bytes",
            "not-deterministic",
            good.replace(b"\x01\x38\x2e", b"\x01\x39\x00\x2e", 1),
        ),
        (
            "content type in three bytes",
            "not-deterministic",
            good.replace(b"\x03\x18\x2a", b"\x03\x19\x00\x2a", 1),
        ),
        ("iat in nine bytes", "not-deterministic", good[:-5] + b"\x1b\0\0\0\0" + good[-4:]),
        ("header map of indefinite length", "not-cbor", b"\xbf" + good[1:] + b"\xff"),
        ("alg twice", "duplicate-key", b"\xa5\x01\x38\x2e" + good[1:]),
        ("iss twice", "duplicate-key", good.replace(b"\x0f\xa3", b"\x0f\xa4\x01\x60", 1)),
        ("a byte after the header map", "trailing-byte", good + b"\0"),
        ("header is an array", "bad-header", cbor2.dumps([1, 3, 4, 15])),
        ("no alg", "bad-header", cbor2.dumps(_without(_header(), 1))),
        ("no content type", "bad-header", cbor2.dumps(_without(_header(), 3))),
        ("no kid", "bad-header", cbor2.dumps(_without(_header(), 4))),
        ("no claims", "bad-header", cbor2.dumps(_without(_header(), 15))),
        ("a label more (16, typ)", "bad-header", cbor2.dumps(_header(h16="x"))),
        ("crit", "bad-header", cbor2.dumps({1: -47, 2: [15], 3: 42, 4: agent.kid, 15: claims})),
        ("wrong content type", "bad-header", cbor2.dumps(_header(h3=50))),
        ("content type as text", "bad-header", cbor2.dumps(_header(h3="application/octet-stream"))),
        ("claims are an array", "bad-header", cbor2.dumps(_header(h15=[1, 2, 6]))),
        ("no iss", "bad-header", cbor2.dumps(_header(h15=_without(claims, 1)))),
        ("no sub", "bad-header", cbor2.dumps(_header(h15=_without(claims, 2)))),
        ("no iat", "bad-header", cbor2.dumps(_header(h15=_without(claims, 6)))),
        (
            "a claim more (4, exp)",
            "bad-header",
            cbor2.dumps(_header(h15={1: agent.did, 2: body.DECISION, 4: IAT, 6: IAT})),
        ),
        ("iss as bytes", "bad-header", cbor2.dumps(_header(c1=agent.did.encode()))),
        ("sub as bytes", "bad-header", cbor2.dumps(_header(c2=body.DECISION.encode()))),
        (
            "iat as a half-precision float",
            "bad-header",
            cbor2.dumps(_header(c6=65536.0), canonical=True),
        ),
        ("iat is true", "bad-header", cbor2.dumps(_header(c6=True))),
        ("iat of two bytes", "bad-time", cbor2.dumps(_header(c6=0xFFFF))),
        ("iat of eight bytes", "bad-time", cbor2.dumps(_header(c6=1 << 32))),
        ("negative iat", "bad-time", cbor2.dumps(_header(c6=-IAT))),
        ("alg of another curve", "alg-mismatch", cbor2.dumps(_header(h1=-7))),
        ("alg as text", "alg-mismatch", cbor2.dumps(_header(h1="ES256K"))),
        ("kid of another key", "kid-mismatch", cbor2.dumps(_header(h4=THIEF.address))),
        ("kid padded to a word", "kid-mismatch", cbor2.dumps(_header(h4=bytes(12) + agent.kid))),
        ("kid is a thumbprint", "kid-mismatch", cbor2.dumps(_header(h4=sha256(agent.raw)))),
    ]
    result = [(name, reason, agent, _entry(data)) for name, reason, data in cases]
    stolen = cbor2.dumps(_header(c1=THIEF.public.did))
    result.append(("kid of the signer, iss of another", "kid-mismatch", agent, _entry(stolen)))
    short = cbor2.dumps(_header(DEVICE, h4=DEVICE.public.kid[:20]))
    result.append(("kid cut to 20 bytes", "kid-mismatch", DEVICE.public, _entry(short, key=DEVICE)))
    return result


def _names() -> list[Case]:
    agent = AGENT.public
    point = agent.raw

    def did(data: bytes) -> str:
        number, text = int.from_bytes(data), ""
        while number:
            number, digit = divmod(number, 58)
            text = _ALPHABET[digit] + text
        return "did:key:z" + text

    off_curve = b"\x02" + (5).to_bytes(32)  # 5^3 + 7 is no square modulo p
    cases = [
        ("another did method", "did:web:example.com"),
        ("did:key in base64url", "did:key:u" + "A" * 47),
        ("did:key with a fragment", agent.did + "#" + agent.did[8:]),
        ("empty did:key", "did:key:z"),
        ("a character that is no base58 digit", agent.did[:-1] + "0"),
        ("a needless leading 1", agent.did.replace("key:z", "key:z1")),
        ("multicodec of an X25519 key", did(b"\xec\x01" + point[1:])),
        ("a key of 32 bytes", did(b"\xe7\x01" + point[:-1])),
        ("an uncompressed key", did(b"\xe7\x01\x04" + point[1:] * 2)),
        ("a point not on secp256k1", did(b"\xe7\x01" + off_curve)),
        ("a coordinate above the field", did(b"\xe7\x01\x02" + b"\xff" * 32)),
        ("a point not on P-256", did(b"\x80\x24\x02" + (1).to_bytes(32))),
        ("did:key of 200 characters", agent.did + "z" * 143),
    ]
    return [(name, "bad-did", agent, _entry(cbor2.dumps(_header(c1=text)))) for name, text in cases]


def _signatures() -> list[Case]:
    cases: list[Case] = []
    keys: list[tuple[str, Key, int]] = [
        ("ES256K", AGENT, SECP256K1_ORDER),
        ("ES256", INSTITUTION, P256_ORDER),
    ]
    for name, key, order in keys:
        good = _entry(cbor2.dumps(_header(key)), key=key)
        public, start, signature = key.public, good[:-64], good[-64:]
        r, zero = signature[:32], bytes(32)
        cases += [
            (f"{name}: s in the upper half", "high-s", public, start + twin(signature, order)),
            (f"{name}: s is the order", "high-s", public, start + r + order.to_bytes(32)),
            (f"{name}: r is 0", "bad-signature", public, start + zero + signature[32:]),
            (f"{name}: s is 0", "bad-signature", public, start + r + zero),
            (
                f"{name}: r is the order",
                "bad-signature",
                public,
                start + order.to_bytes(32) + signature[32:],
            ),
            (f"{name}: all zero", "bad-signature", public, start + bytes(64)),
            (
                f"{name}: one bit of r",
                "bad-signature",
                public,
                start + bytes([r[0] ^ 1]) + signature[1:],
            ),
        ]
    protected = cbor2.dumps(_header())
    other = _entry(cbor2.dumps(_header(c6=IAT + 1)))[-64:]
    good = _entry(protected)
    cases += [
        ("the signature of another statement", "bad-signature", AGENT.public, good[:-64] + other),
        ("signed by a thief", "bad-signature", AGENT.public, _entry(protected, key=THIEF)),
        (
            "signed as a Signature with external data",
            "bad-signature",
            AGENT.public,
            good[:-64] + AGENT.sign(cbor2.dumps(["Signature1", protected, b"x", PAYLOAD])),
        ),
        (
            "the payload alone is signed",
            "bad-signature",
            AGENT.public,
            good[:-64] + AGENT.sign(PAYLOAD),
        ),
    ]
    device = _entry(cbor2.dumps(_header(DEVICE)), key=DEVICE)
    s = int.from_bytes(device[-32:], "little") + ED25519_ORDER
    cases += [
        (
            "EdDSA: S plus the order",
            "bad-signature",
            DEVICE.public,
            device[:-32] + s.to_bytes(32, "little"),
        ),
        ("EdDSA: one bit", "bad-signature", DEVICE.public, device[:-1] + bytes([device[-1] ^ 1])),
    ]
    return cases
