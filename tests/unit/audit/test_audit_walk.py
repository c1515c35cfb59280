"""The walk: everything holds as it was made, and each check fails by name when its ground goes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from affiant.kernel import body as bodies
from affiant.kernel import bundle as form
from affiant.kernel import statement
from affiant.kernel.body import CORE_KINDS, Reference
from affiant.kernel.bundle import Bundle
from affiant.kernel.checkpoint import Checkpoint, LogPolicy, sign_note
from affiant.kernel.encoding import jcs_encode, sha256, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key
from affiant.kernel.ports import Execution
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage
from affiant.testing import fixed_key, memory_database
from shop import PAYEE, STRANGER, Scribe, Shop, findings, transfer

NOWHERE = sha256(b"nowhere")
OF_THE_CHAIN = {
    "log.anchored",
    "mandate.log",
    "mandate.on-the-record",
    "mandate.nonces",
    "decision.terms",
    "decision.executed",
    "decision.outcome",
    "refusal.kept",
}


@pytest.fixture(scope="module")
def done() -> Shop:
    """Return a shop that paid, doubted, refused, and was refused. Nobody changes it."""
    shop = Shop()
    shop.pay("paid", 100)
    shop.pay("doubted", 0)
    shop.pay("refused", 401)
    shop.pay("was refused", 401, careful=False)
    return shop


def with_chain(bundle: Bundle, change: Callable[[dict[str, Any]], object]) -> Bundle:
    """Return the bundle with another chain in it."""
    chain = copy.deepcopy(bundle.chain)
    change(chain)
    return replace(bundle, chain=chain)


def grant(chain: dict[str, Any]) -> dict[str, Any]:
    """Return what a bundle says of its only mandate."""
    (only,) = chain["mandates"].values()
    found: dict[str, Any] = only
    return found


def test_everything_holds_against_the_chain(done: Shop) -> None:
    """With chain and models at hand every check is made, and all hold."""
    report = done.audit(models=done.models())
    assert report.findings() == []
    assert report.open() == []
    assert report.good
    assert {check.name for check in report.checks()} == OF_THE_CHAIN | {
        "decision.inputs",
        "decision.model",
        "decision.nonce",
        "decision.replay",
        "decision.subject",
        "log.checkpoint",
        "log.id",
        "log.key",
        "log.policy",
        "log.root",
        "observation.data",
        "statement.body",
        "statement.encoding",
        "statement.lineage",
        "statement.logged",
        "statement.signature",
    }


def test_offline_the_chains_claims_are_open(done: Shop) -> None:
    """Offline nothing fails, and exactly what only the chain can tell is left open."""
    report = done.audit(live=False)
    assert report.good
    assert {check.name for check in report.open()} == OF_THE_CHAIN
    assert not {c.name for c in report.checks() if c.good} & OF_THE_CHAIN


def test_a_bundle_that_went_over_the_wire_holds(done: Shop) -> None:
    """What is decoded again gives the same report."""
    bundle = done.bundle()
    again = form.decode(bundle.encode())
    assert done.audit(again).to_json() == done.audit(bundle).to_json()


def test_a_report_has_one_shape(done: Shop) -> None:
    """The report for machines is JSON with fixed fields, and its parts agree with each other."""
    report = done.audit(live=False).to_json()
    assert json.loads(jcs_encode(report)) == report
    assert list(report) == [
        "good",
        "origin",
        "logId",
        "independentWitnesses",
        "ledger",
        "checks",
        "findings",
        "notChecked",
        "tree",
    ]
    assert (report["good"], report["independentWitnesses"], report["ledger"]) == (True, 0, None)

    def checks(node: dict[str, Any]) -> list[dict[str, Any]]:
        assert list(node) == ["title", "checks", "children"]
        below = [check for child in node["children"] for check in checks(child)]
        return [*node["checks"], *below]

    told = [check for node in report["tree"] for check in checks(node)]
    assert {tuple(check) for check in told} == {
        ("check", "good", "detail", "statement", "atFault"),
    }
    assert len(told) == report["checks"]
    assert [check for check in told if check["good"] is None] == report["notChecked"]


def test_the_log_that_was_asked_for(done: Shop) -> None:
    """An audit that is told which log to trust holds for that one and for no other."""
    assert findings(done.audit(log_id=done.log.policy.log_id)) == set()
    assert findings(done.audit(log_id=NOWHERE)) == {"log.id"}


Forgery = Callable[[Shop, Bundle], Bundle]


def _drop_body(shop: Shop, bundle: Bundle) -> Bundle:
    kept = {d: b for d, b in bundle.bodies.items() if d != shop.told()[4].body}
    return replace(bundle, bodies=kept)


def _swap_body(shop: Shop, bundle: Bundle) -> Bundle:
    digest = shop.told()[4].body
    return replace(bundle, bodies={**bundle.bodies, digest: bundle.bodies[digest] + b" "})


def _alter_data(_: Shop, bundle: Bundle) -> Bundle:
    data = {subject: (salt, b"{}") for subject, (salt, _) in bundle.data.items()}
    return replace(bundle, data=data)


def _alter_salt(_: Shop, bundle: Bundle) -> Bundle:
    data = {subject: (bytes(32), data) for subject, (_, data) in bundle.data.items()}
    return replace(bundle, data=data)


def _move(_: Shop, bundle: Bundle) -> Bundle:
    given = dict(bundle.statements)
    given[3], given[4] = given[4], given[3]
    return replace(bundle, statements=given)


def _cut(_: Shop, bundle: Bundle) -> Bundle:
    return replace(bundle, statements={**bundle.statements, 4: bundle.statements[4][:-1]})


def _drop(index: int) -> Forgery:
    def forge(_: Shop, bundle: Bundle) -> Bundle:
        kept = {i: given for i, given in bundle.statements.items() if i != index}
        return replace(bundle, statements=kept)

    return forge


def _other_signer(_: Shop, bundle: Bundle) -> Bundle:
    return replace(bundle, signer=STRANGER.address)


def _signed_by_other(_: Shop, bundle: Bundle) -> Bundle:
    return replace(bundle, signature=STRANGER.sign_digest(NOWHERE))


def _chain(change: Callable[[dict[str, Any]], object]) -> Forgery:
    return lambda _, bundle: with_chain(bundle, change)


def _executions(**changes: object) -> Forgery:
    return _chain(lambda chain: grant(chain)["executions"][0].update(changes))


def _terms(**changes: object) -> Forgery:
    return _chain(lambda chain: grant(chain)["terms"].update(changes))


FORGERIES: dict[str, tuple[str, Forgery]] = {
    "a body left out": ("statement.body", _drop_body),
    "a body with a space more": ("statement.body", _swap_body),
    "other data": ("observation.data", _alter_data),
    "another salt": ("observation.data", _alter_salt),
    "two statements in each other's place": ("statement.logged", _move),
    "a statement cut short": ("statement.encoding", _cut),
    "the policy left out": ("log.policy", _drop(0)),
    "the key left out": ("log.key", _drop(1)),
    "the model left out": ("decision.model", _drop(2)),
    "an input left out": ("decision.inputs", _drop(3)),
    "an input left out, seen from lineage": ("statement.lineage", _drop(3)),
    "a decision left out": ("mandate.on-the-record", _drop(4)),
    "an outcome left out": ("decision.outcome", _drop(5)),
    "another signer": ("log.policy", _other_signer),
    "a checkpoint signed by another": ("log.checkpoint", _signed_by_other),
    "another root on chain": (
        "log.anchored",
        _chain(lambda chain: chain["anchors"][0].update(root=to_hex(NOWHERE))),
    ),
    "a larger log on chain": (
        "log.anchored",
        _chain(lambda chain: chain["anchors"][-1].update(size=99, consistency=None)),
    ),
    "a mandate the chain does not know": (
        "mandate.known",
        _chain(lambda chain: chain["mandates"].update(dict.fromkeys(chain["mandates"]))),
    ),
    "terms that name another log": ("mandate.log", _terms(logId=to_hex(NOWHERE))),
    "terms of another agent": ("decision.terms", _terms(agent=to_hex(PAYEE))),
    "terms that were over": ("decision.terms", _terms(validFrom="0", validUntil="1")),
    "an execution without decision": (
        "mandate.on-the-record",
        _executions(decision=to_hex(NOWHERE)),
    ),
    "an execution in another transaction": (
        "decision.outcome",
        _executions(transaction=to_hex(NOWHERE)),
    ),
    "an execution in another block": ("decision.outcome", _executions(block=to_hex(NOWHERE))),
    "a nonce twice": ("mandate.nonces", _executions(nonce="1")),
    "a nonce left out": (
        "mandate.nonces",
        _chain(lambda chain: grant(chain).update(cancelled=[[0, 2]])),
    ),
    "an execution that is gone": (
        "decision.outcome",
        _chain(lambda chain: grant(chain).update(executions=[])),
    ),
}


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_by_name(done: Shop, name: str, *, live: bool) -> None:
    """Each alteration of the evidence fails the check that rests on it, with and without chain."""
    expected, forge = FORGERIES[name]
    report = done.audit(forge(done, done.bundle()), live=live)
    assert expected in findings(report)
    assert not report.good


def test_a_refusal_that_was_executed(done: Shop) -> None:
    """An execution of what was refused breaks the refusal's word."""
    refused = next(told for told in done.told() if told.kind == bodies.REFUSAL)
    forged = _executions(subject=to_hex(refused.subject))(done, done.bundle())
    assert "refusal.kept" in findings(done.audit(forged))


def test_a_checkpoint_by_another_notes_key_is_no_bundle(done: Shop) -> None:
    """A frame whose note does not hold under its key is no evidence at all."""
    other = Ed25519Key(NOWHERE)
    with pytest.raises(MalformedError):
        done.audit(replace(done.bundle(), key=other.public.did))


def test_a_frame_signed_anew_is_not_the_logs(done: Shop) -> None:
    """With a key of one's own, note and receipts do not match what the log swore to."""
    other, bundle = Ed25519Key(NOWHERE), done.bundle()
    head = done.log.head()
    note = sign_note(Checkpoint(bundle.origin, head.size, head.root), other)
    report = done.audit(replace(bundle, key=other.public.did, note=note))
    assert {"log.key", "statement.logged"} <= findings(report)


def test_the_note_is_of_this_log(done: Shop) -> None:
    """A note of the same key, size and root under another origin is of another log."""
    head, bundle = done.log.head(), done.bundle()
    note = sign_note(Checkpoint("elsewhere", head.size, head.root), done.log._secret)
    try:
        assert not done.audit(replace(bundle, note=note)).good
    except MalformedError:
        return


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("subject", "decision.subject"),
        ("model", "decision.model"),
        ("action's model", "decision.model"),
        ("input", "decision.inputs"),
        ("lineage", "statement.lineage"),
        ("outcome by another", "decision.outcome"),
        ("two outcomes", "decision.outcome"),
        ("executed, it says", "decision.outcome"),
        ("kind", "statement.body"),
        ("time", "statement.body"),
    ],
)
def test_what_a_lax_log_let_in_is_found(
    shop: Shop, scribe: Scribe, kind: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who skips a registration rule does not keep the audit from finding it."""
    monkeypatch.setattr(shop.log._rules, "check", lambda _told, _now: None)
    scribe.begin()
    decision = scribe.decision()
    ahead = [Reference(shop.log.policy.log_id, NOWHERE)]
    seen = {"source": "s", "shape": [], "units": "", "kept": "agent"}
    drafts = {
        "subject": [scribe.decision(subject=NOWHERE)],
        "model": [scribe.decision(scribe.action(model=NOWHERE), model=to_hex(NOWHERE))],
        "action's model": [scribe.decision(scribe.action(model=NOWHERE))],
        "input": [scribe.decision(inputs=[to_hex(scribe.model.statement.leaf)])],
        "lineage": [scribe.swear(bodies.OBSERVATION, NOWHERE, seen, because=ahead)],
        "outcome by another": [decision, scribe.outcome(decision, key=STRANGER)],
        "two outcomes": [decision, scribe.outcome(decision), scribe.outcome(decision, number=1)],
        "executed, it says": [decision, scribe.outcome(decision, status="executed")],
        "kind": [scribe.swear(bodies.MODEL, NOWHERE, seen, kind=bodies.OBSERVATION)],
        "time": [scribe.swear(bodies.OBSERVATION, NOWHERE, seen, at="2000-01-01T00:00:00Z")],
    }[kind]
    scribe.register(*drafts)
    assert expected in findings(shop.audit())


def test_an_execution_outside_the_terms_is_found(done: Shop) -> None:
    """If the chain executed what its terms forbid, the audit says so."""
    forged = _chain(lambda chain: grant(chain)["terms"]["rules"][0].update(cap="99"))
    report = done.audit(forged(done, done.bundle()))
    details = [check.detail for check in report.findings() if check.name == "decision.terms"]
    assert len(details) == 1
    assert details[0].startswith("executed outside the terms")


def test_a_decision_that_waits_is_open_and_no_finding(shop: Shop, scribe: Scribe) -> None:
    """A logged decision without execution and outcome is not wrong; it is not finished."""
    scribe.begin().register(scribe.decision())
    report = shop.audit()
    assert report.good
    assert [check.name for check in report.open()] == ["decision.outcome"]


def test_data_may_be_withheld(done: Shop) -> None:
    """Offline undisclosed data leaves its check open; in the house it was lost, a finding."""
    bundle = replace(done.bundle(), data={})
    report = done.audit(bundle, live=False)
    assert report.good
    assert "observation.data" in {check.name for check in report.open()}
    assert findings(done.audit(bundle)) == {"observation.data"}


def test_every_finding_names_bytes(done: Shop) -> None:
    """Whatever is found, the finding says which bytes are at fault."""
    bundle = done.bundle()
    forged = replace(bundle, bodies={}, data={}, signature=bytes(65))
    report = done.audit(forged, log_id=NOWHERE)
    assert len(report.findings()) > 10
    assert all(finding.at_fault for finding in report.findings())


def test_a_log_that_nobody_trusts_is_not_vouched_for(done: Shop) -> None:
    """Without a trusted log id that check is open; with another one it is a finding."""
    bundle = done.bundle()
    assert "log.id" in {check.name for check in done.audit(bundle, log_id=None).open()}
    assert findings(done.audit(bundle, log_id=NOWHERE)) == {"log.id"}


def test_an_action_under_another_mandate_than_told_is_found(
    shop: Shop, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a lax log and the agent together, an execution under a hidden mandate is still found."""
    monkeypatch.setattr(shop.log._rules, "check", lambda _told, _now: None)
    bound = scribe.begin().action()
    decision = scribe.decision(bound, mandate="0x" + "11" * 20)
    scribe.register(decision)
    shop.ledger.execute(bound, decision.statement, shop.log, shop.ledger.anchor(shop.log))
    report = shop.audit()
    assert "decision.subject" in findings(report)
    assert to_hex(shop.mandate) in shop.bundle().chain["mandates"]


def test_two_open_decisions_for_one_nonce_are_found(
    shop: Shop, scribe: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that hoards decisions for one nonce, on a log that lets it, is found."""
    monkeypatch.setattr(shop.log._rules, "check", lambda _told, _now: None)
    scribe.begin().register(
        scribe.decision(), scribe.decision(scribe.action(data=transfer(99).data))
    )
    assert findings(shop.audit()) == {"decision.nonce"}


@pytest.mark.parametrize("kind", [bodies.REFUSAL, bodies.OUTCOME])
def test_a_whole_bundle_is_whole(kind: str) -> None:
    """A whole audit from which a refusal, or the outcome of one, was dropped does not hold."""
    shop = Shop()
    shop.pay("paid")
    shop.pay("doubted", 0)
    shop.pay("was refused", 401, careful=False)
    last = [i for i, told in enumerate(shop.told()) if told.kind == kind][-1]
    assert not shop.audit(_drop(last)(shop, shop.bundle())).good


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
@pytest.mark.parametrize(
    "forge",
    [
        _executions(subject=to_hex(NOWHERE)),
        _executions(number=7),
        _terms(header="0x00"),
        _chain(lambda chain: chain.update(chainId="1")),
        lambda _, bundle: replace(bundle, data={**bundle.data, NOWHERE: (bytes(32), b"{}")}),
        lambda _, bundle: replace(bundle, bodies={**bundle.bodies, NOWHERE: b"{}"}),
    ],
    ids=["subject", "block number", "header", "chain id", "data of nothing", "body of nothing"],
)
def test_what_contradicts_the_decision_is_found(done: Shop, forge: Forgery, *, live: bool) -> None:
    """An execution of another subject, block, header or chain contradicts what was sworn."""
    assert not done.audit(forge(done, done.bundle()), live=live).good


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: grant(chain).update(cancelled=[[]]),
        lambda chain: grant(chain).update(cancelled=[[1, 2, 3]]),
        lambda chain: grant(chain)["executions"][0].update(nonce="0.5"),
        lambda chain: grant(chain)["terms"].update(buckets=[]),
        lambda chain: grant(chain)["terms"]["rules"][0].update(bucket=7),
        lambda chain: grant(chain)["terms"]["buckets"][0].update(limit="-1", window=0),
        lambda chain: grant(chain)["executions"][0].update(nonce="9" * 5000),
    ],
    ids=[
        "cancelled nothing",
        "cancelled a triple",
        "half a nonce",
        "no buckets",
        "no such bucket",
        "no window",
        "a nonce of 5,000 digits",
    ],
)
def test_no_chain_claim_crashes_the_verifier(
    done: Shop, change: Callable[[dict[str, Any]], object]
) -> None:
    """Whatever stands in the chain's part, a bundle is reported on or refused as malformed."""
    forged = with_chain(done.bundle(), change)
    try:
        done.audit(form.decode(forged.encode()), live=False)
    except MalformedError:
        return


def test_witnesses_are_counted_only_where_they_signed() -> None:
    """A policy that demands a witness, and a checkpoint without its signature, do not hold."""
    shop, signer = Shop(), fixed_key("log")
    policy = LogPolicy("test.example/log", signer.address, (STRANGER.address,), 1)
    notes = shop.log._secret
    shop.log = Sequencer(Storage(memory_database()), policy, signer, notes, CORE_KINDS, shop.clock)
    Scribe(shop).begin()
    report = shop.audit(live=False)
    assert report.witnesses == 0 or not report.good


def test_an_execution_off_the_record_is_found(shop: Shop) -> None:
    """What the chain executed without any decision in the log is found, live."""
    shop.pay()
    off = Execution(NOWHERE, NOWHERE, 1, NOWHERE, NOWHERE, 9, 1)
    shop.ledger._executions[shop.mandate].append(off)
    assert findings(shop.audit()) == {"mandate.on-the-record"}


def test_a_statement_signed_by_another_is_found(done: Shop) -> None:
    """A statement with a changed signature fails signature and place, and nothing rests on it."""
    bundle, index = done.bundle(), 4
    told = statement.decode(done.log.entry(index)).verify()
    forged = replace(told, signature=STRANGER.sign(b"other")).entry
    given = bundle.statements[index].replace(told.signature, forged[-64:])
    report = done.audit(replace(bundle, statements={**bundle.statements, index: given}))
    assert {"statement.signature", "statement.logged", "mandate.on-the-record"} <= findings(report)
