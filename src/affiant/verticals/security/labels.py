"""Labels: accounts that somebody speaks against. They raise a standing, and suspend nobody.

Labels are often wrong, and wrong ones spread: victims have been listed as attackers, exchanges as
suspects. So a label is association, whoever it comes from, and one about an account that a
principal pinned into the terms is passed over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from affiant.kernel.alert import ASSOCIATION, Finding
from affiant.kernel.encoding import from_hex, to_hex, word
from affiant.kernel.errors import InputError, MalformedError
from affiant.kernel.mandate import Terms
from affiant.verticals.security.sightings import Decided, Sighting

_ADDRESS = ("address", "banned_address", "contract_address")
_LABEL = ("label", "etherscan_tag", "wallet_tag", "contract_tag")
LARGEST = 64 << 20
"""Bytes of a label file."""


@dataclass(frozen=True)
class Labels:
    """Account to what is said of it."""

    told: Mapping[bytes, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Labels:
        """Read a CSV with an address and a label in each row; other columns are passed over.

        Raises:
            InputError: the file cannot be used; the row is named.
        """
        remedy = f"Give a CSV with a column of {_ADDRESS} and one of {_LABEL}"
        try:
            if path.stat().st_size > LARGEST:
                raise InputError(f"{path} has more than {LARGEST >> 20} MiB", remedy)
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                names = rows.fieldnames or ()
                address = next((name for name in _ADDRESS if name in names), None)
                label = next((name for name in _LABEL if name in names), None)
                if address is None or label is None:
                    raise InputError(f"{path} has the columns {', '.join(names)}", remedy)
                told = (_label(row[address], row[label], path, rows.line_num) for row in rows)
                return cls(dict(told))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path} cannot be read: {error}", remedy) from error

    def decided(self, told: Decided, terms: Terms) -> Iterator[Sighting]:
        """Judge whom a decision deals with."""
        for account in told.accounts:
            if account in self.told and not _pinned(account, terms):
                yield from self._labelled(told, account)

    def _labelled(self, told: Decided, account: bytes) -> Iterator[Sighting]:
        reason = f"{to_hex(account)} is labelled {self.told[account]!r:.80}"
        finding = Finding("labelled-account", ASSOCIATION, "ASI07", reason, (told.leaf,))
        for suspect in (told.agent, to_hex(account)):
            yield Sighting(suspect, finding, told.time)


def _pinned(account: bytes, terms: Terms) -> bool:
    return any(word(account) in pin.allowed for rule in terms.rules for pin in rule.pins)


def _label(told: str | None, said: str | None, path: Path, line: int) -> tuple[bytes, str]:
    address, label = (told or "").strip().lower(), (said or "").strip() or path.stem
    try:
        return from_hex(f"0x{address.removeprefix('0x')}", 20), label
    except MalformedError as error:
        raise InputError(
            f"{path}, line {line}: {address!r:.60} is no account",
            "Mend the row: 0x and 40 hexadecimal digits",
        ) from error
