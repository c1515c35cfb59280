"""The walk: from what was done back to what was seen, with a verdict per check.

Works on a bundle alone. Chain claims count as checked if the bundle was just collected from a chain
(`ledger` names it); offline they are listed as open, and only a contradiction is a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affiant.audit.evidence import Evidence, Read
from affiant.audit.findings import Check, Node, Report
from affiant.audit.replay import replay
from affiant.kernel import body as bodies
from affiant.kernel import mandate as rules
from affiant.kernel import merkle
from affiant.kernel.action import BoundAction
from affiant.kernel.body import Kind
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import from_hex, jcs_decode, to_hex
from affiant.kernel.errors import MalformedError, MandateRefused
from affiant.kernel.identity import recover
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
    return Report(
        origin=bundle.origin,
        log_id=walk.evidence.policy.log_id,
        witnesses=0,  # a bundle holds no cosignatures yet, so none can have been checked
        ledger=ledger,
        nodes=walk.nodes(log_id),
    )


class _Walk:
    def __init__(self, evidence: Evidence, ledger: str | None, models: Models | None) -> None:
        self.evidence = evidence
        self.ledger = ledger
        self.models = models
        self.chain = evidence.bundle.chain
        self.seen: set[int] = set()

    def nodes(self, log_id: bytes | None) -> list[Node]:
        reads = self.evidence.reads.values()
        answers = [r for r in reads if r.kind in (bodies.DECISION, bodies.REFUSAL)]
        nodes = [self._log(log_id), *(self._mandate(name) for name in self.chain["mandates"])]
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
        return checks

    def _log(self, expected: bytes | None) -> Node:
        evidence, policy = self.evidence, self.evidence.policy
        at = evidence.checkpoint
        node = Node(f"log {policy.origin}, {at.size} entries, id {to_hex(policy.log_id)}")
        if expected is not None:
            told = f"the log asked for is {to_hex(expected)}"
            node.checks.append(Check("log.id", policy.log_id == expected, told))
        node.checks.append(self._founding(0, bodies.POLICY, policy.log_id))
        node.checks.append(self._founding(1, bodies.KEY, evidence.key.digest))
        try:
            by = recover(at.digest(policy.log_id), evidence.bundle.signature)
        except MalformedError:
            by = b""
        good = by == policy.signer
        told = f"size {at.size}, root {to_hex(at.root)}, signed in both forms"
        node.checks.append(Check("log.checkpoint", good, told, at_fault=None if good else by))
        if evidence.policy.threshold:
            told = f"the policy demands {evidence.policy.threshold} witnesses, none has signed"
            node.checks.append(Check("log.witnesses", False, told))
        if self.chain["whole"] and len(evidence.reads) != at.size:
            told = f"{len(evidence.reads)} of {at.size} entries in what claims to be the whole log"
            node.checks.append(Check("log.complete", False, told))
        if len(evidence.reads) == at.size:
            node.checks.append(self._root())
        node.checks += self._strays()
        node.checks += [self._anchor(anchor) for anchor in self.chain["anchors"]]
        return node

    def _strays(self) -> list[Check]:
        """What belongs to no statement proves nothing, and may stand in for what does."""
        reads = self.evidence.reads.values()
        bodies_told = {read.statement.body for read in reads if read.statement}
        subjects = {read.statement.subject for read in reads if read.statement}
        damaged = any(read.statement is None for read in reads)
        strays = set(self.evidence.bundle.bodies) - bodies_told
        strays |= set(self.evidence.bundle.data) - subjects
        if damaged:  # what they belong to cannot be told; the damage itself is a finding
            return []
        return [
            Check("log.strays", False, f"{to_hex(name)} belongs to no statement", None, name)
            for name in sorted(strays)
        ]

    def _founding(self, index: int, kind: str, subject: bytes) -> Check:
        read = self.evidence.reads.get(index)
        told = read.statement if read else None
        good = (
            told is not None
            and (told.kind, told.subject) == (kind, subject)
            and told.issuer.kid == self.evidence.policy.signer
        )
        name = kind.split("/")[1]
        return Check(f"log.{name}", good, f"entry {index} swears to {to_hex(subject)}")

    def _root(self) -> Check:
        """Build the tree again from the entries' own bytes."""
        nodes: dict[tuple[int, int], bytes] = {}
        leaves = [read.leaf for read in self.evidence.reads.values()]
        for level, index, value in merkle.new_nodes(lambda *place: nodes[place], 0, leaves):
            nodes[level, index] = value
        root = merkle.root_of(lambda *place: nodes[place], len(leaves))
        good = root == self.evidence.checkpoint.root
        told = f"{len(leaves)} entries give root {to_hex(root)}"
        return Check("log.root", good, told, at_fault=None if good else root)

    def _anchor(self, anchor: Mapping[str, Any]) -> Check:
        """What the chain holds must be a prefix of the log at hand."""
        at, size, root = self.evidence.checkpoint, anchor["size"], from_hex(anchor["root"], 32)
        name, told = "log.anchored", f"the chain holds size {size}, root {to_hex(root)}"
        if anchor["consistency"] is None:
            return Check(name, False, f"{told}; this log has only {at.size} entries", None, root)
        path = [from_hex(step, 32) for step in anchor["consistency"]]
        try:
            merkle.check_consistency(size, at.size, root, at.root, path)
        except MalformedError as error:
            forked = f"{told}; the log at hand has another history: {error.message}"
            return Check(name, False, forked, None, root)
        return Check(name, self._by_chain(), told)

    def _mandate(self, name: str) -> Node:
        """Nothing off the record: every execution on chain has its decision in the log."""
        grant = self.chain["mandates"][name]
        node = Node(f"mandate {name}")
        if grant is None:
            told = "the chain knows no such mandate"
            node.checks.append(Check("mandate.known", False, told))
            return node
        node.checks.append(self._mandate_log(grant))
        done = grant["executions"]
        for execution in done:
            leaf = from_hex(execution["decision"], 32)
            read = self.evidence.by_leaf.get(leaf)
            if read is None or read.kind != bodies.DECISION:
                told = f"transaction {execution['transaction']} has no good decision in the log"
                node.checks.append(Check("mandate.on-the-record", False, told, leaf))
        if all(check.good for check in node.checks[1:]):
            told = f"all {len(done)} executed actions have their decision in the log"
            node.checks.append(Check("mandate.on-the-record", self._by_chain(), told))
        if self.chain["whole"]:
            node.checks.append(self._nonces(grant))
        return node

    def _mandate_log(self, grant: Mapping[str, Any]) -> Check:
        named = from_hex(grant["terms"]["logId"], 32)
        good = named == self.evidence.policy.log_id
        told = f"its terms name log {to_hex(named)}"
        return Check("mandate.log", self._by_chain(good), told, None, None if good else named)

    def _nonces(self, grant: Mapping[str, Any]) -> Check:
        used = sorted([int(e["nonce"]) for e in grant["executions"]])
        used += [nonce for _, nonce in grant["cancelled"]]
        good = sorted(used) == list(range(len(used)))
        told = f"{len(used)} nonces, each executed or cancelled once"
        return Check("mandate.nonces", self._by_chain(good), told)

    def _answer(self, read: Read) -> Node:
        """A decision or refusal, with what it rests on and what came of it."""
        node = Node(_title(read), self._own_checks(read))
        if read.statement is None or read.body is None:
            return node
        content = read.content
        if content["action"] is not None:
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
        bound = BoundAction.from_json(read.content["action"])
        subject = read.statement.subject if read.statement else b""
        good = bound.digest == subject
        told = f"the action's digest is {to_hex(bound.digest)}"
        return Check("decision.subject", good, told, read.leaf, None if good else bound.digest)

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
            return Check(name, None, f"data of {to_hex(subject)} is not disclosed", read.leaf)
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
        node.checks.append(self._executed_as_sworn(read, bound, done))
        if grant is not None:
            node.checks.append(self._within_terms(read, bound, grant, executed=bool(done)))
        outcomes = [
            outcome
            for outcome in self.evidence.about(bound.digest, bodies.OUTCOME)
            if outcome.content.get("decision") == leaf
        ]
        node.checks.append(self._outcome(read, outcomes, done))
        node.children += [Node(_title(outcome), self._own_checks(outcome)) for outcome in outcomes]

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
        return Check(name, self._by_chain(), f"{len(done)} executions", read.leaf)

    def _within_terms(
        self, read: Read, bound: BoundAction, grant: Mapping[str, Any], *, executed: bool
    ) -> Check:
        name, terms = "decision.terms", Terms.from_json(grant["terms"])
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
            return Check(name, True, f"outside the terms ({error.rule}), not executed", read.leaf)
        return Check(name, self._by_chain(), "inside the terms", read.leaf)

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
        return Check(name, self._by_chain(), told, read.leaf)

    def _not_executed(self, read: Read) -> Check:
        subject = to_hex(read.statement.subject) if read.statement else ""
        grants = [grant for grant in self.chain["mandates"].values() if grant]
        done = [e for grant in grants for e in grant["executions"] if e["subject"] == subject]
        told = f"{len(done)} executions of what was refused ({read.content['rule']})"
        return Check("refusal.kept", self._by_chain(not done), told, read.leaf)

    def _by_chain(self, good: bool = True) -> bool | None:  # noqa: FBT001, FBT002 (a verdict)
        """A chain claim: wrong is wrong; right counts only if a chain was asked."""
        return False if not good else (True if self.ledger else None)


def _title(read: Read) -> str:
    name = read.kind.removeprefix("affiant/").split("/")[0]
    return f"{name} {to_hex(read.leaf)} (entry {read.index})"
