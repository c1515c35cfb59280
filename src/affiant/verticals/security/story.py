"""The story: ten clerks pay invoices, one is hijacked three times, and one is suspected wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel.encoding import keccak256, to_hex, word
from affiant.kernel.house import Act, House, Step
from affiant.kernel.mandate import Bucket
from affiant.kernel.model import Call, Model
from affiant.kernel.token import SettlementToken, units
from affiant.verticals.security.appeal import CURED, WRONG, appeal
from affiant.verticals.security.invoices import Hijacked, PayInvoice, invoice
from affiant.verticals.security.watch import Event, Watch

CLERKS = 10
FIRM, DESK, SENTINEL = "firm", "orders desk", "sentinel"
HIJACKED, SUSPECTED = 7, 3
CAP, DAILY = 500, 100_000
USED_TO = 20
"""Payments after which a clerk's habits say something; the other clerks make fewer here."""
FEW = 3
DAY = 86_400


@dataclass
class Office:
    """The clerks with their mandates, the money, the watch over them, and a count of jobs."""

    house: House
    money: SettlementToken
    clerks: list[str]
    mandates: list[bytes]
    watch: Watch
    run: str
    jobs: int = 0

    def account(self, name: str) -> bytes:
        """Return somebody's account."""
        return self.house.key(name).address

    def pay(
        self,
        clerk: int,
        to: str,
        amount: int,
        *,
        sworn_by: str = DESK,
        model: Model | None = None,
        careful: bool = True,
    ) -> Act:
        """Let a clerk, or whoever holds its key, pay an invoice."""
        self.jobs += 1
        number = f"{self.run}-{self.jobs}"
        due = invoice(self.money, number, self.account(to), amount)
        seen = self.house.affiant(sworn_by).observe(f"invoice/{number}", due)
        agent = self.house.agent(self.clerks[clerk], careful=careful)
        return agent.act(f"pay/{number}", self.mandates[clerk], model or PayInvoice(), [seen])

    def suspended(self, clerk: int) -> bool:
        """Tell whether a clerk is kept still now."""
        state = self.house.ledger.state(self.mandates[clerk])
        return state.suspended_until > self.house.clock.now()


def story(house: House) -> Iterator[Step]:
    """Tell the story; told again in the same house, it goes on from there with new invoices."""
    office = _open(house)
    yield Step(
        "grant",
        f"{CLERKS} clerks may pay at most {CAP} SETL at once; the sentinel may keep any of them "
        "still for a day in seven, on alerts that it has sworn",
        {"mandates": [to_hex(mandate) for mandate in office.mandates]},
    )
    yield from _work(office)
    yield from _attack(office, "a slow drip under the limits")
    yield from _attack(office, "a mimic of its usual work")
    yield from _attack(office, "a brute attempt")
    yield from _revoke(office)
    yield from _false_alarm(office)
    yield from _others(office)


def _open(house: House) -> Office:
    firm, guardian = house.key(FIRM), house.key(SENTINEL)
    money = SettlementToken.deploy(house, firm)
    run = to_hex(keccak256(str(house.log.size()).encode()))[2:10]
    clerks = [f"clerk-{number}" for number in range(CLERKS)]
    for number in (HIJACKED, SUSPECTED):  # what happens to them happens once
        clerks[number] += f"-{run}"
    mandates = []
    for clerk in clerks:
        mandate = house.grant(
            clerk,
            principal=firm,
            agent=house.key(clerk),
            rules=[money.rule(None, CAP)],
            buckets=[Bucket(units(DAILY), DAY)],
            guardian=guardian,
        )
        money.fund(house, firm, mandate, 20_000)
        mandates.append(mandate)
    return Office(house, money, clerks, mandates, Watch(house, guardian=SENTINEL), run)


def _work(office: Office) -> Iterator[Step]:
    total = FEW * (CLERKS - 2) + 2 * USED_TO
    done, refused, sightings = 0, 0, list[Event]()
    for clerk in range(CLERKS):
        for turn in range(USED_TO if clerk in (HIJACKED, SUSPECTED) else FEW):
            act = office.pay(clerk, f"landlord of {clerk}", 100 + 7 * turn % 50)
            done, refused = done + 1, refused + (act.refused is not None)
            if done % 20 == 0:
                text = f"{done} of {total} invoices paid"
                yield Step("work", text, progress=(done, total))
        sightings += office.watch.step()
    told = [event for event in sightings if event.name in ("suspended", "blind")]
    text = f"{done} invoices paid, {len(told)} suspensions"
    yield Step("calm", text, {"paid": done}, good=not told and not refused)


def _attack(office: Office, kind: str) -> Iterator[Step]:
    """Let the hijacker act until the chain refuses, with the watch looking after every act."""
    harmful, events = list[Act](), list[Event]()
    for _ in range(5):
        act = _harm(office, kind)
        harmful.append(act)
        events += office.watch.step()
        if act.refused == "AgentSuspended":
            break
    done = sum(act.execution is not None for act in harmful)
    seen = [event for event in events if event.name == "sighting"]
    answer = next((event for event in events if event.name == "suspended"), None)
    why = sorted({f"{e.facts['threat']} {e.facts['detector']}" for e in seen})
    yield Step(
        "attack",
        f"{kind}: {done} harmful executed, then suspended ({'; '.join(why)})",
        {
            "attack": kind,
            "executed": done,
            "why": why,
            "decision": to_hex(harmful[0].decision.leaf),
        },
        good=answer is not None and done <= (0 if "brute" in kind else 1),
    )
    if answer is not None and "brute" not in kind:
        leaf = bytes.fromhex(answer.facts["alert"][2:])
        appeal(office.house, FIRM, leaf, "its machine was installed anew", verdict=CURED)
        office.watch.step()
        yield Step("lifted", "the firm believes that its machine is clean again, and lifts it")


def _harm(office: Office, kind: str) -> Act:
    thief, usual = office.account("thief"), 110
    if "drip" in kind:
        model = Hijacked(call=office.money.transfer(thief, 2))
        return office.pay(HIJACKED, f"landlord of {HIJACKED}", usual, model=model, careful=False)
    if "mimic" in kind:
        forger = office.clerks[HIJACKED]
        return office.pay(HIJACKED, "a shell firm", usual, sworn_by=forger, careful=False)
    approve = keccak256(b"approve(address,uint256)")[:4] + word(thief) + word(2**256 - 1)
    grab = Hijacked(call=Call(office.money.address, approve))
    return office.pay(HIJACKED, "thief", usual, model=grab, careful=False)


def _revoke(office: Office) -> Iterator[Step]:
    house, mandate = office.house, office.mandates[HIJACKED]
    house.ledger.revoke(mandate, house.key(FIRM))
    text = f"the firm revokes the mandate of {office.clerks[HIJACKED]}"
    yield Step("revoked", text, good=house.ledger.state(mandate).revoked)


def _false_alarm(office: Office) -> Iterator[Step]:
    """An honest clerk pays somebody new, on its own word: that looks like a forged invoice."""
    name = office.clerks[SUSPECTED]
    act = office.pay(SUSPECTED, "a plumber", 450, sworn_by=name)
    answer = next((e for e in office.watch.step() if e.name == "suspended"), None)
    yield Step(
        "false alarm",
        f"{name} pays a plumber while the desk's key is renewed: suspended",
        {"decision": to_hex(act.decision.leaf)},
        good=answer is not None and office.suspended(SUSPECTED),
    )
    if answer is None:
        return
    leaf = bytes.fromhex(answer.facts["alert"][2:])
    appeal(office.house, FIRM, leaf, "a pipe had burst; the bill is right", verdict=WRONG)
    events = office.watch.step()
    again = office.pay(SUSPECTED, "a plumber", 80)
    events += office.watch.step()
    good = again.execution is not None and not any(e.name == "sighting" for e in events)
    text = "the firm appeals, the suspension is lifted, and the plumber is no news any more"
    yield Step("appeal", text, {"alert": answer.facts["alert"]}, good=good)


def _others(office: Office) -> Iterator[Step]:
    others = [c for c in range(CLERKS) if c not in (HIJACKED, SUSPECTED)]
    stays = [s for c in others for s in office.house.ledger.suspensions(office.mandates[c])]
    acts: Sequence[Act] = [office.pay(clerk, f"landlord of {clerk}", 99) for clerk in others]
    paid = sum(act.execution is not None for act in acts)
    text = f"the other {len(others)} clerks were left alone: {len(stays)} suspensions, all work on"
    facts: dict[str, Any] = {"suspensions": len(stays), "paid": paid}
    yield Step("others", text, facts, good=not stays and paid == len(others))
