"""An affiant: somebody who swears, once for each occasion, and does not act."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from affiant.agent.oath import Oath
from affiant.agent.observe import Observer
from affiant.kernel.body import Kind
from affiant.kernel.encoding import jcs_decode, jcs_encode
from affiant.kernel.errors import InputError
from affiant.kernel.identity import LedgerKey
from affiant.kernel.model import Input
from affiant.kernel.ports import Archive, Clock, Draft, Log, Outbox
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Affiant:
    """A key and its pen. A job is sworn for once; after a crash the same bytes are logged."""

    key: LedgerKey
    log: Log
    archive: Archive
    outbox: Outbox
    clock: Clock
    random: Callable[[int], bytes]
    turn: AbstractContextManager[Any]
    kinds: Mapping[str, Kind]

    def swear(
        self,
        job: str,
        kind: str,
        subject: bytes,
        content: Mapping[str, Any],
        because: Sequence[Statement] = (),
    ) -> Statement:
        """Swear and log a statement, once per job.

        Raises:
            InputError: something else, or somebody else, was sworn for under that job's name.
            MalformedError: it fits into no body; nothing was sworn.
            RegistrationRefused: the log does not take it.
        """
        with self.turn:
            draft = self._oath.kept(job)
            if draft is None:
                draft = self._oath.swear(job, kind, subject, dict(content), because)
            elif not _same(draft, kind, subject, content):
                raise InputError(
                    f"for job {job!r} something else was sworn", "Give every job a name of its own"
                )
            self._oath.log(draft)
        return draft.statement

    def observe(self, job: str, item: Input) -> Input:
        """Swear to data as its source; return the input with which an agent decides over it."""
        with self.turn:
            told = Observer(self._oath, self.archive, self.random).observe(job, item)
        return replace(item, observation=told.leaf)

    @property
    def _oath(self) -> Oath:
        return Oath(self.key, self.log, self.outbox, self.clock, self.random, self.kinds)


def _same(draft: Draft, kind: str, subject: bytes, content: Mapping[str, Any]) -> bool:
    told = (draft.statement.kind, draft.statement.subject)
    said = jcs_encode(jcs_decode(draft.body)["content"])
    return told == (kind, subject) and said == jcs_encode(dict(content))
