"""The keys of a house: one file each, readable by its owner only."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from affiant.apps.home import Home
from affiant.kernel.errors import InputError, IntegrityError
from affiant.kernel.identity import Ed25519Key, LedgerKey, PublicKey

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1

_NAME = re.compile(r"\w[\w .,'-]{0,99}")


class KeyFolder:
    """Makes a key when it is first asked for, and returns the same ever after."""

    def __init__(self, folder: Path, home: Home) -> None:
        self._folder = folder
        self._home = home
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            told = f"{folder} cannot be used as the folder of keys: {error.strerror}"
            raise IntegrityError(told, "Move away what stands in its place") from error

    def has(self, name: str) -> bool:
        """Tell whether there is a secp256k1 key of that name."""
        return bool(_NAME.fullmatch(name)) and (self._folder / f"{name}.secp256k1").is_file()

    def ledger(self, name: str) -> LedgerKey:
        """Return the secp256k1 key of that name."""
        key = LedgerKey(self._secret(f"{name}.secp256k1"))
        self._settle(f"{name}.secp256k1", key.public)
        return key

    def ed25519(self, name: str) -> Ed25519Key:
        """Return the Ed25519 key of that name."""
        key = Ed25519Key(self._secret(f"{name}.ed25519"))
        self._settle(f"{name}.ed25519", key.public)
        return key

    def _settle(self, name: str, public: PublicKey) -> None:
        self._home.settle(f"key {name}", public.did, f"key {name} was {{held}}, now is another")

    def _secret(self, name: str) -> bytes:
        if not _NAME.fullmatch(name):
            told = f"{name!r:.80} cannot be a key's name: it is one of a file"
            raise InputError(told, "Use letters, digits, blanks and .,'_-, a letter or digit first")
        path = self._folder / name
        try:
            if not path.exists():
                if self._home.fact(f"key {name}") is not None:
                    raise IntegrityError(f"{path} is missing", "Restore it from a backup")
                self._make(path)
            secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise IntegrityError(f"{path} holds no key: {error}", "Restore it") from error
        if len(secret) != 32 or not 0 < int.from_bytes(secret) < _ORDER:
            raise IntegrityError(f"{path} holds no key of 32 bytes", "Restore it from a backup")
        return secret

    def _make(self, path: Path) -> None:
        """Write the key elsewhere first, so that a crash never leaves half a key."""
        draft = path.with_suffix(".new")
        secret = (1 + secrets.randbelow(_ORDER - 1)).to_bytes(32)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
