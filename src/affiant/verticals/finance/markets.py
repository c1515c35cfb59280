"""Real closes that come with the `arch` package: what the stories and benchmarks trade along."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

FUNDS: Mapping[str, tuple[str, str]] = {
    "S&P 500": ("sp500", "Adj Close"),
    "NASDAQ": ("nasdaq", "Adj Close"),
    "WTI": ("wti", "DCOILWTICO"),
}
"""The data set of `arch`, and its column."""


@dataclass(frozen=True)
class Closes:
    """Closes of several markets on the days on which all of them were open, 1999 to 2018."""

    days: tuple[str, ...]
    series: Mapping[str, tuple[float, ...]]

    def until(self, day: str, count: int) -> dict[str, tuple[float, ...]]:
        """Return the last `count` closes of each up to and with a day."""
        end = self.at(day) + 1
        return {name: prices[max(end - count, 0) : end] for name, prices in self.series.items()}

    def at(self, day: str) -> int:
        """Return the place of the last day up to and with `day`."""
        return max(place for place, known in enumerate(self.days) if known <= day)


def closes() -> Closes:
    """Read the closes of every market in `FUNDS`."""
    tables = {
        name: importlib.import_module(f"arch.data.{data}").load()[column].dropna()
        for name, (data, column) in FUNDS.items()
    }
    shared = sorted(set.intersection(*(set(table.index) for table in tables.values())))
    days = tuple(day.date().isoformat() for day in shared)
    series = {
        name: tuple(float(close) for close in table.loc[shared]) for name, table in tables.items()
    }
    return Closes(days, series)
