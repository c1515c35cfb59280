"""What a facilitator answers: why not, or by which transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from affiant.kernel.encoding import to_hex
from affiant.verticals.market.wire import (
    bad,
    checksummed,
    data_of,
    mapping,
    number,
    prose,
    text_of,
)


class Reason(StrEnum):
    """Why a payment is not taken. All but two are what the x402 packages say."""

    PAYLOAD = "invalid_payload"
    SCHEME = "unsupported_scheme"
    NETWORK = "network_mismatch"
    REQUIREMENTS = "invalid_payment_requirements"
    ASSET = "invalid_exact_evm_failed_to_get_asset_info"
    RECIPIENT = "invalid_exact_evm_payload_recipient_mismatch"
    VALUE = "invalid_exact_evm_payload_authorization_value_mismatch"
    AFTER = "invalid_exact_evm_payload_authorization_valid_after"
    BEFORE = "invalid_exact_evm_payload_authorization_valid_before"
    SIGNATURE = "invalid_exact_evm_payload_signature"
    USED = "invalid_exact_evm_nonce_already_used"
    BALANCE = "invalid_exact_evm_insufficient_balance"
    SIMULATION = "invalid_exact_evm_transaction_simulation_failed"
    PENDING = "settlement_pending"
    VERIFYING = "unexpected_verify_error"
    SETTLING = "unexpected_settle_error"
    UNLOGGED = "authorization_not_logged"
    """Ours: the nonce is no statement of the log."""
    UNSWORN = "authorization_not_sworn"
    """Ours: the statement swears to something else."""


@dataclass(frozen=True)
class Objection:
    """Why not, for machines and for people."""

    reason: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What a facilitator says of a payment that is not settled yet."""

    objection: Objection | None
    payer: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        told: dict[str, Any] = {"isValid": self.objection is None}
        if self.objection is not None:
            told["invalidReason"] = str(self.objection.reason)
            told["invalidMessage"] = self.objection.message
        return told | _payer(self.payer)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the wire form.

        Raises:
            MalformedError: it is not in that form.
        """
        told = mapping("verdict", value)
        return cls(_objection(told, "isValid", "invalid"), _payer_of(told))


@dataclass(frozen=True)
class Settlement:
    """What a facilitator says of a payment that it was to settle."""

    objection: Objection | None
    network: str
    payer: bytes | None = None
    transaction: bytes | None = None
    amount: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        told: dict[str, Any] = {
            "success": self.objection is None,
            "transaction": "" if self.transaction is None else to_hex(self.transaction),
            "network": self.network,
        }
        if self.objection is not None:
            told["errorReason"] = str(self.objection.reason)
            told["errorMessage"] = self.objection.message
        if self.amount is not None:
            told["amount"] = str(self.amount)
        return told | _payer(self.payer)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read the wire form.

        Raises:
            MalformedError: it is not in that form.
        """
        told = mapping("settlement", value)
        objection = _objection(told, "success", "error")
        transaction, amount = told.get("transaction"), told.get("amount")
        return cls(
            objection,
            text_of("network", told.get("network")),
            _payer_of(told),
            data_of("transaction", transaction, 32) if objection is None or transaction else None,
            None if amount is None else number("amount", amount),
        )


def _objection(told: Mapping[str, Any], flag: str, prefix: str) -> Objection | None:
    good = told.get(flag)
    if type(good) is not bool:
        raise bad(flag, good)
    if good:
        return None
    reason, message = (told.get(f"{prefix}{part}") for part in ("Reason", "Message"))
    return Objection(text_of("reason", reason), prose(message))


def _payer(payer: bytes | None) -> dict[str, str]:
    return {} if payer is None else {"payer": checksummed(payer)}


def _payer_of(told: Mapping[str, Any]) -> bytes | None:
    payer = told.get("payer")
    return data_of("payer", payer, 20) if payer else None
