"""`affiant demo`: a vertical's story, the forgeries, the audit, and what to try next."""

from __future__ import annotations

import inspect
import json as encoder
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from affiant.apps.cli.audit import write_bundle
from affiant.apps.house import RealHouse
from affiant.apps.stories.tampering import tampering
from affiant.apps.wiring import check_extra, door, kinds, models, open_house, vertical
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.kernel import body as bodies
from affiant.kernel.alert import statements_of
from affiant.kernel.bundle import Bundle
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.house import Step

MARK = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}


def tell(
    name: str, options: dict[str, Any], *, home: Path, rpc: str | None, port: int, json: bool
) -> int:
    """Tell a story; return the exit code: 0 only if every step came out as it must."""
    chosen = vertical(name)
    check_extra(chosen)
    story = door(chosen.story)
    known = inspect.signature(story).parameters
    for option in options:
        if option not in known:
            raise InputError(f"the story {name!r} takes no --{option}", "Leave it out")
    if chosen.check is not None:
        door(chosen.check)(**options)
    began = time.monotonic()
    steps: list[Step] = []
    console = Console(quiet=json, highlight=False, soft_wrap=True, emoji=False)
    with open_house(home, rpc=rpc, port=port) as house:
        console.print(f"[bold]{chosen.summary}[/]\nhome {home}, {house.ledger.name}\n")
        with _progress(console) as progress:
            task = progress.add_task(chosen.name, total=None, visible=False)
            for step in _all(house, story(house, **options), home):
                steps.append(step)
                if step.progress is not None:
                    done, total = step.progress
                    progress.update(task, completed=done, total=total, visible=True)
                progress.console.print(f"{MARK[step.good]} {escape(step.text)}")
    seconds = round(time.monotonic() - began, 2)
    good = all(step.good is not False for step in steps)
    if json:
        told = {"story": name, "good": good, "seconds": seconds, "home": str(home)}
        print(encoder.dumps({**told, "steps": [_step(step) for step in steps]}, indent=2))  # noqa: T201 (the command's output)
    else:
        _next(console, steps, home, seconds, sales="sales" in known)
    return 0 if good else 1


def _all(house: RealHouse, story: Iterator[Step], home: Path) -> Iterator[Step]:
    yield from story
    yield from tampering(house)
    found = collect(house.log, house.ledger, house.archive)
    log_id = house.log.policy.log_id
    report = audit(found, kinds(), ledger=house.ledger.name, models=models(), log_id=log_id)
    path = home / "demo.bundle"
    write_bundle(found, path)
    text = (
        f"audit of {len(found.statements)} statements: {len(report.checks())} checks, "
        f"{len(report.findings())} findings, independent witnesses: {report.witnesses}"
    )
    alerted = _alerted(found)
    open_ = [finding for finding in report.findings() if finding.statement not in alerted]
    if report.findings() and not open_:
        text += "; a sworn alert had named each of them"
    facts = {
        "bundle": str(path),
        "checks": len(report.checks()),
        "statements": len(found.statements),
    }
    facts["findings"] = [finding.to_json() for finding in report.findings()]
    yield Step("audit", text, facts, good=not open_)
    for finding in open_:
        yield Step("finding", f"{finding.name}: {finding.detail}", finding.to_json(), good=False)


def _alerted(found: Bundle) -> set[bytes]:
    """Return the statements that alerts name as evidence: what is wrong with them is no news."""
    told = (bodies.decode(body, kinds()) for body in found.bodies.values())
    alerts = [body.content for body in told if body.kind == bodies.ALERT]
    return {leaf for content in alerts for leaf in statements_of(content)}


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)


def _next(console: Console, steps: list[Step], home: Path, seconds: float, *, sales: bool) -> None:
    gas = [int(step.facts["gas"]) for step in steps if step.facts.get("gas")]
    if gas:
        console.print(f"  gas per action: {min(gas)} to {max(gas)}; whole story: {seconds} s")
    done = [step.facts["transaction"] for step in steps if step.facts.get("transaction")]
    option = "" if str(home) == ".affiant" else f" --home {home}"
    command = _command()
    console.print("\n[bold]Try next[/]")
    console.print(f"  {command} verify {home / 'demo.bundle'}")
    named = any(step.facts.get("findings") for step in steps if step.title == "audit")
    why = "   (exit 1: it shows what the alerts had named)" if named else ""
    console.print("  " + " ".join([command, "audit", *done[-1:], f"--replay{option}"]) + why)
    if sales:
        console.print(f"  {command} demo --sales YOUR.csv{option}   (item,period,quantity)")


def _command() -> str:
    """Return how this command can be called again: by name if the shell finds it."""
    here, found = Path(sys.argv[0]).resolve(), shutil.which("affiant")
    if found and Path(found).resolve() == here:
        return "affiant"
    return os.path.relpath(here)


def _step(step: Step) -> dict[str, Any]:
    facts = {k: to_hex(v) if isinstance(v, bytes) else v for k, v in step.facts.items()}
    return {"step": step.title, "text": step.text, "good": step.good, **facts}
