"""Claims about a house on a chain that is not ours: `--rpc`, with fees, blocks and accounts."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from affiant.apps.wiring import open_house
from affiant.chain.connection import Connection
from affiant.chain.provider import AllowListedProvider
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import LedgerError
from affiant.kernel.identity import LedgerKey

from .command import Run, process
from .node import COIN, Node, address_of, node

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def chain() -> Iterator[Node]:
    """Give a chain of its own kind."""
    with node(4242) as made:
        yield made


@pytest.fixture(scope="module")
def told(chain: Node, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tell the story on that chain, by the real command; return the home."""
    home = tmp_path_factory.mktemp("rpc") / "home"
    chain.fund(home, 10 * COIN)
    process("demo", "--home", home, "--rpc", chain.url, "--periods", "3").held()
    return home


def test_the_story_holds_on_another_chain(chain: Node, told: Path, affiant: Run) -> None:
    """The demo works end to end over RPC, pays its fees from the operator, and runs again."""
    done = affiant("demo", "--home", told, "--rpc", chain.url, "--periods", "3", "--json")
    done.held()
    steps = done.told["steps"]
    assert [step["good"] for step in steps if step["step"] == "audit"] == [True]
    assert sum(step["step"] == "order" for step in steps) == 3
    affiant("audit", "--home", told, "--rpc", chain.url, "--replay").held()
    status = affiant("chain", "status", "--home", told, "--rpc", chain.url, "--json")
    assert status.told["chainId"] == 4242
    held = int(chain.ask("eth_getBalance", address_of(told, "operator"), "latest"), 16)
    assert 0 < held < 10 * COIN
    lent = [
        int(chain.ask("eth_getBalance", address_of(told, name), "latest"), 16)
        for name in ("shop", "buyer")
    ]
    assert all(lent)


def test_an_operator_without_money_is_named(chain: Node, affiant: Run, tmp_path: Path) -> None:
    """Without money the account that needs it is named, and once it has some the story holds."""
    home = tmp_path / "home"
    operator = chain.fund(home, 0)
    options = ["demo", "--home", home, "--rpc", chain.url, "--periods", "1"]
    # The contracts stand already for all; the first transaction to pay for is this house's own.
    affiant(*options).refused(operator, "has 0 wei", "needs")
    chain.fund(home, COIN)
    affiant(*options).held()


@pytest.mark.parametrize("times", [0, 1, 3], ids=["nothing", "one fee", "three fees"])
def test_an_operator_that_cannot_lend_is_named(chain: Node, times: int) -> None:
    """If the operator cannot lend another account what a transaction costs, it is named."""
    payer, sender = (LedgerKey(bytes([times + n]) * 32) for n in (50, 60))
    connection = Connection(AllowListedProvider(chain.url), "test chain", payer)
    fee = 21_000 * 2 * int(chain.ask("eth_gasPrice"), 16)
    chain.ask("anvil_setBalance", to_hex(payer.address), hex(times * fee))
    with pytest.raises(LedgerError, match=to_hex(payer.address)):
        connection.transact(sender, b"\x22" * 20, b"")
    chain.ask("anvil_setBalance", to_hex(payer.address), hex(100 * fee))
    assert connection.transact(sender, b"\x22" * 20, b"")["status"] == 1


def test_a_home_stays_on_its_chain(chain: Node, told: Path, affiant: Run) -> None:
    """A home of one chain refuses another chain, and the embedded one, by both names."""
    with node(4243) as other:
        done = affiant("demo", "--home", told, "--rpc", other.url)
        done.refused("chain 4242", "chain 4243")
    affiant("demo", "--home", told).refused("chain 4242", "--rpc")
    affiant("chain", "status", "--home", told, "--rpc", chain.url).held()


def test_a_chain_that_began_anew_is_another_chain(affiant: Run, tmp_path: Path) -> None:
    """A node that lost its chain and began another with the same id is refused before acting."""
    home = tmp_path / "home"
    options = ["demo", "--home", home, "--periods", "2", "--rpc"]
    with node(4244) as first:
        first.fund(home, COIN)
        affiant(*options, first.url).held()
    with node(4244, "--timestamp=1700000000") as second:  # else within a second they are the same
        second.fund(home, COIN)
        affiant(*options, second.url).refused()
        operator = address_of(home, "operator")
        assert int(second.ask("eth_getTransactionCount", operator, "latest"), 16) == 0


def test_a_node_that_dies_in_between(affiant: Run, tmp_path: Path) -> None:
    """If the node dies while the house works, that is an error of ours, and the house closes."""
    home = tmp_path / "home"
    with node(4245) as mortal:
        mortal.fund(home, COIN)
        url = mortal.url
        house = open_house(home, rpc=url)
    with house, pytest.raises(LedgerError):
        house.ledger.now()
    affiant("demo", "--home", home, "--rpc", url).refused(url)


@contextmanager
def answering(body: bytes, code: int = 200) -> Iterator[str]:
    """Serve one answer to everything."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>no node here</html>",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'{"jsonrpc":"2.0","id":0,"error":"no"}',
        b'{"jsonrpc":"2.0","id":0,"result":"what"}',
        b'{"jsonrpc":"2.0","id":0,"result":null}',
        b'{"jsonrpc":"2.0","id":0,"result":{}}',
        b'{"jsonrpc":"2.0","id":0,"result":"0x1092"}',
    ],
    ids=repr,
)
def test_what_is_no_node_is_refused(affiant: Run, tmp_path: Path, body: bytes) -> None:
    """Whatever a server answers that is no EVM node, it is refused in two lines."""
    with answering(body) as url:
        affiant("chain", "status", "--home", tmp_path / "home", "--rpc", url).refused(url)
