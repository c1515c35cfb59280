"""The decorator: typed arguments are observed in order, and misuse is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from affiant.agent.sworn import FunctionModel, sworn
from affiant.kernel import body as bodies
from affiant.kernel.encoding import jcs_decode, to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.model import Doubt, Proposal
from shop import Shop, transfer


def settle(bill: dict[str, int], discount: int = 0, note: str = "") -> Proposal | Doubt:
    """Pay a bill, less a discount."""
    units = bill["units"] - discount
    if units <= 0:
        return Doubt("nothing-due", note)
    return Proposal(transfer(units), {"units": units}, note)


def settle_more(bill: dict[str, int], discount: int = 0, note: str = "") -> Proposal | Doubt:
    """Pay a bill, less a discount, and one more."""
    units = bill["units"] - discount + 1
    if units <= 0:
        return Doubt("nothing-due", note)
    return Proposal(transfer(units), {"units": units}, note)


def seen(shop: Shop) -> list[Any]:
    """Return the data observed, in the order in which it was sworn to."""
    kept = [
        shop.archive.get(told.subject) for told in shop.told() if told.kind == bodies.OBSERVATION
    ]
    return [jcs_decode(item[1]) for item in kept if item]


def test_a_sworn_function_acts(shop: Shop) -> None:
    """Calling it with a job's name decides, logs and pays."""
    pay = sworn(shop.agent(), shop.mandate)(settle)
    act = pay("monday", {"units": 70}, 20, note="less a discount")
    assert (act.refused, act.reason, shop.paid) == (None, "less a discount", [50])


def test_arguments_are_observed_in_order(shop: Shop) -> None:
    """Every argument is an observation, in the order of the signature, defaults included."""
    pay = sworn(shop.agent(), shop.mandate)(settle)
    pay("monday", note="why", bill={"units": 70})
    assert seen(shop) == [{"units": 70}, 0, "why"]
    told = shop.said(bodies.OBSERVATION)
    name = "settle"
    assert [item["source"] for item in told] == [
        f"argument {argument} of {name}" for argument in ("bill", "discount", "note")
    ]
    assert [item["shape"] for item in told] == [[1], [], [3]]


def test_the_inputs_named_are_the_ones_observed(shop: Shop) -> None:
    """The decision names its observations in the order of the arguments."""
    sworn(shop.agent(), shop.mandate)(settle)("monday", {"units": 5})
    observed = [to_hex(told.leaf) for told in shop.told() if told.kind == bodies.OBSERVATION]
    assert shop.said(bodies.DECISION)[0]["inputs"] == observed


def test_a_sworn_function_replays(shop: Shop) -> None:
    """Its model runs again on what was observed, and answers the same."""
    pay = sworn(shop.agent(), shop.mandate)(settle)
    pay("monday", {"units": 5}, 1)
    report = shop.audit(models={pay.model.digest: pay.model})
    (check,) = [check for check in report.checks() if check.name == "decision.replay"]
    assert check.good


def test_the_same_job_acts_once(shop: Shop) -> None:
    """The same job again pays nothing more."""
    pay = sworn(shop.agent(), shop.mandate)(settle)
    assert pay("monday", {"units": 5}) == pay("monday", {"units": 5})
    assert shop.paid == [5]


def test_a_doubt_is_a_refusal(shop: Shop) -> None:
    """A doubt pays nothing and is told."""
    act = sworn(shop.agent(), shop.mandate)(settle)("monday", {"units": 0}, note="none")
    assert (act.refused, act.reason, shop.paid) == ("nothing-due", "none", [])


def test_the_digest_covers_name_version_and_source() -> None:
    """Another name, version or source is another model; the same three are the same."""
    model = FunctionModel(settle)
    assert model.digest == FunctionModel(settle).digest
    others = [FunctionModel(settle, "2"), FunctionModel(settle_more)]
    assert len({model.digest, *(other.digest for other in others)}) == 3


def test_the_version_is_that_of_the_decorator(shop: Shop) -> None:
    """`sworn(version=...)` is the version that is sworn to."""
    pay = sworn(shop.agent(), shop.mandate, version="3")(settle)
    pay("monday", {"units": 5})
    (model,) = shop.said(bodies.MODEL)
    assert (pay.model.version, model["version"], model["name"]) == ("3", "3", pay.model.name)


def test_a_decorated_function_keeps_its_name_and_words() -> None:
    """Name and docstring are the function's own."""
    shop = Shop()
    pay = sworn(shop.agent(), shop.mandate)(settle)
    assert (pay.__name__, pay.__doc__) == ("settle", settle.__doc__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "call",
    [
        lambda pay: pay("monday"),
        lambda pay: pay("monday", {"units": 1}, 0, "", "more"),
        lambda pay: pay("monday", {"units": 1}, extra=1),
        lambda pay: pay("monday", {"units": 1}, bill={"units": 2}),
    ],
    ids=["too few", "too many", "unknown", "twice"],
)
def test_a_bad_call_is_named(shop: Shop, call: Callable[[Any], object]) -> None:
    """Arguments that do not fit are refused with how to call it, and nothing is sworn."""
    with pytest.raises(InputError, match="name of the job first"):
        call(sworn(shop.agent(), shop.mandate)(settle))
    assert shop.kinds() == []


@pytest.mark.parametrize(
    "value",
    [{1, 2}, b"bytes", 1 << 60, float("inf"), object(), {1: "key"}, "\ud800"],
    ids=["set", "bytes", "big", "infinity", "object", "key", "surrogate"],
)
def test_an_argument_is_json(shop: Shop, value: Any) -> None:
    """An argument that JSON cannot hold exactly is refused by name, and nothing is sworn."""
    with pytest.raises(InputError, match="argument bill"):
        sworn(shop.agent(), shop.mandate)(settle)("monday", value)
    assert shop.kinds() == []


def test_only_plain_parameters_can_be_observed(shop: Shop) -> None:
    """A function with keyword-only or variable parameters is refused when it is put under oath."""

    def keyword_only(*, units: int) -> Doubt:
        return Doubt("looked", str(units))

    def several(*units: int) -> Doubt:
        return Doubt("looked", str(units))

    def named(**units: int) -> Doubt:
        return Doubt("looked", str(units))

    oath = sworn(shop.agent(), shop.mandate)
    for function in (keyword_only, several, named):
        with pytest.raises(InputError, match="parameter"):
            oath(function)


def test_two_functions_may_name_their_jobs_alike(shop: Shop) -> None:
    """The same job of two functions is two jobs."""

    def first(units: int) -> Doubt:
        return Doubt("first", str(units))

    def second(units: int) -> Doubt:
        return Doubt("second", str(units))

    oath = sworn(shop.agent(), shop.mandate)
    assert [oath(each)("monday", 1).refused for each in (first, second)] == ["first", "second"]


def test_a_wrong_answer_is_named(shop: Shop) -> None:
    """A function that returns something else is told what to return."""

    def wrong(units: int) -> Any:
        return {"pay": units}

    with pytest.raises(InputError, match="returned dict"):
        sworn(shop.agent(), shop.mandate)(wrong)("monday", 5)
    assert "decision" not in shop.kinds()


def test_a_function_that_fails_swears_to_no_answer(shop: Shop) -> None:
    """An exception of the function is the caller's to see, and the job stays open."""
    pay = sworn(shop.agent(), shop.mandate)(settle)
    with pytest.raises(KeyError):
        pay("monday", {})
    assert shop.kinds() == ["model", "observation", "observation", "observation"]


def test_a_function_without_source_is_refused(shop: Shop) -> None:
    """Code that was not read from a file cannot be sworn to."""
    scope: dict[str, Any] = {"Doubt": Doubt}
    exec("def ghost(units): return Doubt('rule', 'reason')", scope)  # noqa: S102 (no source)
    with pytest.raises(InputError, match="source"):
        sworn(shop.agent(), shop.mandate)(scope["ghost"])("monday", 5)
    assert shop.kinds() == []


def test_the_digest_is_of_the_code_that_runs(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes after its function was loaded does not change what is sworn to."""
    file = tmp_path / "rules_of_today.py"
    file.write_text("def rule(units):\n    return units + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    rule = __import__("rules_of_today").rule
    shop = Shop()
    first = sworn(shop.agent(), shop.mandate)(rule)
    loaded = FunctionModel(rule).digest
    file.write_text("def rule(units):\n    return units + 2\n")
    __import__("linecache").checkcache()
    assert first.model.digest == loaded


def test_arguments_may_be_of_any_json_form(shop: Shop) -> None:
    """Lists, text, numbers, null and nested objects come back as they were given."""

    def look(a: Any, b: Any, c: Any, d: Any, e: Any) -> Doubt:
        return Doubt("looked", json.dumps([a, b, c, d, e]))

    given = [[1, [2.5]], "ä", -7, None, {"x": {"y": []}}]
    act = sworn(shop.agent(), shop.mandate)(look)("monday", *given)
    assert json.loads(act.reason) == given


def test_a_frozen_agent_is_replaced_whole(shop: Shop) -> None:
    """A runtime with another key is another agent, whose decisions the contract refuses."""
    agent = replace(shop.agent(), careful=False)
    assert sworn(agent, shop.mandate)(settle)("monday", {"units": 401}).refused == "AboveCap"
