"""Checking the audit log: every event's bytes, the chain, the roots, the signatures, and what the anchor remembers.

Pure: what is read from the database and the anchor comes in, findings come out. One pass, in constant memory but for
the checkpoints.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mainstay.core.audit import GENESIS, LogEntry, leaf_hash, read_event
from mainstay.governance.checkpoints import Checkpoint, key_id, signed_by
from mainstay.governance.merkle import Frontier

__all__ = ["Finding", "Report", "verify"]

#: Findings that are told one by one; more are counted.
_MOST = 100


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written. ``kind``: ``edited``, ``missing``, ``moved``, ``truncated``,
    ``checkpoint`` or ``anchor``; ``seq`` the number of the event, or the size of the log, that it is about.
    """

    kind: str
    seq: int
    message: str


class Report(msgspec.Struct):
    """What a check found. ``covered`` is how many events the last good checkpoint stands for, ``anchored`` how many
    the anchor vouches for: what came after them could be cut off unseen.
    """

    size: int = 0
    root: str = ""
    covered: int = 0
    anchored: int = 0
    count: int = 0
    findings: list[Finding] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.count

    def add(self, kind: str, seq: int, message: str) -> None:
        """Take down a finding."""
        self.count += 1
        if len(self.findings) < _MOST:
            self.findings.append(Finding(kind, seq, message))


def verify(
    entries: Iterable[LogEntry],
    checkpoints: Sequence[Checkpoint],
    anchor: Sequence[Checkpoint],
    public: bytes,
) -> Report:
    """Check a log as it lies: ``entries`` and ``checkpoints`` in the order of the database, ``anchor`` of its lines."""
    report = Report()
    _check_checkpoints(report, checkpoints, public)
    _check_anchor(report, checkpoints, anchor, public)
    wanted: dict[int, set[str]] = {}
    for one in (*checkpoints, *anchor):
        wanted.setdefault(one.size, set()).add(one.root)
    frontier = Frontier()
    previous, expected = GENESIS, 1
    for entry in entries:
        _check_entry(report, entry, expected, previous)
        found = leaf_hash(entry.body.encode())
        previous, expected = found.hex(), entry.seq + 1
        frontier.append(found)
        roots = wanted.pop(frontier.size, None)
        if roots is not None and roots != {frontier.root().hex()}:
            report.add("edited", frontier.size, "What a checkpoint says of the log up to here is not what is there.")
    report.size, report.root = frontier.size, frontier.root().hex()
    for size in sorted(wanted):
        if size > frontier.size:
            report.add("truncated", size, f"A checkpoint is of {size} events; the log has {frontier.size}.")
    report.covered = max((one.size for one in checkpoints if one.size <= frontier.size), default=0)
    report.anchored = max((one.size for one in anchor if one.size <= frontier.size), default=0)
    return report


def _check_entry(report: Report, entry: LogEntry, expected: int, previous: str) -> None:
    seq = entry.seq
    if seq > expected:
        report.add("missing", expected, f"Events {expected} to {seq - 1} are not there.")
    elif seq < expected:
        report.add("moved", seq, f"Event {seq} stands where {expected} belongs.")
    if leaf_hash(entry.body.encode()) != entry.hash:
        report.add("edited", seq, f"Event {seq} is not what its hash is of.")
    try:
        event = read_event(entry.body)
    except ValueError:
        report.add("edited", seq, f"Event {seq} is no event.")
        return
    beside = (entry.seq, entry.at, entry.actor, entry.action, entry.subject)
    if beside != (event.seq, event.at, event.actor, event.action, event.subject):
        report.add("edited", seq, f"What stands beside event {seq} is not what it says.")
    if event.previous != previous:
        report.add("moved", seq, f"Event {seq} does not follow the event before it.")


def _check_checkpoints(report: Report, checkpoints: Sequence[Checkpoint], public: bytes) -> None:
    previous = GENESIS
    for one in checkpoints:
        _check_signature(report, "checkpoint", one, public)
        if one.previous != previous:
            report.add("checkpoint", one.size, f"The checkpoint before that of {one.size} events is not there.")
        previous = one.hash()


def _check_anchor(
    report: Report, checkpoints: Sequence[Checkpoint], anchor: Sequence[Checkpoint], public: bytes
) -> None:
    known = {one.size: one for one in checkpoints}
    for one in anchor:
        _check_signature(report, "anchor", one, public)
        if known.get(one.size) != one:
            kind = "truncated" if one.size not in known else "anchor"
            report.add(kind, one.size, f"The anchor has a checkpoint of {one.size} events that the log has not.")


def _check_signature(report: Report, kind: str, one: Checkpoint, public: bytes) -> None:
    try:
        signature = bytes.fromhex(one.signature)
    except ValueError:
        signature = b""
    if one.key != key_id(public) or not signed_by(public, one.said(), signature):
        report.add(kind, one.size, f"The checkpoint of {one.size} events is not signed with this installation's key.")
