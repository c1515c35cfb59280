"""What this vertical brings to the house."""

from affiant.kernel.house import Vertical
from affiant.verticals.market.kinds import KINDS

VERTICAL = Vertical(
    name="market",
    summary="Bargain, deliver, pay and rate between agents that have never met",
    story="affiant.verticals.market.story:story",
    models="affiant.verticals.market.agents:agents",
    kinds=KINDS,
)
