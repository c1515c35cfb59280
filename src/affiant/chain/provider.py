"""The allow-listed RPC: the only way in which agents and applications reach a chain.

An engine on this machine has methods that forge state (impersonation, storage writes, time). They
are not in the list, so nobody behind this provider can call them.
"""

from __future__ import annotations

from typing import Any, cast

from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from affiant.kernel.errors import LedgerError

ALLOWED = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_sendRawTransaction",
        "net_version",
        "web3_clientVersion",
    }
)


class AllowListedProvider(HTTPProvider):
    """An HTTP provider that refuses every method outside the list."""

    def __init__(self, url: str) -> None:
        # No retries here: senders look for their transaction before they send again.
        super().__init__(url, {"timeout": 20}, exception_retry_configuration=None)
        self._chain_id: RPCResponse | None = None

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Forward an allowed method.

        Raises:
            LedgerError: the method is not allowed, or the node cannot be reached.
        """
        if method not in ALLOWED:
            raise LedgerError(
                f"the RPC method {method} is not allowed here",
                f"Use one of: {', '.join(sorted(ALLOWED))}",
            )
        if method != "eth_chainId":
            return self._forward(method, params)
        if self._chain_id is None:  # web3 asks it before every call; it never changes
            self._chain_id = self._forward(method, params)
        return self._chain_id

    def _forward(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            answer: object = super().make_request(method, params)
        except (OSError, ValueError, AttributeError, TypeError) as error:
            # requests' errors are OSErrors; the others come from answers that are no JSON-RPC
            raise LedgerError(
                f"the node at {self.endpoint_uri} does not answer {method}: {error}",
                "Check that the node runs and that --rpc names it",
            ) from error
        if not isinstance(answer, dict):
            raise LedgerError(
                f"the node at {self.endpoint_uri} answers {method} with {answer!r:.80}",
                "Check that --rpc names an EVM node",
            )
        return cast("RPCResponse", answer)
