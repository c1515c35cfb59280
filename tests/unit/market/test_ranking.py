"""Ranking: what counts, what it weighs, and that who only pays itself weighs nothing."""

import random
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiant.kernel.errors import InputError
from affiant.verticals.market.ranking import DAY, PPM, Feedback, Settings, rank

NOW = 1000 * DAY
COIN = 1_000_000
SEEDS = {"seed-0", "seed-1"}
GOOD = [f"good-{n}" for n in range(6)]
BAD = [f"bad-{n}" for n in range(6)]


class Market:
    """Feedback, made up job by job."""

    def __init__(self) -> None:
        self.said = list[Feedback]()
        self._numbers = count()

    def job(self, client: str, agent: str, value: float, amount: float = 10) -> Feedback:
        """Add a settled and logged job with its rating."""
        number, coins = f"job-{next(self._numbers)}", round(amount * COIN)
        found = Feedback(agent, client, round(value * PPM), number, coins, NOW, True, True)
        self.said.append(found)
        return found

    def scores(self) -> dict[str, float]:
        """Return the score of every agent."""
        return {name: score.value for name, score in rank(self.said, SEEDS, NOW).items()}

    def weight(self, agent: str) -> float:
        """Return the trusted money that an agent's score rests on."""
        return rank(self.said, SEEDS, NOW)[agent].weight


def market() -> Market:
    """Two seeds and eight others who hired all twelve agents, and found out what they are."""
    made = Market()
    for client in [*sorted(SEEDS), *(f"honest-{n}" for n in range(8))]:
        for place in range(6):
            made.job(client, GOOD[place], 0.8 + 0.02 * ((place + len(made.said)) % 3))
            made.job(client, BAD[place], 0.3 + 0.02 * ((place + len(made.said)) % 3))
    return made


def holds(made: Market) -> bool:
    """Tell whether every good agent is above every bad one."""
    scores = made.scores()
    return min(scores[agent] for agent in GOOD) > max(scores[agent] for agent in BAD)


def test_without_attack_the_ranking_is_the_truth() -> None:
    """All good agents come first, and scores are near what clients found."""
    made = market()
    scores = made.scores()
    assert list(scores)[:6] == sorted(list(scores)[:6], key=lambda agent: -scores[agent])
    assert set(list(scores)[:6]) == set(GOOD)
    assert all(abs(scores[agent] - 0.82) < 0.1 for agent in GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"settled": False},
        {"logged": False},
        {"job": None},
        {"amount": 0},
        {"amount": -1},
        {"settled_at": NOW + 1},
        {"value": PPM + 1},
        {"value": -1},
    ],
)
def test_what_is_not_tied_to_a_job_does_not_count(change: dict[str, object]) -> None:
    """Not settled, not logged, no job, nothing paid, not yet, or no share."""
    made = market()
    before = rank(made.said, SEEDS, NOW)
    good = Feedback("bad-0", "honest-0", PPM, "another", 10 * COIN, NOW, True, True)
    assert rank([*made.said, good], SEEDS, NOW) != before
    assert rank([*made.said, replace(good, **change)] * 2, SEEDS, NOW) == before  # type: ignore[arg-type]


def test_nobody_speaks_of_itself() -> None:
    """A seed that is an agent too does not count for itself."""
    made = market()
    made.job("seed-0", "seed-0", 1.0)
    assert made.weight("seed-0") == 0


def test_a_job_counts_once_by_its_last_rating() -> None:
    """Saying the same of one job again does not add weight; saying another thing replaces it."""
    made = market()
    before = rank(made.said, SEEDS, NOW)
    assert rank([*made.said, *made.said], SEEDS, NOW) == before
    changed = replace(made.said[0], value=0)
    found = rank([*made.said, changed], SEEDS, NOW)
    assert found["good-0"].weight == pytest.approx(before["good-0"].weight, rel=0.2)
    assert found["good-0"].value < before["good-0"].value


def test_agents_nobody_may_judge_get_the_mean() -> None:
    """Whoever has no feedback that counts is named, with the mean and without weight."""
    made = market()
    made.said.append(Feedback("new", "anybody", PPM))
    found = rank(made.said, SEEDS, NOW)["new"]
    assert found.weight == 0
    assert 0.4 < found.value < 0.7


def test_seeds_must_have_paid() -> None:
    """Without a seed's job there is nowhere for trust to begin."""
    with pytest.raises(InputError):
        rank(market().said, {"nobody"}, NOW)
    with pytest.raises(InputError):
        rank([], SEEDS, NOW)


def test_a_ring_that_pays_itself_weighs_nothing() -> None:
    """However much money goes round, an agent that nobody else hired has no weight at all."""
    made = market()
    before = made.scores()
    for sybil in range(50):
        for agent in ("ring-0", "ring-1"):
            made.job(f"sybil-{sybil}", agent, 1.0, 10_000)
    found = rank(made.said, SEEDS, NOW)
    assert found["ring-0"].weight == 0
    assert {agent: found[agent].value for agent in before} == before


def test_wash_trading_does_not_lift_agents_that_others_found_bad() -> None:
    """Ninety Sybils of a hundred clients praise all bad agents, by large jobs."""
    made = market()
    for sybil in range(90):
        for agent in BAD:
            made.job(f"sybil-{sybil}", agent, 1.0, 1000)
    assert holds(made)


def test_cheap_jobs_do_not_sink_rivals() -> None:
    """Ninety Sybils hire all good agents for next to nothing and rate them 0."""
    made = market()
    for sybil in range(90):
        for agent in GOOD:
            made.job(f"sybil-{sybil}", agent, 0.0, 0.1)
    assert holds(made)


def test_cheap_camouflage_does_not_buy_a_voice() -> None:
    """True ratings of cheap jobs do not make praise by large jobs with one's own agents count."""
    made = market()
    before = made.scores()
    for sybil in range(90):
        for place in range(6):
            made.job(f"sybil-{sybil}", GOOD[place], 0.82, 0.1)
            made.job(f"sybil-{sybil}", BAD[place], 1.0, 1000)
    assert holds(made)
    assert all(made.scores()[agent] < before[agent] + 0.05 for agent in BAD)


def test_the_plain_average_falls_to_the_same_attacks() -> None:
    """What the ranking withstands does bend an average, so the tests above say something."""
    made = market()
    for sybil in range(90):
        for agent in BAD:
            made.job(f"sybil-{sybil}", agent, 1.0, 1000)
    values = {
        agent: [item.value for item in made.said if item.agent == agent] for agent in (*GOOD, *BAD)
    }
    average = {agent: sum(found) / len(found) for agent, found in values.items()}
    assert max(average[agent] for agent in GOOD) < min(average[agent] for agent in BAD)


def test_many_weigh_what_one_weighs_with_the_same_money() -> None:
    """A client split into ten, each with a tenth of its jobs' prices, gains nothing by it."""
    whole, parts = market(), market()
    for agent, value in ((GOOD[0], 0.8), (GOOD[1], 0.8), (BAD[0], 0.35)):
        whole.job("buyer", agent, value, 50)
        for part in range(10):
            parts.job(f"buyer-{part}", agent, value, 5)
    assert whole.weight(BAD[0]) == pytest.approx(parts.weight(BAD[0]), rel=0.02)
    assert whole.weight(BAD[0]) > market().weight(BAD[0])


def test_trust_spreads_to_who_hires_good_agents() -> None:
    """A client whom no seed knows has a voice on a new agent, once it paid good ones."""
    made = market()
    made.job("newcomer", "fresh", 0.9)
    assert made.weight("fresh") == 0
    for agent in GOOD:
        made.job("newcomer", agent, 0.82)
    assert made.weight("fresh") > 0.3
    assert made.scores()["fresh"] > made.scores()[BAD[0]]


def test_money_paid_to_bad_agents_buys_no_voice() -> None:
    """Only what goes to agents that the trusted found good is sure to be gone."""
    made = market()
    made.job("newcomer", "fresh", 0.9)
    for agent in BAD:
        made.job("newcomer", agent, 0.32)
    assert made.weight("fresh") == 0


def test_an_agent_does_not_vouch_for_who_speaks_of_it() -> None:
    """A client that hired one good agent and no other has no voice on it."""
    made = market()
    before = made.weight(GOOD[0])
    made.job("newcomer", GOOD[0], 0.82)
    assert made.weight(GOOD[0]) < before + 0.2
    made.job("newcomer", GOOD[1], 0.82)
    assert made.weight(GOOD[0]) > before + 0.3


def test_an_agent_passes_on_little_more_trust_than_it_got() -> None:
    """A good agent that hands money back to ninety Sybils does not make them ninety clients."""
    made = market()
    before = made.weight(BAD[0])
    for sybil in range(90):
        made.job(f"sybil-{sybil}", GOOD[0], 0.82, 100)
        made.job(f"sybil-{sybil}", BAD[0], 0.4, 100)
    assert made.weight(BAD[0]) < before + 3 * made.weight(GOOD[0])


def test_who_is_far_off_weighs_less() -> None:
    """Of two who pay the same, the one that contradicts what others found has no voice."""
    made = market()
    for agent in GOOD:
        made.job("fair", agent, 0.82)
        made.job("liar", agent, 0.1)
    made.job("fair", "fresh", 0.9)
    made.job("liar", "stale", 0.9)
    assert made.weight("fresh") > 0.3
    assert made.weight("stale") == 0


def test_real_money_does_bend_it() -> None:
    """The limit, told: who pays good agents far more than all others, and lies little, is heard."""
    made = market()
    before = made.scores()[BAD[0]]
    for sybil in range(90):
        for agent in GOOD:
            made.job(f"sybil-{sybil}", agent, 0.82, 20)
        made.job(f"sybil-{sybil}", BAD[0], 0.6, 40)
    assert made.scores()[BAD[0]] > before + 0.1


def test_one_seed_alone_trusts_nobody() -> None:
    """Without a second seed nothing tells how far off an honest client is: only the seed counts."""
    made = market()
    found = rank(made.said, {"seed-0"}, NOW)
    assert {score.weight for score in found.values()} == {1.0}


def test_nobody_else_can_take_a_job_s_rating_away() -> None:
    """Feedback of another client that names the same job does not replace it."""
    made = market()
    before = made.scores()
    stolen = replace(made.said[0], client="thief", value=0)
    made.said.append(stolen)
    assert made.scores()[GOOD[0]] == pytest.approx(before[GOOD[0]], abs=0.005)


@pytest.mark.parametrize(
    "change", [{"prior": 0}, {"cap": -1}, {"clear": 0}, {"half_life": 0}, {"far": 1}]
)
def test_settings_that_do_not_fit_are_refused(change: dict[str, float]) -> None:
    """Values that would divide by zero, or turn a bound around."""
    with pytest.raises(InputError):
        Settings(**change)  # type: ignore[arg-type]


def test_age_halves_weight() -> None:
    """A seed's job of a half-life ago weighs half of one now, of two a quarter, linear between."""
    rules = Settings()
    for halves, left in ((0, 1.0), (0.5, 0.75), (1, 0.5), (2, 0.25), (100, 0.0)):
        made = Market()
        now = made.job("seed-0", "now", 0.5)
        then = NOW + int(halves * rules.half_life)
        made.said = [now, replace(now, agent="later", job="x", settled_at=then)]
        found = rank(made.said, SEEDS, then, rules)
        assert found["now"].weight == pytest.approx(left, abs=1e-9)
        assert found["later"].weight == pytest.approx(1)


def test_a_seed_s_say_on_one_agent_is_capped() -> None:
    """A hundred jobs of one client with one agent count for ten."""
    made = Market()
    for _ in range(100):
        made.job("seed-0", "a", 0.9)
    assert made.weight("a") == pytest.approx(10)


def test_few_ratings_say_little() -> None:
    """One perfect job does not outrank thirty very good ones."""
    made = market()
    for seed in sorted(SEEDS):
        for _ in range(9):
            made.job(seed, "proven", 0.95)
    made.job("seed-0", "lucky", 1.0)
    scores = made.scores()
    assert scores["proven"] > scores["lucky"] > scores[BAD[0]]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(20, 60))
def test_order_does_not_matter_and_scores_are_shares(dice: random.Random, more: int) -> None:
    """The same feedback in any order gives the same scores, bit by bit, from 0 to 1."""
    made = market()
    for _ in range(more):
        client, agent = dice.choice(["seed-0", "honest-0", "c"]), dice.choice([GOOD[0], BAD[0]])
        made.job(client, agent, dice.random(), dice.uniform(0.1, 9))
    found = rank(made.said, SEEDS, NOW)
    assert all(0 <= score.value <= 1 and score.weight >= 0 for score in found.values())
    shuffled = made.said.copy()
    dice.shuffle(shuffled)
    assert list(rank(shuffled, SEEDS, NOW).items()) == list(found.items())
