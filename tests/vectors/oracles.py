"""Ask independent implementations about the vectors: run in the environment of oracles.txt.

Writes oracle-results.json: what each implementation said of each vector, its version, and the
SHA-256 of each vector file it was asked about. Nothing here imports Affiant.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# These live only in the oracles' environment, so type checkers do not see them.
cbor2: Any = import_module("cbor2")
cwt: Any = import_module("cwt")
scitt_cose: Any = import_module("scitt_cose")
eth_abi: Any = import_module("eth_abi")
eth_account: Any = import_module("eth_account")
eth_messages: Any = import_module("eth_account.messages")
keccak: Any = import_module("eth_utils").keccak

FOLDER = Path(__file__).parent
PACKAGES = ("cbor2", "cryptography", "cwt", "eth-abi", "eth-account", "scitt-cose")
Said = dict[str, dict[str, Any]]


def read(name: str) -> Any:
    """Return a vector file's content."""
    return json.loads((FOLDER / name).read_bytes())


def accepts(question: Callable[[], object]) -> bool:
    """Return whether an implementation accepts; however it refuses, it refuses."""
    try:
        return question() is not False
    except Exception:  # noqa: BLE001 (each library has errors of its own)
        return False


def public_key(alg: int, raw: bytes) -> Any:
    """Return the key as an object of `cryptography`, from its raw or compressed form."""
    if alg == -8:
        return ed25519.Ed25519PublicKey.from_public_bytes(raw)
    curve = ec.SECP256K1() if alg == -47 else ec.SECP256R1()
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, raw)


def pem(alg: int, raw: bytes) -> str:
    """Return the key in PEM."""
    form = PublicFormat.SubjectPublicKeyInfo
    text: bytes = public_key(alg, raw).public_bytes(Encoding.PEM, form)
    return text.decode()


def cose_key(alg: int, raw: bytes) -> Any:
    """Return the key as cwt wants it: with its kid, without which cwt finds no key."""
    if alg == -8:
        members: dict[int, Any] = {1: 1, -1: 6, -2: raw}
    else:
        numbers = public_key(alg, raw).public_numbers()
        x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
        members = {1: 2, -1: 8 if alg == -47 else 1, -2: x, -3: y}
    if alg == -47:
        kid: bytes = keccak(members[-2] + members[-3])[12:]
    else:
        kid = hashlib.sha256(cbor2.dumps(members)).digest()
    return cwt.COSEKey.new({**members, 2: kid, 3: alg})


def statements() -> Said:
    """Cwt on every statement, scitt-cose on those whose algorithm it knows."""
    file = read("statement.json")
    said: Said = {case["name"]: _statement(case) for case in file["valid"] + file["invalid"]}
    for case in file["valid"]:
        leaf = scitt_cose.leaf_hash(case["entry"])
        said[case["name"]]["leaf (scitt-cose)"] = leaf == case["leaf"]
    return said


def _statement(case: dict[str, Any]) -> dict[str, Any]:
    entry, key, alg = bytes.fromhex(case["entry"]), bytes.fromhex(case["key"]), case["alg"]
    answers = {"cwt": accepts(lambda: cwt.COSE.new().decode(entry, cose_key(alg, key)))}
    if alg != -47:
        told = scitt_cose.parse_signed_statement(entry, public_key_pem=pem(alg, key))
        answers["scitt-cose"] = told["signature_verified"] is True
    return answers


def actions() -> Said:
    """eth-account on the digest of every action."""
    return {case["name"]: _action(case) for case in read("action.json")["valid"]}


def _action(case: dict[str, Any]) -> dict[str, Any]:
    value = case["action"]
    fields = {name: item for name, item in value.items() if name not in {"chainId", "mandate"}}
    fields |= {name: int(fields[name]) for name in ("nonce", "value")}
    message = typed_data(
        "Action",
        "uint32 epoch,uint256 nonce,bytes32 model,address target,uint256 value,bytes data,"
        "uint64 deadline,address relayer,bytes32 salt",
        {
            "name": "Affiant Mandate",
            "version": "1",
            "chainId": int(value["chainId"]),
            "verifyingContract": value["mandate"],
        },
        fields,
    )
    return {
        "domain (eth-account)": message.header.hex() == case["domain_separator"],
        "struct (eth-account)": message.body.hex() == case["struct_hash"],
        "digest (eth-account)": digest(message).hex() == case["digest"],
    }


def suspensions() -> Said:
    """eth-account on the digest of every suspension, hashlib on what warnings are about."""
    file = read("suspension.json")
    said: Said = {
        case["name"]: {"digest (eth-account)": stay_digest(case["suspension"]) == case["digest"]}
        for case in file["valid"]
    }
    for case in file["alerts"]:
        stay, suspect = case["content"]["suspension"], case["content"]["suspect"]
        if stay is None:
            own = hashlib.sha256(suspect.encode()).hexdigest()
            said[case["name"]] = {"subject (hashlib)": own == case["subject"]}
        else:
            said[case["name"]] = {"subject (eth-account)": stay_digest(stay) == case["subject"]}
    return said


def stay_digest(value: dict[str, Any]) -> str:
    """Return eth-account's digest of a suspension."""
    message = typed_data(
        "Suspension",
        "uint32 number,uint40 until",
        {
            "name": "Affiant Mandate",
            "version": "1",
            "chainId": int(value["chainId"]),
            "verifyingContract": value["mandate"],
        },
        {"number": value["number"], "until": value["until"]},
    )
    return digest(message).hex()


def typed_data(name: str, fields: str, domain: dict[str, Any], message: dict[str, Any]) -> Any:
    """Return eth-account's encoding of EIP-712 data."""
    types = [dict(zip(("type", "name"), field.split(), strict=True)) for field in fields.split(",")]
    return eth_messages.encode_typed_data(domain, {name: types}, message)


def digest(message: Any) -> bytes:
    """Return the digest that a signer of `message` signs."""
    result: bytes = keccak(b"\x19" + message.version + message.header + message.body)
    return result


def checkpoints() -> Said:
    """eth-abi on log ids; eth-account on digests and signers; `cryptography` on notes."""
    file = read("checkpoint.json")
    said: Said = {case["name"]: _policy(case) for case in file["policies"]}
    key = bytes.fromhex(file["key"])
    vkey_name, key_id, blob = file["vkey"].split("+")
    own_id = hashlib.sha256(vkey_name.encode() + b"\n\x01" + key).digest()[:4]
    said["vkey"] = {
        "hashlib": own_id.hex() == key_id and base64.b64decode(blob) == b"\x01" + key,
    }
    for case in file["checkpoints"]:
        message = typed_data(
            "Checkpoint",
            "bytes32 logId,uint64 size,bytes32 root",
            {"name": "Affiant Log", "version": "1"},
            {
                "logId": bytes.fromhex(file["log_id"]),
                "size": int(case["size"]),
                "root": bytes.fromhex(case["root"]),
            },
        )
        signer = eth_account.Account.recover_message(
            message, signature=bytes.fromhex(case["signature"])
        )
        said[case["name"]] = {
            "digest (eth-account)": digest(message).hex() == case["digest"],
            "signer (eth-account)": signer.lower() == case["signer"],
            "note (cryptography)": note_holds(case["note"], key),
        }
    for case in file["invalid_notes"]:
        said[case["name"]] = {
            "note (cryptography)": accepts(partial(note_holds, case["note"], key))
        }
    return said


def _policy(case: dict[str, Any]) -> dict[str, Any]:
    origin_hash = hashlib.sha256(case["origin"].encode()).digest()
    encoded = eth_abi.encode(
        ["bytes32", "address", "address[]", "uint256"],
        [origin_hash, case["signer"], case["witnesses"], case["threshold"]],
    )
    return {"log id (eth-abi)": keccak(encoded).hex() == case["log_id"]}


def note_holds(note: str, key: bytes) -> bool:
    """Return whether one signature line under the origin's name is by `key` over the text."""
    text, lines = note.split("\n\n")
    if not lines.endswith("\n"):
        return False
    for line in lines.splitlines():
        dash, name, blob = line.split(" ")
        if dash != "\u2014" or name != text.split("\n")[0]:
            continue
        public = ed25519.Ed25519PublicKey.from_public_bytes(key)
        try:
            public.verify(base64.b64decode(blob)[4:], f"{text}\n".encode())
        except InvalidSignature:
            continue
        return True
    return False


def merkle() -> Said:
    """scitt-cose on every root, inclusion path and consistency path."""
    file = read("merkle.json")
    leaves, roots = file["leaves"], file["roots"]
    said: Said = {
        f"root {size}": {"scitt-cose": scitt_cose.merkle_root(leaves[:size]) == roots[size]}
        for size in range(1, len(roots))
    }
    for case in file["inclusion"]:
        size, index = case["size"], case["index"]
        path = scitt_cose.inclusion_proof(leaves[:size], index)
        said[f"inclusion {index} of {size}"] = {"scitt-cose": path == case["path"]}
    for case in file["consistency"]:
        old, new = case["old"], case["new"]
        path = scitt_cose.consistency_proof(leaves, old, new)
        said[f"consistency {old} to {new}"] = {"scitt-cose": path == case["path"]}
    return said


def receipts() -> Said:
    """scitt-cose on every receipt, and on the Transparent Statement's receipts."""
    file = read("receipt.json")
    log_pem = pem(-8, bytes.fromhex(file["key"]))

    def check(receipt: str, index: int) -> bool:
        entry = file["entries"][index]
        result = scitt_cose.verify_receipt(
            bytes.fromhex(receipt), leaf_entry_hex=entry, log_public_key_pem=log_pem
        )
        return bool(result.ok and result.root == file["root"])

    said: Said = {
        f"receipt of entry {case['index']}": {"scitt-cose": check(case["receipt"], case["index"])}
        for case in file["valid"]
    }
    said |= {
        case["name"]: {"scitt-cose": accepts(partial(check, case["receipt"], 5))}
        for case in file["invalid"]
    }
    found = scitt_cose.extract_receipts(bytes.fromhex(file["transparent"]))
    said["transparent"] = {"scitt-cose": [found[0].hex()] == [file["valid"][5]["receipt"]]}
    return said


def bodies() -> Said:
    """Ask the standard library for sorted JSON and its SHA-256."""
    return {
        case["name"]: {
            "json": plain_json(json.loads(case["text"])) == case["text"],
            "hashlib": hashlib.sha256(case["text"].encode()).hexdigest() == case["digest"],
        }
        for case in read("body.json")["valid"]
    }


def plain_json(value: Any) -> str:
    """Return sorted JSON; the same as RFC 8785 where names are ASCII and there are no floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json() -> Said:
    """Python's own shortest digits for each number; equal values for each example."""
    file = read("jcs.json")
    said: Said = {}
    for case in file["numbers"]:
        (number,) = struct.unpack(">d", bytes.fromhex(case["ieee754"]))
        same = digits(repr(number)) == digits(case["canonical"])
        said[case["ieee754"]] = {"python": float(case["canonical"]) == number and same}
    for case in file["examples"]:
        said[case["name"]] = {"json": json.loads(case["input"]) == json.loads(case["canonical"])}
    return said


def digits(number: str) -> str:
    """Return a number's significant digits."""
    mantissa = number.lower().split("e")[0].lstrip("-").replace(".", "")
    return mantissa.strip("0")


def bundles() -> Said:
    """scitt-cose on the statements of each bundle, `cryptography` on its note."""
    return {
        case["name"]: _bundle(json.loads(case["text"]), case["text"])
        for case in read("bundle.json")["valid"]
    }


def _bundle(value: dict[str, Any], text: str) -> dict[str, Any]:
    key = bytes.fromhex(read("receipt.json")["key"])
    held = [base64.urlsafe_b64decode(data + "==") for data in value["statements"].values()]
    good = [
        scitt_cose.verify_receipt(
            scitt_cose.extract_receipts(data)[0],
            leaf_entry_hex=without_receipts(data).hex(),
            log_public_key_pem=pem(-8, key),
        ).ok
        for data in held
    ]
    return {
        "json": plain_json(value) == text,
        "receipts (scitt-cose)": all(good),
        "note (cryptography)": note_holds(value["checkpoint"], key),
    }


def without_receipts(transparent: bytes) -> bytes:
    """Return the entry inside a Transparent Statement."""
    protected, _, payload, signature = cbor2.loads(transparent).value
    entry: bytes = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))
    return entry


def main() -> None:
    """Ask every oracle and write what they said."""
    said = {
        "action.json": actions(),
        "body.json": bodies(),
        "bundle.json": bundles(),
        "checkpoint.json": checkpoints(),
        "jcs.json": canonical_json(),
        "merkle.json": merkle(),
        "receipt.json": receipts(),
        "statement.json": statements(),
        "suspension.json": suspensions(),
    }
    results = {
        "versions": {name: version(name) for name in PACKAGES},
        "files": {
            name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in sorted(said)
        },
        "said": said,
    }
    text = json.dumps(results, indent=1) + "\n"
    (FOLDER / "oracle-results.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
