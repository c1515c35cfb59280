"""What was sold, per item and period: the strict reader of sales files.

A sales file is comma-separated UTF-8 text whose first line names its columns: `item`, `period`,
`quantity`, and optionally `lead_time` (whole periods from order to arrival) and `unit_price`. A
period is a month (`2025-03`), an ISO week (`2025-W09`) or a day (`2025-03-01`): one kind per file.

The reader refuses rather than repairs: a missing period is an error, never a zero, because a gap
filled in silently changes every order that follows. Each refusal names file, line and column.
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from affiant.kernel.errors import InputError
from affiant.verticals.supply.air_passengers import FIRST_PERIOD, MONTHLY_TOTALS

#: Periods after which demand repeats itself (52 for weeks: a 53rd week shifts the season by one).
SEASONS = {"month": 12, "week": 52, "day": 7}
#: The longest lead time accepted, in seasons: beyond it a seasonal forecast says nothing.
MAX_LEAD_SEASONS = 10
#: The largest quantity accepted: sums and products of such numbers stay exact enough in a float.
MAX_QUANTITY = 1e12
#: Used when a file has no `unit_price`; budgets are then counted in units, not in money.
DEFAULT_UNIT_PRICE = Decimal(1)
#: An assumption, not history: a round price for a thousand seats, in any currency.
AIR_PASSENGERS_UNIT_PRICE = Decimal(100)

_REQUIRED = ("item", "period", "quantity")
_OPTIONAL = ("lead_time", "unit_price")
_COLUMNS = "item, period, quantity and, if wanted, lead_time, unit_price"
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,6}")
_PRICE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,6})?")  # decimals: those of the token
_MONTH, _WEEK = re.compile(r"([0-9]{4})-([0-9]{2})"), re.compile(r"([0-9]{4})-W([0-9]{2})")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_PERIOD = {"month": _MONTH, "week": _WEEK, "day": _DAY}


@dataclass(frozen=True)
class Demand:
    """The demand for one item over consecutive periods; checked when it is made.

    `quantities[i]` units were asked for in `periods[i]`. `lead_time` is in periods, `unit_price`
    in money per unit. Raises: InputError if the parts do not fit together.
    """

    item: str
    first_period: str
    periods: tuple[str, ...]
    quantities: tuple[float, ...]
    lead_time: int = 1
    unit_price: Decimal = DEFAULT_UNIT_PRICE

    def __post_init__(self) -> None:
        """Refuse parts that contradict each other."""
        if not self.periods or self.first_period != self.periods[0]:
            self._refuse("first_period is not the first of its periods", "Give the same period")
        if len(self.periods) != len(self.quantities):
            counts = f"{len(self.periods)} periods but {len(self.quantities)} quantities"
            self._refuse(counts, "Give one quantity for each period")
        kind, first = _place_of(self.first_period)
        for step, period in enumerate(self.periods):
            if _place_of(period) != (kind, first + step):
                self._refuse(f"period {period!r} does not follow the one before", "Close the gap")
        for period, quantity in zip(self.periods, self.quantities, strict=True):
            if not 0 <= quantity <= MAX_QUANTITY:
                limit = f"Give a number from 0 to {MAX_QUANTITY:.0e}"
                self._refuse(f"quantity {quantity} in {period} is out of range", limit)
        if not 1 <= self.lead_time <= MAX_LEAD_SEASONS * self.season:
            limit = f"Give whole periods from 1 to {MAX_LEAD_SEASONS * self.season}"
            self._refuse(f"lead_time {self.lead_time} is out of range", limit)
        if not (self.unit_price.is_finite() and self.unit_price > 0):
            self._refuse(f"unit_price {self.unit_price} is not above 0", "Give the price of a unit")

    @property
    def season(self) -> int:
        """The number of periods after which demand repeats itself."""
        return SEASONS[period_kind(self.first_period)]

    def index(self, period: str) -> int:
        """Return the position of `period`. Raises: InputError if it is not there."""
        if period not in self.periods:
            self._refuse(
                f"has no period {shown(period)}",
                f"Choose one from {self.periods[0]} to {self.periods[-1]}",
            )
        return self.periods.index(period)

    def _refuse(self, fault: str, remedy: str) -> NoReturn:
        raise InputError(f"item {shown(self.item)}: {fault}", remedy)


def period_kind(period: str) -> str:
    """Return "month", "week" or "day". Raises: InputError if `period` is none of them."""
    return _place_of(period)[0]


def next_period(period: str, steps: int = 1) -> str:
    """Return the period `steps` after this one (before it, if negative), of the same kind.

    Raises: InputError if `period` is malformed, or the years 1 to 9999 are left.
    """
    kind, ordinal = _place_of(period)
    try:
        return _period_at(kind, ordinal + steps)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{steps} periods from {period} is outside the calendar",
            "Use periods in the years 1 to 9999",
        ) from error


def air_passengers() -> Demand:
    """Return the airline series as demand for seats, which must be provided a month ahead.

    144 months in thousands; see `air_passengers.py`. Passengers carried stand for seats wanted.
    """
    quantities = tuple(float(total) for year in MONTHLY_TOTALS for total in year)
    periods = tuple(next_period(FIRST_PERIOD, step) for step in range(len(quantities)))
    return Demand(
        "seats, thousands", FIRST_PERIOD, periods, quantities, 1, AIR_PASSENGERS_UNIT_PRICE
    )


def read_sales(path: str | Path) -> list[Demand]:
    """Read a sales file: one Demand per item, in the order of their names.

    Raises: InputError if the file cannot be read, or as `parse_sales` does.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file", "Check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{shown(str(path))}: cannot be read ({error})", "Give the path of a readable file"
        ) from error
    return parse_sales(data, str(path))


def parse_sales(data: bytes, source: str) -> list[Demand]:
    """Parse the bytes of a sales file, so that exactly what was parsed can be hashed.

    `source` names the file in errors. A byte order mark is ignored, and so are blank lines, the
    order of the rows and spaces around a value.
    Raises: InputError naming file, line and column, for anything but what this module describes.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{source}, line {line}: not UTF-8 text", "Save the file as CSV in UTF-8"
        ) from error
    table = _Table(source, text)
    rows: dict[str, dict[int, _Row]] = {}
    first = None
    for row in table.rows():
        first = first or row
        if row.kind != first.kind:
            table.refuse(
                f"{row.period} is a {row.kind}, but line {first.line} has a {first.kind}",
                "Use one kind of period in a file",
                row.line,
                "period",
            )
        same = rows.setdefault(row.item, {})
        if row.ordinal in same:
            table.refuse(
                f"{row.period} of item {shown(row.item)} is already on line "
                f"{same[row.ordinal].line}",
                "Keep one row per item and period; add up the quantities if both are sales",
                row.line,
                "period",
            )
        same[row.ordinal] = row
    if not rows:
        table.refuse("there are no rows below the header", "Add one row per item and period")
    return [
        _demand_of(table, sorted(rows[item].values(), key=lambda row: row.ordinal))
        for item in sorted(rows)
    ]


@dataclass(frozen=True)
class _Row:
    """One checked line of a sales file."""

    line: int
    item: str
    period: str
    kind: str
    ordinal: int
    quantity: float
    lead_time: int
    unit_price: Decimal


class _Table:
    """The lines of one file, and the refusals that name them."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self._lines = self._cells(text)
        self._header: list[str] = []

    def refuse(
        self, fault: str, remedy: str, line: int | None = None, column: str | None = None
    ) -> NoReturn:
        """Raise the InputError that says where the fault is."""
        where = self.source if line is None else f"{self.source}, line {line}"
        if column is not None:
            where += f", column {column}"
        raise InputError(f"{where}: {fault}", remedy)

    def rows(self) -> Iterator[_Row]:
        """Yield the checked rows below the header."""
        line, header = next(self._lines, (1, []))
        if not header:
            self.refuse("the file is empty", f"Give a header line: {_COLUMNS}")
        for name in header:
            if name not in _REQUIRED + _OPTIONAL:
                self.refuse(
                    f"unknown column {shown(name)}",
                    f"Separate columns by commas and name them {_COLUMNS}",
                    line,
                    shown(name),
                )
            if header.count(name) > 1:
                self.refuse("the column is there twice", "Keep one of them", line, name)
        for name in _REQUIRED:
            if name not in header:
                self.refuse("the column is missing", f"Give the columns {_COLUMNS}", line, name)
        for line, cells in self._lines:
            if len(cells) != len(header):
                self.refuse(
                    f"{len(cells)} values where the header has {len(header)} columns",
                    "Give one value per column; put a value that contains a comma in quotes",
                    line,
                )
            yield self._row(line, dict(zip(header, cells, strict=True)))

    def _cells(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """Yield each line that is not blank, with the number it starts on."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        line = 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, [cell.strip() for cell in cells]
                line = reader.line_num + 1
        except csv.Error as error:
            self.refuse(
                f"not comma-separated values ({error})",
                "Check the quotes around the values of this line",
                line,
            )

    def _row(self, line: int, cell: dict[str, str]) -> _Row:
        """Check the values of one line."""
        item = cell["item"]
        if not item or not item.isprintable():
            self.refuse(
                f"{shown(item)} does not name an item", "Give a printable name", line, "item"
            )
        try:
            kind, ordinal = _place_of(cell["period"])
        except InputError as error:
            self.refuse(error.message, error.remedy, line, "period")
        lead_time, unit_price = cell.get("lead_time", "1"), cell.get("unit_price")
        most = MAX_LEAD_SEASONS * SEASONS[kind]
        if not _WHOLE.fullmatch(lead_time) or not 1 <= int(lead_time) <= most:
            self.refuse(
                f"{shown(lead_time)} is not a lead time",
                f"Give whole periods from 1 to {most}",
                line,
                "lead_time",
            )
        price = DEFAULT_UNIT_PRICE
        if unit_price is not None:
            price = Decimal(unit_price) if _PRICE.fullmatch(unit_price) else Decimal(0)
            if price <= 0:
                self.refuse(
                    f"{shown(unit_price)} is not a price",
                    "Give a number above 0 such as 12.50, without currency or thousands separator",
                    line,
                    "unit_price",
                )
        quantity = self._quantity(line, cell["quantity"])
        return _Row(line, item, cell["period"], kind, ordinal, quantity, int(lead_time), price)

    def _quantity(self, line: int, text: str) -> float:
        """Check one quantity."""
        remedy = "Give a number such as 120 or 7.5, without thousands separator or unit"
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if _NOT_FINITE.fullmatch(text) or math.isinf(number):
            self.refuse(f"{shown(text)} is not finite", remedy, line, "quantity")
        if math.isnan(number):
            self.refuse(f"{shown(text)} is not a number", remedy, line, "quantity")
        if number < 0:
            returns = "Give what was asked for, 0 or more; leave returns out"
            self.refuse(f"{shown(text)} is negative", returns, line, "quantity")
        if number > MAX_QUANTITY:
            unit = f"Give at most {MAX_QUANTITY:.0e}; use a larger unit"
            self.refuse(f"{shown(text)} is too large", unit, line, "quantity")
        return abs(number)


def _demand_of(table: _Table, rows: list[_Row]) -> Demand:
    """Join the rows of one item, which are in the order of their periods."""
    first = rows[0]
    name = shown(first.item)
    for before, row in pairwise(rows):
        if row.ordinal != before.ordinal + 1:
            table.refuse(
                f"item {name} has no row for {next_period(before.period)}; "
                f"line {before.line} has {before.period} and the next is {row.period}",
                "Add the missing periods, with quantity 0 where nothing was asked for",
                row.line,
                "period",
            )
    for row in rows:
        for column, here, there in (
            ("lead_time", row.lead_time, first.lead_time),
            ("unit_price", row.unit_price, first.unit_price),
        ):
            if here != there:
                table.refuse(
                    f"item {name} has {here} here but {there} on line {first.line}",
                    "Give an item the same value on each of its lines",
                    row.line,
                    column,
                )
    season = SEASONS[first.kind]
    least = 2 * season + first.lead_time
    if len(rows) < least:
        table.refuse(
            f"item {name} has {len(rows)} {first.kind}s of the {least} needed "
            f"(two seasons of {season}, and the lead time of {first.lead_time})",
            "Add earlier periods, or leave the item out",
            rows[-1].line,
            "period",
        )
    return Demand(
        first.item,
        first.period,
        tuple(row.period for row in rows),
        tuple(row.quantity for row in rows),
        first.lead_time,
        first.unit_price,
    )


def _place_of(period: str) -> tuple[str, int]:
    """Return the kind of a period, and its number counted from the calendar's first of that kind.

    Raises: InputError if it is malformed, or no such month, week or day exists.
    """
    for kind, pattern in _PERIOD.items():
        match = pattern.fullmatch(period)
        if match is None:
            continue
        year, part, *day = (int(digits) for digits in match.groups())
        try:
            if kind == "week":
                return kind, (date.fromisocalendar(year, part, 1).toordinal() - 1) // 7
            first = date(year, part, day[0] if day else 1)
            return kind, first.toordinal() if kind == "day" else year * 12 + part - 1
        except ValueError:
            break
    raise InputError(
        f"{shown(period)} is not a period",
        "Write a month as 2025-03, an ISO week as 2025-W09, or a day as 2025-03-01",
    )


def _period_at(kind: str, ordinal: int) -> str:
    """Invert `_place_of`. Raises: ValueError or OverflowError outside the years 1 to 9999."""
    if kind == "month":
        return date(ordinal // 12, ordinal % 12 + 1, 1).isoformat()[:7]
    if kind == "week":
        year, week, _ = date.fromordinal(ordinal * 7 + 1).isocalendar()
        return f"{year:04}-W{week:02}"
    return date.fromordinal(ordinal).isoformat()


def shown(value: str) -> str:
    """Return a value as an error message shows it: quoted, escaped, and cut at 60 characters."""
    return ascii(value[:57] + "..." if value[60:] else value)
