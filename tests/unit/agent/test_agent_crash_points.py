"""A crash at every step: whenever the process dies, the same job goes on and acts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from fuse import Crash, Fuse

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.house import Act
from affiant.kernel.model import Doubt, Proposal
from shop import PayModel, Shop, due, findings

Run = Callable[[Shop, Fuse | None], Act]


def _parts(shop: Shop, fuse: Fuse | None) -> dict[str, Any]:
    ports = {"log": shop.log, "ledger": shop.ledger, "archive": shop.archive, "outbox": shop.outbox}
    return fuse.ports(**ports) if fuse else {}


def pays(shop: Shop, fuse: Fuse | None) -> Act:
    """Pay what is due."""
    return shop.pay(**_parts(shop, fuse))


def overpays(shop: Shop, fuse: Fuse | None) -> Act:
    """Try to pay above the cap, without looking at the terms: the contract refuses."""
    return shop.pay(units=401, careful=False, **_parts(shop, fuse))


def holds_back(shop: Shop, fuse: Fuse | None) -> Act:
    """Look at the terms and refuse."""
    return shop.pay(units=401, **_parts(shop, fuse))


def doubts(shop: Shop, fuse: Fuse | None) -> Act:
    """Let the model doubt."""
    return shop.pay(units=0, **_parts(shop, fuse))


RUNS = [pays, overpays, holds_back, doubts]


def calls(run: Run) -> int:
    """Return on how many calls of any port the run rests."""
    fuse = Fuse(1 << 30)
    run(Shop(), fuse)
    return fuse.calls


def crashes(run: Run) -> Iterator[Fuse]:
    """Yield a fuse for every call, once before and once after its effect."""
    for at in range(1, calls(run) + 1):
        yield Fuse(at)
        yield Fuse(at, after=True)


def drafts(shop: Shop) -> dict[str, tuple[bytes, bytes]]:
    """Return what is in the outbox, to the byte."""
    rows = shop.outbox._db.execute("SELECT job, body, entry FROM drafts")
    return {job: (body, entry) for job, body, entry in rows}


def crash(run: Run, shop: Shop, fuse: Fuse) -> None:
    """Run until the fuse blows, or to the end."""
    with suppress(Crash):
        run(shop, fuse)


def check_once(run: Run, shop: Shop) -> None:
    """Check that all went as if there had been one run, and nothing was said twice."""
    act = run(shop, None)
    answers = [kind for kind in shop.kinds() if kind in ("decision", "refusal", "outcome")]
    expected = (1, [100]) if run is pays else (0, [])
    assert (len(shop.ledger.executions(shop.mandate)), shop.paid) == expected
    if run in (pays, overpays):
        assert answers == ["decision", "outcome"]
        nonce = shop.ledger.state(shop.mandate).nonce
        assert nonce == 1
        assert shop.ledger.cancelled(shop.mandate) == (set() if run is pays else {(0, 0)})
        (outcome,) = shop.said(bodies.OUTCOME)
        assert outcome["decision"] == to_hex(act.decision.leaf)
        assert outcome["status"] == ("executed" if run is pays else "refused")
    else:
        assert answers == ["refusal"]
    logged = {told.entry for told in shop.told()[2:]}
    assert logged == {entry for _, entry in drafts(shop).values()}
    report = shop.audit(models=shop.models())
    assert findings(report) == set()
    assert report.open() == []


@pytest.mark.parametrize("run", RUNS)
def test_a_crash_at_any_step_is_made_good(run: Run) -> None:
    """After a crash at any call, before or after its effect, the same job acts exactly once."""
    for fuse in crashes(run):
        shop = Shop()
        crash(run, shop, fuse)
        assert fuse.blown
        kept = drafts(shop)
        check_once(run, shop)
        assert kept.items() <= drafts(shop).items()
        for body, entry in kept.values():
            told = statement.decode(entry).verify()
            assert shop.log.body(told.body) == body


@pytest.mark.parametrize("run", [pays, overpays])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_a_crash_is_made_good_is_made_good(run: Run, *, after: bool) -> None:
    """After two crashes, the second while the first is made good, the job acts exactly once."""
    for first in range(2, calls(run) + 1, 3):
        shop, second = Shop(), 1
        crash(run, shop, Fuse(first, after=after))
        while second < 40:
            crash(run, shop, Fuse(second, after=not after))
            second += 7
        check_once(run, shop)


@pytest.mark.parametrize("run", RUNS)
def test_a_job_that_is_done_says_nothing_more(run: Run) -> None:
    """The same job again returns the same statements and logs, signs and executes nothing."""
    shop = Shop()
    first = run(shop, None)
    size, kept = shop.log.head().size, drafts(shop)
    shop.clock.advance(3600)
    again = run(shop, None)
    assert (again.decision, again.execution, again.outcome) == (
        first.decision,
        first.execution,
        first.outcome,
    )
    assert (shop.log.head().size, drafts(shop)) == (size, kept)
    check_once(run, shop)


def test_a_refused_job_tells_the_same_reason_again() -> None:
    """The act of a refused job names the rule that refused it, however often it is asked for."""
    shop = Shop()
    assert overpays(shop, None).refused == "AboveCap"
    assert overpays(shop, None).refused == "AboveCap"


def test_the_sworn_reason_survives_a_crash() -> None:
    """Whenever the process dies, the outcome swears to the rule that refused the action."""
    for fuse in crashes(overpays):
        shop = Shop()
        crash(overpays, shop, fuse)
        overpays(shop, None)
        (outcome,) = shop.said(bodies.OUTCOME)
        assert "AboveCap" in outcome["events"][0]["reason"]


def test_other_data_before_a_decision_are_observed_anew() -> None:
    """A job that was cut off before it was decided is decided over the data it is given then."""
    shop = Shop()
    with pytest.raises(ZeroDivisionError):
        shop.agent().act("job", shop.mandate, Breaks(), [due(100)])
    assert shop.pay(units=50).refused is None
    assert shop.paid == [50]
    assert shop.kinds().count("observation") == 2


def test_other_data_after_a_decision_are_refused() -> None:
    """A job that was decided is not told as if it had been decided over other data."""
    shop = Shop()
    crash(pays, shop, Fuse(calls(pays) - 1))
    with pytest.raises(InputError, match="other data"):
        shop.pay(units=399)
    shop.pay()
    assert shop.paid == [100]


class Breaks(PayModel):
    """A model that fails."""

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Fail."""
        raise ZeroDivisionError(len(inputs))
