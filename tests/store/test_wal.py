"""Files that several processes open at the same moment."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from mainstay.store.wal import make_file, write_ahead


def test_a_file_is_made_for_its_owner_only_and_never_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"words")
    make_file(path)
    assert path.read_bytes() == b"words"
    assert [one.name for one in tmp_path.iterdir()] == ["a.db"]


def test_whoever_finds_the_file_locked_waits_for_it_and_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, 0, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (a)")
        other.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, 0, isolation_level=None, check_same_thread=False)) as db:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                write_ahead(db, 0.0)
            waiting = threading.Thread(target=write_ahead, args=(db, 60.0))
            waiting.start()
            other.execute("COMMIT")
            waiting.join()
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.DatabaseError, match="not a database"):
        write_ahead(db, 60.0)
