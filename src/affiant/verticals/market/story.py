"""The story: a data owner, a model owner and a buyer who have never met trade; two cheats fail."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import jcs_encode, keccak256, sha256, to_hex
from affiant.kernel.errors import IntegrityError
from affiant.kernel.house import Act, House, Step
from affiant.kernel.mandate import Bucket, Rule
from affiant.kernel.model import Input
from affiant.verticals.market import compute
from affiant.verticals.market.bargain import Bargain, Leave, Mine
from affiant.verticals.market.bazaar import MEMBERS, Bazaar, digest_of, open_bazaar
from affiant.verticals.market.contracts import artifact
from affiant.verticals.market.escrow import Job
from affiant.verticals.market.negotiation import Agreement, Party, negotiate
from affiant.verticals.market.ordering import OrderModel, order_input, standing_input
from affiant.verticals.market.orders import Order
from affiant.verticals.market.rating import RateModel, delivery_input, rate_rule
from affiant.verticals.market.services import contribute
from affiant.verticals.market.shopping import call_and_pay
from affiant.verticals.market.spending import TRANSFER, Spender
from affiant.verticals.market.wants import Issue, Wants

BUYER, SHOPPER = "buyer", "shopper"
DATA_OWNER, MODEL_OWNER = "data owner", "model owner"
EVALUATOR, ARBITER, BRIBED = "evaluator", "arbiter", "bribed evaluator"
UNIT = 1_000_000
HOUR = 3_600
WINDOW = 2
"""Seconds in which a verdict can be disputed, and then answered: it is a demo."""
SYBILS = 9
DATA = {"readings": [18.2, 19.1, 20.7, 22.4, 23.0, 22.1, 20.3, 18.9]}
PROGRAM = b"""def run(data):
    seen = data["readings"]
    return {"count": len(seen), "mean": round(sum(seen) / len(seen), 3), "most": max(seen)}
"""
SNOOP = b"""def run(data):
    return data
"""
ALLOWED = {sha256(PROGRAM)}
SELLER_WANTS = Wants(
    Issue(120 * UNIT, 60 * UNIT), Issue(8 * HOUR, 2 * HOUR), weight=700_000, beta=500_000
)
BUYER_WANTS = Wants(
    Issue(30 * UNIT, 100 * UNIT), Issue(HOUR, 6 * HOUR), weight=600_000, beta=800_000
)


@dataclass(frozen=True)
class Telling:
    """The market, the buyer's mandate in it, and the name of this telling."""

    bazaar: Bazaar
    mandate: bytes
    run: str

    @property
    def house(self) -> House:
        """The house that the market is in."""
        return self.bazaar.house

    def shop(self, job: str, model: Any, inputs: Sequence[Input]) -> Act:
        """Let the buyer's agent act."""
        return self.house.agent(SHOPPER).act(f"{job}/{self.run}", self.mandate, model, inputs)


def story(house: House) -> Iterator[Step]:
    """Tell the story; told again in the same house, it goes on from there."""
    told = _open(house)
    ids = {
        name: told.bazaar.registry.register(house.key(name), f"agent:{name}") for name in _SELLERS
    }
    yield Step(
        "grant",
        "a buyer lets its agent pay at most 200 MUSD at once into an escrow with a named arbiter; "
        f"data owner is agent {ids[DATA_OWNER]}, model owner agent {ids[MODEL_OWNER]}",
        {"mandate": to_hex(told.mandate), "agents": ids},
    )
    first, answer = yield from _job(told, EVALUATOR, "honest")
    yield from _rated(told, first, ids[DATA_OWNER], answer)
    yield from _cheated(told)
    yield from _used(told)
    yield from _called(told)
    yield from _approved(told)
    yield from _ring(told, ids)


_SELLERS = (DATA_OWNER, MODEL_OWNER, "impostor")


def _open(house: House) -> Telling:
    bazaar = open_bazaar(house)
    cap, arbiter = 200 * UNIT, house.key(ARBITER).address
    mandate = house.grant(
        "shopping",
        principal=house.key(BUYER),
        agent=house.key(SHOPPER),
        rules=[
            *bazaar.escrow.desk.rules(cap, arbiter),
            rate_rule(bazaar.registry.reputation, bucket=2),
        ],
        buckets=[Bucket(20 * cap, 86_400), Bucket(20 * cap, 86_400), Bucket(2_000, 86_400)],
    )
    bazaar.fund(mandate, 1_000 * UNIT)
    bazaar.fund(house.key(SHOPPER).address, 100 * UNIT)
    run = to_hex(keccak256(str(house.log.size()).encode()))[2:10]
    return Telling(bazaar, mandate, run)


def _bargained(told: Telling, name: str) -> Generator[Step, None, Agreement]:
    """Bargain over price and deadline; every offer is sworn before the other side answers it."""
    bargain = Bargain(f"a mean of the readings, {name} {told.run}", rounds=12)
    buyer = Party(SHOPPER, Mine("buyer", BUYER_WANTS))
    seller = Party(DATA_OWNER, Mine("seller", SELLER_WANTS))
    end, sworn = negotiate(told.house, f"{name}/{told.run}", bargain, buyer, seller)
    if isinstance(end, Leave):
        raise IntegrityError(f"the bargain failed: {end.reason}", "Their zones overlap: audit it")
    price, deadline = end.terms.price / UNIT, end.terms.deadline / HOUR
    yield Step(
        "bargain",
        f"{len(sworn)} sworn offers, then agreed: {price:.2f} MUSD within {deadline:.1f} hours",
        {"offers": [to_hex(one.leaf) for one in sworn], "price": str(end.terms.price)},
        good=SELLER_WANTS.agrees(end.terms) and BUYER_WANTS.agrees(end.terms),
    )
    return end


def _job(
    told: Telling, evaluator: str, name: str
) -> Generator[Step, None, tuple[Job, compute.Run | compute.Refused]]:
    """Bargain, order and deliver a job; return it, and what the program answered."""
    house, escrow, owner = told.house, told.bazaar.escrow, told.house.key(DATA_OWNER)
    agreement = yield from _bargained(told, name)
    order = Order(
        terms=agreement.accepted.leaf,
        provider=owner.address,
        evaluator=house.key(evaluator).address,
        arbiter=house.key(ARBITER).address,
        price=agreement.terms.price,
        expires=house.clock.now() + agreement.terms.deadline,
        dispute=WINDOW,
        answer=WINDOW,
        description="run the program over the readings",
    )
    for step in ("create", "approve", "fund"):
        if step == "approve":
            escrow.send(owner, "setBudget", _found(told, order).number, order.price, b"")
        seen = [order_input(escrow, order), standing_input(escrow, order, told.mandate)]
        act = told.shop(f"order/{name}/{step}", OrderModel(), seen)
        if act.execution is None:
            yield Step("order", f"{step}: {act.reason}", good=False)
    job, answer = _found(told, order), compute.run(PROGRAM, DATA, ALLOWED)
    denied = compute.run(SNOOP, DATA, ALLOWED)
    facts: dict[str, Any] = {"job": job.number, "terms": to_hex(order.terms)}
    text = f"job {job.number}: nothing came of it"
    if isinstance(answer, compute.Run):
        escrow.send(owner, "submit", job.number, answer.digest, b"")
        request = digest_of(owner, f"job {job.number} {told.run}")
        sworn = contribute(
            told.bazaar.credits,
            DATA_OWNER,
            0,
            request,
            terms=order.terms,
            output=answer.digest,
            program=answer.program,
            data=answer.data,
            by=told.mandate,
        )
        facts |= {"output": answer.output, "contribution": to_hex(sworn.leaf)}
        text = (
            f"job {job.number}: an allowed program ran next to the data, behind "
            f"{len(answer.walls)} walls, and its use is sworn to; one that would copy the data "
            f"is {getattr(denied, 'rule', 'NOT REFUSED')}"
        )
    done = isinstance(answer, compute.Run) and isinstance(denied, compute.Refused)
    yield Step("deliver", text, facts, good=done)
    return job, answer


def _found(told: Telling, order: Order) -> Job:
    job = told.bazaar.escrow.find(order.terms)
    if job is None:
        raise IntegrityError(f"no job is bound to {to_hex(order.terms)}", "Audit the house")
    return job


def _rated(
    told: Telling, job: Job, agent: int, answer: compute.Run | compute.Refused
) -> Iterator[Step]:
    """Let the evaluator approve, everybody wait, anybody settle, and the client rate."""
    house, escrow, registry = told.house, told.bazaar.escrow, told.bazaar.registry
    before = told.bazaar.balance(house.key(DATA_OWNER).address)
    escrow.send(house.key(EVALUATOR), "complete", job.number, bytes(32), b"")
    time.sleep(WINDOW + 1)
    escrow.send(house.key("anybody"), "settle", job.number)
    paid = told.bazaar.balance(house.key(DATA_OWNER).address) - before
    yield Step(
        "settle",
        f"job {job.number}: judged good, undisputed, {paid / UNIT:.2f} MUSD paid",
        {"paid": str(paid)},
        good=paid == job.budget,
    )
    digest, good = registry.digest_of(job.number), isinstance(answer, compute.Run)
    seen = delivery_input(
        registry.reputation, agent, job.number, digest, settled=True, delivered=True, as_agreed=good
    )
    act = told.shop("rate", RateModel(), [seen])
    index = int(
        house.call(
            registry.reputation, artifact("AgentReputation"), "getLastIndex", agent, told.mandate
        )
    )
    registry.count(house.key("anybody"), agent, told.mandate, index, job.number)
    count, points = registry.earned(agent)
    yield Step(
        "rate",
        f"the client rates agent {agent}, under oath; it counts as the job is settled: "
        f"{points} of 100 from {count}",
        {"decision": to_hex(act.decision.leaf)},
        good=act.execution is not None and count >= 1,
    )


def _cheated(told: Telling) -> Iterator[Step]:
    """Let a bribed evaluator reject good work; the provider disputes, the arbiter runs it again."""
    house, escrow = told.house, told.bazaar.escrow
    job, first = yield from _job(told, BRIBED, "bribed")
    provider = house.key(DATA_OWNER)
    before = told.bazaar.balance(provider.address)
    escrow.send(house.key(BRIBED), "reject", job.number, keccak256(b"worthless"), b"")
    escrow.send(provider, "dispute", job.number, keccak256(b"run it again"))
    again = compute.run(PROGRAM, DATA, ALLOWED)
    runs = [run.digest for run in (first, again) if isinstance(run, compute.Run)]
    same = len(runs) == 2 and runs[0] == runs[1]
    escrow.send(house.key(ARBITER), "resolve", job.number, job.budget if same else 0)
    paid = told.bazaar.balance(provider.address) - before
    yield Step(
        "cheat",
        f"job {job.number}: a bribed evaluator rejects good work; disputed, the arbiter runs the "
        f"program again, gets the same answer and pays {paid / UNIT:.2f} MUSD to the provider",
        {"paid": str(paid)},
        good=same and paid == job.budget,
    )


def _used(told: Telling) -> Iterator[Step]:
    """Buy credits of a service, use one under its terms, give the rest back."""
    house, credits_ = told.house, told.bazaar.credits
    owner, user = house.key(MODEL_OWNER), house.key(SHOPPER)
    terms = digest_of(owner, f"one forecast a unit, {told.run}")
    listing = credits_.list(owner, terms, 2 * UNIT, "forecast")
    before = told.bazaar.balance(user.address)
    credit = credits_.buy(user, listing, 3, 2 * UNIT)
    request = digest_of(user, f"forecast {told.run}")
    credits_.use(user, credit, 1, request)
    answer = jcs_encode(forecast(DATA["readings"]))
    sworn = contribute(
        credits_,
        MODEL_OWNER,
        listing,
        request,
        terms=terms,
        output=sha256(answer),
        data=sha256(jcs_encode(DATA)),
    )
    credits_.send(user, "refund", credit, 2)
    spent = before - told.bazaar.balance(user.address)
    yield Step(
        "use",
        f"3 credits of listing {listing} bought, 1 used and sworn to by its owner, 2 given back: "
        f"{spent / UNIT:.2f} MUSD spent",
        {"contribution": to_hex(sworn.leaf), "listing": listing},
        good=spent == 2 * UNIT,
    )


def forecast(readings: Sequence[float]) -> dict[str, float]:
    """Return the model owner's forecast: the mean of the last three."""
    last = readings[-3:]
    return {"next": round(sum(last) / len(last), 3)}


def _called(told: Telling) -> Iterator[Step]:
    """Call the model over HTTP and pay per call; the same payment again buys nothing new."""
    body = json.dumps(DATA).encode()
    calls = call_and_pay(
        told.bazaar, SHOPPER, MODEL_OWNER, UNIT // 2, lambda data: forecast(data["readings"]), body
    )
    yield Step(
        "call",
        f"a model called over HTTP for 0.50 MUSD (x402): {calls.answer}; the same payment sent "
        f"{calls.repeats} times more: {calls.transactions} transaction, {calls.paid / UNIT:.2f} "
        f"MUSD paid; one without a sworn statement: {calls.unsworn}",
        {"paid": str(calls.paid), "statement": to_hex(calls.statement)},
        good=calls.paid == UNIT // 2 and calls.transactions == 1 and "402" in calls.unsworn,
    )


def _approved(told: Telling) -> Iterator[Step]:
    """Let a model decide only after two of three members have approved it, and a delay."""
    house, bazaar, model = told.house, told.bazaar, Spender()
    mandate = house.grant(
        f"approved {told.run}",
        principal=house.key(BUYER),
        agent=house.key(SHOPPER),
        rules=[Rule(bazaar.money, TRANSFER, amount_word=1, cap=UNIT)],
        buckets=[Bucket(10 * UNIT, 86_400)],
        approvals=bazaar.approvals,
    )
    bazaar.fund(mandate, UNIT)
    told_to = {"to": to_hex(house.key(MODEL_OWNER).address), "token": to_hex(bazaar.money)}
    seen = [Input.of(told_to, source="invoice")]
    agent, new = house.agent(SHOPPER), not bazaar.is_approved(model.digest)
    if new:
        before = agent.act(f"unapproved/{told.run}", mandate, model, seen)
        bazaar.approve(model.digest, MEMBERS[:2])
        time.sleep(2)
    after = agent.act(f"approved/{told.run}", mandate, model, seen)
    refused = before.refused if new else "ModelNotApproved"
    yield Step(
        "approve",
        f"a model that nobody approved: {refused}; after two of three members and a delay: "
        + ("executed" if after.execution else f"refused ({after.refused})"),
        {"model": to_hex(model.digest)},
        good=refused == "ModelNotApproved" and after.execution is not None,
    )


def _ring(told: Telling, ids: dict[str, int]) -> Iterator[Step]:
    """Let a ring praise an impostor; its praise is counted nowhere."""
    house, registry = told.house, told.bazaar.registry
    impostor, honest = ids["impostor"], ids[DATA_OWNER]
    for number in range(SYBILS):
        registry.rate(house.key(f"sybil-{number}"), impostor, 100)
    seen, praised = registry.plain(impostor)
    counted, _ = registry.earned(impostor)
    earned, points = registry.earned(honest)
    yield Step(
        "ring",
        f"{SYBILS} accounts praise an impostor: {praised} of 100 from {seen} by the plain average; "
        f"of settled jobs it has {counted}, the data owner {points} from {earned}",
        {"plain": praised, "earned": points},
        good=praised == 100 and counted == 0 and earned >= 1,
    )
