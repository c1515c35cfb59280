"""The sequencer: the one writer of a log. It checks, appends, signs, and answers when durable."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from affiant.kernel import body as bodies
from affiant.kernel import checkpoint, merkle, receipt, statement
from affiant.kernel.action import BoundAction
from affiant.kernel.body import Body, Kind
from affiant.kernel.checkpoint import Checkpoint, LogPolicy
from affiant.kernel.encoding import sha256, to_hex
from affiant.kernel.errors import IntegrityError, MalformedError, SetupError
from affiant.kernel.identity import Ed25519Key, LedgerKey
from affiant.kernel.ports import Clock, Head
from affiant.kernel.statement import Statement
from affiant.log.reader import LogReader
from affiant.log.registration import AGENT_KINDS, Registration
from affiant.log.storage import Row, Storage


class Sequencer(LogReader):
    """A log that this process writes. Safe for several threads; one process at a time."""

    def __init__(
        self,
        storage: Storage,
        policy: LogPolicy,
        signer: LedgerKey,
        key: Ed25519Key,
        kinds: Mapping[str, Kind],
        clock: Clock,
    ) -> None:
        if policy.signer != signer.address:
            raise SetupError(
                f"the log's policy names signer 0x{policy.signer.hex()}, "
                f"the key at hand is 0x{signer.address.hex()}",
                "Open the log with the keys it was made with",
            )
        super().__init__(storage, policy, key.public)
        self._signer = signer
        self._secret = key
        self._clock = clock
        self._kinds = kinds
        self._lock = threading.RLock()
        self._rules = Registration(storage, policy.log_id, signer.address, kinds)
        self._check_last_checkpoint()
        self._found()
        self._check_founding()
        self._check_nodes(0, storage.size())

    def put_body(self, body: bytes) -> bytes:
        """Keep a body, before its statement comes; return its SHA-256.

        Raises:
            MalformedError: no body of a kind this log knows.
        """
        bodies.decode(body, self._kinds)
        with self._lock, self._storage.transaction():
            self._storage.put_body(sha256(body), body)
        return sha256(body)

    def register(self, entry: bytes) -> int:
        """Log a statement and return its index; the same entry again gives the same index.

        Raises:
            MalformedError: bytes that are no statement in its one form, or a wrong signature.
            RegistrationRefused: a statement that the registration policy does not admit.
        """
        told = statement.decode(entry).verify()
        with self._lock, self._storage.transaction():
            return self._append(told)

    def _append(self, told: Statement) -> int:
        row = self._storage.row_of(told.leaf)
        if row is not None:
            return row.index
        slot = self._rules.check(told, self._clock.now())
        index = self._storage.size()
        nodes = self._completed(index, [told.leaf])
        row = Row(index, told.leaf, told.entry, told.kind, told.subject, told.issuer.did)
        self._storage.add(row, nodes)
        if slot is not None:
            self._storage.put_open_decision(slot, self._deadline(told.body), told.leaf)
        return index

    def head(self) -> Head:
        """Return the newest checkpoint, signing one if entries have come since the last.

        Raises:
            IntegrityError: the stored tree no longer has the root that was signed last.
        """
        with self._lock:
            last = self._storage.checkpoint()
            size = self._storage.size()
            if last is not None and last[0] == size:
                return Head(*last)
            self._check_last_checkpoint()
            self._check_nodes(last[0] if last else 0, size)
            head = self._sign(size, merkle.root_of(self._storage.node, size))
            with self._storage.transaction():
                self._storage.put_checkpoint(
                    head.size, head.root, head.note, head.signature, head.root_signature
                )
            return head

    def _completed(self, start: int, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Return (level, index, hash) of every subtree that `leaves` complete."""
        fresh: dict[tuple[int, int], bytes] = {}

        def node(level: int, place: int) -> bytes:
            return fresh.get((level, place)) or self._storage.node(level, place)

        for level, place, value in merkle.new_nodes(node, start, leaves):
            fresh[level, place] = value
        return [(level, place, value) for (level, place), value in fresh.items()]

    def _deadline(self, digest: bytes) -> int:
        body = bodies.decode(self._storage.body(digest) or b"", self._kinds)
        return BoundAction.from_json(body.content["action"]).action.deadline

    def _sign(self, size: int, root: bytes) -> Head:
        made = Checkpoint(self._policy.origin, size, root)
        return Head(
            size,
            root,
            checkpoint.sign_note(made, self._secret),
            self._signer.sign_digest(made.digest(self._policy.log_id)),
            receipt.sign_root(self._policy.origin, root, self._secret),
        )

    def _check_last_checkpoint(self) -> None:
        last = self._storage.checkpoint()
        if last is None:
            return
        size, root = last[0], last[1]
        if size > self._storage.size() or merkle.root_of(self._storage.node, size) != root:
            raise IntegrityError(
                f"the stored tree does not have the root 0x{root.hex()} signed at size {size}",
                "Restore the log's database from a backup; nothing is signed over this one",
            )

    def _check_nodes(self, start: int, size: int) -> None:
        """Compare the nodes that are to be signed with those that their entries give."""
        rows = [self._storage.row(index) for index in range(start, size)]
        for row in rows:
            self._check_row(row)
        leaves = [merkle.leaf_hash(row.entry) for row in rows]
        for level, place, value in self._completed(start, leaves):
            if self._storage.node(level, place) != value:
                raise IntegrityError(
                    f"node {place} of level {level} is not what the log's entries give",
                    "Restore the log's database from a backup; nothing is signed over this one",
                )

    def _check_row(self, row: Row) -> None:
        """Compare the columns by which entries are found with the entry itself."""
        try:
            told = statement.decode(row.entry).unverified
            wanted = (told.leaf, told.kind, told.subject, told.issuer.did)
        except MalformedError:
            wanted = (b"", "", b"", "")
        if (row.leaf, row.kind, row.subject, row.issuer) != wanted:
            raise IntegrityError(
                f"entry {row.index} is damaged, or filed under another name than its own",
                "Restore the log's database from a backup; nothing is signed over this one",
            )

    def _check_founding(self) -> None:
        """Compare policy and key with what the log swore to first."""
        swore = LogReader.open(self._storage)
        if (swore.policy, swore.key) != (self._policy, self._key):
            raise IntegrityError(
                f"the log swore to {swore.policy.origin}, signer {to_hex(swore.policy.signer)}, "
                f"key {swore.key.did}; it is opened with other ones",
                "Open the log with the keys it was made with",
            )

    def _found(self) -> None:
        """Swear the log's policy and key first, at once, so that no tree has a single leaf."""
        if self._storage.size():
            return
        policy, now = self._policy, self._clock.now()
        log_only = dict.fromkeys((bodies.POLICY, bodies.KEY), "log")
        ledger_keys = dict.fromkeys(AGENT_KINDS, "a ledger key (ES256K)")
        content = {
            "origin": policy.origin,
            "signer": to_hex(policy.signer),
            "witnesses": [to_hex(witness) for witness in policy.witnesses],
            "threshold": policy.threshold,
            "kinds": sorted(self._kinds),
            "issuers": {**log_only, **ledger_keys, "*": "anyone"},
            "custody": {"*": "keep"},
            "retention": "for ever",
        }
        key = {"did": self.key.did, "purpose": "notes and receipts", "effective": 0}
        founding = (
            (bodies.POLICY, policy.log_id, content),
            (bodies.KEY, self.key.digest, key),
        )
        with self._storage.transaction():
            for kind, subject, said in founding:
                # The salts are derived: the log's first words need no secrecy.
                salt = sha256(kind.encode() + policy.log_id)[: bodies.SALT_LENGTH]
                body = Body(kind, bodies.moment(now), salt, said)
                self._storage.put_body(body.digest, body.encoded)
                self._append(statement.sign(kind, subject, body.digest, self._signer, now))
