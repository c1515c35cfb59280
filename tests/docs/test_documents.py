"""What the documents say is so."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest
import typer

import affiant
from affiant.apps.cli.main import app
from affiant.apps.wiring import VERTICALS

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("specs/*.md")]
    if path.is_file()
]
MODULES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def tracked() -> list[str]:
    """Return the tracked files; outside a checkout, none."""
    command = ["git", "-C", str(ROOT), "ls-files"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link in a page names a file that exists."""
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [
        target
        for target in targets
        if "://" not in target and not (page.parent / target).resolve().exists()
    ]
    assert missing == []


def test_the_readme_example_is_the_quickstart() -> None:
    """README shows the lines of examples/quickstart.py, which the tests run."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    example = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    assert shown.strip() == example.split('"""', 2)[2].strip()


def test_the_readme_example_is_short() -> None:
    """The example has at most 15 lines of code after its imports."""
    example = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    lines = [line for line in example.split('"""', 2)[2].splitlines() if line.strip()]
    assert len([line for line in lines if "import" not in line]) <= 15


def test_every_folder_of_the_map_exists() -> None:
    """README's map names folders that are there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("## The map")[1].split("```")[1]
    for line in block.strip().splitlines():
        name = line.split()[0]
        base = ROOT / "src" / "affiant" if line.startswith("  ") else ROOT
        assert (base / name).exists(), name


def test_every_command_is_documented() -> None:
    """The command-line page names every command."""
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    group = typer.main.get_group(app)
    names = [name for name in group.commands if name != "chain"]
    names += [f"chain {name}" for name in group.commands["chain"].commands]  # type: ignore[attr-defined]
    for name in VERTICALS:
        vertical = importlib.import_module(f"affiant.verticals.{name}.cli").app
        names += [f"{name} {command}" for command in typer.main.get_group(vertical).commands]
    assert [name for name in names if f"affiant {name}" not in page] == []


def test_every_check_of_the_audit_is_documented() -> None:
    """The page of checks names every check that the audit's code makes."""
    page = (ROOT / "docs/reference/checks.md").read_text(encoding="utf-8")
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src/affiant/audit").glob("*.py"))
    kinds = "log|mandate|statement|observation|decision|refusal|alert"
    names = set(re.findall(rf'"((?:{kinds})\.[a-z-]+)"', source))
    assert len(names) > 15
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_every_vertical_brings_its_pages() -> None:
    """A vertical has a README of its own and a page in docs/verticals."""
    for name in VERTICALS:
        assert (ROOT / "src/affiant/verticals" / name / "README.md").is_file()
        assert (ROOT / "docs/verticals" / f"{name}.md").is_file()


def test_the_public_names_are_published_on_purpose() -> None:
    """Every public name can be had, and there are at most twenty."""
    assert len(affiant.__all__) <= 20
    assert all(getattr(affiant, name) is not None for name in affiant.__all__)
    with pytest.raises(AttributeError, match="no attribute 'secret'"):
        _ = affiant.secret


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_test_says_its_claim(path: Path) -> None:
    """Every test function has a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_source_file_outgrows_its_concept() -> None:
    """No module has more than 400 lines, and the median is at most 170."""
    sizes = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    assert sizes[-1] <= 400
    assert sizes[len(sizes) // 2] <= 170


def test_nothing_of_this_machine_is_committed() -> None:
    """No tracked file names a package registry's host or a path of the machine it was made on."""
    hosts = ["pypi" + ".org", "python" + "hosted", "npmjs" + ".org", "/root" + "/", "/work" + "/"]
    found = [
        (name, host)
        for name in tracked()
        for host in hosts
        if (ROOT / name).is_file() and host in (ROOT / name).read_text("utf-8", errors="ignore")
    ]
    assert found == []


def test_no_test_is_skipped_for_good() -> None:
    """No test is switched off, and no assertion is always true."""
    banned = ("pytest.mark." + "skip\n", "pytest.mark." + "skip(", "assert " + "True")
    found = [
        (path.name, word) for path in TESTS for word in banned if word in path.read_text("utf-8")
    ]
    assert found == []
