"""Finding, handing over and erasing, with the proof; with ``kill -9`` in the middle of an erasure."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from mainstay.core.record import Content
from mainstay.core.subject import Subject, Trace
from mainstay.governance.checkpoints import Signer
from mainstay.governance.privacy import STAYS, Desk, check_proof
from mainstay.store.audit import select_entries
from mainstay.store.sealing import NullSeal
from mainstay.store.sql import reading, writing
from mainstay.telemetry.store import insert_records
from mainstay.telemetry.subjects import RecordPlace
from support.records import make_record

JANE = Subject("user", "jane@example.com")


def desk(engine: Engine, home: Path) -> Desk:
    return Desk(engine, Signer(home), [RecordPlace(engine, NullSeal())], "uid:0")


@pytest.fixture
def calls(engine: Engine) -> int:
    """Keep three calls of jane and one of somebody else; return how many are hers."""
    mine = [make_record(id=f"r{n}", user=JANE.value, content=Content(f"words {n}", "")) for n in range(3)]
    with writing(engine) as connection:
        insert_records(engine, connection, [*mine, make_record(id="other", user="joe")])
    return 3


def events(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [entry.action for entry in reversed(select_entries(connection))]


def test_what_is_found_is_noted_without_saying_of_whom(engine: Engine, home: Path, calls: int) -> None:
    assert len(list(desk(engine, home).find(JANE))) == calls
    assert len(list(desk(engine, home).find(JANE, purpose="export"))) == calls
    with reading(engine) as connection:
        entries = select_entries(connection)
    assert [entry.action for entry in entries] == ["privacy.export", "privacy.find"]
    assert not any("jane" in entry.body for entry in entries)
    # Who has the key can tell that both were about the same.
    assert entries[0].subject == entries[1].subject


def test_an_erasure_is_proved_and_its_proof_has_no_words(engine: Engine, home: Path, calls: int) -> None:
    removed: list[Trace] = []
    proof = desk(engine, home).erase(JANE, removed.append)
    assert [(one.place, one.count) for one in proof.removed] == [("records", calls)]
    assert len(removed) == calls
    assert proof.stays == STAYS
    assert not proof.left
    said = msgspec.json.encode(proof).decode()
    assert "jane" not in said
    assert "words" not in said
    assert events(engine) == ["privacy.erase_begin", "privacy.erase"]
    assert list(desk(engine, home).find(JANE)) == []


def test_a_proof_is_good_for_its_subject_and_key_only(engine: Engine, home: Path, calls: int, tmp_path: Path) -> None:
    proof = desk(engine, home).erase(JANE)
    public = Signer(home).public
    assert check_proof(proof, public, JANE)
    assert check_proof(proof, public)
    assert not check_proof(proof, public, Subject("user", "joe"))
    assert not check_proof(proof, public, Subject("text", JANE.value))
    assert not check_proof(proof, Signer(tmp_path / "other").public)
    assert not check_proof(msgspec.structs.replace(proof, at=1), public)
    assert not check_proof(msgspec.structs.replace(proof, signature="no hex"), public)


def test_a_thing_that_was_removed_is_told_by_its_hash(engine: Engine, home: Path, calls: int) -> None:
    from hashlib import sha256

    from mainstay.core.audit import canonical

    copy = list(desk(engine, home).find(JANE))
    proof = desk(engine, home).erase(JANE)
    assert proof.removed[0].hashes == [sha256(proof.salt.encode() + canonical(trace)).hexdigest() for trace in copy]


#: Erases in a process that kills itself when the second page of records has been removed.
ERASING = """
    import os, signal, sys
    from pathlib import Path
    from mainstay.core.subject import Subject
    from mainstay.governance.checkpoints import Signer
    from mainstay.governance.privacy import Desk
    from mainstay.store.sealing import NullSeal
    from mainstay.store.sql import open_engine
    from mainstay.telemetry.subjects import RecordPlace

    home, stop = Path(sys.argv[1]), int(sys.argv[2])
    engine = open_engine(f"sqlite:///{home}/mainstay.db")
    seen = []

    def told(trace):
        seen.append(trace)
        if len(seen) == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    place = RecordPlace(engine, NullSeal())
    Desk(engine, Signer(home), [place], "uid:0").erase(Subject("user", "jane@example.com"), told)
"""


@pytest.mark.parametrize(("stop", "left"), [(1, 250), (201, 50), (449, 0)])
def test_an_erasure_that_is_killed_is_ended_by_the_next(engine: Engine, home: Path, stop: int, left: int) -> None:
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(user=JANE.value, content=Content("x", "")) for _ in range(450)])
    script = [sys.executable, "-c", textwrap.dedent(ERASING), str(home), str(stop)]
    assert subprocess.run(script, check=False).returncode == -signal.SIGKILL
    assert events(engine) == ["privacy.erase_begin"]
    proof = desk(engine, home).erase(JANE)
    # What the first committed is gone, nothing was torn, and nothing is left.
    assert proof.removed[0].count == left
    assert events(engine) == ["privacy.erase_begin", "privacy.erase_begin", "privacy.erase"]
    assert list(desk(engine, home).find(JANE)) == []


def test_erasing_is_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    from mainstay.governance.config import SealingConfig
    from mainstay.governance.vault import Vault
    from mainstay.store.sql import migrate, open_engine

    engine = open_engine(postgres_url)
    migrate(engine)
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(user="pg-jane", tags=["a"], content=Content("x", ""))])
    jane = Subject("user", "pg-jane")
    assert len(list(desk(engine, tmp_path).find(jane))) == 1
    assert desk(engine, tmp_path).erase(jane).removed[0].count == 1
    assert list(desk(engine, tmp_path).find(jane)) == []
    vault = Vault(engine, tmp_path, lambda: SealingConfig(enabled=True))
    vault.ensure(["team:pg"])
    assert vault.rotate("uid:0") >= 2
    assert vault.shred("team:pg", "uid:0") == 1
    engine.dispose()
