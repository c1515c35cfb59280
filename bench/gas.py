"""Gas of whole transactions, from the receipts of the embedded chain, through the real contracts.

Keys and clock are fixed, so the figures repeat to the unit. A log of 2^k leaves is made without
2^k statements: the leaves that matter are real, the other subtrees on the way to the root are
arbitrary hashes. It is anchored from size 0 in one step, so that one seat covers it and a proof has
k levels; a log that grows has shorter ones. Every transfer measured is the second of its kind, to a
recipient that already holds some of the token: no storage slot is written for the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from web3 import Web3

from affiant.apps.database import open_database
from affiant.apps.house import EMBEDDED_CHAIN_ID, ENGINE_FOLDER
from affiant.chain import artifacts, install, mandates
from affiant.chain.connection import Connection
from affiant.chain.embedded import EmbeddedChain
from affiant.chain.journal import Genesis, Journal
from affiant.chain.ledger import EvmLedger
from affiant.kernel import body as bodies
from affiant.kernel import merkle, statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import keccak256, sha256, word
from affiant.kernel.errors import SetupError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Pin, Rule, Terms
from affiant.kernel.ports import Clock, Seat
from affiant.kernel.statement import Statement
from bench import contracts
from bench.run import Figure, Run, rounded

NOW = 1_790_000_000
DAY = 86_400
UNITS = 1_000_000
AMOUNT = 12_345
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
APPROVE = keccak256(b"approve(address,uint256)")[:4]
INTRINSIC = 21_000
MILLION = 999_936
"""About a million leaves, a multiple of 256, with 6 peaks."""
SEATS = 1024
"""How many seats LogAnchor keeps; each of a log's first so many anchors fills a fresh slot."""


def measure(run: Run) -> list[Figure]:
    """Measure transfers beside their peers, then what surrounds them."""
    with open_chain(run.folder / "gas") as chain:
        token = chain.connection.deploy(
            chain.operator, contracts.token(), "Token", "TOK", chain.operator.address
        )
        pair = Transfers(chain, token)
        plain, wallet = pair.plain(), pair.wallet()
        proven = {levels: pair.proven(levels) for levels in (6, 20, 30)}
        return [
            *_transfers(proven, plain, wallet),
            *_parts(proven[20], plain),
            *_surroundings(chain, proven, steady=not run.quick),
        ]


def _transfers(proven: dict[int, Proven], plain: Sent, wallet: Sent) -> Iterator[Figure]:
    goals = {6: "<= 82000", 20: "<= 95000", 30: None}
    for levels, got in proven.items():
        name = f"proof-carrying ERC-20 transfer, log of 2^{levels}, {levels} levels"
        note = "two rules with a pin each, the second applies; peer: the one-signature wallet"
        yield Figure(name, got.second.gas, "gas", goals[levels], wallet.gas, note)
    yield Figure("plain ERC-20 transfer", plain.gas, "gas", note="OpenZeppelin 5, by its holder")
    note = "EIP-712, OpenZeppelin ECDSA; no rules, no log, no proof; peer: the plain transfer"
    yield Figure("the same by a one-signature wallet", wallet.gas, "gas", None, plain.gas, note)
    for levels, got in proven.items():
        for told, peer in (("plain transfer", plain), ("one-signature wallet", wallet)):
            ratio = rounded(got.second.gas / peer.gas)
            yield Figure(f"{levels} levels, as a multiple of the {told}", ratio, "times")


def _parts(got: Proven, plain: Sent) -> Iterator[Figure]:
    """Split the 20-level transfer into what can be told from the transactions themselves."""
    total, fixed = got.second.gas, got.second.fixed
    inside = plain.gas - plain.fixed
    name = "of the 20-level transfer: intrinsic gas and calldata"
    yield Figure(name, fixed, "gas", note=f"{len(got.second.data)} bytes of calldata")
    note = "as in the plain transfer; the call itself counts with the rest"
    yield Figure("of the 20-level transfer: the token's own execution", inside, "gas", note=note)
    note = "digest, rules, bucket, ecrecover, entry, proof, anchor read, state, event, the call"
    rest = total - fixed - inside
    yield Figure("of the 20-level transfer: mandate and anchor", rest, "gas", note=note)


def _surroundings(chain: Chain, proven: dict[int, Proven], *, steady: bool) -> Iterator[Figure]:
    level = (proven[20].second.gas - proven[6].second.gas) / 14
    yield Figure("one more level of proof", rounded(level), "gas", note="from 6 and 20 levels")
    note = "nonce and bucket are written for the first time"
    yield Figure("a mandate's first transfer, 6 levels", proven[6].first.gas, "gas", note=note)
    note = "two rules with a pin each, one bucket"
    yield Figure("creating a mandate", proven[6].creation.gas, "gas", note=note)
    few = MadeLog("few", founded=MILLION)
    chain.anchor(few, MILLION)
    note = f"from {MILLION:,} leaves, the log signs, a fresh seat"
    name = "anchoring 5 statements, as one agent alone does"
    yield Figure(name, chain.anchor(few, MILLION + 5)[0].gas, "gas", note=note)
    for witnesses in (0, 2):
        log = MadeLog(f"many{witnesses}", witnesses=witnesses, founded=MILLION)
        chain.anchor(log, MILLION)
        gas = chain.anchor(log, MILLION + 256)[0].gas
        signers = f"the log and {witnesses} witnesses sign" if witnesses else "the log signs"
        note = f"from {MILLION:,} leaves, a fresh seat"
        yield Figure(f"anchoring 256 statements, {signers}", gas, "gas", note=note)
    if steady:
        log = MadeLog("steady", founded=MILLION - SEATS * 256)
        for size in range(log.founded, MILLION + 1, 256):
            chain.anchor(log, size)
        gas = chain.anchor(log, MILLION + 256)[0].gas
        note = f"the same after {SEATS} anchors: the seat takes an old one's slot"
        yield Figure("anchoring 256 statements, the log signs, later", gas, "gas", note=note)


@dataclass(frozen=True)
class Sent:
    """A mined transaction."""

    gas: int
    data: bytes
    block: int

    @property
    def fixed(self) -> int:
        """What it costs before any code runs."""
        return INTRINSIC + sum(16 if byte else 4 for byte in self.data)


@dataclass(frozen=True)
class Proven:
    """A mandate's creation and its first two transfers."""

    creation: Sent
    first: Sent
    second: Sent


class MadeLog:
    """A log of any size of which only a few leaves are real."""

    def __init__(self, name: str, *, witnesses: int = 0, founded: int = 0) -> None:
        self._signer = made_key(f"log {name}")
        keys = [made_key(f"witness {name} {number}") for number in range(witnesses)]
        self._witnesses = sorted(keys, key=lambda key: key.address)
        addresses = tuple(key.address for key in self._witnesses)
        self.policy = LogPolicy(f"bench.local/{name}", self._signer.address, addresses, witnesses)
        self.founded = founded
        """Below this size only what proofs and peaks ask for is computed."""
        self.leaves: dict[int, bytes] = {}
        self.count, self.size = 0, 0
        self._known: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return a subtree's hash: computed if a real leaf is in it or it is new, else made up."""
        place = (level, index)
        if place not in self._known:
            self._known[place] = self._hash(level, index)
        return self._known[place]

    def _hash(self, level: int, index: int) -> bytes:
        real = [leaf for at, leaf in self.leaves.items() if at >> level == index]
        if real and level == 0:
            return real[0]
        old = (index + 1) << level <= self.founded
        if not real and (old or level == 0):
            return sha256(f"{self.policy.origin} {level} {index}".encode())
        return merkle.node_hash(
            self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1)
        )

    def signatures(self, size: int) -> list[bytes]:
        """Return the log's and its witnesses' signatures of the checkpoint at a size."""
        made = Checkpoint(self.policy.origin, size, merkle.root_of(self.node, size))
        digest = made.digest(self.policy.log_id)
        return [key.sign_digest(digest) for key in (self._signer, *self._witnesses)]


@dataclass(frozen=True)
class Chain:
    """An embedded chain with the core contracts."""

    connection: Connection
    ledger: EvmLedger
    operator: LedgerKey

    def send(self, sender: LedgerKey, to: bytes, artifact: Any, name: str, *arguments: Any) -> Sent:
        """Send a transaction, with what it carried."""
        contract = Web3().eth.contract(abi=artifact["abi"])
        data = bytes.fromhex(contract.encode_abi(name, args=list(arguments))[2:])
        receipt = self.connection.transact(sender, to, data)
        return Sent(receipt["gasUsed"], data, receipt["blockNumber"])

    def anchor(self, log: MadeLog, size: int) -> tuple[Sent, Seat]:
        """Extend what the chain holds of a log to a size."""
        abi, where = artifacts.load("LogAnchor"), self.ledger.anchor_address
        peaks = [log.node(*place) for place in merkle.peak_places(0, log.size)]
        nodes = [log.node(*place) for place in merkle.peak_places(log.size, size)]
        told = log.policy
        policy = (told.origin_hash, told.signer, list(told.witnesses), told.threshold)
        head = (log.count, log.size, peaks)
        sent = self.send(
            self.operator, where, abi, "anchor", policy, head, nodes, size, log.signatures(size)
        )
        (event,) = self.connection.events(where, abi, "Anchored", told.log_id, since=sent.block)
        seat = event["args"]["seat"]
        log.count, log.size = log.count + 1, size
        held = Seat(seat["count"], seat["start"], seat["end"], seat["time"], bytes(seat["root"]))
        return sent, held


@dataclass(frozen=True)
class Transfers:
    """The same transfer in three ways, each sent twice."""

    chain: Chain
    token: bytes
    holder: LedgerKey = field(default_factory=lambda: made_key("holder"))
    recipient: bytes = field(default_factory=lambda: made_key("recipient").address)

    def plain(self) -> Sent:
        """Return the transfer by whoever holds the token."""
        self._fund(self.holder.address)
        self._fund(self.recipient)
        for _ in range(2):
            sent = self.chain.send(
                self.holder, self.token, contracts.token(), "transfer", self.recipient, AMOUNT
            )
        return sent

    def wallet(self) -> Sent:
        """Return the transfer by a wallet that checks one EIP-712 signature."""
        owner, abi = made_key("owner"), contracts.wallet()
        wallet = self.chain.connection.deploy(self.chain.operator, abi, owner.address)
        self._fund(wallet)
        for nonce in range(2):
            call = (self.token, 0, self._call())
            digest = self.chain.connection.call(wallet, abi, "digest", nonce, *call)
            signature = owner.sign_digest(digest)
            operator = self.chain.operator
            sent = self.chain.send(operator, wallet, abi, "execute", *call, signature)
        return sent

    def proven(self, levels: int) -> Proven:
        """Return the transfer under a mandate, with a proof of so many levels."""
        size = 1 << levels
        log = MadeLog(f"levels{levels}", founded=size)
        mandate, creation = self._grant(log)
        self._fund(mandate)
        oaths: dict[int, tuple[BoundAction, Statement]] = {}
        for nonce, index in enumerate((size // 3, 2 * size // 3)):
            oaths[index] = self._sworn(mandate, nonce)
            log.leaves[index] = oaths[index][1].leaf
        _, seat = self.chain.anchor(log, size)
        sent = []
        for index, (bound, told) in oaths.items():
            path = merkle.inclusion_path(log.node, index, seat.start, seat.end)
            if len(path) != levels:
                raise SetupError(f"a proof of {len(path)} levels, not {levels}", "Mend the bench")
            oath = mandates.oath_to_abi(told, index, seat, path)
            abi, action = artifacts.load("Mandate"), mandates.action_to_abi(bound.action)
            sent.append(self.chain.send(self.chain.operator, mandate, abi, "execute", action, oath))
        return Proven(creation, *sent)

    def _grant(self, log: MadeLog) -> tuple[bytes, Sent]:
        agent, ledger = made_key("agent").public, self.chain.ledger
        pins = (Pin(0, (word(self.recipient),)),)
        rules = (
            Rule(self.token, APPROVE, amount_word=1, cap=UNITS, pins=pins),
            Rule(self.token, TRANSFER, amount_word=1, cap=UNITS, pins=pins),
        )
        terms = Terms(
            principal=made_key("principal").address,
            agent=agent.kid,
            anchor=ledger.anchor_address,
            log_id=log.policy.log_id,
            valid_from=NOW - DAY,
            valid_until=NOW + 365 * DAY,
            longest_life=600,
            header=mandates.header_of(agent),
            buckets=(Bucket(100 * UNITS, DAY),),
            rules=rules,
        )
        abi, factory = artifacts.load("MandateFactory"), ledger.factory_address
        packed, salt = mandates.terms_to_abi(terms), bytes(32)
        found: str = self.chain.connection.call(factory, abi, "addressOf", packed, salt)
        arguments = (packed, *map(mandates.coordinates, (agent, None)), salt)
        sent = self.chain.send(self.chain.operator, factory, abi, "create", *arguments)
        return bytes.fromhex(found[2:]), sent

    def _sworn(self, mandate: bytes, nonce: int) -> tuple[BoundAction, Statement]:
        action = Action(
            epoch=0,
            nonce=nonce,
            model=sha256(b"model"),
            target=self.token,
            value=0,
            data=self._call(),
            deadline=NOW + 600,
            relayer=ANYONE,
            salt=sha256(b"salt %d" % nonce),
        )
        bound = BoundAction(EMBEDDED_CHAIN_ID, mandate, action)
        body = sha256(b"body %d" % nonce)
        told = statement.sign(bodies.DECISION, bound.digest, body, made_key("agent"), NOW)
        return bound, told

    def _call(self) -> bytes:
        return TRANSFER + word(self.recipient) + word(AMOUNT)

    def _fund(self, account: bytes) -> None:
        operator = self.chain.operator
        self.chain.send(operator, self.token, contracts.token(), "mint", account, 10 * UNITS)


class StillClock:
    """A clock that stands still."""

    def now(self) -> int:
        """Return always the same second."""
        return NOW


@contextmanager
def open_chain(folder: Path, clock: Clock | None = None) -> Iterator[Chain]:
    """Open a fresh embedded chain with the core contracts on it; its time stands, without a clock.

    Raises:
        SetupError: its engine is not installed.
    """
    engine = install.anvil_path(ENGINE_FOLDER)
    if engine is None:
        raise SetupError("anvil is not installed", "Run: affiant chain install")
    folder.mkdir(parents=True, exist_ok=True)
    database = open_database(folder / "chain.db")
    clock = clock or StillClock()
    began = Genesis(EMBEDDED_CHAIN_ID, clock.now() - DAY, install.ANVIL_VERSION)
    provider = EmbeddedChain(engine, Journal(database, began), clock)
    try:
        operator = made_key("operator")
        connection = Connection(provider, "embedded chain", operator)
        yield Chain(connection, EvmLedger(connection, operator), operator)
    finally:
        provider.close()
        database.close()


def made_key(name: str) -> LedgerKey:
    """Return always the same key for a name."""
    return LedgerKey(sha256(f"affiant bench {name}".encode()))
