"""The registration policy: which statements the log accepts (specs/log.md, section Registration).

Every rule is checked here once, against what the log already holds. Mandates live on the chain,
which the log does not read: that a decision's issuer is the mandate's agent is checked by the
contract and by the audit.
"""

from __future__ import annotations

from collections.abc import Mapping

from affiant.kernel import alert
from affiant.kernel import body as bodies
from affiant.kernel.action import BoundAction
from affiant.kernel.body import Body, Kind
from affiant.kernel.encoding import from_hex, sha256, word
from affiant.kernel.errors import MalformedError, RegistrationRefused
from affiant.kernel.identity import ES256K
from affiant.kernel.statement import Statement
from affiant.log.storage import Row, Storage

CLOCK_DRIFT = 60
"""Seconds by which an issuer's clock may run ahead of the log's."""
AGENT_KINDS = (bodies.DECISION, bodies.REFUSAL, bodies.OUTCOME)
"""Kinds that only ledger keys sign, because only those can be a mandate's agent."""


class Registration:
    """The rules of one log."""

    def __init__(
        self, storage: Storage, log_id: bytes, signer: bytes, kinds: Mapping[str, Kind]
    ) -> None:
        self._storage = storage
        self._log_id = log_id
        self._signer = signer
        self._kinds = kinds

    def check(self, statement: Statement, now: int) -> bytes | None:
        """Check a verified statement; return the slot it holds, if it is a decision.

        Raises:
            RegistrationRefused: with the rule as `reason`.
            MalformedError: the body is not in its form.
        """
        body = self._body(statement)
        self._timely(statement, body, now)
        self._lineage(body)
        self._issuer(statement)
        if statement.kind == bodies.DECISION:
            return self._decision(statement, body, now)
        if statement.kind == bodies.REFUSAL:
            self._refusal(statement, body)
        if statement.kind == bodies.OUTCOME:
            self._outcome(statement, body)
        if statement.kind == bodies.ALERT:
            self._alert(statement, body)
        return None

    def _timely(self, statement: Statement, body: Body, now: int) -> None:
        if body.at != bodies.moment(statement.issued_at):
            told = f"the body says {body.at}, the header {bodies.moment(statement.issued_at)}"
            raise _refusal("time-mismatch", told, "Give both the same second")
        if statement.issued_at > now + CLOCK_DRIFT:
            told = f"sworn at {body.at}, here it is {bodies.moment(now)}"
            raise _refusal("sworn-in-future", told, "Set the issuer's clock")

    def _lineage(self, body: Body) -> None:
        for reference in body.because:
            if reference.log == self._log_id and self._storage.row_of(reference.leaf) is None:
                told = f"because names 0x{reference.leaf.hex()}, which is not in this log"
                raise _refusal("unknown-lineage", told, "Log the earlier statement first")

    def _issuer(self, statement: Statement) -> None:
        if statement.kind in (bodies.POLICY, bodies.KEY) and statement.issuer.kid != self._signer:
            told = f"{statement.kind} by {statement.issuer.did}"
            raise _refusal("issuer-not-allowed", told, "Only the log itself signs this kind")
        if statement.kind in AGENT_KINDS and statement.issuer.alg != ES256K:
            told = f"{statement.kind} by {statement.issuer.did}, which is no ledger key"
            raise _refusal("issuer-not-allowed", told, "Sign it with the agent's ledger key")

    def _body(self, statement: Statement) -> Body:
        data = self._storage.body(statement.body)
        if data is None:
            told = f"no body with SHA-256 0x{statement.body.hex()} has been handed over"
            raise _refusal("body-missing", told, "Put the body first, then register")
        body = bodies.decode(data, self._kinds)
        if body.kind != statement.kind:
            told = f"the statement is {statement.kind}, its body {body.kind}"
            raise _refusal("kind-mismatch", told, "Sign and send one and the same kind")
        return body

    def _decision(self, statement: Statement, body: Body, now: int) -> bytes:
        bound = BoundAction.from_json(body.content["action"])
        self._considered(statement, body, bound)
        slot = slot_of(bound, statement.issuer.did)
        held = self._storage.open_decision(slot)
        if held is not None and now <= held[0]:
            told = f"0x{held[1].hex()} holds nonce {bound.action.nonce} until {held[0]}"
            remedy = "Execute it, or wait until its deadline has passed"
            raise _refusal("decision-open", told, remedy)
        return slot

    def _refusal(self, statement: Statement, body: Body) -> None:
        if body.content["action"] is not None:
            bound = BoundAction.from_json(body.content["action"])
            self._considered(statement, body, bound)
            return
        inputs = self._inputs(body)
        about = inputs[0].subject if inputs else from_hex(body.content["model"], 32)
        if about != statement.subject:
            told = "a refusal without an action is about its first input, or else about its model"
            raise _refusal("subject-mismatch", told, "Name that subject")

    def _considered(self, statement: Statement, body: Body, bound: BoundAction) -> None:
        """Check a decision or refusal against the action, model and inputs that it names."""
        if bound.digest != statement.subject:
            told = f"subject 0x{statement.subject.hex()}, action 0x{bound.digest.hex()}"
            raise _refusal("subject-mismatch", told, "Swear to the digest of the action told")
        model = from_hex(body.content["model"], 32)
        if from_hex(body.content["mandate"], 20) != bound.mandate or model != bound.action.model:
            told = "mandate or model differ between the content and its action"
            raise _refusal("action-mismatch", told, "Tell the same in both places")
        if not self._storage.about(model, bodies.MODEL):
            told = f"no model statement about 0x{model.hex()} is in this log"
            raise _refusal("model-unknown", told, "Log the model first")
        self._inputs(body)

    def _inputs(self, body: Body) -> list[Row]:
        rows = [self._storage.row_of(from_hex(leaf, 32)) for leaf in body.content["inputs"]]
        known = [row for row in rows if row is not None and row.kind == bodies.OBSERVATION]
        if len(known) != len(rows):
            told = f"{len(rows) - len(known)} of {len(rows)} inputs are no logged observations"
            raise _refusal("input-unknown", told, "Log every observation first")
        return known

    def _outcome(self, statement: Statement, body: Body) -> None:
        decision = self._storage.row_of(from_hex(body.content["decision"], 32))
        if decision is None or decision.kind != bodies.DECISION:
            told = f"{body.content['decision']} is no decision in this log"
            raise _refusal("decision-unknown", told, "Log the decision first")
        if decision.subject != statement.subject or decision.issuer != statement.issuer.did:
            told = f"the decision is by {decision.issuer} about 0x{decision.subject.hex()}"
            raise _refusal("subject-mismatch", told, "Only its agent tells its outcome")

    def _alert(self, statement: Statement, body: Body) -> None:
        """Check that an alert has grounds, and that it blames its suspect for its own words."""
        content = body.content
        try:
            alert.check(content)
        except MalformedError as error:
            raise _refusal(error.reason, error.message, "Name what was found, and where") from error
        if alert.subject_of(content) != statement.subject:
            told = f"the alert is about 0x{alert.subject_of(content).hex()}"
            raise _refusal("subject-mismatch", told, "Swear to that subject")
        suspends = content["suspension"] is not None
        if suspends and statement.issuer.alg != ES256K:
            told = f"a suspension by {statement.issuer.did}, which is no ledger key"
            raise _refusal("issuer-not-allowed", told, "Sign it with the guardian's ledger key")
        for leaf in alert.statements_of(content):
            row = self._storage.row_of(leaf)
            if row is None:
                told = f"evidence 0x{leaf.hex()} is not in this log"
                raise _refusal("evidence-unknown", told, "Name logged statements")
            if suspends and row.issuer != content["suspect"]:
                told = f"evidence 0x{leaf.hex()} is by {row.issuer}, not by the suspect"
                raise _refusal("evidence-foreign", told, "Suspend nobody for another's words")


def slot_of(bound: BoundAction, issuer: str) -> bytes:
    """Return what only one open decision may hold: chain, mandate, epoch, nonce and issuer.

    The issuer is part of it, so that a stranger's decision cannot keep the agent's out.
    """
    action = bound.action
    parts = [word(bound.chain_id), word(bound.mandate), word(action.epoch), word(action.nonce)]
    return sha256(b"".join(parts) + issuer.encode())


def _refusal(reason: str, message: str, remedy: str) -> RegistrationRefused:
    return RegistrationRefused(reason, message, remedy)
