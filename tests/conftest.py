"""Fixtures that several folders share."""

from __future__ import annotations

import pytest

from shop import Scribe, Shop


@pytest.fixture
def shop() -> Shop:
    """Return a shop in which nothing has happened."""
    return Shop()


@pytest.fixture
def scribe(shop: Shop) -> Scribe:
    """Return somebody who swears by the book into the shop's log."""
    return Scribe(shop)
