"""Three forgeries on copies of a house's log, each caught and named by the audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from affiant.apps.house import RealHouse
from affiant.apps.wiring import kinds
from affiant.audit.collect import collect
from affiant.audit.walk import audit
from affiant.chain import artifacts
from affiant.kernel import body as bodies
from affiant.kernel import merkle, statement
from affiant.kernel.body import Body
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import CallReverted, RegistrationRefused
from affiant.kernel.house import Step
from affiant.kernel.ports import LogView
from affiant.log.reader import LogReader
from affiant.log.sequencer import Sequencer
from affiant.log.storage import Storage


def tampering(house: RealHouse) -> Iterator[Step]:
    """Forge copies of the log; the house's own log is not touched."""
    house.log.head()
    index = _last_executed(house)
    if index is None:
        yield Step("forgery", "nothing was executed, so there is nothing to forge")
        return
    flipped = _edited(house, _flip(index))
    yield _caught(house, "a byte changed in the log", flipped, "statement.signature")
    swapped = _edited(house, _swap(house, index))
    yield _caught(house, "a body swapped for another", swapped, "statement.body")
    forked = _forked(house, index)
    yield _caught(house, "a history forked, a decision left out", forked, "log.anchored")
    yield _fork_on_chain(house, forked)


def _last_executed(house: RealHouse) -> int | None:
    for index in reversed(range(house.log.head().size)):
        told = statement.decode(house.log.entry(index)).unverified
        executed = told.kind == bodies.DECISION and house.ledger.executions(
            _mandate(house, index), told.leaf
        )
        if executed:
            return index
    return None


def _mandate(house: RealHouse, index: int) -> bytes:
    told = statement.decode(house.log.entry(index)).unverified
    body = bodies.decode(house.log.body(told.body) or b"", kinds())
    return bytes.fromhex(body.content["mandate"][2:])


def _edited(house: RealHouse, edit: Callable[[sqlite3.Connection], None]) -> LogReader:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    house.copy_log(copy)
    edit(copy)
    return LogReader.open(Storage(copy))


def _flip(index: int) -> Callable[[sqlite3.Connection], None]:
    def edit(copy: sqlite3.Connection) -> None:
        (entry,) = copy.execute("SELECT entry FROM entries WHERE idx = ?", (index,)).fetchone()
        changed = bytearray(entry)
        changed[-100] ^= 1  # inside the payload: another body digest
        copy.execute("UPDATE entries SET entry = ? WHERE idx = ?", (bytes(changed), index))

    return edit


def _swap(house: RealHouse, index: int) -> Callable[[sqlite3.Connection], None]:
    told = statement.decode(house.log.entry(index)).unverified

    def edit(copy: sqlite3.Connection) -> None:
        (body,) = copy.execute("SELECT body FROM bodies WHERE digest = ?", (told.body,)).fetchone()
        swapped = bytes(body).replace(b'"reason":"', b'"reason":"not ', 1)
        copy.execute("UPDATE bodies SET body = ? WHERE digest = ?", (swapped, told.body))

    return edit


def _forked(house: RealHouse, left_out: int) -> Sequencer:
    """Write another history with the log's own keys: what an operator could do."""
    fork = Sequencer(
        Storage(sqlite3.connect(":memory:", isolation_level=None)),
        house.log.policy,
        house.keys.ledger("log"),
        house.keys.ed25519("log"),
        kinds(),
        house.clock,
    )
    for index in range(house.log.head().size):
        entry = house.log.entry(index)
        if index == left_out:
            continue
        body = house.log.body(statement.decode(entry).unverified.body)
        try:
            fork.put_body(body or b"")
            fork.register(entry)
        except RegistrationRefused:
            continue  # it rests on what was left out
    number = 0
    while fork.head().size < house.log.head().size:
        _pad(house, fork, number)
        number += 1
    return fork


def _pad(house: RealHouse, fork: Sequencer, number: int) -> None:
    now, signer = house.clock.now(), house.keys.ledger("log")
    content = {"did": signer.public.did, "purpose": "padding", "effective": number}
    body = Body(bodies.KEY, bodies.moment(now), bytes(bodies.SALT_LENGTH), content)
    fork.put_body(body.encoded)
    padded = statement.sign(bodies.KEY, signer.public.digest, body.digest, signer, now)
    fork.register(padded.entry)


def _caught(house: RealHouse, title: str, forged: LogView, expected: str) -> Step:
    """Audit a forged log; good if the check that must fail is among the findings."""
    evidence, log_id = collect(forged, house.ledger, house.archive), house.log.policy.log_id
    report = audit(evidence, kinds(), ledger=house.ledger.name, log_id=log_id)
    findings = report.findings()
    named = [finding for finding in findings if finding.name == expected]
    facts = {"forgery": title, "findings": [finding.to_json() for finding in findings]}
    if not named:
        told = ", ".join(finding.name for finding in findings) or "nothing"
        return Step("forgery", f"{title}: NOT CAUGHT ({told})", facts, good=False)
    of = f" of statement {to_hex(named[0].statement)}" if named[0].statement else ""
    text = f"{title}: caught, {expected}{of}\n    {named[0].detail}"
    return Step("forgery", text, facts, good=True)


def _fork_on_chain(house: RealHouse, forked: Sequencer) -> Step:
    title, rule = "the forked history taken to the chain", ""
    policy, head = forked.policy, forked.head()
    size = head.size - 1
    try:
        house.send(
            house.key("operator"),
            house.ledger.anchor_address,
            artifacts.load("LogAnchor"),
            "anchor",
            (policy.origin_hash, policy.signer, list(policy.witnesses), policy.threshold),
            (1, size, [forked.node(*place) for place in merkle.peak_places(0, size)]),
            [forked.node(*place) for place in merkle.peak_places(size, head.size)],
            head.size,
            [head.signature],
        )
    except CallReverted as error:
        rule = error.error
    text = f"{title}: refused by the contract ({rule})" if rule else f"{title}: NOT REFUSED"
    return Step("forgery", text, {"forgery": title, "rule": rule or None}, good=rule == "WrongHead")
