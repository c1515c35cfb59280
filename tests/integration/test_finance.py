"""The finance story on a chain that is not ours, and dry runs against a fork of it."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from affiant.apps.wiring import open_house
from affiant.kernel.errors import InputError, LedgerError
from affiant.verticals.finance.desk import STAKING, Desk
from affiant.verticals.finance.fee import FeeBounds
from affiant.verticals.finance.fee_setting import FeeModel
from affiant.verticals.finance.markets import closes
from affiant.verticals.finance.oracle import limits

from .command import Done, Run, process
from .node import COIN, Node, node

pytestmark = pytest.mark.integration

pytest.importorskip("arch", reason="the finance extra is not installed: make setup EXTRAS=finance")


@dataclass(frozen=True)
class Told:
    """A chain, a home on it in which the story was told, and what was told."""

    chain: Node
    home: Path
    done: Done

    def steps(self, title: str) -> list[Any]:
        """Return the steps of that title."""
        return [step for step in self.done.told["steps"] if step["step"] == title]

    def finance(self, affiant: Run, *words: object, rpc: str | None = None) -> Done:
        """Run a verb of this vertical in the home, and expect JSON."""
        return affiant(
            "finance", *words, "--home", self.home, "--rpc", rpc or self.chain.url, "--json"
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Tell the story by the real command; then let the market move once more."""
    home = tmp_path_factory.mktemp("finance") / "home"
    with node(4243) as chain:
        chain.fund(home, 10 * COIN)
        done = process("demo", "finance", "--home", home, "--rpc", chain.url, "--json")
        _move_the_market(home, chain)
        yield Told(chain, home, done)


def _move_the_market(home: Path, chain: Node) -> None:
    """Trade in a storm, and let the staked token earn something that is recorded."""
    draw = random.Random(2)  # noqa: S311 (it must repeat)
    with open_house(home, rpc=chain.url) as house:
        desk = Desk.open(house)
        for _ in range(24):
            price = desk.pool.price * (1 + draw.choice([-0.03, 0.03]))
            desk.pool.arbitrage(house.key("arbitrageur"), price)
        desk.oracle.record_now(house.key(STAKING))
        time.sleep(limits(desk.oracle.day).youngest + 1)  # until then no snapshot may rest on it


def test_every_step_comes_out_as_it_must(told: Told) -> None:
    """The story holds from grant to audit, with every attempt refused."""
    told.done.held()
    assert [step["text"] for step in told.done.told["steps"] if step["good"] is False] == []
    assert len(told.steps("attempt")) == 5
    (fee,) = told.steps("fee")
    assert len(fee["decisions"]) >= 3


def test_the_incident_is_refused_before_execution_and_named(told: Told) -> None:
    """The pair of 10 March 2026 is refused by the guard, by the invariant that it breaks."""
    (step,) = told.steps("incident")
    assert step["refused"] == "GuardRefused"
    assert "the guard said ValueNotOfItsTime" in step["reason"]
    assert 0.02 < step["underMarket"] < 0.04


def test_a_suspect_is_not_paid_and_the_refusal_is_sworn(told: Told, affiant: Run) -> None:
    """The fraud score stops a trade; the audit finds the sworn refusal with its reason."""
    (paid, refused) = told.steps("counterparty")
    assert (paid["refused"], refused["refused"]) == (None, "counterparty-suspected")
    audited = affiant(
        "audit", refused["decision"], "--replay", "--home", told.home, "--rpc", told.chain.url
    )
    audited.held()
    assert "counterparty-suspected" in audited.out


def test_every_change_names_its_decision(told: Told, affiant: Run) -> None:
    """Fee, parameters and weights as the chain tells them lead to statements that replay."""
    changes = told.finance(affiant, "history").told
    assert {change["what"] for change in changes} == {
        "fee",
        "snapshotRatio",
        "snapshotTimestamp",
        "weights",
    }
    for what in ("fee", "snapshotRatio", "weights"):
        change = next(change for change in changes if change["what"] == what)
        options = ["--replay", "--home", told.home, "--rpc", told.chain.url]
        audited = affiant("audit", change["transaction"], *options)
        audited.held()
        assert change["decision"] in audited.out


@pytest.mark.parametrize("what", ["fee", "parameters", "weights"])
def test_a_fork_gives_a_dry_run_of_every_action(told: Told, affiant: Run, what: str) -> None:
    """Against a fork the agent tells what it would do and what that takes; then it does that."""
    told.chain.ask("evm_mine")  # a fork's time begins at its newest block's
    log = (told.home / "log.db").read_bytes()
    block = told.chain.ask("eth_blockNumber")
    with node(4243, f"--fork-url={told.chain.url}") as fork:
        before = fork.ask("eth_blockNumber")
        dry = told.finance(affiant, "act", what, "--dry-run", rpc=fork.url)
        dry.held()
        assert fork.ask("eth_blockNumber") == before
    assert told.chain.ask("eth_blockNumber") == block
    assert (told.home / "log.db").read_bytes() == log
    assert (dry.told["refused"], dry.told["dryRun"]) == (None, True)
    real = told.finance(affiant, "act", what)
    real.held()
    assert real.told["output"] == dry.told["output"]
    # What must be at hand, more than what it cost in the end: a vault grants its funds some each.
    assert 0.9 * real.told["gas"] < dry.told["gas"] < 5 * real.told["gas"]


def test_a_dry_run_tells_what_the_contract_would_refuse(
    told: Told, affiant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that overlooks the pool's step is refused by the fork's pool, by its own error."""
    original = FeeModel.predict

    def reckless(self: FeeModel, inputs: list[Any]) -> Any:
        trades, pool = inputs
        loose = FeeBounds(lowest=0, highest=900_000, step=900_000, delay=0)
        high = {"thresholds": [], "fees": [800_000], "margin": 0}
        return original(self, [trades, {**pool, "bounds": vars(loose), "schedule": high}])

    monkeypatch.setattr(FeeModel, "predict", reckless)
    with node(777, f"--fork-url={told.chain.url}") as fork:
        dry = told.finance(affiant, "act", "fee", "--dry-run", rpc=fork.url)
    assert dry.code == 1
    assert dry.told["refused"] == "CallFailed"
    assert "the target said FeeOutOfRange" in dry.told["reason"]


def test_the_same_job_acts_once(told: Told, affiant: Run) -> None:
    """A named occasion is not acted on twice, whatever the market does in between."""
    first = told.finance(affiant, "act", "weights", "--until", "2016-06-30", "--job", "mid-2016")
    again = told.finance(affiant, "act", "weights", "--until", "2017-06-30", "--job", "mid-2016")
    assert first.told == again.told
    assert first.told["transaction"] is not None


def contents(home: Path) -> dict[str, object]:
    """Return everything that a home keeps."""
    kept: dict[str, object] = {}
    for path in home.rglob("*"):
        if path.suffix == ".db":
            with sqlite3.connect(path) as database:
                kept[path.name] = list(database.iterdump())
        elif path.is_file() and not path.name.endswith(("-wal", "-shm")):
            kept[path.name] = path.read_bytes()
    return kept


def test_a_dry_house_makes_nothing(told: Told) -> None:
    """What a dry run would have to make, key, mandate, statement or transaction, it refuses."""
    before = contents(told.home)
    with open_house(told.home, rpc=told.chain.url, dry=True) as house:
        with pytest.raises(InputError, match="has no key 'nobody'"):
            house.key("nobody")
        owner = house.key("treasury")
        with pytest.raises(InputError, match="has not granted"):
            house.grant("nothing", principal=owner, agent=owner, rules=[], buckets=[])
        desk = Desk.open(house)
        with pytest.raises(LedgerError, match="a dry run sends nothing"):
            desk.oracle.record_now(owner)
        with pytest.raises(InputError, match="a dry run does not act"):
            desk.fee().act(house, "dry")
        with pytest.raises(InputError, match="swears to nothing"):
            house.affiant("treasury")
    assert contents(told.home) == before


def test_another_chain_is_found_out(told: Told, affiant: Run) -> None:
    """A dry run against a chain without the home's contracts says so, and advises no deployment."""
    with node(31338) as empty:
        empty.fund(told.home, COIN)
        dry = told.finance(affiant, "act", "weights", "--dry-run", rpc=empty.url)
    dry.refused("is not at", "or a fork of it")


@pytest.mark.parametrize(
    "words",
    [
        ("weights", "--until", "2010-02-30"),
        ("weights", "--until", "2008"),
        ("weights", "--until", "2010-01-02; rm"),
        ("weights", "--until", ""),
        ("weights", "--until", "1998-12-31"),
        ("fee", "--until", "2010-01-04"),
        ("fee", "--job", ""),
        ("fee", "--job", "a\tb"),
        ("fee", "--dry-run", "--job", "x"),
    ],
)
def test_bad_options_are_refused_before_anything_is_sworn(
    told: Told, affiant: Run, words: tuple[str, ...]
) -> None:
    """Days that are none, jobs without a name, options that do not belong: nothing is logged."""
    before = (told.home / "log.db").read_bytes()
    told.finance(affiant, "act", *words).refused()
    assert (told.home / "log.db").read_bytes() == before


def test_a_damaged_log_is_told_as_such(told: Told, affiant: Run, tmp_path: Path) -> None:
    """A dry run over a home whose log is damaged ends in an error that says so."""
    home = Path(shutil.copytree(told.home, tmp_path / "home"))
    with sqlite3.connect(home / "log.db") as database:
        database.execute("UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND idx = 3")
    done = affiant("finance", "act", "fee", "--dry-run", "--home", home, "--rpc", told.chain.url)
    done.refused("damaged")


def test_a_revoked_mandate_is_refused_alike(told: Told, affiant: Run, tmp_path: Path) -> None:
    """Dry or not, an action that the mandate refuses ends with exit code 1 and its rule."""
    home = Path(shutil.copytree(told.home, tmp_path / "home"))
    with node(4243, f"--fork-url={told.chain.url}") as fork:
        with open_house(home, rpc=fork.url) as house:
            desk = Desk.open(house)
            house.ledger.revoke(desk.vault.mandate, house.key("treasury"))
        options = ["--home", home, "--rpc", fork.url, "--json"]
        for more in (["--dry-run"], []):
            done = affiant("finance", "act", "weights", "--until", "2012-06-29", *more, *options)
            assert (done.code, done.told["refused"]) == (1, "Revoked"), done


def test_the_story_can_be_told_again(told: Told) -> None:
    """A second telling in the same home goes on from the first one's state, and holds."""
    again = process("demo", "finance", "--home", told.home, "--rpc", told.chain.url, "--json")
    again.held()
    assert json.loads(again.out)["good"]


def test_a_home_without_a_desk_is_told_what_to_do(affiant: Run, tmp_path: Path) -> None:
    """Verbs that need the desk name the command that makes it."""
    affiant("finance", "act", "fee", "--home", tmp_path / "new").refused("demo finance")
    affiant("finance", "history", "--home", tmp_path / "new").refused("demo finance")


def closes_csv(path: Path) -> Path:
    """Write two years and more of real closes."""
    market = closes()
    lines = ["date," + ",".join(market.series)]
    columns = market.series.values()
    lines += [
        ",".join([day, *(str(prices[at]) for prices in columns)])
        for at, day in enumerate(market.days)
    ]
    path.write_text("\n".join(lines[:1] + lines[-1_200:]))
    return path


def test_risk_numbers_come_with_their_tests(affiant: Run, tmp_path: Path) -> None:
    """The command prints VaR and ES with every backtest, and draws them where it is told to."""
    file, plot = closes_csv(tmp_path / "closes.csv"), tmp_path / "risk.svg"
    done = affiant("finance", "risk", file, "--column", "WTI", "--plot", plot)
    done.held()
    for word in ("VaR 99 %", "ES 99 %", "Kupiec", "conditional coverage", "Acerbi-Szekely"):
        assert word in done.out
    assert plot.read_text().startswith("<svg")
    told = affiant("finance", "risk", file, "--column", "WTI", "--side", "short", "--json").told
    assert len(told["backtest"]["tests"]) == 4
    affiant("finance", "risk", file).refused("Choose one with --column")
    lost = affiant("finance", "risk", file, "--column", "WTI", "--plot", tmp_path / "no" / "x.svg")
    lost.refused("cannot be written")


def test_a_rule_is_walked_forward_beside_one_over_n(affiant: Run, tmp_path: Path) -> None:
    """The command shows the rule never without 1/N and its costs."""
    file = closes_csv(tmp_path / "closes.csv")
    done = affiant("finance", "walk", file, "--cost", 3_000)
    done.held()
    assert "after 30 bp of turnover" in done.out
    assert "1/N" in done.out
    free = affiant("finance", "walk", file, "--cost", 0, "--json").told
    assert free["rule"]["cost"] == free["equal"]["cost"] == 0
