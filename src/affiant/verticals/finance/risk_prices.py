"""A series of prices whose risk is asked for, and the strict reader of its file.

The reader refuses rather than repairs: a price filled in is a change that never was.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from affiant.kernel.errors import InputError
from affiant.verticals.finance.coverage import Floats

#: Changes before the first forecast, and forecasts that must be tested after it: with fewer, 1 % of
#: them is not even three.
FIRST, LEAST_TESTED = 500, 250
#: Squares of larger changes, and their sums, may leave the range of a float.
LARGEST = 1e100
#: A gap this many times the usual step between dates is told.
WIDE = 20


@dataclass(frozen=True)
class Prices:
    """A series of prices, one for each period; checked when it is made.

    Raises: InputError if a price is not finite, a change too large, dates do not increase, or there
    are too few.
    """

    name: str
    dates: tuple[str, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what no model should see."""
        if len(self.dates) != len(self.values):
            counts = f"{len(self.dates)} dates but {len(self.values)} prices"
            raise InputError(f"{self.name}: {counts}", "Give one price for each date")
        if len(self.values) < 2:
            told = f"{self.name}: {len(self.values)} prices have no change between them"
            raise InputError(told, "Give a price for each period")
        for day, value in zip(self.dates, self.values, strict=True):
            if not math.isfinite(value):
                remedy = "Leave a period without a price out; fill nothing in"
                raise InputError(f"{self.name}: the price of {day} is {value}", remedy)
        self._check_order()
        if not (abs(self.changes) < LARGEST).all():
            raise InputError(f"{self.name}: a change is too large", "Give prices in a larger unit")

    @property
    def is_positive(self) -> bool:
        """Whether each price has a logarithm."""
        return min(self.values) > 0

    @property
    def changes(self) -> Floats:
        """The changes from each period to the next."""
        values = np.array(self.values)
        with np.errstate(over="ignore"):
            return 100 * np.diff(np.log(values)) if self.is_positive else np.diff(values)

    @property
    def gap(self) -> str | None:
        """The widest gap, if it is far wider than usual."""
        moments = [_moment(self.name, day) for day in self.dates]
        steps = [(after - before).total_seconds() for before, after in pairwise(moments)]
        if max(steps) <= WIDE * median(steps):
            return None
        place = steps.index(max(steps))
        return f"nothing between {self.dates[place]} and {self.dates[place + 1]}"

    def check_testable(self) -> None:
        """Refuse a series too short to learn from and to test on. Raises: InputError."""
        least = FIRST + LEAST_TESTED + 1
        if len(self.values) < least:
            told = f"{self.name}: {len(self.values)} prices are too few"
            remedy = f"Give {least}: {FIRST} to learn from, {LEAST_TESTED} to test on"
            raise InputError(told, remedy)

    def _check_order(self) -> None:
        for before, after in pairwise(self.dates):
            try:
                rises = _moment(self.name, before) < _moment(self.name, after)
            except TypeError as error:
                told = f"{self.name}: of {before} and {after} one has a time zone"
                raise InputError(told, "Give all dates with time zone, or none") from error
            if not rises:
                told = f"{self.name}: {after} comes after {before}"
                raise InputError(told, "Sort by date, and give each date once")


def read_prices(path: str | Path, column: str | None = None) -> Prices:
    """Read a CSV file with a header: dates in the first column, prices in another.

    `column` names it; without, there must be only one. Raises: InputError naming file and line.
    """
    rows = _rows(Path(path))
    _, header = next(rows, (1, []))
    place = _column(path, header, column)
    dates, values = [], []
    for line, cells in rows:
        if len(cells) != len(header):
            told = f"{path}, line {line}: {len(cells)} values under {len(header)} columns"
            raise InputError(told, "Give one value per column")
        try:
            values.append(float(cells[place]))
        except ValueError as error:
            told = f"{path}, line {line}: {cells[place]!r} is not a price"
            raise InputError(told, "Leave a period without a price out; fill nothing in") from error
        _moment(f"{path}, line {line}", cells[0])
        dates.append(cells[0])
    return Prices(Path(path).stem, tuple(dates), tuple(values))


def read_table(path: str | Path) -> dict[str, Prices]:
    """Read every column of prices of a CSV file, by name. Raises: as `read_prices`."""
    _, header = next(_rows(Path(path)), (1, []))
    if len(header) < 2:
        raise InputError(f"{path} has no column of prices", "Give dates, and prices beside them")
    return {name: read_prices(path, name) for name in header[1:]}


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, with their numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file", "Check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})", "Give a CSV file in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        told = f"{path}, line {reader.line_num}: not comma-separated values ({error})"
        raise InputError(told, "Check the quotes of this line") from error


def _column(path: str | Path, header: Sequence[str], column: str | None) -> int:
    """Return the place of the prices."""
    named = ", ".join(header[1:]) or "none"
    if column is None and len(header) != 2:
        told = f"{path}: there is not one column of prices beside the dates, but {named}"
        raise InputError(told, "Choose one with --column")
    if column is not None and header[1:].count(column) != 1:
        told = f"{path}: there is not one column {column!r} beside the dates"
        raise InputError(told, f"Choose one of: {named}")
    return 1 if column is None else header.index(column, 1)


def _moment(where: str, text: str) -> datetime:
    """Return a date as a time. Raises: InputError if it is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "Write 2020-04-20 or 2020-04-20 14:05"
        raise InputError(f"{where}: {text!r} is not a date", remedy) from error
