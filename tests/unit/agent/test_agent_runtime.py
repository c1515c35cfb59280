"""The flow on simulators: what is sworn, logged and executed, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from affiant.agent.runtime import Runtime
from affiant.kernel import body as bodies
from affiant.kernel.action import Action, BoundAction
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import (
    AffiantError,
    CallReverted,
    InputError,
    IntegrityError,
    RegistrationRefused,
)
from affiant.kernel.house import Act
from affiant.kernel.mandate import State
from affiant.kernel.model import Call, Doubt, Input, Proposal
from affiant.kernel.ports import Archive, Execution, LogView, Seat
from affiant.kernel.statement import Statement
from affiant.testing import MemoryOutbox, Simulation, fixed_key
from shop import CAP, LIFE, STRANGER, PayModel, Scribe, Shop, due, findings, transfer


@dataclass(frozen=True)
class Says(PayModel):
    """A model that answers one thing, whatever it sees."""

    answer: Any = None

    def predict(self, inputs: Sequence[Any]) -> Any:  # noqa: ARG002 (whatever it sees)
        """Answer that."""
        return self.answer


def acts(shop: Shop, answer: Any, *inputs: Input, job: str = "job", **parts: Any) -> Act:
    """Let an agent act on a fixed answer."""
    return shop.agent(**parts).act(job, shop.mandate, Says(answer=answer), inputs or [due(1)])


@dataclass
class Archived:
    """An archive in which the n-th reading of each datum, and every later one, is another."""

    archive: Archive
    from_reading: int
    data: bytes | None
    readings: int = 0

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
        """Keep data."""
        self.archive.put(subject, salt, data)

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return what is kept, or something else."""
        self.readings += 1
        kept = self.archive.get(subject)
        if kept is None or self.readings < self.from_reading:
            return kept
        return None if self.data is None else (kept[0], self.data)


def test_the_happy_path_is_observation_decision_outcome(shop: Shop) -> None:
    """A paid bill leaves exactly model, observation, decision and outcome, each resting on last."""
    act = shop.pay()
    model, seen, decided, outcome = shop.told()[2:]
    assert shop.kinds() == ["model", "observation", "decision", "outcome"]
    assert (act.decision, act.outcome, act.refused) == (decided, outcome, None)
    assert model.subject == shop.model.digest
    (decision,) = shop.said(bodies.DECISION)
    bound = BoundAction.from_json(decision["action"])
    assert decided.subject == bound.digest == outcome.subject
    assert decision["inputs"] == [to_hex(seen.leaf)]
    assert (decision["output"], decision["reason"]) == ({"units": 100}, "100 are due")
    assert (decision["confidence"], decision["seed"]) == ("0.9", 7)
    assert bound.action.deadline == shop.clock.now() + LIFE
    (execution,) = shop.ledger.executions(shop.mandate)
    assert (execution, execution.leaf) == (act.execution, decided.leaf)
    (told,) = shop.said(bodies.OUTCOME)
    assert told["transaction"] == to_hex(execution.transaction)
    assert told["status"] == "executed"
    assert shop.paid == [100]


def test_lineage_leads_back(shop: Shop) -> None:
    """The decision names its inputs as its reasons, the outcome its decision."""
    shop.pay()
    _, seen, decided, outcome = shop.told()[2:]
    named = [
        [ref["leaf"] for ref in json.loads(shop.log.body(told.body) or b"")["because"]]
        for told in (decided, outcome)
    ]
    assert named == [[to_hex(seen.leaf)], [to_hex(decided.leaf)]]


def test_a_model_is_sworn_to_once(shop: Shop) -> None:
    """A second job with the same model does not swear to it again."""
    shop.pay("one")
    shop.pay("two")
    assert shop.kinds().count("model") == 1
    assert shop.paid == [100, 100]


def test_a_doubt_is_sworn_about_the_first_input(shop: Shop) -> None:
    """A doubt is logged as a refusal about what was observed, and nothing runs."""
    act = shop.pay(units=0)
    seen, refused = shop.told()[-2:]
    assert (act.decision, act.refused, act.execution) == (refused, "nothing-due", None)
    assert refused.kind == bodies.REFUSAL
    assert refused.subject == seen.subject
    (content,) = shop.said(bodies.REFUSAL)
    assert (content["action"], content["output"]) == (None, {"units": 0})
    assert shop.paid == []


def test_what_the_terms_forbid_is_refused_under_oath(shop: Shop) -> None:
    """A careful agent swears to the refusal of the very action, and uses up no nonce."""
    act = shop.pay(units=CAP + 1)
    (content,) = shop.said(bodies.REFUSAL)
    assert act.refused == content["rule"] == "AboveCap"
    assert act.decision.subject == BoundAction.from_json(content["action"]).digest
    assert shop.ledger.state(shop.mandate).nonce == 0
    assert shop.pay("next", CAP).refused is None


def test_the_bucket_is_seen_by_a_careful_agent(shop: Shop) -> None:
    """What the bucket no longer lets out is refused by the agent, until enough has leaked."""
    assert shop.pay("one", CAP).refused is None
    assert shop.pay("two", CAP).refused == "AboveLimit"
    shop.clock.advance(3600)
    assert shop.pay("three", CAP).refused is None


def test_the_contract_refuses_what_a_careless_agent_sends(shop: Shop) -> None:
    """Forced past the agent it is stopped by the contract, sworn as refused, its nonce used up."""
    act = shop.pay(units=CAP + 1, careful=False)
    assert (act.refused, act.execution) == ("AboveCap", None)
    assert shop.kinds() == ["model", "observation", "decision", "outcome"]
    (content,) = shop.said(bodies.OUTCOME)
    assert (content["status"], content["transaction"]) == ("refused", None)
    assert content["events"][0]["error"] == "AboveCap"
    assert shop.ledger.cancelled(shop.mandate) == {(0, 0)}
    assert shop.pay("next").refused is None


def test_a_failed_call_is_an_outcome(shop: Shop) -> None:
    """A call that its target fails is refused, and changes nothing on the ledger."""

    def fails(_data: bytes, _value: int) -> None:
        raise ValueError("no funds")

    shop.ledger.targets[transfer(1).target] = fails
    act = shop.pay()
    assert (act.refused, shop.ledger.executions(shop.mandate)) == ("CallFailed", [])
    assert "no funds" in act.reason


def test_what_a_guard_refuses_is_an_outcome(shop: Shop) -> None:
    """A guard sees the action; what it refuses never reaches the target, and is sworn with why."""
    seen = []

    def refuses(action: Action, leaf: bytes) -> None:
        seen.append((action.data, leaf))
        raise ValueError("PairApart")

    granted = replace(shop.ledger.terms(shop.mandate), guard=b"g" * 20)
    shop.ledger.guards[b"g" * 20] = refuses
    shop.mandate = shop.ledger.grant(granted)
    act = shop.pay(units=400)
    assert act.refused == "GuardRefused"
    assert "PairApart" in act.reason
    assert seen == [(transfer(400).data, act.decision.leaf)]
    assert (shop.paid, shop.ledger.executions(shop.mandate)) == ([], [])


@pytest.mark.parametrize("data", [b'{"units":400}', None], ids=["altered", "missing"])
def test_altered_or_missing_data_is_a_sworn_refusal(shop: Shop, data: bytes | None) -> None:
    """Data that is not what was sworn to never reaches the model."""
    act = shop.pay(archive=Archived(shop.archive, 1, data))
    assert act.refused == "input-altered"
    assert act.decision.subject == shop.told()[-2].subject
    assert shop.paid == []


def test_what_was_hashed_is_what_the_model_sees(shop: Shop) -> None:
    """Data altered between the check and the model is not acted on as if it were the input."""
    act = shop.pay(archive=Archived(shop.archive, 2, b'{"units":400}'))
    assert act.refused == "input-altered" or shop.paid == [100]


def test_the_same_job_twice_acts_once(shop: Shop) -> None:
    """A job acts once; begun again it tells the same."""
    assert shop.pay() == shop.pay()
    assert shop.paid == [100]


@pytest.mark.parametrize(
    "answer", [None, 7, transfer(1), {"call": "x"}], ids=["none", "int", "call", "dict"]
)
def test_an_answer_is_a_proposal_or_a_doubt(shop: Shop, answer: Any) -> None:
    """Anything else is refused with what to return, and no answer is sworn."""
    with pytest.raises(InputError, match="Proposal"):
        acts(shop, answer)
    assert shop.kinds() == ["model", "observation"]


@pytest.mark.parametrize(
    "answer",
    [
        Proposal(transfer(1), {1, 2}, "a set"),
        Proposal(transfer(1), float("nan"), "no number"),
        Proposal(transfer(1), {}, "confidence", "high"),
        Proposal(Call(b"short", b""), {}, "a short target"),
        Proposal(Call(bytes(20), b"", -1), {}, "negative value"),
        Proposal(transfer(1), {}, 5),  # type: ignore[arg-type]
        Doubt("rule", "half a surrogate \ud800"),
    ],
    ids=["set", "nan", "confidence", "target", "value", "reason", "surrogate"],
)
def test_an_answer_that_cannot_be_sworn_leaves_the_job_open(shop: Shop, answer: Any) -> None:
    """An answer that no body can hold is an error of ours, and the job may be run again."""
    with pytest.raises(AffiantError):
        acts(shop, answer)
    assert shop.outbox.get("job/decision") is None
    assert shop.pay(units=1).refused is None


@pytest.mark.parametrize(
    ("answer", "inputs"),
    [
        (Proposal(transfer(1), "x" * (1 << 20), "a long output"), 1),
        (Proposal(transfer(1), {}, "many inputs"), 1025),
    ],
    ids=["a body above 1 MiB", "lineage above 1024"],
)
def test_what_the_log_can_never_take_is_not_sworn(shop: Shop, answer: Any, inputs: int) -> None:
    """A body above a limit of the format is refused before it is kept as the job's answer."""
    with pytest.raises(AffiantError):
        acts(shop, answer, *[due(n) for n in range(inputs)])
    assert shop.outbox.get("job/decision") is None


def test_a_doubt_about_nothing_is_sworn(shop: Shop) -> None:
    """A model without inputs may doubt too."""
    act = shop.agent().act("job", shop.mandate, Says(answer=Doubt("rule", "reason")), [])
    assert act.refused == "rule"
    assert shop.kinds() == ["model", "refusal"]


def test_a_stranger_cannot_keep_a_model_from_being_sworn_to(shop: Shop, scribe: Scribe) -> None:
    """An observation that a stranger makes about the model's digest stops nobody."""
    content = {"source": "s", "shape": [], "units": "", "kept": "agent"}
    scribe.register(
        scribe.swear(bodies.OBSERVATION, shop.model.digest, content, key=STRANGER),
    )
    assert shop.pay().refused is None


class Carried:
    """A ledger on which somebody else carries every decision a moment before we do."""

    def __init__(self, shop: Shop) -> None:
        self._ledger = shop.ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def execute(self, action: BoundAction, told: Statement, log: LogView, seat: Seat) -> Execution:
        """Be second."""
        self._ledger.execute(action, told, log, seat)
        return self._ledger.execute(action, told, log, seat)


def test_a_decision_that_somebody_else_carried_is_executed(shop: Shop) -> None:
    """Anyone may carry a decision; the agent then swears to that execution, not to a refusal."""
    act = shop.pay(ledger=Carried(shop))
    assert shop.paid == [100]
    assert findings(shop.audit()) == set()
    assert act.execution is not None


def second_agent(shop: Shop) -> tuple[Runtime, bytes]:
    """Return another agent with a mandate of its own on the same log and ledger."""
    other = Simulation()
    other.key, other.log, other.ledger, other.clock = (
        fixed_key("second agent"),
        shop.log,
        shop.ledger,
        shop.clock,
    )
    mandate = other.grant([shop.rule], shop.ledger.terms(shop.mandate).buckets)
    return other.agent(), mandate


class Between:
    """A ledger before whose `execute`, or `anchor`, something else happens once."""

    def __init__(self, shop: Shop, name: str, happens: Any) -> None:
        self._ledger, self._name, self._happens = shop.ledger, name, happens

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._happens:
            happens, self._happens = self._happens, None
            happens()
        return getattr(self._ledger, name)


@pytest.mark.parametrize("later", [2, 3, 4])
def test_a_decision_is_found_in_an_older_seat(shop: Shop, later: int) -> None:
    """Others anchor between a decision's logging and its execution; it still runs."""
    other, mandate = second_agent(shop)

    def others_act() -> None:
        for n in range(later):
            other.act(f"other {n}", mandate, shop.model, [due(1)])

    act = shop.pay(ledger=Between(shop, "anchor", others_act))
    assert (act.refused, shop.paid[-1]) == (None, 100)


def test_two_agents_on_one_log_keep_apart(shop: Shop) -> None:
    """Two agents with mandates of their own pay in turn, and the audit of both holds."""
    other, mandate = second_agent(shop)
    for n in range(3):
        assert shop.pay(f"job {n}").refused is None
        acted = other.act(f"job {n}", mandate, shop.model, [due(2)])
        assert acted.refused is None
    assert shop.paid == [100, 2] * 3
    assert len(shop.ledger.executions(mandate)) == 3


def test_an_agent_under_somebody_elses_mandate_is_refused(shop: Shop) -> None:
    """An agent that checks swears nothing under another's mandate; forced, the contract refuses."""
    with pytest.raises(InputError, match="is that of agent"):
        shop.pay(key=STRANGER)
    assert shop.kinds() == []
    act = shop.pay(key=STRANGER, careful=False)
    assert act.refused == "WrongSigner"
    assert shop.kinds()[-1] == "outcome"


def test_an_unknown_mandate_is_refused_before_anything_is_sworn(shop: Shop) -> None:
    """Under a mistyped address not even a doubt is sworn."""
    with pytest.raises(AffiantError):
        shop.agent().act("job", b"\x01" * 20, shop.model, [due(0)])
    assert shop.kinds() == []


@pytest.mark.parametrize("differs", ["mandate", "model", "agent"])
def test_a_job_of_another_kind_is_not_taken_for_done(shop: Shop, differs: str) -> None:
    """The name of a job under another mandate, model or agent is an error, not its old act."""
    shop.pay()
    key, model, mandate = shop.key, shop.model, shop.mandate
    if differs == "mandate":
        mandate = shop.grant([shop.rule], shop.ledger.terms(mandate).buckets, longest_life=60)
    if differs == "model":
        model = PayModel(version="2")
    if differs == "agent":
        key = STRANGER
    with pytest.raises((InputError, IntegrityError)):
        shop.agent(key=key).act("job", mandate, model, [due(100)])


def test_a_pending_job_is_finished_before_the_next_begins(shop: Shop) -> None:
    """What a crash left of a job holds a nonce; the next job of the mandate finishes it first."""

    def gone() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shop.pay("one", ledger=Between(shop, "execute", gone))
    assert shop.outbox.unfinished() == ["one"]
    assert shop.pay("two", 50).refused is None
    assert shop.paid == [100, 50]
    assert shop.outbox.unfinished() == []
    assert shop.pay("one").refused is None
    assert shop.paid == [100, 50]
    assert findings(shop.audit()) == set()


def test_a_pending_job_of_another_house_keeps_the_agent_waiting(shop: Shop) -> None:
    """An agent's logged decision that this outbox does not know holds its nonce until it ends."""

    def gone() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shop.pay("one", ledger=Between(shop, "execute", gone), outbox=MemoryOutbox())
    with pytest.raises(RegistrationRefused) as caught:
        shop.pay("two", 50)
    assert caught.value.reason == "decision-open"
    shop.clock.advance(LIFE + 1)
    assert shop.pay("two", 50).refused is not None
    assert shop.pay("three", 50).refused is None
    assert shop.paid == [50]


def test_a_late_decision_is_not_executed(shop: Shop) -> None:
    """A job taken up again after its deadline is sworn as refused, and its nonce is free again."""

    def gone() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shop.pay("one", ledger=Between(shop, "anchor", gone))
    shop.clock.advance(LIFE + 1)
    assert shop.pay("one").refused == "DecisionExpired"
    assert shop.pay("two").refused is None
    assert shop.paid == [100]


def test_an_altered_draft_is_not_executed(shop: Shop) -> None:
    """A decision whose kept body was altered on disk is refused by the contract."""

    def gone() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        shop.pay(ledger=Between(shop, "execute", gone))
    (body,) = shop.outbox._db.execute(
        "SELECT body FROM drafts WHERE job = 'job/decision'"
    ).fetchone()
    word = transfer(100).data.hex().encode()
    altered = body.replace(word, transfer(399).data.hex().encode())
    shop.outbox._db.execute("UPDATE drafts SET body = ? WHERE job = 'job/decision'", (altered,))
    assert altered != body
    assert shop.pay().refused == "WrongSigner"
    assert shop.paid == []


def test_a_draft_is_kept_once() -> None:
    """What was sworn for a job is never replaced."""
    shop = Shop()
    shop.pay()
    draft = shop.outbox.get("job/decision")
    assert draft is not None
    with pytest.raises(IntegrityError, match="already"):
        shop.outbox.put("job/decision", draft)
    outbox = MemoryOutbox()
    outbox.put("job/decision", draft)
    assert outbox.get("job/decision") == draft


def test_an_unknown_mandate_is_named(shop: Shop) -> None:
    """A mandate that the chain does not know is an error, and nothing is decided."""
    with pytest.raises(AffiantError, match="no mandate"):
        shop.agent().act("job", bytes(20), shop.model, [due(1)])
    assert "decision" not in shop.kinds()


def test_a_revoked_mandate_is_over(shop: Shop) -> None:
    """After the principal's revocation the agent refuses, and a careless one is refused."""
    shop.ledger._states[shop.mandate] = State(revoked=True)
    assert shop.pay("one").refused == "Revoked"
    assert shop.pay("two", careful=False).refused == "Revoked"
    assert shop.paid == []


def test_what_the_simulator_refuses_is_named_as_on_chain(shop: Shop) -> None:
    """A decision that was never logged finds no seat; one carried again has used its nonce."""
    scribe = Scribe(shop).begin()
    bound = scribe.action()
    draft = scribe.decision(bound)
    seat = shop.ledger.anchor(shop.log)
    with pytest.raises(CallReverted) as caught:
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
    assert caught.value.error == "SeatNotHeld"
    scribe.register(draft)
    seat = shop.ledger.anchor(shop.log)
    shop.ledger.execute(bound, draft.statement, shop.log, seat)
    with pytest.raises(CallReverted) as caught:
        shop.ledger.execute(bound, draft.statement, shop.log, seat)
    assert caught.value.error == "WrongNonce"
