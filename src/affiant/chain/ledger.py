"""The ledger: the core contracts on one chain, as the other rooms need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affiant.chain import artifacts, mandates
from affiant.chain.connection import Connection
from affiant.chain.follower import Follower
from affiant.chain.rehearsal import rehearse
from affiant.kernel import merkle
from affiant.kernel.action import BoundAction
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import CallReverted, IntegrityError, LedgerError, MandateUnknown
from affiant.kernel.identity import LedgerKey, PublicKey
from affiant.kernel.mandate import Level, State, Terms, Watch
from affiant.kernel.model import Call
from affiant.kernel.ports import Anchored, Block, Execution, Head, LogView, Seat, Suspended
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension, Suspension

_RING = 1024  # seats that LogAnchor keeps
_ANCHOR_TRIES = 5


class EvmLedger:
    """LogAnchor, MandateFactory and mandates on a chain; `operator` carries and pays."""

    def __init__(self, connection: Connection, operator: LedgerKey) -> None:
        """Find or deploy the core contracts."""
        self._chain = connection
        self._operator = operator
        self._anchor_abi = artifacts.load("LogAnchor")
        self._factory_abi = artifacts.load("MandateFactory")
        self._mandate_abi = artifacts.load("Mandate")
        self.anchor_address = connection.deploy(operator, self._anchor_abi)
        self.factory_address = connection.deploy(operator, self._factory_abi)
        self._terms: dict[bytes, Terms] = {}
        self._anchors: dict[bytes, tuple[list[Seat], int, bytes]] = {}
        self._follower = Follower(connection, self.anchor_address, self._terms_if_mandate)

    @property
    def chain_id(self) -> int:
        """The EVM chain id."""
        return self._chain.chain_id

    @property
    def name(self) -> str:
        """What to call this chain before people."""
        return self._chain.name

    def now(self) -> int:
        """Return the newest block's time."""
        return self._chain.now()

    def height(self) -> int:
        """Return the newest block's number."""
        return self._chain.height()

    def grant(
        self, terms: Terms, agent: PublicKey, salt: bytes, guardian: PublicKey | None = None
    ) -> bytes:
        """Find or create the mandate with these terms; return its address."""
        abi, factory = self._factory_abi, self.factory_address
        packed = mandates.terms_to_abi(terms)
        found: str = self._chain.call(factory, abi, "addressOf", packed, salt)
        address = bytes.fromhex(found[2:])
        if not self._chain.call(factory, abi, "isMandate", address):
            keys = [mandates.coordinates(key) for key in (agent, guardian)]
            self._chain.send(self._operator, factory, abi, "create", packed, *keys, salt)
        return address

    def terms(self, mandate: bytes) -> Terms:
        """Return the terms of a mandate of our factory.

        Raises:
            MandateUnknown: it is no such mandate.
        """
        if mandate not in self._terms:
            abi, factory = self._factory_abi, self.factory_address
            if not self._chain.call(factory, abi, "isMandate", mandate):
                raise MandateUnknown(
                    f"{to_hex(mandate)} is no mandate of the factory on {self.name}",
                    "Check the address and the chain",
                )
            told = self._chain.call(mandate, self._mandate_abi, "terms")
            self._terms[mandate] = mandates.terms_from_abi(told)
        return self._terms[mandate]

    def granted(self, agent: bytes) -> list[bytes]:
        """Return every mandate of the agent with that address, oldest first."""
        abi, factory = self._factory_abi, self.factory_address
        events = self._chain.events(factory, abi, "Created", None, None, agent)
        return [bytes.fromhex(event["args"]["mandate"][2:]) for event in events]

    def _terms_if_mandate(self, address: bytes) -> Terms | None:
        abi, factory = self._factory_abi, self.factory_address
        known = address in self._terms or self._chain.call(factory, abi, "isMandate", address)
        return self.terms(address) if known else None

    def state(self, mandate: bytes) -> State:
        """Return a mandate's state as of the newest block."""
        terms, now, levels = self.terms(mandate), self.now(), {}
        revoked, epoch, nonce, suspended = self._chain.call(mandate, self._mandate_abi, "state")
        for index, bucket in enumerate(terms.buckets):
            left = self._chain.call(mandate, self._mandate_abi, "level", index)
            levels[index] = Level((bucket.capacity - left) * bucket.window, now)
        watch = Watch()
        if terms.guardian is not None:
            number, silent, left = self._chain.call(mandate, self._mandate_abi, "watch")
            seconds = terms.guardian.bucket
            level = Level((seconds.capacity - left) * seconds.window, now)
            watch = Watch(number, silent, level)
        return State(revoked, epoch, nonce, levels, suspended, watch)

    def check_history(self, log: LogView) -> None:
        """Compare a log with what the chain holds of it, before anything is added or signed.

        Raises:
            IntegrityError: the chain holds a history of which the log's is no extension.
        """
        _, size, root = self._held(log.policy.log_id)
        _check_extends(log, size, root)

    def anchor(self, log: LogView, index: int | None = None) -> Seat:
        """Return a seat on chain that holds the entry at `index`, by default the newest one.

        Anyone may anchor; whoever is second looks again.

        Raises:
            IntegrityError: the chain holds a history of which the log's is no extension.
            LedgerError: the chain does not take the checkpoint.
        """
        log_id = log.policy.log_id
        for _ in range(_ANCHOR_TRIES):
            seats, size, root = self._held(log_id)
            _check_extends(log, size, root)
            head = log.head()
            wanted = head.size - 1 if index is None else index
            for seat in reversed(seats[-_RING:]):
                if seat.start <= wanted < seat.end:
                    return seat
            try:
                self._extend(log, head, len(seats), size)
            except CallReverted as error:
                if error.error not in ("WrongHead", "NotLarger"):
                    raise LedgerError(
                        f"{self.name} does not take the checkpoint of {log.policy.origin}: "
                        f"{error.message}",
                        "See the error of that name in contracts/README.md",
                    ) from error
            self._anchors.pop(log_id, None)
        raise LedgerError(f"others keep anchoring {log.policy.origin} first", "Try again")

    def _extend(self, log: LogView, head: Head, count: int, size: int) -> None:
        policy = log.policy
        self._chain.send(
            self._operator,
            self.anchor_address,
            self._anchor_abi,
            "anchor",
            (policy.origin_hash, policy.signer, list(policy.witnesses), policy.threshold),
            (count, size, [log.node(*place) for place in merkle.peak_places(0, size)]),
            [log.node(*place) for place in merkle.peak_places(size, head.size)],
            head.size,
            [head.signature],
        )

    def execute(self, action: BoundAction, told: Statement, log: LogView, seat: Seat) -> Execution:
        """Carry a logged decision to its mandate, and return what happened.

        Raises:
            CallReverted: the contract refused; nothing was sent.
        """
        packed = mandates.action_to_abi(action.action)
        receipt = self._carry(action.mandate, "execute", packed, told, log, seat)
        number = receipt["blockNumber"]
        events = self._chain.events(
            action.mandate, self._mandate_abi, "Executed", told.leaf, since=number
        )
        return self._execution(events[0], receipt)

    def rehearse(self, mandate: bytes, call: Call, model: bytes) -> int:
        """Ask what would become of a call now; nothing is signed, sent or changed.

        Raises:
            CallReverted: mandate, guard or target would refuse it.
        """
        terms, state = self.terms(mandate), self.state(mandate)
        return rehearse(self._chain, mandate, terms, state, call, model)

    def suspend(
        self, suspension: BoundSuspension, told: Statement, log: LogView, seat: Seat
    ) -> bytes:
        """Carry a logged alert to its mandate; return the transaction's hash.

        Raises:
            CallReverted: the contract refused; nothing was sent.
        """
        packed = (suspension.suspension.number, suspension.suspension.until)
        receipt = self._carry(suspension.mandate, "suspend", packed, told, log, seat)
        return bytes(receipt["transactionHash"])

    def resume(self, mandate: bytes, silent_until: int, key: LedgerKey) -> bytes:
        """End a suspension, and silence the guardian, as principal; return the transaction."""
        receipt = self._chain.send(key, mandate, self._mandate_abi, "resume", silent_until)
        return bytes(receipt["transactionHash"])

    def revoke(self, mandate: bytes, key: LedgerKey) -> bytes:
        """End a mandate for ever, as principal; return the transaction's hash."""
        receipt = self._chain.send(key, mandate, self._mandate_abi, "revoke")
        return bytes(receipt["transactionHash"])

    def _carry(
        self,
        mandate: bytes,
        function: str,
        packed: tuple[Any, ...],
        told: Statement,
        log: LogView,
        seat: Seat,
    ) -> Mapping[str, Any]:
        index = log.index_of(told.leaf)
        if index is None or not seat.start <= index < seat.end:
            index = seat.start  # the contract refuses what is not in the seat; so it says why
        path = merkle.inclusion_path(log.node, index, seat.start, seat.end)
        oath = mandates.oath_to_abi(told, index, seat, path)
        abi, by = self._mandate_abi, self._operator
        try:
            return self._chain.send(by, mandate, abi, function, packed, oath)
        except CallReverted as error:
            if error.error != "SeatNotHeld" or index != log.index_of(told.leaf):
                raise
            # The chain may have lost the seat in a reorganisation: ask it anew, and anchor again.
            self._anchors.pop(log.policy.log_id, None)
            again = self.anchor(log, index)
        path = merkle.inclusion_path(log.node, index, again.start, again.end)
        oath = mandates.oath_to_abi(told, index, again, path)
        return self._chain.send(by, mandate, abi, function, packed, oath)

    def cancel(self, mandate: bytes, nonce: int, key: LedgerKey) -> bytes:
        """Use up a nonce without acting; return the transaction's hash."""
        receipt = self._chain.send(key, mandate, self._mandate_abi, "cancel", nonce)
        return bytes(receipt["transactionHash"])

    def executions(self, mandate: bytes, leaf: bytes | None = None) -> list[Execution]:
        """Return the executed actions of a mandate, oldest first; of one decision, if given."""
        events = self._chain.events(mandate, self._mandate_abi, "Executed", leaf)
        return [
            self._execution(event, self._chain.receipt(bytes(event["transactionHash"])))
            for event in events
        ]

    def transaction_leaf(self, transaction: bytes) -> bytes | None:
        """Return the decision that a transaction executed."""
        receipt = self._chain.receipt(transaction)
        for log in receipt["logs"]:
            found = self._chain.events(
                bytes.fromhex(log["address"][2:]),
                self._mandate_abi,
                "Executed",
                since=receipt["blockNumber"],
            )
            for event in found:
                if bytes(event["transactionHash"]) == transaction:
                    return bytes(event["args"]["leaf"])
        return None

    def cancelled(self, mandate: bytes) -> set[tuple[int, int]]:
        """Return (epoch, nonce) of every cancelled action of a mandate."""
        events = self._chain.events(mandate, self._mandate_abi, "Cancelled")
        return {(event["args"]["epoch"], event["args"]["nonce"]) for event in events}

    def suspensions(self, mandate: bytes) -> list[Suspended]:
        """Return every suspension of a mandate, oldest first."""
        events = self._chain.events(mandate, self._mandate_abi, "Suspended")
        return [
            Suspended(
                bytes(event["args"]["leaf"]),
                Suspension(event["args"]["number"], event["args"]["until"]),
                bytes(event["transactionHash"]),
            )
            for event in events
        ]

    def block(self, number: int) -> Block | None:
        """Return what a block did to mandates and anchored logs; None beyond the newest.

        Raises:
            LedgerError: the chain does not answer, or replaced the block just now; ask again.
        """
        return self._follower.block(number)

    def anchored(self, log_id: bytes) -> list[Anchored]:
        """Return every anchored checkpoint of a log, oldest first."""
        events = self._chain.events(self.anchor_address, self._anchor_abi, "Anchored", log_id)
        return [
            Anchored(
                event["args"]["size"],
                bytes(event["args"]["root"]),
                event["blockNumber"],
                bytes(event["transactionHash"]),
            )
            for event in events
        ]

    def _held(self, log_id: bytes) -> tuple[list[Seat], int, bytes]:
        """Return what the chain holds of a log: every seat so far, size and root."""
        if log_id not in self._anchors:
            events = self._chain.events(self.anchor_address, self._anchor_abi, "Anchored", log_id)
            told = [event["args"] for event in events]
            seats = [_seat(args["seat"]) for args in told]
            size, root = (told[-1]["size"], bytes(told[-1]["root"])) if told else (0, b"")
            self._anchors[log_id] = (seats, size, root)
        return self._anchors[log_id]

    def _execution(self, event: Mapping[str, Any], receipt: Mapping[str, Any]) -> Execution:
        args = event["args"]
        logs = tuple(
            {
                "address": log["address"].lower(),
                "topics": [to_hex(bytes(topic)) for topic in log["topics"]],
                "data": to_hex(bytes(log["data"])),
            }
            for log in receipt["logs"]
        )
        return Execution(
            leaf=bytes(args["leaf"]),
            subject=bytes(args["subject"]),
            nonce=args["nonce"],
            transaction=bytes(event["transactionHash"]),
            block=bytes(event["blockHash"]),
            number=event["blockNumber"],
            gas=receipt["gasUsed"],
            events=logs,
        )


def _check_extends(log: LogView, size: int, root: bytes) -> None:
    """Compare a log with what the chain holds of it; nothing is signed for that."""
    if log.size() < size:
        raise IntegrityError(
            f"{log.policy.origin} has {log.size()} entries, the chain holds {size} of it",
            "The log lost entries: restore its newest backup; one older than the chain is no help",
        )
    mine = merkle.root_of(log.node, size)
    if size and mine != root:
        raise IntegrityError(
            f"{log.policy.origin} has root {to_hex(mine)} at size {size}, "
            f"the chain holds {to_hex(root)}: the log was changed or forked",
            "Do not act; audit the log against the chain",
        )


def _seat(value: Mapping[str, Any]) -> Seat:
    return Seat(value["count"], value["start"], value["end"], value["time"], bytes(value["root"]))
