"""The reader of sales files: what it accepts, and where it says a fault is."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.supply.air_passengers import MONTHLY_TOTALS
from affiant.verticals.supply.demand import (
    Demand,
    air_passengers,
    next_period,
    parse_sales,
    period_kind,
    read_sales,
)

HEADER = "item,period,quantity"


def months(item: str = "tea", count: int = 25, extra: str = "") -> list[str]:
    """Return rows of consecutive months from 2023-01; quantities count up from 1."""
    return [f"{item},{next_period('2023-01', n)},{n + 1}{extra}" for n in range(count)]


def sales(rows: list[str], header: str = HEADER) -> bytes:
    """Return the bytes of a sales file."""
    return "\n".join([header, *rows, ""]).encode()


def refusal(data: bytes) -> str:
    """Return what the reader says against these bytes."""
    with pytest.raises(InputError) as caught:
        parse_sales(data, "sales.csv")
    assert caught.value.remedy
    return caught.value.message


def named_or_read(data: bytes) -> bool:
    """Return whether the bytes were read, or refused by an InputError that names the file."""
    try:
        return bool(parse_sales(data, "sales.csv"))
    except InputError as error:
        return error.message.startswith("sales.csv")


def test_air_passengers_add_up_to_the_published_total() -> None:
    """The table has 12 years of 12 months, and its sum is the published 40,363."""
    assert [len(year) for year in MONTHLY_TOTALS] == [12] * 12
    assert sum(sum(year) for year in MONTHLY_TOTALS) == 40363


def test_air_passengers_run_from_1949_to_1960() -> None:
    """The airline series is one Demand of 144 months with a season of 12."""
    demand = air_passengers()
    assert (demand.periods[0], demand.periods[-1]) == ("1949-01", "1960-12")
    assert (len(demand.quantities), demand.season, demand.lead_time) == (144, 12, 1)
    assert (demand.quantities[0], demand.quantities[-1]) == (112.0, 432.0)


def test_a_plain_file_is_read() -> None:
    """Three columns are enough; lead time and price then take their stated defaults."""
    (demand,) = parse_sales(sales(months()), "sales.csv")
    assert demand.item == "tea"
    assert demand.first_period == "2023-01"
    assert demand.periods[-1] == "2025-01"
    assert demand.quantities == tuple(float(n) for n in range(1, 26))
    assert (demand.lead_time, demand.unit_price) == (1, Decimal(1))


def test_rows_may_be_in_any_order() -> None:
    """The order of rows and of items changes nothing in the result."""
    rows = months("tea") + months("ale")
    expected = parse_sales(sales(rows), "sales.csv")
    assert [demand.item for demand in expected] == ["ale", "tea"]
    assert parse_sales(sales(rows[::-1]), "sales.csv") == expected


def test_columns_may_be_in_any_order_and_carry_terms() -> None:
    """Lead time and price are read wherever their columns stand."""
    rows = [f"12.50,{n + 1},tea,2,{next_period('2023-01', n)}" for n in range(26)]
    (demand,) = parse_sales(sales(rows, "unit_price,quantity,item,lead_time,period"), "sales.csv")
    assert (demand.lead_time, demand.unit_price) == (2, Decimal("12.50"))


@pytest.mark.parametrize("change", ["bom", "crlf", "blank lines", "spaces", "quotes"])
def test_harmless_differences_are_tolerated(change: str) -> None:
    """A byte order mark, Windows line ends, blank lines, spaces and quotes change nothing."""
    plain = sales(months())
    data = {
        "bom": b"\xef\xbb\xbf" + plain,
        "crlf": plain.replace(b"\n", b"\r\n"),
        "blank lines": plain.replace(b"\n", b"\n\n"),
        "spaces": plain.replace(b",", b" , "),
        "quotes": plain.replace(b"tea", b'"tea"'),
    }[change]
    assert parse_sales(data, "sales.csv") == parse_sales(plain, "sales.csv")


@pytest.mark.parametrize(
    ("first", "season", "last"),
    [("2020-W01", 52, "2021-W52"), ("2024-02-20", 7, "2024-03-05")],
)
def test_weeks_and_days_are_read(first: str, season: int, last: str) -> None:
    """ISO weeks cross a 53-week year, and days a leap day, without a gap."""
    rows = [f"tea,{next_period(first, n)},5" for n in range(2 * season + 1)]
    (demand,) = parse_sales(sales(rows), "sales.csv")
    assert (demand.season, demand.periods[-1]) == (season, last)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path without a file is refused by name."""
    with pytest.raises(InputError, match=r"nowhere\.csv: there is no such file"):
        read_sales(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    """A directory and an impossible path are refused like any bad input."""
    with pytest.raises(InputError, match="cannot be read"):
        read_sales(path)


def test_a_file_on_disk_reads_as_its_bytes_parse(tmp_path: Path) -> None:
    """`read_sales` is `parse_sales` of the file's bytes."""
    path = tmp_path / "sales.csv"
    path.write_bytes(sales(months()))
    assert read_sales(path) == parse_sales(path.read_bytes(), str(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "sales.csv: the file is empty"),
        (b"\n \n", "sales.csv: the file is empty"),
        (HEADER.encode(), "sales.csv: there are no rows below the header"),
        (b"item,period\n", "sales.csv, line 1, column quantity: the column is missing"),
        (b"item,period,quantity,color\n", "line 1, column 'color': unknown column 'color'"),
        (b"item;period;quantity\n", "unknown column 'item;period;quantity'"),
        (b"item,period,quantity,item\n", "line 1, column item: the column is there twice"),
        (b"item,period,quantity\ntea,2023-01\n", "line 2: 2 values where the header has 3"),
        (b'item,period,quantity\n"tea,2023-01,1\n', "line 2: not comma-separated values"),
        (b"item,period,quantity\n\xff,2023-01,1\n", "line 2: not UTF-8 text"),
        (b"item,period,quantity\n,2023-01,1\n", "line 2, column item: '' does not name an item"),
        (b"item,period,quantity\na\x1b[2J,2023-01,1\n", "column item: 'a\\x1b[2J' does not name"),
    ],
)
def test_a_malformed_file_is_refused_where_it_is_wrong(data: bytes, message: str) -> None:
    """Each fault of the file's form is named with its place."""
    assert message in refusal(data)


@pytest.mark.parametrize(
    ("quantity", "fault"),
    [
        ("many", "'many' is not a number"),
        ("", "'' is not a number"),
        ("1_000", "'1_000' is not a number"),
        ("\u0663", "'\\u0663' is not a number"),
        ("-1", "'-1' is negative"),
        ("nan", "'nan' is not finite"),
        ("-inf", "'-inf' is not finite"),
        ("1e999", "'1e999' is not finite"),
        ("2e12", "'2e12' is too large"),
    ],
)
def test_a_bad_quantity_is_refused_with_line_and_column(quantity: str, fault: str) -> None:
    """A quantity that is not a number from 0 to 1e12 is refused where it stands."""
    rows = months()
    rows[4] = f"tea,2023-05,{quantity}"
    assert refusal(sales(rows)) == f"sales.csv, line 6, column quantity: {fault}"


@pytest.mark.parametrize("quantity", ["0", "-0", "7.5", ".5", "1e3", "+2"])
def test_every_way_to_write_a_quantity_is_read(quantity: str) -> None:
    """Zero, fractions and exponents are quantities; a negative zero is zero."""
    rows = months()
    rows[4] = f"tea,2023-05,{quantity}"
    (demand,) = parse_sales(sales(rows), "sales.csv")
    assert str(demand.quantities[4]) == str(abs(float(quantity)))


@pytest.mark.parametrize(
    "period",
    ["2023", "2023-13", "2023-00", "0000-01", "2023-1", "2023-W54", "2023-W53", "2023-02-29", "x"],
)
def test_a_malformed_period_is_refused(period: str) -> None:
    """A period that is no month, ISO week or day of the calendar is refused where it stands."""
    rows = months()
    rows[4] = f"tea,{period},5"
    expected = f"sales.csv, line 6, column period: '{period}' is not a period"
    assert refusal(sales(rows)) == expected


def test_two_kinds_of_period_are_refused() -> None:
    """A file has months or weeks, not both; both lines are named."""
    message = refusal(sales([*months(), "tea,2025-W09,3"]))
    assert message.endswith("line 27, column period: 2025-W09 is a week, but line 2 has a month")


def test_a_period_given_twice_is_refused() -> None:
    """A second row for the same item and period names the first."""
    message = refusal(sales([*months(), "tea,2023-03,9"]))
    assert message.endswith("line 27, column period: 2023-03 of item 'tea' is already on line 4")


def test_the_first_missing_period_is_named() -> None:
    """A gap is refused with the first period that is missing."""
    rows = months(count=30)
    del rows[7:9]
    message = refusal(sales(rows))
    assert "line 9, column period: item 'tea' has no row for 2023-08" in message


def test_line_numbers_count_lines_inside_quotes() -> None:
    """A quoted line break does not shift the line that an error names."""
    data = b'item,period,quantity\ntea,"\n2023-01\n",5\ntea,2023-02,x\n'
    assert refusal(data).startswith("sales.csv, line 5, column quantity")


@pytest.mark.parametrize(
    ("column", "value", "other"), [("lead_time", "1", "2"), ("unit_price", "3.50", "3.60")]
)
def test_terms_that_differ_within_an_item_are_refused(column: str, value: str, other: str) -> None:
    """An item has one lead time and one price; the first line that differs is named."""
    rows = months(extra=f",{value}")
    rows[10] = rows[10].replace(f",{value}", f",{other}")
    message = refusal(sales(rows, f"{HEADER},{column}"))
    assert f"line 12, column {column}: item 'tea' has {other} here but {value} on" in message


def test_terms_may_differ_between_items() -> None:
    """Two items may have two lead times."""
    rows = months("ale", 26, ",1") + months("tea", 26, ",2")
    demands = parse_sales(sales(rows, f"{HEADER},lead_time"), "sales.csv")
    assert [demand.lead_time for demand in demands] == [1, 2]


@pytest.mark.parametrize("lead_time", ["0", "-1", "1.5", "", "121", "9" * 5000])
def test_a_bad_lead_time_is_refused(lead_time: str) -> None:
    """A lead time is a whole number of periods, from 1 to ten seasons."""
    rows = months(extra=f",{lead_time}")
    message = refusal(sales(rows, f"{HEADER},lead_time"))
    assert message.startswith("sales.csv, line 2, column lead_time")


@pytest.mark.parametrize("price", ["0", "-1", "1e3", "$4", "", "nan", "Infinity", "9" * 19])
def test_a_bad_price_is_refused(price: str) -> None:
    """A price is a plain decimal above 0."""
    rows = months(extra=f",{price}")
    message = refusal(sales(rows, f"{HEADER},unit_price"))
    assert message.startswith("sales.csv, line 2, column unit_price")


def test_too_few_periods_are_counted() -> None:
    """Two seasons and the lead time are needed, and the error says how many are there."""
    assert "item 'tea' has 24 months of the 25 needed" in refusal(sales(months(count=24)))
    rows = months(count=27, extra=",4")
    message = refusal(sales(rows, f"{HEADER},lead_time"))
    assert "has 27 months of the 28 needed" in message


@given(st.text())
def test_arbitrary_text_raises_nothing_but_input_errors(text: str) -> None:
    """No text makes the reader fail in any way but by an InputError."""
    assert named_or_read(text.encode("utf-8", "surrogatepass"))


@given(st.binary(), st.binary())
def test_arbitrary_bytes_in_a_good_file_raise_nothing_but_input_errors(
    cell: bytes, line: bytes
) -> None:
    """Bytes put into a good file are read or refused, never a crash."""
    header = f"{HEADER},lead_time,unit_price"
    good = sales(months(extra=",1,2.50"), header)
    for data in (good + line, good.replace(b"2.50", cell), good.replace(b"2023-05", cell)):
        assert named_or_read(data)


_CELL = st.one_of(
    st.sampled_from(
        ["tea", "2023-01", "2023-W01", "2023-01-01", "1", "-1", "nan", '"', "", "1e400"]
    ),
    st.text(max_size=8),
)


@given(st.lists(st.lists(_CELL, min_size=2, max_size=6), max_size=8))
def test_arbitrary_rows_raise_nothing_but_input_errors(rows: list[list[str]]) -> None:
    """No row below a good header makes the reader fail in any way but by an InputError."""
    data = sales([",".join(row) for row in rows], f"{HEADER},lead_time,unit_price")
    with pytest.raises(InputError):
        parse_sales(data, "sales.csv")


@given(st.lists(st.floats(0, 1e12, allow_subnormal=False), min_size=25, max_size=40), st.randoms())
def test_what_is_written_is_read_back(quantities: list[float], order: object) -> None:
    """Any quantities, written in any order, are read back exactly."""
    rows = [f"tea,{next_period('1999-11', n)},{q!r}" for n, q in enumerate(quantities)]
    order.shuffle(rows)  # type: ignore[attr-defined]
    (demand,) = parse_sales(sales(rows), "sales.csv")
    assert demand.quantities == tuple(quantities)


@pytest.mark.parametrize(
    ("period", "after"),
    [
        ("1999-12", "2000-01"),
        ("2020-W52", "2020-W53"),
        ("2020-W53", "2021-W01"),
        ("2021-W52", "2022-W01"),
        ("2024-02-28", "2024-02-29"),
        ("2023-12-31", "2024-01-01"),
    ],
)
def test_the_next_period_follows_the_calendar(period: str, after: str) -> None:
    """Years, 53-week years and leap days are crossed correctly, forwards and back."""
    assert next_period(period) == after
    assert next_period(after, -1) == period
    assert period_kind(period) == period_kind(after)


@pytest.mark.parametrize("period", ["9999-12", "9999-W52", "9999-12-31"])
def test_the_calendar_ends(period: str) -> None:
    """There is no period after the year 9999, nor before the year 1."""
    with pytest.raises(InputError, match="outside the calendar"):
        next_period(period)
    with pytest.raises(InputError, match="outside the calendar"):
        next_period(period, -(10**9))


def test_index_finds_a_period_or_refuses() -> None:
    """`index` is the position of a period, and refuses one that is not there."""
    assert air_passengers().index("1959-01") == 120
    with pytest.raises(InputError, match="has no period '1961-01'"):
        air_passengers().index("1961-01")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"first_period": "2023-02"}, "not the first"),
        ({"quantities": (1.0,)}, "2 periods but 1 quantities"),
        ({"periods": ("2023-01", "2023-03")}, "does not follow"),
        ({"periods": ("2023-01", "2023-W02")}, "does not follow"),
        ({"quantities": (1.0, -1.0)}, "quantity -1.0 in 2023-02"),
        ({"quantities": (1.0, float("nan"))}, "quantity nan in 2023-02"),
        ({"lead_time": 0}, "lead_time 0"),
        ({"unit_price": Decimal(0)}, "unit_price 0"),
        ({"unit_price": Decimal("nan")}, "unit_price NaN"),
    ],
)
def test_a_demand_that_contradicts_itself_cannot_be_made(
    change: dict[str, object], fault: str
) -> None:
    """Parts that do not fit together are refused when the Demand is made."""
    parts: dict[str, object] = {
        "item": "tea",
        "first_period": "2023-01",
        "periods": ("2023-01", "2023-02"),
        "quantities": (1.0, 2.0),
    }
    assert Demand(**parts).season == 12  # type: ignore[arg-type]
    with pytest.raises(InputError, match=fault):
        Demand(**{**parts, **change})  # type: ignore[arg-type]
