"""Affiants: they swear once per job, observe as sources, and agents decide over what they saw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fuse import Crash, Fuse

from affiant.agent.affiant import Affiant
from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import InputError, MalformedError, RegistrationRefused
from affiant.kernel.model import Input
from affiant.testing import fixed_key
from shop import GUARDIAN, STRANGER, Scribe, Shop, due, findings

NOWHERE = sha256(b"not in this log")
SEEN = {"source": "a scale", "shape": [], "units": "kg", "kept": "nobody"}
SOURCE = fixed_key("source")


@pytest.fixture
def source(shop: Shop) -> Affiant:
    """Return a source of data in the shop's house."""
    return shop.affiant(SOURCE)


def pay(shop: Shop, job: str, *inputs: Input, **parts: Any) -> Any:
    """Let the agent pay what these inputs say is due."""
    return shop.agent(**parts).act(job, shop.mandate, shop.model, inputs)


def test_a_job_is_sworn_for_once(shop: Shop, source: Affiant) -> None:
    """The same job again returns the same statement, later too, and logs nothing."""
    first = source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    shop.clock.advance(100)
    assert source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN) == first
    assert shop.told()[2:] == [first]
    assert (first.issuer, first.subject) == (SOURCE.public, NOWHERE)
    assert source.swear("another job", bodies.OBSERVATION, NOWHERE, SEEN) != first


@pytest.mark.parametrize(
    ("kind", "subject", "content"),
    [
        (bodies.OBSERVATION, NOWHERE, {**SEEN, "units": "g"}),
        (bodies.OBSERVATION, sha256(b"other"), SEEN),
        (bodies.MODEL, NOWHERE, SEEN),
    ],
    ids=["content", "subject", "kind"],
)
def test_a_job_is_not_told_otherwise(
    shop: Shop, source: Affiant, kind: str, subject: bytes, content: dict[str, Any]
) -> None:
    """Other content, another subject or kind under the same job is refused, and nothing logged."""
    source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    size = shop.log.size()
    with pytest.raises(InputError, match="something else was sworn"):
        source.swear("job", kind, subject, content)
    assert shop.log.size() == size


def test_a_job_of_another_is_refused(shop: Shop, source: Affiant) -> None:
    """Nobody swears under a job for which another key of the house has sworn."""
    source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    with pytest.raises(InputError, match="was sworn by"):
        shop.affiant(STRANGER).swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    shop.affiant(STRANGER).swear("job of the stranger", bodies.OBSERVATION, NOWHERE, SEEN)


def test_what_fits_into_no_body_is_not_sworn(shop: Shop, source: Affiant) -> None:
    """A content out of form is refused and leaves the job free."""
    with pytest.raises(MalformedError):
        source.swear("job", bodies.OBSERVATION, NOWHERE, {**SEEN, "kept": None})
    source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    assert shop.kinds() == ["observation"]


def test_lineage_is_sworn_to(shop: Shop, source: Affiant) -> None:
    """What a statement rests on is named in its body."""
    first = source.swear("first", bodies.OBSERVATION, NOWHERE, SEEN)
    second = source.swear("second", bodies.OBSERVATION, NOWHERE, SEEN, because=[first])
    told = bodies.decode(shop.log.body(second.body) or b"", bodies.CORE_KINDS)
    assert [reference.leaf for reference in told.because] == [first.leaf]


def _behind(shop: Shop, fuse: Fuse) -> Affiant:
    ports = fuse.ports(log=shop.log, archive=shop.archive, outbox=shop.outbox)
    return replace(shop.affiant(SOURCE), **ports)


def test_a_crash_while_swearing_is_made_good() -> None:
    """Wherever the process dies, the job goes on with the bytes kept, and is logged once."""
    blown = 0
    for at in range(1, 9):
        for after in (False, True):
            shop = Shop()
            fuse = Fuse(at, after=after)
            try:
                _behind(shop, fuse).swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
            except Crash:
                blown += 1
            kept = shop.outbox.get("job")
            shop.clock.advance(7)
            told = shop.affiant(SOURCE).swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
            assert kept is None or kept.statement == told
            assert shop.told()[2:] == [told]
    assert blown >= 6


def test_a_crash_while_observing_is_made_good() -> None:
    """Wherever the process dies, the source's data is observed once and can be read."""
    blown = 0
    for at in range(1, 12):
        for after in (False, True):
            shop = Shop()
            try:
                _behind(shop, Fuse(at, after=after)).observe("job", due(100))
            except Crash:
                blown += 1
            seen = shop.affiant(SOURCE).observe("job", due(100))
            assert shop.kinds() == ["observation"]
            assert pay(shop, "pay", seen).refused is None
    assert blown >= 8


def test_a_source_swears_to_the_same_data_once(shop: Shop, source: Affiant) -> None:
    """The same job over the same data is one observation; over other data it is a new one."""
    first = source.observe("reading", due(100))
    assert source.observe("reading", due(100)) == first
    assert first == replace(due(100), observation=first.observation)
    other = source.observe("reading", due(50))
    assert other.observation != first.observation
    assert shop.kinds() == ["observation", "observation"]


def test_an_agent_decides_over_what_its_source_swore(shop: Shop, source: Affiant) -> None:
    """A source's data is an input without the agent swearing to it again, in the order given."""
    inputs = [source.observe("first", due(60)), due(30), source.observe("second", due(10))]
    act = pay(shop, "job", *inputs)
    assert (act.refused, shop.paid) == (None, [100])
    told = [t for t in shop.told() if t.kind == bodies.OBSERVATION]
    by = {SOURCE.public: 2, shop.key.public: 1}
    assert {key: sum(t.issuer == key for t in told) for key in by} == by
    (decision,) = shop.said(bodies.DECISION)
    named = decision["inputs"]
    assert [named[0], named[2]] == [to_hex(i.observation or b"") for i in (inputs[0], inputs[2])]
    report = shop.audit(models=shop.models())
    assert findings(report) == set()
    replayed = [check.good for check in report.checks() if check.name == "decision.replay"]
    assert replayed == [True]
    assert pay(shop, "job", *inputs).decision == act.decision
    assert shop.paid == [100]


def test_the_agents_own_data_is_sworn_by_the_agent(shop: Shop) -> None:
    """Without a source's oath the agent swears that it saw the data."""
    pay(shop, "job", due(100))
    (told,) = [t for t in shop.told() if t.kind == bodies.OBSERVATION]
    assert told.issuer == shop.key.public


def _nothing_was_done(shop: Shop) -> None:
    assert shop.paid == []
    assert "decision" not in shop.kinds()


def test_a_source_that_swore_nothing_is_refused(shop: Shop) -> None:
    """An input whose observation is not in the log is refused before anything is decided."""
    with pytest.raises(InputError, match="is no observation in this log"):
        pay(shop, "job", replace(due(100), observation=NOWHERE))
    _nothing_was_done(shop)


def test_a_statement_of_another_kind_is_no_observation(shop: Shop, scribe: Scribe) -> None:
    """An input that names a model statement as its observation is refused."""
    scribe.begin()
    with pytest.raises(InputError, match="is no observation"):
        pay(shop, "job", replace(due(100), observation=scribe.model.statement.leaf))
    _nothing_was_done(shop)


def test_an_observation_of_other_data_is_refused(shop: Shop, source: Affiant) -> None:
    """A source's oath for one amount does not stand for another one."""
    seen = source.observe("reading", due(100))
    with pytest.raises(InputError, match="is not what did:key"):
        pay(shop, "job", replace(due(101), observation=seen.observation))
    _nothing_was_done(shop)
    assert pay(shop, "job", seen).refused is None


def test_a_decided_job_is_not_told_over_another_source(shop: Shop, source: Affiant) -> None:
    """A job decided over one source's data is refused over other data of another."""
    pay(shop, "job", source.observe("reading", due(100)))
    with pytest.raises(InputError, match="other data"):
        pay(shop, "job", source.observe("another reading", due(99)))
    assert shop.paid == [100]


def test_data_that_its_source_lost_is_doubted(shop: Shop, source: Affiant) -> None:
    """If what a source swore to cannot be read any more, the agent refuses to act on it."""
    seen = source.observe("reading", due(100))
    shop.archive._db.execute("DELETE FROM observed")
    assert pay(shop, "job", seen).refused == "input-altered"
    _nothing_was_done(shop)


def test_data_that_was_altered_in_between_is_doubted(shop: Shop, source: Affiant) -> None:
    """If what a source swore to was altered after the agent looked, it refuses to act on it."""
    seen = source.observe("reading", due(100))
    archive = Alters(shop)
    assert pay(shop, "job", seen, archive=archive).refused == "input-altered"
    _nothing_was_done(shop)


class Alters:
    """An archive in which data changes after it was looked at once."""

    def __init__(self, shop: Shop) -> None:
        self._archive, self._looked = shop.archive, False

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
        """Keep data."""
        self._archive.put(subject, salt, data)

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return what is kept the first time, something else then."""
        kept = self._archive.get(subject)
        first, self._looked = not self._looked, True
        return kept if first or kept is None else (kept[0], b'{"units":399}')


def test_an_input_observed_already_is_passed_on(shop: Shop, source: Affiant) -> None:
    """Observing what another source swore to adds no oath, and checks that it did."""
    seen = source.observe("reading", due(100))
    other = shop.affiant(STRANGER)
    assert other.observe("copy", seen) == seen
    assert shop.kinds() == ["observation"]
    with pytest.raises(InputError, match="no observation"):
        other.observe("copy", replace(seen, observation=NOWHERE))


def test_a_guardian_swears_alerts(shop: Shop, scribe: Scribe) -> None:
    """An alert is sworn by the book under a job, and the log refuses one without grounds."""
    scribe.begin()
    guardian = shop.affiant(GUARDIAN)
    draft = scribe.alert(scribe.stay())
    content = bodies.decode(draft.body, bodies.CORE_KINDS).content
    told = guardian.swear("alert", bodies.ALERT, draft.statement.subject, content)
    assert statement.decode(shop.log.entry(4)).verify() == told
    weak = scribe.alert(scribe.stay(), [scribe.finding("drift")])
    content = bodies.decode(weak.body, bodies.CORE_KINDS).content
    with pytest.raises(RegistrationRefused, match="neither a rule"):
        guardian.swear("weak", bodies.ALERT, weak.statement.subject, content)


def test_turns_are_taken(shop: Shop) -> None:
    """Swearing and observing happen inside the turn that the house's writers share."""
    turn = Turn()
    source = replace(shop.affiant(SOURCE), turn=turn)
    source.swear("job", bodies.OBSERVATION, NOWHERE, SEEN)
    source.observe("reading", due(1))
    assert turn.taken == 2


class Turn:
    """Counts how often it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __enter__(self) -> None:
        """Take it."""
        self.taken += 1

    def __exit__(self, *_: object) -> None:
        """Give it back."""


def test_an_observation_under_another_name_is_refused(shop: Shop, source: Affiant) -> None:
    """Data that was sworn to as invoices is not decided over as anything else."""
    seen = source.observe("reading", due(100))
    for changes in ({"source": "weather"}, {"units": "degrees"}, {"shape": (2,)}):
        with pytest.raises(InputError, match="tells of 'invoices'"):
            pay(shop, "job", replace(seen, **changes))
    _nothing_was_done(shop)
