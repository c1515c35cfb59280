"""The checkpoint: what a log says its tree is, in two forms over the same origin, size and root.

Off chain a C2SP signed note (Ed25519), on chain an EIP-712 `Checkpoint` (secp256k1). Specified in
specs/log.md. The log's id binds its origin, ledger signer, witnesses and threshold.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from affiant.kernel.encoding import keccak256, sha256, word
from affiant.kernel.errors import MalformedError
from affiant.kernel.identity import Ed25519Key, PublicKey

_DOMAIN_TYPE = b"EIP712Domain(string name,string version)"
_DOMAIN = keccak256(
    keccak256(_DOMAIN_TYPE) + keccak256(b"Affiant Log") + keccak256(b"1"),
)
_CHECKPOINT_TYPE = b"Checkpoint(bytes32 logId,uint64 size,bytes32 root)"
_ED25519_NOTE = b"\x01"


@dataclass(frozen=True)
class LogPolicy:
    """Who speaks for a log on chain: its origin, signer's address, witnesses, and how many."""

    origin: str
    signer: bytes
    witnesses: tuple[bytes, ...] = ()
    threshold: int = 0

    def __post_init__(self) -> None:
        if any(char.isspace() for char in self.origin) or not self.origin or "+" in self.origin:
            raise MalformedError("bad-origin", f"{self.origin!r} is empty or holds space or plus")
        if list(self.witnesses) != sorted(set(self.witnesses)):
            raise MalformedError("bad-policy", "witnesses are not strictly ascending")
        if {len(address) for address in (self.signer, *self.witnesses)} != {20}:
            raise MalformedError("bad-policy", "an address does not have 20 bytes")
        if not 0 <= self.threshold <= len(self.witnesses):
            raise MalformedError("bad-policy", f"threshold {self.threshold} cannot be met")

    @property
    def origin_hash(self) -> bytes:
        """SHA-256 of the origin, as the chain holds it."""
        return sha256(self.origin.encode())

    @property
    def log_id(self) -> bytes:
        """keccak256(abi.encode(originHash, signer, witnesses, threshold))."""
        head = [self.origin_hash, word(self.signer), word(4 * 32), word(self.threshold)]
        tail = [word(len(self.witnesses)), *map(word, self.witnesses)]
        return keccak256(b"".join(head + tail))


@dataclass(frozen=True)
class Checkpoint:
    """Origin, size and root of a log at one moment."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text: three lines, no extensions."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def digest(self, log_id: bytes) -> bytes:
        """Return the EIP-712 digest that the log's signer and witnesses sign for the chain."""
        struct = keccak256(keccak256(_CHECKPOINT_TYPE) + log_id + word(self.size) + self.root)
        return keccak256(b"\x19\x01" + _DOMAIN + struct)


def sign_note(checkpoint: Checkpoint, key: Ed25519Key) -> str:
    """Return the checkpoint as a C2SP signed note."""
    text = checkpoint.text
    blob = note_key_id(checkpoint.origin, key.public) + key.sign(text.encode())
    return f"{text}\n\u2014 {checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def open_note(note: str, key: PublicKey) -> Checkpoint:
    """Read a signed note and check the log's own signature on it.

    Raises:
        MalformedError: `bad-note` or `bad-signature`.
    """
    if not note.isascii():
        try:
            note.encode()
        except UnicodeEncodeError as error:
            raise MalformedError("bad-note", "half a surrogate pair is no text") from error
    text, gap, lines = note.partition("\n\n")
    fields = text.split("\n")
    if not gap or len(fields) != 3 or not note.endswith("\n"):
        raise MalformedError("bad-note", "not three lines, an empty line and signatures")
    origin, size, root = fields[0], fields[1], _base64(fields[2])
    if not (size.isascii() and size.isdigit() and len(size) < 20 and size == str(int(size))):
        raise MalformedError("bad-note", f"size {size!r:.40} is not a plain number")
    if len(root) != 32:
        raise MalformedError("bad-note", f"root has {len(root)} bytes, not 32")
    checkpoint = Checkpoint(origin, int(size), root)
    if checkpoint.text != f"{text}\n":
        raise MalformedError("bad-note", "the root is not in the one form of its bytes")
    wanted = note_key_id(origin, key)
    for line in lines[:-1].split("\n")[:64]:
        prefix = f"\u2014 {origin} "
        blob = _base64(line.removeprefix(prefix)) if line.startswith(prefix) else b""
        if blob[:4] == wanted:
            key.verify(checkpoint.text.encode(), blob[4:])
            return checkpoint
    raise MalformedError("bad-note", f"no signature by {origin} with key {wanted.hex()}")


def note_key_id(name: str, key: PublicKey) -> bytes:
    """Return the four-byte key id of a note signature: SHA-256(name, newline, type, key)[:4]."""
    return sha256(name.encode() + b"\n" + _ED25519_NOTE + key.raw)[:4]


def verifier_key(name: str, key: PublicKey) -> str:
    """Return the C2SP vkey by which note verifiers know the log."""
    encoded = base64.b64encode(_ED25519_NOTE + key.raw).decode()
    return f"{name}+{note_key_id(name, key).hex()}+{encoded}"


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("bad-note", f"{text!r:.80} is not base64") from error
