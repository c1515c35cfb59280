"""The `affiant` command: as a process of its own, or quickly, within this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sys.executable).with_name("affiant")
Run = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, output, errors."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """The JSON that was printed."""
        return json.loads(self.out)

    def refused(self, *words: str) -> None:
        """Check the one form in which things that cannot be done are told."""
        assert "Traceback" not in self.err, self.err
        assert self.code == 2, (self.code, self.out, self.err)
        error, remedy = self.err.splitlines()
        assert error.startswith("error: ")
        assert remedy.startswith("   do: ")
        assert len(remedy) > len("   do: ")
        for word in words:
            assert word in self.err

    def held(self) -> None:
        """Check that all was well."""
        assert (self.code, self.err) == (0, ""), (self.code, self.out[-2000:], self.err)


def process(*arguments: object, **options: Any) -> Done:
    """Run the real command."""
    command = [str(COMMAND), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, **options
    )
    return Done(done.returncode, done.stdout, done.stderr)


def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs the command's own main function in this process."""
    from affiant.apps.cli.main import main  # noqa: PLC0415 (only where it is used)

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [str(COMMAND), *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else int(code is not None), out, err)

    return run
