"""The models of this vertical's agents, for replays."""

from affiant.kernel.model import Model
from affiant.verticals.finance.allocation import AllocationModel
from affiant.verticals.finance.fee_setting import FeeModel
from affiant.verticals.finance.risk_parameters import HeldBackModel, SnapshotModel


def agents() -> list[Model]:
    """Return every model but the trader's, which comes with whoever screens for it."""
    return [FeeModel(), SnapshotModel(), HeldBackModel(), AllocationModel()]
