"""Claims about log policies and signed notes beyond the vectors."""

from __future__ import annotations

import base64

import pytest

from affiant.kernel import checkpoint
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key

from .refusals import refused

KEY, OTHER = Ed25519Key(sha256(b"log")), Ed25519Key(sha256(b"other"))
HEAD = Checkpoint("log.example/a", 7, sha256(b"root"))
NOTE = checkpoint.sign_note(HEAD, KEY)
POLICY = LogPolicy("log.example/a", b"s" * 20, (b"v" * 20, b"w" * 20), 1)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def test_a_note_opens_with_its_key_only() -> None:
    """A note opens to its checkpoint with its log's key, and with no other."""
    assert checkpoint.open_note(NOTE, KEY.public) == HEAD
    with refused("bad-note"):
        checkpoint.open_note(NOTE, OTHER.public)


def test_a_note_is_that_of_the_standard() -> None:
    """The note is three lines, an empty line, and an em dash before name and signature."""
    text, line = NOTE.split("\n\n")
    root = base64.b64encode(HEAD.root).decode()
    assert text == f"log.example/a\n7\n{root}"
    assert line.startswith("\u2014 log.example/a ")


def test_signatures_of_others_do_not_matter() -> None:
    """Cosignatures before and after the log's line are passed over, up to a bound."""
    text, line = NOTE.split("\n\n")
    foreign = "\u2014 witness.example/w " + base64.b64encode(bytes(76)).decode() + "\n"
    assert checkpoint.open_note(f"{text}\n\n{foreign * 3}{line}{foreign}", KEY.public) == HEAD
    with refused("bad-note"):
        checkpoint.open_note(f"{text}\n\n{foreign * 64}{line}", KEY.public)


def test_the_signed_text_is_the_note_that_was_read() -> None:
    """A root whose spare base64 bits were changed is not the text that was signed."""
    text, line = NOTE.split("\n\n")
    spare = text[:-2] + ALPHABET[ALPHABET.index(text[-2]) ^ 1] + "="
    assert base64.b64decode(spare[-44:]) == HEAD.root
    with pytest.raises(MalformedError):
        checkpoint.open_note(f"{spare}\n\n{line}", KEY.public)


def test_half_a_surrogate_pair_in_a_note_is_refused() -> None:
    """A note with characters that no bytes stand for is refused, not a crash."""
    with pytest.raises(MalformedError):
        checkpoint.open_note("\ud800" + NOTE, KEY.public)


@pytest.mark.parametrize(
    "other",
    [
        LogPolicy("log.example/b", b"s" * 20, (b"v" * 20, b"w" * 20), 1),
        LogPolicy("log.example/a", b"t" * 20, (b"v" * 20, b"w" * 20), 1),
        LogPolicy("log.example/a", b"s" * 20, (b"v" * 20,), 1),
        LogPolicy("log.example/a", b"s" * 20, (b"v" * 20, b"w" * 20), 2),
    ],
)
def test_the_log_id_binds_everything(other: LogPolicy) -> None:
    """Another origin, signer, witness or threshold is another log."""
    assert other.log_id != POLICY.log_id


def test_the_digest_binds_log_size_and_root() -> None:
    """The EIP-712 digest changes with log id, size and root."""
    digests = {
        HEAD.digest(POLICY.log_id),
        HEAD.digest(bytes(32)),
        Checkpoint(HEAD.origin, 8, HEAD.root).digest(POLICY.log_id),
        Checkpoint(HEAD.origin, 7, bytes(32)).digest(POLICY.log_id),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("log.example/a", b"s" * 21),
        ("log.example/a", b"s" * 20, (b"w" * 21,), 1),
    ],
)
def test_an_address_of_another_length_is_refused(arguments: tuple[str, bytes]) -> None:
    """Signer and witnesses are 20-byte addresses; a longer one would shift what is hashed."""
    with pytest.raises(MalformedError):
        LogPolicy(*arguments)
