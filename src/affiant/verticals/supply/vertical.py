"""What this vertical brings to the house."""

from affiant.kernel.house import Vertical

VERTICAL = Vertical(
    name="supply",
    summary="Reorder stock: forecast demand, order, pay the supplier, under oath",
    story="affiant.verticals.supply.story:story",
    check="affiant.verticals.supply.story:check",
    models="affiant.verticals.supply.reorder:models",
)
