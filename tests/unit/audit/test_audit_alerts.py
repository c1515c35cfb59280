"""Alerts in an audit: a good suspension holds, and each check fails by name without its ground."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from affiant.kernel import body as bodies
from affiant.kernel import bundle as form
from affiant.kernel.alert import ASSOCIATION, INDEPENDENT
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import jcs_encode, sha256, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.ports import Draft
from affiant.testing import memory_database, memory_log
from shop import GUARDIAN, STRANGER, Scribe, Shop, findings, watch

NOWHERE = sha256(b"nowhere")
OF_THE_CHAIN = {"mandate.suspensions", "alert.suspension"}
OF_THE_LOG = {"alert.grounds", "alert.evidence"}


class Watched:
    """A shop whose agent was suspended once, by the book."""

    def __init__(self) -> None:
        self.shop = Shop(watch())
        self.scribe = Scribe(self.shop).begin()
        self.alert = self.scribe.alert(self.scribe.stay())

    def carry(self, draft: Draft | None = None) -> Watched:
        """Log the alert and suspend the agent."""
        self.scribe.register(draft or self.alert)
        self.shop.suspend(draft or self.alert)
        return self


@pytest.fixture
def ready() -> Watched:
    """Return a shop with a guardian, in which nobody was suspended yet."""
    return Watched()


@pytest.fixture
def done() -> Watched:
    """Return a shop whose agent was suspended."""
    return Watched().carry()


@pytest.fixture
def lax(ready: Watched, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Return a shop whose log takes everything."""
    monkeypatch.setattr(ready.shop.log._rules, "check", lambda _told, _now: None)
    return ready


def forged(shop: Shop, change: Callable[[dict[str, Any]], object]) -> Bundle:
    """Return the whole bundle with another word of the chain about the mandate."""
    bundle = shop.bundle()
    chain = copy.deepcopy(bundle.chain)
    change(chain["mandates"][to_hex(shop.mandate)])
    return replace(bundle, chain=chain)


def stay(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Return a forgery of the chain's first suspension."""
    return lambda grant: grant["suspensions"][0].update(changes)


def checks(report: Any, names: set[str]) -> dict[str, list[bool | None]]:
    """Return the verdicts of the checks of these names."""
    told = [check for check in report.checks() if check.name in names]
    return {name: [check.good for check in told if check.name == name] for name in names}


def test_a_suspension_by_the_book_holds(done: Watched) -> None:
    """Grounds, evidence, chain and record of a carried suspension are checked, and hold."""
    report = done.shop.audit()
    assert report.findings() == []
    assert report.open() == []
    found = checks(report, OF_THE_CHAIN | OF_THE_LOG)
    assert set(map(tuple, found.values())) == {(True,)}


def test_offline_the_chains_word_is_open(done: Watched) -> None:
    """Without a chain the alert's own checks hold, and what only the chain can tell is open."""
    bundle = form.decode(done.shop.bundle().encode())
    report = done.shop.audit(bundle, live=False)
    assert report.good
    found = checks(report, OF_THE_CHAIN | OF_THE_LOG)
    assert {name for name, (good,) in found.items() if good is None} == OF_THE_CHAIN
    assert {name for name, (good,) in found.items() if good} == OF_THE_LOG


def test_suspending_resuming_and_suspending_again_holds(done: Watched) -> None:
    """Several suspensions, with resumptions and payments between them, hold."""
    shop, scribe = done.shop, done.scribe
    shop.ledger.resume(shop.mandate, 0, shop.principal)
    shop.pay()
    done.carry(scribe.alert(scribe.stay(300), [scribe.finding(f) for f in INDEPENDENT]))
    report = shop.audit(models=shop.models())
    assert report.findings() == []
    assert [s.suspension.number for s in shop.ledger.suspensions(shop.mandate)] == [0, 2]


def test_a_warning_holds(ready: Watched) -> None:
    """A warning has grounds whatever it found, and the chain has nothing to do with it."""
    scribe = ready.scribe
    scribe.register(scribe.alert(findings=[scribe.finding(ASSOCIATION)], key=STRANGER))
    report = ready.shop.audit()
    assert report.good
    assert "alert.suspension" not in {check.name for check in report.checks()}


def test_an_alert_that_was_not_carried_keeps_nobody_still(ready: Watched) -> None:
    """A suspension that was sworn and never carried, by whomever, is no finding."""
    scribe = ready.scribe
    scribe.register(ready.alert, scribe.alert(scribe.stay(), key=STRANGER))
    report = ready.shop.audit()
    assert report.good
    assert checks(report, {"alert.suspension"}) == {"alert.suspension": [True, True]}


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (stay(alert=to_hex(NOWHERE)), "mandate.suspensions"),
        (stay(until=1_800_000_601), "alert.suspension"),
        (stay(until=1_800_000_599), "alert.suspension"),
        (stay(number=1), "alert.suspension"),
        (lambda grant: grant["suspensions"].append(grant["suspensions"][0]), "alert.suspension"),
        (lambda grant: grant["terms"].update(guardian=None), "alert.suspension"),
        (
            lambda grant: grant["terms"]["guardian"].update(account=to_hex(STRANGER.address)),
            "alert.suspension",
        ),
        (
            lambda grant: grant["terms"].update(agent=to_hex(STRANGER.address)),
            "alert.suspension",
        ),
    ],
    ids=["no alert", "longer", "shorter", "number", "twice", "no guardian", "guardian", "agent"],
)
def test_another_word_of_the_chain_is_found(
    done: Watched, change: Callable[[dict[str, Any]], object], expected: str, *, live: bool
) -> None:
    """A suspension on chain that is not exactly the sworn one fails by name, live and offline."""
    report = done.shop.audit(forged(done.shop, change), live=live)
    assert expected in findings(report)


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_a_suspension_off_the_record_is_found(done: Watched, *, live: bool) -> None:
    """A suspension whose alert is not in the bundle has no ground that anybody could see."""
    bundle = done.shop.bundle()
    kept = {i: data for i, data in bundle.statements.items() if i != 4}
    report = done.shop.audit(replace(bundle, statements=kept), live=live)
    assert "mandate.suspensions" in findings(report)


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_another_chains_suspension_is_found(done: Watched, *, live: bool) -> None:
    """An alert that was sworn for another chain does not account for this chain's suspension."""
    other = done.scribe.alert(done.scribe.stay(chain_id=1, number=0))
    done.scribe.register(other)
    leaf = to_hex(other.statement.leaf)
    report = done.shop.audit(forged(done.shop, stay(alert=leaf)), live=live)
    assert findings(report) == {"alert.suspension"}


def test_an_alert_by_another_than_the_guardian_is_found(done: Watched) -> None:
    """If the chain took a stranger's alert for the guardian's, the audit says so."""
    other = done.scribe.alert(done.scribe.stay(number=0), key=STRANGER)
    done.scribe.register(other)
    leaf = to_hex(other.statement.leaf)
    report = done.shop.audit(forged(done.shop, stay(alert=leaf)))
    (found,) = report.findings()
    assert (found.name, found.statement) == ("alert.suspension", other.statement.leaf)
    assert "guardian" in found.detail


def test_an_agent_suspended_for_another_is_found(ready: Watched) -> None:
    """A guardian that suspends one agent and blames another for it is found."""
    seen = json.loads(ready.scribe.seen.body)["content"]
    told = ready.scribe.swear(bodies.OBSERVATION, NOWHERE, seen, key=STRANGER)
    ready.shop.archive.put(NOWHERE, bytes(32), b"{}")
    ready.scribe.register(told)
    finding = ready.scribe.finding(statements=(told.statement.leaf,))
    about, blamed = ready.scribe.stay(), STRANGER.public.did
    ready.carry(ready.scribe.alert(about, [finding], suspect=blamed))
    found = [c for c in ready.shop.audit().findings() if c.name == "alert.suspension"]
    assert [check.detail.split(" is not ")[0] for check in found] == ["the suspect"]


@pytest.mark.parametrize("suspect", ["somebody", "did:key:zQ3", ""])
def test_a_suspect_without_a_key_is_nobodys_agent(ready: Watched, suspect: str) -> None:
    """A suspect that names no key is not the mandate's agent, and no crash."""
    by_chain = ready.scribe.finding(statements=(), transactions=(NOWHERE,))
    ready.carry(ready.scribe.alert(ready.scribe.stay(), [by_chain], suspect=suspect))
    assert findings(ready.shop.audit()) == {"alert.suspension"}
    assert findings(ready.shop.audit(live=False)) == {"alert.suspension"}


def test_a_suspension_without_grounds_is_found(lax: Watched) -> None:
    """On a log that lets it in, a suspension on one detector that may be wrong is found."""
    weak = [lax.scribe.finding("drift"), lax.scribe.finding(ASSOCIATION)]
    lax.carry(lax.scribe.alert(lax.scribe.stay(), weak))
    assert findings(lax.shop.audit()) == {"alert.grounds"}
    assert findings(lax.shop.audit(live=False)) == {"alert.grounds"}


@pytest.mark.parametrize("suspends", [False, True])
def test_an_alert_about_something_else_is_found(lax: Watched, *, suspends: bool) -> None:
    """An alert that is not about its suspension, or its suspect, is found."""
    about = lax.scribe.stay() if suspends else None
    lax.scribe.register(lax.scribe.alert(about, subject=NOWHERE))
    assert findings(lax.shop.audit()) == {"alert.grounds"}


def test_a_suspension_for_anothers_words_is_found(lax: Watched) -> None:
    """Evidence by another than the suspect grounds no suspension; a warning may point at it."""
    model = lax.shop.told()[0].leaf
    finding = lax.scribe.finding(statements=(model,))
    lax.scribe.register(lax.scribe.alert(findings=[finding]))
    assert findings(lax.shop.audit()) == set()
    lax.carry(lax.scribe.alert(lax.scribe.stay(), [finding]))
    assert findings(lax.shop.audit()) == {"alert.evidence"}


@pytest.mark.parametrize("suspends", [False, True])
def test_evidence_that_came_later_is_found(lax: Watched, *, suspends: bool) -> None:
    """An alert that rests on what was logged after it knew what it could not know."""
    later = lax.scribe.observation(b'{"units":7}')
    lax.shop.archive.put(later.statement.subject, bytes(32), b'{"units":7}')
    finding = lax.scribe.finding(statements=(later.statement.leaf,))
    about = lax.scribe.stay() if suspends else None
    lax.scribe.register(lax.scribe.alert(about, [finding]), later)
    assert findings(lax.shop.audit()) == {"alert.evidence"}


@pytest.mark.parametrize("suspends", [False, True])
def test_evidence_that_is_not_there_is_found(lax: Watched, *, suspends: bool) -> None:
    """An alert that rests on a statement that is not in the log is found."""
    about = lax.scribe.stay() if suspends else None
    nothing = lax.scribe.finding(statements=(NOWHERE,))
    lax.scribe.register(lax.scribe.alert(about, [nothing]))
    assert findings(lax.shop.audit()) == {"alert.evidence"}


def test_evidence_that_was_left_out_is_found(done: Watched) -> None:
    """A bundle that keeps an alert and leaves its evidence out does not hold."""
    bundle = done.shop.bundle(to_hex(done.alert.statement.leaf))
    assert done.shop.audit(bundle).good
    kept = {i: data for i, data in bundle.statements.items() if i != 3}
    report = done.shop.audit(replace(bundle, statements=kept))
    assert "alert.evidence" in findings(report)


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_a_warning_accounts_for_no_suspension(done: Watched, *, live: bool) -> None:
    """A suspension on chain for which only a warning was sworn is off the record."""
    warning = done.scribe.alert()
    done.scribe.register(warning)
    leaf = to_hex(warning.statement.leaf)
    report = done.shop.audit(forged(done.shop, stay(alert=leaf)), live=live)
    assert findings(report) == {"mandate.suspensions"}


@pytest.mark.parametrize("live", [True, False], ids=["live", "offline"])
def test_another_mandates_alert_accounts_for_no_suspension(done: Watched, *, live: bool) -> None:
    """A suspension of this mandate under an alert for another one is off the record."""
    terms = done.shop.ledger.terms(done.shop.mandate)
    other = done.shop.ledger.grant(replace(terms, longest_life=7))
    alert = done.scribe.alert(done.scribe.stay(mandate=other, number=0))
    done.scribe.register(alert)
    leaf = to_hex(alert.statement.leaf)
    report = done.shop.audit(forged(done.shop, stay(alert=leaf)), live=live)
    assert "mandate.suspensions" in findings(report)


@pytest.mark.parametrize("kind", [bodies.DECISION, bodies.OBSERVATION])
def test_another_statement_accounts_for_no_suspension(kind: str) -> None:
    """A suspension on chain whose named statement is no alert is off the record."""
    done = Watched().carry()
    done.shop.clock.advance(600)
    done.shop.pay()
    told = next(told for told in done.shop.told() if told.kind == kind)
    report = done.shop.audit(forged(done.shop, stay(alert=to_hex(told.leaf))))
    assert findings(report) == {"mandate.suspensions"}


def test_an_alert_about_a_mandate_that_nobody_knows(ready: Watched) -> None:
    """An alert about what is no mandate kept nobody still: no finding live, open offline."""
    alert = ready.scribe.alert(ready.scribe.stay(mandate=b"\x11" * 20, number=0))
    ready.scribe.register(alert)
    bundle = ready.shop.bundle()
    assert to_hex(b"\x11" * 20) not in bundle.chain["mandates"]
    assert findings(ready.shop.audit(bundle)) == set()
    report = ready.shop.audit(bundle, live=False)
    assert report.good
    assert "alert.suspension" in {check.name for check in report.open()}


def test_a_damaged_alert_is_found(done: Watched) -> None:
    """An alert whose body was altered is no alert, and its suspension is off the record."""
    bundle, digest = done.shop.bundle(), done.alert.statement.body
    altered = bundle.bodies[digest].replace(b"it was seen", b"it was said")
    assert altered != bundle.bodies[digest]
    report = done.shop.audit(replace(bundle, bodies={**bundle.bodies, digest: altered}))
    assert findings(report) == {"statement.body", "mandate.suspensions"}


@pytest.mark.parametrize(
    "change",
    [
        {"number": 1 << 32},
        {"until": -1},
        {"until": 1 << 45},
        {"number": (1 << 53) - 1},
    ],
    ids=repr,
)
def test_no_claim_of_a_suspension_crashes_the_verifier(
    done: Watched, change: dict[str, int]
) -> None:
    """Whatever numbers the chain's part claims, they are found to be other than what was sworn."""
    bundle = form.decode(forged(done.shop, stay(**change)).encode())
    assert "alert.suspension" in findings(done.shop.audit(bundle, live=False))


class TestCollecting:
    """What the bundle of a target holds of alerts and suspensions."""

    def test_an_alert_brings_its_evidence_and_its_suspension(self, done: Watched) -> None:
        """An alert's bundle holds the statements it names, its mandate, and only its suspension."""
        done.shop.clock.advance(700)
        done.carry(done.scribe.alert(done.scribe.stay()))
        bundle = done.shop.bundle(to_hex(done.alert.statement.leaf))
        assert sorted(bundle.statements) == [0, 1, 3, 4]
        (grant,) = bundle.chain["mandates"].values()
        alerts = [told["alert"] for told in grant["suspensions"]]
        assert alerts == [to_hex(done.alert.statement.leaf)]
        report = done.shop.audit(bundle)
        assert (report.findings(), report.open()) == ([], [])

    def test_an_agent_brings_the_alerts_about_it(self, done: Watched) -> None:
        """An agent's bundle holds the alerts that suspect it, whoever swore them, and no others."""
        scribe = done.scribe
        warning = scribe.alert(key=STRANGER)
        other = scribe.alert(suspect=STRANGER.public.did)
        scribe.register(warning, other)
        bundle = done.shop.bundle(to_hex(done.shop.key.address))
        assert sorted(bundle.statements) == [0, 1, 3, 4, 5]
        assert done.shop.audit(bundle).good

    def test_a_warning_brings_no_mandate(self, ready: Watched) -> None:
        """A warning's bundle names no mandate, and holds."""
        warning = ready.scribe.alert()
        ready.scribe.register(warning)
        bundle = ready.shop.bundle(to_hex(warning.statement.leaf))
        assert bundle.chain["mandates"] == {}
        assert ready.shop.audit(bundle).good

    @pytest.mark.parametrize(
        "damage",
        [
            b"",
            b"[]",
            b"null",
            b'{"content":5}',
            b'{"content":{"suspect":5}}',
            b'{"content":{"suspect":[]}}',
            b'{"content":{"suspect":null,"findings":5}}',
            b'{"because":[],"content":{"findings":[5],"suspension":5}}',
            b'{"because":[],"content":{"findings":5}}',
        ],
    )
    @pytest.mark.parametrize("by", ["agent", "alert", "whole"])
    def test_a_damaged_alert_is_collected_all_the_same(self, damage: bytes, by: str) -> None:
        """Whatever an alert's body was swapped for, collecting does not crash."""
        done, database = Watched(), memory_database()
        done.shop.log = memory_log(done.shop.clock, database=database)
        done.scribe = Scribe(done.shop).begin()
        done.carry()
        assert done.shop.pay().refused == "AgentSuspended"
        leaf, digest = done.alert.statement.leaf, done.alert.statement.body
        database.execute("UPDATE bodies SET body = ? WHERE digest = ?", (damage, digest))
        names = {"agent": to_hex(done.shop.key.address), "alert": to_hex(leaf), "whole": None}
        report = done.shop.audit(done.shop.bundle(names[by]), live=False)
        assert ("statement.body" in findings(report)) == (by != "agent")


def test_a_suspended_agent_refuses_and_its_refusal_holds(done: Watched) -> None:
    """While it is suspended the agent refuses by name; afterwards it acts, and all of it holds."""
    act = done.shop.pay()
    assert act.refused == "AgentSuspended"
    done.shop.clock.advance(600)
    assert done.shop.pay("later").refused is None
    report = done.shop.audit(models=done.shop.models())
    assert report.findings() == []
    assert done.shop.paid == [100]


def test_a_bundle_of_suspensions_has_one_form(done: Watched) -> None:
    """A suspension in a bundle has exactly its fields."""
    value = json.loads(done.shop.bundle().encode())
    (grant,) = value["chain"]["mandates"].values()
    assert form.decode(jcs_encode(value)).chain["mandates"]
    for change in ({"more": 0}, {"alert": None}, {"number": "0"}, {"until": 0.5}):
        spoilt = copy.deepcopy(value)
        (of,) = spoilt["chain"]["mandates"].values()
        of["suspensions"][0].update(change)
        with pytest.raises(MalformedError):
            form.decode(jcs_encode(spoilt))
    assert grant["terms"]["guardian"]["account"] == to_hex(GUARDIAN.address)
