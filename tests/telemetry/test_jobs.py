import json
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from mainstay.core.record import Content, Record
from mainstay.store.journal import Journal, journal_files
from mainstay.store.sql import open_engine, reading, writing
from mainstay.telemetry import jobs
from mainstay.telemetry.jobs import REJECTED, Loader
from mainstay.telemetry.service import get_record, list_records
from mainstay.telemetry.store import RecordFilter
from support.records import line, make_record

WRITER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from support.records import line, make_record
    from mainstay.store.journal import Journal
    journal = Journal(Path(sys.argv[1]), int(sys.argv[3]), max_bytes=200_000)
    while True:
        record = make_record()
        assert journal.append(line(record))
        sys.stdout.write(record.id + "\\n")
        sys.stdout.flush()
"""
LOADER = """
    import sys
    from pathlib import Path
    from mainstay.store.sql import open_engine
    from mainstay.telemetry.jobs import Loader
    loader = Loader(open_engine(sys.argv[2]), Path(sys.argv[1]), batch_bytes=20_000)
    while True:
        loader.load_once()
        print(loader.loaded, flush=True)
"""


@pytest.fixture
def directory(home: Path) -> Path:
    return home / "journal"


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    journal = Journal(directory, 0)
    yield journal
    journal.close()


def ids(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(text("SELECT id FROM records")).scalars())


def append(journal: Journal, *records: Record) -> list[str]:
    for record in records:
        assert journal.append(line(record))
    return [record.id for record in records]


def python(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], stdout=subprocess.PIPE, text=True
    )


def test_records_go_from_the_journal_to_the_database(engine: Engine, directory: Path, journal: Journal) -> None:
    record = make_record(content=Content("q", "a"), cost_usd="0.000123")
    append(journal, record, make_record())
    assert Loader(engine, directory).load_once() == 2
    assert get_record(engine, record.id) == record


def test_a_line_is_loaded_once_by_one_loader_or_its_successor(
    engine: Engine, directory: Path, journal: Journal
) -> None:
    first = append(journal, make_record(), make_record())
    loader = Loader(engine, directory)
    assert [loader.load_once(), loader.load_once()] == [2, 0]
    second = append(journal, make_record())
    assert [Loader(engine, directory).load_once(), loader.load_once()] == [1, 0]
    assert ids(engine) == first + second


def test_loading_in_small_batches_finds_everything(engine: Engine, directory: Path, journal: Journal) -> None:
    written = append(journal, *(make_record() for _ in range(25)))
    assert Loader(engine, directory, batch_bytes=300).load_once() == 25
    assert ids(engine) == written


def test_a_file_is_kept_while_its_writer_lives_and_removed_after(
    engine: Engine, directory: Path, journal: Journal
) -> None:
    append(journal, make_record())
    loader = Loader(engine, directory)
    loader.load_once()
    assert len(journal_files(directory)) == 1
    journal.close()
    loader.load_once()
    assert journal_files(directory) == []
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM journals")).scalar() == 0


def test_a_file_waits_until_its_records_are_on_the_disk(engine: Engine, directory: Path, journal: Journal) -> None:
    append(journal, make_record())
    journal.close()
    with reading(engine) as reader:
        reader.execute(text("SELECT count(*) FROM records")).scalar()
        Loader(engine, directory).load_once()
        assert len(journal_files(directory)) == 1
    Loader(engine, directory).load_once()
    assert journal_files(directory) == []


def test_an_empty_file_of_a_dead_writer_is_removed(engine: Engine, directory: Path, journal: Journal) -> None:
    journal.close()
    assert Loader(engine, directory).load_once() == 0
    assert journal_files(directory) == []


def test_lines_that_are_no_records_are_set_aside_and_counted(
    engine: Engine, directory: Path, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    good = append(journal, make_record())
    costly = make_record(cost_usd="a lot")
    garbage = [b'{"id":"torn', b"\xff\xfe\x00", b"{}", b"[]", b'{"id":1}', line(costly)]
    for raw in garbage:
        journal.append(raw)
    good += append(journal, make_record())
    loader = Loader(engine, directory)
    assert loader.load_once() == 2
    assert ids(engine) == good
    assert loader.rejected == len(garbage)
    kept = [json.loads(row) for row in (directory / REJECTED).read_text().splitlines()]
    assert [row["line"] for row in kept] == [raw.decode(errors="backslashreplace") for raw in garbage]
    assert (directory / REJECTED).stat().st_mode & 0o777 == 0o600
    assert loader.load_once() == 0
    assert loader.rejected == len(garbage)
    assert "are no records" in caplog.text


def test_rejected_lines_are_still_counted_when_their_file_is_full(
    engine: Engine, directory: Path, journal: Journal
) -> None:
    for _ in range(10):
        journal.append(b"rubbish")
        loader = Loader(engine, directory, max_rejected=500)
        loader.load_once()
        assert loader.rejected == 1
    assert 0 < (directory / REJECTED).stat().st_size <= 500


def test_the_torn_end_of_a_killed_writer_is_counted_once(engine: Engine, directory: Path, journal: Journal) -> None:
    whole = append(journal, make_record())
    (path,) = journal_files(directory)
    with path.open("ab") as file:
        file.write(line(make_record())[:-7])
    loader = Loader(engine, directory)
    loader.load_once()
    assert loader.rejected == 0, "the writer may still be writing it"
    journal.close()
    loader.load_once()
    assert loader.rejected == 1
    assert ids(engine) == whole
    assert journal_files(directory) == []


def test_one_record_that_the_database_refuses_does_not_hold_up_the_rest(
    engine: Engine, directory: Path, journal: Journal
) -> None:
    records = [make_record(), make_record(request_bytes=2**63), make_record()]
    append(journal, *records)
    loader = Loader(engine, directory)
    assert loader.load_once() == 2
    assert loader.rejected == 1
    assert ids(engine) == [records[0].id, records[2].id]


def test_while_the_database_is_locked_nothing_is_lost_and_nothing_moves(
    engine: Engine, directory: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.store.sql._BUSY_S", 0.01)
    impatient = open_engine(str(engine.url))
    loader = Loader(impatient, directory)
    written = append(journal, make_record())
    with writing(engine):
        with pytest.raises(OperationalError):
            loader.load_once()
        written += append(journal, make_record())
    assert loader.load_once() == 2
    assert ids(engine) == written
    impatient.dispose()


def test_the_loop_waits_out_an_outage_and_drains_the_journal_when_stopped(
    engine: Engine, directory: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, failures = threading.Event(), [3]
    honest = jobs.insert_records

    def flaky(*arguments: object) -> None:
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("insert", {}, Exception("down"))
        honest(*arguments)  # type: ignore[arg-type]  # handed through
        stop.set()

    monkeypatch.setattr(jobs, "insert_records", flaky)
    written = append(journal, make_record())
    loader = Loader(engine, directory)
    thread = threading.Thread(target=loader.run, args=(stop,), kwargs={"interval": 0.001, "patience": 0.002})
    thread.start()
    assert stop.wait(60)
    thread.join()
    assert ids(engine) == written
    stop.set()
    written += append(journal, make_record())
    loader.run(stop)
    assert ids(engine) == written


def test_the_backlog_is_what_waits_in_the_journal(engine: Engine, directory: Path, journal: Journal) -> None:
    append(journal, make_record())
    loader = Loader(engine, directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "insert_records", lambda *_: (_ for _ in ()).throw(OperationalError("", {}, Exception())))
        with pytest.raises(OperationalError):
            loader.load_once()
    assert loader.backlog == journal_files(directory)[0].stat().st_size
    loader.load_once()
    assert loader.backlog == 0


@pytest.mark.parametrize("crash", ["advance", "insert_records", "forget", "unlink"])
def test_a_loader_that_dies_at_any_step_neither_loses_nor_repeats(
    engine: Engine, directory: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    written = append(journal, *(make_record() for _ in range(6)))
    journal.close()

    class Killed(BaseException):
        pass

    for when in ("before", "after"):
        with monkeypatch.context() as patch:
            owner, name = (Path, "unlink") if crash == "unlink" else (jobs, crash)
            honest = getattr(owner, name)

            def dying(*arguments: object, honest: object = honest, when: str = when, **options: object) -> None:
                if when == "after":
                    honest(*arguments, **options)  # type: ignore[operator]  # whichever function it is
                raise Killed

            patch.setattr(owner, name, dying)
            with pytest.raises(Killed):
                Loader(engine, directory, batch_bytes=900).load_once()
        another = Journal(directory, 0)
        written += append(another, make_record())
        another.close()
    Loader(engine, directory).load_once()
    assert Counter(ids(engine)) == Counter(written)
    assert journal_files(directory) == []


def test_two_loaders_at_once_load_each_record_once(engine: Engine, directory: Path, journal: Journal) -> None:
    written = append(journal, *(make_record() for _ in range(400)))
    journal.close()
    loaders = [Loader(engine, directory, batch_bytes=4000) for _ in range(3)]

    def work(loader: Loader) -> None:
        while journal_files(directory):
            loader.load_once()

    threads = [threading.Thread(target=work, args=(loader,)) for loader in loaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(engine) == written
    assert sum(loader.loaded for loader in loaders) == 400


def test_killed_writers_and_killed_loaders_lose_no_acknowledged_record(engine: Engine, directory: Path) -> None:
    chance = random.Random(20261121)
    tests = str(Path(__file__).parents[1])
    acknowledged: list[str] = []
    for round_ in range(3):
        writers = [python(WRITER, str(directory), tests, str(worker)) for worker in range(2)]
        loader = python(LOADER, str(directory), str(engine.url))
        assert loader.stdout is not None
        for writer in writers:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().strip() for _ in range(chance.randrange(500, 1500))]
        while int(loader.stdout.readline()) < 200 * (round_ + 1):
            pass
        for process in (loader, *writers):
            process.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout is not None
            # What was acknowledged before the kill and not read yet; the last line may be cut.
            acknowledged += [row.strip() for row in writer.stdout if row.endswith("\n")]
        for process in (loader, *writers):
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    last = Loader(engine, directory)
    last.load_once()
    found = Counter(ids(engine))
    assert len(acknowledged) > 3000
    assert set(acknowledged) <= set(found)
    assert set(found.values()) == {1}
    assert journal_files(directory) == []
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM attempts")).scalar() == len(found)


def test_the_same_code_works_on_postgresql(directory: Path, journal: Journal, postgres_url: str) -> None:
    from mainstay.store.sql import migrate

    engine = open_engine(postgres_url)
    migrate(engine)
    migrate(engine)
    poison = make_record(at=1, content=Content("nul \0 inside", "a"))
    written = append(journal, make_record(at=3), poison, make_record(at=2))
    journal.close()
    loader = Loader(engine, directory)
    assert loader.load_once() == 3
    assert loader.load_once() == 0
    assert [record.id for record in list_records(engine, RecordFilter(), limit=3)] == [
        written[0],
        written[2],
        written[1],
    ]
    found = get_record(engine, poison.id)
    assert found is not None
    assert found.content == Content("nul \ufffd inside", "a")
    engine.dispose()
