"""A shop on simulators: an agent that may pay one supplier, and a scribe who swears by the book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from affiant.audit.collect import collect
from affiant.audit.findings import Report
from affiant.audit.walk import audit
from affiant.kernel import alert, statement
from affiant.kernel import body as bodies
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.alert import Finding
from affiant.kernel.body import CORE_KINDS, Body, Reference
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import sha256, to_hex, word
from affiant.kernel.house import Act
from affiant.kernel.identity import LedgerKey, Signer
from affiant.kernel.mandate import Bucket, Guardian, Pin, Rule
from affiant.kernel.model import Call, Doubt, Input, Model, Proposal, commitment
from affiant.kernel.ports import Draft, LogView
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension
from affiant.testing import Simulation, fixed_key

TOKEN, PAYEE = b"\x70" * 20, b"\x50" * 20
TRANSFER = bytes.fromhex("a9059cbb")
CAP, LIMIT, WINDOW = 400, 1000, 3600
LIFE = 600
SALT = bytes(bodies.SALT_LENGTH)
STRANGER = fixed_key("stranger")
GUARDIAN = fixed_key("guardian")
STAY_LIMIT, STAY_WINDOW = 7_200, 86_400


def transfer(units: int, payee: bytes = PAYEE) -> Call:
    """Return the call that pays."""
    return Call(TOKEN, TRANSFER + word(payee) + word(units))


def watch() -> Guardian:
    """Return the guardian of a watched shop: two hours a day, one at once."""
    header = statement.header_prefix(GUARDIAN.public, bodies.ALERT)
    return Guardian(GUARDIAN.address, STAY_LIMIT, STAY_WINDOW, header)


def due(units: int) -> Input:
    """Return the observation that so much is due."""
    return Input.of({"units": units}, source="invoices", units="tokens")


@dataclass(frozen=True)
class PayModel:
    """Pays what is due, and doubts where nothing is."""

    name: str = "test.pay"
    version: str = "1"
    deterministic: bool = True

    @property
    def digest(self) -> bytes:
        """SHA-256 over name and version."""
        return sha256(f"{self.name} {self.version}".encode())

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to what is due."""
        units = sum(value["units"] for value in inputs)
        if not units:
            return Doubt("nothing-due", "nothing is due", {"units": 0})
        return Proposal(transfer(units), {"units": units}, f"{units} are due", "0.9", 7)


class Shop(Simulation):
    """An agent that may pay one supplier, at most 400 at once and 1000 an hour."""

    def __init__(self, guardian: Guardian | None = None) -> None:
        super().__init__()
        pins = (Pin(0, (word(PAYEE),)),)
        self.rule = Rule(TOKEN, TRANSFER, amount_word=1, cap=CAP, bucket=0, pins=pins)
        self.mandate = self.grant([self.rule], [Bucket(LIMIT, WINDOW)], guardian=guardian)
        self.paid: list[int] = []
        self.ledger.targets[TOKEN] = lambda data, _: self.paid.append(int.from_bytes(data[36:68]))
        self.model: Model = PayModel()

    def pay(self, job: str = "job", units: int = 100, **parts: Any) -> Act:
        """Let the agent pay what is due."""
        return self.agent(**parts).act(job, self.mandate, self.model, [due(units)])

    def suspend(self, told: Draft) -> bytes:
        """Carry a logged alert to the mandate that it names; return the transaction's hash."""
        content = bodies.decode(told.body, CORE_KINDS).content
        stay = BoundSuspension.from_json(content["suspension"])
        return self.ledger.suspend(stay, told.statement, self.log, self.ledger.anchor(self.log))

    def told(self) -> list[Statement]:
        """Return the log's statements."""
        return statements(self.log)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """Return what statements of a kind say, in order."""
        return [
            bodies.decode(self.log.body(told.body) or b"", CORE_KINDS).content
            for told in self.told()
            if told.kind == kind
        ]

    def kinds(self) -> list[str]:
        """Return the kinds of the statements after the log's own first two."""
        return [told.kind.split("/")[1] for told in self.told()[2:]]

    def bundle(self, target: str | None = None) -> Bundle:
        """Collect the evidence."""
        return collect(self.log, self.ledger, self.archive, target)

    def audit(self, bundle: Bundle | None = None, *, live: bool = True, **options: Any) -> Report:
        """Audit a bundle, or what there is."""
        ledger = self.ledger.name if live else None
        options.setdefault("log_id", self.log.policy.log_id)
        return audit(bundle or self.bundle(), CORE_KINDS, ledger=ledger, **options)

    def models(self) -> Mapping[bytes, Model]:
        """Return the shop's model, for replays."""
        return {self.model.digest: self.model}


def statements(log: LogView) -> list[Statement]:
    """Return every statement of a log."""
    return [statement.decode(log.entry(i)).verify() for i in range(log.head().size)]


def findings(report: Report) -> set[str]:
    """Return the names of the checks that failed."""
    return {check.name for check in report.findings()}


class Scribe:
    """Swears statements of every kind by the book, with room for one deviation in each."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.log, self.clock = shop, shop.log, shop.clock
        self.model = self.swear(bodies.MODEL, shop.model.digest, MODEL_CONTENT)
        self.seen = self.observation(b'{"units":100}')
        shop.archive.put(self.seen.statement.subject, bytes(32), b'{"units":100}')

    def swear(
        self,
        kind: str,
        subject: bytes,
        content: dict[str, Any],
        /,
        *,
        key: Signer | None = None,
        because: Sequence[Reference] = (),
        after: int = 0,
        **body: Any,
    ) -> Draft:
        """Sign a statement `after` seconds from now, with other fields in its `body` if given."""
        at = self.clock.now() + after
        made = replace(Body(kind, bodies.moment(at), SALT, content, tuple(because)), **body)
        signed = statement.sign(kind, subject, made.digest, key or self.shop.key, at)
        return Draft(made.encoded, signed)

    def observation(self, data: bytes) -> Draft:
        """Swear to data."""
        content = {"source": "invoices", "shape": [], "units": "tokens", "kept": "agent"}
        return self.swear(bodies.OBSERVATION, commitment(bytes(32), data), content)

    def action(self, **changes: Any) -> BoundAction:
        """Return the next action under the shop's mandate."""
        call, state = transfer(100), self.shop.ledger.state(self.shop.mandate)
        usual: dict[str, Any] = {
            "epoch": state.epoch,
            "nonce": state.nonce,
            "model": self.shop.model.digest,
            "target": call.target,
            "value": 0,
            "data": call.data,
            "deadline": self.clock.now() + LIFE,
            "relayer": ANYONE,
            "salt": bytes(32),
        }
        mandate = changes.pop("mandate", self.shop.mandate)
        return BoundAction(self.shop.ledger.chain_id, mandate, Action(**{**usual, **changes}))

    def decision(
        self, bound: BoundAction | None = None, *, subject: bytes | None = None, **changes: Any
    ) -> Draft:
        """Swear to an action, with other fields in its content if given."""
        bound = bound or self.action()
        key = changes.pop("key", None)
        content = self._answer(bound) | {"confidence": None, "seed": None} | changes
        return self.swear(bodies.DECISION, subject or bound.digest, content, key=key)

    def refusal(
        self, bound: BoundAction | None, *, subject: bytes | None = None, **changes: Any
    ) -> Draft:
        """Swear that an action, or none, was refused."""
        about = subject or (bound.digest if bound else self.seen.statement.subject)
        content = self._answer(bound) | {"rule": "doubt"} | changes
        return self.swear(bodies.REFUSAL, about, content)

    def outcome(self, of: Draft, *, key: LedgerKey | None = None, **changes: Any) -> Draft:
        """Swear to what came of a decision."""
        said = {"status": "refused", "transaction": None, "block": None, "number": None}
        content = {**said, "decision": to_hex(of.statement.leaf), "events": [], **changes}
        return self.swear(bodies.OUTCOME, of.statement.subject, content, key=key)

    def stay(self, seconds: int = 600, **changes: Any) -> BoundSuspension:
        """Return the next suspension under the shop's mandate."""
        number = self.shop.ledger.state(self.shop.mandate).watch.number
        usual: dict[str, Any] = {"number": number, "until": self.clock.now() + seconds}
        chain = changes.pop("chain_id", self.shop.ledger.chain_id)
        mandate = changes.pop("mandate", self.shop.mandate)
        return BoundSuspension(chain, mandate, Suspension(**{**usual, **changes}))

    def finding(self, family: str = alert.RULE, **changes: Any) -> Finding:
        """Return a detector's word about what the agent saw."""
        usual: dict[str, Any] = {
            "detector": f"test.{family}",
            "family": family,
            "threat": "ASI02",
            "reason": "it was seen",
            "statements": (self.seen.statement.leaf,),
            "chance": None if family == alert.RULE else "0.01",
        }
        return Finding(**{**usual, **changes})

    def alert(
        self,
        stay: BoundSuspension | None = None,
        findings: Sequence[Finding] | None = None,
        *,
        subject: bytes | None = None,
        key: Signer = GUARDIAN,
        **changes: Any,
    ) -> Draft:
        """Swear to an alert about the agent, with other fields in its content if given."""
        told = [self.finding()] if findings is None else findings
        content = alert.content_of(self.shop.key.public.did, told, stay) | changes
        about = subject or alert.subject_of(content)
        return self.swear(bodies.ALERT, about, content, key=key)

    def register(self, *drafts: Draft) -> int:
        """Hand over bodies and statements; return the last one's index."""
        for draft in drafts:
            self.log.put_body(draft.body)
            index = self.log.register(draft.statement.entry)
        return index

    def begin(self) -> Scribe:
        """Log the model and the observation on which answers rest."""
        self.register(self.model, self.seen)
        return self

    def _answer(self, bound: BoundAction | None) -> dict[str, Any]:
        return {
            "action": bound.to_json() if bound else None,
            "mandate": to_hex(bound.mandate if bound else self.shop.mandate),
            "model": to_hex(self.shop.model.digest),
            "inputs": [to_hex(self.seen.statement.leaf)],
            "output": {"units": 100},
            "reason": "100 are due",
        }


MODEL_CONTENT = {
    "name": "test.pay",
    "version": "1",
    "deterministic": True,
    "training": "",
    "metrics": {},
    "approvals": [],
}
