"""The flow: observe, decide, swear, log, prove, execute, record the outcome.

`Runtime.act` is that sentence. Every statement is stored durably before it is sent, under a name
derived from the job, and sent again to the letter after a crash; the log is idempotent and the
mandate's nonce is used once, so a job acts once however often it is begun.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from affiant.agent.oath import Oath
from affiant.agent.observe import Observer
from affiant.kernel import body as bodies
from affiant.kernel import mandate as rules
from affiant.kernel import statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.body import CORE_KINDS, Kind
from affiant.kernel.encoding import from_hex, jcs_decode, to_hex
from affiant.kernel.errors import (
    CallReverted,
    InputError,
    IntegrityError,
    MandateRefused,
    RegistrationRefused,
)
from affiant.kernel.house import Act, Rehearsal
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import State
from affiant.kernel.model import Call, Doubt, Input, Model, Proposal
from affiant.kernel.ports import Archive, Clock, Draft, Execution, Ledger, Log, Outbox
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Runtime:
    """An agent at work: its key, and the parts it works with."""

    key: LedgerKey
    log: Log
    ledger: Ledger
    archive: Archive
    outbox: Outbox
    clock: Clock
    random: Callable[[int], bytes]
    """Returns that many random bytes."""
    turn: AbstractContextManager[Any] = field(default_factory=RLock)
    """Held while acting: decisions for one nonce cannot be made side by side."""
    kinds: Mapping[str, Kind] = field(default_factory=lambda: CORE_KINDS)
    """The kinds of statement that the log knows."""
    careful: bool = True
    """Whether it checks the terms itself first. The contract does so in any case."""
    dry: bool = False
    """Whether it only rehearses."""

    @functools.cached_property
    def _oath(self) -> Oath:
        return Oath(self.key, self.log, self.outbox, self.clock, self.random, self.kinds)

    @functools.cached_property
    def _eyes(self) -> Observer:
        return Observer(self._oath, self.archive, self.random)

    def act(self, job: str, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Act:
        """Decide over the inputs, under oath, and act: once per job, however often called.

        Raises:
            LedgerError: the chain does not answer; call again with the same job.
            InputError: the model's answer is neither a proposal nor a doubt, or the job's name was
                used under another mandate, model or agent.
            MalformedError: the answer fits into no body; nothing was sworn.
            RegistrationRefused: the log does not take it, for instance `decision-open` while the
                agent's decision of another house waits; call again with the same job.
        """
        self._check_wet()
        with self.turn:
            return self._act(job, mandate, model, inputs)

    def rehearse(self, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Rehearsal:
        """Decide and ask the chain what would become of it: nothing is sworn, logged or sent."""
        self._own_mandate(mandate)
        answer = model.predict([item.value for item in inputs])
        if isinstance(answer, Doubt):
            return Rehearsal(None, answer.rule, answer.reason)
        try:
            gas = self.ledger.rehearse(mandate, answer.call, model.digest)
        except CallReverted as error:
            return Rehearsal(answer, error.error, error.message)
        return Rehearsal(answer, None, answer.reason, gas)

    def recall(self, job: str) -> Act | None:
        """Return what became of a job that was decided, following it to its end; or None."""
        self._check_wet()
        with self.turn:
            draft = self._oath.kept(f"{job}/decision")
            return None if draft is None else self._follow(job, draft)

    def _act(self, job: str, mandate: bytes, model: Model, inputs: Sequence[Input]) -> Act:
        """Observe, decide and swear, or take up what was sworn before; then follow it."""
        draft = self._begun(job, mandate, model)
        if draft is not None:
            self._same_inputs(job, inputs, jcs_decode(draft.body)["content"]["inputs"])
        else:
            self._own_mandate(mandate)
            self._finish_others(mandate)
            self._swear_model(model)
            eyes = self._eyes
            observed = [eyes.observe(f"{job}/input/{n}", item) for n, item in enumerate(inputs)]
            values = eyes.read(observed)
            answer = values if isinstance(values, Doubt) else model.predict(values)
            self.outbox.begin(job)  # before it is sworn, so that no crash lets it be forgotten
            draft = self._swear_answer(f"{job}/decision", mandate, model, observed, answer)
        return self._follow(job, draft)

    def _follow(self, job: str, draft: Draft) -> Act:
        """Log what was sworn, prove and execute it, and record the outcome."""
        decided, content = draft.statement, jcs_decode(draft.body)["content"]
        self.outbox.begin(job)
        index = self._oath.log(draft)
        if decided.kind == bodies.REFUSAL:
            self.outbox.finish(job)
            return Act(decided, _refused_proposal(content), content["rule"], content["reason"])

        bound = BoundAction.from_json(content["action"])
        execution = self._executed(bound, decided)
        outcome = self._oath.kept(f"{job}/outcome")
        if outcome is None:
            outcome, execution = self._carry(job, bound, decided, index, execution)
        self._oath.log(outcome)
        self.outbox.finish(job)
        refused, reason = None, content["reason"]
        if execution is None:
            said = jcs_decode(outcome.body)["content"]
            if said["status"] == "executed":
                raise IntegrityError(
                    f"{job!r} was executed in transaction {said['transaction']}, "
                    f"of which {self.ledger.name} knows nothing",
                    "The chain has lost blocks: restore it from its newest backup",
                )
            refused, reason = said["events"][0]["error"], said["events"][0]["reason"]
        return Act(decided, _proposal(content), refused, reason, execution, outcome.statement)

    def _check_wet(self) -> None:
        if self.dry:
            raise InputError("a dry run does not act", "Rehearse, or open the house as it is")

    def _own_mandate(self, mandate: bytes) -> None:
        """Refuse another agent's mandate before anything is sworn under it.

        Raises:
            InputError: its terms name another agent.
            LedgerError: there is no such mandate.
        """
        agent = self.ledger.terms(mandate).agent
        if self.careful and agent != self.key.address:
            raise InputError(
                f"mandate {to_hex(mandate)} is that of agent {to_hex(agent)}, "
                f"not of {to_hex(self.key.address)}",
                "Ask its principal for a mandate of your own",
            )

    def _finish_others(self, mandate: bytes) -> None:
        """Finish what a crash left of other jobs of this mandate: each holds a nonce."""
        for job in self.outbox.unfinished():
            draft = self.outbox.get(f"{job}/decision")
            if draft is None:  # cut off before anything was sworn
                self.outbox.finish(job)
                continue
            if draft.statement.issuer != self.key.public:
                continue
            if jcs_decode(draft.body)["content"]["mandate"] == to_hex(mandate):
                with suppress(RegistrationRefused):  # what was never logged holds nothing
                    self._follow(job, draft)

    def _carry(
        self,
        job: str,
        bound: BoundAction,
        decided: Statement,
        index: int,
        execution: Execution | None,
    ) -> tuple[Draft, Execution | None]:
        """Prove and execute, or give up; return the sworn outcome.

        The reason of a refusal is kept before the nonce is used up, so that a crash between the two
        does not lose it. Anyone may carry a decision, so the chain is asked again before each step
        that would deny it.
        """
        refusal = self._oath.kept(f"{job}/refused")
        if execution is None and refusal is None:
            seat = self.ledger.anchor(self.log, index)
            try:
                execution = self.ledger.execute(bound, decided, self.log, seat)
            except CallReverted as error:
                execution = self._executed(bound, decided)
                if execution is None:
                    refusal = self._swear_refused(f"{job}/refused", decided, error)
        if execution is None:
            self._give_up(bound)
            execution = self._executed(bound, decided)
        if execution is not None:
            return self._swear_executed(f"{job}/outcome", decided, execution), execution
        if refusal is None:
            raise IntegrityError(f"{job!r} neither ran nor was refused", "Audit the house")
        self.outbox.put(f"{job}/outcome", refusal)
        return refusal, None

    def _begun(self, job: str, mandate: bytes, model: Model) -> Draft | None:
        """Return what was decided for a job before.

        Raises:
            InputError: the name was used under another mandate, model or agent.
        """
        draft = self._oath.kept(f"{job}/decision")
        if draft is not None:
            content = jcs_decode(draft.body)["content"]
            for name, asked in (("mandate", mandate), ("model", model.digest)):
                if content[name] != to_hex(asked):
                    raise InputError(
                        f"job {job!r} was decided under {name} {content[name]}",
                        "Give every job a name of its own",
                    )
        return draft

    def _same_inputs(self, job: str, inputs: Sequence[Input], leaves: Sequence[str]) -> None:
        """Refuse to tell of a job as if it had been decided over other data.

        Raises:
            InputError: the data differ.
        """
        places = [self.log.index_of(from_hex(leaf, 32)) for leaf in leaves]
        entries = [self.log.entry(place) for place in places if place is not None]
        subjects = [statement.decode(entry).unverified.subject for entry in entries]
        same = len(inputs) == len(subjects) and all(map(self._eyes.tells, subjects, inputs))
        if not same:
            raise InputError(
                f"job {job!r} was decided over other data",
                "Give it the data it was decided over, or give the job another name",
            )

    def _swear_model(self, model: Model) -> None:
        """Swear to the model, unless somebody has: a model statement, not any other about it."""
        entries = [self.log.entry(index) for index in self.log.about(model.digest)]
        if any(statement.decode(entry).unverified.kind == bodies.MODEL for entry in entries):
            return
        content = {
            "name": model.name,
            "version": model.version,
            "deterministic": model.deterministic,
            "training": "",
            "metrics": {},
            "approvals": [],
        }
        job = f"model/{to_hex(model.digest)}/{to_hex(self.key.address)}"
        draft = self._oath.kept(job) or self._oath.swear(job, bodies.MODEL, model.digest, content)
        self._oath.log(draft)

    def _swear_answer(
        self,
        job: str,
        mandate: bytes,
        model: Model,
        observed: Sequence[Statement],
        answer: object,
    ) -> Draft:
        """Turn the model's answer into a sworn decision, or into a sworn refusal."""
        if not isinstance(answer, (Proposal, Doubt)):
            raise InputError(
                f"{model.name} returned {type(answer).__name__}",
                "Return a Proposal (a call, with a reason) or a Doubt (no call, with a reason)",
            )
        content: dict[str, Any] = {
            "mandate": to_hex(mandate),
            "model": to_hex(model.digest),
            "inputs": [to_hex(told.leaf) for told in observed],
            "output": answer.output,
            "reason": answer.reason,
        }
        if isinstance(answer, Doubt):
            content |= {"action": None, "rule": answer.rule}
            subject = observed[0].subject if observed else model.digest
            return self._oath.swear(job, bodies.REFUSAL, subject, content, observed)
        now, terms, state = self.clock.now(), self.ledger.terms(mandate), self.ledger.state(mandate)
        action = self._action(model, answer.call, state, now + terms.longest_life)
        bound = BoundAction(self.ledger.chain_id, mandate, action)
        content["action"] = bound.to_json()
        try:
            if self.careful:
                rules.check(terms, state, action, now=now)
        except MandateRefused as error:
            content |= {"rule": error.rule, "reason": error.message}
            return self._oath.swear(job, bodies.REFUSAL, bound.digest, content, observed, now)
        content |= {"confidence": answer.confidence, "seed": answer.seed}
        return self._oath.swear(job, bodies.DECISION, bound.digest, content, observed, now)

    def _action(self, model: Model, call: Call, state: State, deadline: int) -> Action:
        return Action(
            epoch=state.epoch,
            nonce=state.nonce,
            model=model.digest,
            target=call.target,
            value=call.value,
            data=call.data,
            deadline=deadline,
            relayer=ANYONE,
            salt=self.random(32),
        )

    def _executed(self, bound: BoundAction, decided: Statement) -> Execution | None:
        done = self.ledger.executions(bound.mandate, decided.leaf)
        return done[0] if done else None

    def _give_up(self, bound: BoundAction) -> None:
        """Use up the nonce of a refused action, unless that has happened."""
        if self.ledger.state(bound.mandate).nonce == bound.action.nonce:
            with suppress(CallReverted):  # not our mandate to cancel, or used up just now
                self.ledger.cancel(bound.mandate, bound.action.nonce, self.key)

    def _swear_refused(self, job: str, decided: Statement, error: CallReverted) -> Draft:
        content = {
            "decision": to_hex(decided.leaf),
            "status": "refused",
            "transaction": None,
            "block": None,
            "number": None,
            "events": [{"error": error.error, "reason": error.message}],
        }
        return self._oath.swear(job, bodies.OUTCOME, decided.subject, content, [decided])

    def _swear_executed(self, job: str, decided: Statement, execution: Execution) -> Draft:
        content = {
            "decision": to_hex(decided.leaf),
            "status": "executed",
            "transaction": to_hex(execution.transaction),
            "block": to_hex(execution.block),
            "number": execution.number,
            "events": list(execution.events),
        }
        return self._oath.swear(job, bodies.OUTCOME, decided.subject, content, [decided])


def _refused_proposal(content: dict[str, Any]) -> Proposal | None:
    """Return what was wanted and refused; None where the model itself had doubts."""
    if content["action"] is None:
        return None
    return _proposal({"confidence": None, "seed": None, **content})


def _proposal(content: dict[str, Any]) -> Proposal:
    action = BoundAction.from_json(content["action"]).action
    call = Call(action.target, action.data, action.value)
    told = (content["output"], content["reason"], content["confidence"], content["seed"])
    return Proposal(call, *told)
