from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from mainstay.batches.config import BatchesConfig
from mainstay.batches.service import Service, blob, team_of
from mainstay.batches.subjects import FilePlace
from mainstay.batches.upkeep import seal_files
from mainstay.core.errors import NotFound
from mainstay.core.subject import Subject, Trace
from mainstay.store.sealing import KeyedSeal, NullSeal
from support.database import engine, home

__all__ = ["engine", "home"]


def keyed() -> KeyedSeal:
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: b"k" * 32}, {"team:web": name}, enabled=True, tenant="team")
    return seal


def test_files_that_lie_plain_are_sealed_some_at_a_time(engine: Engine, home: Path) -> None:
    plain, seal = Service(engine, home, BatchesConfig()), keyed()
    rows = [plain.add_file("team/web", "batch", "a", b"words %d" % n, None) for n in range(3)]
    blob(home, rows[2].id).unlink()
    assert seal_files(engine, home, seal, 1) == 1
    assert seal_files(engine, home, seal) == 1
    assert seal_files(engine, home, seal) == 0
    assert not any(b"words" in blob(home, row.id).read_bytes() for row in rows[:2])
    with Service(engine, home, BatchesConfig(), seal=seal).content("team/web", rows[0].id) as file:
        assert file.read() == b"words 0"


def test_a_sealed_upload_is_as_long_as_what_was_sent_and_lost_with_its_key(engine: Engine, home: Path) -> None:
    seal = keyed()
    service = Service(engine, home, BatchesConfig(), seal=seal)
    row = service.add_file("team/web", "batch", "a", b"words", None)
    assert row.bytes == 5
    assert b"words" not in blob(home, row.id).read_bytes()
    with service.content("team/web", row.id) as file:
        assert file.read() == b"words"
    with pytest.raises(NotFound):
        Service(engine, home, BatchesConfig(), seal=NullSeal()).content("team/web", row.id)


def test_a_line_is_taken_out_of_a_sealed_file_and_it_stays_sealed(engine: Engine, home: Path) -> None:
    seal = keyed()
    service = Service(engine, home, BatchesConfig(), seal=seal)
    row = service.add_file("team/web", "batch", "a", b'{"user":"jane"}\n{"user":"joe"}\n', None)
    removed: list[Trace] = []
    FilePlace(engine, home, seal).erase(Subject("user", "jane"), removed.append)
    assert len(removed) == 1
    assert b"joe" not in blob(home, row.id).read_bytes()
    with service.content("team/web", row.id) as file:
        assert file.read() == b'{"user":"joe"}\n'


def test_an_owner_is_a_team_or_a_key() -> None:
    assert (team_of("team/web"), team_of("key/key_1")) == ("web", "")
