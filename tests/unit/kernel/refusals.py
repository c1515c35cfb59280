"""How the tests say that something is refused, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from affiant.kernel.errors import MalformedError, MandateRefused


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """Expect bytes to be refused with this reason."""
    with pytest.raises(MalformedError) as caught:
        yield
    assert caught.value.reason == reason


@contextmanager
def forbidden(rule: str) -> Iterator[None]:
    """Expect an action to be refused by this rule of its mandate."""
    with pytest.raises(MandateRefused) as caught:
        yield
    assert caught.value.rule == rule
