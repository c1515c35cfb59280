"""Vectors of suspensions, and of the alerts that demand them."""

from __future__ import annotations

import json
from typing import Any

from vector_documents import AT, LOG_ID, MANDATE, SALT, terms
from vector_keys import AGENT, IAT, THIEF

from affiant.kernel import alert, body, mandate, statement, suspension
from affiant.kernel.alert import Finding
from affiant.kernel.encoding import jcs_encode, sha256, to_hex
from affiant.kernel.errors import MandateRefused
from affiant.kernel.identity import LedgerKey
from affiant.kernel.suspension import BoundSuspension, Suspension

DAY = 86_400
GUARDIAN = LedgerKey(sha256(b"affiant vectors: guardian"))
ORDER = sha256(b"affiant vectors: order")
FAILED = sha256(b"affiant vectors: failed transaction")


def guardian() -> mandate.Guardian:
    """Return the guardian of the worked example: one day in any seven."""
    header = statement.header_prefix(GUARDIAN.public, body.ALERT)
    return mandate.Guardian(GUARDIAN.address, DAY, 7 * DAY, header)


def bound(number: int = 0, until: int = IAT + 3600, *, chain_id: int = 31337) -> BoundSuspension:
    """Return the suspension of the worked example, or another one."""
    return BoundSuspension(chain_id, MANDATE, Suspension(number, until))


UNKNOWN_PAYEE = Finding(
    detector="payee",
    family="rule",
    threat="ASI02",
    reason="three attempts to pay an address that the terms do not list",
    transactions=(FAILED,),
)
MANY_ORDERS = Finding(
    detector="volume",
    family="anomaly",
    threat="ASI08",
    reason="40 orders in an hour, 6 are usual",
    statements=(ORDER,),
    chance="0.0004",
)
NEW_HABIT = Finding(
    detector="habit",
    family="drift",
    threat="ASI10",
    reason="orders at night, never before",
    statements=(ORDER,),
    chance="0.002",
)
DEALINGS = Finding(
    detector="labels",
    family="association",
    threat="ASI04",
    reason="two steps away from a labelled account",
    transactions=(FAILED,),
    chance="0.01",
)
WARNING = alert.content_of(AGENT.public.did, [MANY_ORDERS, DEALINGS])
BY_RULE = alert.content_of(AGENT.public.did, [UNKNOWN_PAYEE], bound())
BY_TWO = alert.content_of(AGENT.public.did, [MANY_ORDERS, NEW_HABIT], bound())


def alert_body(content: dict[str, Any]) -> body.Body:
    """Return the body of an alert, resting on the decision that it is about."""
    because = (body.Reference(LOG_ID, sha256(b"affiant vectors: decision leaf")),)
    return body.Body(body.ALERT, AT, SALT, content, because)


def suspending() -> statement.Statement:
    """Return the alert that demands the suspension of the worked example."""
    digest = alert_body(BY_TWO).digest
    return statement.sign(body.ALERT, bound().digest, digest, GUARDIAN, IAT)


def suspensions() -> dict[str, Any]:
    """Return the content of suspension.json."""
    valid = [
        ("an hour", bound()),
        ("the same on another chain", bound(chain_id=1)),
        ("the next one", bound(1)),
        ("a second more", bound(until=IAT + 3601)),
        ("every field at its largest", bound(2**32 - 1, 2**40 - 1, chain_id=2**256 - 1)),
        ("every field zero", BoundSuspension(0, bytes(20), Suspension(0, 0))),
    ]
    alerts = [
        ("a warning", WARNING),
        ("a suspension on a rule", BY_RULE),
        ("a suspension on two families", BY_TWO),
    ]
    granted = guardian()
    return {
        "valid": [
            {"name": name, "suspension": item.to_json(), "digest": item.digest.hex()}
            for name, item in valid
        ],
        "invalid": [
            {"name": name, "reason": reason, "suspension": value}
            for name, reason, value in _bad_suspensions()
        ],
        "alerts": [
            {"name": name, "content": content, "subject": alert.subject_of(content).hex()}
            for name, content in alerts
        ],
        "invalid_alerts": [
            {"name": name, "reason": reason, "content": content}
            for name, reason, content in _bad_alerts()
        ],
        "header_prefix": granted.header.hex(),
        "limit": granted.limit,
        "window": granted.window,
        "steps": _steps(),
    }


def _bad_suspensions() -> list[tuple[str, str, Any]]:
    good = bound().to_json()

    def changed(**fields: Any) -> dict[str, Any]:
        return {**good, **fields}

    return [
        ("no object", "bad-suspension", []),
        ("no number", "bad-suspension", {k: v for k, v in good.items() if k != "number"}),
        ("a field more", "bad-suspension", changed(since=IAT)),
        ("number of 33 bits", "bad-suspension", changed(number=1 << 32)),
        ("number as text", "bad-suspension", changed(number="0")),
        ("number is false", "bad-suspension", changed(number=False)),
        ("negative number", "bad-suspension", changed(number=-1)),
        ("until of 41 bits", "bad-suspension", changed(until=1 << 40)),
        ("until as text", "bad-suspension", changed(until=str(IAT))),
        ("until with a fraction", "bad-suspension", changed(until=0.5)),
        ("chain id as a number", "bad-suspension", changed(chainId=31337)),
        ("chain id with a leading zero", "bad-suspension", changed(chainId="031337")),
        ("chain id with a sign", "bad-suspension", changed(chainId="+1")),
        ("chain id of 257 bits", "bad-suspension", changed(chainId=str(1 << 256))),
        ("chain id of 5,000 digits", "bad-suspension", changed(chainId="1" * 5000)),
        ("chain id in other digits", "bad-suspension", changed(chainId="\u0663")),
        ("empty chain id", "bad-suspension", changed(chainId="")),
        ("mandate of 32 bytes", "wrong-length", changed(mandate="0x" + "ab" * 32)),
        ("mandate with checksum capitals", "not-hex", changed(mandate="0x" + "aB" * 20)),
        ("mandate is null", "not-hex", changed(mandate=None)),
    ]


def _bad_alerts() -> list[tuple[str, str, dict[str, Any]]]:
    """Contents in the form of their kind that an alert may not have."""
    finding = MANY_ORDERS.to_json()
    drift, rule, labels = (item.to_json() for item in (NEW_HABIT, UNKNOWN_PAYEE, DEALINGS))

    def warning(**fields: Any) -> dict[str, Any]:
        return {**WARNING, "findings": [{**finding, **fields}]}

    def suspends(*findings: dict[str, Any]) -> dict[str, Any]:
        return {**BY_TWO, "findings": list(findings)}

    return [
        ("no findings", "bad-alert", {**WARNING, "findings": []}),
        ("a family nobody knows", "bad-alert", warning(family="intuition")),
        ("a threat nobody knows", "bad-alert", warning(threat="ASI11")),
        ("a threat without its zero", "bad-alert", warning(threat="ASI1")),
        ("a finding without evidence", "bad-alert", warning(statements=[])),
        ("another response", "bad-alert", {**WARNING, "response": "revoke"}),
        ("suspends, it says, and does not", "bad-alert", {**WARNING, "response": "suspend"}),
        ("warns, it says, and suspends", "bad-alert", {**BY_TWO, "response": "warn"}),
        ("one detector", "no-grounds", suspends(finding)),
        ("two detectors of one family", "no-grounds", suspends(finding, finding)),
        ("association alone", "no-grounds", suspends(labels)),
        ("one detector and association", "no-grounds", suspends(drift, labels, labels)),
        ("a rule without evidence", "bad-alert", suspends({**rule, "transactions": []})),
    ]


def bad_alert_bodies(good: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the contents that no alert's body may have; `good` is the content they depart from."""
    first, *rest = good["findings"]
    stay = good["suspension"]

    def content(**fields: Any) -> dict[str, Any]:
        return {**good, **fields}

    def finding(**fields: Any) -> dict[str, Any]:
        return content(findings=[{**first, **fields}, *rest])

    return [
        ("an alert without suspect", "bad-content", content(suspect=None)),
        ("an alert with a field more", "bad-content", content(severity="high")),
        (
            "an alert that lacks its response",
            "bad-content",
            {name: value for name, value in good.items() if name != "response"},
        ),
        ("findings as an object", "bad-content", content(findings={})),
        ("a finding as text", "bad-content", content(findings=["volume"])),
        ("a finding with a field more", "bad-content", finding(score="1")),
        ("chance as a number", "bad-content", finding(chance=0.5)),
        ("chance with a needless zero", "bad-content", finding(chance="0.50")),
        ("evidence as text", "bad-content", finding(statements="0x" + "ab" * 32)),
        ("evidence of 20 bytes", "bad-content", finding(statements=["0x" + "ab" * 20])),
        ("a transaction in upper case", "bad-content", finding(transactions=["0x" + "AB" * 32])),
        ("a suspension as text", "bad-content", content(suspension="an hour")),
        (
            "a suspension without number",
            "bad-content",
            content(suspension={name: value for name, value in stay.items() if name != "number"}),
        ),
        (
            "a suspension until text",
            "bad-content",
            content(suspension={**stay, "until": str(IAT)}),
        ),
    ]


# Second, what is done, number, end (in seconds after the first), and the refusal or None.
_PLAN: list[tuple[int, str, int, int, str | None]] = [
    (0, "suspend", 1, 3600, "WrongSuspension"),
    (0, "suspend", 0, 43201, "LivesTooLong"),
    (0, "suspend", 0, 0, "SuspendsNothing"),
    (0, "suspend", 0, 3600, None),
    (1800, "suspend", 0, 7200, "WrongSuspension"),
    (1800, "suspend", 1, 3600, "SuspendsNothing"),
    (1800, "suspend", 1, 7200, None),
    (1800, "suspend", 2, 43329, "AboveLimit"),
    (1800, "suspend", 2, 43328, None),
    (1814, "suspend", 3, 43330, "AboveLimit"),
    (1814, "suspend", 3, 43329, None),
    (2000, "resume", 0, 10000, None),
    (9999, "suspend", 5, 10100, "GuardianSilenced"),
    (10000, "suspend", 4, 10100, "WrongSuspension"),
    (10000, "suspend", 5, 10100, None),
    (604800, "suspend", 6, 640000, None),
]


def _steps() -> list[dict[str, Any]]:
    """One day in any seven, used second by second."""
    granted, state, steps = terms(guardian=guardian()), mandate.State(), []
    for after, does, number, end, refused in _PLAN:
        now, told = IAT + after, None
        try:
            if does == "resume":
                state = suspension.resume(state, IAT + end)
            else:
                asked = Suspension(number, IAT + end)
                state = suspension.suspend(granted, state, asked, now=now)
        except MandateRefused as error:
            told = error.rule
        if told != refused:
            raise AssertionError(f"second {after}, until {end}: {told}, not {refused}")
        left = mandate.remaining(guardian().bucket, state.watch.level, now)
        still = max(0, state.suspended_until - IAT)
        steps.append(
            {
                "second": after,
                "does": does,
                "number": state.watch.number - 1 if does == "resume" else number,
                "until": end,
                "refused": refused,
                "suspended_until": still,
                "remaining": left,
                "scaled": str(state.watch.level.scaled),
            }
        )
    return steps


def granted_terms() -> dict[str, Any]:
    """Return the parts of mandate.json about terms in JSON."""
    plain, watched = terms().to_json(), terms(guardian=guardian()).to_json()
    limits: list[tuple[str, dict[str, Any]]] = [
        ("a guardian that may suspend for no time", {"limit": 1}),
        ("a guardian that may suspend for ever", {"limit": 7 * DAY}),
        ("a guardian with a window of 33 bits", {"window": 1 << 32}),
        ("a guardian whose limit is text", {"limit": str(DAY)}),
        ("a guardian whose window is true", {"limit": 0, "window": True}),
        ("a guardian with a field more", {"name": "watch"}),
    ]
    broken: list[tuple[str, str, Any]] = [
        (name, "bad-terms", {**watched["guardian"], **change}) for name, change in limits
    ]
    short = {name: value for name, value in watched["guardian"].items() if name != "header"}
    broken += [
        ("a guardian without header", "bad-terms", short),
        ("a guardian as text", "bad-terms", to_hex(THIEF.address)),
        ("no guardian, as false", "bad-terms", False),
        (
            "a guardian of 32 bytes",
            "wrong-length",
            {**watched["guardian"], "account": "0x" + "ab" * 32},
        ),
        (
            "a guardian in upper case",
            "not-hex",
            {**watched["guardian"], "account": "0x" + "AB" * 20},
        ),
    ]
    missing = {name: value for name, value in watched.items() if name != "guardian"}
    guarded = terms(guard=THIEF.address).to_json()
    unguarded: list[tuple[str, str, Any]] = [
        ("no guard, as the zero address", "bad-terms", "0x" + "00" * 20),
        ("no guard, as text", "not-hex", ""),
        ("a guard of 32 bytes", "wrong-length", "0x" + "ab" * 32),
        ("a guard in upper case", "not-hex", "0x" + "AB" * 20),
    ]
    return {
        "terms": [
            {"name": "without a guardian", "terms": plain},
            {"name": "with a guardian", "terms": watched},
            {"name": "with a guard", "terms": guarded},
            {"name": "with approvals", "terms": terms(approvals=THIEF.address).to_json()},
        ],
        "invalid_terms": [
            {"name": "guardian left out", "reason": "bad-terms", "terms": missing},
            *(
                {"name": name, "reason": reason, "terms": {**watched, "guardian": value}}
                for name, reason, value in broken
            ),
            *(
                {"name": name, "reason": reason, "terms": {**guarded, "guard": value}}
                for name, reason, value in unguarded
            ),
            *(
                {
                    "name": f"{left} left out",
                    "reason": "bad-terms",
                    "terms": {name: value for name, value in plain.items() if name != left},
                }
                for left in ("guard", "approvals")
            ),
            {
                "name": "no approvals, as the zero address",
                "reason": "bad-terms",
                "terms": {**plain, "approvals": "0x" + "00" * 20},
            },
        ],
    }


def alert_bodies() -> dict[str, Any]:
    """Return the part of body.json about alerts."""
    good = json.loads(alert_body(BY_TWO).encoded)
    valid = [("an alert that warns", WARNING), ("an alert that suspends", BY_TWO)]
    return {
        "valid": [
            {
                "name": name,
                "kind": body.ALERT,
                "text": alert_body(content).encoded.decode(),
                "digest": alert_body(content).digest.hex(),
            }
            for name, content in valid
        ],
        "invalid": [
            {
                "name": name,
                "reason": reason,
                "text": jcs_encode({**good, "content": content}).decode(),
            }
            for name, reason, content in bad_alert_bodies(good["content"])
        ],
    }
