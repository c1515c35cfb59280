"""Runs a recorded decision again: the same model on the same inputs must answer the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affiant.audit.findings import Check
from affiant.kernel.action import BoundAction
from affiant.kernel.encoding import from_hex, jcs_encode, to_hex
from affiant.kernel.model import Call, Doubt, Model, Proposal

NAME = "decision.replay"


def replay(
    leaf: bytes,
    content: Mapping[str, Any],
    inputs: Sequence[Any] | None,
    models: Mapping[bytes, Model],
) -> Check:
    """Compare what was sworn with what the model answers now; `inputs` are JSON values."""
    digest = from_hex(content["model"], 32)
    model = models.get(digest)
    if model is None or inputs is None or not model.deterministic:
        return Check(NAME, None, _why_not(digest, model), leaf)
    try:
        answer = model.predict(inputs)
        now = jcs_encode(answer.output)
    except Exception as error:  # noqa: BLE001 (whatever a model does wrong is a finding about it)
        return Check(NAME, False, f"{model.name} now fails: {error!r:.160}", leaf)
    then = jcs_encode(content["output"])
    if now != then:
        told = f"{model.name} now answers {now.decode():.160}, sworn was {then.decode():.160}"
        return Check(NAME, False, told, leaf, then)
    if _call(answer) != _sworn_call(content):
        told = f"{model.name} now proposes another call than was sworn"
        return Check(NAME, False, told, leaf)
    if isinstance(answer, Doubt) and answer.rule != content.get("rule"):
        told = f"{model.name} now doubts for {answer.rule}, sworn was {content.get('rule')}"
        return Check(NAME, False, told, leaf)
    return Check(NAME, True, f"{model.name} answers the same", leaf)


def _call(answer: Proposal | Doubt) -> Call | None:
    return answer.call if isinstance(answer, Proposal) else None


def _sworn_call(content: Mapping[str, Any]) -> Call | None:
    if content["action"] is None:
        return None
    action = BoundAction.from_json(content["action"]).action
    return Call(action.target, action.data, action.value)


def _why_not(digest: bytes, model: Model | None) -> str:
    if model is None:
        return f"model {to_hex(digest)} is not at hand"
    if not model.deterministic:
        return f"{model.name} does not always answer the same"
    return "not every input's data is disclosed"
