"""A backup older than what the chain holds is refused before anything is signed or done again."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from affiant import Bucket, Input, open_house
from affiant.apps.house import ENGINE_FOLDER, RealHouse
from affiant.apps.wiring import kinds
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.chain import artifacts, install
from affiant.kernel import merkle
from affiant.kernel.errors import IntegrityError
from affiant.kernel.house import Act
from affiant.kernel.ports import LogView, Seat
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.supply.reorder import GreedyModel

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        install.anvil_path(ENGINE_FOLDER) is None,
        reason="anvil is not installed; run: affiant chain install",
    ),
]


def pay(house: RealHouse, job: str, name: str = "buyer") -> Act:
    """Let an agent of the house pay one token."""
    shop, agent, payee = house.key("shop"), house.key(name), house.key("payee").address
    money = SettlementToken.deploy(house, shop)
    mandate = house.grant(
        name,
        principal=shop,
        agent=agent,
        rules=[money.rule([payee], 5)],
        buckets=[Bucket(units(1000), 60)],
    )
    money.fund(house, shop, mandate, 10)
    trade = Input.of(
        {"token": "0x" + money.address.hex(), "supplier": "0x" + payee.hex()}, source="t"
    )
    offer = Input.of({"price": "1"}, source="o")
    return house.agent(name).act(job, mandate, GreedyModel(), [trade, offer])


def backed_up(home: Path, name: str) -> Path:
    """Copy a database as it is now, with what its write-ahead log holds."""
    copy = home.parent / f"{name}.backup"
    source, target = sqlite3.connect(home / f"{name}.db"), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    return copy


def restore(home: Path, name: str, copy: Path) -> None:
    """Put a backup in a database's place."""
    for rest in home.glob(f"{name}.db*"):
        rest.unlink()
    shutil.copy(copy, home / f"{name}.db")


def test_an_older_log_is_refused_before_it_signs(tmp_path: Path) -> None:
    """A log restored from before the chain's newest anchor opens for nobody and signs nothing."""
    home = tmp_path / "home"
    with open_house(home) as house:
        assert pay(house, "one").refused is None
    copy = backed_up(home, "log")
    with open_house(home) as house:
        assert pay(house, "two").refused is None
    restore(home, "log", copy)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="the chain holds"):
            open_house(home)
    database = sqlite3.connect(home / "log.db")
    before = sqlite3.connect(copy)
    query = "SELECT max(size), count(*) FROM checkpoints"
    assert database.execute(query).fetchone() == before.execute(query).fetchone()


@pytest.mark.parametrize("pending", [False, True])
def test_an_older_chain_is_refused(tmp_path: Path, *, pending: bool) -> None:
    """A journal restored from before blocks that this home has seen is refused, every time."""
    home = tmp_path / "home"
    with open_house(home) as house:
        pay(house, "one")
    copy = backed_up(home, "chain")
    with open_house(home) as house:
        pay(house, "two")
    if pending:  # as a copy taken while its last block was being mined
        with sqlite3.connect(copy) as database:
            last = "(SELECT max(number) FROM blocks)"
            database.execute(f"UPDATE blocks SET hash = NULL WHERE number = {last}")
    restore(home, "chain", copy)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="this home has seen"):
            open_house(home)


def anchor_as_a_stranger(house: RealHouse) -> None:
    """Extend what the chain holds of the log, as anybody who reads its checkpoint can."""
    log, ledger = house.log, house.ledger
    held = ledger.anchored(log.policy.log_id)
    head, policy, size = log.head(), log.policy, held[-1].size
    if head.size == size:
        return
    house.send(
        house.key("stranger"),
        ledger.anchor_address,
        artifacts.load("LogAnchor"),
        "anchor",
        (policy.origin_hash, policy.signer, list(policy.witnesses), policy.threshold),
        (len(held), size, [log.node(*place) for place in merkle.peak_places(0, size)]),
        [log.node(*place) for place in merkle.peak_places(size, head.size)],
        head.size,
        [head.signature],
    )


def test_a_stranger_who_anchors_first_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever anchored it, a logged decision is proven and executed."""
    with open_house(tmp_path) as house:
        assert pay(house, "one").refused is None
        plain = house.ledger.anchor

        def second(log: LogView, index: int | None = None) -> Seat:
            anchor_as_a_stranger(house)
            return plain(log, index)

        monkeypatch.setattr(house.ledger, "anchor", second)
        assert [pay(house, f"job {n}").refused for n in range(3)] == [None] * 3


def test_a_decision_runs_from_an_older_seat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash behind the anchor, and others' acts since, do not cost a job its execution."""
    with open_house(tmp_path) as house:
        pay(house, "first", "other")
        with monkeypatch.context() as patch:
            patch.setattr(house.ledger, "execute", dying)
            with pytest.raises(SystemExit):
                pay(house, "mine")
        assert [pay(house, f"{n}", "other").refused for n in range(4)] == [None] * 4
        assert pay(house, "mine").refused is None


def dying(*_: object) -> None:
    """Stand in for the process's end."""
    raise SystemExit


def test_an_emptied_log_is_not_begun_anew(tmp_path: Path) -> None:
    """A log that has its tables but no entries any more is refused, also by an audit."""
    home = tmp_path / "home"
    with open_house(home) as house:
        pay(house, "one")
    with sqlite3.connect(home / "log.db") as database:
        for table in ("entries", "nodes", "checkpoints", "bodies", "open_decisions"):
            database.execute(f"DELETE FROM {table}")
    for reading in (False, True):
        with pytest.raises(IntegrityError, match="lost all its entries"):
            open_house(home, reading=reading)


def test_an_audit_of_an_older_log_signs_nothing(tmp_path: Path) -> None:
    """An audit tells that the log is behind the chain, and leaves its checkpoints as they are."""
    home = tmp_path / "home"
    with open_house(home) as house:
        pay(house, "one")
    copy = backed_up(home, "log")
    with open_house(home) as house:
        pay(house, "two")
    restore(home, "log", copy)
    query = "SELECT group_concat(size) FROM checkpoints"
    before = sqlite3.connect(copy).execute(query).fetchone()
    with open_house(home, reading=True) as house:
        report = audit(collect(house.view, house.ledger, house.archive), kinds(), ledger="here")
    assert "log.anchored" in {finding.name for finding in report.findings()}
    assert sqlite3.connect(home / "log.db").execute(query).fetchone() == before
