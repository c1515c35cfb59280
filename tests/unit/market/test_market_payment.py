"""The wire forms of x402: one form each, and what a payer signs is what wallets sign."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from till import BUYER, NOW, SELLER, TOKEN, WANTED, paid

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import MalformedError
from affiant.verticals.market import wire
from affiant.verticals.market.payment import Authorization, Demand, Payment, Requirements
from affiant.verticals.market.verdict import Objection, Settlement, Verdict

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def put(told: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return JSON with one value replaced, or removed if it is `...`."""
    inner = told = json.loads(json.dumps(told))
    *names, last = path.split(".")
    for name in names:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return told


def test_the_digest_is_what_wallets_sign() -> None:
    """An independent implementation of EIP-712 signs the same digest of the same authorisation."""
    told = paid().authorization
    kinds = {
        "from": "address",
        "to": "address",
        "value": "uint256",
        "validAfter": "uint256",
        "validBefore": "uint256",
        "nonce": "bytes32",
    }
    domain = {"name": "Payments", "version": "1", "chainId": 31337}
    signable = encode_typed_data(
        domain | {"verifyingContract": to_hex(TOKEN.address)},
        {"TransferWithAuthorization": [{"name": n, "type": kind} for n, kind in kinds.items()]},
        {
            "from": to_hex(told.payer),
            "to": to_hex(told.payee),
            "value": told.value,
            "validAfter": told.valid_after,
            "validBefore": told.valid_before,
            "nonce": told.nonce,
        },
    )
    signed = Account.sign_message(signable, BUYER.secret)
    assert bytes(signed.message_hash) == told.digest(TOKEN)
    assert bytes(signed.signature) == paid().signature


def test_a_payment_survives_the_wire() -> None:
    """Header and JSON give back the same payment, with and without what is optional."""
    for one in (paid(), paid(resource="http://seller.test/a?b=1", identifier="x" * 16)):
        assert Payment.from_header(one.to_header()) == one
        assert Payment.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_letters_of_either_case_are_the_same_bytes() -> None:
    """Addresses with checksums and hexadecimal in capitals are read as what they are."""
    told = paid().to_json()
    inner = told["payload"]["authorization"]
    inner["from"] = "0x" + inner["from"][2:].upper()
    told["accepted"]["asset"] = "0x" + told["accepted"]["asset"][2:].upper()
    assert Payment.from_json(told) == paid()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("x402Version", 1),
        ("x402Version", True),
        ("x402Version", "2"),
        ("payload", None),
        ("payload", []),
        ("payload.signature", "0x0"),
        ("payload.signature", 5),
        ("payload.signature", "0x" + "00" * 600),
        ("payload.authorization", ...),
        ("payload.authorization", {"from": {"from": {}}}),
        ("payload.authorization.value", 2500),
        ("payload.authorization.value", "2_500"),
        ("payload.authorization.value", " 2500"),
        ("payload.authorization.value", "02500"),
        ("payload.authorization.value", "-1"),
        ("payload.authorization.value", "٢٥٠٠"),
        ("payload.authorization.value", str(1 << 256)),
        ("payload.authorization.value", "9" * 5000),
        ("payload.authorization.nonce", "0x00"),
        ("payload.authorization.nonce", ...),
        ("payload.authorization.to", "0x" + "g0" * 20),
        ("payload.authorization.more", "1"),
        ("accepted", "exact"),
        ("accepted.amount", 2500),
        ("accepted.network", "eip155"),
        ("accepted.maxTimeoutSeconds", 0),
        ("accepted.maxTimeoutSeconds", True),
        ("accepted.maxTimeoutSeconds", 1e9),
        ("accepted.extra", "x"),
        ("accepted.extra", {"name": 5}),
        ("resource", "http://seller.test"),
        ("resource", {"url": "\ud800"}),
        ("resource", {"url": "x" * 3000}),
    ],
)
def test_other_forms_are_refused(path: str, value: Any) -> None:
    """Whatever is not in the one form is refused by name, and nothing else is raised."""
    with pytest.raises(MalformedError):
        Payment.from_json(put(paid().to_json(), path, value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 60_000,
        b'{"a":' * 60_000,
        b"[" + b",".join([b"{}"] * wire.MAX_BRACKETS) + b"]",
        b'{"a":1,"a":2}',
        b"NaN",
        b"1" * 60_000,
    ],
)
def test_other_json_is_refused(data: bytes) -> None:
    """Nesting, names that stand twice and numbers without end are refused, not suffered."""
    with pytest.raises(MalformedError):
        wire.load_json(data)


@pytest.mark.parametrize("text", ["", "%%%", "é", "e30", "A" * (wire.MAX_HEADER + 4), "W10="])
def test_other_headers_are_refused(text: str) -> None:
    """What is no base64 of a payment, or too long, is refused by name."""
    with pytest.raises(MalformedError):
        Payment.from_header(text)


def test_signatures_are_of_the_payer_alone() -> None:
    """A flipped bit anywhere, the twin with a high s, and another length are not the payer's."""
    one = paid()
    assert one.signed_by_payer(TOKEN)
    r, s, v = one.signature[:32], int.from_bytes(one.signature[32:64], "big"), one.signature[64]
    low = replace(one, signature=one.signature[:64] + bytes([v - 27]))
    assert low.signed_by_payer(TOKEN)  # some wallets count v from 0
    others = [r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v]), b"", one.signature + b"\0"]
    for bit in range(65 * 8):
        flipped = int.from_bytes(one.signature, "big") ^ (1 << bit)
        others.append(flipped.to_bytes(65, "big"))
    assert [s for s in others if replace(one, signature=s).signed_by_payer(TOKEN)] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"payee": b"\x09" * 20},
        {"value": 2_501},
        {"valid_after": 1},
        {"valid_before": NOW + 61},
        {"nonce": b"\x09" * 32},
    ],
)
def test_the_signature_covers_every_field(changed: dict[str, Any]) -> None:
    """An authorisation of which any field was changed is not signed by its payer."""
    one = paid()
    other = replace(one, authorization=replace(one.authorization, **changed))
    assert not other.signed_by_payer(TOKEN)


@pytest.mark.parametrize(
    "changed", [{"chain_id": 1}, {"address": b"\x09" * 20}, {"name": "Other"}, {"version": "2"}]
)
def test_the_signature_is_for_one_token_on_one_chain(changed: dict[str, Any]) -> None:
    """On another chain, in another token or version of it, the same signature is worth nothing."""
    assert not paid().signed_by_payer(replace(TOKEN, **changed))


def test_a_demand_survives_the_wire() -> None:
    """A demand comes back as it was, and a price in a form unknown here is left out of it."""
    demand = Demand("http://seller.test/a", (WANTED,), "why", "what", identifies=True)
    assert Demand.from_header(demand.to_header()) == demand
    told = demand.to_json()
    told["accepts"].insert(0, {"scheme": "other", "amount": 5})
    assert Demand.from_header(wire.encode_header(told)).accepts == (WANTED,)
    broken: Any
    for broken in ([], {**told, "accepts": {}}, {**told, "x402Version": 1}):
        with pytest.raises(MalformedError):
            Demand.from_header(base64.b64encode(json.dumps(broken).encode()).decode())


def test_what_others_say_stands_on_one_line() -> None:
    """Words of others for people come without controls that a terminal would obey."""
    told = {"isValid": False, "invalidReason": "x", "invalidMessage": "a\n\x1b[31mb"}
    assert Verdict.from_json(told).objection == Objection("x", "a  [31mb")


def test_answers_survive_the_wire() -> None:
    """Verdicts and settlements come back as they were, good ones and bad ones."""
    for verdict in (Verdict(None, b"\1" * 20), Verdict(Objection("a", "b"))):
        assert Verdict.from_json(verdict.to_json()) == verdict
    good = Settlement(None, "eip155:1", b"\1" * 20, b"\2" * 32, 5)
    for settlement in (good, Settlement(Objection("a", "b"), "")):
        assert Settlement.from_json(settlement.to_json()) == settlement
    unread: list[dict[str, Any]] = [
        {},
        {"success": "yes", "network": ""},
        {"success": True, "network": ""},
    ]
    for broken in unread:
        with pytest.raises(MalformedError):
            Settlement.from_json(broken)


def test_other_schemes_are_read_as_far_as_they_go() -> None:
    """A price of another scheme is read without a name for the token."""
    told = {**WANTED.to_json(), "scheme": "upto", "extra": None}
    assert Requirements.from_json(told) == replace(WANTED, scheme="upto", name="", version="")


def test_an_authorisation_names_whom_it_pays() -> None:
    """The wire form of an authorisation holds the payee and the nonce as they were signed."""
    told = paid().authorization
    assert told.to_json()["to"] == to_checksum_address(SELLER.address)
    assert Authorization.from_json(told.to_json()) == told
