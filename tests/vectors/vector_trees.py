"""Vectors of logs: ids, checkpoints, notes, the Merkle tree, receipts and the bundle."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import cbor2
from vector_alerts import BY_TWO, alert_body, guardian, suspending
from vector_alerts import bound as bound_suspension
from vector_documents import MANDATE, decision_body, terms
from vector_keys import AGENT, IAT, LOG, LOG_SIGNER, ORIGIN, OTHER_LOG, POLICY, WITNESSES, twin

from affiant.kernel import body, receipt, statement
from affiant.kernel.bundle import Bundle
from affiant.kernel.checkpoint import (
    Checkpoint,
    LogPolicy,
    note_key_id,
    sign_note,
    verifier_key,
)
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.mandate import Terms
from affiant.kernel.model import commitment

# The leaves and roots of certificate-transparency's Merkle tree tests (RFC 6962 trees).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# RFC 9162 section 2.1.5: which nodes of its seven-leaf tree each proof holds, as leaf ranges.
# a..f and j are leaves; g = [0,2), h = [2,4), i = [4,6), k = [0,4), l = [4,7).
_RFC_PATHS = {0: ["b", "h", "l"], 3: ["c", "g", "l"], 4: ["f", "j", "k"], 6: ["i", "k"]}
_RFC_CONSISTENCY = {3: ["c", "d", "g", "l"], 4: ["l"], 6: ["i", "j", "k"]}
_RFC_NODES = {
    "a": [0, 1], "b": [1, 2], "c": [2, 3], "d": [3, 4], "e": [4, 5], "f": [5, 6], "g": [0, 2],
    "h": [2, 4], "i": [4, 6], "j": [6, 7], "k": [0, 4], "l": [4, 7],
}  # fmt: skip


def tree_root(leaves: list[bytes]) -> bytes:
    """Return MTH of RFC 9162 section 2.1.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + tree_root(leaves[:k]) + tree_root(leaves[k:])).digest()


def tree_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """Return PATH of RFC 9162 section 2.1.3.1, as it is written there."""
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < k:
        return [*tree_path(index, leaves[:k]), tree_root(leaves[k:])]
    return [*tree_path(index - k, leaves[k:]), tree_root(leaves[:k])]


def tree_consistency(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """Return SUBPROOF of RFC 9162 section 2.1.4.1, as it is written there."""
    if old == len(leaves):
        return [] if whole else [tree_root(leaves)]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if old <= k:
        return [*tree_consistency(old, leaves[:k], whole=whole), tree_root(leaves[k:])]
    return [*tree_consistency(old - k, leaves[k:], whole=False), tree_root(leaves[:k])]


def trees() -> dict[str, Any]:
    """Return the content of merkle.json."""
    roots = [tree_root(LEAVES[:size]).hex() for size in range(len(LEAVES) + 1)]
    if roots != PUBLISHED_ROOTS:
        raise AssertionError("the published roots are not those of RFC 9162's definition")
    sizes = range(1, len(LEAVES) + 1)
    return {
        "leaves": [leaf.hex() for leaf in LEAVES],
        "roots": roots,
        "inclusion": [
            {"size": size, "index": index, "path": _hex(tree_path(index, LEAVES[:size]))}
            for size in sizes
            for index in range(size)
        ],
        "consistency": [
            {"old": old, "new": new, "path": _hex(tree_consistency(old, LEAVES[:new]))}
            for new in sizes
            for old in range(1, new + 1)
        ],
        "rfc9162_section_2_1_5": {
            "nodes": _RFC_NODES,
            "paths": {str(index): names for index, names in _RFC_PATHS.items()},
            "consistency": {str(old): names for old, names in _RFC_CONSISTENCY.items()},
        },
    }


def _hex(hashes: list[bytes]) -> list[str]:
    return [value.hex() for value in hashes]


def checkpoints() -> dict[str, Any]:
    """Return the content of checkpoint.json."""
    policies = [
        ("two of three witnesses", POLICY),
        ("no witness", LogPolicy(ORIGIN, LOG_SIGNER.address)),
        ("one witness, not asked", LogPolicy(ORIGIN, LOG_SIGNER.address, POLICY.witnesses[:1], 0)),
        ("another origin", LogPolicy("log.example/other", LOG_SIGNER.address, POLICY.witnesses, 2)),
        ("an origin that is not ASCII", LogPolicy("b\u00fccher.example/log", LOG_SIGNER.address)),
    ]
    heads = [
        ("eight leaves", Checkpoint(ORIGIN, 8, bytes.fromhex(PUBLISHED_ROOTS[8]))),
        ("no leaf", Checkpoint(ORIGIN, 0, bytes.fromhex(PUBLISHED_ROOTS[0]))),
        ("nearly 10^19 leaves", Checkpoint(ORIGIN, 10**19 - 1, sha256(b"huge"))),
    ]
    return {
        "policies": [_policy(name, policy) for name, policy in policies],
        "invalid_policies": _bad_policies(),
        "key": LOG.public.raw.hex(),
        "did": LOG.public.did,
        "key_id": note_key_id(ORIGIN, LOG.public).hex(),
        "vkey": verifier_key(ORIGIN, LOG.public),
        "log_id": POLICY.log_id.hex(),
        "checkpoints": [_checkpoint(name, head) for name, head in heads],
        "invalid_notes": [
            {"name": name, "reason": reason, "note": note}
            for name, reason, note in _bad_notes(sign_note(heads[0][1], LOG))
        ],
    }


def _policy(name: str, policy: LogPolicy) -> dict[str, Any]:
    return {
        "name": name,
        "origin": policy.origin,
        "origin_hash": policy.origin_hash.hex(),
        "signer": to_hex(policy.signer),
        "witnesses": [to_hex(witness) for witness in policy.witnesses],
        "threshold": policy.threshold,
        "log_id": policy.log_id.hex(),
    }


def _bad_policies() -> list[dict[str, Any]]:
    first, second, third = (to_hex(witness) for witness in POLICY.witnesses)
    cases: list[tuple[str, str, str, list[str], int]] = [
        ("empty origin", "bad-origin", "", [], 0),
        ("space in the origin", "bad-origin", "log example", [], 0),
        ("line end in the origin", "bad-origin", "log\nexample", [], 0),
        ("plus in the origin", "bad-origin", "log+example", [], 0),
        ("witnesses not ascending", "bad-policy", ORIGIN, [second, first, third], 2),
        ("a witness twice", "bad-policy", ORIGIN, [first, first], 1),
        ("a threshold that cannot be met", "bad-policy", ORIGIN, [first], 2),
        ("a negative threshold", "bad-policy", ORIGIN, [first], -1),
    ]
    names = ("name", "reason", "origin", "witnesses", "threshold")
    return [dict(zip(names, case, strict=True)) for case in cases]


def _checkpoint(name: str, head: Checkpoint) -> dict[str, Any]:
    digest = head.digest(POLICY.log_id)
    return {
        "name": name,
        "size": str(head.size),
        "root": head.root.hex(),
        "note": sign_note(head, LOG),
        "digest": digest.hex(),
        "signer": to_hex(LOG_SIGNER.address),
        "signature": LOG_SIGNER.sign_digest(digest).hex(),
        "witness_signatures": [key.sign_digest(digest).hex() for key in WITNESSES[:2]],
        "high_s_twin": twin(LOG_SIGNER.sign_digest(digest), _ORDER).hex(),
    }


_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _bad_notes(good: str) -> list[tuple[str, str, str]]:
    text, signature = good.split("\n\n")
    origin, size, root = text.split("\n")
    name, blob = signature.rsplit(" ", 1)
    raw = base64.b64decode(blob)
    other = base64.b64encode(
        note_key_id(ORIGIN, LOG.public) + OTHER_LOG.sign(text.encode())
    ).decode()
    strange = sign_note(Checkpoint(ORIGIN, 8, bytes.fromhex(root_hex(root))), OTHER_LOG)
    return [
        ("no text", "bad-note", ""),
        ("no signature", "bad-note", text + "\n"),
        ("no line end", "bad-note", good[:-1]),
        ("other line ends", "bad-note", good.replace("\n", "\r\n")),
        ("an extension line", "bad-note", good.replace("\n\n", "\nextension\n\n")),
        ("no root", "bad-note", f"{origin}\n{size}\n\n{signature}"),
        ("a leading zero", "bad-note", good.replace("\n8\n", "\n08\n")),
        ("a sign", "bad-note", good.replace("\n8\n", "\n+8\n")),
        ("other digits", "bad-note", good.replace("\n8\n", "\n\u0668\n")),
        ("a size of 20 digits", "bad-note", good.replace("\n8\n", "\n" + "1" * 20 + "\n")),
        (
            "a root of 31 bytes",
            "bad-note",
            good.replace(root, base64.b64encode(bytes(31)).decode()),
        ),
        ("a root that is not base64", "bad-note", good.replace(root, "*" + root[1:])),
        ("a hyphen for the dash", "bad-note", good.replace("\u2014", "-")),
        ("signed by another name", "bad-note", good.replace("\u2014 log.", "\u2014 lag.")),
        ("signed by another key only", "bad-note", strange),
        ("another size", "bad-signature", good.replace("\n8\n", "\n9\n")),
        ("another key under this key's id", "bad-signature", f"{text}\n\n{name} {other}\n"),
        (
            "one bit of the signature",
            "bad-signature",
            f"{text}\n\n{name} {base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()}\n",
        ),
        (
            "a signature of 63 bytes",
            "wrong-length",
            f"{text}\n\n{name} {base64.b64encode(raw[:-1]).decode()}\n",
        ),
    ]


def root_hex(root: str) -> str:
    """Return a note's root in hexadecimal."""
    return base64.b64decode(root).hex()


def decision() -> statement.Statement:
    """Return the decision over the body of the worked example."""
    said = decision_body()
    subject = body.action(said.content["action"]).digest  # type: ignore[attr-defined]
    return statement.sign(body.DECISION, subject, said.digest, AGENT, IAT)


def _log_entries() -> list[bytes]:
    return [*LEAVES[:5], decision().entry, *LEAVES[6:]]


def receipts() -> dict[str, Any]:
    """Return the content of receipt.json: the decision as leaf 5 of a tree of eight."""
    entries = _log_entries()
    root = tree_root(entries)
    signed = receipt.sign_root(ORIGIN, root, LOG)
    made = receipt.Receipt(8, 5, tuple(tree_path(5, entries)), signed)
    encoded = made.encode(ORIGIN, LOG.public)
    entry = decision().entry
    return {
        "origin": ORIGIN,
        "key": LOG.public.raw.hex(),
        "did": LOG.public.did,
        "protected": receipt.protected_header(ORIGIN, LOG.public).hex(),
        "entries": [item.hex() for item in entries],
        "root": root.hex(),
        "sig_structure": statement.sig_structure(
            receipt.protected_header(ORIGIN, LOG.public), root
        ).hex(),
        "valid": [_receipt(index, entries, signed) for index in range(len(entries))],
        "transparent": receipt.transparent(entry, [encoded]).hex(),
        "invalid": [
            {"name": name, "reason": reason, "receipt": data.hex()}
            for name, reason, data in _bad_receipts(made, encoded)
        ],
        "invalid_transparent": [
            {"name": name, "reason": reason, "transparent": data.hex()}
            for name, reason, data in _bad_transparent(entry, encoded)
        ],
    }


def _receipt(index: int, entries: list[bytes], signed: bytes) -> dict[str, Any]:
    made = receipt.Receipt(8, index, tuple(tree_path(index, entries)), signed)
    return {"index": index, "receipt": made.encode(ORIGIN, LOG.public).hex()}


def _bad_receipts(good: receipt.Receipt, encoded: bytes) -> list[tuple[str, str, bytes]]:
    protected = receipt.protected_header(ORIGIN, LOG.public)
    path = list(good.path)

    def build(
        proof: Any,
        *,
        label: int = -1,
        payload: bytes | None = None,
        more: dict[int, Any] | None = None,
        head: bytes = protected,
    ) -> bytes:
        unprotected = {396: {label: [proof if isinstance(proof, bytes) else cbor2.dumps(proof)]}}
        items = [head, {**unprotected, **(more or {})}, payload, good.signature]
        return b"\xd2" + cbor2.dumps(items)

    def header(**changes: Any) -> bytes:
        value: dict[int, Any] = {
            1: -8,
            4: LOG.public.kid,
            15: {1: LOG.public.did, 2: ORIGIN},
            395: 1,
        }
        value.update({int(label[1:]): item for label, item in changes.items()})
        return cbor2.dumps({label: item for label, item in value.items() if item is not None})

    proof = [8, 5, path]
    lie = [8, 5, [path[0], path[1], sha256(b"lie")]]
    return [
        ("no bytes", "not-cbor", b""),
        ("a trailing byte", "trailing-byte", encoded + b"\0"),
        (
            "of another log's key",
            "foreign-receipt",
            build(proof, head=receipt.protected_header(ORIGIN, OTHER_LOG.public)),
        ),
        (
            "of another origin",
            "foreign-receipt",
            build(proof, head=receipt.protected_header("log.example/other", LOG.public)),
        ),
        ("another tree algorithm", "foreign-receipt", build(proof, head=header(h395=2))),
        ("no tree algorithm", "foreign-receipt", build(proof, head=header(h395=None))),
        ("attached root", "bad-receipt", build(proof, payload=bytes(32))),
        ("a consistency proof", "bad-receipt", build([5, 8, path], label=-2)),
        ("no proof", "bad-receipt", b"\xd2" + cbor2.dumps([protected, {}, None, good.signature])),
        (
            "no proof in the list",
            "bad-receipt",
            b"\xd2" + cbor2.dumps([protected, {396: {-1: []}}, None, good.signature]),
        ),
        (
            "two proofs",
            "bad-receipt",
            b"\xd2"
            + cbor2.dumps([protected, {396: {-1: [cbor2.dumps(proof)] * 2}}, None, good.signature]),
        ),
        (
            "a proof that is not in a byte string",
            "not-cbor",
            b"\xd2" + cbor2.dumps([protected, {396: {-1: [proof]}}, None, good.signature]),
        ),
        ("a label more", "bad-receipt", build(proof, more={397: 0})),
        ("index as large as the tree", "bad-receipt", build([8, 8, path])),
        ("negative index", "bad-receipt", build([8, -1, path])),
        ("index as a float", "bad-receipt", build(cbor2.dumps([8, 5.0, path], canonical=True))),
        ("size of 2^63", "bad-receipt", build([1 << 63, 5, path])),
        ("a hash of 31 bytes", "bad-receipt", build([8, 5, [*path[:2], path[2][:-1]]])),
        ("64 hashes", "bad-receipt", build([8, 5, path * 22])),
        ("a path that is no list", "bad-receipt", build([8, 5, b"".join(path)])),
        ("four items in the proof", "bad-receipt", build([*proof, 0])),
        (
            "a size in three bytes",
            "not-deterministic",
            build(b"\x83\x19\x00\x08" + cbor2.dumps(proof)[2:]),
        ),
        ("a byte after the proof", "trailing-byte", build(cbor2.dumps(proof) + b"\0")),
        ("one hash too few", "bad-path", build([8, 5, path[:2]])),
        ("one hash too many", "bad-path", build([8, 5, [*path, path[0]]])),
        ("another hash", "bad-signature", build(lie)),
        ("another index", "bad-signature", build([8, 4, path])),
        ("a shorter signature", "wrong-length", encoded[:-66] + b"\x58\x3f" + encoded[-64:-1]),
        ("one bit of the signature", "bad-signature", encoded[:-1] + bytes([encoded[-1] ^ 1])),
    ]


def _bad_transparent(entry: bytes, encoded: bytes) -> list[tuple[str, str, bytes]]:
    tag = cbor2.loads(entry)
    protected, _, said, signature = tag.value

    def build(unprotected: dict[int, Any]) -> bytes:
        return b"\xd2" + cbor2.dumps([protected, unprotected, said, signature])

    return [
        ("no receipts", "bad-receipt", entry),
        ("receipts as one byte string", "bad-receipt", build({394: encoded})),
        ("another unprotected label", "bad-receipt", build({394: [encoded], 395: 1})),
        (
            "a byte after the Transparent Statement",
            "trailing-byte",
            build({394: [encoded]}) + b"\0",
        ),
        ("no COSE_Sign1", "not-cose-sign1", b"\x80"),
    ]


def bundles() -> dict[str, Any]:
    """Return the content of bundle.json."""
    first = _bundle(_log_entries(), [5], terms(), []).encode().decode()
    watched = [*_log_entries()[:6], suspending().entry, LEAVES[7]]
    stay = bound_suspension().suspension
    done = {
        "alert": to_hex(suspending().leaf),
        "number": stay.number,
        "until": stay.until,
        "transaction": to_hex(sha256(b"affiant vectors: suspension")),
    }
    second = _bundle(watched, [5, 6], terms(guardian=guardian()), [done]).encode().decode()
    return {
        "valid": [
            {"name": "one decision, its body and one disclosed input", "text": first},
            {"name": "the same, and an alert that suspended the agent", "text": second},
        ],
        "invalid": [
            {"name": name, "reason": reason, "text": value}
            for name, reason, value in _bad(first) + _bad_chain(second)
        ],
    }


def _bundle(
    entries: list[bytes], held: list[int], granted: Terms, stays: list[dict[str, Any]]
) -> Bundle:
    root = tree_root(entries)
    head, signed = Checkpoint(ORIGIN, 8, root), receipt.sign_root(ORIGIN, root, LOG)
    proofs = {
        index: receipt.Receipt(8, index, tuple(tree_path(index, entries)), signed) for index in held
    }
    seen, salt = b'{"days":"3"}', sha256(b"affiant vectors: observation salt")
    said = [decision_body(), alert_body(BY_TWO)][: len(held)]
    return Bundle(
        origin=ORIGIN,
        key=LOG.public.did,
        signer=LOG_SIGNER.address,
        witnesses=POLICY.witnesses,
        threshold=POLICY.threshold,
        note=sign_note(head, LOG),
        signature=LOG_SIGNER.sign_digest(head.digest(POLICY.log_id)),
        statements={
            index: receipt.transparent(entries[index], [proof.encode(ORIGIN, LOG.public)])
            for index, proof in proofs.items()
        },
        bodies={item.digest: item.encoded for item in said},
        data={commitment(salt, seen): (salt, seen)},
        chain={
            "chainId": "31337",
            "anchors": [
                {
                    "size": 8,
                    "root": to_hex(root),
                    "block": 12,
                    "transaction": to_hex(sha256(b"affiant vectors: anchor transaction")),
                    "consistency": None,
                }
            ],
            "mandates": {
                to_hex(MANDATE): {
                    "terms": granted.to_json(),
                    "executions": [
                        {
                            "decision": to_hex(decision().leaf),
                            "subject": to_hex(decision().subject),
                            "nonce": "0",
                            "transaction": to_hex(sha256(b"affiant vectors: transaction")),
                            "block": to_hex(sha256(b"affiant vectors: block")),
                            "number": 13,
                            "gas": 91000,
                        }
                    ],
                    "cancelled": [],
                    "suspensions": stays,
                }
            },
            "whole": True,
        },
    )


def _bad(good: str) -> list[tuple[str, str, str]]:
    return [
        ("no object", "bad-bundle", "[]"),
        ("another format", "bad-bundle", good.replace("bundle/v1", "bundle/v2")),
        ("a field more", "bad-bundle", good.replace('"origin"', '"note":"","origin"', 1)),
        ("no key", "bad-bundle", good.replace(f'"key":"{LOG.public.did}",', "", 1)),
        ("origin is no text", "bad-bundle", good.replace(f'"origin":"{ORIGIN}"', '"origin":1', 1)),
        (
            "statements as a list",
            "bad-bundle",
            _replace(good, '"statements":{', "}", '"statements":[]'),
        ),
        ("a log index with a leading zero", "bad-bundle", good.replace('"5":"', '"05":"', 1)),
        ("a log index that is no number", "bad-bundle", good.replace('"5":"', '"five":"', 1)),
        (
            "a signer of 32 bytes",
            "wrong-length",
            good.replace(to_hex(LOG_SIGNER.address), "0x" + "ab" * 32),
        ),
        (
            "a signer in upper case",
            "not-hex",
            good.replace(to_hex(LOG_SIGNER.address), "0x" + "AB" * 20),
        ),
        ("chain without chainId", "bad-content", good.replace('"chainId":"31337",', "", 1)),
        ("chain id as a number", "bad-content", good.replace('"31337"', "31337", 1)),
        ("a salt with padding", "not-base64url", good.replace('"salt":"', '"salt":"=', 1)),
        ("white space", "not-canonical", good.replace(",", ", ", 1)),
        ("a name twice", "duplicate-key", good.replace('{"bodies"', '{"bodies":{},"bodies"', 1)),
    ]


def _bad_chain(good: str) -> list[tuple[str, str, str]]:
    """Faults in what the chain is said to have done to a mandate with a guardian."""
    stay = bound_suspension().suspension
    until = f'"until":{stay.until}'
    first = good.index('"suspensions":[')
    end = good.index("]", first) + 1
    return [
        (
            "suspensions left out",
            "bad-content",
            good[: first - 1] + good[good.index(',"terms"', first) :],
        ),
        (
            "suspensions as an object",
            "bad-content",
            f'{good[:first]}"suspensions":{{}}{good[end:]}',
        ),
        (
            "a suspension that ends at text",
            "bad-content",
            good.replace(until, f'"until":"{stay.until}"', 1),
        ),
        ("a suspension without transaction", "bad-content", _without_transaction(good, first)),
        (
            "a guardian bound to nothing",
            "bad-terms",
            good.replace('"limit":86400', '"limit":604800', 1),
        ),
    ]


def _without_transaction(text: str, first: int) -> str:
    start = text.index(',"transaction"', first)
    return text[:start] + text[text.index(',"until"', start) :]


def _replace(text: str, start: str, end: str, new: str) -> str:
    first = text.index(start)
    return text[:first] + new + text[text.index(end, first) + 1 :]
