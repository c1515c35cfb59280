"""The fraud score: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import InputError
from affiant.verticals.security.fraud import (
    BLANK_NOTE,
    FRAUD,
    LARGEST,
    NOTHING,
    ORDINARY,
    UNCLEAR,
    FraudModel,
    assess,
    read_accounts,
)

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("AFFIANT_DATA", ROOT / "../shared/data"))
ACCOUNTS = DATA / "ethereum-fraud/eth_accounts_9816.csv"
ADDRESS = "0x" + "1a" * 20

needs_data = pytest.mark.skipif(
    not ACCOUNTS.exists(), reason=f"no {ACCOUNTS.name}: set AFFIANT_DATA to the folder of data"
)


@pytest.fixture(scope="module")
def model() -> FraudModel:
    """Return the model that the package carries."""
    return FraudModel.load()


@pytest.fixture
def account(model: FraudModel) -> dict[str, float]:
    """Return an account in the middle of everything."""
    return dict(model.card["medians"])


def table(path: Path, *accounts: Mapping[str, object]) -> Path:
    """Write accounts to a CSV, an address in front."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["Address", *accounts[0]])
        rows.writerows([ADDRESS, *account.values()] for account in accounts)
    return path


def test_the_digest_is_of_the_files(model: FraudModel) -> None:
    """Loading twice gives one digest, made of the bytes of both files."""
    folder = resources.files("affiant.verticals.security") / "models"
    parts = [sha256((folder / name).read_bytes()) for name in ("fraud.txt", "fraud.json")]
    assert model.digest == FraudModel.load().digest == sha256(b"".join(parts))


def test_the_card_says_what_the_model_is(model: FraudModel) -> None:
    """The card names as many features as the trees have, its source, its licence, its limits."""
    card = model.card
    assert card["features"] == model.booster.feature_name() == list(card["medians"])
    assert card["rows"] - card["duplicates_removed"] == card["trained_on"]
    assert "unverified" in card["licence"]
    assert any(".771" in limit for limit in card["limits"])
    assert not set(card["features"]) & {"FLAG", "Address", "ERC20_most_sent_token_type"}


def test_the_model_is_small_text() -> None:
    """The trees are text of at most 400 KB."""
    trees = (resources.files("affiant.verticals.security") / "models" / "fraud.txt").read_bytes()
    assert trees.isascii()
    assert len(trees) <= 400_000


def test_the_reasons_add_up(model: FraudModel, account: dict[str, float]) -> None:
    """Base, reasons and rest sum to the raw score; the strongest reason comes first."""
    score = model.score(account)
    total = score.base + sum(reason.push for reason in score.reasons) + score.rest
    assert total == pytest.approx(score.raw)
    strengths = [abs(reason.push) for reason in score.reasons]
    assert strengths == sorted(strengths, reverse=True)
    assert 0 < score.probability < 1
    assert score.probability == model.calibrated(score.raw)


def test_all_pushes_add_up(model: FraudModel, account: dict[str, float]) -> None:
    """What LightGBM attributes to the features sums, with the base, to what it predicts."""
    score = model.score(account)
    row = [[account[name] for name in model.card["features"]]]
    pushes = model.booster.predict(row, pred_contrib=True, num_threads=1)
    assert sum(pushes[0]) == pytest.approx(score.raw)


def test_a_reason_says_feature_value_and_direction(
    model: FraudModel, account: dict[str, float]
) -> None:
    """A reason's words name the feature, its value, and the direction of its sign."""
    for reason in model.score(account).reasons:
        assert str(reason).startswith(f"{reason.feature} is {account[reason.feature]:.6g}, median")
        assert reason.direction == ("towards fraud" if reason.push > 0 else "away from fraud")
        assert reason.direction in str(reason)


def test_the_probability_rises_with_the_raw_score(model: FraudModel) -> None:
    """Calibration keeps the order of scores, within 0 and 1 however far they go."""
    told = [model.calibrated(raw / 4) for raw in range(-60, 61)]
    assert all(low < high for low, high in pairwise(told))
    assert (model.calibrated(-1e9), model.calibrated(1e9)) == (0, 1)


def test_many_accounts_score_as_each_does(model: FraudModel, account: dict[str, float]) -> None:
    """Scores of many accounts are those of each alone, in their order; of none there are none."""
    other = account | {"Time_Diff_between_first_and_last_Mins": 3.0}
    assert model.scores([account, other]) == [model.score(account), model.score(other)]
    assert model.score(account).raw != model.score(other).raw
    assert model.scores([]) == []


def test_the_order_of_the_features_is_free(model: FraudModel, account: dict[str, float]) -> None:
    """Features go by name, not by place."""
    assert model.score(dict(reversed(account.items()))) == model.score(account)


def test_blank_tokens_are_zero_and_no_verdict(model: FraudModel, account: dict[str, float]) -> None:
    """An account with unknown tokens scores as one without tokens, and the score says so."""
    tokens = [name for name in account if "ERC20" in name]
    zero, blank = dict.fromkeys(tokens, 0.0), dict.fromkeys(tokens, math.nan)
    known, unknown = model.score(account | zero), model.score(account | blank)
    assert known.raw == unknown.raw
    assert (known.blank, unknown.blank) == (False, True)


@pytest.mark.parametrize("name", ["Sent_tnx", "Total_ERC20_tnxs"])
def test_one_blank_is_refused(model: FraudModel, account: dict[str, float], name: str) -> None:
    """A blank anywhere but in all token columns together is refused by name."""
    with pytest.raises(InputError, match=f"'{name}' blank") as refused:
        model.score(account | {name: math.nan})
    assert "all together" in refused.value.remedy


def test_an_account_without_activity_is_not_judged(
    model: FraudModel, account: dict[str, float]
) -> None:
    """Without any transaction there is no verdict, no reason, and only the data set's share."""
    score = model.score(dict.fromkeys(account, 0.0))
    assert (score.verdict, score.reasons) == (NOTHING, ())
    assert score.probability == model.card["fraud_share"]
    assert score.base + score.rest == pytest.approx(score.raw)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -1.0, 10**400, "7", None])
def test_bad_numbers_are_refused(
    model: FraudModel, account: dict[str, float], value: object
) -> None:
    """What is negative, infinite, or no number is refused with the feature's name."""
    odd: dict[str, object] = account | {"Sent_tnx": value}
    with pytest.raises(InputError, match="Sent_tnx: "):
        model.score(odd)  # type: ignore[arg-type]


def test_a_balance_may_be_negative(model: FraudModel, account: dict[str, float]) -> None:
    """The balance is received less sent, so it alone may be below zero."""
    assert 0 < model.score(account | {"total_ether_balance": -5.0}).probability < 1


def test_unknown_and_missing_features_are_refused(
    model: FraudModel, account: dict[str, float]
) -> None:
    """A feature too many or too few is named."""
    with pytest.raises(InputError, match="unknown: 'Sent_tx'"):
        model.score(account | {"Sent_tx": 1.0})
    with pytest.raises(InputError, match="unknown: 'FLAG'"):
        model.score(account | {"FLAG": 1.0})
    del account["Sent_tnx"]
    with pytest.raises(InputError, match="missing: 'Sent_tnx'"):
        model.score(account)
    with pytest.raises(InputError, match=r"missing: .* and 30 more"):
        model.score({})


def test_a_file_is_read_as_it_is_written(account: dict[str, float], tmp_path: Path) -> None:
    """Byte order mark, spaces, blank lines, label and token names do not disturb."""
    path = tmp_path / "accounts.csv"
    names = [f" {name} " for name in account]
    cells = [f" {value!r} " for value in account.values()]
    path.write_text(
        ",".join(["Address", "FLAG", *names, "ERC20_most_rec_token_type"])
        + "\n\n"
        + ",".join([ADDRESS, "1", *cells, "=cmd|' /C calc'!A0"])
        + "\n",
        encoding="utf-8-sig",
    )
    assert read_accounts(path) == [(ADDRESS, account)]


def test_a_file_is_assessed(account: dict[str, float], tmp_path: Path) -> None:
    """An assessment is JSON: address, probability, verdict, reasons, and that tokens are blank."""
    blank = {name: "" if "ERC20" in name else value for name, value in account.items()}
    first, second = assess(table(tmp_path / "a.csv", dict(account), blank))
    assert json.loads(json.dumps(first)) == first
    assert first["address"] == ADDRESS
    assert first["verdict"] in {FRAUD, UNCLEAR, ORDINARY}
    assert BLANK_NOTE not in first["reasons"]
    assert BLANK_NOTE in second["reasons"]


@pytest.mark.parametrize(
    "cell", ["inf", "nan", "-3", "1e999", "1_000", "0x10", "\u0661", "=1+1", "\x1b[2J", "\0", "1,5"]
)
def test_odd_cells_are_refused_by_row(account: dict[str, float], tmp_path: Path, cell: str) -> None:
    """What is no plain number is refused with file, row and feature, and shown escaped."""
    path = table(tmp_path / "a.csv", dict(account), account | {"Sent_tnx": cell})
    with pytest.raises(InputError, match=r"a\.csv, row 3: Sent_tnx: ") as refused:
        read_accounts(path)
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("address", ["", "0x12 34", "\x1b[31m", "@SUM(A1)", "a" * 67, "\uff41"])
def test_odd_addresses_are_refused(account: dict[str, float], tmp_path: Path, address: str) -> None:
    """An address that is not letters and digits is refused and shown escaped."""
    path = table(tmp_path / "a.csv", dict(account))
    text = path.read_text(encoding="utf-8").replace(ADDRESS, address)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"row 2: .* is no address") as refused:
        read_accounts(path)
    assert refused.value.message.isascii()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Sent_tnx", "Sent_\x1btnx", r"unknown: 'Sent_\\x1btnx'"),
        ("Sent_tnx,", "", "missing: 'Sent_tnx'"),
        ("Sent_tnx", "Sent_tnx,Sent_tnx", "doubled: 'Sent_tnx'"),
        ("Address", "Name", "0 columns Address"),
        ("Address,", "Address,Address,", "2 columns Address"),
    ],
)
def test_odd_headers_are_refused(
    account: dict[str, float], tmp_path: Path, old: str, new: str, fault: str
) -> None:
    """Columns must be the model's, each once, and an address."""
    path = table(tmp_path / "a.csv", dict(account))
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        read_accounts(path)


def test_a_ragged_row_is_refused(account: dict[str, float], tmp_path: Path) -> None:
    """A row with a value too many is refused by its number."""
    path = table(tmp_path / "a.csv", dict(account))
    path.write_text(path.read_text(encoding="utf-8").rstrip() + ",1\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2: 37 values for 36 columns"):
        read_accounts(path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0", b'"', b'"' + b"a" * 200_000 + b'"'])
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes) -> None:
    """An empty file, another encoding, an open quote and an endless cell are refused."""
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_accounts(path)


def test_a_file_without_accounts_is_refused(account: dict[str, float], tmp_path: Path) -> None:
    """A header alone, a folder, and a path that is not there are refused."""
    path = table(tmp_path / "a.csv", dict(account))
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    with pytest.raises(InputError, match="no accounts"):
        read_accounts(path)
    for wrong in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="cannot be read"):
            read_accounts(wrong)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """A file beyond the limit is refused before it is parsed."""
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(InputError, match="more than 64 MiB"):
        read_accounts(path)


@needs_data
def test_real_accounts_score_mostly_right(model: FraudModel, tmp_path: Path) -> None:
    """Of the data set's own rows, every eighth, the model gets nine in ten right on either side.

    It has learned from them: this shows that the file is read as in training, not how good it is.
    """
    lines = ACCOUNTS.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    path = tmp_path / "some.csv"
    path.write_text("".join([lines[0], *lines[1::8]]), encoding="utf-8-sig")
    labels = [line.split(",")[1] == "1" for line in lines[1::8]]
    scores = model.scores([account for _, account in read_accounts(path)])
    judged = [(label, score) for label, score in zip(labels, scores, strict=True) if score.reasons]
    for side in (True, False):
        right = [(score.verdict == FRAUD) == side for label, score in judged if label is side]
        assert sum(right) >= 0.9 * len(right) > 90
