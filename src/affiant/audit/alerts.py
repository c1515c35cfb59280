"""Alerts and the suspensions they led to: nobody is kept still without grounds, off the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affiant.audit.evidence import Evidence, Read
from affiant.audit.findings import Check, by_chain
from affiant.kernel import alert
from affiant.kernel import body as bodies
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.mandate import Terms
from affiant.kernel.suspension import BoundSuspension


def check_alert(read: Read, evidence: Evidence, ledger: str | None) -> list[Check]:
    """Check what an alert says, what it rests on, and what the chain made of it."""
    if read.statement is None or read.body is None:
        return []
    checks = [_grounds(read), _evidence(read, evidence)]
    if read.content["suspension"] is not None:
        checks.append(_suspension(read, evidence.bundle.chain, ledger))
    return checks


def check_suspensions(
    mandate: str, grant: Mapping[str, Any], evidence: Evidence, ledger: str | None
) -> list[Check]:
    """Check that every suspension on chain has its good alert, about this mandate, in the log."""
    name, done = "mandate.suspensions", grant["suspensions"]
    strays = []
    for stay in done:
        leaf = from_hex(stay["alert"], 32)
        read = evidence.by_leaf.get(leaf)
        asked = read.content.get("suspension") if read and read.kind == bodies.ALERT else None
        if asked is None or asked["mandate"] != mandate:
            told = f"transaction {stay['transaction']} has no good alert in the log"
            strays.append(Check(name, False, told, leaf))
    if strays or not done:
        return strays
    told = f"all {len(done)} suspensions have their alert in the log"
    return [Check(name, by_chain(ledger), told)]


def _grounds(read: Read) -> Check:
    name, content = "alert.grounds", read.content
    why = [f"{f['detector']} ({f['threat']}): {f['reason']}" for f in content["findings"]]
    told = f"{content['response']} {content['suspect']}; {'; '.join(why)}"
    try:
        alert.check(content)
    except MalformedError as error:
        return Check(name, False, error.message, read.leaf)
    about = alert.subject_of(content)
    if read.statement is not None and read.statement.subject != about:
        return Check(name, False, f"it is about {to_hex(about)}, not its subject", read.leaf, about)
    return Check(name, True, told, read.leaf)


def _evidence(read: Read, evidence: Evidence) -> Check:
    name, content = "alert.evidence", read.content
    leaves = alert.statements_of(content)
    for leaf in leaves:
        found = evidence.by_leaf.get(leaf)
        if found is None or found.index >= read.index or found.statement is None:
            told = f"{to_hex(leaf)} is no earlier good entry"
            return Check(name, False, told, read.leaf, leaf)
        by = found.statement.issuer.did
        if content["suspension"] is not None and by != content["suspect"]:
            told = f"{to_hex(leaf)} was sworn by {by}, not by the suspect"
            return Check(name, False, told, read.leaf, leaf)
    sent = sum(len(finding["transactions"]) for finding in content["findings"])
    told = f"{len(leaves)} earlier statements, {sent} transactions"
    if content["suspension"] is not None and not leaves:
        return Check(name, None, f"{told}, which are not looked at here", read.leaf)
    return Check(name, True, told, read.leaf)


def _suspension(read: Read, chain: Mapping[str, Any], ledger: str | None) -> Check:
    """The chain did what was sworn, to the suspect's mandate and by its guardian, or nothing."""
    name, bound = "alert.suspension", BoundSuspension.from_json(read.content["suspension"])
    grant = chain["mandates"].get(to_hex(bound.mandate))
    if grant is None:
        told = f"the chain has no mandate {to_hex(bound.mandate)}, so nobody was kept still"
        return Check(name, by_chain(ledger), told, read.leaf)
    done = [stay for stay in grant["suspensions"] if stay["alert"] == to_hex(read.leaf)]
    if not done:  # not carried, or refused: nobody was kept still
        return Check(name, by_chain(ledger), "not carried to the chain", read.leaf)
    wrong = _wrong(read, bound, Terms.from_json(grant["terms"]), done, chain["chainId"])
    if wrong is not None:
        return Check(name, False, wrong, read.leaf)
    told = f"suspended until {bound.suspension.until} in transaction {done[0]['transaction']}"
    return Check(name, by_chain(ledger), told, read.leaf)


def _wrong(
    read: Read,
    bound: BoundSuspension,
    terms: Terms,
    done: list[Mapping[str, Any]],
    chain_id: str,
) -> str | None:
    """Return what is wrong with a suspension that the chain has carried out."""
    asked = (bound.suspension.number, bound.suspension.until)
    if [(stay["number"], stay["until"]) for stay in done] != [asked]:
        return f"{len(done)} suspensions on chain, not exactly number {asked[0]} until {asked[1]}"
    if str(bound.chain_id) != chain_id:
        return f"sworn for chain {bound.chain_id}, the bundle is of chain {chain_id}"
    if terms.guardian is None or read.statement is None:
        return "the terms name no guardian"
    if read.statement.issuer.kid != terms.guardian.account:
        return f"not by the mandate's guardian {to_hex(terms.guardian.account)}"
    if alert.account_of(read.content["suspect"]) != terms.agent:
        return f"the suspect is not the mandate's agent {to_hex(terms.agent)}"
    return None
