import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

import mainstay.batches.store
import mainstay.cost.store
import mainstay.governance.reviews_store
import mainstay.governance.store
import mainstay.identity.store
import mainstay.store
import mainstay.store.audit
import mainstay.telemetry.store
from mainstay.core.errors import StartError
from mainstay.store import sql
from mainstay.store.sql import HEAD, explained, is_settled, migrate, open_engine, reading, writing


def pragma(engine: Engine, name: str) -> object:
    with reading(engine) as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_is_opened_for_one_writer_and_many_readers(engine: Engine) -> None:
    assert pragma(engine, "journal_mode") == "wal"
    assert pragma(engine, "synchronous") == 1
    assert pragma(engine, "busy_timeout") == 5000
    assert pragma(engine, "foreign_keys") == 1


def test_a_reader_is_not_stopped_by_a_writer_and_sees_nothing_uncommitted(engine: Engine) -> None:
    with writing(engine) as writer:
        writer.execute(text("INSERT INTO settings VALUES ('a', '1')"))
        with reading(engine) as reader:
            assert reader.execute(text("SELECT count(*) FROM settings")).scalar() == 0
    with reading(engine) as reader:
        assert reader.execute(text("SELECT count(*) FROM settings")).scalar() == 1


def test_a_block_that_fails_writes_nothing(engine: Engine) -> None:
    def fail() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM settings")).scalar() == 0


def test_writers_that_read_first_wait_for_each_other(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('n', '0')"))

    def count() -> None:
        for _ in range(20):
            with writing(engine) as connection:
                value = int(connection.execute(text("SELECT value FROM settings")).scalar_one())
                connection.execute(text("UPDATE settings SET value = :v"), {"v": str(value + 1)})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT value FROM settings")).scalar() == "80"


def test_what_is_committed_can_be_brought_to_the_disk_unless_an_old_reader_stands_in_the_way(engine: Engine) -> None:
    with reading(engine) as reader:
        reader.execute(text("SELECT count(*) FROM settings")).scalar()
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
        assert not is_settled(engine)
    assert is_settled(engine)


def test_migrating_gives_the_tables_that_the_rooms_describe(engine: Engine) -> None:
    described = [
        mainstay.telemetry.store.metadata,
        mainstay.identity.store.metadata,
        mainstay.batches.store.metadata,
        mainstay.cost.store.metadata,
        mainstay.governance.store.metadata,
        mainstay.governance.reviews_store.metadata,
        mainstay.store.audit.metadata,
    ]
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, described) == []  # type: ignore[arg-type]  # a list is allowed


def test_head_is_the_newest_revision_and_history_is_one_line() -> None:
    script = ScriptDirectory(str(Path(mainstay.store.__path__[0]) / "migrations"))
    assert script.get_heads() == [HEAD]
    assert len(script.get_bases()) == 1


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
    migrate(engine)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT value FROM settings")).scalar() == "1"


def test_of_several_that_migrate_at_once_one_does_and_none_fails(tmp_path: Path) -> None:
    url, barrier, failures = f"sqlite:///{tmp_path}/mainstay.db", threading.Barrier(4), []

    def run() -> None:
        engine = open_engine(url)
        barrier.wait()
        try:
            migrate(engine)
        except StartError as error:
            failures.append(error)
        engine.dispose()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_migration_that_breaks_off_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/mainstay.db")

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MigrationContext, "stamp", cut)
    with pytest.raises(KeyboardInterrupt):
        migrate(engine)
    monkeypatch.undo()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0
    migrate(engine)
    engine.dispose()


def test_a_database_at_head_is_opened_without_loading_alembic(engine: Engine) -> None:
    program = (
        "import sys; from mainstay.store.sql import migrate, open_engine; "
        "migrate(open_engine(sys.argv[1])); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(engine.url)], check=True)


def test_the_journal_and_the_ring_are_taken_without_loading_sqlalchemy() -> None:
    program = (
        "import sys, mainstay.store.journal, mainstay.identity.keyring, mainstay.identity.null, "
        "mainstay.cli.keys, mainstay.cli.records; assert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_tables_of_a_newer_mainstay_are_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartError, match=r"newer Mainstay \(schema 9999"):
        migrate(engine)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mainstay.db").write_bytes(b"this is text, and quite a lot of it" * 100)
    with pytest.raises(StartError, match="not a sound SQLite database"):
        open_engine(f"sqlite:///{tmp_path}/mainstay.db")


def test_a_directory_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No permission to open"):
        open_engine(f"sqlite:///{tmp_path}")


def test_a_database_that_another_program_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_BUSY_S", 0.05)
    other = sqlite3.connect(tmp_path / "mainstay.db", isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StartError, match="locked by another program"):
            open_engine(f"sqlite:///{tmp_path}/mainstay.db")
    finally:
        other.close()


def count(engine: Engine) -> object:
    with reading(engine) as connection:
        return connection.execute(text("SELECT count(*) FROM settings")).scalar()


def test_a_database_that_is_moved_away_is_not_made_again_and_is_found_when_it_is_back(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/mainstay.db")
    migrate(engine)
    (tmp_path / "away").mkdir()
    for file in tmp_path.glob("mainstay.db*"):
        file.rename(tmp_path / "away" / file.name)
    for block in (reading, writing):
        with pytest.raises(OperationalError) as caught, block(engine):
            pass
        assert explained(caught.value, engine.url).message.startswith(
            f"The database '{tmp_path}/mainstay.db' is not there"
        )
    assert not list(tmp_path.glob("mainstay.db*"))
    for file in (tmp_path / "away").iterdir():
        file.rename(tmp_path / file.name)
    assert count(engine) == 0
    engine.dispose()


def test_another_database_in_the_place_of_the_first_is_opened_anew(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/mainstay.db")
    migrate(engine)
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    migrate(other)
    with writing(other) as connection:
        connection.execute(text("INSERT INTO settings VALUES ('a', '1')"))
    other.dispose()
    assert count(engine) == 0
    (tmp_path / "other.db").replace(tmp_path / "mainstay.db")
    for companion in ("mainstay.db-wal", "mainstay.db-shm"):
        (tmp_path / companion).unlink()
    assert count(engine) == 1
    engine.dispose()


def test_a_database_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is not there"):
        open_engine(f"sqlite:///{tmp_path}/mainstay.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_signs_of_a_url_in_it_is_a_path(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/a b#c&d.db")
    migrate(engine)
    engine.dispose()
    assert {path.name for path in tmp_path.iterdir()} == {"a b#c&d.db"}


#: Run by a user whom permissions bind: what is written and read while the file is read-only, and after.
_READ_ONLY = """
import contextlib, pathlib, sys, threading
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from mainstay.store.sql import migrate, open_engine, reading, writing

folder = pathlib.Path(sys.argv[1])
engine = open_engine(f"sqlite:///{folder}/mainstay.db")
migrate(engine)

def chmod(mode):
    for file in folder.glob("mainstay.db*"):
        file.chmod(mode)

def write():
    try:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO settings VALUES (hex(randomblob(9)), '1')"))
    except OperationalError as error:
        kept.append(error)
        return error.orig.sqlite_errorname
    return "ok"

kept = []
held, go_on = threading.Event(), threading.Event()

def read():
    with reading(engine) as connection:
        connection.execute(text("SELECT count(*) FROM settings")).scalar()
        held.set()
        go_on.wait()

said = [write()]
chmod(0o444)
said.append(write())
with contextlib.ExitStack() as stack:
    for _ in range(5):
        stack.enter_context(reading(engine))
reader = threading.Thread(target=read)
reader.start()
held.wait()
said.append(write())
go_on.set()
reader.join()
chmod(0o600)
said.append(write())
print(*said)
"""


def test_a_database_that_was_read_only_is_written_again(tmp_path: Path) -> None:
    bound = [] if os.geteuid() else ["setpriv", "--bounding-set", "-dac_override"]
    if bound and shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere")
    # Another program keeps the companions of the file from being removed and made afresh.
    open_engine(f"sqlite:///{tmp_path}/mainstay.db").dispose()
    other = sqlite3.connect(tmp_path / "mainstay.db")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    command = [*bound, sys.executable, "-c", _READ_ONLY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    other.close()
    assert done.stdout.split() == ["ok", "SQLITE_READONLY", "SQLITE_READONLY", "ok"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "not a database URL"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("papyrus://scroll", "do not know"),
    ],
)
def test_a_url_that_means_nothing_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence):
        open_engine(url)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StartError, match="pip install"):
        open_engine("postgresql://me:hush@127.0.0.1:1/x")


def test_values_stay_out_of_error_messages(engine: Engine) -> None:
    def twice() -> None:
        with writing(engine) as connection:
            for _ in range(2):
                connection.execute(text("INSERT INTO settings VALUES ('a', :value)"), {"value": "hush"})

    with pytest.raises(IntegrityError) as caught:
        twice()
    assert "hush" not in str(caught.value)
