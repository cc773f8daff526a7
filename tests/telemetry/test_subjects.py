from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from sqlalchemy import Engine, text

from mainstay.core.record import Attempt, Content
from mainstay.core.subject import Place, Subject, Trace
from mainstay.governance.content import ContentSealer
from mainstay.store.journal import Journal
from mainstay.store.sealing import KeyedSeal, NullSeal
from mainstay.store.sql import reading, wipe, writing
from mainstay.telemetry.jobs import REJECTED, Loader
from mainstay.telemetry.service import get_record
from mainstay.telemetry.store import insert_records
from mainstay.telemetry.subjects import JournalPlace, RecordPlace, RejectedPlace, ids_of
from support.records import line, make_record

JANE = Subject("user", "jane")
ALICE = Subject("key", "alice", ("alice", "key_alice"))
WORDS = Subject("text", "Jane DOE")


def keyed() -> KeyedSeal:
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: b"k" * 32}, {"": name}, enabled=True, tenant="team")
    return seal


def fill(engine: Engine, seal: KeyedSeal | None = None) -> None:
    """Keep four calls: two of jane, one that speaks of her, one that has nothing to do with her."""
    records = [
        make_record(id="r1", user="jane", tags=["vip"], content=Content("Hi, Jane Doe here", "Hello")),
        make_record(id="r2", user="jane", key="key_bob"),
        make_record(id="r3", user="joe", content=Content("write to", "dear JANE DOE,"), key="key_bob"),
        make_record(id="r4", key="key_bob", attempts=[Attempt(upstream_id="resp_up", detail="said: jane")]),
    ]
    for record in records:
        if seal is not None:
            ContentSealer(seal).settle(record)
    with writing(engine) as connection:
        insert_records(engine, connection, records)


def found(place: Place, subject: Subject) -> list[str]:
    return [trace.id for trace in place.find(subject)]


def erased(place: Place, subject: Subject) -> list[str]:
    removed: list[Trace] = []
    place.erase(subject, removed.append)
    return [trace.id for trace in removed]


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize(("subject", "ids"), [(JANE, ["r1", "r2"]), (ALICE, ["r1"]), (WORDS, ["r1", "r3"])])
def test_records_are_found_by_user_key_and_words_sealed_or_not(
    engine: Engine, subject: Subject, ids: list[str], sealed: bool
) -> None:
    seal = keyed() if sealed else None
    fill(engine, seal)
    assert found(RecordPlace(engine, seal or NullSeal()), subject) == ids


def test_a_copy_has_the_words(engine: Engine) -> None:
    seal = keyed()
    fill(engine, seal)
    trace = next(RecordPlace(engine, seal).find(JANE))
    assert trace.data["request"] == "Hi, Jane Doe here"
    assert trace.what == "record with content"
    without = next(RecordPlace(engine, NullSeal()).find(JANE))
    assert "gone" in without.data["request"]


@pytest.mark.parametrize(("subject", "ids"), [(JANE, ["r1", "r2"]), (ALICE, ["r1"]), (WORDS, ["r1", "r3"])])
def test_erasing_takes_content_user_and_tags_and_leaves_the_figures(
    engine: Engine, subject: Subject, ids: list[str]
) -> None:
    fill(engine)
    place = RecordPlace(engine, NullSeal())
    assert erased(place, subject) == ids
    assert erased(place, subject) == []
    for name in ids:
        record = get_record(engine, name)
        assert record is not None
        assert (record.content, record.user, record.tags) == (None, "", [])
        assert record.usage is not None
    other = get_record(engine, "r3")
    assert other is not None
    assert ("r3" in ids) == (other.content is None)


def test_erasing_goes_on_over_many_pages(engine: Engine) -> None:
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(user="jane" if n % 2 else "joe") for n in range(901)])
    assert len(erased(RecordPlace(engine, NullSeal()), JANE)) == 450


def test_the_words_are_not_left_in_the_database_file(engine: Engine, home: Path) -> None:
    fill(engine)
    assert any(b"Jane Doe here" in path.read_bytes() for path in home.glob("mainstay.db*"))
    erased(RecordPlace(engine, NullSeal()), JANE)
    wipe(engine)
    assert not any(b"Jane Doe here" in path.read_bytes() for path in home.glob("mainstay.db*"))


def test_ids_are_those_of_records_and_of_upstreams(engine: Engine) -> None:
    fill(engine)
    assert ids_of(engine, Subject("key", "bob", ("key_bob",)), NullSeal()) == {"r2", "r3", "r4", "resp_up"}


def test_a_line_is_written_over_while_its_worker_goes_on(engine: Engine, home: Path) -> None:
    journal = Journal(home / "journal", 0)
    mine = make_record(id="r1", user="jane", content=Content("Hi, Jane Doe here", "Hello"), tags=["vip"])
    other = make_record(id="r2", user="joe", content=Content("unrelated", ""))
    for record in (mine, other):
        journal.append(line(record))
    loader = Loader(engine, home / "journal")
    loader.load_once()
    journal.append(line(make_record(id="r3", user="jane")))
    place = JournalPlace(engine, home / "journal", NullSeal())
    (path,) = (home / "journal").glob("*.jsonl")
    size = path.stat().st_size
    assert len(found(place, JANE)) == 1
    assert len(erased(place, JANE)) == 1
    assert path.stat().st_size == size
    assert b"Jane" not in path.read_bytes()
    assert b"unrelated" in path.read_bytes()
    assert found(place, JANE) == []
    journal.append(line(make_record(id="r4")))
    assert loader.load_once() == 2
    assert loader.rejected == 0
    # A database that is lost loads them anew: as records of nobody.
    with writing(engine) as connection:
        for table in ("journals", "attempts", "contents", "records"):
            connection.execute(text(f"DELETE FROM {table}"))
    again = Loader(engine, home / "journal")
    assert again.load_once() == 4
    record = get_record(engine, "r1")
    assert record is not None
    assert (record.user, record.content) == ("", None)
    journal.close()


def test_sealed_lines_are_found_by_their_words(engine: Engine, home: Path) -> None:
    seal = keyed()
    record = make_record(content=Content("Hi, Jane Doe here", "Hello"))
    ContentSealer(seal).settle(record)
    journal = Journal(home / "journal", 0)
    journal.append(line(record))
    Loader(engine, home / "journal").load_once()
    assert len(found(JournalPlace(engine, home / "journal", seal), WORDS)) == 1
    assert found(JournalPlace(engine, home / "journal", NullSeal()), WORDS) == []
    journal.close()


def test_rejected_lines_are_searched_too(tmp_path: Path) -> None:
    said = msgspec.json.encode({"id": 1, "user": "jane", "content": {"request": 'I am "Jane Doe"'}}).decode()
    other = msgspec.json.encode({"line": '{"user":"joe"}', "reason": "torn"})
    (tmp_path / REJECTED).write_bytes(msgspec.json.encode({"line": said}) + b"\n" + other + b"\n")
    place = RejectedPlace(tmp_path)
    for subject in (JANE, WORDS):
        assert found(place, subject) == [f"{REJECTED}:1"]
    assert erased(place, JANE) == [f"{REJECTED}:1"]
    assert (tmp_path / REJECTED).read_bytes() == other + b"\n"
    assert erased(RejectedPlace(tmp_path / "nowhere"), JANE) == []


def test_a_text_is_looked_for_everywhere_it_may_be(engine: Engine) -> None:
    with writing(engine) as connection:
        insert_records(
            engine, connection, [make_record(id="r1", tags=["jane doe"]), make_record(id="r2", user="x Jane Doe")]
        )
    assert found(RecordPlace(engine, NullSeal()), WORDS) == ["r1", "r2"]
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM contents")).scalar() == 0
