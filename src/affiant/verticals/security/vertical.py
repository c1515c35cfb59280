"""What this vertical brings to the house."""

from affiant.kernel.house import Vertical
from affiant.verticals.security.appeal import KINDS

VERTICAL = Vertical(
    name="security",
    summary="Watch agents at work: judge, suspend on a sworn alert, appeal",
    story="affiant.verticals.security.story:story",
    models="affiant.verticals.security.invoices:models",
    needs=("lightgbm", "numpy"),
    kinds=KINDS,
)
