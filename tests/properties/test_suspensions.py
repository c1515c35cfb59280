"""For any guardian and any plan: no window is still for longer than its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel import mandate, suspension
from affiant.kernel.errors import MandateRefused
from affiant.kernel.mandate import Bucket, Guardian, Level, State, Terms
from affiant.kernel.suspension import Suspension

from .strategies import QUICK
from .test_limits import START, pay, terms

GOODS = Bucket(1_000, 50)


@st.composite
def guardians(draw: st.DrawFn) -> Guardian:
    """Return a guardian with any limit below its window."""
    window = draw(st.integers(3, 120))
    return Guardian(b"g" * 20, draw(st.integers(2, window - 1)), window, b"")


@dataclass(frozen=True)
class Move:
    """What is tried after some seconds: a suspension that long, a resumption, or a payment."""

    wait: int
    kind: str
    seconds: int
    """How long it is to last; for a resumption, how long the guardian is silenced."""
    ahead: int
    """How far the oath's clock is ahead of the chain's; negative: how old the oath is."""


plans = st.lists(
    st.builds(
        Move,
        wait=st.integers(0, 60) | st.sampled_from([0, 0, 1]),
        kind=st.sampled_from(["suspend", "extend", "pay", "resume"] * 2 + ["most"] * 5),
        seconds=st.integers(0, 70),
        ahead=st.integers(-20, 60),
    ),
    max_size=40,
)


@dataclass
class Run:
    """A mandate with a guardian, and an account of the seconds in which its agent was still."""

    terms: Terms
    state: State = field(default_factory=State)
    now: int = START
    still: list[tuple[int, int]] = field(default_factory=list)
    """Disjoint intervals, kept by hand from what was allowed."""

    def suspend(self, until: int, iat: int) -> None:
        """Try to suspend; if it is allowed, account for it."""
        number = self.state.watch.number
        asked = Suspension(number, max(0, until))
        self.state = suspension.suspend(self.terms, self.state, asked, now=self.now, iat=iat)
        self._end_now()
        self.still.append((self.now, until))

    def resume(self, silent_until: int) -> None:
        """End what is in force."""
        self.state = suspension.resume(self.state, silent_until)
        self._end_now()

    def _end_now(self) -> None:
        """Cut what is in force: what comes next is accounted for from here."""
        if self.still and self.still[-1][1] > self.now:
            self.still[-1] = (self.still[-1][0], self.now)

    def move(self, move: Move) -> None:
        """Make a move, or be refused."""
        self.now += move.wait
        guardian = self.terms.guardian
        assert guardian is not None
        if move.kind == "resume":
            self.resume(self.now + move.seconds // 8)
            return
        if move.kind == "pay":
            action = pay(self.state.nonce, 1, self.now)
            self.state = mandate.check(self.terms, self.state, action, now=self.now)
            return
        begins = max(self.now, self.state.suspended_until)
        left = suspension.longest(self.terms, self.state, self.now)
        ends = {
            "suspend": self.now + move.seconds,
            "extend": begins + move.seconds,
            "most": begins + left,
        }[move.kind]
        self.suspend(ends, self.now + move.ahead)


def run(guardian: Guardian, plan: list[Move]) -> Iterator[tuple[Move, State, Run]]:
    """Make the moves of a plan; yield each that was allowed, with the state before it."""
    life = Run(replace(terms(GOODS), guardian=guardian))
    for move in plan:
        before = life.state
        try:
            life.move(move)
        except MandateRefused:
            assert life.state == before
            continue
        yield move, before, life


def most_still(still: list[tuple[int, int]], window: int) -> int:
    """Return the most seconds of these intervals in any `window` seconds.

    The sum over a sliding window is largest where the window begins with an interval, or ends with
    one.
    """
    begins = [begin for begin, _ in still] + [end - window for _, end in still]
    return max(
        (
            sum(max(0, min(end, at + window) - max(begin, at)) for begin, end in still)
            for at in begins
        ),
        default=0,
    )


@QUICK
@given(guardians(), plans)
def test_no_window_is_still_for_longer_than_the_limit(guardian: Guardian, plan: list[Move]) -> None:
    """Whatever is sworn, carried and resumed, any `window` holds at most `limit` seconds of it."""
    life = None
    for _, _, life in run(guardian, plan):  # noqa: B007 (the last one is looked at)
        pass
    if life is not None:
        assert most_still(life.still, guardian.window) <= guardian.limit


@QUICK
@given(guardians(), st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_a_greedy_guardian_gets_no_more(guardian: Guardian, waits: list[int]) -> None:
    """A guardian that takes all that is left whenever it can stays within its limit, too."""
    plan = [Move(wait, "most", 0, 60) for wait in waits]
    life = None
    for _, _, life in run(guardian, plan):  # noqa: B007 (the last one is looked at)
        pass
    assert life is not None
    assert most_still(life.still, guardian.window) <= guardian.limit


@QUICK
@given(guardians(), st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_resuming_gives_nothing_back(guardian: Guardian, waits: list[int]) -> None:
    """A guardian whose every suspension is cut short gets no more seconds for it."""
    kinds = ("most", "resume")
    plan = [Move(wait, kinds[place % 2], 0, 60) for place, wait in enumerate(waits)]
    life = None
    for _, _, life in run(guardian, plan):  # noqa: B007 (the last one is looked at)
        pass
    assert life is not None
    assert most_still(life.still, guardian.window) <= guardian.limit


@QUICK
@given(guardians(), plans)
def test_the_level_is_never_below_what_remains(guardian: Guardian, plan: list[Move]) -> None:
    """The guardian's level is at least the rest of the suspension in force, and at most half."""
    for _, _, life in run(guardian, plan):
        bucket, level = guardian.bucket, life.state.watch.level
        held = max(0, level.scaled - (life.now - level.at) * bucket.capacity)
        rest = max(0, life.state.suspended_until - life.now)
        assert rest * bucket.window <= held <= bucket.capacity * bucket.window


@QUICK
@given(guardians(), plans)
def test_the_account_is_the_states(guardian: Guardian, plan: list[Move]) -> None:
    """The agent is refused exactly in the seconds that were accounted for."""
    for _, _, life in run(guardian, plan):
        end = life.still[-1][1] if life.still else 0
        until = life.state.suspended_until
        assert (end if end > life.now else 0) == (until if until > life.now else 0)


@QUICK
@given(guardians(), plans)
def test_suspensions_change_nothing_of_the_agents(guardian: Guardian, plan: list[Move]) -> None:
    """Suspending leaves nonce, epoch, levels and revocation alone; acting leaves the watch."""
    for move, before, life in run(guardian, plan):
        after = life.state
        if move.kind == "pay":
            assert (after.watch, after.suspended_until) == (before.watch, before.suspended_until)
        else:
            watch = {"suspended_until": before.suspended_until, "watch": before.watch}
            assert replace(after, **watch) == before  # type: ignore[arg-type]
            assert after.watch.number == before.watch.number + 1


@QUICK
@given(guardians(), plans, st.integers(1, 100))
def test_resuming_voids_what_was_sworn(guardian: Guardian, plan: list[Move], seconds: int) -> None:
    """After a resumption nothing sworn before it can be carried, and the agent may act at once."""
    for _, _, life in run(guardian, plan):
        asked = Suspension(life.state.watch.number, life.now + seconds)
        resumed = suspension.resume(life.state, 0)
        assert resumed.suspended_until == 0
        assert resumed.watch.level == life.state.watch.level
        with pytest.raises(MandateRefused) as caught:
            suspension.suspend(life.terms, resumed, asked, now=life.now)
        assert caught.value.rule == "WrongSuspension"


def added(life: Run, seconds: int) -> str | None:
    """Return why these seconds may not be added now; None if they may."""
    begins, number = max(life.now, life.state.suspended_until), life.state.watch.number
    asked = Suspension(number, begins + seconds)
    try:
        suspension.suspend(life.terms, life.state, asked, now=life.now, iat=life.now + 60)
    except MandateRefused as error:
        return error.rule
    return None


@QUICK
@given(guardians(), plans)
def test_the_longest_is_exact(guardian: Guardian, plan: list[Move]) -> None:
    """What `longest` tells can be added, and one second more cannot."""
    for _, _, life in run(guardian, plan):
        left = suspension.longest(life.terms, life.state, life.now)
        rest = max(0, life.state.suspended_until - life.now)
        silent = life.now < life.state.watch.silent_until
        hoarded = rest + left + 1 > guardian.limit // 2 + 60
        if left:
            assert added(life, left) is None
        if silent:
            assert added(life, left + 1) == "GuardianSilenced"
        else:
            assert added(life, left + 1) == ("LivesTooLong" if hoarded else "AboveLimit")


@QUICK
@given(guardians())
def test_half_at_once_and_the_rest_as_it_leaks(guardian: Guardian) -> None:
    """A full bucket lets nothing through until a second has leaked, and is empty in one window."""
    granted, half = replace(terms(GOODS), guardian=guardian), guardian.limit // 2
    state = suspension.suspend(granted, State(), Suspension(0, START + half), now=START)
    assert state.watch.level == Level(half * guardian.window, START)
    assert suspension.longest(granted, state, START) == 0
    first = -(-guardian.window // half)
    assert suspension.longest(granted, state, START + first - 1) == 0
    assert suspension.longest(granted, state, START + first) == 1
    assert suspension.longest(granted, state, START + guardian.window) == half
