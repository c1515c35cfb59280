"""Replay: the same model on the same inputs must answer what was sworn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from affiant.audit.findings import Check
from affiant.kernel.errors import InputError
from affiant.kernel.model import Doubt, Model, Proposal
from shop import PayModel, Shop, due, transfer


@dataclass(frozen=True)
class Now(PayModel):
    """The model as it answers now: an answer, or an error to raise."""

    answer: Any = None

    def predict(self, inputs: Sequence[Any]) -> Any:  # noqa: ARG002 (whatever it sees)
        """Answer that."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


SWORN = Proposal(transfer(100), {"units": 100}, "100 are due", "0.9", 7)


def replayed(shop: Shop, model: Model | None) -> Check:
    """Return the replay of the shop's only decision."""
    models = {shop.model.digest: model} if model else {}
    report = shop.audit(models=models)
    (check,) = [check for check in report.checks() if check.name == "decision.replay"]
    return check


def test_the_same_answer_holds(shop: Shop) -> None:
    """A model that answers the same holds."""
    shop.pay()
    assert replayed(shop, shop.model).good
    assert replayed(shop, Now(answer=SWORN)).good


@pytest.mark.parametrize(
    "answer",
    [
        replace(SWORN, output={"units": 99}),
        replace(SWORN, output=None),
        replace(SWORN, call=transfer(99)),
        replace(SWORN, call=transfer(100, bytes(20))),
        replace(SWORN, call=replace(SWORN.call, value=1)),
        Doubt("nothing-due", "", {"units": 100}),
        InputError("the model is gone", "Find it"),
    ],
    ids=["output", "no output", "amount", "payee", "value", "doubt", "error"],
)
def test_another_answer_is_found(shop: Shop, answer: Any) -> None:
    """Another output or call, a doubt or an error now is a finding."""
    shop.pay()
    assert replayed(shop, Now(answer=answer)).good is False


def test_numbers_are_compared_exactly(shop: Shop) -> None:
    """One unit in the last place of a number is another answer."""
    shop.model = Now(answer=replace(SWORN, output={"rate": 0.1}))
    shop.pay()
    assert replayed(shop, Now(answer=replace(SWORN, output={"rate": 0.1}))).good
    near = replace(SWORN, output={"rate": 0.30000000000000004 - 0.2})
    assert replayed(shop, Now(answer=near)).good is False


@pytest.mark.parametrize("why", ["missing", "not deterministic", "undisclosed"])
def test_what_cannot_be_replayed_is_open(why: str) -> None:
    """Without model, determinism or data a replay is open, and says why."""
    shop = Shop()
    shop.model = PayModel(deterministic=why != "not deterministic")
    shop.pay()
    if why == "undisclosed":
        shop.archive._db.execute("DELETE FROM observed")
    check = replayed(shop, None if why == "missing" else shop.model)
    assert check.good is None
    said = {"missing": "at hand", "not deterministic": "always", "undisclosed": "disclosed"}
    assert said[why] in check.detail


def test_data_that_was_altered_is_not_replayed(shop: Shop) -> None:
    """Altered data fails its own check and is not given to the model."""
    shop.pay()
    shop.archive._db.execute("UPDATE observed SET data = ?", (due(7).data,))
    report = shop.audit(models=shop.models())
    assert [check.name for check in report.findings()] == ["observation.data"]
    assert [check.name for check in report.open()] == ["decision.replay"]


def test_a_refusal_is_replayed(shop: Shop) -> None:
    """A doubt, and a call that the terms stopped, are run again too."""
    shop.pay("doubted", 0)
    shop.pay("stopped", 401)
    report = shop.audit(models=shop.models())
    assert [c.good for c in report.checks() if c.name == "decision.replay"] == [True, True]


@pytest.mark.parametrize("answer", [ValueError("bad"), KeyError("units"), ZeroDivisionError()])
def test_a_model_that_breaks_is_a_finding(shop: Shop, answer: Exception) -> None:
    """Any exception of the model is a finding about it, and the audit goes on."""
    shop.pay()
    assert replayed(shop, Now(answer=answer)).good is False


@pytest.mark.parametrize("answer", [None, replace(SWORN, output={1, 2}), {"units": 100}])
def test_an_answer_of_another_type_is_a_finding(shop: Shop, answer: Any) -> None:
    """What is neither proposal nor doubt, or no JSON, is another answer than was sworn."""
    shop.pay()
    assert replayed(shop, Now(answer=answer)).good is False


@pytest.mark.parametrize(
    "answer",
    [Proposal(transfer(5), {"units": 0}, "5 are due"), Doubt("other-rule", "", {"units": 0})],
    ids=["a proposal", "another doubt"],
)
def test_a_doubt_that_is_now_something_else_is_found(shop: Shop, answer: Any) -> None:
    """An agent cannot swear to a doubt where its model proposes, or doubts for another rule."""
    shop.pay(units=0)
    assert replayed(shop, Now(answer=answer)).good is False
