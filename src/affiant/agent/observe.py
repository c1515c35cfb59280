"""Observing: data is committed to, kept and sworn to before anybody decides over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from affiant.agent.oath import Oath
from affiant.kernel import body as bodies
from affiant.kernel import statement
from affiant.kernel.encoding import jcs_decode, to_hex
from affiant.kernel.errors import InputError
from affiant.kernel.model import SALT_LENGTH, Doubt, Input, commitment
from affiant.kernel.ports import Archive
from affiant.kernel.statement import Statement


@dataclass(frozen=True)
class Observer:
    """Somebody's eyes: what is seen, under the pen of whoever swears to it."""

    oath: Oath
    archive: Archive
    random: Callable[[int], bytes]

    def observe(self, name: str, item: Input) -> Statement:
        """Commit to data, keep it, and swear to it; to the same data once.

        Data whose source swore to it is not sworn to again.

        Raises:
            InputError: the source's observation is not in the log, or of other data.
        """
        if item.observation is not None:
            return self._by_source(item.observation, item)
        draft = self.oath.kept(name)
        while draft is not None and not self.tells(draft.statement.subject, item):
            name += "'"  # nothing was decided over what was observed before: observe anew
            draft = self.oath.kept(name)
        if draft is None:
            salt = self.random(SALT_LENGTH)
            subject = commitment(salt, item.data)
            self.archive.put(subject, salt, item.data)
            shape = list(item.shape)
            content = {"source": item.source, "shape": shape, "units": item.units, "kept": "agent"}
            draft = self.oath.swear(name, bodies.OBSERVATION, subject, content)
        self.oath.log(draft)
        return draft.statement

    def tells(self, subject: bytes, item: Input) -> bool:
        """Tell whether an observation is of this data; a lost salt is found when it is read."""
        kept = self.archive.get(subject)
        lost = kept is None or len(kept[0]) != SALT_LENGTH
        return lost or kept is None or commitment(kept[0], item.data) == subject

    def read(self, observed: Sequence[Statement]) -> list[Any] | Doubt:
        """Read every input once and hash what was read, as the last thing before the model."""
        values = []
        for told in observed:
            kept = self.archive.get(told.subject)
            if kept is None or len(kept[0]) != SALT_LENGTH or commitment(*kept) != told.subject:
                found = "is missing" if kept is None else "is not the same any more"
                return Doubt("input-altered", f"data sworn as {to_hex(told.subject)} {found}")
            values.append(jcs_decode(kept[1]))
        return values

    def _by_source(self, leaf: bytes, item: Input) -> Statement:
        index = self.oath.sequencer.index_of(leaf)
        told = None if index is None else statement.decode(self.oath.sequencer.entry(index))
        found = None if told is None else told.verify()
        if found is None or found.kind != bodies.OBSERVATION:
            raise InputError(
                f"{to_hex(leaf)} is no observation in this log",
                "Let the source swear to its data first, or leave the observation out",
            )
        said = jcs_decode(self.oath.sequencer.body(found.body) or b"{}").get("content", {})
        wanted = {"source": item.source, "units": item.units, "shape": list(item.shape)}
        if any(said.get(name) != value for name, value in wanted.items()):
            raise InputError(
                f"{to_hex(leaf)} tells of {said.get('source')!r:.80}, not of {item.source!r:.80}",
                "Give source, units and shape as the source swore to them",
            )
        if not self.tells(found.subject, item):
            raise InputError(
                f"the data is not what {found.issuer.did} swore to in {to_hex(leaf)}",
                "Give the data as its source gave it",
            )
        return found
