"""For any sequence of actions: no window ever sees more than its limit, and small flows leak."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from affiant.kernel import mandate
from affiant.kernel.action import ANYONE, Action
from affiant.kernel.encoding import word
from affiant.kernel.errors import MandateRefused
from affiant.kernel.mandate import Bucket, Level, Rule, State, Terms

from .strategies import QUICK

START = 1_800_000_000
TOKEN, PAY, PING = b"t" * 20, b"pay!", b"ping"
steps = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 600)), max_size=40)
buckets = st.builds(Bucket, limit=st.integers(2, 1000), window=st.integers(1, 100))


def terms(*several: Bucket) -> Terms:
    """Return terms with one rule for each bucket: amounts, then calls."""
    rules = (
        Rule(TOKEN, PAY, amount_word=0, cap=1 << 100),
        Rule(TOKEN, PING, mandate.EACH, cap=1, bucket=len(several) - 1),
    )
    return Terms(
        principal=b"p" * 20,
        agent=b"a" * 20,
        anchor=b"n" * 20,
        log_id=b"l" * 32,
        valid_from=0,
        valid_until=1 << 40,
        longest_life=1 << 30,
        header=b"",
        buckets=several,
        rules=rules,
    )


def pay(nonce: int, amount: int, now: int) -> Action:
    """Return the payment of an amount."""
    data = PAY + word(amount)
    return Action(0, nonce, bytes(32), TOKEN, 0, data, now, ANYONE, bytes(32))


def run(bucket: Bucket, plan: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Try every payment of a plan of (seconds to wait, amount); return those allowed."""
    granted, state, now, allowed = terms(bucket), State(), START, []
    for wait, amount in plan:
        now += wait
        left = mandate.remaining(bucket, state.levels.get(0, Level()), now)
        refused = None
        try:
            state = mandate.check(granted, state, pay(state.nonce, amount, now), now=now)
        except MandateRefused as error:
            refused = error.rule
        else:
            allowed.append((now, amount))
        assert refused == ("AboveLimit" if amount > left else None)
    return allowed


@QUICK
@given(buckets, steps)
def test_no_window_sees_more_than_the_limit(bucket: Bucket, plan: list[tuple[int, int]]) -> None:
    """Over any closed interval of `window` seconds, what was allowed is at most `limit`."""
    allowed = run(bucket, plan)
    for begin, _ in allowed:
        inside = [amount for at, amount in allowed if begin <= at <= begin + bucket.window]
        assert sum(inside) <= bucket.limit


@QUICK
@given(buckets, st.data())
def test_a_greedy_agent_gets_no_more(bucket: Bucket, data: st.DataObject) -> None:
    """An agent that takes all that is left whenever it can stays within the limit, too."""
    state, now, taken = State(), START, []
    for wait in data.draw(st.lists(st.integers(0, 60), max_size=40)):
        now += wait
        left = mandate.remaining(bucket, state.levels.get(0, Level()), now)
        state = mandate.check(terms(bucket), state, pay(state.nonce, left, now), now=now)
        taken.append((now, left))
    for begin, _ in taken:
        inside = [amount for at, amount in taken if begin <= at <= begin + bucket.window]
        assert sum(inside) <= bucket.limit


@QUICK
@given(buckets, steps)
def test_the_level_is_exact(bucket: Bucket, plan: list[tuple[int, int]]) -> None:
    """The scaled level is the exact fraction that leaks capacity / window each second."""
    exact, last = Fraction(0), START
    level = Level(0, START)
    rate = Fraction(bucket.capacity, bucket.window)
    granted, state = terms(bucket), State()
    for at, amount in run(bucket, plan):
        exact = max(Fraction(0), exact - (at - last) * rate) + amount
        last = at
        state = mandate.check(granted, state, pay(state.nonce, amount, at), now=at)
        level = state.levels[0]
        assert Fraction(level.scaled, bucket.window) == exact
        assert level.at == at
        assert exact <= bucket.capacity


@QUICK
@given(buckets)
def test_a_full_bucket_is_empty_after_one_window(bucket: Bucket) -> None:
    """What fills a bucket is gone one window later, and not a second earlier."""
    state = mandate.check(terms(bucket), State(), pay(0, bucket.capacity, START), now=START)
    level = state.levels[0]
    end = START + bucket.window
    assert mandate.remaining(bucket, level, START) == 0
    assert mandate.remaining(bucket, level, end - 1) < bucket.capacity
    assert mandate.remaining(bucket, level, end) == bucket.capacity


@QUICK
@given(st.integers(1, 50), st.integers(1, 60))
def test_a_small_flow_never_stops(unit: int, every: int) -> None:
    """A flow at exactly the leak rate goes on for ever: rounding takes nothing from it."""
    bucket = Bucket(limit=2 * unit * 7, window=7 * every)
    granted, state = terms(bucket), State()
    state = mandate.check(granted, state, pay(0, bucket.capacity, START), now=START)
    for count in range(1, 60):
        now = START + count * every
        state = mandate.check(granted, state, pay(state.nonce, unit, now), now=now)
    assert mandate.remaining(bucket, state.levels[0], START + 59 * every) == 0


@QUICK
@given(buckets, buckets, st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 300))))
def test_buckets_do_not_mix(
    first: Bucket, second: Bucket, plan: list[tuple[bool, int, int]]
) -> None:
    """Each bucket's level is what its own actions alone would give."""
    granted, alone = terms(first, second), terms(first)
    state, lonely, now = State(), State(), START
    for counts, wait, amount in plan:
        now += wait
        action = pay(state.nonce, amount, now)
        if counts:
            action = replace(action, data=PING)
        try:
            after = mandate.check(granted, state, action, now=now)
        except MandateRefused:
            continue
        if not counts:
            action = replace(action, nonce=lonely.nonce)
            lonely = mandate.check(alone, lonely, action, now=now)
        state = after
    assert state.levels.get(0) == lonely.levels.get(0)


@QUICK
@given(buckets, steps)
def test_nonces_count_what_was_allowed(bucket: Bucket, plan: list[tuple[int, int]]) -> None:
    """The nonce is the number of actions allowed, whatever was refused between them."""
    granted, state, now = terms(bucket), State(), START
    count = 0
    for wait, amount in plan:
        now += wait
        try:
            state = mandate.check(granted, state, pay(count, amount, now), now=now)
        except MandateRefused:
            continue
        count += 1
    assert state.nonce == count
