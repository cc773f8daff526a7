"""``python -m bench.audit``: how fast events are appended to the audit log, and whether every tamper is found.

Appends go to a real SQLite file, in batches as jobs make them and one by one as people do. Tampers are made as well as
they can be without the key: an edited event gets its hash anew. Each kind is tried as often as asked for, on logs of
their own size, and every one must be found by the check that ``mainstay audit verify`` runs.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import msgspec

from bench.text import table
from mainstay.core.audit import GENESIS, LogEntry, canonical, entry_of, leaf_hash
from mainstay.governance.audit import verify
from mainstay.governance.checkpoints import Checkpoint, Signer
from mainstay.governance.merkle import root_of
from mainstay.governance.service import AuditLog, Inclusion
from mainstay.store.audit import Occurrence, record_event, record_events
from mainstay.store.sql import migrate, open_engine, writing

__all__ = ["Log", "Speeds", "main", "make_log", "measure", "tampers", "try_tampers"]

_BATCH = 500
#: At least so many appends a second, and at most so many bytes of a proof.
_APPENDS, _PROOF = 20_000.0, 1536


class Log(NamedTuple):
    """A log on values: its events, its checkpoints (which are the anchor too) and the public key."""

    entries: list[LogEntry]
    checkpoints: list[Checkpoint]
    public: bytes


class Speeds(NamedTuple):
    """Events a second, and bytes of a proof."""

    batched: float
    single: float
    verified: float
    proof: int
    ok: bool


def make_log(home: Path, size: int, seed: int = 1) -> Log:
    """Return a log of ``size`` events with a checkpoint at random places and at its end."""
    chance = random.Random(seed)
    entries: list[LogEntry] = []
    previous = GENESIS
    for seq in range(1, size + 1):
        subject = f"key:key_{chance.randrange(10**9)}"
        entries.append(
            entry_of(seq, 1_700_000_000_000 + seq, "person:per_1", "keys.create", subject, {"rpm": seq}, previous)
        )
        previous = entries[-1].hash.hex()
    signer = Signer(home)
    checkpoints: list[Checkpoint] = []
    for end in sorted({*chance.sample(range(1, size), min(3, size - 1)), size}):
        root = root_of([entry.hash for entry in entries[:end]])
        checkpoints.append(signer.checkpoint(end, end, root, checkpoints[-1].hash() if checkpoints else GENESIS))
    return Log(entries, checkpoints, signer.public)


def _edit(log: Log, chance: random.Random) -> Log:
    entries, at = [*log.entries], chance.randrange(len(log.entries))
    event = msgspec.json.decode(entries[at].body)
    name = chance.choice(("at", "actor", "subject", "details"))
    event[name] = {"at": event["at"] + 1, "details": {"rpm": -1}}.get(name, f"{event[name]}x")
    body = canonical(event)
    beside = {name: event[name]} if name != "details" else {}
    entries[at] = msgspec.structs.replace(entries[at], body=body.decode(), hash=leaf_hash(body), **beside)
    return log._replace(entries=entries)


def _delete(log: Log, chance: random.Random) -> Log:
    at = chance.randrange(len(log.entries))
    return log._replace(entries=[*log.entries[:at], *log.entries[at + 1 :]])


def _reorder(log: Log, chance: random.Random) -> Log:
    entries = [*log.entries]
    one, other = chance.sample(range(len(entries)), 2)
    entries[one], entries[other] = entries[other], entries[one]
    return log._replace(entries=entries)


def _truncate(log: Log, chance: random.Random) -> Log:
    """Cut off events, and every checkpoint that tells of them, from the database; the anchor lies elsewhere."""
    end = chance.randrange(len(log.entries))
    return log._replace(entries=log.entries[:end], checkpoints=[one for one in log.checkpoints if one.size <= end])


#: Tampers by their kind.
tampers: dict[str, Callable[[Log, random.Random], Log]] = {
    "edit": _edit,
    "delete": _delete,
    "reorder": _reorder,
    "truncate": _truncate,
}


def try_tampers(log: Log, count: int, seed: int = 1) -> dict[str, int]:
    """Return how many of ``count`` random tampers of each kind are found."""
    found = {}
    for kind, tamper in tampers.items():
        chance = random.Random(f"{kind} {seed}")
        changed = (tamper(log, chance) for _ in range(count))
        found[kind] = sum(not verify(one.entries, one.checkpoints, log.checkpoints, log.public).ok for one in changed)
    return found


def measure(home: Path, events: int) -> Speeds:
    """Append ``events`` in batches and some one by one, sign, check and prove, in a real database file."""
    engine = open_engine(f"sqlite:///{home}/mainstay.db")
    migrate(engine)
    many: list[Occurrence] = [
        ("person:per_1", "policy.decide", f"record:{n}", {"route": "assistant", "allowed": True}) for n in range(events)
    ]
    start = perf_counter()
    for at in range(0, events, _BATCH):
        with writing(engine) as connection:
            record_events(engine, connection, many[at : at + _BATCH])
    batched = events / (perf_counter() - start)
    few = max(1, events // 50)
    start = perf_counter()
    for number in range(few):
        with writing(engine) as connection:
            record_event(engine, connection, "person:per_1", "keys.create", f"key:{number}", {"rpm": 1})
    single = few / (perf_counter() - start)
    log = AuditLog(engine, home, home / "anchor.jsonl")
    log.checkpoint()
    start = perf_counter()
    report = log.verify()
    verified = report.size / (perf_counter() - start)
    proof = log.prove(events // 2)
    engine.dispose()
    return Speeds(batched, single, verified, _size(proof), report.ok)


def _size(proof: Inclusion) -> int:
    """Return the bytes of what a verifier needs beside the event and the checkpoint."""
    return len(msgspec.json.encode(proof.path))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; return 0 if every promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events to append (200,000)")
    parser.add_argument("--tampers", type=int, default=10_000, help="tampers of each kind (10,000)")
    parser.add_argument("--size", type=int, default=50, help="events of a log that is tampered with (50)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        speeds = measure(Path(folder) / "var", given.events)
        found = try_tampers(make_log(Path(folder) / "log", given.size), given.tampers)
    rows = [[kind, f"{count} of {given.tampers}"] for kind, count in found.items()]
    print(table([["tamper", "found"], *rows]))
    print()
    shown = [
        ["appends in batches", f"{speeds.batched:,.0f}/s", f"at least {_APPENDS:,.0f}/s"],
        ["appends one by one", f"{speeds.single:,.0f}/s", ""],
        ["checked", f"{speeds.verified:,.0f}/s", ""],
        ["proof of inclusion", f"{speeds.proof} bytes", f"at most {_PROOF} bytes"],
    ]
    print(table([["", "measured", "promised"], *shown]))
    kept = all(count == given.tampers for count in found.values()) and speeds.ok
    return 0 if kept and speeds.batched >= _APPENDS and speeds.proof <= _PROOF else 1


if __name__ == "__main__":
    sys.exit(main())
