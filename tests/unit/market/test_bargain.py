"""Bargaining: bounds, concessions, agreement where terms suit both, and a protocol that holds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.market.bargain import (
    Accept,
    Bargain,
    Leave,
    Mine,
    Offer,
    Side,
    next_offer,
    play,
    read,
)
from affiant.verticals.market.wants import PPM, Issue, Terms, Wants

MIRROR = 2_000_000
SIDES: tuple[Side, Side] = ("buyer", "seller")
BARGAIN = Bargain("one report", 12)
BUYER = Mine("buyer", Wants(Issue(100, 900), Issue(60, 3600), weight=700_000))
SELLER = Mine("seller", Wants(Issue(1000, 400), Issue(7200, 600), weight=300_000, beta=PPM // 2))

bargains = st.builds(Bargain, st.text(max_size=3), st.integers(4, 24), st.sampled_from(SIDES))
sizes = st.integers(0, 40) | st.integers(0, 10**24)


@st.composite
def wants(draw: st.DrawFn, price: tuple[int, int], deadline: tuple[int, int]) -> Wants:
    """An agent that wants these (best, reservation), with any tactic."""
    return Wants(
        Issue(*price),
        Issue(*deadline),
        draw(st.integers(0, PPM)),
        draw(st.sampled_from(["polynomial", "exponential"])),
        draw(st.integers(PPM // 20, 20 * PPM)),
        draw(st.integers(1, PPM)),
    )


@st.composite
def pairs(draw: st.DrawFn, *, overlap: bool) -> tuple[Mine, Mine]:
    """A buyer and a seller; with `overlap` some terms suit both, without it none do."""
    gaps = [draw(sizes), draw(sizes)]
    if not overlap:
        gaps[draw(st.integers(0, 1))] = -1 - draw(sizes)
    ranges = []
    for gap in gaps:
        cost = 1 + draw(sizes) + max(-gap, 0)
        worth = cost + gap
        ranges.append(((max(worth - 1 - draw(sizes), 0), worth), (cost + 1 + draw(sizes), cost)))
    buyer = draw(wants(ranges[0][0], ranges[1][0]))
    seller = draw(wants(ranges[0][1], ranges[1][1]))
    return Mine("buyer", buyer), Mine("seller", seller)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Bargain, Mine, list[Offer], list[Accept | Leave]]:
    """One agent's bargain with another that offers anything, until one answer ends it."""
    bargain, mine = (
        draw(bargains),
        draw(pairs(overlap=draw(st.booleans())))[draw(st.integers(0, 1))],
    )
    history, ends, head = list[Offer](), list[Accept | Leave](), bargain.digest
    while not ends:
        turn = len(history)
        if bargain.turn(turn) == mine.side:
            answer = next_offer(bargain, mine, history)
            if not isinstance(answer, Offer):
                ends.append(answer)
                continue
            history.append(answer)
        elif turn >= bargain.rounds:
            break
        else:
            terms = Terms(draw(sizes), draw(sizes))
            history.append(Offer(turn, bargain.turn(turn), terms, head))
        head = history[-1].digest
    return bargain, mine, history, ends


def rule(answer: Offer | Accept | Leave) -> str | None:
    """Return the rule by which an agent left."""
    return answer.rule if isinstance(answer, Leave) else None


@settings(max_examples=60)
@given(histories())
def test_whatever_the_other_offers_bounds_hold_and_own_utility_never_rises(
    found: tuple[Bargain, Mine, list[Offer], list[Accept | Leave]],
) -> None:
    """Own offers lie between best and reservation, give in only, and no deal is below."""
    _, mine, history, ends = found
    own = [offer.terms for offer in history if offer.side == mine.side]
    for issue, values in (
        (mine.wants.price, [terms.price for terms in own]),
        (mine.wants.deadline, [terms.deadline for terms in own]),
    ):
        ends_of = sorted((issue.best, issue.reservation))
        assert all(ends_of[0] <= value <= ends_of[1] for value in values)
    utilities = [mine.wants.utility(terms) for terms in own]
    assert utilities == sorted(utilities, reverse=True)
    for end in ends:
        if isinstance(end, Accept):
            assert mine.wants.agrees(end.terms)
            assert mine.wants.utility(end.terms) >= 0
            assert history[-1].terms == end.terms
            assert history[-1].digest == end.offer


@settings(max_examples=100)
@given(bargains, pairs(overlap=True))
def test_where_terms_suit_both_they_agree_in_time(
    bargain: Bargain, pair: tuple[Mine, Mine]
) -> None:
    """Two agents with a zone agree before the last round is over, in both zones."""
    end, history = play(bargain, *pair)
    assert isinstance(end, Accept)
    assert len(history) < bargain.rounds
    assert all(mine.wants.agrees(end.terms) for mine in pair)


def test_a_fixed_value_is_met_or_nothing_is_agreed() -> None:
    """Whoever needs a report by one hour takes no other, and the price is still bargained over."""
    fixed = replace(BUYER, wants=replace(BUYER.wants, deadline=Issue(3600, 3600)))
    end, _ = play(BARGAIN, fixed, SELLER)
    assert isinstance(end, Accept)
    assert end.terms.deadline == 3600
    assert 400 < end.terms.price < 900
    late = replace(SELLER, wants=replace(SELLER.wants, deadline=Issue(7200, 3601)))
    assert rule(play(BARGAIN, fixed, late)[0]) == "last-round"


@settings(max_examples=40)
@given(bargains, pairs(overlap=False))
def test_where_no_terms_suit_both_they_part(bargain: Bargain, pair: tuple[Mine, Mine]) -> None:
    """Without a zone the last round passes and both leave."""
    end, history = play(bargain, *pair)
    assert rule(end) == "last-round"
    assert len(history) == bargain.rounds


@settings(max_examples=40)
@given(st.integers(4, 16), pairs(overlap=True))
def test_swapped_roles_reach_the_mirrored_deal(rounds: int, pair: tuple[Mine, Mine]) -> None:
    """Who is buyer and who is seller makes no difference: with values mirrored, nor do offers."""

    def turned(issue: Issue) -> Issue:
        return Issue(MIRROR - issue.best, MIRROR - issue.reservation)

    swapped = [
        Mine(
            "seller" if mine.side == "buyer" else "buyer",
            replace(
                mine.wants, price=turned(mine.wants.price), deadline=turned(mine.wants.deadline)
            ),
        )
        for mine in pair
    ]
    _, here = play(Bargain("x", rounds, "buyer"), *pair)
    _, there = play(Bargain("x", rounds, "seller"), *swapped)
    assert [(MIRROR - o.terms.price, MIRROR - o.terms.deadline) for o in there] == [
        (o.terms.price, o.terms.deadline) for o in here
    ]


def test_weights_that_differ_are_traded_off() -> None:
    """The buyer cares for the price and gets it, the seller for time; the middle is worse."""
    end, _ = play(BARGAIN, BUYER, SELLER)
    assert isinstance(end, Accept)
    for mine in (BUYER, SELLER):
        assert mine.wants.utility(end.terms) > mine.wants.utility(Terms(650, 2100))


def test_beta_tells_who_gives_in_early() -> None:
    """A Boulware agent still wants more than a linear one, and that more than a conceder."""
    for tactic in ("polynomial", "exponential"):
        base = Wants(Issue(0, 10), Issue(0, 10), tactic=tactic, start=10_000)
        aims = [replace(base, beta=beta).aim(5, 10) for beta in (PPM // 4, PPM, 4 * PPM)]
        assert aims == sorted(aims, reverse=True)
        assert len(set(aims)) == 3


def test_aims_are_the_published_curves() -> None:
    """The aim after half of the time, against the formulas in floating point."""
    base = Wants(Issue(0, 10), Issue(0, 10), beta=2 * PPM, start=100_000)
    polynomial = 0.1 + 0.9 * 0.5**0.5
    assert float(1 - base.aim(5, 10)) == pytest.approx(polynomial, abs=2e-6)
    exponential = 0.1 ** (0.5**2)
    found = replace(base, tactic="exponential")
    assert float(1 - found.aim(5, 10)) == pytest.approx(exponential, abs=2e-6)


def test_a_conceder_pays_for_it() -> None:
    """Against the same seller, the buyer that gives in late gets the better deal."""
    told = []
    for beta in (PPM // 4, 4 * PPM):
        mine = replace(BUYER, wants=replace(BUYER.wants, beta=beta))
        end, _ = play(BARGAIN, mine, SELLER)
        assert isinstance(end, Accept)
        told.append(BUYER.wants.utility(end.terms))
    assert told[0] > told[1]


def test_the_other_cannot_rewrite_what_it_offered() -> None:
    """Another offer in the place of an old one breaks the chain, or what this agent offered."""
    _, history = play(BARGAIN, BUYER, SELLER)
    history = history[:4]
    assert isinstance(next_offer(BARGAIN, BUYER, history), Offer)
    forged = replace(history[1], terms=Terms(880, 100))
    assert rule(next_offer(BARGAIN, BUYER, [history[0], forged, *history[2:]])) == "chain-broken"
    own = replace(history[2], after=forged.digest)
    rest = replace(history[3], after=own.digest)
    found = next_offer(BARGAIN, BUYER, [history[0], forged, own, rest])
    assert rule(found) == "history-rewritten"


def test_a_sworn_offer_pins_the_history() -> None:
    """A whole history that this agent could have had, but had not, is refused."""
    lenient = replace(SELLER, wants=replace(SELLER.wants, beta=5 * PPM))
    _, history = play(BARGAIN, BUYER, SELLER)
    _, other = play(BARGAIN, BUYER, lenient)
    assert isinstance(next_offer(BARGAIN, BUYER, other[:4]), Offer)
    sworn = history[2].digest
    assert isinstance(next_offer(BARGAIN, BUYER, history[:4], sworn), Offer)
    assert rule(next_offer(BARGAIN, BUYER, other[:4], sworn)) == "history-rewritten"
    assert rule(next_offer(BARGAIN, BUYER, [], sworn)) == "history-rewritten"


def test_offers_out_of_turn_or_of_another_bargain_are_refused() -> None:
    """Places, sides, lengths and the bargain itself are what both agreed on."""
    _, history = play(BARGAIN, BUYER, SELLER)
    assert rule(next_offer(BARGAIN, BUYER, history[:3])) == "out-of-turn"
    skipped = [history[0], replace(history[1], number=3)]
    assert rule(next_offer(BARGAIN, BUYER, skipped)) == "out-of-turn"
    twice = [history[0], replace(history[1], side="buyer")]
    assert rule(next_offer(BARGAIN, BUYER, twice)) == "out-of-turn"
    elsewhere = replace(BARGAIN, subject="another report")
    assert rule(next_offer(elsewhere, BUYER, history[:2])) == "chain-broken"
    impossible = replace(SELLER, wants=replace(SELLER.wants, price=Issue(2000, 1500)))
    _, whole = play(BARGAIN, BUYER, impossible)
    late = Offer(12, "buyer", Terms(900, 3600), whole[-1].digest)
    assert rule(next_offer(BARGAIN, impossible, [*whole, late])) == "last-round"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"terms": {"price": 1, "quality": 2}}, "wrong-issue"),
        ({"terms": {"price": 1}}, "wrong-issue"),
        ({"terms": {"price": 1, "deadline": 2, "quality": 3}}, "wrong-issue"),
        ({"terms": {"price": 1.0, "deadline": 2}}, "not-an-amount"),
        ({"terms": {"price": True, "deadline": 2}}, "not-an-amount"),
        ({"terms": {"price": -1, "deadline": 2}}, "not-an-amount"),
        ({"number": "1"}, "not-an-amount"),
        ({"side": "judge"}, "not-an-offer"),
        ({"side": ["buyer"]}, "not-an-offer"),
        ({"after": None}, "not-an-offer"),
        ({"note": "hurry"}, "not-an-offer"),
    ],
)
def test_what_is_no_offer_is_named(change: dict[str, object], expected: str) -> None:
    """JSON that is no offer over price and deadline is refused by a rule of its own."""
    good = {"number": 1, "side": "buyer", "terms": {"price": 1, "deadline": 2}, "after": "ab"}
    assert read(good) == Offer(1, "buyer", Terms(1, 2), "ab")
    found = read(good | change)
    assert isinstance(found, Leave)
    assert found.rule == expected


@pytest.mark.parametrize(
    "change",
    [{"weight": -1}, {"weight": PPM + 1}, {"beta": 0}, {"start": -1}, {"tactic": "exponential"}],
)
def test_wants_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    """Shares outside 0 to a million, a beta of 0, and an exponential tactic that starts at 0."""
    with pytest.raises(InputError):
        replace(BUYER.wants, **change)  # type: ignore[arg-type]


def test_too_few_rounds_are_refused() -> None:
    """Three rounds leave no time to see an offer before giving in."""
    with pytest.raises(InputError):
        Bargain("x", 3)
