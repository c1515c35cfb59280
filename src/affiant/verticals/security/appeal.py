"""The appeal: a principal says under oath that an alert was wrong, and lifts the suspension."""

from __future__ import annotations

from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.body import Kind
from affiant.kernel.encoding import from_hex, jcs_decode, to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.house import House
from affiant.kernel.ports import LogView
from affiant.kernel.statement import Statement

APPEAL = "affiant/appeal/v1"
WRONG, CURED = "wrong", "cured"
"""The alert was wrong, so what was done is right; or it was right, and its cause is gone."""
KINDS = {
    APPEAL: Kind(APPEAL, {"alert": bodies.digest, "verdict": bodies.text, "reason": bodies.text})
}
"""Subject: the alert's leaf. It counts if the suspended mandate's principal swore it."""


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

    The guardian stays silent for `silence` seconds. Lifting again what is lifted changes nothing.

    Raises:
        InputError: there is no such alert, or the key is not the mandate's principal's.
    """
    said, principal = alert_of(house.log, leaf), house.affiant(name)
    stay = said["suspension"]
    if stay is None:
        raise InputError(f"alert {to_hex(leaf)} suspends nobody", "There is nothing to lift")
    mandate = from_hex(stay["mandate"], 20)
    terms = house.ledger.terms(mandate)
    if terms.principal != principal.key.address:
        raise InputError(
            f"{name!r} is not the principal of mandate {stay['mandate']}",
            "Let its principal appeal; nobody else can",
        )
    content = {"alert": to_hex(leaf), "verdict": verdict, "reason": reason}
    told = principal.swear(f"appeal/{leaf.hex()}", APPEAL, leaf, content)
    state, now = house.ledger.state(mandate), house.clock.now()
    if state.suspended_until > now or silence:
        silent_until = now + silence if silence else 0
        house.ledger.resume(mandate, silent_until, principal.key)
    return told


def alert_of(log: LogView, leaf: bytes) -> dict[str, Any]:
    """Return the content of a logged alert.

    Raises:
        InputError: there is none with that leaf.
    """
    index = log.index_of(leaf)
    told = None if index is None else statement.decode(log.entry(index)).unverified
    body = None if told is None or told.kind != bodies.ALERT else log.body(told.body)
    if body is None:
        raise InputError(
            f"{to_hex(leaf)} is no alert in this log",
            "Name an alert's leaf, as `affiant security watch` prints it",
        )
    content: dict[str, Any] = jcs_decode(body)["content"]
    return content
