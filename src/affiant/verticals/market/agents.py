"""The models of this vertical's agents, for replays."""

from affiant.kernel.model import Model
from affiant.verticals.market.ordering import OrderModel
from affiant.verticals.market.rating import RateModel
from affiant.verticals.market.spending import Spender


def agents() -> list[Model]:
    """Return every model."""
    return [OrderModel(), RateModel(), Spender()]
