"""`affiant audit`: collect the evidence, check it against the chain, show or export it."""

from __future__ import annotations

import json as encoder
from pathlib import Path

import typer

from affiant.agent.sworn import FunctionModel
from affiant.apps.cli.report import render
from affiant.apps.wiring import door, kinds, models, open_house
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.kernel.bundle import Bundle
from affiant.kernel.errors import InputError
from affiant.kernel.model import Model


def live(
    target: str | None,
    *,
    replay: bool,
    own: list[str],
    export: Path | None,
    home: Path,
    rpc: str | None,
    port: int,
    json: bool,
) -> int:
    """Audit a house; return the exit code."""
    if not (home / "log.db").is_file():
        raise InputError(f"{home} holds no log", "Name a home with --home, or run `affiant demo`")
    with open_house(home, rpc=rpc, port=port, reading=True) as house:
        found = collect(house.view, house.ledger, house.archive, target)
        again = {**models(), **_own_models(own)} if replay else None
        log_id = house.view.policy.log_id
        report = audit(found, kinds(), ledger=house.ledger.name, models=again, log_id=log_id)
    if export is not None:
        write_bundle(found, export)
    if json:
        typer.echo(encoder.dumps(report.to_json(), indent=2))
    else:
        typer.echo(render(report))
        if export is not None:
            typer.echo(f"bundle: {export}; check it anywhere with: affiant verify {export}")
    # A replay that was asked for and could not be made is not a replay that held.
    missed = replay and any(check.name == "decision.replay" for check in report.open())
    return 0 if report.good and not missed else 1


def _own_models(names: list[str]) -> dict[bytes, Model]:
    """Return the models of functions of one's own, named `module:function`.

    Raises:
        InputError: there is no such function.
    """
    found: dict[bytes, Model] = {}
    for name in names:
        try:
            function = door(name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(
                f"--model {name}: {error}", "Give module:function, importable from here"
            ) from error
        model: Model = getattr(function, "model", None) or FunctionModel(function)
        found[model.digest] = model
    return found


def write_bundle(found: Bundle, path: Path) -> None:
    """Write a bundle, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    draft = path.parent / f"{path.name}.new"
    try:
        draft.write_bytes(found.encode())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}", "Name another") from error
