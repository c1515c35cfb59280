"""A dry run: one action through the contracts as they stand now, with nothing signed or sent.

The mandate's own code would ask for the agent's oath and for its proof, and an oath that has left
the house could be carried by whoever saw it. So the node is asked (`eth_estimateGas`) with two
overrides, for that one question: the mandate's terms name a key made for the occasion instead of
the agent's, and the anchor finds every seat. State, rules, buckets, guard and target are the real
ones.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple

from affiant.chain import artifacts, mandates
from affiant.chain.connection import Connection
from affiant.kernel import statement
from affiant.kernel.action import ANYONE, Action, BoundAction
from affiant.kernel.body import DECISION
from affiant.kernel.encoding import to_hex
from affiant.kernel.errors import CallReverted, LedgerError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.mandate import State, Terms
from affiant.kernel.model import Call
from affiant.kernel.ports import Seat

# EIP-1167: a clone's code is this long; the encoded terms follow it.
_CLONE_LENGTH = 45
# A contract that answers everything with true: PUSH1 1, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
_AGREES = bytes.fromhex("60015f5260205ff3")
# With the stand-in's key and an anchor that agrees these cannot be.
_NOT_OVERRIDDEN = ("WrongSigner", "HighS", "OutsideSeat", "SeatNotHeld")
_SEAT = Seat(0, 0, 1, 0, bytes(32))


def rehearse(
    chain: Connection, mandate: bytes, terms: Terms, state: State, call: Call, model: bytes
) -> int:
    """Ask what would become of a call under a mandate now; return the gas of its execution.

    Raises:
        CallReverted: the mandate, its guard or the target would refuse it, by that error.
        LedgerError: the node does not answer, does not know this mandate, or takes no overrides.
    """
    abi, code = artifacts.load("Mandate"), chain.code(mandate)
    (output,) = next(entry for entry in abi["abi"] if entry.get("name") == "terms")["outputs"]
    kind = collapse_if_tuple(output)
    if code[_CLONE_LENGTH:] != encode([kind], [mandates.terms_to_abi(terms)]):
        raise LedgerError(
            f"the code at {to_hex(mandate)} does not end with the terms that it tells",
            "Name a chain, or a fork of one, on which this mandate was granted",
        )
    key, now = LedgerKey(secrets.token_bytes(32)), chain.present()
    stand_in = replace(terms, agent=key.address, header=mandates.header_of(key.public))
    packed = encode([kind], [mandates.terms_to_abi(stand_in)])
    told = _sworn(chain.chain_id, mandate, terms, state, call, model, now, key)
    instead = {mandate: code[:_CLONE_LENGTH] + packed, terms.anchor: _AGREES}
    try:
        return chain.estimate(mandate, abi, "execute", *told, instead=instead)
    except CallReverted as error:
        if error.error in _NOT_OVERRIDDEN:
            raise LedgerError(
                f"{chain.name} estimates without the overrides that a dry run needs",
                "Name a node that takes state overrides in eth_estimateGas: anvil and geth do",
            ) from error
        raise


def _sworn(
    chain_id: int,
    mandate: bytes,
    terms: Terms,
    state: State,
    call: Call,
    model: bytes,
    now: int,
    key: LedgerKey,
) -> tuple[Any, Any]:
    """Return the `Action` and the `Oath` of the stand-in."""
    action = Action(
        epoch=state.epoch,
        nonce=state.nonce,
        model=model,
        target=call.target,
        value=call.value,
        data=call.data,
        deadline=now + terms.longest_life,
        relayer=ANYONE,
        salt=secrets.token_bytes(32),
    )
    subject = BoundAction(chain_id, mandate, action).digest
    told = statement.sign(DECISION, subject, secrets.token_bytes(32), key, now)
    return mandates.action_to_abi(action), mandates.oath_to_abi(told, 0, _SEAT, [])
