"""A function under oath: the decorator a newcomer meets first, and the model it makes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol

from affiant.kernel.encoding import jcs_encode, sha256, to_hex
from affiant.kernel.errors import InputError, MalformedError
from affiant.kernel.house import Act, Agent
from affiant.kernel.model import Doubt, Input, Proposal

P = ParamSpec("P")
Answer = Proposal | Doubt


@dataclass(frozen=True)
class FunctionModel:
    """A function as a model: its digest covers name, version and source text.

    What the function reads from outside (globals, closures, files) is not covered: pass it as an
    argument, so that it is observed, or put it into `version`.
    """

    function: Callable[..., Answer]
    version: str = "1"
    deterministic: bool = True

    @property
    def name(self) -> str:
        """The function's qualified name."""
        return self.function.__qualname__.replace("<locals>.", "")

    @functools.cached_property
    def digest(self) -> bytes:
        """SHA-256 over name, version and source.

        Raises:
            InputError: the source cannot be read.
        """
        try:
            source = inspect.getsource(self.function)
        except (OSError, TypeError) as error:
            raise InputError(
                f"the source of {self.name} cannot be read: {error}",
                "Define the function in a file",
            ) from error
        told = {
            "name": self.name,
            "version": self.version,
            "source": to_hex(sha256(source.encode())),
        }
        return sha256(jcs_encode(told))

    def predict(self, inputs: Sequence[Any]) -> Answer:
        """Call the function with the inputs as its arguments, in order."""
        return self.function(*inputs)


class SwornFunction(Protocol[P]):
    """A function that acts under oath. `job` names the occasion: the same job acts once."""

    model: FunctionModel

    def __call__(self, job: str, *args: P.args, **kwargs: P.kwargs) -> Act: ...


def sworn(
    agent: Agent, mandate: bytes, *, version: str = "1"
) -> Callable[[Callable[P, Answer]], SwornFunction[P]]:
    """Put a function under oath: its arguments are observed, its answer is sworn and acted on.

    The function takes JSON values and returns a `Proposal` or a `Doubt`. Calling it takes the name
    of the job first and returns an `Act`.
    """

    def decorate(function: Callable[P, Answer]) -> SwornFunction[P]:
        model = FunctionModel(function, version)
        model.digest  # noqa: B018 (of the source as it is now, when the code was loaded)
        signature = _plain_signature(model.name, function)

        @functools.wraps(function)
        def act(job: str, *args: P.args, **kwargs: P.kwargs) -> Act:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise InputError(
                    f"{model.name}: {error}",
                    "Call it with the name of the job first, then the function's own arguments",
                ) from error
            bound.apply_defaults()
            inputs = _inputs(model.name, bound)
            return agent.act(f"{model.name}/{job}", mandate, model, inputs)

        act.model = model  # type: ignore[attr-defined]
        return act  # type: ignore[return-value]

    return decorate


def _plain_signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature, if every argument can be observed by itself and given by position."""
    signature = inspect.signature(function)
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    for parameter in signature.parameters.values():
        if parameter.kind not in plain:
            raise InputError(
                f"parameter {parameter} of {name} is {parameter.kind.description}",
                "Give the function plain parameters; a list or dictionary may hold several values",
            )
    return signature


def _inputs(name: str, bound: inspect.BoundArguments) -> list[Input]:
    inputs = []
    for parameter, value in bound.arguments.items():
        source = f"argument {parameter} of {name}"
        try:
            inputs.append(Input.of(value, source=source, shape=_shape(value)))
        except MalformedError as error:
            raise InputError(
                f"{source} is no JSON: {error.message}",
                "Pass numbers, text, lists and dictionaries; integers up to 2^53",
            ) from error
    return inputs


def _shape(value: object) -> list[int]:
    return [len(value)] if isinstance(value, (list, tuple, dict, str)) else []
