"""Labels: read from the columns that people publish; they suspend nobody, and pins stand above."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from office import (
    CLERK,
    GAP,
    LANDLORD,
    PLUMBER,
    THIEF,
    Office,
    busy,
    detectors,
    names,
)

from affiant.kernel.alert import ASSOCIATION, grounded
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import InputError
from affiant.verticals.security import labels as module
from affiant.verticals.security.labels import Labels

SAID = "phish-hack"


def read(path: Path, text: str) -> Mapping[bytes, str]:
    """Write a file and read it as labels."""
    path.write_text(text, "utf-8")
    return Labels.read(path).told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a label file is to be."""
    return tmp_path / "labels.csv"


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ("address", "label"),
        ("banned_address", "wallet_tag"),
        ("address", "etherscan_tag"),
        ("contract_address", "contract_tag"),
    ],
)
def test_published_columns_are_understood(path: Path, address: str, label: str) -> None:
    """The columns of Forta's and Etherscan's lists are read, others are passed over."""
    text = f"source,{label},{address}\nforta,{SAID},{to_hex(THIEF)}\n"
    assert read(path, text) == {THIEF: SAID}


def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    """A file that a spreadsheet wrote, with its mark at the beginning, is read."""
    path.write_bytes(f"\ufeffaddress,label\n{to_hex(THIEF)},{SAID}\n".encode())
    assert Labels.read(path).told == {THIEF: SAID}


def test_spelling_and_space_do_not_matter(path: Path) -> None:
    """Upper case, no 0x, or space around an account say the same."""
    for told in (THIEF.hex(), f" 0x{THIEF.hex().upper()} ", f"0X{THIEF.hex()}"):
        assert read(path, f"address,label\n{told}, {SAID} \n") == {THIEF: SAID}


def test_a_row_without_a_label_is_labelled_by_its_file(path: Path) -> None:
    """Where no label is given, being in that list is the label."""
    assert read(path, f"address,label\n{to_hex(THIEF)},\n") == {THIEF: "labels"}
    assert read(path, f"address,label\n{to_hex(THIEF)}\n") == {THIEF: "labels"}


def test_a_file_without_rows_labels_nobody(path: Path) -> None:
    """Only a head, or empty lines after it, is no fault."""
    assert read(path, "address,label\n\n\n") == {}


@pytest.mark.parametrize("row", ["", "0x12", "no account", f"0x{'zz' * 20}", f"0x{'66' * 21}"])
def test_a_malformed_row_is_named_by_its_line(path: Path, row: str) -> None:
    """A row that is no account is refused, by file and line; nothing is half read."""
    text = f"address,label\n{to_hex(THIEF)},{SAID}\n{row},{SAID}\n"
    with pytest.raises(InputError, match=r"labels\.csv, line 3: .* is no account") as caught:
        read(path, text)
    assert "40 hexadecimal digits" in caught.value.remedy


@pytest.mark.parametrize("row", ["66 " * 20, "0x" + "66" * 10 + "\t" + "66" * 10])
def test_space_within_an_account_is_malformed(path: Path, row: str) -> None:
    """Digits with space between them are no account."""
    with pytest.raises(InputError, match="line 2"):
        read(path, f"address,label\n{row},{SAID}\n")


def test_missing_columns_are_named(path: Path) -> None:
    """A file without the columns is refused, and told which it has."""
    with pytest.raises(InputError, match="has the columns wallet, label"):
        read(path, f"wallet,label\n{to_hex(THIEF)},{SAID}\n")
    with pytest.raises(InputError, match="has the columns"):
        read(path, "")


def test_unreadable_files_are_refused(path: Path, tmp_path: Path) -> None:
    """A file that is not there, is a folder or is no text is refused with a remedy."""
    with pytest.raises(InputError, match="cannot be read"):
        Labels.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        Labels.read(tmp_path)
    path.write_bytes(b"address,label\n\xff\xfe,x\n")
    with pytest.raises(InputError, match="cannot be read"):
        Labels.read(path)
    path.write_text(f"address,label\n{to_hex(THIEF)},{'x' * 200_000}\n", "utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        Labels.read(path)


def test_a_file_beyond_the_limit_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is read, one byte more is not."""
    text = f"address,label\n{to_hex(THIEF)},{SAID}\n"
    monkeypatch.setattr(module, "LARGEST", len(text))
    assert read(path, text) == {THIEF: SAID}
    with pytest.raises(InputError, match="has more than"):
        read(path, text + "\n")


def test_a_label_alone_suspends_nobody() -> None:
    """A payment to a labelled account is warned of, and the agent goes on."""
    office = busy()
    watch = office.watch(labels=Labels({LANDLORD: SAID}))
    events = watch.step()
    assert detectors(events) == {"labelled-account"}
    assert set(names(events)) == {"sighting", "warned"}
    told = next(event.facts for event in events if event.name == "sighting")
    assert (told["family"], told["threat"]) == (ASSOCIATION, "ASI07")
    assert SAID in told["reason"]
    assert not office.suspended()


def test_an_account_without_a_label_is_silent() -> None:
    """Labels say nothing about other accounts."""
    assert busy().watch(labels=Labels({THIEF: SAID})).step() == []


def test_a_label_with_one_soft_finding_suspends_nobody() -> None:
    """Association is no second family: a new labelled account is warned of only."""
    office = busy()
    watch = office.watch(labels=Labels({THIEF: SAID}))
    office.pay(THIEF)
    assert detectors(watch.step()) == {"labelled-account", "new-counterparty"}
    assert not office.suspended()
    for family in ("anomaly", "drift", "provenance", ASSOCIATION):
        assert not grounded([ASSOCIATION, family])


def test_a_label_takes_nothing_from_real_grounds() -> None:
    """With two independent families the suspension comes, and the label is no part of it."""
    office = busy()
    watch = office.watch(labels=Labels({THIEF: SAID}))
    office.mimic()
    watch.step()
    assert office.suspended()
    (content,) = [told for told in office.alerts() if told["suspension"]]
    assert [told["family"] for told in content["findings"]] == ["provenance", "drift"]


def test_a_poisoned_label_on_a_pinned_account_is_passed_over() -> None:
    """What the principal pinned into the terms no list speaks against."""
    office = Office()
    mandate = office.hire(CLERK, pins=[LANDLORD])
    office.vouch()
    for _ in range(3):
        office.clock.advance(GAP)
        assert office.pay(mandate=mandate).execution is not None
    labels = Labels({LANDLORD: SAID, PLUMBER: SAID})
    assert office.watch(labels=labels).step() == []
    office.pay(PLUMBER)  # under the other mandate, which pins nobody
    assert detectors(office.watch(labels=labels).step()) == {"labelled-account"}
