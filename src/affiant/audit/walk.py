"""The walk: from what was done back to what was seen, with a verdict per check.

Works on a bundle alone. Chain claims count as checked if the bundle was just collected from a chain
(`ledger` names it); offline they are listed as open, and only a contradiction is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from affiant.audit.alerts import check_alert
from affiant.audit.evidence import Evidence, Read
from affiant.audit.findings import Check, Node, Report, by_chain
from affiant.audit.history import History
from affiant.audit.replay import replay
from affiant.kernel import body as bodies
from affiant.kernel import mandate as rules
from affiant.kernel.action import BoundAction
from affiant.kernel.body import Kind
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import from_hex, jcs_decode, to_hex
from affiant.kernel.errors import MalformedError, MandateRefused
from affiant.kernel.mandate import State, Terms
from affiant.kernel.model import Model
from affiant.kernel.statement import header_prefix

Models = Mapping[bytes, Model]


def audit(
    bundle: Bundle,
    kinds: Mapping[str, Kind],
    *,
    ledger: str | None = None,
    models: Models | None = None,
    log_id: bytes | None = None,
) -> Report:
    """Check everything that a bundle claims; with `models`, run the decisions again.

    `log_id` is the log that the caller trusts; without it, the bundle's own is shown, not judged.

    Raises:
        MalformedError: the bundle's frame (policy, key, checkpoint) does not hold.
    """
    walk = _Walk(Evidence(bundle, kinds), ledger, models)
    nodes = walk.nodes(log_id)
    for node in nodes:
        _name_bytes(node, walk.evidence)
    return Report(
        origin=bundle.origin,
        log_id=walk.evidence.policy.log_id,
        witnesses=0,  # a bundle holds no cosignatures yet, so none can have been checked
        ledger=ledger,
        nodes=nodes,
    )


def _name_bytes(node: Node, evidence: Evidence) -> None:
    """Give every finding bytes at fault: where no part is, the whole entry, or the log's id."""
    for place, check in enumerate(node.checks):
        if check.good is False and not check.at_fault:
            read = evidence.by_leaf.get(check.statement or b"")
            entry = read.statement.entry if read and read.statement else None
            at_fault = entry or check.statement or evidence.policy.log_id
            node.checks[place] = replace(check, at_fault=at_fault)
    for child in node.children:
        _name_bytes(child, evidence)


class _Walk:
    def __init__(self, evidence: Evidence, ledger: str | None, models: Models | None) -> None:
        self.evidence = evidence
        self.ledger = ledger
        self.models = models
        self.chain = evidence.bundle.chain
        self.seen: set[int] = set()
        self.doubled: dict[bytes, bytes] = {}

    def nodes(self, log_id: bytes | None) -> list[Node]:
        reads = self.evidence.reads.values()
        answers = [r for r in reads if r.kind in (bodies.DECISION, bodies.REFUSAL)]
        self.doubled = _doubled([r for r in answers if r.kind == bodies.DECISION])
        nodes = History(self.evidence, self.ledger).nodes(log_id)
        nodes += [self._answer(read) for read in answers]
        rest = [read for read in reads if read.index not in self.seen]
        return nodes + [Node(_title(read), self._own_checks(read)) for read in rest]

    def _own_checks(self, read: Read) -> list[Check]:
        self.seen.add(read.index)
        checks = list(read.checks)
        if read.body is not None:
            checks.append(self._lineage(read))
            if read.kind == bodies.OBSERVATION:
                checks.append(self._data(read))
            if read.kind == bodies.ALERT:
                checks += check_alert(read, self.evidence, self.ledger)
        return checks

    def _answer(self, read: Read) -> Node:
        """A decision or refusal, with what it rests on and what came of it."""
        node = Node(_title(read), self._own_checks(read))
        if read.statement is None or read.body is None:
            return node
        content = read.content
        node.checks.append(self._subject(read))
        node.checks.append(self._model(read))
        inputs = [self.evidence.by_leaf.get(from_hex(leaf, 32)) for leaf in content["inputs"]]
        node.checks.append(self._inputs(read, inputs))
        if self.models is not None and content.get("rule") != "input-altered":
            values = self._values(inputs)
            node.checks.append(replay(read.leaf, content, values, self.models))
        node.children += [
            Node(_title(item), self._own_checks(item)) for item in inputs if item is not None
        ]
        if read.kind == bodies.DECISION:
            self._consequence(read, node)
        else:
            node.checks.append(self._not_executed(read))
        return node

    def _subject(self, read: Read) -> Check:
        """What the statement is about, as the log must have checked when it took it."""
        name, content = "decision.subject", read.content
        subject = read.statement.subject if read.statement else b""
        if content["action"] is None:
            about = self._about_without_action(content)
            good = about == subject
            told = f"no action; about {to_hex(about)}"
            return Check(name, good, told, read.leaf, None if good else about)
        bound = BoundAction.from_json(content["action"])
        if from_hex(content["mandate"], 20) != bound.mandate:
            told = f"the action is under mandate {to_hex(bound.mandate)}, told is another"
            return Check(name, False, told, read.leaf, bound.mandate)
        good = bound.digest == subject
        told = f"the action's digest is {to_hex(bound.digest)}"
        return Check(name, good, told, read.leaf, None if good else bound.digest)

    def _about_without_action(self, content: Mapping[str, Any]) -> bytes:
        """What a refusal without an action is about: its first input, or else its model."""
        if not content["inputs"]:
            return from_hex(content["model"], 32)
        first = self.evidence.by_leaf.get(from_hex(content["inputs"][0], 32))
        return first.statement.subject if first and first.statement else b""

    def _model(self, read: Read) -> Check:
        digest = from_hex(read.content["model"], 32)
        action = read.content["action"]
        earlier = [r for r in self.evidence.about(digest, bodies.MODEL) if r.index < read.index]
        same = action is None or from_hex(action["model"], 32) == digest
        name = earlier[0].content.get("name", "?") if earlier else "never sworn to"
        told = f"{to_hex(digest)} ({name})"
        return Check("decision.model", bool(earlier) and same, told, read.leaf)

    def _inputs(self, read: Read, inputs: list[Read | None]) -> Check:
        good = [i for i in inputs if i and i.kind == bodies.OBSERVATION and i.index < read.index]
        told = f"{len(good)} of {len(inputs)} inputs are earlier observations in the log"
        return Check("decision.inputs", len(good) == len(inputs), told, read.leaf)

    def _values(self, inputs: list[Read | None]) -> list[Any] | None:
        data = [self.evidence.data(item) if item else None for item in inputs]
        try:
            return None if None in data else [jcs_decode(item) for item in data if item is not None]
        except MalformedError:
            return None

    def _data(self, read: Read) -> Check:
        name, subject = "observation.data", read.statement.subject if read.statement else b""
        kept = self.evidence.bundle.data.get(subject)
        if kept is None:
            # In a house that is audited live nothing is withheld, so what is missing was lost.
            good = False if self.ledger else None
            return Check(name, good, f"data of {to_hex(subject)} is not there", read.leaf, subject)
        if self.evidence.data(read) is None:
            told = f"the data is not what was sworn as {to_hex(subject)}"
            return Check(name, False, told, read.leaf, kept[1])
        return Check(name, True, f"{len(kept[1])} bytes are what was sworn to", read.leaf)

    def _lineage(self, read: Read) -> Check:
        name, own = "statement.lineage", self.evidence.policy.log_id
        named = read.body.because if read.body else ()
        for ref in named:
            earlier = self.evidence.by_leaf.get(ref.leaf)
            if ref.log == own and (earlier is None or earlier.index >= read.index):
                told = f"because names {to_hex(ref.leaf)}, which is no earlier good entry"
                return Check(name, False, told, read.leaf, ref.leaf)
        return Check(name, True, f"{len(named)} earlier statements", read.leaf)

    def _consequence(self, read: Read, node: Node) -> None:
        """What the contract made of a decision, and what the agent swore came of it."""
        bound = BoundAction.from_json(read.content["action"])
        grant = self.chain["mandates"].get(to_hex(bound.mandate))
        leaf = to_hex(read.leaf)
        done = [e for e in (grant or {}).get("executions", []) if e["decision"] == leaf]
        node.checks.append(self._nonce(read, bound))
        node.checks.append(self._executed_as_sworn(read, bound, done))
        node.checks.append(self._within_terms(read, bound, grant, executed=bool(done)))
        outcomes = [
            outcome
            for outcome in self.evidence.about(bound.digest, bodies.OUTCOME)
            if outcome.content.get("decision") == leaf
        ]
        node.checks.append(self._outcome(read, outcomes, done))
        node.children += [Node(_title(outcome), self._own_checks(outcome)) for outcome in outcomes]

    def _nonce(self, read: Read, bound: BoundAction) -> Check:
        """An agent has one open decision at a time for a nonce, and cannot choose later."""
        other = self.doubled.get(read.leaf)
        told = f"nonce {bound.action.nonce} of epoch {bound.action.epoch}"
        if other is not None:
            told = f"{told} was still held by {to_hex(other)} when this was sworn"
        return Check("decision.nonce", other is None, told, read.leaf, other)

    def _executed_as_sworn(
        self, read: Read, bound: BoundAction, done: list[Mapping[str, Any]]
    ) -> Check:
        """What the chain says it executed must be this action, once, on this chain."""
        name, chain_id = "decision.executed", self.chain["chainId"]
        if str(bound.chain_id) != chain_id:
            told = f"sworn for chain {bound.chain_id}, the bundle is of chain {chain_id}"
            return Check(name, False, told, read.leaf)
        wanted = (to_hex(bound.digest), str(bound.action.nonce))
        wrong = [e for e in done if (e["subject"], e["nonce"]) != wanted]
        if wrong or len(done) > 1:
            told = f"{len(done)} executions, {len(wrong)} of another action"
            return Check(name, False, told, read.leaf)
        return Check(name, by_chain(self.ledger), f"{len(done)} executions", read.leaf)

    def _within_terms(
        self, read: Read, bound: BoundAction, grant: Mapping[str, Any] | None, *, executed: bool
    ) -> Check:
        name = "decision.terms"
        if grant is None:
            wrong = f"nothing is known of mandate {to_hex(bound.mandate)}"
            return Check(name, False if self.ledger else None, wrong, read.leaf, bound.mandate)
        terms = Terms.from_json(grant["terms"])
        told = read.statement
        if told is None or told.issuer.kid != terms.agent:
            wrong = f"not signed by the mandate's agent {to_hex(terms.agent)}"
            return Check(name, False, wrong, read.leaf)
        if terms.header != header_prefix(told.issuer, bodies.DECISION):
            wrong = "the terms hold another header than the agent's"
            return Check(name, False, wrong, read.leaf, terms.header)
        state = State(epoch=bound.action.epoch, nonce=bound.action.nonce)
        try:
            rules.check(terms, state, bound.action, now=told.issued_at)
        except MandateRefused as error:
            if executed:
                return Check(name, False, f"executed outside the terms: {error.message}", read.leaf)
            told_why = f"outside the terms ({error.rule}), not executed"
            return Check(name, by_chain(self.ledger), told_why, read.leaf)
        return Check(name, by_chain(self.ledger), "inside the terms", read.leaf)

    def _outcome(self, read: Read, outcomes: list[Read], done: list[Mapping[str, Any]]) -> Check:
        name = "decision.outcome"
        if len(outcomes) != 1:
            told = f"{len(outcomes)} outcomes, {len(done)} executions on chain"
            good = None if not outcomes and not done else False
            return Check(name, good, told, read.leaf)
        said = outcomes[0].content
        same_agent = outcomes[0].statement and read.statement
        if not same_agent or outcomes[0].statement.issuer != read.statement.issuer:  # type: ignore[union-attr]
            return Check(name, False, "the outcome is not sworn by the decision's agent", read.leaf)
        if (said["status"] == "executed") != bool(done):
            told = f"sworn as {said['status']}, the chain has {len(done)} executions"
            return Check(name, False, told, read.leaf)
        where = ("transaction", "block", "number")
        if done and [said[key] for key in where] != [done[0][key] for key in where]:
            told = f"sworn {said['transaction']}, the chain has {done[0]['transaction']}"
            return Check(name, False, told, read.leaf, from_hex(done[0]["transaction"]))
        told = f"{said['status']} in transaction {said['transaction']}" if done else said["status"]
        return Check(name, by_chain(self.ledger), told, read.leaf)

    def _not_executed(self, read: Read) -> Check:
        subject = to_hex(read.statement.subject) if read.statement else ""
        grants = [grant for grant in self.chain["mandates"].values() if grant]
        done = [e for grant in grants for e in grant["executions"] if e["subject"] == subject]
        told = f"{len(done)} executions of what was refused ({read.content['rule']})"
        return Check("refusal.kept", by_chain(self.ledger, not done), told, read.leaf)


def _title(read: Read) -> str:
    name = read.kind.removeprefix("affiant/").split("/")[0]
    return f"{name} {to_hex(read.leaf)} (entry {read.index})"


def _doubled(decisions: list[Read]) -> dict[bytes, bytes]:
    """Return, for each decision sworn while another held its nonce, that other one's leaf."""
    held: dict[tuple[Any, ...], tuple[int, bytes]] = {}
    found: dict[bytes, bytes] = {}
    for read in decisions:
        if read.statement is None or read.body is None:
            continue
        bound = BoundAction.from_json(read.content["action"])
        action, issuer = bound.action, read.statement.issuer.did
        slot = (bound.chain_id, bound.mandate, action.epoch, action.nonce, issuer)
        if slot in held and read.statement.issued_at <= held[slot][0]:
            found[read.leaf] = held[slot][1]
        held[slot] = (action.deadline, read.leaf)
    return found
