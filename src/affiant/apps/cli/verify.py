"""`affiant verify`: needs the kernel and the audit, no chain and no AI package."""

from __future__ import annotations

import json as encoder
from pathlib import Path

import typer

from affiant.apps.cli.report import render
from affiant.apps.wiring import kinds
from affiant.audit.walk import audit
from affiant.kernel import bundle
from affiant.kernel.encoding import from_hex
from affiant.kernel.errors import InputError


def offline(file: Path, *, log_id: str | None, json: bool) -> int:
    """Check a bundle; return the exit code."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", "Name a bundle") from error
    expected = None if log_id is None else from_hex(log_id.lower(), 32)
    report = audit(bundle.decode(data), kinds(), log_id=expected)
    if json:
        typer.echo(encoder.dumps(report.to_json(), indent=2))
    else:
        typer.echo(render(report, whole=False))
    return 0 if report.good else 1
