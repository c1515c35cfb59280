"""The escrow on chain: its jobs, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.orders import Desk

STATUS = ("Open", "Funded", "Submitted", "Completed", "Rejected", "Expired")
MONEY = ("None", "Held", "Pending", "Disputed", "Paid")


@dataclass(frozen=True)
class Job:
    """A job as the chain tells it."""

    number: int
    client: bytes
    provider: bytes
    status: str
    money: str
    budget: int
    due: int


@dataclass(frozen=True)
class Escrow:
    """The escrow of one payment token."""

    house: House
    address: bytes
    token: bytes

    @property
    def desk(self) -> Desk:
        """Where an agent's orders go."""
        return Desk(self.address, self.token)

    def job(self, number: int) -> Job:
        """Return a job."""
        told = self.read("getJob", number)
        client, status, money, _, provider, due, _, _, budget = told[:9]
        return Job(
            number, _bytes(client), _bytes(provider), STATUS[status], MONEY[money], budget, due
        )

    def jobs(self) -> list[Job]:
        """Return every job, oldest first."""
        created = self.house.events(self.address, artifact("JobEscrow"), "JobCreated")
        return [self.job(event["args"]["jobId"]) for event in created]

    def find(self, terms: bytes) -> Job | None:
        """Return the first job that is bound to a sworn agreement."""
        for event in self.house.events(self.address, artifact("JobEscrow"), "JobBound"):
            if bytes(event["args"]["terms"]) == terms:
                return self.job(event["args"]["jobId"])
        return None

    def read(self, name: str, *arguments: Any) -> Any:
        """Read from the contract."""
        return self.house.call(self.address, artifact("JobEscrow"), name, *arguments)

    def send(self, sender: LedgerKey, name: str, *arguments: Any) -> bytes:
        """Act on a job as provider, evaluator, arbiter or anybody; return the transaction."""
        return self.house.send(sender, self.address, artifact("JobEscrow"), name, *arguments)


def open_escrow(house: House, token: bytes) -> Escrow:
    """Find or make the escrow of a payment token."""
    return Escrow(house, house.deploy(artifact("JobEscrow"), token), token)


def _bytes(address: str) -> bytes:
    return bytes.fromhex(address[2:])
