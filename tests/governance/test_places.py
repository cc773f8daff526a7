import time
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from mainstay.core.subject import Subject, Trace
from mainstay.governance.places import ValuePlace, seal_values
from mainstay.store.kv import FileTable
from mainstay.store.sealing import KeyedSeal, NullSeal, is_sealed

ALICE = "response/" + blake2b(b"key key_alice", digest_size=16).hexdigest()
TEAM = "response/" + blake2b(b"team web", digest_size=16).hexdigest()
RECORD = "0199c0de-7a01-7b3c-8d4e-5f6071829304"


@pytest.fixture
def table(tmp_path: Path) -> FileTable:
    table = FileTable(tmp_path / "kv.db")
    later = time.time() + 100
    said = {"user": "jane", "output": [{"text": 'a "quoted" Jane Doe'}]}
    table.write(
        {
            f"{ALICE}/resp_1": b"{}",
            f"{TEAM}/resp_2": msgspec.json.encode(said),
            f"{TEAM}/resp_{RECORD.replace('-', '')}": b"{}",
            f"{TEAM}/item/msg_upstream": b"resp_up",
            f"{TEAM}/resp_3": b'{"safety_identifier": "jane"}',
        },
        later,
    )
    table.write({f"{TEAM}/resp_old": b'{"user":"jane"}'}, time.time() - 1)
    return table


def place(table: FileTable, seal: KeyedSeal | None = None) -> ValuePlace:
    return ValuePlace(table, seal or NullSeal(), time.time())


@pytest.mark.parametrize(
    ("subject", "ends"),
    [
        (Subject("user", "jane"), {"resp_2", "resp_3"}),
        (Subject("user", "joe", (), frozenset({RECORD})), {f"resp_{RECORD.replace('-', '')}"}),
        (Subject("user", "joe", (), frozenset({"resp_up"})), {"msg_upstream"}),
        (Subject("key", "alice", ("alice", "key_alice")), {"resp_1"}),
        (Subject("text", 'a "QUOTED" jane'), {"resp_2"}),
        (Subject("text", "nobody"), set()),
    ],
)
def test_rows_are_found_and_removed(table: FileTable, subject: Subject, ends: set[str]) -> None:
    removed: list[Trace] = []
    found = {trace.id.rpartition("/")[2] for trace in place(table).find(subject)}
    place(table).erase(subject, removed.append)
    assert found == {trace.id.rpartition("/")[2] for trace in removed} == ends
    assert list(place(table).find(subject)) == []
    assert len(table.scan("", 99)) == 6 - len(ends)


def test_plain_rows_are_sealed_and_still_found(table: FileTable) -> None:
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: b"k" * 32}, {"": name}, enabled=True, tenant="team")
    after: str | None = ""
    total = 0
    while after is not None:
        count, after = seal_values(table, seal, after, 4)
        total += count
    assert total == 6
    assert all(is_sealed(value) for _, value, _ in table.scan("", 99))
    assert seal_values(table, seal, "") == (0, None)
    assert len(list(place(table, seal).find(Subject("user", "jane")))) == 2
    assert list(place(table).find(Subject("user", "jane"))) == []
