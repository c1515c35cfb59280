"""Vectors of canonical JSON, bodies, actions and mandates."""

from __future__ import annotations

import json
from typing import Any

from vector_keys import AGENT, IAT, ORIGIN, POLICY, THIEF, WITNESSES

from affiant.kernel import body, mandate
from affiant.kernel.action import Action, BoundAction, domain_separator
from affiant.kernel.encoding import b64url, sha256, to_hex, word
from affiant.kernel.errors import MandateRefused
from affiant.kernel.statement import header_prefix

AT = body.moment(IAT)
SALT = bytes(range(16))
TOKEN = bytes.fromhex("70ce1171000000000000000000000000000000aa")
SUPPLIER = bytes.fromhex("5099117e000000000000000000000000000000bb")
MANDATE = bytes.fromhex("3a4da7e0000000000000000000000000000000cc")
ANCHOR = bytes.fromhex("a4c40700000000000000000000000000000000dd")
TRANSFER = bytes.fromhex("a9059cbb")
MODEL = sha256(b"affiant vectors: model")
LOG_ID = POLICY.log_id


def transfer(amount: int, *, to: bytes = SUPPLIER) -> bytes:
    """Return the calldata of an ERC-20 transfer."""
    return TRANSFER + word(to) + word(amount)


def action(**changes: Any) -> Action:
    """Return the action of the worked example, with fields replaced."""
    fields: dict[str, Any] = {
        "epoch": 0,
        "nonce": 0,
        "model": MODEL,
        "target": TOKEN,
        "value": 0,
        "data": transfer(250),
        "deadline": IAT + 600,
        "relayer": bytes(20),
        "salt": sha256(b"affiant vectors: action salt"),
    }
    return Action(**{**fields, **changes})


def bound(chain_id: int = 31337, **changes: Any) -> BoundAction:
    """Return the worked example's action, bound to a chain and its mandate."""
    return BoundAction(chain_id, MANDATE, action(**changes))


# RFC 8785: sections 3.2.2 and 3.2.3 (input, canonical output), and the numbers of appendix B.
_NUMBERS_AND_TEXT = """{
  "numbers": [333333333.33333329, 1E30, 4.50,
              2e-3, 0.000000000000000000000000001],
  "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
  "literals": [null, true, false]
}"""
_NUMBERS_AND_TEXT_CANONICAL = (
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
)
_NAMES = """{
  "\\u20ac": "Euro Sign",
  "\\r": "Carriage Return",
  "\\ufb33": "Hebrew Letter Dalet With Dagesh",
  "1": "One",
  "\\ud83d\\ude00": "Emoji: Grinning Face",
  "\\u0080": "Control",
  "\\u00f6": "Latin Small Letter O With Diaeresis"
}"""
_NAMES_CANONICAL = (
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control",'
    '"\u00f6":"Latin Small Letter O With Diaeresis","\u20ac":"Euro Sign",'
    '"\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
)
_RFC_EXAMPLES = [
    ("RFC 8785 section 3.2.2", _NUMBERS_AND_TEXT, _NUMBERS_AND_TEXT_CANONICAL),
    ("RFC 8785 section 3.2.3", _NAMES, _NAMES_CANONICAL),
]
# Ours, each with the purpose of a sample in the RFC authors' test suite.
_OWN_EXAMPLES = [
    (
        "arrays keep their order",
        '[ 56, { "d": true, "10": null, "1": [ ] } ]',
        '[56,{"1":[],"10":null,"d":true}]',
    ),
    (
        "accented names sort by code unit, not by language",
        '{ "r\u00f4le": 1, "rose": 2, "role": 3, "r\u00f4les": 4 }',
        '{"role":3,"rose":2,"r\u00f4le":1,"r\u00f4les":4}',
    ),
    (
        "names sort at every level",
        '{ "1": {"f": {"F": 5, "f": "hi"}, "\\n": 56.0}, "10": {}, "": "empty", "a": {}, "A": {} }',
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"A":{},"a":{}}',
    ),
    ("text is not normalized", '{ "Unnormalized": "A\\u030a" }', '{"Unnormalized":"A\u030a"}'),
    (
        "control characters have one escape each",
        '"\\u0000\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u001f\\u007f\\u2028<\\/script>"',
        '"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\u007f\u2028</script>"',
    ),
]
_NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def canonical_json() -> dict[str, Any]:
    """Return the content of jcs.json."""
    valid = [
        {"name": name, "input": text, "canonical": canonical}
        for name, text, canonical in (*_RFC_EXAMPLES, *_OWN_EXAMPLES)
    ]
    invalid = [
        ("white space", "not-canonical", b'{"a": 1}'),
        ("names not in order", "not-canonical", b'{"b":1,"a":2}'),
        ("a needless escape", "not-canonical", b'"\\u0041"'),
        ("an upper-case escape", "not-canonical", b'"\\u000B"'),
        ("an escaped solidus", "not-canonical", b'"\\/"'),
        ("a number with a needless fraction", "not-canonical", b"1.0"),
        ("a number with a needless exponent", "not-canonical", b"1e2"),
        ("minus zero", "not-canonical", b"-0"),
        ("minus zero with a fraction", "not-canonical", b"-0.0"),
        ("a name twice", "duplicate-key", b'{"a":1,"a":1}'),
        ("a name twice, once escaped", "duplicate-key", b'{"a":1,"\\u0061":1}'),
        ("a name twice, further down", "duplicate-key", b'[{"x":{"a":1,"a":2}}]'),
        ("no bytes", "not-json", b""),
        ("two values", "not-json", b"1 2"),
        ("a byte order mark", "not-json", b"\xef\xbb\xbf1"),
        ("no UTF-8", "not-json", b'"\xff"'),
        ("UTF-8 of a surrogate", "not-json", b'"\xed\xa0\x80"'),
        ("half a surrogate pair", "not-json", b'"\\ud83d"'),
        ("NaN", "not-json", b"NaN"),
        ("Infinity", "not-json", b"Infinity"),
        ("a number above the largest double", "not-json", b"1e400"),
        ("an integer of 5,000 digits", "not-json", b"1" * 5000),
        ("nesting of 2,000 levels", "not-json", b"[" * 2000 + b"]" * 2000),
    ]
    return {
        "examples": valid,
        "numbers": [{"ieee754": bits, "canonical": text} for bits, text in _NUMBERS.items()],
        "not_numbers": ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"],
        "invalid": [_bytes_case(*case) for case in invalid],
    }


def _bytes_case(name: str, reason: str, data: bytes) -> dict[str, Any]:
    """Show text as it is, other bytes in hexadecimal; long repetition is not spelled out."""
    if len(data) > 1000 and len(set(data)) <= 2:
        pieces = [data[:1], data[-1:]] if data[:1] != data[-1:] else [data[:1]]
        count = len(data) // len(pieces)
        return {
            "name": name,
            "reason": reason,
            "repeat": [p.decode() for p in pieces],
            "count": count,
        }
    try:
        return {"name": name, "reason": reason, "text": data.decode()}
    except UnicodeDecodeError:
        return {"name": name, "reason": reason, "hex": data.hex()}


def decision_body(**changes: Any) -> body.Body:
    """Return the body of the worked example, with fields of its content replaced."""
    content: dict[str, Any] = {
        "action": bound().to_json(),
        "mandate": to_hex(MANDATE),
        "model": to_hex(MODEL),
        "inputs": [to_hex(sha256(b"affiant vectors: stock level"))],
        "output": {"order": "250"},
        "reason": "stock covers 3 days, the supplier needs 5",
        "confidence": "0.93",
        "seed": None,
    }
    because = (body.Reference(LOG_ID, sha256(b"affiant vectors: observation leaf")),)
    return body.Body(body.DECISION, AT, SALT, {**content, **changes}, because)


def bodies() -> dict[str, Any]:
    """Return the content of body.json."""
    reference = (body.Reference(LOG_ID, sha256(b"affiant vectors: decision leaf")),)
    refusal: dict[str, Any] = {
        "action": None,
        "mandate": to_hex(MANDATE),
        "model": to_hex(MODEL),
        "inputs": [],
        "output": None,
        "rule": "UnsureForecast",
        "reason": "the interval is wider than the stock",
    }
    policy = {
        "origin": ORIGIN,
        "signer": to_hex(THIEF.address),
        "witnesses": [to_hex(key.address) for key in WITNESSES],
        "threshold": 2,
        "kinds": sorted(body.CORE_KINDS),
        "issuers": {},
        "custody": {},
        "retention": "P10Y",
    }
    valid = [
        ("a decision", decision_body()),
        ("a decision without confidence, with a seed", decision_body(confidence=None, seed=7)),
        ("a refusal without an action", body.Body(body.REFUSAL, AT, SALT, refusal, reference)),
        ("a policy", body.Body(body.POLICY, AT, SALT, policy)),
        (
            "a key",
            body.Body(
                body.KEY, AT, SALT, {"did": AGENT.public.did, "purpose": "agent", "effective": 1}
            ),
        ),
    ]
    return {
        "valid": [
            {
                "name": name,
                "kind": item.kind,
                "text": item.encoded.decode(),
                "digest": item.digest.hex(),
            }
            for name, item in valid
        ],
        "invalid": [_bytes_case(*case) for case in _bad_bodies()],
    }


def _bad_bodies() -> list[tuple[str, str, bytes]]:
    good = json.loads(decision_body().encoded)

    def changed(**fields: Any) -> bytes:
        return _plain({**good, **fields})

    def content(**fields: Any) -> bytes:
        return changed(content={**good["content"], **fields})

    def without(name: str) -> bytes:
        return changed(content={k: v for k, v in good["content"].items() if k != name})

    call = good["content"]["action"]
    item = good["because"][0]
    return [
        ("not an object", "bad-body", b"[]"),
        ("no salt", "bad-body", _plain({k: v for k, v in good.items() if k != "salt"})),
        ("a field more", "bad-body", changed(version=1)),
        ("a kind nobody knows", "unknown-kind", changed(kind="affiant/decision/v2")),
        ("kind is no text", "bad-body", changed(kind=["affiant/decision/v1"])),
        ("kind is null", "bad-body", changed(kind=None)),
        ("salt of 15 bytes", "wrong-length", changed(salt=b64url(SALT[:15]))),
        ("salt of 17 bytes", "wrong-length", changed(salt=b64url(SALT + b"x"))),
        ("salt with padding", "not-base64url", changed(salt=b64url(SALT) + "==")),
        ("salt in plain base64", "not-base64url", changed(salt="+" * 22)),
        (
            "salt whose unused bits are not zero",
            "not-base64url",
            changed(salt=b64url(SALT)[:-1] + "x"),
        ),
        ("salt is no text", "not-base64url", changed(salt=7)),
        ("time with an offset", "bad-time", changed(at="2027-01-15T08:00:00+00:00")),
        ("time with a fraction", "bad-time", changed(at="2027-01-15T08:00:00.5Z")),
        ("time without zone", "bad-time", changed(at="2027-01-15T08:00:00")),
        ("the 30th of February", "bad-time", changed(at="2027-02-30T08:00:00Z")),
        ("a leap second", "bad-time", changed(at="2016-12-31T23:59:60Z")),
        ("time as a number", "bad-time", changed(at=IAT)),
        ("because is no list", "bad-body", changed(because={})),
        ("a reference without log", "bad-body", changed(because=[{"leaf": item["leaf"]}])),
        ("a reference with an index", "bad-body", changed(because=[{**item, "index": 3}])),
        (
            "a leaf of 31 bytes",
            "wrong-length",
            changed(because=[{**item, "leaf": item["leaf"][:-2]}]),
        ),
        ("a leaf in upper case", "not-hex", changed(because=[{**item, "leaf": "0x" + "AB" * 32}])),
        ("a leaf without 0x", "not-hex", changed(because=[{**item, "leaf": "ab" * 32}])),
        ("content is a list", "bad-body", changed(content=[])),
        ("content lacks a field", "bad-content", without("reason")),
        ("content has a field more", "bad-content", content(note="")),
        ("reason is null", "bad-content", content(reason=None)),
        ("confidence as a number", "bad-content", content(confidence=0.5)),
        ("confidence with a needless zero", "bad-content", content(confidence="0.50")),
        ("confidence without a leading zero", "bad-content", content(confidence=".5")),
        ("confidence of minus zero", "bad-content", content(confidence="-0")),
        ("seed as text", "bad-content", content(seed="7")),
        ("seed is true", "bad-content", content(seed=True)),
        ("inputs is one digest", "bad-content", content(inputs=good["content"]["inputs"][0])),
        ("an input of 20 bytes", "bad-content", content(inputs=["0x" + "ab" * 20])),
        ("mandate of 32 bytes", "bad-content", content(mandate="0x" + "ab" * 32)),
        ("action is null", "bad-content", content(action=None)),
        (
            "action lacks its salt",
            "bad-content",
            content(action={k: v for k, v in call.items() if k != "salt"}),
        ),
        ("nonce as a number", "bad-content", content(action={**call, "nonce": 0})),
        ("white space", "not-canonical", json.dumps(good).encode()),
        (
            "a name twice",
            "duplicate-key",
            decision_body().encoded.replace(b'{"at"', b'{"at":"","at"', 1),
        ),
        ("one byte above 1 MiB", "too-long", b"x" * (body.MAX_LENGTH + 1)),
    ]


def _plain(value: Any) -> bytes:
    """Return canonical JSON made by the standard library (no floats with exponents here)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def actions() -> dict[str, Any]:
    """Return the content of action.json."""
    largest = bound(
        (1 << 256) - 1,
        epoch=(1 << 32) - 1,
        nonce=(1 << 256) - 1,
        value=(1 << 256) - 1,
        deadline=(1 << 53) - 1,
        model=b"\xff" * 32,
        target=b"\xff" * 20,
        relayer=b"\xff" * 20,
        salt=b"\xff" * 32,
        data=b"\xff" * 100,
    )
    valid = [
        ("a transfer of 250", bound()),
        ("the same on another chain", bound(1)),
        ("the same with the next nonce", bound(nonce=1)),
        ("one carrier only", bound(relayer=THIEF.address)),
        ("native value, no calldata", bound(value=10**18, data=b"")),
        ("one byte of calldata", bound(data=b"\x01")),
        ("every field at its largest", largest),
        (
            "every field zero",
            BoundAction(
                0, bytes(20), Action(0, 0, bytes(32), bytes(20), 0, b"", 0, bytes(20), bytes(32))
            ),
        ),
    ]
    return {
        "valid": [
            {
                "name": name,
                "action": item.to_json(),
                "domain_separator": domain_separator(item.chain_id, item.mandate).hex(),
                "struct_hash": item.action.struct_hash().hex(),
                "digest": item.digest.hex(),
            }
            for name, item in valid
        ],
        "invalid": [{"name": n, "reason": r, "action": a} for n, r, a in _bad_actions()],
    }


def _bad_actions() -> list[tuple[str, str, Any]]:
    good = bound().to_json()

    def changed(**fields: Any) -> dict[str, Any]:
        return {**good, **fields}

    return [
        ("no object", "bad-action", []),
        ("no salt", "bad-action", {k: v for k, v in good.items() if k != "salt"}),
        ("a field more", "bad-action", changed(gas=21000)),
        ("epoch of 33 bits", "bad-action", changed(epoch=1 << 32)),
        ("epoch as text", "bad-action", changed(epoch="0")),
        ("epoch is false", "bad-action", changed(epoch=False)),
        ("negative epoch", "bad-action", changed(epoch=-1)),
        ("deadline as text", "bad-action", changed(deadline=str(IAT))),
        ("deadline with a fraction", "bad-action", changed(deadline=0.5)),
        ("nonce as a number", "bad-action", changed(nonce=0)),
        ("nonce with a leading zero", "bad-action", changed(nonce="00")),
        ("nonce with a sign", "bad-action", changed(nonce="+1")),
        ("negative value", "bad-action", changed(value="-1")),
        ("value in hexadecimal", "bad-action", changed(value="0x10")),
        ("value of 257 bits", "bad-action", changed(value=str(1 << 256))),
        ("value of 5,000 digits", "bad-action", changed(value="1" * 5000)),
        ("chain id in other digits", "bad-action", changed(chainId="\u0663")),
        ("empty chain id", "bad-action", changed(chainId="")),
        ("target of 32 bytes", "wrong-length", changed(target="0x" + "ab" * 32)),
        ("target with checksum capitals", "not-hex", changed(target="0x" + "aB" * 20)),
        ("data of half a byte", "not-hex", changed(data="0xabc")),
        ("data without 0x", "not-hex", changed(data="ab")),
        ("salt of 31 bytes", "wrong-length", changed(salt="0x" + "ab" * 31)),
        ("mandate is null", "not-hex", changed(mandate=None)),
    ]


def terms(**changes: Any) -> mandate.Terms:
    """Return the terms of the worked example, with fields replaced."""
    rules = (
        mandate.Rule(
            TOKEN,
            TRANSFER,
            amount_word=1,
            cap=400,
            bucket=0,
            pins=(mandate.Pin(0, (word(SUPPLIER),)),),
        ),
    )
    fields: dict[str, Any] = {
        "principal": THIEF.address,
        "agent": AGENT.address,
        "anchor": ANCHOR,
        "log_id": LOG_ID,
        "valid_from": IAT - 3600,
        "valid_until": IAT + 30 * 86400,
        "longest_life": 900,
        "header": header_prefix(AGENT.public, body.DECISION),
        "buckets": (mandate.Bucket(limit=1000, window=3600),),
        "rules": rules,
    }
    return mandate.Terms(**{**fields, **changes})


def mandates() -> dict[str, Any]:
    """Return the content of mandate.json: one bucket of 1,000 an hour, used second by second."""
    granted, state, steps = terms(), mandate.State(), []
    plan = [
        (0, 400, None),
        (0, 100, None),
        (0, 1, "AboveLimit"),
        (7, 1, "AboveLimit"),
        (8, 1, None),
        (3600, 401, "AboveCap"),
        (3600, 400, None),
        (3601, 99, None),
        (3601, 1, "AboveLimit"),
        (10801, 400, None),
    ]
    for after, amount, refused in plan:
        now = IAT + after
        made = action(nonce=state.nonce, data=transfer(amount), deadline=now + 600)
        try:
            state = mandate.check(granted, state, made, now=now)
            told = None
        except MandateRefused as error:
            told = error.rule
        if told != refused:
            raise AssertionError(f"second {after}, amount {amount}: {told}, not {refused}")
        level = state.levels[0]
        left = mandate.remaining(granted.buckets[0], level, now)
        steps.append(
            {
                "second": after,
                "amount": str(amount),
                "refused": refused,
                "remaining": str(left),
                "scaled": str(level.scaled),
            }
        )
    return {
        "header_prefix": granted.header.hex(),
        "limit": "1000",
        "window": 3600,
        "cap": "400",
        "steps": steps,
    }
