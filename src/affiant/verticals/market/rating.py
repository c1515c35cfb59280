"""Rating under oath: the client of a settled job says what it was worth, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode

from affiant.kernel.encoding import from_hex, keccak256, to_hex
from affiant.kernel.mandate import EACH, Rule
from affiant.kernel.model import Call, CodeModel, Doubt, Input, Proposal

_KINDS = ("uint256", "int128", "uint8", "string", "string", "string", "string", "bytes32")
GIVE_FEEDBACK = keccak256(f"giveFeedback({','.join(_KINDS)})".encode())[:4]
TAG = "job"
BEST = 100


class RateModel(CodeModel):
    """Gives full marks for what came as agreed, half for what came otherwise, none for nothing."""

    name = "affiant.market.rate"
    sources = ("verticals/market/rating.py",)

    def predict(self, inputs: Sequence[Any]) -> Proposal | Doubt:
        """Answer to (delivery,), as `delivery_input` makes it."""
        (told,) = inputs
        if not told["settled"]:
            return Doubt("not-settled", f"job {told['job']} is not settled")
        points = BEST if told["asAgreed"] else BEST // 2 if told["delivered"] else 0
        call = feedback(
            from_hex(told["reputation"], 20),
            int(told["agent"]),
            points,
            from_hex(told["digest"], 32),
        )
        return Proposal(call, {"points": points}, f"job {told['job']}: {points} of {BEST}")


def feedback(reputation: bytes, agent: int, points: int, digest: bytes) -> Call:
    """Return the call that gives feedback, named by what it is about."""
    told = [agent, points, 0, TAG, "", "", "", digest]
    return Call(reputation, GIVE_FEEDBACK + encode(list(_KINDS), told))


def rate_rule(reputation: bytes, bucket: int = 0) -> Rule:
    """Return the rule that lets an agent rate; each rating counts one."""
    return Rule(reputation, GIVE_FEEDBACK, amount_word=EACH, cap=1, bucket=bucket)


def delivery_input(
    reputation: bytes,
    agent: int,
    job: int,
    digest: bytes,
    *,
    settled: bool,
    delivered: bool,
    as_agreed: bool,
) -> Input:
    """Return what became of a job: whether it is settled, and what came of it."""
    value = {
        "reputation": to_hex(reputation),
        "agent": str(agent),
        "job": job,
        "digest": to_hex(digest),
        "settled": settled,
        "delivered": delivered,
        "asAgreed": as_agreed,
    }
    return Input.of(value, source="escrow and delivery")
