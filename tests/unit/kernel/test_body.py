"""Claims about bodies beyond the vectors."""

from __future__ import annotations

from typing import Any

import pytest

from affiant.kernel import body
from affiant.kernel.body import Body, Kind, Reference
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError

from .refusals import refused

AT = "2027-01-15T08:00:00Z"
SALT = bytes(16)
KIND = Kind("example/note/v1", {"note": body.text})
KINDS = {KIND.name: KIND}
NOTE = Body(KIND.name, AT, SALT, {"note": "x"})


def test_a_body_goes_there_and_back() -> None:
    """A body decodes to what was encoded, lineage included, and its digest is of its bytes."""
    said = Body(KIND.name, AT, SALT, {"note": "\u00fc"}, (Reference(b"l" * 32, b"f" * 32),))
    assert body.decode(said.encoded, KINDS) == said
    assert said.digest == sha256(said.encoded)


def test_a_vertical_brings_its_kinds() -> None:
    """A kind is known only to a log that was given it."""
    body.check(NOTE, KINDS)
    with refused("unknown-kind"):
        body.check(NOTE, body.CORE_KINDS)


def test_lineage_is_bounded() -> None:
    """A body names at most 1,024 earlier statements."""
    reference = Reference(b"l" * 32, b"f" * 32)
    many = Body(KIND.name, AT, SALT, {"note": ""}, (reference,) * 1024)
    assert len(body.decode(many.encoded, KINDS).because) == 1024
    more = Body(KIND.name, AT, SALT, {"note": ""}, (reference,) * 1025)
    with refused("bad-body"):
        body.decode(more.encoded, KINDS)


def test_length_is_bounded() -> None:
    """A body has at most 1 MiB, and a longer one is refused before it is read."""
    frame = len(NOTE.encoded) - 1
    longest = Body(KIND.name, AT, SALT, {"note": "x" * (body.MAX_LENGTH - frame)})
    assert len(longest.encoded) == body.MAX_LENGTH
    body.decode(longest.encoded, KINDS)
    with refused("too-long"):
        body.decode(longest.encoded + b"\xff", KINDS)


def test_a_moment_is_in_the_form_of_at() -> None:
    """Seconds become the form of `at`, which is accepted."""
    assert body.moment(1_800_000_000) == AT
    body.check(Body(KIND.name, body.moment(0), SALT, {"note": ""}), KINDS)


@pytest.mark.parametrize(
    "at",
    [
        "2027-01-15T08:00:00z",
        "2027-01-15 08:00:00Z",
        "2027-1-15T08:00:00Z",
        "2027-13-01T08:00:00Z",
        "2027-01-15T24:00:00Z",
        "2027-01-15T08:00:60Z",
        "0000-01-15T08:00:00Z",
        "2027-01-15T08:00:00Z\n",
        "",
        None,
        {"a": 1},
    ],
)
def test_another_time_is_refused(at: Any) -> None:
    """A time in any other form, or that no calendar has, is refused."""
    with refused("bad-time"):
        body.check(Body(KIND.name, at, SALT, {"note": ""}), KINDS)


def test_a_time_in_other_digits_is_refused() -> None:
    """The digits of a time are 0 to 9, so that it has one form."""
    with refused("bad-time"):
        body.check(
            Body(KIND.name, "\uff12\uff10\uff12\uff17-01-15T08:00:00Z", SALT, {"note": ""}), KINDS
        )


@pytest.mark.parametrize("number", ["0", "-1", "10", "0.5", "-0.05", "123.456", "1" * 80])
def test_a_decimal_number_is_accepted(number: str) -> None:
    """A decimal number as text has no needless zeros."""
    assert body.decimal(number) == number


@pytest.mark.parametrize(
    "number",
    ["", "-", "-0", "00", "01", "1.", ".5", "1.0", "1.50", "+1", "1e3", "1 ", "1\n", 1, 0.5],
)
def test_another_number_is_refused(number: object) -> None:
    """A decimal number in any other form is refused."""
    with refused("bad-content"):
        body.decimal(number)


@pytest.mark.parametrize("number", ["1\u0663", "0.\u06635", "1\uff10"])
def test_a_number_in_other_digits_is_refused(number: str) -> None:
    """The digits of a decimal number are 0 to 9, so that it has one form."""
    with refused("bad-content"):
        body.decimal(number)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (body.text, "", None),
        (body.integer, 0, False),
        (body.integer, -(2**53) + 1, 1.0),
        (body.digest, "0x" + "ab" * 32, "0x" + "ab" * 31),
        (body.address, "0x" + "ab" * 20, "0x" + "AB" * 20),
        (body.optional(body.text), None, 1),
        (body.optional(body.text), "x", []),
        (body.several(body.integer), [1, 2], [1, "2"]),
        (body.several(body.integer), [], {}),
        (body.several(body.integer), [], "12"),
        (body.mapping(body.text), {"a": "b"}, {"a": 1}),
        (body.mapping(body.text), {}, []),
        (body.record({"a": body.text}), {"a": ""}, {"a": "", "b": ""}),
        (body.record({"a": body.text}), {"a": ""}, []),
    ],
)
def test_a_field_has_its_form(check: body.Check, good: object, bad: object) -> None:
    """Each form of a field accepts its own and refuses its neighbour."""
    check(good)
    with pytest.raises(MalformedError):
        check(bad)


def test_every_core_kind_is_named_by_itself() -> None:
    """A kind is found by its own name, which names Affiant and a version."""
    for name, kind in body.CORE_KINDS.items():
        assert name == kind.name
        assert name.startswith("affiant/")
        assert name.endswith("/v1")
