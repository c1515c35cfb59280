"""Finance with the fraud score of security: the two verticals meet only here."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import InputError
from affiant.kernel.house import House, Step
from affiant.kernel.model import Model, sources_digest
from affiant.verticals.finance import story as finance
from affiant.verticals.finance.agents import agents
from affiant.verticals.finance.pretrade import Finding, TradeModel
from affiant.verticals.finance.story import Counterparty
from affiant.verticals.security.fraud import ORDINARY, FraudModel

_SOURCES = ("apps/stories/finance.py", "verticals/security/fraud.py")


class FraudScreen:
    """Clears an account only if it resembles ordinary ones."""

    @functools.cached_property
    def _model(self) -> FraudModel:
        return FraudModel.load()

    @property
    def digest(self) -> bytes:
        """The fraud model's, its code's and this rule's."""
        return sha256(self._model.digest + sources_digest(_SOURCES))

    def look(self, account: Mapping[str, Any]) -> Finding:
        """Score an account; figures that cannot be scored clear nobody."""
        try:
            found = self._model.score(account)
        except InputError as error:
            return Finding(clear=False, score="1", reason=f"cannot be scored: {error.message}")
        why = "; ".join(map(str, found.reasons[:2]))
        told = f"fraud score {found.probability:.3f}, {found.verdict}" + (f": {why}" if why else "")
        return Finding(found.verdict == ORDINARY, f"{found.probability:.6f}", told)


def models() -> list[Model]:
    """Return the finance agents' models, the screened trader's too."""
    return [*agents(), TradeModel(FraudScreen())]


def counterparties() -> list[Counterparty]:
    """Return an account like the data set's typical one, and one that many paid and one emptied."""
    card = FraudModel.load().card
    typical = {name: float(value) for name, value in card["medians"].items()}
    phishing = dict.fromkeys(typical, 0.0) | {
        "Received_Tnx": 12,
        "Sent_tnx": 2,
        "total_transactions_including_tnx_to_create_contract": 14,
        "Time_Diff_between_first_and_last_Mins": 900,
        "Avg_min_between_received_tnx": 70,
        "Avg_min_between_sent_tnx": 20,
        "Average_of_Unique_Received_From_Addresses": 11,
        "Average_of_Unique_Sent_To_Addresses": 1,
        "min_value_received": 0.05,
        "max_value_received": 3,
        "avg_val_received": 0.9,
        "min_val_sent": 5,
        "max_val_sent": 5.5,
        "avg_val_sent": 5.2,
        "total_Ether_sent": 10.5,
        "total_ether_received": 10.6,
        "total_ether_balance": 0.1,
    }
    return [
        Counterparty("old customer", typical, suspect=False),
        Counterparty("new customer", phishing, suspect=True),
    ]


def story(house: House) -> Iterator[Step]:
    """Tell the finance story with the screen in its place."""
    yield from finance.story(house, FraudScreen(), counterparties())
