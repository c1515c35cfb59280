"""The oath: statements signed, stored before anybody sees them, and sent to the log as stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.body import Body, Kind, Reference
from affiant.kernel.errors import InputError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.ports import Clock, Draft, Log, Outbox
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Oath:
    """One agent's pen: what it has sworn for a job, and how it swears."""

    key: LedgerKey
    sequencer: Log
    outbox: Outbox
    clock: Clock
    random: Callable[[int], bytes]
    kinds: Mapping[str, Kind]

    def kept(self, job: str) -> Draft | None:
        """Return what this agent swore for a job.

        Raises:
            InputError: another agent of the house swore it.
        """
        draft = self.outbox.get(job)
        if draft is not None and draft.statement.issuer != self.key.public:
            raise InputError(
                f"{job!r} was sworn by {draft.statement.issuer.did}",
                "Give every job a name of its own",
            )
        return draft

    def swear(
        self,
        job: str,
        kind: str,
        subject: bytes,
        content: dict[str, Any],
        because: Sequence[Statement] = (),
        now: int | None = None,
    ) -> Draft:
        """Sign a statement and store it, with its body, before anybody sees it.

        Raises:
            MalformedError: it fits into no body; nothing was stored.
        """
        now = self.clock.now() if now is None else now
        lineage = tuple(Reference(self.sequencer.policy.log_id, told.leaf) for told in because)
        salt = self.random(bodies.SALT_LENGTH)
        body = Body(kind, bodies.moment(now), salt, content, lineage)
        bodies.decode(body.encoded, self.kinds)  # what the log would refuse is never sworn
        signed = statement.sign(kind, subject, body.digest, self.key, now)
        draft = Draft(body.encoded, signed)
        self.outbox.put(job, draft)
        return draft

    def log(self, draft: Draft) -> int:
        """Send what was sworn to the log, body first; return its index. The log is idempotent."""
        self.sequencer.put_body(draft.body)
        return self.sequencer.register(draft.statement.entry)
