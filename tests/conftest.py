"""Fixtures that several folders share."""

from __future__ import annotations

import os

import pytest

from shop import Scribe, Shop

_integration = {"passed": 0, "failed": 0, "skipped": 0}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what became of the tests against real processes."""
    if "integration" in report.keywords and (report.when == "call" or report.skipped):
        _integration[report.outcome] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail CI if every test against real processes was skipped: then nothing real was tested."""
    only_skipped = _integration["skipped"] and not _integration["passed"] + _integration["failed"]
    if os.environ.get("CI") and only_skipped and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def shop() -> Shop:
    """Return a shop in which nothing has happened."""
    return Shop()


@pytest.fixture
def scribe(shop: Shop) -> Scribe:
    """Return somebody who swears by the book into the shop's log."""
    return Scribe(shop)
