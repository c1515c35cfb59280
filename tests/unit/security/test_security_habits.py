"""Drift: what is new to an agent, how that is learned, and how nobody teaches it from outside."""

from __future__ import annotations

import pytest
from office import (
    CLERK,
    DAY,
    LANDLORD,
    PLUMBER,
    STRANGER,
    THIEF,
    TOKEN,
    TRANSFER,
    Office,
    busy,
    detectors,
    sightings,
    transfer,
)

from affiant.kernel.encoding import keccak256, word
from affiant.verticals.security.habits import MEMORY, PROBATION, RARE, Habit, Habits
from affiant.verticals.security.sightings import Decided, Sighting, chance_text, measure

NOW = 1_800_000_000
VANITY = bytes(4) + b"\x66" * 16
"""An account whose first bytes are zero: found by trying for an afternoon."""


def decided(to: bytes | None = LANDLORD, at: int = 0, agent: str = "a", call: int = 0) -> Decided:
    """Return a decision that deals with an account."""
    bound = Office().bind(target=word(call)[12:] if call else TOKEN)
    return Decided(agent, word(at + 1), NOW + at, NOW + at, bound, (), 100, (to,) if to else ())


def settled(count: int = 30, to: bytes = LANDLORD, agent: str = "a") -> Habits:
    """Return habits of an agent that has dealt with one account so many times."""
    habits, told = Habits(), decided(to, agent=agent)
    for _ in range(count):
        habits.learn(told)
    return habits


def detected(found: list[Sighting]) -> list[str]:
    """Return the detectors."""
    return [sighting.finding.detector for sighting in found]


def test_the_first_value_is_no_news() -> None:
    """Of an agent without a past nothing is told, and what it does first is its habit."""
    habits = Habits()
    assert list(habits.judge(decided())) == []
    habits.learn(decided())
    assert list(habits.judge(decided())) == []
    habit = Habit()
    habit.learn(b"first", 5)
    assert (habit.chance(b"first", 5), habit.news) == (1.0, 0.0)


def test_the_chance_of_news_falls_with_history() -> None:
    """The longer an agent did only the same, the less likely is something new."""
    habit, chances = Habit(), []
    for time in range(40):
        habit.learn(b"usual", time)
        chances.append(habit.chance(b"new", time))
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > RARE > chances[-1]
    assert chances[8] == pytest.approx(1 / 11, rel=0.01)


def test_an_agent_used_to_news_may_go_on() -> None:
    """Who often deals with new accounts is not suspected for one more; who never does, is."""
    busy_one = Habits()
    for number in range(30):
        busy_one.learn(decided(word(number + 1)[12:], at=number))
    week = PROBATION + 99
    assert detected(list(busy_one.judge(decided(THIEF, at=99)))) == ["new-counterparty"]
    assert detected(list(busy_one.judge(decided(THIEF, at=week)))) == []
    assert detected(list(settled().judge(decided(THIEF, at=99)))) == ["new-counterparty"]


def test_a_new_account_is_drift_and_its_class_a_hijacked_goal() -> None:
    """A finding names the decision, the account, how likely the like was; it blames the agent."""
    (told,) = settled().judge(decided(THIEF, at=9))
    finding = told.finding
    assert (told.suspect, told.time) == ("a", NOW + 9)
    assert (finding.family, finding.threat) == ("drift", "ASI01")
    assert finding.statements == (word(10),)
    assert THIEF.hex() in finding.reason
    assert finding.chance is not None
    assert 0 < float(finding.chance) <= RARE


def test_a_new_function_is_drift_too() -> None:
    """Another contract or selector is told as a new function; the usual ones are not."""
    habits = settled()
    assert detected(list(habits.judge(decided(call=9)))) == ["new-function"]
    assert detected(list(habits.judge(decided(THIEF, call=9)))) == [
        "new-function",
        "new-counterparty",
    ]
    assert list(habits.judge(decided())) == []


def test_agents_have_habits_of_their_own() -> None:
    """What one agent is used to says nothing about another."""
    habits = settled()
    assert list(habits.judge(decided(THIEF, agent="b"))) == []
    assert detected(list(habits.judge(decided(THIEF)))) == ["new-counterparty"]


def test_a_call_without_an_account_is_no_counterparty() -> None:
    """Where nobody is paid, nobody is new."""
    assert list(settled().judge(decided(None))) == []


def test_probation_lasts_a_week() -> None:
    """What is new stays new for a week, however often it comes; then it is known."""
    habits = settled()
    for day in range(5):
        habits.learn(decided(THIEF, at=day * DAY))
    last = decided(THIEF, at=PROBATION - 1)
    assert detected(list(habits.judge(last))) == ["new-counterparty"]
    assert list(habits.judge(decided(THIEF, at=PROBATION))) == []


def test_repeating_a_new_account_is_one_piece_of_news() -> None:
    """Paying one new account many times makes the next new one no likelier, but less."""
    habit = Habit()
    for _ in range(30):
        habit.learn(LANDLORD, NOW)
    habit.learn(THIEF, NOW)
    before = habit.chance(PLUMBER, NOW)
    for _ in range(20):
        habit.learn(THIEF, NOW)
    assert habit.chance(PLUMBER, NOW) < before


def test_the_principals_word_ends_probation() -> None:
    """What a principal said was right is known from then on, for ever; another account is not."""
    habits = settled()
    habits.learn(decided(PLUMBER))
    habits.accept(decided(PLUMBER, at=10))
    assert list(habits.judge(decided(PLUMBER, at=10))) == []
    assert detected(list(habits.judge(decided(THIEF, at=10)))) == ["new-counterparty"]
    habits.accept(decided(PLUMBER, at=99))
    assert list(habits.judge(decided(PLUMBER, at=10))) == []


def test_accepting_what_was_never_learned_makes_it_known() -> None:
    """A flagged decision is not learned, and can still be accepted."""
    habits = settled()
    habits.accept(decided(PLUMBER, at=10))
    assert list(habits.judge(decided(PLUMBER, at=11))) == []


def test_surprises_are_forgotten() -> None:
    """An agent that once dealt with many new accounts is quiet again after a few hundred calls."""
    habit = Habit()
    for number in range(30):
        habit.learn(word(number), NOW)
    later = NOW + PROBATION
    assert habit.chance(THIEF, NOW) < 0.1
    assert habit.chance(THIEF, later) > 0.9
    for _ in range(4 * MEMORY):
        habit.learn(word(1), later)
    assert habit.chance(THIEF, later) < 0.01


def test_oddities_do_not_excuse_the_next_one() -> None:
    """Two payments to new accounts, which anybody can bring about, do not switch drift off."""
    habits = settled(24)
    for number in range(2):
        habits.learn(decided(word(number + 1)[12:], at=number))
    assert detected(list(habits.judge(decided(THIEF, at=9)))) == ["new-counterparty"]


def test_known_accounts_are_never_forgotten() -> None:
    """The landlord is no news after any number of other calls."""
    habit = Habit()
    habit.learn(LANDLORD, NOW)
    for _ in range(3 * MEMORY):
        habit.learn(PLUMBER, NOW)
    assert habit.chance(LANDLORD, NOW) == 1.0


def test_a_hijackers_payments_do_not_teach() -> None:
    """Decisions with grounds are not learned: the next theft is as unlikely as the first."""
    office = busy()
    watch = office.watch(None)
    watch.step()
    chances = []
    for number in range(6):
        office.mimic(THIEF[:-1] + bytes([number]))
        told = [event.facts for event in watch.step() if event.name == "sighting"]
        chances += [f["chance"] for f in told if f["detector"] == "new-counterparty"]
    assert len(chances) == 6
    assert len(set(chances)) == 1


def test_an_account_paid_by_a_hijacker_stays_new() -> None:
    """Though a hijacker paid it week after week, a thief's account never becomes a habit."""
    office = busy()
    watch = office.watch(None)
    watch.step()
    for _ in range(4):
        office.mimic()
        assert "new-counterparty" in detectors(watch.step())
        office.clock.advance(PROBATION + 1)


def test_an_honest_clerk_may_have_a_new_supplier() -> None:
    """One new account on the desk's word is one soft finding, and after a week none."""
    office = busy()
    watch = office.watch()
    assert office.pay(PLUMBER).execution is not None
    assert detectors(watch.step()) == {"new-counterparty"}
    assert not office.suspended()
    office.clock.advance(PROBATION + 1)
    office.pay(PLUMBER)
    assert "new-counterparty" not in detectors(watch.step())


def test_a_strangers_decisions_are_no_part_of_an_agents_past() -> None:
    """Decisions by a stranger under the clerk's mandate change nothing for the clerk."""
    office = busy()
    watch = office.watch(None)
    for number in range(20):
        to = b"\x71" * 19 + bytes([number])
        office.decide(office.bind(transfer(to, 1), nonce=100 + number), by=STRANGER)
    office.pay(THIEF)
    assert (office.did(), "new-counterparty") in sightings(watch.step())


def measured(data: bytes, value: int = 0, target: bytes = TOKEN) -> tuple[int, tuple[bytes, ...]]:
    """Return amount and accounts of a call under the clerk's mandate."""
    office = Office()
    bound = office.bind(data=data, value=value, target=target)
    return measure(bound, office.ledger.terms(office.mandate))


def test_amount_and_counterparty_are_read_from_the_call() -> None:
    """The metered word is the amount, the first other argument that is an account is dealt with."""
    assert measured(TRANSFER + word(THIEF) + word(7)) == (7, (THIEF,))
    assert measured(TRANSFER + word(THIEF)) == (0, (THIEF,))
    assert measured(TRANSFER) == (0, ())
    assert measured(b"") == (0, ())


def test_a_call_without_a_rule_has_no_amount() -> None:
    """What no rule allows has no amount, and still a counterparty."""
    approve = keccak256(b"approve(address,uint256)")[:4]
    assert measured(approve + word(THIEF) + word(7)) == (0, (THIEF,))
    assert measured(TRANSFER + word(THIEF) + word(7), target=THIEF) == (0, (THIEF,))


def test_small_numbers_are_no_accounts() -> None:
    """A number in an argument is not taken for an account."""
    assert measured(TRANSFER + word(12) + word(7)) == (7, ())


def test_an_account_with_leading_zeros_is_still_one() -> None:
    """A thief cannot hide by choosing an account that begins with zeros."""
    assert measured(TRANSFER + word(VANITY) + word(7)) == (7, (VANITY,))


def test_a_thief_with_a_vanity_account_is_stopped() -> None:
    """A mimic that pays an account with leading zeros is suspended as any other is."""
    office = busy()
    watch = office.watch()
    office.mimic(VANITY)
    watch.step()
    assert office.suspended()


def test_likelihoods_are_plain_decimals() -> None:
    """A likelihood has two digits, no exponent, no needless zero, and is never nothing."""
    assert chance_text(0.1) == "0.1"
    assert chance_text(0.0123456) == "0.012"
    assert chance_text(1.0) == "1"
    assert chance_text(0.0) == "0.000000000001"


def test_the_clerk_is_the_one_who_is_blamed() -> None:
    """Drift is told of the agent that decided, by its full name."""
    office = busy()
    office.pay(THIEF)
    assert sightings(office.watch(None).step()) == {(office.did(CLERK), "new-counterparty")}
