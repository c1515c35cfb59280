"""Claims about the error tree."""

from __future__ import annotations

import inspect

import pytest

from affiant.kernel import errors


def test_one_root() -> None:
    """Every error of the kernel is an AffiantError, so a caller needs one clause."""
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(item, errors.AffiantError) for item in classes)


def test_the_tree_is_drawn_whole() -> None:
    """The drawing in the module's docstring names every class."""
    drawing = errors.__doc__ or ""
    for name, _ in inspect.getmembers(errors, inspect.isclass):
        assert name in drawing


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (errors.MalformedError("some-reason", "told"), "some-reason"),
        (errors.RegistrationRefused("some-reason", "told", "Do this"), "some-reason"),
        (errors.MandateRefused("SomeRule", "told"), "SomeRule"),
        (errors.CallReverted("SomeError", "(1)"), "SomeError"),
        (errors.InputError("told", "Do this"), "told"),
    ],
)
def test_an_error_says_what_and_what_to_do(error: errors.AffiantError, word: str) -> None:
    """An error's text holds the rule, the message and a remedy."""
    assert word in str(error)
    assert error.message in str(error)
    assert error.remedy in str(error)
    assert error.remedy
