"""What this vertical brings to the house."""

from affiant.kernel.house import Vertical

VERTICAL = Vertical(
    name="finance",
    summary="Let agents set fees, risk parameters and weights, inside bounds that hold",
    story="affiant.verticals.finance.story:story",
    models="affiant.verticals.finance.agents:agents",
    needs=("arch", "lightgbm", "numpy"),
)
