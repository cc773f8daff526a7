from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.batches.config import BatchesConfig
from mainstay.batches.service import Service, blob
from mainstay.batches.subjects import FilePlace
from mainstay.core.subject import Subject, Trace
from mainstay.store.sealing import NullSeal
from support.database import engine, home

__all__ = ["engine", "home"]

LINES = b"""{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"user":"jane","messages":[]}}
{"custom_id":"2","method":"POST","url":"/v1/chat/completions","body":{"user":"joe","messages":["Jane \\"X\\" Doe"]}}
"""


def erased(place: FilePlace, subject: Subject) -> list[str]:
    removed: list[Trace] = []
    place.erase(subject, removed.append)
    return [trace.id for trace in removed]


@pytest.fixture
def service(engine: Engine, home: Path) -> Service:
    return Service(engine, home, BatchesConfig())


@pytest.mark.parametrize(("subject", "line"), [(Subject("user", "jane"), 1), (Subject("text", 'jane "x" doe'), 2)])
def test_lines_about_a_subject_are_taken_out(
    engine: Engine, home: Path, service: Service, subject: Subject, line: int
) -> None:
    row = service.add_file("team/web", "batch", "a.jsonl", LINES, None)
    place = FilePlace(engine, home, NullSeal())
    assert [trace.id for trace in place.find(subject)] == [f"{row.id}:{line}"]
    assert erased(place, subject) == [f"{row.id}:{line}"]
    rest = LINES.splitlines(keepends=True)[2 - line]
    assert blob(home, row.id).read_bytes() == rest
    assert service.file("team/web", row.id).bytes == len(rest)
    assert erased(place, subject) == []


def test_a_keys_own_files_go_whole(engine: Engine, home: Path, service: Service) -> None:
    mine = service.add_file("key/key_alice", "batch", "a.jsonl", LINES, None)
    other = service.add_file("key/key_bob", "batch", "b.jsonl", LINES, None)
    place = FilePlace(engine, home, NullSeal())
    alice = Subject("key", "alice", ("alice", "key_alice"))
    assert next(place.find(alice)).data["content"] == LINES.decode()
    assert erased(place, alice) == [mine.id]
    assert not blob(home, mine.id).exists()
    assert blob(home, other.id).exists()


def test_a_file_that_a_batch_reads_stays_until_it_has_ended(engine: Engine, home: Path, service: Service) -> None:
    row = service.add_file("team/web", "batch", "a.jsonl", LINES, None)
    service.add_batch(
        "team/web",
        "k",
        endpoint="/v1/chat/completions",
        input_file_id=row.id,
        window="24h",
        metadata=None,
        lifetime=None,
    )
    place = FilePlace(engine, home, NullSeal())
    assert erased(place, Subject("user", "jane")) == []
    assert len(list(place.find(Subject("user", "jane")))) == 1
