"""Paying by x402: one payment brought 1,000 times at once, and settlements per second.

Ours runs in a house: its own chain behind the journal on disk, its log asked for every statement.
The peer is the facilitator of the x402 package with its default settings, on an anvil of the same
version that mines at once and keeps nothing: no journal, no log, no file of what was settled.
Transactions are counted on chain, by the nonce of the account that sends them; wasted is every one
that did not settle a payment. Each settlement of a rate is of a payment of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import logging
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3 import HTTPProvider, Web3

from affiant.apps.house import ENGINE_FOLDER
from affiant.apps.wiring import open_house
from affiant.chain import install
from affiant.chain.connection import Connection
from affiant.chain.provider import AllowListedProvider
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import SetupError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.model import Input
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.facilitator import Facilitator
from affiant.verticals.market.facilitator_http import RemoteFacilitator, serve
from affiant.verticals.market.payment import Payment, Token
from bench.gas import made_key
from bench.run import Figure, Run, median, percentile, rounded, spread

PRICE = 2_500
MUCH = 10**12
SELLER = made_key("seller").address
NAME = "Payment Token"
PEER_CHAIN = 31338
_LISTENING = re.compile(r"Listening on (\S+)")

Settle = Callable[[Payment], bytes | None]


@dataclass(frozen=True)
class Storm:
    """What became of one payment that was brought many times at once."""

    brought: int
    answers: int
    """Of success, with the transaction that settled it."""
    sent: int
    settled: int
    seconds: float

    @property
    def wasted(self) -> int:
        """Transactions that settled nothing."""
        return self.sent - self.settled


@dataclass(frozen=True)
class Till:
    """A facilitator under measurement."""

    token: Token
    buyer: LedgerKey
    settle: Settle
    verify: Callable[[Payment], bool]
    sent: Callable[[], int]
    """How many transactions its account has on chain."""
    held: Callable[[], int]
    """What the seller holds."""
    oath: Callable[[], bytes]
    """Gives a nonce that it accepts."""

    def pay(self) -> Payment:
        """Return a payment of its own."""
        wanted = self.token.price(PRICE, SELLER, 600)
        until = int(time.time()) + 600
        return Payment.sign(self.buyer, self.token, wanted, nonce=self.oath(), valid_before=until)

    def storm(self, count: int, settle: Settle | None = None) -> Storm:
        """Bring one payment in so many threads that start together."""
        payment, before, held = self.pay(), self.sent(), self.held()
        gate, told = threading.Barrier(count + 1), list[bytes | None]()

        def bring() -> None:
            gate.wait()
            told.append((settle or self.settle)(payment))

        threads = [threading.Thread(target=bring) for _ in range(count)]
        for thread in threads:
            thread.start()
        gate.wait()
        began = time.perf_counter()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        good = [one for one in told if one is not None]
        same = max(map(good.count, set(good)), default=0)
        settled = (self.held() - held) // PRICE
        return Storm(count, same, self.sent() - before, settled, seconds)

    def times(self, count: int) -> list[float]:
        """Settle payments one after another; return the seconds that each took."""
        taken = []
        for payment in [self.pay() for _ in range(count)]:
            began = time.perf_counter()
            if self.settle(payment) is None:
                raise SetupError("a good payment was not settled", "Mend the bench")
            taken.append(time.perf_counter() - began)
        return taken

    def rate(self, count: int, threads: int) -> tuple[float, int]:
        """Settle different payments in threads; return how many a second, and how many failed."""
        payments = [self.pay() for _ in range(count)]
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            told = list(pool.map(self.settle, payments))
            seconds = time.perf_counter() - began
        settled = sum(one is not None for one in told)
        return settled / seconds, count - settled

    def verifying(self, count: int) -> list[float]:
        """Verify payments; return the milliseconds that each took."""
        taken = []
        for payment in [self.pay() for _ in range(count)]:
            began = time.perf_counter()
            if not self.verify(payment):
                raise SetupError("a good payment is not valid", "Mend the bench")
            taken.append(1000 * (time.perf_counter() - began))
        return taken


def measure(run: Run) -> list[Figure]:
    """Measure ours, then the peer."""
    count = run.times(100, 1_000)
    with ours(run.folder / "market") as (till, remote):
        storm = till.storm(count)
        over_http = till.storm(count, remote)
        replays = _replays(till, run.times(20, 200))
        taken = till.times(run.times(20, 200))
        rate, failed = till.rate(run.times(40, 200), 8)
        checks = till.verifying(run.times(20, 200))
    peer = _peer(run)
    each = f"{storm.answers:,} of {count:,} got the transaction, in {storm.seconds:.2f} s"
    http = f"{over_http.answers:,} of {count:,} got the transaction, in {over_http.seconds:.2f} s"
    one_by_one = 1 / statistics.fmean(taken)
    return [
        Figure(
            f"settlements of one payment, brought {count:,} times at once",
            storm.settled,
            "",
            ">= 1",
            peer.settled,
            each,
        ),
        Figure("wasted transactions of these", storm.wasted, "", "<= 0", peer.wasted, peer.note),
        Figure("told the transaction, of these", storm.answers, "", f">= {count}", peer.answers),
        Figure("settlements, the same over HTTP", over_http.settled, "", ">= 1", note=http),
        Figure("wasted transactions, the same over HTTP", over_http.wasted, "", "<= 0"),
        Figure("transactions for replays, one by one", replays, "", "<= 0", peer.replays),
        Figure(
            "settlements a second, one after another",
            rounded(one_by_one),
            "",
            ">= 10",
            peer.one_by_one,
            f"each {spread([1000 * one for one in taken], 'ms')}",
        ),
        Figure(
            "settlements a second, 8 threads",
            rounded(rate),
            "",
            ">= 10",
            peer.rate,
            f"{failed} failed; of the peer's {peer.failed}",
        ),
        Figure(
            "verifying a payment, median",
            median(checks),
            "ms",
            None,
            peer.check,
            f"95 % within {percentile(checks, 95)} ms",
        ),
    ]


def _replays(till: Till, count: int) -> int:
    """Return how many transactions replays of one settled payment cost."""
    payment = till.pay()
    till.settle(payment)
    before = till.sent()
    for _ in range(count):
        till.settle(payment)
    return till.sent() - before


@contextmanager
def ours(home: Path) -> Iterator[tuple[Till, Settle]]:
    """Open our facilitator in a house of its own; return it, and how it is reached over HTTP."""
    with ExitStack() as stack:
        house = stack.enter_context(open_house(home))
        buyer, key, bank = (house.key(name) for name in ("buyer", "facilitator", "bank"))
        code = artifact("PaymentToken")
        address = house.deploy(code, NAME, "PAYT", bank.address)
        house.send(bank, address, code, "mint", buyer.address, MUCH)
        token = Token(house.ledger.chain_id, address, NAME, "1")
        facilitator = stack.enter_context(
            Facilitator(
                house,
                [token],
                key,
                house.clock,
                lambda leaf: house.log.index_of(leaf) is not None,
                home / "settlements.db",
            )
        )
        remote = RemoteFacilitator(stack.enter_context(serve(facilitator)).url)
        web3 = house._chain._web3  # noqa: SLF001 (to count what is on chain)
        sender, numbers = Web3.to_checksum_address(key.address), itertools.count()

        def oath() -> bytes:
            told = Input.of({"number": next(numbers)}, source="bench")
            leaf = house.affiant("buyer").observe(f"purchase {told.value['number']}", told)
            return leaf.observation or b""

        yield (
            Till(
                token,
                buyer,
                lambda payment: facilitator.settle(payment, payment.accepted).transaction,
                lambda payment: facilitator.verify(payment, payment.accepted).objection is None,
                lambda: int(web3.eth.get_transaction_count(sender)),
                lambda: int(house.call(address, code, "balanceOf", SELLER)),
                oath,
            ),
            lambda payment: remote.settle(payment, payment.accepted).transaction,
        )


@dataclass
class Peer:
    """What was measured of the x402 package's facilitator; nothing if it is not installed."""

    settled: int | None = None
    wasted: int | None = None
    answers: int | None = None
    replays: int | None = None
    one_by_one: float | None = None
    rate: float | None = None
    failed: int | None = None
    check: float | None = None
    note: str = "no peer: the extra market is not installed"


def _peer(run: Run) -> Peer:
    if importlib.util.find_spec("x402") is None:
        return Peer()
    logging.disable(logging.CRITICAL)  # it tells each failure with its trace
    try:
        with theirs(run.folder / "peer") as till:
            taken = till.times(run.times(10, 50))
            checks = till.verifying(run.times(10, 50))
            replays = _replays(till, run.times(20, 200))
            rate, failed = till.rate(run.times(20, 100), 8)
            storm = till.storm(run.times(100, 1_000))
    finally:
        logging.disable(logging.NOTSET)
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.cancel()  # web3 keeps each thread's connection for half a minute
    return Peer(
        storm.settled,
        storm.wasted,
        storm.answers,
        replays,
        rounded(1 / statistics.fmean(taken)),
        rounded(rate),
        failed,
        median(checks),
        f"the peer was brought it {storm.brought:,} times and sent {storm.sent:,}, in "
        f"{storm.seconds:.1f} s",
    )


@contextmanager
def theirs(folder: Path) -> Iterator[Till]:
    """Start an anvil that mines at once, and the package's facilitator on it, as it comes."""
    x402 = importlib.import_module("x402")
    exact = importlib.import_module("x402.mechanisms.evm.exact")
    signers = importlib.import_module("x402.mechanisms.evm.signers")
    folder.mkdir(parents=True, exist_ok=True)
    with _anvil() as url:
        bank, buyer, key = made_key("bank"), made_key("buyer"), made_key("peer")
        web3 = Web3(HTTPProvider(url))
        sender = Web3.to_checksum_address(key.address)
        for account in (bank, key):
            where = to_hex(account.address)
            web3.provider.make_request("anvil_setBalance", [where, hex(10**24)])  # type: ignore[arg-type]
        connection = Connection(AllowListedProvider(url), "the peer's chain", bank)
        code = artifact("PaymentToken")
        address = connection.deploy(bank, code, NAME, "PAYT", bank.address)
        connection.send(bank, address, code, "mint", buyer.address, MUCH)
        token = Token(PEER_CHAIN, address, NAME, "1")
        facilitator = exact.register_exact_evm_facilitator(
            x402.x402FacilitatorSync(),
            signers.FacilitatorWeb3Signer(to_hex(key.secret), url),
            networks=token.network,
        )
        numbers = itertools.count()

        def read(payment: Payment) -> tuple[Any, Any]:
            told = payment.to_json()
            wanted = x402.schemas.PaymentRequirements.model_validate(told["accepted"])
            return x402.schemas.PaymentPayload.model_validate(told), wanted

        def settle(payment: Payment) -> bytes | None:
            told = facilitator.settle(*read(payment))
            return bytes.fromhex(told.transaction[2:]) if told.success else None

        yield Till(
            token,
            buyer,
            settle,
            lambda payment: bool(facilitator.verify(*read(payment)).is_valid),
            lambda: int(web3.eth.get_transaction_count(sender)),
            lambda: int(connection.call(address, code, "balanceOf", SELLER)),
            lambda: sha256(b"%d" % next(numbers)),
        )


@contextmanager
def _anvil() -> Iterator[str]:
    engine = install.anvil_path(ENGINE_FOLDER)
    if engine is None:
        raise SetupError("anvil is not installed", "Run: affiant chain install")
    command = [str(engine), "--port=0", f"--chain-id={PEER_CHAIN}", "--accounts=1", "--color=never"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = map(_LISTENING.search, process.stdout or ())
        found = next(line for line in lines if line is not None)
        threading.Thread(target=lambda: sum(1 for _ in process.stdout or ()), daemon=True).start()
        yield f"http://{found[1]}"
    finally:
        process.kill()
        process.wait()
