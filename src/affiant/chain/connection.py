"""A connection to an EVM chain: read, deploy once, send and wait; contract errors by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from eth_abi.abi import encode
from eth_abi.codec import ABICodec
from eth_abi.decoding import ByteStringDecoder
from eth_abi.encoding import ByteStringEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_account import Account
from eth_typing import ChecksumAddress
from eth_utils.abi import (
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
)
from web3 import Web3
from web3.exceptions import (
    BlockNotFound,
    ContractLogicError,
    LogTopicError,
    MismatchedABI,
    TimeExhausted,
    Web3Exception,
)
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import BaseProvider

from affiant.chain import artifacts
from affiant.chain.reverts import Errors
from affiant.kernel.encoding import keccak256, to_hex
from affiant.kernel.errors import CallReverted, LedgerError, SetupError
from affiant.kernel.identity import LedgerKey

Artifact = Mapping[str, Any]
# The deterministic deployment proxy: one keyless transaction puts it at this address on any chain.
DEPLOYER = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
_SALT = b"\0" * 32
_WAIT_SECONDS = 120
_RESERVE = 1.25  # gas limit above the estimate: storage may have changed by the time it runs


class _AnyPadding(ByteStringDecoder):
    """Bytes followed by whatever there is: contracts do not look at padding."""

    def read_data_from_stream(self, stream: Any) -> Any:
        """Read without looking at the padding; the registry makes every decoder strict."""
        self.strict = False
        return super().read_data_from_stream(stream)  # type: ignore[no-untyped-call]


def _lenient() -> ABICodec:
    known = registry.copy()  # type: ignore[no-untyped-call]
    known.unregister("bytes")
    is_bytes = BaseEquals("bytes", with_sub=False)  # type: ignore[no-untyped-call]
    known.register(is_bytes, ByteStringEncoder, _AnyPadding, "bytes")
    return ABICodec(known)


_LENIENT = _lenient()


class Connection:
    """One chain, by one provider."""

    def __init__(
        self, provider: BaseProvider, name: str, payer: LedgerKey, *, dry: bool = False
    ) -> None:
        """Connect; `payer` lends other senders what a transaction costs, where it costs.

        A `dry` connection signs no transaction and sends none.

        Raises:
            LedgerError: the node does not answer.
        """
        self._web3 = Web3(provider)
        # Chains with a fixed set of validators have longer extra data than web3 allows by default.
        self._web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._lock = threading.RLock()
        self._payer = payer
        self._dry = dry
        self.name = name
        self.chain_id = self._number(self._ask(lambda: self._web3.eth.chain_id))
        self._errors = Errors()
        for core in ("LogAnchor", "MandateFactory", "Mandate"):
            self._errors.learn(artifacts.load(core)["abi"])

    @property
    def genesis(self) -> str:
        """The hash of the first block: what tells chains with one id apart."""
        block = self._ask(lambda: self._web3.eth.get_block(0))
        return to_hex(bytes(block["hash"]))

    def _number(self, value: object) -> int:
        if type(value) is not int or value < 0:
            told = f"{self.name} answers {value!r:.60} where a number belongs"
            raise LedgerError(told, "Check that --rpc names an EVM node")
        return value

    def now(self) -> int:
        """Return the newest block's time."""
        return int(self._ask(lambda: self._web3.eth.get_block("latest"))["timestamp"])

    def present(self) -> int:
        """Return the time that a block mined now would have."""
        return int(self._ask(lambda: self._web3.eth.get_block("pending"))["timestamp"])

    def height(self) -> int:
        """Return the newest block's number."""
        return self._number(self._ask(lambda: self._web3.eth.block_number))

    def call(self, address: bytes, artifact: Artifact, name: str, *arguments: Any) -> Any:
        """Read from a contract.

        Raises:
            CallReverted: it refused.
        """
        function = self._function(address, artifact, name, arguments)
        return self._ask(function.call)

    def send(
        self, sender: LedgerKey, address: bytes, artifact: Artifact, name: str, *arguments: Any
    ) -> Mapping[str, Any]:
        """Send a transaction and return its receipt.

        Raises:
            CallReverted: the contract would refuse it; nothing was sent.
        """
        self._errors.learn(artifact["abi"])
        data = self._function(address, artifact, name, arguments)._encode_transaction_data()  # noqa: SLF001 (web3 has no public name for it)
        return self.transact(sender, address, bytes.fromhex(data[2:]))

    def transact(
        self, sender: LedgerKey, to: bytes, data: bytes, value: int = 0
    ) -> Mapping[str, Any]:
        """Sign, send, wait for and return the receipt of a transaction.

        Raises:
            CallReverted: it would fail, and was not sent; or it failed on chain.
            LedgerError: it was not mined in time, or the connection is dry.
        """
        if self._dry:
            raise LedgerError(
                f"a dry run sends nothing to {to_hex(to)} on {self.name}",
                "Do it without the dry run first, or name a chain on which it was done",
            )
        with self._lock:
            request: dict[str, Any] = {
                "from": _checksum(sender.address),
                "to": _checksum(to),
                "data": to_hex(data),
                "value": value,
            }
            limit = self._ask(lambda: self._web3.eth.estimate_gas(request))  # type: ignore[arg-type]
            request |= self._fees() | {
                "chainId": self.chain_id,
                "gas": int(limit * _RESERVE),
                "nonce": self._ask(
                    lambda: self._web3.eth.get_transaction_count(request["from"], "pending")
                ),
            }
            self._provide(sender, request["gas"] * request["maxFeePerGas"] + value)
            del request["from"]
            signed = Account.from_key(sender.secret).sign_transaction(request)
            self._ask(lambda: self._web3.eth.send_raw_transaction(signed.raw_transaction))
            receipt: Mapping[str, Any] = self._ask(
                lambda: self._web3.eth.wait_for_transaction_receipt(
                    signed.hash, timeout=_WAIT_SECONDS, poll_latency=0.02
                )
            )
        if receipt["status"] != 1:
            raise CallReverted("failed on chain", f", transaction {to_hex(signed.hash)}")
        return receipt

    def deploy(self, sender: LedgerKey, artifact: Artifact, *arguments: Any) -> bytes:
        """Find or deploy a contract; the same code and arguments have the same address anywhere.

        Raises:
            SetupError: the chain lacks the deterministic deployer.
        """
        code = bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
        constructor = [entry for entry in artifact["abi"] if entry["type"] == "constructor"]
        if constructor:
            code += encode(get_abi_input_types(constructor[0]), arguments)
        self._errors.learn(artifact["abi"])
        address = keccak256(b"\xff" + DEPLOYER + _SALT + keccak256(code))[12:]
        if not self.has_code(address):
            if self._dry:
                raise LedgerError(
                    f"{artifact['contract']} is not at {to_hex(address)} on {self.name}",
                    "Name the chain on which this home has acted, or a fork of it",
                )
            if not self.has_code(DEPLOYER):
                raise SetupError(
                    f"{self.name} has no deterministic deployer at {to_hex(DEPLOYER)}",
                    "Send its published deployment transaction to this chain once",
                )
            self.transact(sender, DEPLOYER, _SALT + code)
            if not self.has_code(address):
                raise LedgerError(
                    f"deploying {artifact['contract']} left no code at {to_hex(address)}",
                    "Check the chain's code size limit",
                )
        return address

    def estimate(
        self,
        address: bytes,
        artifact: Artifact,
        name: str,
        *arguments: Any,
        instead: Mapping[bytes, bytes],
    ) -> int:
        """Return the gas that a call would take now, with other code at some addresses.

        Raises:
            CallReverted: it would be refused.
        """
        data = self._function(address, artifact, name, arguments)._encode_transaction_data()  # noqa: SLF001 (as above)
        request: Any = {"from": _checksum(self._payer.address), "to": _checksum(address)}
        request |= {"data": data, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
        other: Any = {_checksum(where): {"code": to_hex(code)} for where, code in instead.items()}
        return int(self._ask(lambda: self._web3.eth.estimate_gas(request, "pending", other)))

    def code(self, address: bytes) -> bytes:
        """Return the code at an address; nothing if there is no contract."""
        where = _checksum(address)
        return bytes(self._ask(lambda: self._web3.eth.get_code(where)))

    def has_code(self, address: bytes) -> bool:
        """Tell whether there is a contract at an address."""
        return bool(self.code(address))

    def events(
        self,
        address: bytes,
        artifact: Artifact,
        name: str,
        *topics: bytes | None,
        since: int = 0,
    ) -> list[Mapping[str, Any]]:
        """Return the decoded events of a contract, oldest first; `topics` filter indexed fields."""
        contract = self._web3.eth.contract(_checksum(address), abi=artifact["abi"])
        event = contract.events[name]()
        wanted: list[Any] = [to_hex(event_abi_to_log_topic(event.abi))]
        wanted += [None if topic is None else to_hex(topic.rjust(32, b"\0")) for topic in topics]
        logs = self._ask(
            lambda: self._web3.eth.get_logs(
                {
                    "address": contract.address,
                    "topics": wanted,
                    "fromBlock": since,
                    "toBlock": "latest",
                }
            )
        )
        return [event.process_log(log) for log in logs]

    def block(self, number: int) -> Mapping[str, Any] | None:
        """Return a block with its transactions; None beyond the newest."""
        try:
            found: Mapping[str, Any] = self._ask(lambda: self._web3.eth.get_block(number, True))
        except LedgerError as error:
            if isinstance(error.__cause__, BlockNotFound):
                return None
            raise
        return found

    def events_of(self, block: bytes, artifact: Artifact, name: str) -> list[Mapping[str, Any]]:
        """Return a block's decoded events of that name, by whatever contract."""
        event = self._web3.eth.contract(abi=artifact["abi"]).events[name]()
        topic = to_hex(event_abi_to_log_topic(event.abi))
        wanted = {"blockHash": to_hex(block), "topics": [topic]}
        logs = self._ask(lambda: self._web3.eth.get_logs(wanted))  # type: ignore[arg-type]
        found = []
        for log in logs:
            # Another contract's event of the same name may hold anything.
            with suppress(MismatchedABI, LogTopicError, DecodingError, ValueError, OverflowError):
                found.append(event.process_log(log))
        return found

    def decoded(self, artifact: Artifact, name: str, data: bytes) -> Mapping[str, Any] | None:
        """Return the arguments of a call of that function; None if it is not one."""
        functions = [entry for entry in artifact["abi"] if entry["type"] == "function"]
        (function,) = [entry for entry in functions if entry["name"] == name]
        if data[:4] != function_abi_to_4byte_selector(function):
            return None
        try:
            values = _LENIENT.decode(get_abi_input_types(function), data[4:])
        except (ValueError, OverflowError, DecodingError):
            return None
        return _named(function["inputs"], values)

    def receipt(self, transaction: bytes) -> Mapping[str, Any]:
        """Return the receipt of a transaction.

        Raises:
            LedgerError: the chain does not know it.
        """
        result: Mapping[str, Any] = self._ask(
            lambda: self._web3.eth.get_transaction_receipt(to_hex(transaction))  # type: ignore[arg-type]
        )
        return result

    def _function(self, address: bytes, artifact: Artifact, name: str, arguments: Any) -> Any:
        contract = self._web3.eth.contract(_checksum(address), abi=artifact["abi"])
        return contract.functions[name](*arguments)

    def _provide(self, sender: LedgerKey, cost: int) -> None:
        """Make sure that the sender can pay for a transaction.

        Raises:
            LedgerError: the payer itself cannot.
        """
        if not cost:
            return
        held = int(self._ask(lambda: self._web3.eth.get_balance(_checksum(sender.address))))
        if held >= cost:
            return
        if sender.address == self._payer.address:
            raise LedgerError(
                f"account {to_hex(sender.address)} has {held} wei on {self.name}, needs {cost}",
                "Send it some of the chain's currency; it pays for this house's transactions",
            )
        self.transact(self._payer, sender.address, b"", 4 * cost)

    def _fees(self) -> dict[str, Any]:
        base = int(self._ask(lambda: self._web3.eth.get_block("latest")).get("baseFeePerGas", 0))
        tip = int(self._ask(lambda: self._web3.eth.max_priority_fee)) if base else 0
        return {"type": 2, "maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip}

    def _ask(self, question: Any) -> Any:
        """Ask the node; name what a contract refused with.

        Raises:
            CallReverted: a contract refused.
            LedgerError: anything else that went wrong.
        """
        try:
            return question()
        except ContractLogicError as error:
            raise self._errors.reverted(error) from error
        except TimeExhausted as error:
            raise LedgerError(
                f"{self.name}: {error}",
                "Look it up by its hash before sending it again",
            ) from error
        except (Web3Exception, ValueError, AttributeError, TypeError, KeyError) as error:
            # The last three are web3's ways of failing on an answer of another form.
            raise LedgerError(f"{self.name}: {error!r}", "Check node and account") from error


def _named(fields: list[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    """Return decoded values by name, tuples too."""
    return {
        told["name"]: _named(told["components"], value) if told["type"] == "tuple" else value
        for told, value in zip(fields, values, strict=True)
    }


def _checksum(address: bytes) -> ChecksumAddress:
    return Web3.to_checksum_address(address)
