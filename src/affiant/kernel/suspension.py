"""The suspension: a guardian keeps an agent still for a while; the same rules as Mandate.sol.

Specified in specs/suspension.md. `suspend` decides over a suspension as the contract would and
returns the state after it; each refusal carries the name of the contract's custom error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from affiant.kernel.action import domain_separator
from affiant.kernel.encoding import from_hex, keccak256, to_hex, word
from affiant.kernel.errors import MalformedError, MandateRefused
from affiant.kernel.mandate import State, Terms, Watch, check_timely, fill, remaining

SUSPENSION_TYPE = b"Suspension(uint32 number,uint40 until)"


@dataclass(frozen=True)
class Suspension:
    """A stay of a mandate: which, and the first second in which the agent may act again."""

    number: int
    until: int

    def __post_init__(self) -> None:
        for name, bits in (("number", 32), ("until", 40)):
            value = getattr(self, name)
            if not (type(value) is int and 0 <= value < 1 << bits):
                raise MalformedError("bad-suspension", f"{name} {value!r} is not a uint{bits}")


@dataclass(frozen=True)
class BoundSuspension:
    """A suspension bound to a chain and a mandate: what an alert that demands it is about."""

    chain_id: int
    mandate: bytes
    suspension: Suspension

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest: the alert's subject."""
        told = self.suspension
        struct = keccak256(keccak256(SUSPENSION_TYPE) + word(told.number) + word(told.until))
        separator = domain_separator(self.chain_id, self.mandate)
        return keccak256(b"\x19\x01" + separator + struct)

    def to_json(self) -> dict[str, Any]:
        """Return the form in which alerts hold a suspension."""
        return {
            "chainId": str(self.chain_id),
            "mandate": to_hex(self.mandate),
            "number": self.suspension.number,
            "until": self.suspension.until,
        }

    @classmethod
    def from_json(cls, value: object) -> BoundSuspension:
        """Read the form in which alerts hold a suspension.

        Raises:
            MalformedError: `bad-suspension`, `not-hex` or `wrong-length`.
        """
        names = {"chainId", "mandate", "number", "until"}
        if not isinstance(value, dict) or set(value) != names:
            told = f"{value!r:.120} does not hold exactly {', '.join(sorted(names))}"
            raise MalformedError("bad-suspension", told)
        chain = value["chainId"]
        # A uint256 has at most 78 digits; more are not worth counting.
        plain = isinstance(chain, str) and chain.isascii() and chain.isdigit() and len(chain) <= 78
        if not plain or str(int(chain)) != chain or int(chain) >= 1 << 256:
            raise MalformedError("bad-suspension", f"chainId {chain!r:.90} is not a uint256")
        suspension = Suspension(value["number"], value["until"])
        return cls(int(chain), from_hex(value["mandate"], 20), suspension)


def suspend(
    terms: Terms, state: State, suspension: Suspension, *, now: int, iat: int | None = None
) -> State:
    """Decide whether a suspension may begin at `now`; return the state after it.

    `iat` is when the alert was sworn; without it, `now`. Signature and proof are the contract's to
    check.

    Raises:
        MandateRefused: `rule` names the contract's error.
    """
    guardian, watch = terms.guardian, state.watch
    if guardian is None:
        raise MandateRefused("NoGuardian", "the terms name no guardian")
    if state.revoked:
        raise MandateRefused("Revoked", "the principal has revoked this mandate")
    if suspension.number != watch.number:
        told = f"the next suspension is {watch.number}, not {suspension.number}"
        raise MandateRefused("WrongSuspension", told)
    if now < watch.silent_until:
        raise MandateRefused("GuardianSilenced", f"until {watch.silent_until}, it is {now}")
    check_timely(suspension.until, now if iat is None else iat, guardian.bucket.capacity, now)
    begins = max(now, state.suspended_until)
    if suspension.until <= begins:
        told = f"it ends at {suspension.until}, not after {begins}"
        raise MandateRefused("SuspendsNothing", told)
    level = fill(guardian.bucket, watch.level, suspension.until - begins, now)
    after = Watch(watch.number + 1, watch.silent_until, level)
    return replace(state, suspended_until=suspension.until, watch=after)


def resume(state: State, silent_until: int) -> State:
    """Return the state after its principal has ended a suspension, or silenced the guardian."""
    watch = replace(state.watch, number=state.watch.number + 1, silent_until=silent_until)
    return replace(state, suspended_until=0, watch=watch)


def longest(terms: Terms, state: State, now: int) -> int:
    """Return how many seconds the guardian may add now; 0 if it may not suspend at all."""
    guardian, watch = terms.guardian, state.watch
    if guardian is None or state.revoked or now < watch.silent_until:
        return 0
    return remaining(guardian.bucket, watch.level, now)
