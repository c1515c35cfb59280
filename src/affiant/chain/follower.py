"""The follower: reads a chain block by block, as far as mandates and anchored logs are concerned.

Everything of a block is asked for by the block's hash, so an answer never mixes two histories; the
caller compares `parent` with the block it read before and so notices that history was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from affiant.chain import artifacts, mandates
from affiant.chain.connection import Connection
from affiant.kernel import merkle, statement
from affiant.kernel.action import BoundAction
from affiant.kernel.body import DECISION
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import LedgerError, MalformedError
from affiant.kernel.identity import recover
from affiant.kernel.mandate import Terms
from affiant.kernel.ports import Attempt, Block


class Follower:
    """Reads blocks. `terms_of` gives the terms of a mandate, None for any other address."""

    def __init__(
        self,
        connection: Connection,
        anchor: bytes,
        terms_of: Callable[[bytes], Terms | None],
    ) -> None:
        self._chain = connection
        self._anchor = anchor
        self._terms_of = terms_of
        self._mandate_abi = artifacts.load("Mandate")
        self._anchor_abi = artifacts.load("LogAnchor")

    def block(self, number: int) -> Block | None:
        """Return a block; None beyond the newest.

        Raises:
            LedgerError: the chain does not answer, or replaced the block just now.
        """
        told = self._chain.block(number)
        if told is None:
            return None
        digest = bytes(told["hash"])
        executed, anchored = [], []
        if told["transactions"]:
            for event in self._chain.events_of(digest, self._mandate_abi, "Executed"):
                mandate = _address(event["address"])
                if self._terms_of(mandate) is not None:
                    leaf, transaction = event["args"]["leaf"], event["transactionHash"]
                    executed.append((mandate, bytes(leaf), bytes(transaction)))
            for event in self._chain.events_of(digest, self._anchor_abi, "Anchored"):
                if _address(event["address"]) == self._anchor:
                    args = event["args"]
                    anchored.append((bytes(args["logId"]), args["size"], bytes(args["root"])))
        return Block(
            number=number,
            hash=digest,
            parent=bytes(told["parentHash"]),
            time=told["timestamp"],
            executed=tuple(executed),
            attempts=tuple(self._attempts(digest, told["transactions"])),
            anchored=tuple(anchored),
        )

    def _attempts(self, block: bytes, transactions: list[Mapping[str, Any]]) -> Iterator[Attempt]:
        for sent in transactions:
            target = sent.get("to")
            mandate = _address(target) if target else b""
            called = self._chain.decoded(self._mandate_abi, "execute", bytes(sent["input"]))
            terms = self._terms_of(mandate) if called is not None and mandate else None
            if terms is None or called is None:
                continue
            transaction = bytes(sent["hash"])
            receipt = self._chain.receipt(transaction)
            if bytes(receipt["blockHash"]) != block:
                told = f"{to_hex(transaction)} is not in block {to_hex(block)} any more"
                raise LedgerError(told, "Ask again: the chain has replaced the block")
            if receipt["status"] == 1:
                continue
            action, oath = mandates.action_from_abi(called["action"]), called["oath"]
            bound = BoundAction(self._chain.chain_id, mandate, action)
            entry = mandates.entry_from_abi(terms.header, bound.digest, oath)
            yield Attempt(
                mandate=mandate,
                sender=_address(sent["from"]),
                leaf=merkle.leaf_hash(entry),
                bound=bound,
                by_agent=_signer(terms.header, bound.digest, oath) == terms.agent,
                transaction=transaction,
            )


def _signer(header: bytes, subject: bytes, oath: Mapping[str, Any]) -> bytes:
    """Return who signed a decision about `subject`; nothing if nobody did."""
    protected = header + oath["iat"].to_bytes(4, "big")
    said = statement.payload(DECISION, subject, oath["body"])
    digest = sha256(statement.sig_structure(protected, said))
    try:
        return recover(digest, oath["r"] + oath["s"] + bytes([oath["v"]]))
    except MalformedError:
        return b""


def _address(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
