"""What integration tests share: one embedded chain, one world of contracts, one told story."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from affiant.apps.wiring import open_house
from affiant.verticals.supply.story import story

from .command import Done, Run, here, process
from .engine import Opened, anvil, opened
from .world import World, new_world


@pytest.fixture(scope="session")
def engine() -> Path:
    """Return the chain's engine; without it, what needs it is skipped."""
    return anvil()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Give an embedded chain for tests that leave no trace on it."""
    with opened(tmp_path_factory.mktemp("embedded") / "chain.db") as chain:
        yield chain


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this session."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the contracts on a chain of their own; every test makes mandates of its own."""
    with new_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def affiant(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the command, to be run in this process."""
    return here(monkeypatch, capsys)


@dataclass(frozen=True)
class Told:
    """A home in which the story was told twice by the real command."""

    home: Path
    first: Done
    second: Done


@pytest.fixture(scope="session")
def told(shared: Path, engine: Path) -> Told:
    """Tell the whole story once, then again with --json."""
    assert engine.exists()
    home = shared / "told"
    return Told(
        home,
        process("demo", "--home", home, cwd=shared),
        process("demo", "--home", home, "--json", cwd=shared),
    )


@pytest.fixture(scope="session")
def small_home(shared: Path, engine: Path) -> Path:
    """Make a home in which two periods were ordered for; tests copy it."""
    assert engine.exists()
    home = shared / "small"
    with open_house(home) as house:
        for step in story(house, periods=2):
            assert step.good is not False, step.text
    return home


@pytest.fixture
def small(small_home: Path, tmp_path: Path) -> Path:
    """Give a copy of the small home."""
    return Path(shutil.copytree(small_home, tmp_path / "home"))
