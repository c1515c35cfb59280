"""The verticals of the house, and what happens without their extra."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import pytest

from affiant.apps import wiring
from affiant.apps.cli import demo, main
from affiant.kernel.errors import InputError, SetupError
from affiant.kernel.model import Model


def test_every_vertical_opens_its_doors() -> None:
    """Story, commands and models of each vertical can be imported."""
    for name in wiring.VERTICALS:
        found = wiring.vertical(name)
        assert found.name == name
        assert all(wiring.door(target) for target in (found.story, found.models))
        assert wiring.door(f"affiant.verticals.{name}.cli:app")


def test_an_unknown_story_is_refused_with_the_choice() -> None:
    """A story that does not exist is an input error that lists those that do."""
    with pytest.raises(InputError) as caught:
        wiring.vertical("alchemy")
    assert "supply" in caught.value.remedy


def test_every_model_is_known_by_its_digest() -> None:
    """The models for replays are keyed by digests of 32 bytes that belong to them."""
    models: dict[bytes, Model] = wiring.models()
    assert len(models) >= 2
    assert all(model.digest == digest and len(digest) == 32 for digest, model in models.items())


def test_a_vertical_without_its_extra_is_refused_with_the_command() -> None:
    """A vertical whose modules are missing names them and the command that installs them."""
    hungry = dataclasses.replace(wiring.vertical("supply"), needs=("no_such_module",))
    with pytest.raises(SetupError) as caught:
        wiring.check_extra(hungry)
    assert "no_such_module" in caught.value.message
    assert 'make setup EXTRAS="supply"' in caught.value.remedy


def test_a_vertical_with_its_extra_is_let_through() -> None:
    """A vertical whose modules are there is not refused."""
    wiring.check_extra(dataclasses.replace(wiring.vertical("supply"), needs=("json",)))


def test_the_demo_of_a_vertical_without_its_extra_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`affiant demo NAME` without the extra exits 2 and prints the command, and opens no house."""
    hungry = dataclasses.replace(wiring.vertical("supply"), needs=("no_such_module",))
    monkeypatch.setattr(demo, "vertical", lambda _: hungry)
    monkeypatch.setattr(sys, "argv", ["affiant", "demo", "supply", "--home", "/nonexistent/home"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert 'make setup EXTRAS="supply"' in capsys.readouterr().err


def test_a_new_vertical_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vertical's name in VERTICALS is all that the house needs to find it."""
    package = ModuleType("affiant.verticals.tea")
    module = ModuleType("affiant.verticals.tea.vertical")
    brought = dataclasses.replace(wiring.vertical("supply"), name="tea")
    module.VERTICAL = brought  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "affiant.verticals.tea", package)
    monkeypatch.setitem(sys.modules, "affiant.verticals.tea.vertical", module)
    monkeypatch.setattr(wiring, "VERTICALS", (*wiring.VERTICALS, "tea"))
    assert wiring.vertical("tea") is brought


def test_an_option_that_the_story_does_not_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`affiant demo NAME --sales F` of a story without sales exits 2 and says so."""

    def story(_house: object) -> list[object]:
        return []

    monkeypatch.setattr(demo, "door", lambda _: story)
    monkeypatch.setattr(sys, "argv", ["affiant", "demo", "supply", "--sales", "x.csv"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "takes no --sales" in capsys.readouterr().err


def test_bad_options_are_refused_before_a_house_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sales file that cannot be used leaves no home behind."""
    home = tmp_path / "home"
    arguments = ["affiant", "demo", "--home", str(home), "--sales", str(tmp_path / "none.csv")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert not home.exists()
