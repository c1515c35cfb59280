"""What is looked at, and what is seen: statements, decisions, and findings about somebody."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from affiant.kernel.action import BoundAction
from affiant.kernel.alert import Finding
from affiant.kernel.body import Body
from affiant.kernel.mandate import EACH, NATIVE, Rule, Terms
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Sworn:
    """A logged statement with its body, both verified."""

    index: int
    statement: Statement
    body: Body
    time: int
    """Seconds: never before an earlier entry's, so that nobody hides by dating back."""


@dataclass(frozen=True)
class Seen:
    """An observation that a decision rests on: its source, and who swore to it."""

    leaf: bytes
    subject: bytes
    source: str
    by: str


@dataclass(frozen=True)
class Decided:
    """A decision of a mandate's own agent, as detectors look at it."""

    agent: str
    leaf: bytes
    time: int
    iat: int
    """When the agent says that it swore, by its own clock."""
    bound: BoundAction
    inputs: tuple[Seen, ...]
    amount: int
    """In units of the word that its rule meters; 0 if no rule allows the call."""
    accounts: tuple[bytes, ...]
    """The arguments that are accounts, but the mandate itself."""
    principal: bytes = b""
    whole: bool = True
    """Whether `inputs` are all that it rests on: none was damaged."""

    @property
    def past(self) -> tuple[str, bytes]:
        """Whose past it is judged by: an agent's, as far as it works for one principal."""
        return self.agent, self.principal

    @property
    def counterparty(self) -> bytes | None:
        """Whom it deals with: all its accounts together."""
        return b"".join(self.accounts) or None

    @property
    def function(self) -> bytes:
        """What is called: target and selector."""
        return self.bound.action.target + self.bound.action.data[:4]


@dataclass(frozen=True)
class Sighting:
    """A finding about somebody: an agent (did:key), an account (0x…), or a log (its origin)."""

    suspect: str
    finding: Finding
    time: int
    grounds: tuple[Finding, ...] = ()
    """What justified a suspension at that moment, this finding included; or nothing."""


def short(text: str) -> str:
    """Return text for a reason: what somebody else wrote must not make an alert too long."""
    return f"{text:.300}"


def chance_text(chance: float) -> str:
    """Return a likelihood as decimal text, to two digits."""
    return format(Decimal(f"{max(chance, 1e-12):.1e}").normalize(), "f")


def measure(bound: BoundAction, terms: Terms) -> tuple[int, tuple[bytes, ...]]:
    """Return the metered amount of an action, and the accounts that it deals with."""
    action = bound.action
    words = [action.data[i : i + 32] for i in range(4, len(action.data) - 31, 32)]
    rule = _rule(bound, terms)
    metered = None if rule is None else rule.amount_word
    amount = 0
    if metered == NATIVE:
        amount = action.value
    elif metered == EACH:
        amount = 1
    elif metered is not None and metered < len(words):
        amount = int.from_bytes(words[metered])
    accounts = [w[12:] for n, w in enumerate(words) if n != metered and _is_account(w)]
    return amount, tuple(account for account in accounts if account != bound.mandate)


def _rule(bound: BoundAction, terms: Terms) -> Rule | None:
    called = (bound.action.target, bound.action.data[:4])
    return next((rule for rule in terms.rules if (rule.target, rule.selector) == called), None)


def _is_account(word: bytes) -> bool:
    # An account is 160 bits. Numbers below 2^96 are taken for amounts: an account that small cannot
    # be made on purpose, it takes 2^64 tries.
    return 1 << 96 <= int.from_bytes(word) < 1 << 160
