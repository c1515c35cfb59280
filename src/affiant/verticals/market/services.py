"""Services as credits on chain: listed, bought, and used under the terms they were sold under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import to_hex
from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.kernel.statement import Statement
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.kinds import CONTRIBUTION


@dataclass(frozen=True)
class Credits:
    """The credits of one payment token."""

    house: House
    address: bytes
    token: bytes

    def list(self, owner: LedgerKey, terms: bytes, price: int, uri: str) -> int:
        """Offer a service under sworn terms, at a price per unit; return its listing."""
        self.send(owner, "list", terms, price, uri)
        return int(self.read("listingCount"))

    def buy(self, buyer: LedgerKey, listing: int, units: int, most: int) -> int:
        """Pay for units at no more than `most` each; return the credit's id."""
        erc20, total = artifact("PaymentToken"), units * most
        self.house.send(buyer, self.token, erc20, "approve", self.address, total)
        price = int(self.read("getListing", listing)[2])
        self.send(buyer, "buy", listing, units, most, buyer.address)
        return int(self.read("creditOf", listing, price))

    def use(self, user: LedgerKey, credit: int, units: int, request: bytes) -> bytes:
        """Burn units for a request; return the transaction."""
        return self.send(user, "use", credit, units, request)

    def used(self, request: bytes) -> dict[str, Any] | None:
        """Return the use that a request was paid with, as the chain tells it."""
        for event in self.house.events(self.address, artifact("ServiceCredits"), "Used"):
            if bytes(event["args"]["request"]) == request:
                return {**event["args"], "transaction": bytes(event["transactionHash"])}
        return None

    def read(self, name: str, *arguments: Any) -> Any:
        """Read from the contract."""
        return self.house.call(self.address, artifact("ServiceCredits"), name, *arguments)

    def send(self, sender: LedgerKey, name: str, *arguments: Any) -> bytes:
        """Send a transaction to the contract; return its hash."""
        return self.house.send(sender, self.address, artifact("ServiceCredits"), name, *arguments)


def open_credits(house: House, token: bytes) -> Credits:
    """Find or make the credits of a payment token."""
    return Credits(house, house.deploy(artifact("ServiceCredits"), token), token)


def contribute(
    bought: Credits,
    owner: str,
    listing: int,
    request: bytes,
    *,
    terms: bytes,
    output: bytes,
    program: bytes | None = None,
    data: bytes | None = None,
    by: bytes | None = None,
) -> Statement:
    """Swear as a service's owner to a use of it: by whom, of what, under which terms.

    Credits tell by whom; a use that a job paid for (listing 0) names its client in `by`.
    """
    told = bought.used(request)
    user = to_hex(by or bytes(20)) if told is None else told["by"].lower()
    content = {
        "listing": listing,
        "units": 1 if told is None else told["units"],
        "by": user,
        "terms": to_hex(terms),
        "program": None if program is None else to_hex(program),
        "data": None if data is None else to_hex(data),
        "output": to_hex(output),
        "transaction": None if told is None else to_hex(told["transaction"]),
    }
    job = f"contribution/{to_hex(request)}"
    return bought.house.affiant(owner).swear(job, CONTRIBUTION, request, content)
