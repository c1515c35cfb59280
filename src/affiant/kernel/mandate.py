"""The mandate: what a principal allows an agent to do; the same rules as Mandate.sol.

Specified in specs/mandate.md. `check` decides over an action as the contract would and returns the
state after it; each refusal carries the name of the contract's custom error. A differential test
holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from affiant.kernel.action import ANYONE, Action
from affiant.kernel.encoding import from_hex, jcs_encode, to_hex
from affiant.kernel.errors import InputError, MalformedError, MandateRefused

NATIVE = 255
"""`amount_word` of a rule that meters the action's value in wei."""
EACH = 254
"""`amount_word` of a rule that counts one for each action."""
CLOCK_DRIFT = 60
"""Seconds by which an agent's clock may run ahead of the chain's."""


@dataclass(frozen=True)
class Pin:
    """The argument word `word` (from 0, after the selector) must be one of `allowed`."""

    word: int
    allowed: tuple[bytes, ...]


@dataclass(frozen=True)
class Rule:
    """One allowed call. `cap` bounds one action, in units of the metered word."""

    target: bytes
    selector: bytes
    amount_word: int
    cap: int
    bucket: int = 0
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True)
class Bucket:
    """A bound on the metered sum: over any `window` seconds it stays at or below `limit`.

    Half of the limit is the bucket's capacity and half leaks in one window, so a burst and the
    refill together reach the limit and no more. A single action is bounded by the capacity.
    """

    limit: int
    window: int

    @property
    def capacity(self) -> int:
        """The most that can go out at once."""
        return self.limit // 2


@dataclass(frozen=True)
class Guardian:
    """Who may suspend the agent: no `window` of seconds sees more than `limit` seconds of it."""

    account: bytes
    limit: int
    window: int
    header: bytes
    """An alert's protected header but its last four bytes, `iat`."""

    @property
    def bucket(self) -> Bucket:
        """What meters the seconds; one suspension lasts at most its capacity."""
        return Bucket(self.limit, self.window)


@dataclass(frozen=True)
class Terms:
    """What a principal grants. Addresses have 20 bytes; times are seconds since 1970."""

    principal: bytes
    agent: bytes
    anchor: bytes
    log_id: bytes
    valid_from: int
    valid_until: int
    longest_life: int
    """The most seconds between a decision's `iat` and its deadline."""
    header: bytes
    """A decision's protected header but its last four bytes, `iat`."""
    buckets: tuple[Bucket, ...]
    rules: tuple[Rule, ...]
    guardian: Guardian | None = None
    guard: bytes | None = None
    """The contract that judges every action as a whole, after the rules; the chain asks it."""
    approvals: bytes | None = None
    """The contract that says whether the model that decided is approved; the chain asks it."""
    extensions: bytes = b""
    """Room for later terms; version 1 knows none and refuses any."""

    def to_json(self) -> dict[str, Any]:
        """Return the form in which bundles and commands show terms."""
        return {
            "principal": to_hex(self.principal),
            "agent": to_hex(self.agent),
            "anchor": to_hex(self.anchor),
            "logId": to_hex(self.log_id),
            "validFrom": str(self.valid_from),
            "validUntil": str(self.valid_until),
            "longestLife": self.longest_life,
            "header": to_hex(self.header),
            "guardian": _guardian_to_json(self.guardian),
            "guard": _optional_to_json(self.guard),
            "approvals": _optional_to_json(self.approvals),
            "buckets": [{"limit": str(b.limit), "window": b.window} for b in self.buckets],
            "rules": [
                {
                    "target": to_hex(rule.target),
                    "selector": to_hex(rule.selector),
                    "amountWord": rule.amount_word,
                    "cap": str(rule.cap),
                    "bucket": rule.bucket,
                    "pins": [
                        {"word": pin.word, "allowed": [to_hex(value) for value in pin.allowed]}
                        for pin in rule.pins
                    ],
                }
                for rule in self.rules
            ],
            "extensions": to_hex(self.extensions),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Terms:
        """Read the form in which bundles hold terms.

        Raises:
            MalformedError: `bad-terms`, or a rule of the encoding.
        """
        try:
            terms = cls(
                principal=from_hex(value["principal"], 20),
                agent=from_hex(value["agent"], 20),
                anchor=from_hex(value["anchor"], 20),
                log_id=from_hex(value["logId"], 32),
                valid_from=int(value["validFrom"]),
                valid_until=int(value["validUntil"]),
                longest_life=int(value["longestLife"]),
                header=from_hex(value["header"]),
                buckets=tuple(Bucket(int(b["limit"]), int(b["window"])) for b in value["buckets"]),
                rules=tuple(_rule_from_json(rule) for rule in value["rules"]),
                guardian=_guardian_from_json(value["guardian"]),
                guard=_optional_from_json(value["guard"]),
                approvals=_optional_from_json(value["approvals"]),
                extensions=from_hex(value["extensions"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedError("bad-terms", f"no terms: {error!r}") from error
        if jcs_encode(terms.to_json()) != jcs_encode(value):
            raise MalformedError("bad-terms", "the terms are not in their one form")
        watch = terms.guardian
        if watch is not None and not (2 <= watch.limit < watch.window < 1 << 32):
            raise MalformedError("bad-terms", "a guardian that is bound to nothing")
        if any(bucket.window < 1 or bucket.limit < 2 for bucket in terms.buckets):
            raise MalformedError("bad-terms", "a bucket bounds nothing")
        if any(not 0 <= rule.bucket < len(terms.buckets) for rule in terms.rules):
            raise MalformedError("bad-terms", "a rule names a bucket that is not there")
        return terms

    def check_usable(self) -> None:
        """Refuse terms that the contract would take but that cannot mean what they say.

        Raises:
            InputError: a rule without its bucket, or with a cap that its bucket never lets out; a
                guardian that may suspend for no time, or for ever.
        """
        if self.extensions:
            raise InputError("the terms have extensions", "Leave them out: version 1 knows none")
        for name, asked in (("guard", self.guard), ("approvals", self.approvals)):
            if asked is not None and (len(asked) != len(ANYONE) or asked == ANYONE):
                told = f"0x{asked.hex()} cannot be the {name}"
                raise InputError(told, "Give a contract's address, or None")
        watch = self.guardian
        if watch is not None and not (2 <= watch.limit < watch.window < 1 << 32):
            told = f"the guardian may suspend {watch.limit} s in any {watch.window} s"
            raise InputError(told, "Give a limit from 2 s on, below the window")
        for number, bucket in enumerate(self.buckets):
            # One half of the limit is the capacity; the sizes are those of the contract's types.
            if not (2 <= bucket.limit < 1 << 96 and 1 <= bucket.window < 1 << 32):
                told = f"bucket {number} has limit {bucket.limit}, window {bucket.window} s"
                raise InputError(told, "Give a limit from 2 to 2^96 - 1, a window from 1 s on")
        for rule in self.rules:
            if rule.bucket >= len(self.buckets):
                raise InputError(f"a rule names bucket {rule.bucket}", "Add that bucket")
            capacity = self.buckets[rule.bucket].capacity
            if rule.cap > capacity:
                raise InputError(
                    f"a rule's cap of {rule.cap} can never be used: "
                    f"its bucket lets at most {capacity} out at once",
                    "Lower the cap, or raise the limit to twice the cap",
                )


@dataclass(frozen=True)
class Level:
    """A bucket's level, in amount x window so that small flows leak exactly, and its time."""

    scaled: int = 0
    at: int = 0


@dataclass(frozen=True)
class Watch:
    """What bounds the guardian: its next suspension's number, its silence, the seconds spent."""

    number: int = 0
    silent_until: int = 0
    level: Level = Level()


@dataclass(frozen=True)
class State:
    """What changes under fixed terms."""

    revoked: bool = False
    epoch: int = 0
    nonce: int = 0
    levels: Mapping[int, Level] = field(default_factory=dict)
    suspended_until: int = 0
    """The first second in which the agent may act."""
    watch: Watch = Watch()


def check(terms: Terms, state: State, action: Action, *, now: int, iat: int | None = None) -> State:
    """Decide whether an action may run at `now`; return the state after it.

    `iat` is when the decision was sworn; without it the sworn-at rules are checked as of `now`.
    Signature, proof, the target's code, the model's approval and the guard's judgement are the
    contract's to check.

    Raises:
        MandateRefused: `rule` names the contract's error.
    """
    _check_live(terms, state, action, now, now if iat is None else iat)
    rule = _rule_for(terms, action)
    amount = _amount(rule, action)
    if amount > rule.cap:
        raise MandateRefused("AboveCap", f"{amount} is above the cap of {rule.cap} per action")
    bucket = terms.buckets[rule.bucket]
    level = fill(bucket, state.levels.get(rule.bucket, Level()), amount, now)
    levels = {**state.levels, rule.bucket: level}
    return replace(state, nonce=state.nonce + 1, levels=levels)


def remaining(bucket: Bucket, level: Level, now: int) -> int:
    """Return how much the bucket lets out at `now`."""
    scaled = max(0, level.scaled - (now - level.at) * bucket.capacity)
    return (bucket.capacity * bucket.window - scaled) // bucket.window


def fill(bucket: Bucket, level: Level, amount: int, now: int) -> Level:
    """Return a bucket's level after `amount` more at `now`.

    Raises:
        MandateRefused: `AboveLimit`.
    """
    scaled = max(0, level.scaled - (now - level.at) * bucket.capacity) + amount * bucket.window
    if scaled > bucket.capacity * bucket.window:
        left = remaining(bucket, level, now)
        told = f"{amount} is above the {left} left of {bucket.limit} per {bucket.window} s"
        raise MandateRefused("AboveLimit", told)
    return Level(scaled, now)


def check_timely(deadline: int, iat: int, longest: int, now: int) -> None:
    """Refuse an oath that is not of today: it may be neither predated for later nor hoarded.

    Raises:
        MandateRefused: `SwornInFuture` or `LivesTooLong`.
    """
    if iat > now + CLOCK_DRIFT:
        raise MandateRefused("SwornInFuture", f"sworn at {iat}, it is {now}")
    if deadline > iat + longest:
        raise MandateRefused("LivesTooLong", f"{deadline - iat} s is above {longest} s")


def _optional_to_json(account: bytes | None) -> str | None:
    return None if account is None else to_hex(account)


def _optional_from_json(value: object) -> bytes | None:
    account = None if value is None else from_hex(value, 20)
    if account == ANYONE:
        raise MalformedError("bad-terms", "nobody is null, not the zero address")
    return account


def _guardian_to_json(guardian: Guardian | None) -> dict[str, Any] | None:
    if guardian is None:
        return None
    return {
        "account": to_hex(guardian.account),
        "limit": guardian.limit,
        "window": guardian.window,
        "header": to_hex(guardian.header),
    }


def _guardian_from_json(value: Mapping[str, Any] | None) -> Guardian | None:
    if value is None:
        return None
    account, header = from_hex(value["account"], 20), from_hex(value["header"])
    return Guardian(account, int(value["limit"]), int(value["window"]), header)


def _rule_from_json(value: Mapping[str, Any]) -> Rule:
    return Rule(
        target=from_hex(value["target"], 20),
        selector=from_hex(value["selector"], 4),
        amount_word=int(value["amountWord"]),
        cap=int(value["cap"]),
        bucket=int(value["bucket"]),
        pins=tuple(
            Pin(int(pin["word"]), tuple(from_hex(word, 32) for word in pin["allowed"]))
            for pin in value["pins"]
        ),
    )


def _check_live(terms: Terms, state: State, action: Action, now: int, iat: int) -> None:
    if state.revoked:
        raise MandateRefused("Revoked", "the principal has revoked this mandate")
    if now < state.suspended_until:
        raise MandateRefused("AgentSuspended", f"until {state.suspended_until}, it is {now}")
    if now < terms.valid_from:
        raise MandateRefused("NotYetValid", f"valid from {terms.valid_from}, it is {now}")
    if now > terms.valid_until:
        raise MandateRefused("Expired", f"valid until {terms.valid_until}, it is {now}")
    if action.epoch != state.epoch:
        raise MandateRefused("WrongEpoch", f"epoch is {state.epoch}, not {action.epoch}")
    if action.nonce != state.nonce:
        raise MandateRefused("WrongNonce", f"next nonce is {state.nonce}, not {action.nonce}")
    if now > action.deadline:
        raise MandateRefused("DecisionExpired", f"deadline was {action.deadline}, it is {now}")
    check_timely(action.deadline, iat, terms.longest_life, now)
    if action.target == terms.anchor:
        raise MandateRefused("ForbiddenTarget", f"0x{action.target.hex()} is never a target")


def _rule_for(terms: Terms, action: Action) -> Rule:
    if action.target == ANYONE:
        raise MandateRefused("NoCode", "there is no contract at the zero address")
    selector = action.data[:4]
    for rule in terms.rules:
        if rule.target == action.target and rule.selector == selector and len(selector) == 4:
            for pin in rule.pins:
                value = _word(action, pin.word)
                if value not in pin.allowed:
                    told = f"argument {pin.word} is 0x{value.hex()}, which the terms do not list"
                    raise MandateRefused("PinMismatch", told)
            return rule
    told = f"no rule allows 0x{selector.hex()} on 0x{action.target.hex()}"
    raise MandateRefused("NoRule", told)


def _amount(rule: Rule, action: Action) -> int:
    if rule.amount_word == NATIVE:
        return action.value
    if action.value:
        raise MandateRefused("ValueNotAllowed", f"the rule allows no native value: {action.value}")
    return 1 if rule.amount_word == EACH else int.from_bytes(_word(action, rule.amount_word))


def _word(action: Action, index: int) -> bytes:
    value = action.data[4 + 32 * index : 36 + 32 * index]
    if len(value) < 32:
        told = f"{len(action.data)} bytes of calldata hold no argument {index}"
        raise MandateRefused("CalldataTooShort", told)
    return value
