"""Agents at work, simulated: what they swear over months, and what hijackers swear with their keys.

Statements have their real form, subjects and digests; signatures are left out, since the sentinel
judges what a follower has verified. Honest work is made to be awkward: new accounts come with
several invoices at once, amounts have long tails and one-off payments, backlogs are worked off in
minutes, models are replaced (now and then unannounced), a source's key fails for days.
"""

from __future__ import annotations

import csv
import math
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.body import Body
from affiant.kernel.encoding import jcs_decode, jcs_encode, keccak256, sha256, to_hex, word
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import Bucket, Rule, Terms
from affiant.kernel.model import Call, Doubt, Model, Proposal, commitment
from affiant.kernel.statement import Statement, header_prefix
from affiant.testing import ANCHOR, FixedClock, LedgerSimulator, fixed_key
from affiant.verticals.security.sightings import Sworn

DATA = Path(os.environ.get("AFFIANT_DATA", Path(__file__).parents[2] / "shared" / "data"))
TOKEN = b"\x70" * 20
TRANSFER = keccak256(b"transfer(address,uint256)")[:4]
CAP = 10**12
START = 1_700_000_000
DAY, BLOCK = 86_400, 12
LIFE = 600
SALT = bytes(bodies.SALT_LENGTH)


@dataclass(frozen=True)
class PayModel:
    """Pays what an invoice says; `release` tells its versions apart."""

    release: str = "1"
    name: str = "bench.pay"
    deterministic: bool = True

    @property
    def version(self) -> str:
        """The release."""
        return self.release

    @property
    def digest(self) -> bytes:
        """SHA-256 over name and version."""
        return sha256(f"{self.name} {self.release}".encode())

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to an invoice."""
        (due,) = inputs
        call = Call(TOKEN, TRANSFER + word(bytes.fromhex(due["to"])) + word(due["units"]))
        return Proposal(call, due, "it is due")


@dataclass
class World:
    """The ledger, archive and log that all agents share, and what has been sworn so far."""

    ledger: LedgerSimulator = field(default_factory=lambda: LedgerSimulator(FixedClock(START)))
    data: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    models: dict[bytes, Model] = field(default_factory=dict)
    """What the principal has announced; the sentinel has the code of it."""
    principal: LedgerKey = field(default_factory=lambda: fixed_key("principal"))
    log_id: bytes = sha256(b"bench log")
    index: int = 0

    def get(self, subject: bytes) -> tuple[bytes, bytes] | None:
        """Return observed data, as an archive does."""
        return self.data.get(subject)

    def put(self, subject: bytes, salt: bytes, data: bytes) -> None:
        """Keep observed data."""
        self.data[subject] = (salt, data)

    def swear(
        self, key: LedgerKey, kind: str, subject: bytes, content: dict[str, Any], time: int
    ) -> Sworn:
        """Return a logged statement; its signature is not one."""
        body = Body(kind, bodies.moment(time), SALT, content)
        told = Statement(kind, subject, body.digest, key.public, time, self.index.to_bytes(64))
        self.index += 1
        return Sworn(self.index, told, body, time)


class SimulatedAgent:
    """One agent: its key, mandate, source, and what it is used to."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.key, self.source = fixed_key(name), fixed_key(f"{name}'s desk")
        self.model = PayModel()
        self.sworn: list[Sworn] = []
        """The observations of its last decisions."""
        self.amounts: list[int] = []
        terms = Terms(
            principal=world.principal.address,
            agent=self.key.address,
            anchor=ANCHOR,
            log_id=world.log_id,
            valid_from=0,
            valid_until=1 << 40,
            longest_life=LIFE,
            header=header_prefix(self.key.public, bodies.DECISION),
            buckets=(Bucket(10 * CAP, DAY),),
            rules=(Rule(TOKEN, TRANSFER, amount_word=1, cap=CAP),),
        )
        self.mandate = world.ledger.grant(terms)
        self.nonce = 0

    def observe(self, payee: bytes, units: int, time: int, by: LedgerKey | None = None) -> Sworn:
        """Let the source, or `by`, swear to an invoice."""
        data = jcs_encode({"to": payee.hex(), "units": units, "number": self.world.index})
        salt = sha256(data)
        subject = commitment(salt, data)
        self.world.put(subject, salt, data)
        content = {"source": "orders desk", "shape": [], "units": "tokens", "kept": "agent"}
        told = self.world.swear(by or self.source, bodies.OBSERVATION, subject, content, time)
        self.sworn = [*self.sworn[-20:], told]
        return told

    def decide(self, call: Call, seen: Sworn, time: int, model: bytes | None = None) -> Sworn:
        """Swear a decision."""
        digest = model or self.model.digest
        action = Action(
            0, self.nonce, digest, call.target, 0, call.data, time + LIFE, ANYONE, sha256(call.data)
        )
        self.nonce += 1
        bound = BoundAction(self.world.ledger.chain_id, self.mandate, action)
        content = {
            "action": bound.to_json(),
            "mandate": to_hex(self.mandate),
            "model": to_hex(digest),
            "inputs": [to_hex(seen.statement.leaf)],
            "output": None,
            "reason": "it is due",
            "confidence": None,
            "seed": None,
        }
        return self.world.swear(self.key, bodies.DECISION, bound.digest, content, time)

    def pay(
        self, payee: bytes, units: int, time: int, by: LedgerKey | None = None
    ) -> Iterator[Sworn]:
        """Observe and decide, honestly."""
        seen = self.observe(payee, units, time, by)
        yield seen
        invoice = jcs_decode(self.world.data[seen.statement.subject][1])
        answer = self.model.predict([invoice])
        assert isinstance(answer, Proposal)
        self.amounts.append(units)
        yield self.decide(answer.call, seen, time)

    def swear_model(self, by: LedgerKey, time: int) -> Sworn:
        """Let somebody vouch for the agent's model; the principal also hands it out."""
        if by == self.world.principal:
            self.world.models[self.model.digest] = self.model
        content = {
            "name": self.model.name,
            "version": self.model.version,
            "deterministic": True,
            "training": "",
            "metrics": {},
            "approvals": [],
        }
        return self.world.swear(by, bodies.MODEL, self.model.digest, content, time)


def account(moment: random.Random) -> bytes:
    """Return a fresh account."""
    return moment.randbytes(20)


def work(
    agent: SimulatedAgent, days: int, failures: float, moment: random.Random
) -> Iterator[tuple[int, Sworn]]:
    """Yield (time, statement) of an agent's honest work, in order.

    On a share `failures` of its days the source's key fails, and the agent swears to its data.
    """
    rate = moment.uniform(1, 8)  # decisions a working day
    payees = [account(moment) for _ in range(moment.randrange(4, 40))]
    weights = [1 / (rank + 1) for rank in range(len(payees))]
    usual = [moment.lognormvariate(8, 1.2) for _ in payees]
    spread, novelty = moment.uniform(0.2, 0.8), moment.uniform(0.002, 0.03)
    broken = -1  # last day on which the source's key does not work
    vouch = -1  # day on which the principal vouches for a model that was not announced
    yield START, agent.swear_model(agent.world.principal, START)
    for day in range(days):
        if moment.random() < 1 / 90:
            agent.model = PayModel(f"{agent.name} of day {day}")
            unannounced = moment.random() < 0.05
            vouch = day + 3 if unannounced else -1
            by = agent.key if unannounced else agent.world.principal
            yield START + day * DAY, agent.swear_model(by, START + day * DAY)
        if day == vouch:  # the warning was read
            yield START + day * DAY, agent.swear_model(agent.world.principal, START + day * DAY)
        if moment.random() < failures:
            broken = day
        for time in _times(day, rate, moment):
            if moment.random() < novelty:
                payees.append(account(moment))
                weights.append(moment.random() ** 3)
                usual.append(moment.lognormvariate(8, 1.4))
                again = moment.choice(
                    [1, 1, 1, 2, 2, 3, 5]
                )  # a new account's invoices come at once
                chosen = [len(payees) - 1] * again
            else:
                chosen = moment.choices(range(len(payees)), weights)
            for offset, place in enumerate(chosen):
                units = usual[place] * moment.lognormvariate(0, spread)
                if moment.random() < 0.001:
                    units *= moment.uniform(5, 30)  # once in a while: taxes, a machine
                at = time + offset * moment.randrange(1, 90)
                signer = agent.key if day <= broken else None
                for told in agent.pay(payees[place], max(1, round(units)), at, signer):
                    yield at, told


def _times(day: int, rate: float, moment: random.Random) -> list[int]:
    """Return the seconds of a day's decisions: office hours mostly, now and then a backlog."""
    if day % 7 in (5, 6):
        rate *= 0.1
    begin = START + day * DAY
    count = _poisson(rate * (2 if day % 30 in (28, 29) else 1), moment)
    times = [begin + round(DAY * moment.betavariate(4, 4)) for _ in range(count)]
    if moment.random() < 1 / 30:
        first = begin + moment.randrange(DAY - 3600)
        times += [first + moment.randrange(600) for _ in range(moment.randrange(4, 20))]
    return sorted(times)


def _poisson(mean: float, moment: random.Random) -> int:
    limit, product, count = math.exp(-mean), moment.random(), 0
    while product > limit:
        product *= moment.random()
        count += 1
    return count


def fleet(
    world: World, agents: int, days: int, seed: int, failures: float = 1 / 1000
) -> tuple[list[SimulatedAgent], list[Sworn]]:
    """Return agents with what they swore, in the order of time."""
    made, told = [], list[tuple[int, int, Sworn]]()
    for number in range(agents):
        agent = SimulatedAgent(world, f"agent {seed}/{number}")
        made.append(agent)
        moment = random.Random(seed * 1000 + number)  # noqa: S311 (it must repeat)
        told += [(at, item.index, item) for at, item in work(agent, days, failures, moment)]
    return made, [item for _, _, item in sorted(told, key=lambda one: one[:2])]


def deliveries(world: World) -> tuple[int, list[Sworn]]:
    """Return agent-days and statements of real purchases: an agent a country, paying vendors.

    One line of `scms-deliveries` is one decision, on the day the delivery was recorded, paid at its
    value in cents; the order within a day is the file's, a minute apart.
    """
    rows = []
    path = DATA / "scms-deliveries" / "scms_deliveries_train.csv"
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.strptime(row["Delivery Recorded Date"], "%d-%b-%y").replace(tzinfo=UTC)
            units = max(1, round(100 * float(row["Line Item Value"])))
            rows.append((int(at.timestamp()), row["Country"], row["Vendor"], units))
    agents: dict[str, SimulatedAgent] = {}
    span: dict[str, list[int]] = {}
    told: list[Sworn] = []
    for place, (day, country, vendor, units) in enumerate(sorted(rows, key=lambda row: row[0])):
        agent = agents.get(country) or agents.setdefault(country, SimulatedAgent(world, country))
        time = day + 36_000 + 60 * (place % 600)
        if country not in span:
            told.append(agent.swear_model(world.principal, time))
        span.setdefault(country, [time, time])[1] = time
        told += agent.pay(keccak256(vendor.encode())[12:], units, time)
    told.sort(key=lambda one: one.time)
    return sum((last - first) // DAY + 1 for first, last in span.values()), told


def attack(
    agent: SimulatedAgent, kind: str, begin: int, moment: random.Random
) -> Iterator[tuple[int, list[Sworn]]]:
    """Yield (time, statements) of each harmful decision of a hijacker, one a block or slower."""
    thief, own = account(moment), sha256(b"a hijacker's program " + moment.randbytes(8))
    typical, largest = sorted(agent.amounts)[len(agent.amounts) // 2], max(agent.amounts)
    time = begin
    for _ in range(25):
        units = max(1, round(moment.choice(agent.amounts[-200:]) * moment.uniform(0.9, 1.1)))
        call = Call(TOKEN, TRANSFER + word(thief) + word(units))
        genuine = agent.sworn[-1 if kind != "mimic, a genuine invoice" else 0]
        if kind == "drip, its own model":
            small = Call(TOKEN, TRANSFER + word(thief) + word(max(1, typical // 20)))
            yield time, [agent.decide(small, genuine, time, own)]
            time += moment.choice([BLOCK, 10 * BLOCK, 3600])
        elif kind == "drip, the usual model's name":
            small = Call(TOKEN, TRANSFER + word(thief) + word(max(1, typical // 20)))
            yield time, [agent.decide(small, genuine, time)]
            time += moment.choice([BLOCK, 10 * BLOCK, 3600])
        elif kind == "mimic, a genuine invoice":
            yield time, [agent.decide(call, genuine, time)]
            time += moment.choice([BLOCK, 3600, DAY // 4])
        elif kind == "mimic, a forged invoice":
            yield time, list(agent.pay(thief, units, time, agent.key))
            time += moment.choice([BLOCK, 3600, DAY // 4])
        elif kind == "mimic, an invoice its desk swore to, greedy":
            yield time, list(agent.pay(thief, units, time))
            time += BLOCK
        elif kind == "a grab, an invoice its desk swore to":
            yield time, list(agent.pay(thief, 3 * largest, time))
            time += BLOCK
        elif kind == "mimic, an invoice its desk swore to, patient":
            yield time, list(agent.pay(thief, units, time))
            time += DAY // 4
        else:
            yield time, [agent.decide(_brute(call, moment), genuine, time)]
            time += BLOCK


def _brute(call: Call, moment: random.Random) -> Call:
    thief = call.data[4:36]
    return moment.choice(
        [
            Call(TOKEN, TRANSFER + thief + word(CAP + 1)),
            Call(TOKEN, keccak256(b"approve(address,uint256)")[:4] + thief + word(2**256 - 1)),
            Call(b"\x66" * 20, call.data),
        ]
    )
