"""The kernel gives what the valid vectors say, and refuses each invalid one by its reason."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
import regenerate

from affiant.kernel import (
    alert,
    body,
    bundle,
    checkpoint,
    mandate,
    merkle,
    receipt,
    statement,
    suspension,
)
from affiant.kernel.action import BoundAction, domain_separator
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import from_hex, jcs_decode, jcs_encode, sha256
from affiant.kernel.errors import MalformedError, MandateRefused
from affiant.kernel.identity import EDDSA, PublicKey, public_key_of, recover
from affiant.kernel.mandate import Guardian, Terms
from affiant.kernel.suspension import BoundSuspension, Suspension

FOLDER = Path(__file__).parent


def read(name: str) -> Any:
    """Return a vector file's content."""
    return json.loads((FOLDER / name).read_bytes())


def cases(name: str, part: str) -> pytest.MarkDecorator:
    """Return the cases of one part of a file, each a test of its own."""
    return pytest.mark.parametrize(
        "case", [pytest.param(c, id=c["name"]) for c in read(name)[part]]
    )


def data_of(case: dict[str, Any]) -> bytes:
    """Return the bytes of a case, in whichever way it gives them."""
    if "text" in case:
        return str(case["text"]).encode()
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    return b"".join(piece.encode() * case["count"] for piece in case["repeat"])


LOG_KEY = PublicKey(EDDSA, bytes.fromhex(read("checkpoint.json")["key"]))


@pytest.mark.parametrize("name", regenerate.FILES)
def test_files_are_as_the_generator_writes_them(name: str) -> None:
    """Regenerating a vector file gives its bytes."""
    assert (FOLDER / name).read_text(encoding="ascii") == regenerate.text_of(name)


def test_every_name_is_used_once() -> None:
    """No two vectors of one file share a name, so that results can be kept by name."""
    for name in regenerate.FILES:
        parts = [part for part in read(name).values() if isinstance(part, list)]
        names = [c["name"] for part in parts for c in part if isinstance(c, dict) and "name" in c]
        assert len(names) == len(set(names)), name


@cases("statement.json", "valid")
def test_a_valid_statement_is_read(case: dict[str, Any]) -> None:
    """A valid entry decodes to what was sworn, verifies, and encodes to the same bytes."""
    entry = bytes.fromhex(case["entry"])
    told = statement.decode(entry).verify()
    assert told.kind == case["kind"]
    assert told.issued_at == case["iat"]
    assert told.subject.hex() == case["subject"]
    assert told.body.hex() == case["body"]
    assert (told.issuer.did, told.issuer.kid.hex()) == (case["did"], case["kid"])
    assert (told.issuer.alg, told.issuer.raw.hex()) == (case["alg"], case["key"])
    assert told.signature.hex() == case["signature"]
    assert told.entry == entry
    assert told.leaf.hex() == case["leaf"]


@cases("statement.json", "invalid")
def test_an_invalid_statement_is_refused(case: dict[str, Any]) -> None:
    """An entry with one broken rule is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        statement.decode(bytes.fromhex(case["entry"])).verify()
    assert refused.value.reason == case["reason"]


@cases("body.json", "valid")
def test_a_valid_body_is_read(case: dict[str, Any]) -> None:
    """A valid body decodes, and encodes to the same bytes and digest."""
    data = data_of(case)
    told = body.decode(data, body.CORE_KINDS)
    assert told.kind == case["kind"]
    assert told.encoded == data
    assert told.digest.hex() == sha256(data).hex() == case["digest"]


@cases("body.json", "invalid")
def test_an_invalid_body_is_refused(case: dict[str, Any]) -> None:
    """A body with one broken rule is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        body.decode(data_of(case), body.CORE_KINDS)
    assert refused.value.reason == case["reason"]


@cases("action.json", "valid")
def test_a_valid_action_is_read(case: dict[str, Any]) -> None:
    """A valid action decodes, encodes to the same JSON, and has the EIP-712 hashes told."""
    told = BoundAction.from_json(case["action"])
    assert told.to_json() == case["action"]
    separator = domain_separator(told.chain_id, told.mandate)
    assert separator.hex() == case["domain_separator"]
    assert told.action.struct_hash().hex() == case["struct_hash"]
    assert told.digest.hex() == case["digest"]


@cases("action.json", "invalid")
def test_an_invalid_action_is_refused(case: dict[str, Any]) -> None:
    """An action not in its one form is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        BoundAction.from_json(case["action"])
    assert refused.value.reason == case["reason"]


@cases("suspension.json", "valid")
def test_a_valid_suspension_is_read(case: dict[str, Any]) -> None:
    """A valid suspension decodes, encodes to the same JSON, and has the EIP-712 digest told."""
    told = BoundSuspension.from_json(case["suspension"])
    assert told.to_json() == case["suspension"]
    assert told.digest.hex() == case["digest"]


@cases("suspension.json", "invalid")
def test_an_invalid_suspension_is_refused(case: dict[str, Any]) -> None:
    """A suspension not in its one form is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        BoundSuspension.from_json(case["suspension"])
    assert refused.value.reason == case["reason"]


def check_form(content: dict[str, Any]) -> None:
    """Check that a content is in the form of an alert's."""
    made = body.Body(body.ALERT, "2027-01-15T08:00:00Z", bytes(16), content)
    body.decode(made.encoded, body.CORE_KINDS)


@cases("suspension.json", "alerts")
def test_a_valid_alert_is_about_its_subject(case: dict[str, Any]) -> None:
    """A valid alert passes form and rules, and is about the subject told."""
    check_form(case["content"])
    alert.check(case["content"])
    assert alert.subject_of(case["content"]).hex() == case["subject"]


@cases("suspension.json", "invalid_alerts")
def test_an_invalid_alert_is_refused(case: dict[str, Any]) -> None:
    """An alert in its form that breaks one rule is refused by that rule's reason."""
    check_form(case["content"])
    with pytest.raises(MalformedError) as refused:
        alert.check(case["content"])
    assert refused.value.reason == case["reason"]


def test_a_guardian_is_bounded_second_by_second() -> None:
    """Each step is allowed or refused as told, and leaves the state told."""
    file, watched = read("suspension.json"), read("mandate.json")["terms"][1]
    terms, state = Terms.from_json(watched["terms"]), mandate.State()
    header = bytes.fromhex(file["header_prefix"])
    assert terms.guardian is not None
    assert terms.guardian == Guardian(terms.guardian.account, file["limit"], file["window"], header)
    start = terms.valid_from + 3600
    for step in file["steps"]:
        now, end, refused = start + step["second"], start + step["until"], None
        try:
            if step["does"] == "resume":
                assert state.watch.number == step["number"]
                state = suspension.resume(state, end)
            else:
                asked = Suspension(step["number"], end)
                state = suspension.suspend(terms, state, asked, now=now)
        except MandateRefused as error:
            refused = error.rule
        left = mandate.remaining(terms.guardian.bucket, state.watch.level, now)
        still = max(0, state.suspended_until - start)
        told = (refused, still, left, str(state.watch.level.scaled))
        named = ("refused", "suspended_until", "remaining", "scaled")
        assert told == tuple(step[name] for name in named), step


@cases("mandate.json", "terms")
def test_valid_terms_are_read(case: dict[str, Any]) -> None:
    """Valid terms decode and encode to the same JSON, with and without a guardian."""
    told = Terms.from_json(case["terms"])
    told.check_usable()
    assert told.to_json() == case["terms"]


@cases("mandate.json", "invalid_terms")
def test_invalid_terms_are_refused(case: dict[str, Any]) -> None:
    """Terms whose guardian is not in its one form are refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        Terms.from_json(case["terms"])
    assert refused.value.reason == case["reason"]


@cases("checkpoint.json", "policies")
def test_a_policy_has_its_log_id(case: dict[str, Any]) -> None:
    """A log's id is the hash of origin, signer, witnesses and threshold."""
    witnesses = tuple(from_hex(witness) for witness in case["witnesses"])
    policy = LogPolicy(case["origin"], from_hex(case["signer"]), witnesses, case["threshold"])
    assert policy.origin_hash.hex() == case["origin_hash"]
    assert policy.log_id.hex() == case["log_id"]


@cases("checkpoint.json", "invalid_policies")
def test_an_invalid_policy_is_refused(case: dict[str, Any]) -> None:
    """A policy that cannot be met or is not in its one order is refused by name."""
    witnesses = tuple(from_hex(witness) for witness in case["witnesses"])
    with pytest.raises(MalformedError) as refused:
        LogPolicy(case["origin"], bytes(20), witnesses, case["threshold"])
    assert refused.value.reason == case["reason"]


def test_the_vkey_names_the_log() -> None:
    """The key id and vkey of the log are as C2SP signed-note defines them."""
    file = read("checkpoint.json")
    origin = file["checkpoints"][0]["note"].split("\n")[0]
    assert LOG_KEY.did == file["did"]
    assert checkpoint.note_key_id(origin, LOG_KEY).hex() == file["key_id"]
    assert checkpoint.verifier_key(origin, LOG_KEY) == file["vkey"]


@cases("checkpoint.json", "checkpoints")
def test_a_checkpoint_is_read_in_both_forms(case: dict[str, Any]) -> None:
    """A note opens to its checkpoint, and its EIP-712 digest recovers the log's signer."""
    told = checkpoint.open_note(case["note"], LOG_KEY)
    assert (str(told.size), told.root.hex()) == (case["size"], case["root"])
    digest = told.digest(bytes.fromhex(read("checkpoint.json")["log_id"]))
    assert digest.hex() == case["digest"]
    assert recover(digest, bytes.fromhex(case["signature"])) == from_hex(case["signer"])
    with pytest.raises(MalformedError) as refused:
        recover(digest, bytes.fromhex(case["high_s_twin"]))
    assert refused.value.reason == "high-s"


@cases("checkpoint.json", "invalid_notes")
def test_an_invalid_note_is_refused(case: dict[str, Any]) -> None:
    """A note with one broken rule is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        checkpoint.open_note(case["note"], LOG_KEY)
    assert refused.value.reason == case["reason"]


@pytest.mark.parametrize("index", range(8))
def test_a_valid_receipt_is_read(index: int) -> None:
    """A receipt proves its leaf under the signed root, and encodes to the same bytes."""
    file = read("receipt.json")
    data = bytes.fromhex(file["valid"][index]["receipt"])
    leaf = merkle.leaf_hash(bytes.fromhex(file["entries"][index]))
    told = receipt.decode(data, file["origin"], LOG_KEY)
    assert (told.size, told.index) == (8, index)
    assert receipt.verify(told, leaf, file["origin"], LOG_KEY).hex() == file["root"]
    assert told.encode(file["origin"], LOG_KEY) == data


def check_receipt(data: bytes, leaf: bytes, origin: str) -> None:
    """Read a receipt and check it, as its user does."""
    receipt.verify(receipt.decode(data, origin, LOG_KEY), leaf, origin, LOG_KEY)


@cases("receipt.json", "invalid")
def test_an_invalid_receipt_is_refused(case: dict[str, Any]) -> None:
    """A receipt with one broken rule is refused by that rule's reason."""
    file = read("receipt.json")
    leaf = merkle.leaf_hash(bytes.fromhex(file["entries"][5]))
    with pytest.raises(MalformedError) as refused:
        check_receipt(bytes.fromhex(case["receipt"]), leaf, file["origin"])
    assert refused.value.reason == case["reason"]


def test_a_transparent_statement_is_split() -> None:
    """A Transparent Statement holds the entry and its receipt, and joins to the same bytes."""
    file = read("receipt.json")
    data = bytes.fromhex(file["transparent"])
    entry, receipts = receipt.split_transparent(data)
    assert entry.hex() == file["entries"][5]
    assert [item.hex() for item in receipts] == [file["valid"][5]["receipt"]]
    assert receipt.transparent(entry, receipts) == data


@cases("receipt.json", "invalid_transparent")
def test_an_invalid_transparent_statement_is_refused(case: dict[str, Any]) -> None:
    """A Transparent Statement not in its one form is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        receipt.split_transparent(bytes.fromhex(case["transparent"]))
    assert refused.value.reason == case["reason"]


class TestTree:
    """The published tree: eight leaves, every size, every proof."""

    file = read("merkle.json")
    leaves = tuple(merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in file["leaves"])

    def nodes(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, computed from its leaves."""
        if level == 0:
            return self.leaves[index]
        left, right = self.nodes(level - 1, 2 * index), self.nodes(level - 1, 2 * index + 1)
        return merkle.node_hash(left, right)

    @pytest.mark.parametrize("size", range(9))
    def test_roots(self, size: int) -> None:
        """The root of each size is the published one."""
        assert merkle.root_of(self.nodes, size).hex() == self.file["roots"][size]

    def test_inclusion(self) -> None:
        """Every inclusion path is the RFC's, and leads to the published root."""
        for case in self.file["inclusion"]:
            size, index = case["size"], case["index"]
            path = merkle.inclusion_path(self.nodes, index, 0, size)
            assert [step.hex() for step in path] == case["path"]
            root = merkle.root_from_path(self.leaves[index], index, size, path)
            assert root.hex() == self.file["roots"][size]

    def test_consistency(self) -> None:
        """Every consistency path is the RFC's, and joins the published roots."""
        roots = [bytes.fromhex(root) for root in self.file["roots"]]
        for case in self.file["consistency"]:
            old, new = case["old"], case["new"]
            path = merkle.consistency_path(self.nodes, old, new)
            assert [step.hex() for step in path] == case["path"]
            merkle.check_consistency(old, new, roots[old], roots[new], path)

    def test_rfc_9162_section_2_1_5(self) -> None:
        """The proofs of the RFC's example hold the nodes that the RFC names."""
        example = self.file["rfc9162_section_2_1_5"]
        named = {
            name: merkle.subtree_root(self.nodes, start, end)
            for name, (start, end) in example["nodes"].items()
        }
        for index, names in example["paths"].items():
            path = merkle.inclusion_path(self.nodes, int(index), 0, 7)
            assert path == [named[name] for name in names]
        for old, names in example["consistency"].items():
            path = merkle.consistency_path(self.nodes, int(old), 7)
            assert path == [named[name] for name in names]


@cases("jcs.json", "examples")
def test_json_is_made_canonical(case: dict[str, Any]) -> None:
    """Any JSON becomes the RFC's canonical form, which decodes to the same value."""
    value = json.loads(case["input"])
    canonical = case["canonical"].encode()
    assert jcs_encode(value) == canonical
    assert jcs_decode(canonical) == value


@pytest.mark.parametrize("case", read("jcs.json")["numbers"], ids=lambda c: c["ieee754"])
def test_numbers_are_made_canonical(case: dict[str, str]) -> None:
    """The numbers of RFC 8785 appendix B are written as it says."""
    (number,) = struct.unpack(">d", bytes.fromhex(case["ieee754"]))
    assert jcs_encode(number).decode() == case["canonical"]


@pytest.mark.parametrize("bits", read("jcs.json")["not_numbers"])
def test_no_number_is_refused(bits: str) -> None:
    """NaN and the infinities of appendix B cannot be written."""
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(MalformedError) as refused:
        jcs_encode(number)
    assert refused.value.reason == "not-json"


@cases("jcs.json", "invalid")
def test_json_that_is_not_canonical_is_refused(case: dict[str, Any]) -> None:
    """JSON in any other form is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        jcs_decode(data_of(case))
    assert refused.value.reason == case["reason"]


@cases("bundle.json", "valid")
def test_a_valid_bundle_is_read(case: dict[str, Any]) -> None:
    """A bundle decodes and encodes to the same bytes, and all that it holds fits together."""
    told = bundle.decode(data_of(case))
    assert told.encode() == data_of(case)
    key = public_key_of(told.key)
    head = checkpoint.open_note(told.note, key)
    policy = LogPolicy(told.origin, told.signer, told.witnesses, told.threshold)
    assert recover(head.digest(policy.log_id), told.signature) == told.signer
    for index, data in told.statements.items():
        entry, (proof,) = receipt.split_transparent(data)
        sworn = statement.decode(entry).verify()
        found = receipt.decode(proof, told.origin, key)
        assert found.index == index
        assert receipt.verify(found, sworn.leaf, told.origin, key) == head.root
        assert sworn.body == sha256(told.bodies[sworn.body])
    assert head == Checkpoint(told.origin, 8, head.root)


@cases("bundle.json", "invalid")
def test_an_invalid_bundle_is_refused(case: dict[str, Any]) -> None:
    """A bundle with one broken rule is refused by that rule's reason."""
    with pytest.raises(MalformedError) as refused:
        bundle.decode(data_of(case))
    assert refused.value.reason == case["reason"]


PAGES = ("statement", "body", "action", "mandate", "suspension", "log", "bundle")


def test_every_page_is_compared() -> None:
    """No specification page is left out of the comparison with the vectors."""
    assert {path.stem for path in (FOLDER.parents[1] / "specs").glob("*.md")} == set(PAGES)


def shown_json(name: str) -> list[Any]:
    """Return what the JSON blocks of a page hold."""
    page = (FOLDER.parents[1] / "specs" / f"{name}.md").read_text()
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def test_the_pages_show_what_vectors_hold() -> None:
    """JSON on the pages is that of the first suspension, the alert and the guardian's terms."""
    file = read("suspension.json")
    assert shown_json("suspension") == [file["valid"][0]["suspension"]]
    assert file["alerts"][2]["content"] in shown_json("body")
    assert read("mandate.json")["terms"][1]["terms"]["guardian"] in shown_json("mandate")


def test_the_page_tells_the_steps_of_the_vector() -> None:
    """The table of suspension.md is the vector's, row by row."""
    page = (FOLDER.parents[1] / "specs" / "suspension.md").read_text()
    for step in read("suspension.json")["steps"]:
        number = step["number"] if step["does"] == "suspend" else ""
        does = f"{step['does']} {number}".strip()
        named = [step["second"], does, step["until"], step["refused"] or "allowed"]
        named += [step["suspended_until"], step["remaining"]]
        row = " | ".join(str(value) for value in named)
        assert f"| {row} |" in page, step


@pytest.mark.parametrize("name", [f"{page}.md" for page in PAGES])
def test_the_pages_show_real_bytes(name: str) -> None:
    """Every long hexadecimal or base64 word on a specification page stands in a vector."""
    page = (FOLDER.parents[1] / "specs" / name).read_text()
    known = "".join((FOLDER / file).read_text() for file in regenerate.FILES)
    shown = re.findall(r"[0-9A-Za-z+/_-]{42,}", page)
    assert all(word.removeprefix("0x") in known for word in shown)
