"""The log as a whole, and its mandates: nothing rewritten, nothing off the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affiant.audit.alerts import check_suspensions
from affiant.audit.evidence import Evidence
from affiant.audit.findings import Check, Node, by_chain
from affiant.kernel import body as bodies
from affiant.kernel import merkle
from affiant.kernel.encoding import from_hex, to_hex
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import recover


class History:
    """What a bundle claims of its log and of the mandates that name it."""

    def __init__(self, evidence: Evidence, ledger: str | None) -> None:
        self.evidence = evidence
        self.ledger = ledger
        self.chain = evidence.bundle.chain

    def nodes(self, log_id: bytes | None) -> list[Node]:
        """Check the log, and every mandate; `log_id` is the log that the caller trusts."""
        return [self._log(log_id), *(self._mandate(name) for name in self.chain["mandates"])]

    def _log(self, expected: bytes | None) -> Node:
        evidence, policy = self.evidence, self.evidence.policy
        at = evidence.checkpoint
        node = Node(f"log {policy.origin}, {at.size} entries, id {to_hex(policy.log_id)}")
        if expected is None:
            told = "no trusted log id was given: compare this one with the mandate's"
            node.checks.append(Check("log.id", None, told))
        else:
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
        said = read.content if read else {}
        policy = self.evidence.policy
        if kind == bodies.POLICY:
            witnesses = [to_hex(witness) for witness in policy.witnesses]
            wanted = [policy.origin, to_hex(policy.signer), witnesses, policy.threshold]
            names = ("origin", "signer", "witnesses", "threshold")
            good = good and [said.get(name) for name in names] == wanted
        else:
            good = good and said.get("did") == self.evidence.key.did
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
        return Check(name, by_chain(self.ledger), told)

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
            node.checks.append(Check("mandate.on-the-record", by_chain(self.ledger), told))
        node.checks += check_suspensions(name, grant, self.evidence, self.ledger)
        if self.chain["whole"]:
            node.checks.append(self._nonces(grant))
        return node

    def _mandate_log(self, grant: Mapping[str, Any]) -> Check:
        named = from_hex(grant["terms"]["logId"], 32)
        good = named == self.evidence.policy.log_id
        told = f"its terms name log {to_hex(named)}"
        return Check(
            "mandate.log", by_chain(self.ledger, good), told, None, None if good else named
        )

    def _nonces(self, grant: Mapping[str, Any]) -> Check:
        used = sorted([int(e["nonce"]) for e in grant["executions"]])
        used += [nonce for _, nonce in grant["cancelled"]]
        good = sorted(used) == list(range(len(used)))
        told = f"{len(used)} nonces, each executed or cancelled once"
        return Check("mandate.nonces", by_chain(self.ledger, good), told)
