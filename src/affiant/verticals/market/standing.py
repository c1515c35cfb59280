"""Who somebody is, what is said of it, and what counts of that (ERC-8004)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kernel.house import House
from affiant.kernel.identity import LedgerKey
from affiant.verticals.market.contracts import artifact

DECIMALS = 0
"""Feedback is given as whole points, 0 to 100."""


@dataclass(frozen=True)
class Registry:
    """The identity and reputation registries, and the count of feedback about settled jobs."""

    house: House
    identity: bytes
    reputation: bytes
    settled: bytes

    def register(self, owner: LedgerKey, uri: str) -> int:
        """Register an agent, unless its owner has one; return its id."""
        for event in self._events("AgentIdentity", self.identity, "Registered"):
            if event["owner"].lower() == f"0x{owner.address.hex()}":
                return int(event["agentId"])
        compiled = artifact("AgentIdentity")
        one = [
            entry
            for entry in compiled["abi"]
            if entry.get("name") != "register" or len(entry["inputs"]) == 1
        ]
        self.house.send(owner, self.identity, {**compiled, "abi": one}, "register", uri)
        return self.register(owner, uri)

    def rate(self, client: LedgerKey, agent: int, points: int, digest: bytes = bytes(32)) -> int:
        """Give feedback as a client; return its index among this client's."""
        told = (agent, points, DECIMALS, "job", "", "", "", digest)
        self.house.send(client, self.reputation, artifact("AgentReputation"), "giveFeedback", *told)
        read = (self.reputation, artifact("AgentReputation"), "getLastIndex")
        return int(self.house.call(*read, agent, client.address))

    def count(self, by: LedgerKey, agent: int, client: bytes, index: int, job: int) -> bytes:
        """Have feedback counted as of a settled job; return the transaction."""
        told = (agent, client, index, job)
        return self.house.send(by, self.settled, artifact("SettledReputation"), "count", *told)

    def digest_of(self, job: int) -> bytes:
        """Return the digest by which feedback names a job."""
        compiled = artifact("SettledReputation")
        return bytes(self.house.call(self.settled, compiled, "digestOf", job))

    def plain(self, agent: int) -> tuple[int, int]:
        """Return how many ratings there are, and their average, whoever gave them."""
        compiled = artifact("AgentReputation")
        clients = self.house.call(self.reputation, compiled, "getClients", agent)
        return self._summary(self.reputation, "AgentReputation", agent, clients)

    def earned(self, agent: int) -> tuple[int, int]:
        """Return the same of what counts: one rating for each settled job."""
        events = self._events("SettledReputation", self.settled, "Counted")
        clients = {event["client"] for event in events if event["agentId"] == agent}
        return self._summary(self.settled, "SettledReputation", agent, sorted(clients))

    def _summary(
        self, address: bytes, name: str, agent: int, clients: list[str]
    ) -> tuple[int, int]:
        if not clients:
            return 0, 0
        count, value, _ = self.house.call(
            address, artifact(name), "getSummary", agent, clients, "", ""
        )
        return int(count), int(value)

    def _events(self, contract: str, address: bytes, name: str) -> list[dict[str, Any]]:
        told = self.house.events(address, artifact(contract), name)
        return [dict(event["args"]) for event in told]


def open_registry(house: House, escrow: bytes) -> Registry:
    """Find or make the registries, counting feedback about the jobs of an escrow."""
    identity = house.deploy(artifact("AgentIdentity"))
    reputation = house.deploy(artifact("AgentReputation"), identity)
    settled = house.deploy(artifact("SettledReputation"), reputation, escrow)
    return Registry(house, identity, reputation, settled)
