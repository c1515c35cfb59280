"""The registration of alerts: each rule by its name, and what stands just on its right side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from affiant.kernel import alert
from affiant.kernel.alert import ASSOCIATION, INDEPENDENT, THREATS, Finding
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError, RegistrationRefused
from affiant.kernel.identity import Ed25519Key
from affiant.kernel.ports import Draft
from shop import GUARDIAN, STRANGER, Scribe

NOWHERE = sha256(b"not in this log")
DEVICE = Ed25519Key(sha256(b"a device"))


@contextmanager
def refused(scribe: Scribe, reason: str) -> Iterator[None]:
    """Expect the log to refuse by this rule, and to be as it was before."""
    before = scribe.log.head()
    with pytest.raises(RegistrationRefused) as caught:
        yield
    assert caught.value.reason == reason
    assert scribe.log.head() == before


@pytest.fixture
def ready(scribe: Scribe) -> Scribe:
    """Return a scribe with model and observation in the log."""
    return scribe.begin()


def test_alerts_by_the_book_are_accepted(ready: Scribe) -> None:
    """A warning, a suspension on a rule and one on two families are accepted."""
    two = [ready.finding(family) for family in INDEPENDENT[:2]]
    ready.register(ready.alert(), ready.alert(ready.stay()), ready.alert(ready.stay(700), two))
    assert ready.log.head().size == 7


def test_an_alert_has_findings(ready: Scribe) -> None:
    """An alert that found nothing is refused."""
    with refused(ready, "bad-alert"):
        ready.register(ready.alert(findings=[]))
    ready.register(ready.alert(findings=[ready.finding(threat=THREATS[0])]))


def test_an_alert_speaks_of_known_families_and_threats(ready: Scribe) -> None:
    """A family, a threat or a response outside the lists is refused."""
    with refused(ready, "bad-alert"):
        ready.register(ready.alert(findings=[ready.finding("intuition")]))
    with refused(ready, "bad-alert"):
        ready.register(ready.alert(findings=[ready.finding(threat="ASI11")]))
    with refused(ready, "bad-alert"):
        ready.register(ready.alert(response="suspend"))


def test_a_finding_without_evidence_is_refused(ready: Scribe) -> None:
    """A finding names a statement or a transaction; a transaction alone will do."""
    with refused(ready, "bad-alert"):
        ready.register(ready.alert(findings=[ready.finding(statements=())]))
    by_chain = ready.finding(statements=(), transactions=(NOWHERE,))
    ready.register(ready.alert(ready.stay(), [by_chain]))


def test_a_suspension_has_grounds(ready: Scribe) -> None:
    """One detector that may be wrong grounds no suspension, nor with association beside it."""
    one, two = ready.finding(INDEPENDENT[0]), ready.finding(INDEPENDENT[1])
    for findings in ([one], [one, one], [one, ready.finding(ASSOCIATION)]):
        with refused(ready, "no-grounds"):
            ready.register(ready.alert(ready.stay(), findings))
    ready.register(ready.alert(findings=[one]))
    ready.register(ready.alert(ready.stay(), [one, two]))


def test_an_alert_is_about_what_it_demands(ready: Scribe) -> None:
    """A suspension's subject is its digest, a warning's its suspect; any other is refused."""
    stay, warning = ready.stay(), ready.alert()
    for other in (NOWHERE, ready.stay(601).digest, warning.statement.subject):
        with refused(ready, "subject-mismatch"):
            ready.register(ready.alert(stay, subject=other))
    for other in (NOWHERE, stay.digest):
        with refused(ready, "subject-mismatch"):
            ready.register(ready.alert(subject=other))
    ready.register(ready.alert(stay), warning)


def test_a_suspension_is_signed_with_a_ledger_key(ready: Scribe) -> None:
    """A device may warn but not suspend: the chain could not check its signature."""
    with refused(ready, "issuer-not-allowed"):
        ready.register(ready.alert(ready.stay(), key=DEVICE))
    ready.register(ready.alert(key=DEVICE), ready.alert(ready.stay(), key=STRANGER))


@pytest.mark.parametrize("suspends", [False, True])
def test_evidence_is_in_this_log(ready: Scribe, *, suspends: bool) -> None:
    """A statement that is not in the log is no evidence, whatever the response."""
    stay = ready.stay() if suspends else None
    known = ready.seen.statement.leaf
    with refused(ready, "evidence-unknown"):
        ready.register(ready.alert(stay, [ready.finding(statements=(known, NOWHERE))]))
    ready.register(ready.alert(stay, [ready.finding(statements=(known,))]))


def _by_another(scribe: Scribe) -> tuple[Draft, Finding]:
    """Return an observation by a stranger, and a finding about it."""
    content = json.loads(scribe.seen.body)["content"]
    told = scribe.swear("affiant/observation/v1", NOWHERE, content, key=STRANGER)
    return told, scribe.finding(statements=(told.statement.leaf,))


def test_nobody_is_suspended_for_anothers_words(ready: Scribe) -> None:
    """Evidence of a suspension is the suspect's own; a warning may point at anybody's."""
    told, finding = _by_another(ready)
    ready.register(told)
    with refused(ready, "evidence-foreign"):
        ready.register(ready.alert(ready.stay(), [ready.finding(), finding]))
    with refused(ready, "evidence-foreign"):
        ready.register(ready.alert(ready.stay(), suspect=STRANGER.public.did))
    ready.register(ready.alert(findings=[ready.finding(), finding]))
    ready.register(ready.alert(ready.stay(), [finding], suspect=STRANGER.public.did))


def test_rules_are_told_in_order(ready: Scribe) -> None:
    """Of many broken rules the first is told: what is said, about what, by whom, on what."""
    told, foreign = _by_another(ready)
    weak, stay = [replace(foreign, family=ASSOCIATION)], ready.stay()
    with refused(ready, "no-grounds"):
        ready.register(ready.alert(stay, weak, subject=NOWHERE, key=DEVICE))
    with refused(ready, "subject-mismatch"):
        ready.register(ready.alert(stay, [foreign], subject=NOWHERE, key=DEVICE))
    with refused(ready, "issuer-not-allowed"):
        ready.register(ready.alert(stay, [foreign], key=DEVICE))
    with refused(ready, "evidence-unknown"):
        ready.register(ready.alert(stay, [foreign]))
    ready.register(told)
    with refused(ready, "evidence-foreign"):
        ready.register(ready.alert(stay, [foreign]))


def test_an_alert_out_of_form_is_not_even_kept(ready: Scribe) -> None:
    """A body whose findings are not in their form is refused when it is handed over."""
    draft = ready.alert(response=None)
    with pytest.raises(MalformedError) as caught:
        ready.log.put_body(draft.body)
    assert caught.value.reason == "bad-content"


def test_the_same_alert_again_is_the_same_entry(ready: Scribe) -> None:
    """Registering an alert again gives its index; two alerts may demand one suspension."""
    draft = ready.alert(ready.stay())
    assert ready.register(draft) == ready.register(draft)
    ready.register(ready.alert(ready.stay(), key=STRANGER))


def test_the_log_does_not_know_guardians(ready: Scribe) -> None:
    """Whether an alert is the guardian's is for contract and audit: the log reads no chain."""
    content = json.loads(ready.alert(ready.stay()).body)["content"]
    assert alert.subject_of(content) == ready.stay().digest
    ready.register(ready.alert(ready.stay(), key=GUARDIAN), ready.alert(ready.stay(), key=STRANGER))
