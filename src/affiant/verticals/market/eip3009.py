"""What the facilitator does with an EIP-3009 token, on whatever chain a house offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from affiant.kernel.encoding import from_hex
from affiant.kernel.identity import LedgerKey
from affiant.verticals.market.payment import Payment, Token
from affiant.verticals.market.settlements import Entry, Slot


def _function(name: str, inputs: str, output: str | None = None) -> dict[str, Any]:
    view = output is not None
    return {
        "type": "function",
        "name": name,
        "stateMutability": "view" if view else "nonpayable",
        "inputs": _fields(inputs),
        "outputs": _fields(f"{output} told") if view else [],
    }


def _fields(told: str) -> list[dict[str, Any]]:
    pairs = [one.split() for one in told.split(", ")]
    return [{"type": kind, "name": name, "internalType": kind} for kind, name in pairs]


def _event(name: str, indexed: str, plain: str = "") -> dict[str, Any]:
    fields = [{**field, "indexed": True} for field in _fields(indexed)]
    fields += [{**field, "indexed": False} for field in _fields(plain)] if plain else []
    return {"type": "event", "name": name, "anonymous": False, "inputs": fields}


EIP3009: Mapping[str, Any] = {
    "contract": "EIP3009",
    "abi": [
        _function(
            "transferWithAuthorization",
            "address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, "
            "bytes32 nonce, uint8 v, bytes32 r, bytes32 s",
        ),
        _function("authorizationState", "address authorizer, bytes32 nonce", "bool"),
        _function("balanceOf", "address account", "uint256"),
        _event("AuthorizationUsed", "address authorizer, bytes32 nonce"),
        _event("Transfer", "address from, address to", "uint256 value"),
    ],
}
"""The part of a token that is used here: that of any EIP-3009 token."""


class Chain(Protocol):
    """What a facilitator needs of a chain; every house has it."""

    def call(self, address: bytes, artifact: Mapping[str, Any], name: str, *arguments: Any) -> Any:
        """Read from a contract."""
        ...

    def events(
        self, address: bytes, artifact: Mapping[str, Any], name: str
    ) -> list[Mapping[str, Any]]:
        """Return a contract's events of that name, oldest first."""
        ...

    def send(
        self,
        sender: LedgerKey,
        address: bytes,
        artifact: Mapping[str, Any],
        name: str,
        *arguments: Any,
    ) -> bytes:
        """Send a transaction, unless it would fail, and wait for it; return its hash.

        Raises:
            CallReverted: the contract would refuse it, and nothing was sent; or it failed.
        """
        ...


def carry(chain: Chain, key: LedgerKey, token: Token, payment: Payment) -> bytes:
    """Bring a payment to the chain; return the transaction.

    Raises:
        CallReverted: the token refuses it, and nothing was sent; or it failed on chain.
    """
    told, signature = payment.authorization, payment.signature
    v = signature[64] if signature[64] >= 27 else signature[64] + 27
    return chain.send(
        key,
        token.address,
        EIP3009,
        "transferWithAuthorization",
        *(told.payer, told.payee, told.value, told.valid_after, told.valid_before, told.nonce),
        *(v, signature[:32], signature[32:64]),
    )


def balance(chain: Chain, token: Token, account: bytes) -> int:
    """Return what an account holds."""
    return int(chain.call(token.address, EIP3009, "balanceOf", account))


def is_used(chain: Chain, slot: Slot) -> bool:
    """Tell whether a nonce was used or cancelled."""
    token, payer, nonce = slot
    return bool(chain.call(token, EIP3009, "authorizationState", payer, nonce))


def carried(chain: Chain, entry: Entry) -> bytes | None:
    """Return the transaction that made exactly this transfer under this nonce, if any did.

    The token's own transfer is the event that follows the use of the nonce: others in the same
    transaction may be of other authorisations.
    """
    token, payer, nonce = entry.slot
    uses = chain.events(token, EIP3009, "AuthorizationUsed")
    places = {
        (bytes(event["transactionHash"]), event["logIndex"] + 1)
        for event in uses
        if _address(event["args"]["authorizer"]) == payer and event["args"]["nonce"] == nonce
    }
    if not places:
        return None
    for event in chain.events(token, EIP3009, "Transfer"):
        transaction, told = bytes(event["transactionHash"]), event["args"]
        parties = (_address(told["from"]), _address(told["to"]), told["value"])
        if (transaction, event["logIndex"]) in places:
            return transaction if parties == (payer, entry.payee, entry.value) else None
    return None


def _address(text: str) -> bytes:
    return from_hex(text.lower(), 20)
