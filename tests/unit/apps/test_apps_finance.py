"""Where finance meets security: the fraud score as a pre-trade screen."""

from __future__ import annotations

import pytest

pytest.importorskip("lightgbm", reason="the security extra is not installed")
pytest.importorskip("arch", reason="the finance extra is not installed")

from affiant.apps import wiring
from affiant.apps.stories.finance import FraudScreen, counterparties, models
from affiant.kernel.model import Doubt, Proposal
from affiant.kernel.token import SettlementToken
from affiant.verticals.finance.pretrade import TradeModel, account_input, order_input


def test_the_screen_clears_only_who_resembles_ordinary_accounts() -> None:
    """Of the story's two accounts one is cleared; the score and a reason are told."""
    ordinary, suspect = counterparties()
    screen = FraudScreen()
    good, bad = screen.look(ordinary.figures), screen.look(suspect.figures)
    assert (good.clear, bad.clear) == (True, False)
    assert float(good.score) < 0.1
    assert float(bad.score) > 0.9
    assert "resembles known fraud" in bad.reason
    assert "towards fraud" in bad.reason


@pytest.mark.parametrize("damage", [{}, {"Sent_tnx": -1}, {"Sent_tnx": "many"}])
def test_figures_that_cannot_be_scored_clear_nobody(damage: dict[str, object]) -> None:
    """Missing or impossible figures end in a refusal with the reason, not in a payment."""
    figures = {**counterparties()[0].figures, **damage} if damage else {}
    found = FraudScreen().look(figures)
    assert not found.clear
    assert "cannot be scored" in found.reason


def test_nothing_known_clears_nobody() -> None:
    """An account without any activity is not cleared."""
    figures = dict.fromkeys(counterparties()[0].figures, 0.0)
    assert not FraudScreen().look(figures).clear


def test_a_decision_over_the_score_replays() -> None:
    """The house knows the screened trader by digest, and it answers the same again."""
    known = wiring.models()
    assert all(model.digest in known for model in models())
    (trader,) = [model for model in models() if isinstance(model, TradeModel)]
    for other, kind in zip(counterparties(), (Proposal, Doubt), strict=True):
        account = b"\x50" * 20
        order = order_input(SettlementToken(b"\x70" * 20), "1", account, 5)
        inputs = [order.value, account_input(account, other.figures).value]
        told = trader.predict(inputs)
        assert isinstance(told, kind)
        assert known[trader.digest].predict(inputs) == told


def test_the_story_is_the_joined_one() -> None:
    """Finance tells its story through the module that brings both verticals together."""
    assert wiring.vertical("finance").story == "affiant.apps.stories.finance:story"
