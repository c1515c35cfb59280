"""Claims about the bytes that the kernel makes and reads."""

from __future__ import annotations

import subprocess
import sys

import cbor2
import pytest

from affiant.kernel import encoding
from affiant.kernel.errors import MalformedError

from .refusals import refused


def test_digests_are_the_published_ones() -> None:
    """SHA-256 and keccak256 of the empty string are the well-known digests."""
    sha = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    keccak = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert encoding.sha256(b"").hex() == sha
    assert encoding.keccak256(b"").hex() == keccak


def test_words_are_right_aligned() -> None:
    """A word is 32 bytes with its value at the right end."""
    assert encoding.word(258) == bytes(30) + b"\x01\x02"
    assert encoding.word(b"\xaa" * 20) == bytes(12) + b"\xaa" * 20


@pytest.mark.parametrize("value", [-1, 1 << 256])
def test_a_number_that_fits_no_word_is_refused(value: int) -> None:
    """Negative and larger numbers have no word."""
    with pytest.raises(OverflowError):
        encoding.word(value)


def test_hex_goes_there_and_back() -> None:
    """Hexadecimal is lower case with 0x, and reads back."""
    assert encoding.to_hex(b"\xab\x01") == "0xab01"
    assert encoding.from_hex("0xab01", 2) == b"\xab\x01"
    assert encoding.from_hex("0x") == b""


@pytest.mark.parametrize("text", ["ab", "0xA0", "0xabc", "0x ab", "0xab\n", "", "0X00", None, 7])
def test_other_hex_is_refused(text: object) -> None:
    """Hexadecimal in any other form is refused."""
    with refused("not-hex"):
        encoding.from_hex(text)


def test_hex_of_another_length_is_refused() -> None:
    """A length that was asked for is held to."""
    with refused("wrong-length"):
        encoding.from_hex("0xab", 2)


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 5, b"\xfb\xef\xbe", bytes(range(256))])
def test_base64url_goes_there_and_back(data: bytes) -> None:
    """Unpadded base64url reads back, and holds neither padding nor the plain alphabet."""
    text = encoding.b64url(data)
    assert encoding.from_b64url(text) == data
    assert not set(text) & set("+/=")


@pytest.mark.parametrize(
    "text", ["AA==", "AB", "A", "++", "A A", "A\n", "\u00e4\u00e4", None, b"AA"]
)
def test_other_base64url_is_refused(text: object) -> None:
    """Padding, spare bits, other characters and impossible lengths are refused."""
    with refused("not-base64url"):
        encoding.from_b64url(text)


# RFC 8949 appendix A, the examples that are deterministic encodings.
RFC_8949 = {
    "00": 0,
    "17": 23,
    "1818": 24,
    "1903e8": 1000,
    "1bffffffffffffffff": 18446744073709551615,
    "c249010000000000000000": 18446744073709551616,
    "3903e7": -1000,
    "f90000": 0.0,
    "fb3ff199999999999a": 1.1,
    "f97bff": 65504.0,
    "fa47c35000": 100000.0,
    "f4": False,
    "f6": None,
    "4401020304": b"\1\2\3\4",
    "6449455446": "IETF",
    "62c3bc": "\u00fc",
    "8301820203820405": [1, [2, 3], [4, 5]],
    "a26161016162820203": {"a": 1, "b": [2, 3]},
}


@pytest.mark.parametrize(("data", "value"), RFC_8949.items())
def test_cbor_is_that_of_the_rfc(data: str, value: object) -> None:
    """The deterministic examples of RFC 8949 appendix A encode and decode."""
    assert encoding.cbor_encode(value).hex() == data
    assert encoding.cbor_decode(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "not-cbor"),
        ("1817", "not-deterministic"),
        ("190017", "not-deterministic"),
        ("5800", "not-deterministic"),
        ("c24100", "not-deterministic"),
        ("fb0000000000000000", "not-deterministic"),
        ("a2020101ff", "not-cbor"),
        ("a202010101", "not-deterministic"),
        ("a201010102", "duplicate-key"),
        ("9f01ff", "not-cbor"),
        ("5f4101ff", "not-cbor"),
        ("bfff", "not-cbor"),
        ("0000", "trailing-byte"),
        ("1c", "not-cbor"),
        ("61ff", "not-cbor"),
        ("5b7fffffffffffffff", "not-cbor"),
        ("9b00000000ffffffff", "not-cbor"),
        ("d81c81d81d00", "not-deterministic"),
        ("81" * 100_000 + "00", "not-cbor"),
    ],
)
def test_other_cbor_is_refused(data: str, reason: str) -> None:
    """CBOR in any other encoding is refused by name, however large it claims to be."""
    with refused(reason):
        encoding.cbor_decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    "labels", [(1, 3, 4, 15), (1, 2, 6), (1, 4, 15, 395), (394,), (396,), (1, -1, -2, -3)]
)
def test_map_keys_sort_by_bytes(labels: tuple[int, ...]) -> None:
    """The labels of our formats stand in the order of RFC 8949 section 4.2.1: by their bytes."""
    data = encoding.cbor_encode(dict.fromkeys(reversed(labels), 0))
    keys = sorted(encoding.cbor_encode(label) for label in labels)
    assert data[1:] == b"".join(key + b"\0" for key in keys)


def test_cose_sign1_goes_there_and_back() -> None:
    """A COSE_Sign1 is tag 18 around four items, and reads back."""
    data = encoding.cose_encode(b"h", {}, b"p", b"s")
    assert data.hex() == "d2844168a041704173"
    assert encoding.cose_decode(data) == (b"h", {}, b"p", b"s")
    assert encoding.cose_decode(encoding.cose_encode(b"", {1: 2}, None, b""))[2] is None


@pytest.mark.parametrize(
    "item",
    [
        [b"h", {}, b"p", b"s"],
        cbor2.CBORTag(17, [b"h", {}, b"p", b"s"]),
        cbor2.CBORTag(18, [b"h", {}, b"p"]),
        cbor2.CBORTag(18, {1: 2, 3: 4, 5: 6, 7: 8}),
        cbor2.CBORTag(18, ["h", {}, b"p", b"s"]),
        cbor2.CBORTag(18, [b"h", [], b"p", b"s"]),
        cbor2.CBORTag(18, [b"h", {}, 1, b"s"]),
        cbor2.CBORTag(18, [b"h", {}, b"p", None]),
        18,
    ],
)
def test_other_cose_is_refused(item: object) -> None:
    """Whatever is not tag 18 around header, map, payload and signature is refused."""
    with refused("not-cose-sign1"):
        encoding.cose_decode(encoding.cbor_encode(item))


@pytest.mark.parametrize("value", [{1: 2}, b"x", float("nan"), 1 << 53, {"a": {1}}, "\ud800"])
def test_json_that_cannot_be_written_is_refused(value: object) -> None:
    """What JSON cannot hold exactly is refused, never rounded."""
    with refused("not-json"):
        encoding.jcs_encode(value)


def test_half_a_surrogate_pair_as_a_name_is_refused() -> None:
    """A name that is no text is refused, as a value that is no text is."""
    with refused("not-json"):
        encoding.jcs_encode({"\ud800": 1, "a": 2})
    with refused("not-json"):
        encoding.jcs_decode(b'{"\\ud800":1,"a":2}')


@pytest.mark.parametrize("digits", [b"9007199254740993", b"-9007199254740993", b"1" * 30])
def test_an_integer_that_is_no_double_is_refused(digits: bytes) -> None:
    """An integer that a double would round is refused."""
    with pytest.raises(MalformedError):
        encoding.jcs_decode(digits)


@pytest.mark.parametrize("number", [2.0**53, 1e20, 123456789012345680000.0])
def test_a_large_number_is_read_if_it_is_written(number: float) -> None:
    """Whatever canonical JSON the kernel writes, it reads; else both must refuse."""
    try:
        data = encoding.jcs_encode(number)
    except MalformedError:
        return
    assert encoding.jcs_decode(data) == number


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """JSON of 64 levels is read and of 65 is not, whatever the interpreter's own limit is."""
    deepest = opening * 63 + "[]" + closing * 63
    assert encoding.jcs_encode(encoding.jcs_decode(deepest.encode())) == deepest.encode()
    with refused("not-json"):
        encoding.jcs_decode((opening * 64 + "[]" + closing * 64).encode())


def test_brackets_in_text_are_no_nesting() -> None:
    """Text may hold any number of brackets and escaped quotes."""
    data = encoding.jcs_encode(['\\"' + "[{" * 100, {"[" * 100: 0}])
    assert encoding.jcs_encode(encoding.jcs_decode(data)) == data


def test_deep_nesting_does_not_kill_the_process() -> None:
    """With the recursion limit that web3 sets (100,000), deep JSON is refused, not a crash."""
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from affiant.kernel.encoding import jcs_decode\n"
        "from affiant.kernel.errors import MalformedError\n"
        "try: jcs_decode(b'[' * 99_000 + b']' * 99_000)\n"
        "except MalformedError: print('refused')"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (0, b"refused\n")
