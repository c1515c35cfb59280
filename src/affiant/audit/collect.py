"""Collects the evidence about a target into a bundle: what an audit checks, and what it exports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import merkle, receipt, statement
from affiant.kernel.alert import account_of
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import from_hex, jcs_decode, to_hex
from affiant.kernel.errors import InputError, LedgerError, MalformedError, MandateUnknown
from affiant.kernel.ports import Archive, Execution, Ledger, LogView, Suspended

_FOUNDATION = (0, 1)  # the log's policy and key


def collect(log: LogView, ledger: Ledger, archive: Archive, target: str | None = None) -> Bundle:
    """Return the evidence about a transaction, a statement or an agent; about all without target.

    Raises:
        InputError: there is nothing of that name.
    """
    head = log.head()
    wanted = range(head.size) if target is None else _closure(log, _find(log, ledger, target))
    indices = sorted({*_FOUNDATION, *wanted} & set(range(head.size)))
    statements, held, data = {}, {}, {}
    mandates: set[bytes] = set()
    for index in indices:
        entry = log.entry(index)
        try:
            statements[index] = receipt.transparent(entry, [log.receipt(index)])
            told = statement.decode(entry).unverified
        except MalformedError:
            statements[index] = entry  # a damaged entry goes in as it is, for the check to name
            continue
        body = log.body(told.body)
        if body is not None:
            held[told.body] = body
            named = _mandates_of(told.kind, body)
            if told.kind == bodies.ALERT:  # anybody may invent a mandate to be alarmed about
                named = {mandate for mandate in named if _granted(ledger, mandate)}
            mandates |= named
        kept = archive.get(told.subject) if told.kind == bodies.OBSERVATION else None
        if kept is not None:
            data[told.subject] = kept
    return Bundle(
        origin=log.policy.origin,
        key=log.key.did,
        signer=log.policy.signer,
        witnesses=log.policy.witnesses,
        threshold=log.policy.threshold,
        note=head.note,
        signature=head.signature,
        statements=statements,
        bodies=held,
        data=data,
        chain=_chain(log, ledger, sorted(mandates), whole=target is None, indices=indices),
    )


def _granted(ledger: Ledger, mandate: bytes) -> bool:
    try:
        ledger.terms(mandate)
    except MandateUnknown:
        return False
    return True


def _find(log: LogView, ledger: Ledger, target: str) -> list[int]:
    """Return the entries that a target names: transaction, statement leaf, or agent address."""
    try:
        name = from_hex(target.lower())
    except MalformedError as error:
        raise InputError(error.message, "Give a transaction, statement or agent as 0x…") from error
    found: list[int] = []
    if len(name) == 32:
        index = log.index_of(name)
        if index is None:
            try:
                leaf = ledger.transaction_leaf(name)
                index = None if leaf is None else log.index_of(leaf)
            except LedgerError:
                index = None
        found = [index] if index is not None else []
    if len(name) == 20:
        entries = ((i, log.entry(i)) for i in range(log.head().size))
        found = [i for i, entry in entries if _concerns(log, entry, name)]
    if not found:
        raise InputError(
            f"nothing in this log or on {ledger.name} is named {target}",
            "Name a transaction, a statement's leaf or an agent's address, or nothing for all",
        )
    return found


def _concerns(log: LogView, entry: bytes, agent: bytes) -> bool:
    """Tell whether an entry is an answer by an agent, or an alert about it."""
    try:
        told = statement.decode(entry).unverified
        if told.kind == bodies.ALERT:
            suspect = jcs_decode(log.body(told.body) or b"")["content"]["suspect"]
            return account_of(suspect) == agent
    except (MalformedError, KeyError, TypeError, AttributeError):
        return False
    return told.issuer.kid == agent and told.kind in (bodies.DECISION, bodies.REFUSAL)


def _closure(log: LogView, start: Iterable[int]) -> set[int]:
    """Return the entries with all that they rest on, and what else was said of their subjects."""
    seen: set[int] = set()
    todo = list(start)
    while todo:
        index = todo.pop()
        if index in seen:
            continue
        seen.add(index)
        try:
            told = statement.decode(log.entry(index)).unverified
        except MalformedError:
            continue  # a damaged entry goes in as it is
        if told.kind in (bodies.DECISION, bodies.OUTCOME):
            todo += log.about(told.subject)
        rests_on, model = _named(log.body(told.body))
        places = [log.index_of(leaf) for leaf in rests_on]
        todo += [place for place in places if place is not None]
        todo += log.about(model) if model else []
    return seen


def _named(data: bytes | None) -> tuple[list[bytes], bytes | None]:
    """Return the leaves and the model that a body names; nothing if it is damaged."""
    try:
        value = jcs_decode(data or b"")
        content = value["content"]
        names = [ref["leaf"] for ref in value["because"]] + list(content.get("inputs", []))
        names += [content["decision"]] if "decision" in content else []
        names += [leaf for told in content.get("findings", []) for leaf in told["statements"]]
        model = from_hex(content["model"], 32) if "model" in content else None
        return [from_hex(name, 32) for name in names], model
    except (MalformedError, KeyError, TypeError, AttributeError):
        return [], None


def _mandates_of(kind: str, body: bytes) -> set[bytes]:
    """Return the mandates that a decision, refusal or alert names, also in its action."""
    if kind not in (bodies.DECISION, bodies.REFUSAL, bodies.ALERT):
        return set()
    try:
        content = jcs_decode(body)["content"]
        if kind == bodies.ALERT:
            stay = content["suspension"]
            return set() if stay is None else {from_hex(stay["mandate"], 20)}
        named = [content["mandate"], (content["action"] or content)["mandate"]]
        return {from_hex(name, 20) for name in named}
    except (MalformedError, KeyError, TypeError):
        return set()


def _chain(
    log: LogView, ledger: Ledger, mandates: list[bytes], *, whole: bool, indices: list[int]
) -> dict[str, Any]:
    size = log.head().size
    anchors: list[dict[str, Any]] = [
        {
            "size": anchored.size,
            "root": to_hex(anchored.root),
            "block": anchored.block,
            "transaction": to_hex(anchored.transaction),
            "consistency": [
                to_hex(h) for h in merkle.consistency_path(log.node, anchored.size, size)
            ]
            if anchored.size <= size
            else None,
        }
        for anchored in ledger.anchored(log.policy.log_id)
    ]
    if not whole:  # the first anchor that holds each entry is enough
        first = {next((a["size"] for a in anchors if a["size"] > i), None) for i in indices}
        anchors = [anchor for anchor in anchors if anchor["size"] in first]
    leaves = {merkle.leaf_hash(log.entry(index)) for index in indices}
    grants: dict[str, Any] = {}
    for mandate in mandates:
        try:
            terms = ledger.terms(mandate)
        except LedgerError:
            grants[to_hex(mandate)] = None
            continue
        done = [e for e in ledger.executions(mandate) if whole or e.leaf in leaves]
        grants[to_hex(mandate)] = {
            "terms": terms.to_json(),
            "executions": [_execution(execution) for execution in done],
            "cancelled": sorted(list(pair) for pair in ledger.cancelled(mandate)),
            "suspensions": [
                _suspension(stay)
                for stay in ledger.suspensions(mandate)
                if whole or stay.leaf in leaves
            ],
        }
    return {"chainId": str(ledger.chain_id), "anchors": anchors, "mandates": grants, "whole": whole}


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "decision": to_hex(execution.leaf),
        "subject": to_hex(execution.subject),
        "nonce": str(execution.nonce),
        "transaction": to_hex(execution.transaction),
        "block": to_hex(execution.block),
        "number": execution.number,
        "gas": execution.gas,
    }


def _suspension(stay: Suspended) -> dict[str, Any]:
    return {
        "alert": to_hex(stay.leaf),
        "number": stay.suspension.number,
        "until": stay.suspension.until,
        "transaction": to_hex(stay.transaction),
    }
