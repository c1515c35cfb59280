"""The appeal: a principal's sworn verdict on an alert, which lifts the suspension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.alert import account_of, statements_of
from affiant.kernel.body import Kind
from affiant.kernel.encoding import jcs_decode, to_hex
from affiant.kernel.errors import InputError, MalformedError, MandateUnknown
from affiant.kernel.house import House
from affiant.kernel.mandate import Terms
from affiant.kernel.ports import Ledger, LogView
from affiant.kernel.statement import Statement
from affiant.kernel.suspension import BoundSuspension

APPEAL = "affiant/appeal/v1"
WRONG, CURED = "wrong", "cured"
"""The alert was wrong, so what was done is right; or it was right, and its cause is gone."""


def _verdict(value: object) -> object:
    if value not in (WRONG, CURED):
        raise MalformedError("bad-content", f"{value!r:.40} is neither {WRONG} nor {CURED}")
    return value


KINDS = {APPEAL: Kind(APPEAL, {"alert": bodies.digest, "verdict": _verdict, "reason": bodies.text})}
"""Subject: the alert's leaf. It counts if the suspended mandate's principal swore it."""


@dataclass(frozen=True)
class Charge:
    """An alert that suspends: what it demands, of whose mandate, and on which statements."""

    bound: BoundSuspension
    terms: Terms
    evidence: list[bytes]


def appeal(
    house: House,
    name: str,
    leaf: bytes,
    reason: str,
    *,
    verdict: str = WRONG,
    silence: int = 0,
) -> Statement:
    """Swear a verdict on an alert with the principal's key of that name, and lift the suspension.

    An alert that was not carried yet is void afterwards. A later alert's suspension stays. The
    guardian is silent for `silence` seconds.

    Raises:
        InputError: there is no such alert, or the key is not the mandate's principal's.
    """
    charge = charge_of(house.log, house.ledger, leaf)
    if not house.knows(name):
        raise InputError(f"this home holds no key named {name!r}", "Name the principal's key")
    principal = house.affiant(name)
    mandate, number = charge.bound.mandate, charge.bound.suspension.number
    if charge.terms.principal != principal.key.address:
        raise InputError(
            f"{name!r} is not the principal of mandate {to_hex(mandate)}",
            "Let its principal appeal; nobody else can",
        )
    now = house.clock.now()
    silent_until = now + silence if silence else 0
    if not 0 <= silence < 1 << 40 or silent_until >= 1 << 40:
        raise InputError(f"a silence of {silence} s cannot be told to the chain", "Give less")
    content = {"alert": to_hex(leaf), "verdict": verdict, "reason": reason}
    told = principal.swear(f"appeal/{leaf.hex()}", APPEAL, leaf, content)
    state = house.ledger.state(mandate)
    held = state.suspended_until > now
    # The number is the alert's own before it is carried, and one more while it is the last one.
    pending, last = state.watch.number == number, state.watch.number == number + 1
    if pending or (held and last) or (silence and not held):
        house.ledger.resume(mandate, silent_until, principal.key)
    return told


def charge_of(log: LogView, ledger: Ledger, leaf: bytes) -> Charge:
    """Return what an alert demands, if its mandate's guardian swore it about its agent.

    Raises:
        InputError: it is no such alert.
        LedgerError: the chain does not answer.
    """
    told, said = _alert(log, leaf)
    if said["suspension"] is None:
        raise InputError(f"{to_hex(leaf)} suspends nobody", "There is nothing to lift")
    bound = BoundSuspension.from_json(said["suspension"])
    try:
        terms = ledger.terms(bound.mandate)
    except MandateUnknown as error:
        raise InputError(error.message, error.remedy) from error
    guardian = terms.guardian
    ours = guardian is not None and told.issuer.kid == guardian.account
    if not ours or account_of(said["suspect"]) != terms.agent:
        raise InputError(
            f"{to_hex(leaf)} is not by the guardian of mandate {to_hex(bound.mandate)}, "
            "or not about its agent",
            "There is nothing to lift: the contract takes no such alert",
        )
    return Charge(bound, terms, statements_of(said))


def _alert(log: LogView, leaf: bytes) -> tuple[Statement, dict[str, Any]]:
    index = log.index_of(leaf)
    told = None if index is None else statement.decode(log.entry(index)).verify()
    body = None if told is None or told.kind != bodies.ALERT else log.body(told.body)
    if told is None or body is None:
        raise InputError(
            f"{to_hex(leaf)} is no alert in this log",
            "Name an alert's leaf, as `affiant security watch` prints it",
        )
    return told, jcs_decode(body)["content"]
