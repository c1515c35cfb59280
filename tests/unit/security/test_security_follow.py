"""Following a log and a chain that lie: every way to replace history is noticed, honesty is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from office import (
    DESK,
    HOUR,
    KINDS,
    NOTES,
    STRANGER,
    Office,
    Paper,
    PayModel,
    busy,
    detectors,
    names,
)

from affiant.kernel import merkle, statement
from affiant.kernel.alert import RULE
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import IntegrityError, LedgerError
from affiant.kernel.merkle import EMPTY_ROOT
from affiant.kernel.ports import Block
from affiant.verticals.security.follow import (
    REMEMBERED,
    ChainFollower,
    LogFollower,
    Reorganised,
)
from affiant.verticals.security.sightings import Sighting, Sworn
from affiant.verticals.security.watch import Memory


def written(count: int = 9) -> Office:
    """Return an office whose log has that many entries."""
    office = Office()
    for number in range(count - office.log.size()):
        office.vouch(PayModel(version=str(number)), by=DESK)
    assert office.log.size() == count
    return office


def read(follower: LogFollower, now: int = 1 << 32) -> tuple[list[int], list[str]]:
    """Return which entries were read, and which troubles were told."""
    items = list(follower.read(now))
    indices = [item.index for item in items if isinstance(item, Sworn)]
    return indices, [item.finding.detector for item in items if isinstance(item, Sighting)]


def test_an_honest_log_is_read_once() -> None:
    """Every entry is read once, in order, and the root is the log's."""
    office = written()
    follower = LogFollower(office.log, KINDS)
    assert read(follower) == (list(range(9)), [])
    assert read(follower) == ([], [])
    office.vouch(PayModel(version="later"))
    assert read(follower) == ([9], [])
    assert (follower.root, follower.sound) == (office.log.head().root, True)


def test_an_honest_copy_reads_the_same() -> None:
    """The paper copy on which tests lie is honest as long as nothing is changed."""
    office = written()
    follower = LogFollower(Paper.of(office.log), KINDS)
    assert read(follower) == (list(range(9)), [])
    assert follower.root == office.log.head().root


def _flip(paper: Paper) -> None:
    entry = paper.entries[4]
    paper.entries[4] = entry[:-1] + bytes([entry[-1] ^ 1])


def _drop(paper: Paper) -> None:
    paper.entries.append(paper.entries.pop(4))


def _reorder(paper: Paper) -> None:
    paper.entries[4], paper.entries[5] = paper.entries[5], paper.entries[4]


def _replace(paper: Paper) -> None:
    paper.entries[4] = paper.entries[5]


TAMPERING: list[Callable[[Paper], None]] = [_flip, _drop, _reorder, _replace]


@pytest.mark.parametrize("tamper", TAMPERING)
def test_entries_under_a_checkpoint_cannot_be_changed(tamper: Callable[[Paper], None]) -> None:
    """Flipped, dropped, reordered or replaced entries do not have the root that was signed."""
    paper = Paper.of(written().log)
    paper.shown = paper.head()
    tamper(paper)
    follower = LogFollower(paper, KINDS)
    assert "fork" in read(follower)[1]
    assert not follower.sound


@pytest.mark.parametrize("tamper", TAMPERING)
def test_history_that_was_seen_cannot_be_changed(tamper: Callable[[Paper], None]) -> None:
    """Signed anew with the log's true keys, changed entries are told from those seen before."""
    paper = Paper.of(written().log)
    seen = (7, paper.root(7))
    tamper(paper)
    follower = LogFollower(paper, KINDS, seen)
    assert "fork" in read(follower)[1]
    assert not follower.sound


def test_a_fork_beyond_what_was_seen_is_new_history() -> None:
    """What follows an earlier reading may be anything: nobody has seen it yet."""
    paper = Paper.of(written().log)
    seen = (4, paper.root(4))
    _reorder(paper)
    assert read(LogFollower(paper, KINDS, seen)) == (list(range(9)), [])


def test_after_a_fork_nothing_is_read_on() -> None:
    """Once a log was caught, its other entries are never handed out as if they were sound."""
    paper = Paper.of(written().log)
    follower = LogFollower(paper, KINDS, (5, sha256(b"another root")))
    first, wrong = read(follower)
    assert (max(first), wrong) == (3, ["fork"])
    assert read(follower)[0] == []


def test_a_rollback_is_told() -> None:
    """A log that shows less than it did is told; the same size is not."""
    paper = Paper.of(written().log)
    follower = LogFollower(paper, KINDS)
    read(follower)
    assert read(follower) == ([], [])
    paper.shown = paper.signed(7, paper.root(7))
    assert read(follower) == ([], ["rollback"])
    assert not follower.sound


def test_a_rollback_across_restarts_is_told() -> None:
    """A follower begun anew, which knows size and root, tells a log that has become shorter."""
    paper = Paper.of(written().log)
    seen = (9, paper.root(9))
    paper.entries.pop()
    follower = LogFollower(paper, KINDS, seen)
    assert read(follower) == ([], ["rollback"])
    assert read(LogFollower(paper, KINDS)) == (list(range(8)), [])


def test_a_checkpoint_over_another_root_is_told() -> None:
    """A head whose root is not that of the entries is a fork, however well it is signed."""
    paper = Paper.of(written().log)
    paper.shown = paper.signed(9, sha256(b"another root"))
    assert read(LogFollower(paper, KINDS))[1] == ["fork"]


def test_a_checkpoint_that_is_not_the_one_signed_is_told() -> None:
    """Size and root next to the note must be those that the note signs."""
    paper = Paper.of(written().log)
    paper.shown = replace(paper.signed(8, paper.root(8)), size=9, root=paper.root(9))
    assert read(LogFollower(paper, KINDS)) == ([], ["fork"])


def test_a_checkpoint_without_the_logs_signature_is_told() -> None:
    """A note that the log's key did not sign holds nothing."""
    paper = Paper.of(written().log)
    note = paper.head().note
    paper.shown = replace(
        paper.head(), note=note[:-4] + ("A" if note[-4] != "A" else "B") + note[-3:]
    )
    assert read(LogFollower(paper, KINDS)) == ([], ["fork"])
    paper.shown = replace(paper.head(), note="")
    assert read(LogFollower(paper, KINDS)) == ([], ["fork"])


def test_a_replaced_body_is_told() -> None:
    """A body that is not the one sworn to is a bad entry, also if it is one of the same kind."""
    paper = Paper.of(written().log)
    digests = [statement.decode(entry).unverified.body for entry in paper.entries]
    paper.known[digests[4]] = paper.known[digests[5]]
    indices, wrong = read(LogFollower(paper, KINDS))
    assert (4 in indices, wrong) == (False, ["bad-entry"])


@pytest.mark.parametrize("body", [None, b"", b"{}", b"\xff"])
def test_a_missing_or_broken_body_is_told(body: bytes | None) -> None:
    """A body that is gone, or no body, is a bad entry."""
    paper = Paper.of(written().log)
    digest = statement.decode(paper.entries[4]).unverified.body
    paper.known = {key: value for key, value in paper.known.items() if key != digest}
    if body is not None:
        paper.known[digest] = body
    assert read(LogFollower(paper, KINDS))[1] == ["bad-entry"]


def test_a_kind_that_this_house_does_not_know_is_told() -> None:
    """An entry whose kind is unknown here cannot be judged, and that is not passed over."""
    office = written(4)
    known = {name: kind for name, kind in KINDS.items() if "model" not in name}
    assert read(LogFollower(office.log, known))[1] == ["bad-entry", "bad-entry"]


def test_a_bad_signature_under_the_root_is_told() -> None:
    """A log that takes in and signs over an entry with a wrong signature is told."""
    paper = Paper.of(written().log)
    _flip(paper)
    follower = LogFollower(paper, KINDS)
    indices, wrong = read(follower)
    assert (indices, wrong) == ([0, 1, 2, 3, 5, 6, 7, 8], ["bad-entry"])
    assert not follower.sound


@pytest.mark.parametrize("entry", [b"", b"\x00", b"no statement"])
def test_bytes_that_are_no_statement_are_told(entry: bytes) -> None:
    """An entry that is no statement at all is told, and stops nothing."""
    paper = Paper.of(written().log)
    paper.entries[4] = entry
    assert read(LogFollower(paper, KINDS))[1] == ["bad-entry"]


def test_trouble_is_a_rule_about_the_log() -> None:
    """The culprit is the log by its origin, the evidence its first entry, the class ASI06."""
    paper = Paper.of(written().log)
    paper.shown = paper.signed(9, sha256(b"another root"))
    *_, told = LogFollower(paper, KINDS).read(5)
    assert isinstance(told, Sighting)
    assert (told.suspect, told.time) == (paper.policy.origin, 5)
    assert (told.finding.family, told.finding.threat) == (RULE, "ASI06")
    assert told.finding.statements == (merkle.leaf_hash(paper.entries[0]),)


def test_a_log_out_of_reach_raises() -> None:
    """A log that does not answer is no finding but an error; afterwards reading goes on."""
    office = written()
    follower = LogFollower(office.log, KINDS)
    office.log.down = True
    with pytest.raises(IntegrityError):
        read(follower)
    office.log.down = False
    assert read(follower) == (list(range(9)), [])
    assert follower.sound


def test_an_anchor_that_the_log_matches_is_silent() -> None:
    """Every checkpoint that the log ever had is consistent with what was read."""
    paper = Paper.of(written().log)
    follower = LogFollower(paper, KINDS)
    read(follower)
    assert [follower.compare(size, paper.root(size), 0) for size in range(1, 10)] == [None] * 9
    assert follower.sound


@pytest.mark.parametrize("size", range(1, 10))
def test_an_anchor_that_the_log_does_not_match_is_told(size: int) -> None:
    """Another root on chain is a fork, at every size."""
    follower = LogFollower(Paper.of(written().log), KINDS)
    read(follower)
    told = follower.compare(size, sha256(b"another root"), 7)
    assert told is not None
    assert (told.finding.detector, told.time, follower.sound) == ("fork", 7, False)


def test_an_anchor_beyond_the_log_is_told() -> None:
    """A chain that holds more entries than the log shows means that the log takes some back."""
    follower = LogFollower(Paper.of(written().log), KINDS)
    read(follower)
    told = follower.compare(10, sha256(b"ten entries"), 7)
    assert told is not None
    assert told.finding.detector == "rollback"


def test_a_fork_is_caught_although_nodes_lie() -> None:
    """A log that answers with other inner nodes than its entries have proves nothing by them."""
    office = written()
    forked = written(4)
    for number in range(5):
        forked.vouch(PayModel(version=f"fork {number}"), by=DESK)
    paper, other = Paper.of(office.log), Paper.of(forked.log)
    follower = LogFollower(paper, KINDS)
    read(follower)
    follower.log = other
    told = follower.compare(7, other.root(7), 0)
    assert told is not None
    assert told.finding.detector == "fork"


def test_a_watch_sees_that_the_chain_holds_another_log() -> None:
    """A watch compares what the chain anchored with what the log shows; an honest log is calm."""
    office = busy()
    assert office.watch(None).step() == []
    paper = Paper.of(office.log)
    _reorder(paper)
    office.shown = paper
    events = office.watch(None).step()
    assert "fork" in detectors(events)
    assert {event.facts["suspect"] for event in events} >= {office.log.policy.origin}


def test_a_resumed_watch_catches_fork_and_rollback() -> None:
    """What a watch remembers catches a log that was forked or rolled back before the next one."""
    office = busy()
    first = office.watch(None)
    first.step()
    seen = first.memory
    assert seen is not None
    assert office.watch(None, seen=seen).step() == []
    paper = Paper.of(office.log)
    paper.entries.pop()
    office.shown = paper
    short = office.watch(None, seen=seen)
    assert "rollback" in detectors(short.step())
    assert short.memory is None
    office.shown, paper = None, Paper.of(office.log)
    _reorder(paper)
    office.shown = paper
    forked = office.watch(None, seen=seen)
    assert "fork" in detectors(forked.step())
    assert forked.memory is None


def test_a_memory_of_nothing_remembers_nothing() -> None:
    """The first watch begins with an empty log's root."""
    assert Memory() == Memory(0, EMPTY_ROOT, -1)


def test_dating_back_does_not_turn_time_back() -> None:
    """Log time never falls; a statement sworn an hour ago counts as of the newest before it."""
    office = written(4)
    now = office.clock.now()
    office.vouch(PayModel(version="on time"))
    office.swear("affiant/model/v1", sha256(b"x"), _model(), late=HOUR)
    times = [i.time for i in LogFollower(office.log, KINDS).read(now) if isinstance(i, Sworn)]
    assert times == [now] * 6


def test_dating_ahead_moves_log_time_within_the_logs_drift() -> None:
    """Log time is what issuers say, which runs ahead as far as the log allows and no further."""
    office = written(4)
    now = office.clock.now()
    office.swear("affiant/model/v1", sha256(b"x"), _model(), late=-50)
    office.vouch(PayModel(version="on time"))
    told = [item for item in LogFollower(office.log, KINDS).read(now) if isinstance(item, Sworn)]
    assert [item.time for item in told[-2:]] == [now + 50, now + 50]


def _model() -> dict[str, object]:
    return {
        "name": "x",
        "version": "1",
        "deterministic": True,
        "training": "",
        "metrics": {},
        "approvals": [],
    }


def mine(office: Office, count: int, by: str = STRANGER) -> None:
    """Mine blocks that do nothing but hold a failed call."""
    for _ in range(count):
        office.off_the_record(by=by)


def numbers(items: list[Block | Reorganised]) -> list[int | tuple[int, ...]]:
    """Return block numbers, and those of replaced blocks as tuples."""
    return [
        tuple(block.number for block in item.dropped)
        if isinstance(item, Reorganised)
        else item.number
        for item in items
    ]


def test_a_chain_is_read_once() -> None:
    """Every block is given once; without news there is nothing."""
    office = Office()
    follower = ChainFollower(office.ledger)
    mine(office, 3)
    assert numbers(list(follower.read())) == [0, 1, 2, 3]
    assert numbers(list(follower.read())) == []
    mine(office, 1)
    assert (numbers(list(follower.read())), follower.height) == ([4], 4)


def test_a_reorganisation_goes_back_to_where_both_agree() -> None:
    """Replaced blocks are named, oldest first, and the new ones are given."""
    office = Office()
    follower = ChainFollower(office.ledger)
    mine(office, 2)
    saved = office.ledger.save()
    mine(office, 3)
    list(follower.read())
    office.ledger.restore(saved)
    mine(office, 4)
    assert numbers(list(follower.read())) == [(3, 4, 5), 3, 4, 5, 6]
    assert numbers(list(follower.read())) == []


def test_a_chain_that_only_became_shorter_is_a_reorganisation() -> None:
    """Blocks that are gone are replaced by nothing, and that is told too."""
    office = Office()
    follower = ChainFollower(office.ledger)
    mine(office, 1)
    saved = office.ledger.save()
    mine(office, 2)
    list(follower.read())
    office.ledger.restore(saved)
    assert numbers(list(follower.read())) == [(2, 3)]
    assert follower.height == 1


def test_a_reorganisation_while_reading_is_noticed() -> None:
    """Blocks replaced between two answers of one reading are not glued to the old ones."""
    office = Office()
    mine(office, 2)
    saved = office.ledger.save()
    mine(office, 2)
    items = ChainFollower(office.ledger).read()
    told = [next(items) for _ in range(4)]
    office.ledger.restore(saved)
    mine(office, 3)
    told += items
    assert numbers(told) == [0, 1, 2, 3, (3,), 3, 4, 5]


def test_as_many_blocks_as_are_remembered_may_be_replaced() -> None:
    """A reorganisation is followed up to the blocks that are remembered but one."""
    office = Office()
    follower = ChainFollower(office.ledger)
    saved = office.ledger.save()
    mine(office, REMEMBERED - 1)
    list(follower.read())
    office.ledger.restore(saved)
    (told,) = follower.read()
    assert isinstance(told, Reorganised)
    assert len(told.dropped) == REMEMBERED - 1


def test_more_blocks_than_are_remembered_are_an_error() -> None:
    """A chain that replaced all that is remembered is not followed."""
    office = Office()
    follower = ChainFollower(office.ledger)
    saved = office.ledger.save()
    mine(office, REMEMBERED)
    list(follower.read())
    office.ledger.restore(saved)
    mine(office, 1)
    with pytest.raises(IntegrityError, match=f"replaced more than {REMEMBERED} blocks"):
        list(follower.read())


def test_a_chain_once_lost_is_not_followed_any_further() -> None:
    """As the remedy says, one has to watch anew; the same follower does not begin again."""
    office = Office()
    follower = ChainFollower(office.ledger)
    saved = office.ledger.save()
    mine(office, REMEMBERED)
    list(follower.read())
    office.ledger.restore(saved)
    with pytest.raises(IntegrityError):
        list(follower.read())
    with pytest.raises(IntegrityError):
        list(follower.read())


def test_a_chain_out_of_reach_raises() -> None:
    """A chain that does not answer is an error; afterwards reading goes on where it was."""
    office = Office()
    follower = ChainFollower(office.ledger)
    mine(office, 2)
    list(follower.read())
    mine(office, 1)
    office.ledger.down = frozenset({"block"})
    with pytest.raises(LedgerError):
        list(follower.read())
    office.ledger.down = frozenset()
    assert numbers(list(follower.read())) == [3]


def test_a_reorganisation_is_told_also_if_the_chain_stops_answering() -> None:
    """All replaced blocks are told, though the chain falls silent while one goes back."""
    office = Office()
    follower = ChainFollower(office.ledger)
    saved = office.ledger.save()
    mine(office, 3)
    list(follower.read())
    office.ledger.restore(saved)
    held, asked = office.ledger.block, list[int]()

    def block(number: int) -> Block | None:
        asked.append(number)
        if len(asked) == 3:
            raise LedgerError("the chain does not answer", "Try again")
        return held(number)

    office.ledger.block = block  # type: ignore[method-assign]
    with pytest.raises(LedgerError):
        list(follower.read())
    assert numbers(list(follower.read())) == [(1, 2, 3)]


def test_a_watch_tells_of_replaced_blocks_and_not_twice_of_an_attempt() -> None:
    """A reorganisation is told with what it undid; an attempt mined again is not told again."""
    office = busy()
    watch = office.watch(None)
    watch.step()
    saved = office.ledger.save()
    act = office.pay()
    forged = office.bind()
    told = office.decide(forged, by=STRANGER, logged=False)
    before = office.ledger.save()
    first = office.ledger.attempt(forged, told)
    assert names(watch.step()) == ["sighting"]
    office.ledger.restore(saved)
    (event,) = watch.step()
    assert event.name == "reorganised"
    assert event.facts == {"executionsDropped": ["0x" + act.decision.leaf.hex()]}
    office.ledger.restore(before)
    office.ledger._mined -= 1
    assert office.ledger.attempt(forged, told) == first
    assert [name for name in names(watch.step()) if name == "sighting"] == []


def test_the_notes_key_is_the_logs() -> None:
    """The paper log signs with the office's own key, so that it lies as the operator could."""
    assert Paper.of(Office().log).key == NOTES.public
