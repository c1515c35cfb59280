"""How much an Ethereum account resembles known fraud, and why: a hint to a person, no proof.

A boosted tree over 35 figures of an account's past; `training/fraud.py` makes it, and the card
beside it says from what, how well it does, and what it cannot know. A blank token column reads as
zero: where the data set leaves them blank, every account is fraud, so a blank would be a verdict.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import InputError, IntegrityError

LARGEST = 64 << 20
"""Bytes of a file of accounts."""
REASONS = 5
"""The reasons that are named; `rest` sums up the others."""
ORDINARY_BELOW = 0.1
"""An assumption: below one in ten nobody needs to look."""
FRAUD, UNCLEAR, ORDINARY, NOTHING = (
    "resembles known fraud",
    "unclear",
    "resembles ordinary accounts",
    "no activity to judge",
)
BLANK_NOTE = "the token columns are blank and were read as zero"
TOKEN = "ERC20"  # noqa: S105  # part of the names of the columns about tokens
IGNORED = frozenset({"FLAG", "ERC20_most_sent_token_type", "ERC20_most_rec_token_type"})
"""Columns of the data set that the model does not see: the label, and two names of tokens."""

_BALANCE = "total_ether_balance"  # received less sent, so it may be negative
_COUNTS = ("total_transactions_including_tnx_to_create_contract", "Total_ERC20_tnxs")
_NAME = re.compile(r"[0-9A-Za-z]{1,66}")  # 66: the data set has some transaction hashes
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_COLUMNS = "Give a CSV with the column Address and the columns of `features` in models/fraud.json"


@dataclass(frozen=True)
class Reason:
    """What one figure of the account adds to its score, in log-odds (a SHAP value)."""

    feature: str
    value: float
    usual: float
    """The median of the accounts that the model has learned from."""
    push: float

    @property
    def direction(self) -> str:
        """Where it pushes."""
        return "towards fraud" if self.push > 0 else "away from fraud"

    def __str__(self) -> str:
        value, usual = f"{self.value:.6g}", f"{self.usual:.6g}"
        return (
            f"{self.feature} is {value}, median {usual}: {self.direction} by {abs(self.push):.2f}"
        )


@dataclass(frozen=True)
class FraudScore:
    """A calibrated probability and what led to it: raw = base + pushes of the reasons + rest."""

    probability: float
    verdict: str
    raw: float
    base: float
    reasons: tuple[Reason, ...]
    rest: float
    blank: bool
    """Whether the token columns were blank, and read as zero."""


@dataclass(frozen=True)
class FraudModel:
    """The trees and their card."""

    booster: lightgbm.Booster
    card: Mapping[str, Any]
    digest: bytes
    """SHA-256 over the SHA-256 digests of `fraud.txt` and `fraud.json`."""

    @classmethod
    def load(cls) -> FraudModel:
        """Load the model that the package carries.

        Raises:
            IntegrityError: trees and card do not belong together.
        """
        trees, card = _file("fraud.txt"), _file("fraud.json")
        booster = lightgbm.Booster(model_str=trees.decode())
        if booster.feature_name() != _card()["features"]:
            raise IntegrityError("fraud.txt and fraud.json differ in features", "Install again")
        return cls(booster, _card(), sha256(sha256(trees) + sha256(card)))

    def score(self, account: Mapping[str, float]) -> FraudScore:
        """Score an account: every feature of the card by name.

        Raises:
            InputError: a feature is unknown, missing, or not a number that it can have.
        """
        return self.scores([account])[0]

    def scores(self, accounts: Sequence[Mapping[str, float]]) -> list[FraudScore]:
        """Score many accounts, in their order. Raises: as `score`."""
        if not accounts:
            return []
        rows = np.array([vector(account) for account in accounts])
        raws = self.booster.predict(rows, raw_score=True, num_threads=1)
        pushes = self.booster.predict(rows, pred_contrib=True, num_threads=1)
        told = zip(accounts, rows.tolist(), _lists(raws), _lists(pushes), strict=True)
        return [self._told(*parts) for parts in told]

    def calibrated(self, raw: float) -> float:
        """Return the probability that belongs to a raw score; it rises with the score."""
        line = self.card["calibration"]
        return (1 + math.tanh((line["slope"] * raw + line["intercept"]) / 2)) / 2

    def _told(
        self, account: Mapping[str, float], row: list[float], raw: float, pushes: list[float]
    ) -> FraudScore:
        names, medians = self.card["features"], self.card["medians"]
        *parts, base = pushes
        blank = any(math.isnan(account[name]) for name in names)
        if not any(account[name] > 0 for name in _COUNTS):
            # Such accounts are in the data set for their label alone, so only the share is known.
            return FraudScore(self.card["fraud_share"], NOTHING, raw, base, (), raw - base, blank)
        reasons = sorted(
            map(Reason, names, row, medians.values(), parts), key=lambda reason: -abs(reason.push)
        )
        named = tuple(reason for reason in reasons[:REASONS] if reason.push)
        rest = raw - base - sum(reason.push for reason in named)
        probability = self.calibrated(raw)
        verdict = UNCLEAR if probability >= ORDINARY_BELOW else ORDINARY
        verdict = FRAUD if probability >= self.card["threshold"] else verdict
        return FraudScore(probability, verdict, raw, base, named, rest, blank)


def assess(path: Path) -> list[dict[str, Any]]:
    """Score a file of accounts: address, probability, verdict and reasons in words.

    Raises:
        InputError: as `read_accounts`.
    """
    accounts = read_accounts(path)
    scores = FraudModel.load().scores([account for _, account in accounts])
    return [
        {
            "address": address,
            "probability": round(score.probability, 6),
            "verdict": score.verdict,
            "reasons": [str(reason) for reason in score.reasons] + [BLANK_NOTE] * score.blank,
        }
        for (address, _), score in zip(accounts, scores, strict=True)
    ]


def read_accounts(path: Path) -> list[tuple[str, dict[str, float]]]:
    """Read a CSV with an address and every feature in each row; a blank is NaN.

    A byte order mark, spaces around names and values, and the columns of `IGNORED` are passed over.

    Raises:
        InputError: the file cannot be used; the row is named.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InputError(f"{path} has more than {LARGEST >> 20} MiB", "Split the file")
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        names = [name.strip() for name in next(lines, [])]
        if names.count("Address") != 1:
            raise InputError(f"{path} has {names.count('Address')} columns Address", _COLUMNS)
        _check_names([name for name in names if name not in {"Address", *IGNORED}], str(path))
        found = list(_accounts(lines, names, path))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}", _COLUMNS) from error
    if not found:
        raise InputError(f"{path} has no accounts", "Add a line for each account")
    return found


def vector(account: Mapping[str, float]) -> list[float]:
    """Check an account and return its figures in the model's order, blanks as zero.

    Raises:
        InputError: a feature is unknown, missing, or not a number that it can have.
    """
    _check_names([*account], "the account")
    blank = [name for name in account if _number(name, account[name]) is None]
    tokens = [name for name in account if TOKEN in name]
    if blank and set(blank) != set(tokens):
        remedy = "Give all numbers; only the token columns may be blank, and only all together"
        raise InputError(f"{_some(blank)} blank", remedy)
    return [_number(name, account[name]) or 0.0 for name in _card()["features"]]


def _accounts(
    lines: Iterator[list[str]], names: list[str], path: Path
) -> Iterator[tuple[str, dict[str, float]]]:
    for row, cells in enumerate(lines, 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != len(names):
                raise InputError(f"{len(cells)} values for {len(names)} columns", _COLUMNS)
            told = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            address = told.pop("Address")
            if not _NAME.fullmatch(address):
                raise InputError(f"{_short(address)} is no address", "Give 0x and 40 digits")
            account = {name: _parsed(name, told[name]) for name in told if name not in IGNORED}
            vector(account)
        except InputError as error:
            raise InputError(f"{path}, row {row}: {error.message}", error.remedy) from error
        yield address, account


def _parsed(name: str, cell: str) -> float:
    if cell and not _NUMBER.fullmatch(cell):
        raise InputError(f"{name}: {_short(cell)} is no number", "Give a number such as 12.5")
    return float(cell) if cell else math.nan


def _number(name: str, value: object) -> float | None:
    """Return a number that this feature can have, or None for a blank."""
    try:
        number = float(value) if isinstance(value, Real) else math.inf
    except OverflowError:  # a whole number beyond what a float can hold
        number = math.inf
    if math.isinf(number):
        raise InputError(f"{name}: {_short(value)} is no finite number", "Give one such as 12.5")
    if number < 0 and name != _BALANCE:
        raise InputError(f"{name}: {number} is below zero", "Give what was counted, 0 or more")
    return None if math.isnan(number) else number


def _check_names(names: list[str], where: str) -> None:
    """Refuse names that are not the model's features, each once."""
    known = set(_card()["features"])
    for fault, wrong in (
        ("unknown", set(names) - known),
        ("missing", known - set(names)),
        ("doubled", {name for name in names if names.count(name) > 1}),
    ):
        if wrong:
            raise InputError(f"{where} has columns {fault}: {_some(sorted(wrong))}", _COLUMNS)


def _some(names: Iterable[str]) -> str:
    """Return names as an error shows them: escaped, and no more than five."""
    shown = [_short(name) for name in names]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more


def _short(value: object) -> str:
    """Return a value as an error shows it: escaped and cut. Huge whole numbers have no decimals."""
    return f"{value:#x}"[:60] if isinstance(value, int) else ascii(value)[:60]


def _lists(values: Any) -> list[Any]:
    """Return what LightGBM predicted as plain lists."""
    listed: list[Any] = np.asarray(values).tolist()
    return listed


def _file(name: str) -> bytes:
    return (resources.files("affiant.verticals.security") / "models" / name).read_bytes()


@cache
def _card() -> dict[str, Any]:
    card: dict[str, Any] = json.loads(_file("fraud.json"))
    return card
