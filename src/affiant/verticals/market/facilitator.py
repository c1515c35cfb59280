"""The facilitator: carries signed payments to the chain, each once, if their statement is logged.

The nonce of an EIP-3009 authorisation is free; here it is the id of the statement by which the
payer swore to the payment, and what is not in the log is not settled. Before anything is sent it
is written down; after a crash the chain is asked what became of it. Who brings the same payment
again, at once or years later, gets the same answer, and the chain is not troubled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Self

from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import CallReverted
from affiant.kernel.identity import LedgerKey
from affiant.kernel.ports import Clock
from affiant.verticals.market import eip3009
from affiant.verticals.market.eip3009 import Chain
from affiant.verticals.market.payment import SCHEME, Authorization, Payment, Requirements, Token
from affiant.verticals.market.settlements import Entry, Settlements, Slot
from affiant.verticals.market.verdict import Objection, Reason, Settlement, Verdict
from affiant.verticals.market.wire import VERSION, checksummed

MARGIN = 6
"""Seconds for which an authorisation must still be valid: it is mined a moment later."""
SLACK = 60
"""Seconds by which the payer's clock may be ahead."""


def _none_under_way() -> bool:
    """Tell that no transaction is under way, as on the embedded chain, which mines at once."""
    return False


def _agreed(_payment: Payment) -> bool:
    """Tell nothing: that the statement is logged is enough."""
    return True


class Facilitator:
    """Verifies and settles payments in the tokens that it knows."""

    def __init__(
        self,
        chain: Chain,
        tokens: Sequence[Token],
        key: LedgerKey,
        clock: Clock,
        is_logged: Callable[[bytes], bool],
        file: Path,
        *,
        agrees: Callable[[Payment], bool] = _agreed,
        under_way: Callable[[], bool] = _none_under_way,
    ) -> None:
        """Open the file in which it keeps what it settled.

        `key` pays for the transactions. `is_logged` tells whether the log holds the statement with
        that id, and `agrees` whether that statement swears to this payment. `under_way` tells
        whether a transaction of `key` may still be mined that the chain does not show: then nothing
        that was begun is sent again.

        Raises:
            SetupError: another process has the file.
            IntegrityError: the file is damaged.
        """
        self._chain = chain
        self._tokens = {(token.network, token.address): token for token in tokens}
        self._key = key
        self._clock = clock
        self._is_logged = is_logged
        self._agrees = agrees
        self._under_way = under_way
        self._kept = Settlements(file)
        self._turn = threading.Lock()
        self._flights: dict[Slot, tuple[Entry, Future[Settlement]]] = {}
        self._sending = threading.Lock()

    def close(self) -> None:
        """Close the file; what is being settled is finished first."""
        with self._sending:
            self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def supported(self) -> dict[str, Any]:
        """Return the answer to GET /supported."""
        networks = sorted({network for network, _ in self._tokens})
        return {
            "kinds": [
                {"x402Version": VERSION, "scheme": SCHEME, "network": network}
                for network in networks
            ],
            "extensions": [],
            "signers": {"eip155:*": [checksummed(self._key.address)]},
        }

    def verify(self, payment: Payment, wanted: Requirements) -> Verdict:
        """Tell whether a payment could be settled now; nothing is written or sent."""
        token = self._token(wanted)
        payer = payment.authorization.payer
        if isinstance(token, Objection):
            return Verdict(token, payer)
        return Verdict(
            _mismatch(token, payment, wanted)
            or self._untimely(payment, wanted)
            or self._unsworn(payment)
            or self._on_chain(token, payment.authorization),
            payer,
        )

    def settle(self, payment: Payment, wanted: Requirements) -> Settlement:
        """Settle a payment, or tell how it was settled before.

        Raises:
            LedgerError: the chain does not answer; ask again, and nothing is paid twice.
        """
        token = self._token(wanted)
        if isinstance(token, Objection):
            return _refused(payment, wanted, token)
        objection = _mismatch(token, payment, wanted)
        if objection is not None:
            return _refused(payment, wanted, objection)
        return self._once(token, payment, wanted)

    def _once(self, token: Token, payment: Payment, wanted: Requirements) -> Settlement:
        """Settle, or wait for whoever settles the same payment right now."""
        entry, mine = Entry.of(token, payment), Future[Settlement]()
        while True:
            with self._turn:
                other, flight = self._flights.setdefault(entry.slot, (entry, mine))
            if flight is mine:
                break
            if other.same(entry):
                return flight.result()
            wait([flight])  # another payment with the same nonce: look at what it has become
        try:
            mine.set_result(self._settle(token, payment, wanted, entry))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._turn:
                del self._flights[entry.slot]
        return mine.result()

    def _settle(
        self, token: Token, payment: Payment, wanted: Requirements, entry: Entry
    ) -> Settlement:
        known = self._repaired(entry.slot)
        if known is not None:
            return _again(payment, wanted, entry, known)
        objection = self._unsworn(payment)
        if objection is not None:
            return _refused(payment, wanted, objection)
        with self._sending:  # one at a time: between looking at the clock and sending nobody waits
            return self._first(token, payment, wanted, entry)

    def _first(
        self, token: Token, payment: Payment, wanted: Requirements, entry: Entry
    ) -> Settlement:
        objection = self._untimely(payment, wanted)
        if objection is not None:
            return _refused(payment, wanted, objection)
        self._kept.begin(entry)
        try:
            transaction = eip3009.carry(self._chain, self._key, token, payment)
        except CallReverted as error:
            return self._reverted(token, payment, wanted, entry, error)
        self._kept.finish(entry.slot, transaction)
        return _settled(payment, wanted, transaction)

    def _reverted(
        self,
        token: Token,
        payment: Payment,
        wanted: Requirements,
        entry: Entry,
        error: CallReverted,
    ) -> Settlement:
        """Tell why the contract refused; if somebody else carried the payment, it is settled."""
        if eip3009.is_used(self._chain, entry.slot):
            transaction = eip3009.carried(self._chain, entry)
            if transaction is not None:
                self._kept.finish(entry.slot, transaction)
                return _settled(payment, wanted, transaction)
        self._kept.forget(entry.slot)
        told = Objection(Reason.SIMULATION, error.message)
        objection = self._on_chain(token, payment.authorization) or told
        return _refused(payment, wanted, objection)

    def _repaired(self, slot: Slot) -> Entry | None:
        """Return what is kept of a slot; if that was begun only, as the chain tells it.

        The one that comes back without a transaction may still be mined.
        """
        known = self._kept.get(slot)
        if known is None or known.transaction is not None:
            return known
        waiting = self._under_way()  # asked first: what is mined in between is seen below
        if eip3009.is_used(self._chain, slot):
            transaction = eip3009.carried(self._chain, known)
            if transaction is not None:
                self._kept.finish(slot, transaction)
                return self._kept.get(slot)
        elif waiting:
            return known
        self._kept.forget(slot)
        return None

    def _token(self, wanted: Requirements) -> Token | Objection:
        if wanted.scheme != SCHEME:
            return Objection(Reason.SCHEME, f"the scheme is {wanted.scheme!r}, not {SCHEME!r}")
        token = self._tokens.get((wanted.network, wanted.asset))
        if token is not None:
            return token
        if wanted.network not in {network for network, _ in self._tokens}:
            return Objection(Reason.NETWORK, f"nothing is settled on {wanted.network}")
        return Objection(Reason.ASSET, f"{to_hex(wanted.asset)} is no token that is settled here")

    def _untimely(self, payment: Payment, wanted: Requirements) -> Objection | None:
        told, now = payment.authorization, self._clock.now()
        if told.valid_after >= now:
            return Objection(Reason.AFTER, f"valid after {told.valid_after}, it is {now}")
        if told.valid_before < now + MARGIN:
            return Objection(Reason.BEFORE, f"valid before {told.valid_before}, it is {now}")
        if told.valid_before > now + wanted.seconds + SLACK:
            latest = now + wanted.seconds
            return Objection(Reason.BEFORE, f"valid before {told.valid_before}, not {latest}")
        return None

    def _unsworn(self, payment: Payment) -> Objection | None:
        leaf = payment.authorization.nonce
        if not self._is_logged(leaf):
            return Objection(Reason.UNLOGGED, f"the log has no statement {to_hex(leaf)}")
        if not self._agrees(payment):
            told = f"statement {to_hex(leaf)} swears to something else"
            return Objection(Reason.UNSWORN, told)
        return None

    def _on_chain(self, token: Token, told: Authorization) -> Objection | None:
        """Tell what the token's state has against a transfer."""
        if eip3009.is_used(self._chain, (token.address, told.payer, told.nonce)):
            return Objection(Reason.USED, f"nonce {to_hex(told.nonce)} is used or cancelled")
        held = eip3009.balance(self._chain, token, told.payer)
        if held < told.value:
            return Objection(Reason.BALANCE, f"the payer holds {held}, not {told.value}")
        return None


def _mismatch(token: Token, payment: Payment, wanted: Requirements) -> Objection | None:
    """Tell what a payment itself has against it: no chain is asked, and no clock."""
    told, objection = payment.authorization, None
    if (wanted.name, wanted.version) != (token.name, token.version):
        named = f"{token.name!r}, version {token.version!r}"
        objection = Objection(Reason.REQUIREMENTS, f"the token is {named}")
    elif wanted.amount < 1:
        objection = Objection(Reason.REQUIREMENTS, "the amount is 0")
    elif payment.accepted != wanted:
        objection = Objection(Reason.REQUIREMENTS, "what was accepted is not what is demanded")
    elif told.payee != wanted.pay_to:
        objection = Objection(Reason.RECIPIENT, f"it pays {to_hex(told.payee)}")
    elif told.value != wanted.amount:
        objection = Objection(Reason.VALUE, f"it pays {told.value}, not {wanted.amount}")
    elif not payment.signed_by_payer(token):
        objection = Objection(Reason.SIGNATURE, f"it is not signed by {to_hex(told.payer)}")
    return objection


def _again(payment: Payment, wanted: Requirements, entry: Entry, known: Entry) -> Settlement:
    """Answer to a payment whose nonce has been seen before."""
    if known.transaction is None:
        told = "whether it was settled is not known yet; ask again"
        return _refused(payment, wanted, Objection(Reason.PENDING, told))
    if not known.same(entry):
        told = "the nonce paid for something else"
        return _refused(payment, wanted, Objection(Reason.USED, told))
    return _settled(payment, wanted, known.transaction)


def _settled(payment: Payment, wanted: Requirements, transaction: bytes) -> Settlement:
    payer = payment.authorization.payer
    return Settlement(None, wanted.network, payer, transaction, wanted.amount)


def _refused(payment: Payment, wanted: Requirements, objection: Objection) -> Settlement:
    return Settlement(objection, wanted.network, payment.authorization.payer)
