"""Claims about alerts: what one may say, what a suspension rests on, and what it is about."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import pytest

from affiant.kernel import alert, body
from affiant.kernel.alert import FAMILIES, INDEPENDENT, RULE, THREATS, Finding
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.suspension import BoundSuspension, Suspension

from .refusals import refused

SUSPECT = "did:key:zSuspect"
LEAF, TRANSACTION = sha256(b"leaf"), sha256(b"transaction")
STAY = BoundSuspension(1, b"m" * 20, Suspension(0, 1_800_000_000))


def finding(family: str = RULE, **changes: Any) -> Finding:
    """Return a finding, with other fields if given."""
    usual: dict[str, Any] = {
        "detector": "test",
        "family": family,
        "threat": "ASI02",
        "reason": "it was seen",
        "statements": (LEAF,),
    }
    return Finding(**{**usual, **changes})


def suspends(*findings: Finding) -> dict[str, Any]:
    """Return the content of an alert that suspends on these findings."""
    return alert.content_of(SUSPECT, findings, STAY)


def warns(*findings: Finding) -> dict[str, Any]:
    """Return the content of an alert that warns of these findings."""
    return alert.content_of(SUSPECT, findings)


@pytest.mark.parametrize("count", range(4))
def test_grounds_are_a_rule_or_two_families(count: int) -> None:
    """Of all sets of families exactly those with a rule, or with two independent ones, ground."""
    for families in combinations_with_replacement(FAMILIES, count):
        independent = {family for family in families if family in INDEPENDENT}
        assert alert.grounded(families) == (RULE in families or len(independent) >= 2)


def test_association_is_never_a_ground() -> None:
    """However many dealings with labelled accounts are found, and whoever else, it adds nothing."""
    for family in INDEPENDENT:
        assert not alert.grounded([family, *[alert.ASSOCIATION] * 5])
        with refused("no-grounds"):
            alert.check(suspends(finding(family), finding(alert.ASSOCIATION)))
    alert.check(suspends(finding(INDEPENDENT[0]), finding(INDEPENDENT[1])))


def test_a_warning_needs_no_grounds() -> None:
    """Any single finding is enough for a warning, association too."""
    for family in FAMILIES:
        alert.check(warns(finding(family)))


def test_an_alert_finds_something() -> None:
    """Without findings there is no alert, neither to warn nor to suspend."""
    for content in (warns(), suspends()):
        with refused("bad-alert"):
            alert.check(content)


@pytest.mark.parametrize("threat", ["ASI00", "ASI11", "ASI1", "asi01", "", "LLM01"])
def test_threats_are_those_of_the_list(threat: str) -> None:
    """A threat is one of ASI01 to ASI10."""
    with refused("bad-alert"):
        alert.check(warns(finding(threat=threat)))
    assert len(THREATS) == 10
    for known in THREATS:
        alert.check(warns(finding(threat=known)))


@pytest.mark.parametrize("family", ["", "Rule", "rules", "graph"])
def test_families_are_those_of_the_list(family: str) -> None:
    """A family that nobody knows is refused, also beside a rule."""
    with refused("bad-alert"):
        alert.check(suspends(finding(), finding(family)))


def test_a_finding_names_its_evidence() -> None:
    """A statement or a transaction is evidence enough; neither is none."""
    alert.check(warns(finding(statements=(), transactions=(TRANSACTION,))))
    alert.check(warns(finding(statements=(LEAF,), transactions=())))
    with refused("bad-alert"):
        alert.check(warns(finding(), finding(statements=())))


@pytest.mark.parametrize("response", ["warn", "suspend", "revoke", ""])
def test_the_response_is_the_suspensions(response: str) -> None:
    """An alert with a suspension says suspend, one without says warn, and neither anything else."""
    for content, right in ((warns(finding()), "warn"), (suspends(finding()), "suspend")):
        content["response"] = response
        if response == right:
            alert.check(content)
        else:
            with refused("bad-alert"):
                alert.check(content)


def test_an_alert_is_about_its_suspension_or_its_suspect() -> None:
    """The subject is the suspension's digest; without one, SHA-256 of the suspect's name."""
    assert alert.subject_of(suspends(finding())) == STAY.digest
    assert alert.subject_of(warns(finding())) == sha256(SUSPECT.encode())
    other = alert.content_of("did:key:zOther", [finding()])
    assert alert.subject_of(other) != alert.subject_of(warns(finding()))


def test_its_evidence_is_all_that_its_findings_name() -> None:
    """The statements of an alert are those of its findings, in order; transactions are none."""
    second = sha256(b"second")
    told = [finding(), finding(statements=(second, LEAF)), finding(transactions=(TRANSACTION,))]
    assert alert.statements_of(warns(*told)) == [LEAF, second, LEAF, LEAF]


def test_what_a_detector_says_fits_into_a_body() -> None:
    """A content of findings is in the form of an alert's body, with and without suspension."""
    told = finding(chance="0.25", transactions=(TRANSACTION,))
    for content in (warns(told), suspends(told)):
        made = body.Body(body.ALERT, "2027-01-15T08:00:00Z", bytes(16), content)
        assert body.decode(made.encoded, body.CORE_KINDS).content == content
        assert content["findings"][0]["statements"] == [to_hex(LEAF)]
