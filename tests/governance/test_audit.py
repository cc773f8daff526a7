"""Every way to tamper with a log is found; the pure part, on values."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.audit import GENESIS, LogEntry, canonical, entry_of, leaf_hash
from mainstay.governance.audit import verify
from mainstay.governance.checkpoints import Checkpoint, Signer
from mainstay.governance.merkle import root_of


class Log(msgspec.Struct):
    entries: list[LogEntry]
    checkpoints: list[Checkpoint]
    public: bytes


def chain(specs: list[tuple[str, str]], start: int = 1, previous: str = GENESIS) -> list[LogEntry]:
    entries: list[LogEntry] = []
    for seq, (actor, subject) in enumerate(specs, start):
        entries.append(entry_of(seq, 1000 + seq, actor, "keys.create", subject, {"n": seq}, previous))
        previous = entries[-1].hash.hex()
    return entries


def sign(signer: Signer, entries: list[LogEntry], sizes: list[int]) -> list[Checkpoint]:
    found: list[Checkpoint] = []
    for size in sizes:
        root = root_of([entry.hash for entry in entries[:size]])
        found.append(signer.checkpoint(size, 5, root, found[-1].hash() if found else GENESIS))
    return found


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def log(signer: Signer) -> Log:
    entries = chain([("uid:0", f"key:{n}") for n in range(20)])
    return Log(entries, sign(signer, entries, [3, 11, 20]), signer.public)


def kinds(log: Log, entries: list[LogEntry], checkpoints: list[Checkpoint] | None = None) -> set[str]:
    report = verify(entries, log.checkpoints if checkpoints is None else checkpoints, log.checkpoints, log.public)
    return {finding.kind for finding in report.findings}


def test_a_log_as_it_was_written_is_whole(log: Log) -> None:
    report = verify(log.entries, log.checkpoints, log.checkpoints, log.public)
    assert report.ok
    assert (report.size, report.covered, report.anchored) == (20, 20, 20)
    assert report.root == log.checkpoints[-1].root


def test_an_empty_log_is_whole(log: Log) -> None:
    assert verify([], [], [], log.public).ok


@pytest.mark.parametrize("index", [0, 7, 19])
@pytest.mark.parametrize("field", ["at", "actor", "action", "subject", "body", "hash"])
def test_an_edit_of_any_column_is_found(log: Log, index: int, field: str) -> None:
    entry = log.entries[index]
    value = getattr(entry, field)
    other = {int: lambda v: v + 1, str: lambda v: v.replace("key", "kez") + " ", bytes: lambda v: v[::-1]}[type(value)](
        value
    )
    entries = [*log.entries]
    entries[index] = msgspec.structs.replace(entry, **{field: other})
    assert "edited" in kinds(log, entries)


def test_an_edit_with_its_hash_made_anew_is_found(log: Log) -> None:
    entries = [*log.entries]
    body = entries[19].body.replace("key:19", "key:99")
    entries[19] = msgspec.structs.replace(entries[19], body=body, subject="key:99", hash=leaf_hash(body.encode()))
    assert "edited" in kinds(log, entries)


def test_a_whole_log_written_anew_without_the_key_is_found(log: Log, tmp_path: Path) -> None:
    entries = chain([("uid:0", f"key:{n}") for n in range(19)] + [("uid:0", "key:other")])
    forged = sign(Signer(tmp_path), entries, [3, 11, 20])
    assert kinds(log, entries, forged) >= {"checkpoint", "anchor"}


def test_a_whole_log_written_anew_with_the_stolen_key_is_found_by_the_anchor(log: Log, signer: Signer) -> None:
    entries = chain([("uid:0", f"key:{n}") for n in range(19)] + [("uid:0", "key:other")])
    assert "anchor" in kinds(log, entries, sign(signer, entries, [3, 11, 20]))


@pytest.mark.parametrize("cut", [1, 5, 19])
def test_a_log_that_was_cut_off_with_its_checkpoints_is_found_by_the_anchor(log: Log, cut: int) -> None:
    kept = [one for one in log.checkpoints if one.size <= cut]
    assert "truncated" in kinds(log, log.entries[:cut], kept)


def test_a_log_that_was_cut_off_and_went_on_is_found_by_the_anchor(log: Log, signer: Signer) -> None:
    entries = log.entries[:15] + chain([("uid:0", "key:new")] * 9, 16, log.entries[14].hash.hex())
    fresh = [*log.checkpoints[:2]]
    fresh.append(signer.checkpoint(24, 9, root_of([e.hash for e in entries]), fresh[-1].hash()))
    assert "truncated" in kinds(log, entries, fresh)


def test_a_checkpoint_that_was_taken_away_is_found(log: Log) -> None:
    assert "checkpoint" in kinds(log, log.entries, [log.checkpoints[0], log.checkpoints[2]])


def test_a_checkpoint_that_was_changed_is_found(log: Log) -> None:
    changed = [*log.checkpoints[:2], msgspec.structs.replace(log.checkpoints[2], at=6)]
    assert {"checkpoint", "anchor"} <= kinds(log, log.entries, changed)


def test_a_line_of_the_anchor_that_is_signed_by_another_is_found(log: Log, tmp_path: Path) -> None:
    forged = Signer(tmp_path).checkpoint(20, 5, b"\0" * 32, GENESIS)
    assert not verify(log.entries, log.checkpoints, [forged], log.public).ok


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["edit", "delete", "swap", "truncate", "insert"]), st.integers(0, 2**32))
def test_no_tamper_goes_unseen(log: Log, kind: str, seed: int) -> None:
    entries = tamper(log.entries, kind, random.Random(seed))
    assert not verify(entries, log.checkpoints, log.checkpoints, log.public).ok


def tamper(entries: list[LogEntry], kind: str, chance: random.Random) -> list[LogEntry]:
    """Return another log; as well forged as can be without the key."""
    found = [*entries]
    at = chance.randrange(len(found))
    if kind == "edit":
        event = msgspec.json.decode(found[at].body)
        event["subject"] += "x"
        body = canonical(event)
        found[at] = msgspec.structs.replace(
            found[at], subject=event["subject"], body=body.decode(), hash=leaf_hash(body)
        )
    elif kind == "delete":
        del found[at]
    elif kind == "swap":
        other = (at + chance.randrange(1, len(found))) % len(found)
        found[at], found[other] = found[other], found[at]
    elif kind == "insert":
        found.insert(at, found[at])
    else:
        found = found[:at]
    return found
