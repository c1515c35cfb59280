"""The embedded chain: anvil under our journal, behind the allow-listed RPC.

Blocks are mined only here: journalled, handed to the engine, mined, compared, acknowledged. A block
that was journalled but not acknowledged when the process died is mined again on start, so a
transaction may have happened that its sender was not told of; senders look before they resend.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from web3.types import RPCEndpoint, RPCError, RPCResponse

from affiant.chain.anvil import Anvil
from affiant.chain.journal import Block, Journal
from affiant.chain.provider import AllowListedProvider
from affiant.kernel.encoding import keccak256, to_hex
from affiant.kernel.errors import IntegrityError, LedgerError
from affiant.kernel.ports import Clock


class EmbeddedChain(AllowListedProvider):
    """A provider whose transactions are durable when they are acknowledged."""

    def __init__(
        self,
        binary: Path,
        journal: Journal,
        clock: Clock,
        port: int = 0,
        acknowledged: Callable[[int], object] = int,
    ) -> None:
        """Start the engine and mine the journal again.

        `acknowledged` hears the number of every block that senders may rely on.

        Raises:
            IntegrityError: a block hashes differently than it did.
            SetupError: the engine does not start.
        """
        genesis = journal.genesis
        self._journal = journal
        self._clock = clock
        self._acknowledged = acknowledged
        self._lock = threading.Lock()
        self._engine = Anvil(
            binary, chain_id=genesis.chain_id, genesis_time=genesis.time, port=port
        )
        super().__init__(self._engine.url)
        self._number, self._time, self._hash = 0, genesis.time, b""
        self._broken = ""
        try:
            for block in journal.blocks():
                self._replay(block)
        except BaseException:
            self.close()
            raise

    @property
    def number(self) -> int:
        """The newest block's number."""
        return self._number

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer an allowed method; a raw transaction is journalled and mined first."""
        if method == "eth_sendRawTransaction":
            try:
                raw = bytes.fromhex(str(params[0]).removeprefix("0x"))
            except (ValueError, IndexError, TypeError, KeyError):
                told: RPCError = {"code": -32602, "message": f"{params!r:.80} is no transaction"}
                return {"jsonrpc": "2.0", "id": 0, "error": told}
            with self._lock:
                error = self._mine([raw])
            if error is not None:
                return {"jsonrpc": "2.0", "id": 0, "error": cast("RPCError", error)}
            return {"jsonrpc": "2.0", "id": 0, "result": to_hex(keccak256(raw))}
        if method == "eth_getBlockByNumber" and params[0] == "pending":
            head = super().make_request(method, ["latest", *params[1:]])
            cast("Any", head["result"])["timestamp"] = hex(self._next_time())
            return head
        if method == "eth_estimateGas" and self._clock.now() > self._time:
            with self._lock:
                return self._estimate_next([params[0], "latest", *params[2:]])
        if method == "eth_estimateGas" and "pending" in params[1:2]:
            params = [params[0], "latest", *params[2:]]
        return super().make_request(method, params)

    def _next_time(self) -> int:
        return max(self._clock.now(), self._time)

    def _estimate_next(self, params: list[Any]) -> RPCResponse:
        """Estimate as of a block mined now, and take that block back: the journal never has it."""
        saved = self._engine_call("evm_snapshot")
        try:
            self._engine_call("evm_setNextBlockTimestamp", self._next_time())
            self._engine_call("evm_mine")
            return self._forward(RPCEndpoint("eth_estimateGas"), params)
        finally:
            self._engine_call("evm_revert", saved)

    def _mine(self, raws: list[bytes]) -> object | None:
        """Journal and mine one block; return the engine's error if it refuses a transaction.

        Raises:
            LedgerError: something went wrong before, and engine and journal may differ.
        """
        if self._broken:
            raise LedgerError(
                f"the embedded chain has stopped: {self._broken}",
                "Open the house again; the journal completes or drops what was begun",
            )
        number, time = self._number + 1, self._next_time()
        self._journal.begin(number, time, raws)
        try:
            return self._run(Block(number, time, None, tuple(raws)))
        except BaseException as error:
            self._broken = str(error) or repr(error)
            raise

    def _replay(self, block: Block) -> None:
        self._run(block)
        if block.hash is not None and block.hash != self._hash:
            raise IntegrityError(
                f"block {block.number} was {to_hex(block.hash)}, the journal now gives "
                f"{to_hex(self._hash)} (engine of the journal: {self._journal.genesis.engine})",
                "Restore chain.db from a backup, or use the engine version of the journal",
            )

    def _run(self, block: Block) -> object | None:
        """Let the engine mine a journalled block; return its error if it refuses a transaction."""
        for raw in block.transactions:
            answer = self._forward(RPCEndpoint("eth_sendRawTransaction"), [to_hex(raw)])
            if "error" in answer and block.hash is None:
                self._journal.forget(block.number)  # refused, now or at the next start: never was
                return answer["error"]
        self._engine_call("evm_setNextBlockTimestamp", block.time)
        self._engine_call("evm_mine")
        head = self._engine_call("eth_getBlockByNumber", "latest", False)
        held = [bytes.fromhex(h[2:]) for h in head["transactions"]]
        self._number, self._time = int(head["number"], 16), int(head["timestamp"], 16)
        self._hash = bytes.fromhex(head["hash"][2:])
        if (self._number, self._time) != (block.number, block.time):
            raise IntegrityError(
                f"the engine mined block {self._number}, the journal says {block.number}",
                "Somebody else mined on the engine; start again, the journal holds what counts",
            )
        if block.hash is not None:
            return None
        wanted = [keccak256(raw) for raw in block.transactions]
        if held not in (wanted, []):
            raise IntegrityError(
                f"the engine mined {len(held)} transactions, the journal says {len(wanted)}",
                "Somebody else wrote to the engine; start again, the journal holds what counts",
            )
        if held != wanted:
            # Accepted but not mined, for instance a nonce too high: the block stays, empty.
            self._engine_call("anvil_dropAllTransactions")
            self._journal.finish(block.number, self._hash, empty=True)
            return {"code": -32000, "message": "transaction was not mined; is its nonce too high?"}
        self._journal.finish(block.number, self._hash)
        self._acknowledged(block.number)
        return None

    def _engine_call(self, method: str, *params: Any) -> Any:
        answer = self._forward(RPCEndpoint(method), list(params))
        if "error" in answer:
            raise LedgerError(f"the engine refuses {method}: {answer['error']}", "Start again")
        return answer["result"]
