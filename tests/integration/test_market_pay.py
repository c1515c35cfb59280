"""Paying per call by x402 on a real chain: over HTTP, with the x402 package on the other side."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from eth_account import Account
from web3 import Web3

from affiant.apps.house import RealHouse
from affiant.apps.wiring import open_house
from affiant.kernel.encoding import keccak256, sha256, to_hex, word
from affiant.kernel.errors import DeliveryError, InputError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.model import Input
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.facilitator import Facilitator
from affiant.verticals.market.facilitator_http import RemoteFacilitator, serve
from affiant.verticals.market.pay import Sworn, Wallet, buy
from affiant.verticals.market.payment import (
    REQUIRED,
    RESPONSE,
    Demand,
    Payment,
    Requirements,
    Token,
)
from affiant.verticals.market.paywall import Paywall
from affiant.verticals.market.serving import MAX_BODY, Answer, Request, Serving
from affiant.verticals.market.settlements import Settlements
from affiant.verticals.market.verdict import Reason, Settlement
from affiant.verticals.market.wire import decode_header

pytestmark = pytest.mark.integration

PRICE = 2_500
SELLER = LedgerKey(sha256(b"a seller"))
FRESH = itertools.count()


@dataclass
class Shift:
    """The house's clock, ahead or behind by some seconds."""

    house: RealHouse
    seconds: int = 0

    def now(self) -> int:
        """Return seconds since 1970."""
        return self.house.clock.now() + self.seconds


@dataclass
class Market:
    """A house with a token, a funded buyer, and a facilitator behind HTTP."""

    house: RealHouse
    token: Token
    buyer: LedgerKey
    clock: Shift
    facilitator: Facilitator
    url: str = ""
    strangers: set[bytes] = field(default_factory=set)
    """Nonces of buyers that swear to nothing, taken all the same."""

    @property
    def wanted(self) -> Requirements:
        """What the seller demands."""
        return self.token.price(PRICE, SELLER.address)

    @property
    def remote(self) -> RemoteFacilitator:
        """The facilitator, as sellers elsewhere reach it."""
        return RemoteFacilitator(self.url)

    def sworn(self) -> bytes:
        """Swear to something, and return the id under which it is logged."""
        told = Input.of({"number": next(FRESH)}, source="a test")
        leaf = self.house.affiant("buyer").observe(f"occasion {told.value['number']}", told)
        assert leaf.observation is not None
        return leaf.observation

    def pay(self, nonce: bytes | None = None, **more: Any) -> Payment:
        """Sign a payment under a statement of its own."""
        usual = {"valid_before": self.house.clock.now() + 60, "key": self.buyer}
        return Payment.sign(
            **{"token": self.token, "accepted": self.wanted, **usual, **more},
            nonce=nonce or self.sworn(),
        )

    def balance(self, account: bytes) -> int:
        """Return what an account holds."""
        return int(self.read("balanceOf", account))

    def read(self, name: str, *arguments: Any) -> Any:
        """Read from the token."""
        return self.house.call(self.token.address, artifact("PaymentToken"), name, *arguments)

    @property
    def sent(self) -> int:
        """How many transactions the facilitator has on chain, failed ones too."""
        return transactions(self.house, self.house.key("facilitator").address)


def transactions(house: RealHouse, account: bytes) -> int:
    """Return how many transactions of an account the chain holds."""
    where = Web3.to_checksum_address(account)
    return int(house._chain._web3.eth.get_transaction_count(where))


@contextmanager
def opened(home: Path) -> Iterator[Market]:
    """Open a market in a home; the second time it is the same one."""
    with ExitStack() as stack:
        house = stack.enter_context(open_house(home))
        bank, buyer = house.key("bank"), house.key("buyer")
        code = artifact("PaymentToken")
        address = house.deploy(code, "Payment Token", "PAYT", bank.address)
        token = Token(house.ledger.chain_id, address, "Payment Token", "1")
        clock, strangers = Shift(house), set[bytes]()
        facilitator = Facilitator(
            house,
            [token],
            house.key("facilitator"),
            clock,
            lambda leaf: leaf in strangers or house.log.index_of(leaf) is not None,
            house.folder / "settlements.db",
        )
        stack.enter_context(facilitator)
        made = Market(house, token, buyer, clock, facilitator, strangers=strangers)
        if made.balance(buyer.address) == 0:
            house.send(bank, address, code, "mint", buyer.address, 10**9)
        made.url = stack.enter_context(serve(facilitator)).url
        yield made


@pytest.fixture(scope="module")
def shared_market(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Iterator[Market]:
    """Give one market for the tests of this file."""
    assert engine.exists()
    with opened(tmp_path_factory.mktemp("market") / "home") as made:
        yield made


@pytest.fixture
def market(shared_market: Market) -> Iterator[Market]:
    """Give the market with its clock set right."""
    shared_market.clock.seconds = 0
    yield shared_market
    shared_market.clock.seconds = 0


def test_the_token_signs_what_we_sign(market: Market) -> None:
    """Domain separator and type hash of the contract are ours, so its signatures are too."""
    assert bytes(market.read("DOMAIN_SEPARATOR")) == market.token.separator
    assert market.read("version") == market.token.version


def test_a_payment_is_settled_over_http(market: Market) -> None:
    """Verified and settled behind the routes, money moves once and the chain names the nonce."""
    payment, sent, held = market.pay(), market.sent, market.balance(SELLER.address)
    assert market.remote.verify(payment, market.wanted).objection is None
    told = [market.remote.settle(payment, market.wanted) for _ in range(3)]
    assert told[0].objection is None
    assert told[0] == told[1] == told[2]
    assert market.sent == sent + 1
    assert market.balance(SELLER.address) == held + PRICE
    used = market.house.events(market.token.address, artifact("PaymentToken"), "AuthorizationUsed")
    (event,) = [one for one in used if one["args"]["nonce"] == payment.authorization.nonce]
    assert bytes(event["transactionHash"]) == told[0].transaction


def test_concurrent_duplicates_settle_once(market: Market) -> None:
    """A hundred requests with one payment at once: one transaction, and it is everyone's answer."""
    payment, sent, gate = market.pay(), market.sent, threading.Barrier(100)
    told: list[Settlement] = []

    def run() -> None:
        gate.wait()
        told.append(market.remote.settle(payment, market.wanted))

    threads = [threading.Thread(target=run) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 100
    assert len(set(told)) == 1
    assert told[0].objection is None
    assert market.sent == sent + 1


Spoil = Callable[[Market], tuple[Payment, Requirements]]


def flipped(market: Market) -> tuple[Payment, Requirements]:
    """Flip a bit of the signature."""
    one = market.pay()
    spoilt = one.signature[:40] + bytes([one.signature[40] ^ 1]) + one.signature[41:]
    return replace(one, signature=spoilt), market.wanted


def another_amount(market: Market) -> tuple[Payment, Requirements]:
    """Pay less than is demanded, and claim otherwise."""
    cheap = replace(market.wanted, amount=1)
    return replace(market.pay(accepted=cheap), accepted=market.wanted), market.wanted


def another_payee(market: Market) -> tuple[Payment, Requirements]:
    """Pay somebody else, and claim otherwise."""
    other = replace(market.wanted, pay_to=market.buyer.address)
    return replace(market.pay(accepted=other), accepted=market.wanted), market.wanted


def expired(market: Market) -> tuple[Payment, Requirements]:
    """Pay until a moment ago."""
    return market.pay(valid_before=market.house.clock.now() - 1), market.wanted


def early(market: Market) -> tuple[Payment, Requirements]:
    """Pay from later on."""
    return market.pay(valid_after=market.house.clock.now() + 30), market.wanted


def poor(market: Market) -> tuple[Payment, Requirements]:
    """Pay with money that is not there."""
    return market.pay(key=LedgerKey(sha256(b"nobody"))), market.wanted


def unlogged(market: Market) -> tuple[Payment, Requirements]:
    """Pay under a statement that nobody logged."""
    return market.pay(sha256(b"never logged")), market.wanted


def another_token(market: Market) -> tuple[Payment, Requirements]:
    """Pay in a token that is not settled here."""
    other = replace(market.wanted, asset=b"\1" * 20)
    return market.pay(accepted=other), other


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (flipped, Reason.SIGNATURE),
        (another_amount, Reason.VALUE),
        (another_payee, Reason.RECIPIENT),
        (expired, Reason.BEFORE),
        (early, Reason.AFTER),
        (poor, Reason.BALANCE),
        (unlogged, Reason.UNLOGGED),
        (another_token, Reason.ASSET),
    ],
)
def test_what_is_wrong_is_named_and_costs_nothing(
    market: Market, spoil: Spoil, reason: str
) -> None:
    """Both routes name the fault; no transaction is sent, nothing moves."""
    payment, wanted = spoil(market)
    sent, held = market.sent, market.balance(SELLER.address)
    verdict = market.remote.verify(payment, wanted)
    assert verdict.objection is not None
    assert verdict.objection.reason == reason
    told = market.remote.settle(payment, wanted)
    assert told.objection is not None
    assert (told.objection.reason, told.transaction) == (reason, None)
    assert (market.sent, market.balance(SELLER.address)) == (sent, held)


@pytest.mark.parametrize(
    ("seconds", "times"), [(-30, {"valid_before": -20}), (1000, {"valid_after": 500})]
)
def test_a_wrong_clock_wastes_nothing(market: Market, seconds: int, times: dict[str, int]) -> None:
    """A facilitator whose clock is wrong is stopped by the simulation, before it broadcasts."""
    now = market.house.clock.now()
    told: dict[str, Any] = {"valid_before": now + seconds + 60} | {
        name: now + n for name, n in times.items()
    }
    payment, sent = market.pay(**told), market.sent
    market.clock.seconds = seconds
    settlement = market.facilitator.settle(payment, market.wanted)
    assert settlement.objection is not None
    assert settlement.objection.reason == Reason.SIMULATION
    assert "ERC3009InvalidAuthorizationTime" in settlement.objection.message
    assert market.sent == sent


def test_two_payments_with_one_nonce(market: Market) -> None:
    """The first of two payments under one statement is settled, the other costs nothing."""
    leaf, sent = market.sworn(), market.sent
    first, other = (market.pay(leaf), market.pay(leaf, valid_after=1))
    assert market.facilitator.settle(first, market.wanted).objection is None
    told = market.facilitator.settle(other, market.wanted)
    assert told.objection is not None
    assert told.objection.reason == Reason.USED
    assert market.sent == sent + 1


def test_a_payment_that_others_carried(market: Market) -> None:
    """A payment that somebody else brought to the chain is settled by their transaction."""
    payment, sent, house = market.pay(), market.sent, market.house
    told, signature = payment.authorization, payment.signature
    arguments = (told.payer, told.payee, told.value, told.valid_after, told.valid_before)
    vrs = (signature[64], signature[:32], signature[32:64])
    where, code, name = market.token.address, artifact("PaymentToken"), "transferWithAuthorization"
    theirs = house.send(house.key("stranger"), where, code, name, *arguments, told.nonce, *vrs)
    assert market.facilitator.settle(payment, market.wanted).transaction == theirs
    assert market.sent == sent


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_nonce_used_for_something_else(market: Market, *, cancelled: bool) -> None:
    """A nonce that was cancelled, or paid another amount, does not pay the seller."""
    leaf, sent, house = market.sworn(), market.sent, market.house
    payment = market.pay(leaf)
    where, code = market.token.address, artifact("PaymentToken")
    if cancelled:
        digest = _cancellation(market, leaf)
        signature = market.buyer.sign_digest(digest)
        house.send(
            house.key("stranger"),
            where,
            code,
            "cancelAuthorization",
            *(market.buyer.address, leaf, signature[64], signature[:32], signature[32:64]),
        )
    else:
        cheap = market.pay(leaf, accepted=replace(market.wanted, amount=1))
        told, signature = cheap.authorization, cheap.signature
        arguments = (told.payer, told.payee, told.value, told.valid_after, told.valid_before, leaf)
        vrs = (signature[64], signature[:32], signature[32:64])
        name = "transferWithAuthorization"
        house.send(house.key("stranger"), where, code, name, *arguments, *vrs)
    settlement = market.facilitator.settle(payment, market.wanted)
    assert settlement.objection is not None
    assert settlement.objection.reason == Reason.USED
    assert market.sent == sent


def _cancellation(market: Market, nonce: bytes) -> bytes:
    """Return the digest by which a buyer gives up an authorisation."""
    kind = keccak256(b"CancelAuthorization(address authorizer,bytes32 nonce)")
    inner = keccak256(kind + word(market.buyer.address) + nonce)
    return keccak256(b"\x19\x01" + market.token.separator + inner)


def test_a_crash_between_broadcast_and_record(
    tmp_path: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fallen over after the chain took it, the house opened again knows the transaction."""
    assert engine.exists()
    with opened(tmp_path / "home") as market:
        payment = market.pay()

        def fall(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Settlements, "finish", fall)
            with pytest.raises(KeyboardInterrupt):
                market.facilitator.settle(payment, market.wanted)
        sent = market.sent
        assert sent == 1
    with opened(tmp_path / "home") as market:
        rival = market.pay(payment.authorization.nonce, valid_after=1)
        refused = market.remote.settle(rival, market.wanted)
        assert refused.objection is not None
        assert refused.objection.reason == Reason.USED
        told = market.remote.settle(payment, market.wanted)
        assert told.objection is None
        used = market.house.events(
            market.token.address, artifact("PaymentToken"), "AuthorizationUsed"
        )
        assert [bytes(one["transactionHash"]) for one in used] == [told.transaction]
        assert market.sent == sent
        assert market.balance(SELLER.address) == PRICE


def bodies(market: Market) -> dict[str, tuple[bytes, int]]:
    """Return bodies that are no requests, and the status each of them gets."""
    good = {
        "x402Version": 2,
        "paymentPayload": market.pay().to_json(),
        "paymentRequirements": market.wanted.to_json(),
    }
    told: dict[str, Any] = {
        "empty": b"",
        "no json": b"{",
        "no object": b"[]",
        "no text": b"\xff\xfe",
        "nested": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "lists": b"[" * 60_000,
        "number": b"9" * 60_000,
        "twice": b'{"x402Version":2,"x402Version":2}',
        "version 1": {**good, "x402Version": 1},
        "no payment": {**good, "paymentPayload": None},
        "text for payment": {**good, "paymentPayload": "x"},
        "no requirements": {**good, "paymentRequirements": []},
        "wrong type": {**good, "paymentRequirements": {**good["paymentRequirements"], "amount": 1}},  # type: ignore[dict-item]
    }
    made = {
        name: (body if isinstance(body, bytes) else json.dumps(body).encode(), 400)
        for name, body in told.items()
    }
    return made | {"huge": (b" " * (MAX_BODY + 1), 413)}


def test_malformed_bodies_get_json_errors(market: Market) -> None:
    """Whatever is no request gets a 4xx in the protocol's form, and the server goes on."""
    for name, (body, status) in bodies(market).items():
        for route, flag in (("/verify", "isValid"), ("/settle", "success")):
            answer = requests.post(market.url + route, data=body, timeout=20)
            assert answer.status_code == status, name
            told = answer.json()
            if status == 400:
                assert told[flag] is False, name
                reason = told.get("invalidReason") or told.get("errorReason")
                assert reason == "invalid_payload", name
    assert market.remote.supported()["kinds"]


def raw(url: str, head: bytes) -> bytes:
    """Send bytes, and return the answer's first line."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        line.sendall(head)
        line.shutdown(socket.SHUT_WR)
        return line.makefile("rb").readline()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /settle HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 411),
        (b"POST /settle HTTP/1.1\r\nContent-Length: x\r\n\r\n", 411),
        (b"POST /settle HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /settle HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}", 400),
        (b"POST /nothing HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404),
        (b"GET /settle HTTP/1.1\r\n\r\n", 405),
        (b"BREW /settle HTTP/1.1\r\n\r\n", 501),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    ],
)
def test_broken_requests_get_a_status(market: Market, head: bytes, status: int) -> None:
    """Bodies without a true length, unknown routes and methods are refused by number."""
    assert str(status).encode() in raw(market.url, head)


def test_it_listens_on_this_machine_alone(market: Market) -> None:
    """Without a host named, the server is bound to loopback."""
    assert market.url.startswith("http://127.0.0.1:")


def test_closing_waits_for_answers() -> None:
    """A request taken before the end is answered, one after it is not."""
    inside, go = threading.Event(), threading.Event()

    def slow(_: Request) -> Answer:
        inside.set()
        assert go.wait(20)
        return Answer.of(200, {})

    server, status = Serving(slow), list[int]()
    asking = threading.Thread(
        target=lambda: status.append(requests.get(server.url, timeout=20).status_code)
    )
    asking.start()
    assert inside.wait(20)
    closing = threading.Thread(target=server.close)
    closing.start()
    closing.join(0.3)
    assert closing.is_alive()
    go.set()
    closing.join(20)
    asking.join(20)
    assert status == [200]
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)


@dataclass
class Shop:
    """A seller on HTTP."""

    url: str
    made: list[str] = field(default_factory=list)


@pytest.fixture
def shop(market: Market, tmp_path: Path) -> Iterator[Shop]:
    """Give a seller whose facilitator is behind HTTP too."""
    made: list[str] = []

    def handle(request: Request) -> Answer:
        made.append(request.path)
        return Answer.of(200, {"number": len(made), "said": request.body.decode()})

    walls: list[Paywall] = []

    def answer(request: Request) -> Answer:
        return walls[0].answer(request)

    with Serving(answer) as server:
        wall = Paywall(
            handle,
            market.token,
            market.wanted,
            market.remote,
            market.clock,
            tmp_path / "sales.db",
            url=server.url,
            description="a number",
        )
        walls.append(wall)
        yield Shop(server.url, made)
    wall.close()


def wallet(market: Market, folder: Path, at_once: int = PRICE) -> Wallet:
    """Open a wallet of the buyer's."""
    file = folder / "wallet.db"
    return Wallet(
        market.buyer, [market.token], market.clock, file, at_once=at_once, in_all=10 * PRICE
    )


def swearing(market: Market) -> Callable[[Demand, Requirements], Sworn]:
    """Return somebody who swears to each payment."""
    return lambda _, wanted: Sworn(market.sworn(), market.clock.now() + wanted.seconds)


def test_an_agent_buys_under_oath(market: Market, shop: Shop, tmp_path: Path) -> None:
    """Request, demand, oath, payment, answer, receipt: and the money is the seller's."""
    held = market.balance(SELLER.address)
    with wallet(market, tmp_path) as purse:
        told = buy(purse, f"{shop.url}/number?of=5", swearing(market), method="POST", body=b"hi")
    assert json.loads(told.answer.body) == {"number": 1, "said": "hi"}
    assert told.settlement is not None
    assert told.payment is not None
    assert market.house.log.index_of(told.payment.authorization.nonce) is not None
    assert market.balance(SELLER.address) == held + PRICE
    assert shop.made == ["/number?of=5"]


def test_a_broken_line_is_mended(
    market: Market, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A buyer that lost the answer sends the same payment again and gets it, paid once."""
    held, lost = market.balance(SELLER.address), list[bytes]()
    whole = http.client.HTTPConnection.getresponse

    def torn(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        told = whole(self)
        if RESPONSE in told.headers and not lost:
            lost.append(told.read())
            raise ConnectionResetError
        return told

    monkeypatch.setattr(http.client.HTTPConnection, "getresponse", torn)
    with wallet(market, tmp_path) as purse:
        told = buy(purse, f"{shop.url}/number", swearing(market))
    assert told.answer.body == lost[0]
    assert len(shop.made) == 1
    assert market.balance(SELLER.address) == held + PRICE


def test_an_agent_does_not_overpay(market: Market, shop: Shop, tmp_path: Path) -> None:
    """A demand above the wallet's limit is not sworn to and not paid."""
    sworn: list[object] = []
    with wallet(market, tmp_path, at_once=PRICE - 1) as purse, pytest.raises(InputError):
        buy(purse, f"{shop.url}/number", lambda *told: sworn.append(told))  # type: ignore[arg-type]
    assert (sworn, shop.made) == ([], [])


def test_an_unsworn_payment_buys_nothing(market: Market, shop: Shop, tmp_path: Path) -> None:
    """A payment under a statement that is in no log is not taken, and nothing is made."""
    unsworn = Sworn(sha256(b"unsworn"), market.clock.now() + 60)
    with (
        wallet(market, tmp_path) as purse,
        pytest.raises(DeliveryError, match="authorization_not_logged"),
    ):
        buy(purse, f"{shop.url}/number", lambda *_: unsworn)
    assert shop.made == []


def test_the_demand_is_in_the_header(market: Market, shop: Shop) -> None:
    """Without a payment: 402, and header and body hold the same demand; nonsense gets 400."""
    answer = requests.get(f"{shop.url}/number", timeout=20)
    assert answer.status_code == 402
    assert decode_header(answer.headers[REQUIRED]) == answer.json()
    assert Demand.from_header(answer.headers[REQUIRED]).accepts == (market.wanted,)
    bad = requests.get(f"{shop.url}/number", headers={"PAYMENT-SIGNATURE": "x"}, timeout=20)
    assert bad.status_code == 400


# The x402 package on the other side.


class Signer:
    """A key as the x402 package's client wants it; it notes what nonces are drawn."""

    def __init__(self, market: Market, *, heard: bool) -> None:
        self._inner: Any = pytest.importorskip("x402.mechanisms.evm.signers").EthAccountSigner(
            Account.from_key(market.buyer.secret)
        )
        self._market = market
        self._heard = heard

    @property
    def address(self) -> str:
        """The address."""
        return str(self._inner.address)

    def sign_typed_data(self, domain: Any, types: Any, primary: str, message: Any) -> bytes:
        """Sign, and let the nonce pass for a logged statement, if it is to be heard."""
        if self._heard:
            self._market.strangers.add(message["nonce"])
        return bytes(self._inner.sign_typed_data(domain, types, primary, message))


def their_client(market: Market, *, heard: bool = True) -> Any:
    """Return the package's own client, allowed to spend our token."""
    x402 = pytest.importorskip("x402", reason="the market extra is not installed")
    exact = pytest.importorskip("x402.mechanisms.evm.exact")
    client = exact.register_exact_evm_client(x402.x402ClientSync(), Signer(market, heard=heard))
    return client.set_spend_controls(False)


def test_their_client_buys_from_our_paywall(market: Market, shop: Shop) -> None:
    """The x402 package's client reads our demand, pays, and reads our receipt."""
    client = their_client(market)
    wrap = pytest.importorskip("x402.http.clients.requests").wrapRequestsWithPayment
    receipt = pytest.importorskip("x402.http.utils").decode_payment_response_header
    held = market.balance(SELLER.address)
    with wrap(requests.Session(), client) as session:
        answer = session.post(f"{shop.url}/number", data=b"hello", timeout=20)
    assert answer.json() == {"number": 1, "said": "hello"}
    told = receipt(answer.headers[RESPONSE])
    assert (told.success, told.network) == (True, market.token.network)
    assert told.payer == Web3.to_checksum_address(market.buyer.address)
    assert market.balance(SELLER.address) == held + PRICE


def test_their_client_without_an_oath_is_refused(market: Market, shop: Shop) -> None:
    """A nonce drawn at random is no statement: the package's client gets 402 from our seller."""
    client = their_client(market, heard=False)
    wrap = pytest.importorskip("x402.http.clients.requests").wrapRequestsWithPayment
    with wrap(requests.Session(), client) as session:
        answer = session.get(f"{shop.url}/number", timeout=20)
    assert answer.status_code == 402
    assert answer.json()["error"] == Reason.UNLOGGED
    assert shop.made == []


def test_their_schemas_read_our_messages(market: Market) -> None:
    """Every message that we write is read by the package's own types, and comes back equal."""
    schemas = pytest.importorskip("x402.schemas", reason="the market extra is not installed")
    payment = market.pay(resource="http://seller.test/a", identifier="x" * 20)
    told = payment.to_json()
    body = {"x402Version": 2, "paymentPayload": told, "paymentRequirements": told["accepted"]}
    read = schemas.VerifyRequest.model_validate(body)
    again = read.payment_payload.model_dump(by_alias=True, exclude_none=True)
    assert Payment.from_json(again) == payment
    wanted = read.payment_requirements.model_dump(by_alias=True)
    assert Requirements.from_json(wanted) == market.wanted
    answer = requests.post(f"{market.url}/settle", json=body, timeout=20)
    settled = schemas.SettleResponse.model_validate(answer.json())
    assert settled.success
    dumped = settled.model_dump(by_alias=True, exclude_none=True)
    assert Settlement.from_json(dumped) == market.remote.settle(payment, market.wanted)
    supported = requests.get(f"{market.url}/supported", timeout=20).json()
    assert schemas.SupportedResponse.model_validate(supported).kinds[0].scheme == "exact"
    demand = Demand("http://seller.test/a", (market.wanted,), "why", "what", identifies=True)
    required = schemas.PaymentRequired.model_validate(demand.to_json())
    assert required.accepts[0].pay_to == Web3.to_checksum_address(SELLER.address)


class TheirSigner:
    """Our house as the x402 package's facilitator wants a chain: one sender, in nonce order."""

    def __init__(self, market: Market) -> None:
        self._house = market.house

    def get_addresses(self) -> list[str]:
        """Return who sends."""
        return [to_hex(self._house.key("facilitator").address)]

    def read_contract(self, address: str, abi: Any, name: str, *arguments: Any) -> Any:
        """Read from a contract."""
        where = bytes.fromhex(address[2:])
        return self._house.call(where, {"abi": abi}, name, *arguments)

    def write_contract(self, address: str, abi: Any, name: str, *arguments: Any, **_: Any) -> str:
        """Send a transaction."""
        where, key = bytes.fromhex(address[2:]), self._house.key("facilitator")
        told = self._house.send(key, where, {"abi": abi}, name, *arguments)
        return to_hex(told)

    def wait_for_transaction_receipt(self, transaction: str) -> Any:
        """Return a receipt; the house has waited already."""
        types = pytest.importorskip("x402.mechanisms.evm.types")
        return types.TransactionReceipt(1, 0, transaction)

    def get_code(self, address: str) -> bytes:
        """Return the code at an address."""
        return self._house._chain.code(bytes.fromhex(address[2:]))


def test_their_facilitator_takes_our_payments(market: Market) -> None:
    """The package's own facilitator verifies and settles a payment that our wallet signed."""
    x402 = pytest.importorskip("x402", reason="the market extra is not installed")
    exact = pytest.importorskip("x402.mechanisms.evm.exact")
    theirs = exact.register_exact_evm_facilitator(
        x402.x402FacilitatorSync(), TheirSigner(market), networks=market.token.network
    )
    told = market.pay().to_json()
    payload = x402.schemas.PaymentPayload.model_validate(told)
    wanted = x402.schemas.PaymentRequirements.model_validate(told["accepted"])
    verdict = theirs.verify(payload, wanted)
    assert verdict.is_valid, verdict
    held = market.balance(SELLER.address)
    settled = theirs.settle(payload, wanted)
    assert settled.success, settled
    assert market.balance(SELLER.address) == held + PRICE
    ours = market.facilitator.settle(Payment.from_json(told), market.wanted)
    assert ours.transaction == bytes.fromhex(settled.transaction[2:])


def test_time_passes(market: Market) -> None:
    """A payment settled in time keeps its answer when it has long expired."""
    payment = market.pay(valid_before=int(time.time()) + 30)
    first = market.facilitator.settle(payment, market.wanted)
    market.clock.seconds = 10_000
    assert market.facilitator.settle(payment, market.wanted) == first
    assert first.objection is None
