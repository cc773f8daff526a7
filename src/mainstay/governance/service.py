"""The audit log as people use it: make checkpoints, check the whole, prove that an event is in it.

Stands between the database, the signing key and the anchor. Whoever changes something appends events itself, through
``store.audit``.
"""

from pathlib import Path

import msgspec
from sqlalchemy import Engine

from mainstay.core.audit import GENESIS
from mainstay.core.clock import wall_ms
from mainstay.core.errors import NotFound, StartError
from mainstay.governance import store
from mainstay.governance.audit import Report, verify
from mainstay.governance.checkpoints import Checkpoint, Signer, append_anchor, read_anchor
from mainstay.governance.merkle import Frontier, consistency_proof, inclusion_proof
from mainstay.store.audit import read_entries
from mainstay.store.sql import reading, writing

__all__ = ["AuditLog", "Consistency", "Inclusion", "anchor_path"]


class Inclusion(msgspec.Struct, frozen=True):
    """That ``body`` is the event ``seq`` of the log of ``checkpoint``; ``path`` is hashes in hex, the lowest first."""

    seq: int
    body: str
    path: list[str]
    checkpoint: Checkpoint
    public_key: str


class Consistency(msgspec.Struct, frozen=True):
    """That the log of ``new`` begins with that of ``old``."""

    old: Checkpoint
    new: Checkpoint
    path: list[str]
    public_key: str


def anchor_path(home: Path, configured: str | None) -> Path:
    """Return where the anchor is: as configured, or beside the database, where it tells of less."""
    return Path(configured) if configured else home / "audit" / "anchor.jsonl"


class AuditLog:
    """The audit log of one installation.

    Args:
        engine: the database.
        home: the folder Mainstay writes to.
        anchor: the file that remembers checkpoints.

    Raises:
        StartError: the signing key cannot be read or made.
    """

    def __init__(self, engine: Engine, home: Path, anchor: Path) -> None:
        self._engine = engine
        self._signer = Signer(home)
        self._anchor = anchor
        self._anchored: int | None = None
        self.public = self._signer.public

    def checkpoint(self) -> Checkpoint | None:
        """Sign the log as it stands, and tell the anchor; None when there is nothing to sign.

        Raises:
            OSError, StartError: the anchor cannot be written; the checkpoint is kept, and told of the next time.
        """
        with reading(self._engine) as connection:
            last = store.last_checkpoint(connection)
            behind = next(read_entries(connection, last[0].size if last else 0), None)
        if behind is not None:
            self._sign()
        with reading(self._engine) as connection:
            last = store.last_checkpoint(connection)
        if last is not None and self._anchored != last[0].size:
            self._tell(last[0].size)
        return last[0] if last is not None else None

    def _sign(self) -> None:
        with writing(self._engine) as connection:
            last = store.last_checkpoint(connection)
            size, previous, roots = (last[0].size, last[0].hash(), last[1]) if last else (0, GENESIS, b"")
            frontier = Frontier(size, roots)
            for entry in read_entries(connection, size):
                frontier.append(entry.hash)
            if frontier.size > size:
                fresh = self._signer.checkpoint(frontier.size, wall_ms(), frontier.root(), previous)
                store.add_checkpoint(connection, fresh, frontier.pack())

    def _tell(self, size: int) -> None:
        told = max((one.size for one in self._read_anchor()[0]), default=0)
        with reading(self._engine) as connection:
            fresh = store.checkpoints(connection, told)
        for one in fresh:
            append_anchor(self._anchor, one)
        self._anchored = size

    def verify(self, anchor: Path | None = None, public: bytes | None = None) -> Report:
        """Check everything; against another copy of the anchor, or a public key that was written down elsewhere.

        Raises:
            StartError: that anchor is not there.
        """
        if anchor is not None and not anchor.is_file():
            raise StartError(f"There is no anchor '{anchor}': name the file that governance.audit.anchor names.")
        lines, bad = self._read_anchor(anchor)
        with reading(self._engine) as connection:
            report = verify(
                read_entries(connection),
                store.checkpoints(connection),
                lines,
                self.public if public is None else public,
            )
        if bad:
            report.add("anchor", 0, f"{bad} lines of the anchor are no checkpoints.")
        return report

    def prove(self, seq: int) -> Inclusion:
        """Return the proof that an event is in the log of the newest checkpoint.

        Raises:
            NotFound: there is no such event, or no checkpoint of it yet.
        """
        with reading(self._engine) as connection:
            last = store.last_checkpoint(connection)
            if last is None or not 0 < seq <= last[0].size:
                raise NotFound(f"No checkpoint covers an event {seq}: 'mainstay audit checkpoint' makes one.")
            bodies = [(entry.hash, entry.body if entry.seq == seq else "") for entry in read_entries(connection)]
        leaves = [leaf for leaf, _ in bodies[: last[0].size]]
        path = [one.hex() for one in inclusion_proof(leaves, seq - 1)]
        return Inclusion(seq, bodies[seq - 1][1], path, last[0], self.public.hex())

    def prove_growth(self, old: int, new: int | None = None) -> Consistency:
        """Return the proof that the log of one checkpoint begins with that of an earlier one, by their sizes.

        Raises:
            NotFound: there is no checkpoint of that size.
        """
        with reading(self._engine) as connection:
            known = {one.size: one for one in store.checkpoints(connection)}
            wanted = new if new is not None else max(known, default=0)
            if old not in known or wanted not in known or old > wanted:
                raise NotFound("There are no two such checkpoints: 'mainstay audit list --checkpoints' shows them.")
            leaves = [entry.hash for entry in read_entries(connection)][:wanted]
        path = [one.hex() for one in consistency_proof(leaves, old)]
        return Consistency(known[old], known[wanted], path, self.public.hex())

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints, the oldest first."""
        with reading(self._engine) as connection:
            return store.checkpoints(connection)

    def _read_anchor(self, path: Path | None = None) -> tuple[list[Checkpoint], int]:
        try:
            with open(path or self._anchor, "rb") as file:
                return read_anchor(file)
        except FileNotFoundError:
            return [], 0
