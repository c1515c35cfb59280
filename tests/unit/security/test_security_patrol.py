"""The patrol: what it remembers, what it exits with, and that nothing is told into the void."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from office import PLUMBER, SENTINEL, Paper, busy

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import (
    AffiantError,
    DeliveryError,
    InputError,
    IntegrityError,
    LedgerError,
    SetupError,
)
from affiant.kernel.house import House
from affiant.verticals.security.feed import Feed
from affiant.verticals.security.patrol import MEMORY, Patrol


class Home:
    """An office in a folder, and what patrols print about it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.office = folder, busy()
        (folder / "log.db").touch()
        self.wrong: AffiantError | None = None
        self.opened = 0

    @contextmanager
    def open_house(self) -> Iterator[House]:
        """Open the house, or fail as told."""
        self.opened += 1
        if self.wrong is not None:
            raise self.wrong
        yield self.office.house()

    def patrol(self, feed: Feed | None = None, **options: Any) -> Patrol:
        """Begin a patrol."""
        return Patrol(self.open_house, self.folder, feed or Feed(), **options)

    def look(self, feed: Feed | None = None, **options: Any) -> tuple[int, list[str]]:
        """Look once; return the exit code and the names of what was told."""
        patrol = self.patrol(feed, **options)
        told = list(patrol.lines(every=None, json=True))
        return patrol.code, [json.loads(line)["event"] for line in told]

    @property
    def memory(self) -> Path:
        """Where patrols remember."""
        return self.folder / MEMORY


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home in which honest work was done."""
    return Home(tmp_path)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody sleep."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


def following(patrol: Patrol) -> Iterator[dict[str, Any]]:
    """Return what a patrol that goes on tells, line by line."""
    return (json.loads(line) for line in patrol.lines(every=0.1, json=True))


def test_calm_is_nought(home: Home) -> None:
    """Where all is well nothing is told, and the code is 0."""
    assert home.look() == (0, [])


def test_a_sighting_is_one(home: Home) -> None:
    """What was seen is told, and the code is 1."""
    home.office.pay(PLUMBER)
    assert home.look() == (1, ["sighting"])


@pytest.mark.parametrize("what", ["log", "chain"])
def test_blindness_is_two(home: Home, what: str) -> None:
    """Log or chain out of reach is told, and the code is 2, also if something was seen."""
    home.office.pay(PLUMBER)
    if what == "log":
        home.office.log.down = True
    else:
        home.office.ledger.down = frozenset({"block"})
    code, told = home.look()
    assert (code, "blind" in told) == (2, True)


def test_an_answer_is_told_with_its_sighting(home: Home) -> None:
    """With a guardian's key the suspension is told too; the code is that of the sighting."""
    home.office.mimic()
    assert home.look(guardian=SENTINEL) == (1, ["sighting", "sighting", "suspended"])
    assert home.office.suspended()


def test_events_are_told_once_across_patrols(home: Home) -> None:
    """What one patrol told the next does not; what is new it does, and with `again` all."""
    home.office.mimic()
    home.office.off_the_record(by="a stranger")
    assert home.look() == (1, ["sighting"] * 3)
    assert home.look() == (0, [])
    home.office.pay(PLUMBER)
    assert home.look() == (1, ["sighting"])
    assert home.look(again=True) == (1, ["sighting"] * 4)
    assert home.look() == (0, [])


def test_what_is_remembered_is_the_log(home: Home) -> None:
    """The memory holds size and root of the log and the chain's height, nothing else."""
    home.look()
    head = home.office.log.head()
    told = json.loads(home.memory.read_text("utf-8"))
    assert (told["size"], told["root"]) == (head.size, to_hex(head.root))
    assert home.office.ledger.block(told["block"]) is not None
    assert home.office.ledger.block(told["block"] + 1) is None


def test_a_log_rolled_back_between_patrols_is_told_each_time(home: Home) -> None:
    """A patrol begun anew tells that the log became shorter, and does not get used to it."""
    home.look()
    paper = Paper.of(home.office.log)
    paper.entries.pop()
    home.office.shown = paper
    for _ in range(2):
        code, told = home.look()
        assert (code, "sighting" in told) == (1, True)
    home.office.shown = None
    assert home.look() == (0, [])


def test_events_are_told_once_though_the_chain_was_out_of_reach(home: Home) -> None:
    """A look without a chain in between makes nobody hear old things again."""
    home.office.off_the_record(by="a stranger")
    assert home.look() == (1, ["sighting"])
    home.office.ledger.down = frozenset({"block"})
    assert home.look() == (2, ["blind"])
    home.office.ledger.down = frozenset()
    assert home.look() == (0, [])


@pytest.mark.parametrize(
    "told",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        "5",
        '{"size": 1, "root": "0x12", "block": 0}',
        '{"size": "x", "root": "0x' + "00" * 32 + '", "block": 0}',
        '{"size": 1, "root": 7, "block": 0}',
        '{"size": 1, "root": "0x' + "00" * 32 + '"}',
    ],
)
def test_a_damaged_memory_is_an_error(home: Home, told: str) -> None:
    """A memory that cannot be read stops the patrol, with a remedy; nothing is overwritten."""
    home.memory.write_text(told, "utf-8")
    with pytest.raises(IntegrityError, match=r"sentinel\.json cannot be read") as caught:
        home.look()
    assert "Find out who changed it" in caught.value.remedy
    assert home.memory.read_text("utf-8") == told


def test_an_endless_number_in_the_memory_is_an_error(home: Home) -> None:
    """Infinity is no size."""
    home.memory.write_text('{"size": Infinity, "root": "0x' + "00" * 32 + '", "block": 0}')
    with pytest.raises(IntegrityError):
        home.look()


def test_bytes_that_are_no_text_are_an_error(home: Home) -> None:
    """A memory that is no text is as damaged as any."""
    home.memory.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IntegrityError):
        home.look()


def test_a_memory_that_cannot_be_written_is_told(home: Home) -> None:
    """Where the memory cannot be kept that is an error, not a silence."""
    (home.folder / f"{MEMORY}.new").mkdir()
    with pytest.raises(SetupError, match="cannot be written"):
        home.look()


def test_a_home_without_a_log_is_refused(tmp_path: Path) -> None:
    """A folder that holds no log is named, and is not made into a home."""
    home = Home(tmp_path)
    (tmp_path / "log.db").unlink()
    with pytest.raises(InputError, match="holds no log"):
        home.look()
    assert home.opened == 0
    assert list(tmp_path.iterdir()) == []


def test_a_single_look_that_cannot_deliver_fails(home: Home, tmp_path: Path) -> None:
    """If the only look cannot be delivered, that is its error."""
    home.office.pay(PLUMBER)
    with pytest.raises(DeliveryError):
        home.look(Feed(tmp_path / "missing" / "events.jsonl"))


def test_what_a_single_look_did_not_deliver_the_next_one_does(home: Home, tmp_path: Path) -> None:
    """Events that did not arrive are told again by the next patrol, as the remedy says."""
    home.office.pay(PLUMBER)
    with pytest.raises(DeliveryError):
        home.look(Feed(tmp_path / "missing" / "events.jsonl"))
    path = tmp_path / "events.jsonl"
    home.look(Feed(path))
    assert path.is_file()
    assert [json.loads(line)["event"] for line in path.open("r", encoding="utf-8")] == ["sighting"]


def test_undelivered_events_are_delivered_later(home: Home, tmp_path: Path) -> None:
    """While following, what did not arrive is told, kept, and delivered as soon as it can be."""
    folder = tmp_path / "siem"
    path = folder / "events.jsonl"
    patrol = home.patrol(Feed(path))
    told = following(patrol)
    home.office.pay(PLUMBER)
    assert [next(told)["event"] for _ in range(2)] == ["sighting", "undelivered"]
    assert patrol.code == 2
    folder.mkdir()
    home.office.decide(by="a stranger")
    assert next(told)["event"] == "sighting"
    home.office.decide(by="another stranger", bound=home.office.bind(nonce=77))
    next(told)
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [event["detector"] for event in events] == ["new-counterparty", "impersonation"]


def test_a_locked_home_is_a_blind_moment_while_following(home: Home) -> None:
    """A home that another process holds is told as blindness, and looked at again."""
    patrol = home.patrol()
    told = following(patrol)
    home.wrong = SetupError("the home is in use", "Wait")
    event = next(told)
    assert (event["event"], event["what"], event["remedy"]) == ("blind", "home", "Wait")
    home.wrong = None
    home.office.pay(PLUMBER)
    assert next(told)["event"] == "sighting"
    assert patrol.code == 2


def test_a_locked_home_ends_a_single_look(home: Home) -> None:
    """Looking once, a home that cannot be opened is an error."""
    home.wrong = SetupError("the home is in use", "Wait")
    with pytest.raises(SetupError):
        home.look()


def test_a_chain_that_is_away_when_the_home_is_opened_is_a_blind_moment(home: Home) -> None:
    """While following, a chain that does not answer is told, and looked at again."""
    told = following(home.patrol())
    home.wrong = LedgerError("the node does not answer", "Start it")
    assert next(told)["event"] == "blind"
    home.wrong = None
    home.office.pay(PLUMBER)
    assert next(told)["event"] == "sighting"


def test_a_house_is_opened_for_each_look(home: Home) -> None:
    """While following, the home is opened and closed again each time, and read on."""
    told = following(home.patrol())
    home.office.pay(PLUMBER)
    next(told)
    home.office.decide(by="a stranger")
    assert next(told)["detector"] == "impersonation"
    assert home.opened == 2


def test_people_are_told_lines_and_standings(home: Home) -> None:
    """Without --json a line an event is told, then who stands where, the riskiest first."""
    home.office.decide(by="a stranger")
    lines = list(home.patrol().lines(every=None, json=False))
    assert "sighting" in lines[0]
    assert lines[0].startswith("20")
    start = lines.index("risk  who, and why")
    risks = [int(line[:4]) for line in lines[start + 1 :]]
    assert risks == sorted(risks, reverse=True)
    assert "impersonation" in lines[start + 1]
    assert lines[-1].endswith(" others: nothing")


def test_a_guardian_whose_key_is_not_there_is_refused(home: Home) -> None:
    """A mistyped name of a key makes no new key, and nothing is sworn with it."""
    before = home.office.log.size()
    with pytest.raises(InputError, match="holds no key named 'nobody'"):
        home.look(guardian="nobody")
    assert home.office.log.size() == before


def test_json_lines_are_json_only(home: Home) -> None:
    """With --json every line is an object, and no table follows."""
    home.office.decide(by="a stranger")
    lines = list(home.patrol().lines(every=None, json=True))
    assert [json.loads(line)["event"] for line in lines] == ["sighting"]
