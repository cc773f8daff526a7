"""The database as commands open it: what stands in the way is one sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def database(here, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    assert here("keys create first")[0] == 0
    with closing(sqlite3.connect(tmp_path / "var" / "mainstay.db", isolation_level=None)) as connection:
        yield connection


def _is_told(ended: tuple[int, str, str], sentence: str) -> None:
    code, out, said = ended
    assert (code, out) == (1, "")
    assert said.splitlines()[-1].startswith("mainstay: ")
    assert sentence in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_locked_database_is_named(here, database, monkeypatch) -> None:
    monkeypatch.setattr("mainstay.store.sql._BUSY_S", 0.05)
    database.execute("BEGIN EXCLUSIVE")
    _is_told(here("keys create second"), "is locked by another program: close that program and try again.")


@pytest.mark.parametrize("line", ["keys list", "records list"])
def test_a_database_of_a_newer_version_is_left_alone(here, database, line: str) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    _is_told(here(line), "The database was written by a newer Mainstay (schema 9999")


@pytest.mark.parametrize("verb", ["up", "serve"])
def test_a_server_leaves_a_database_of_a_newer_version_alone_too(command, database, verb: str) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    _is_told(command.run(verb), "The database was written by a newer Mainstay (schema 9999")


@pytest.mark.parametrize("line", ["keys list", "records list"])
def test_a_file_that_is_no_database_is_named(here, tmp_path: Path, line: str) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "mainstay.db").write_bytes(b"no database at all\n" * 300)
    _is_told(here(line), "is not a sound SQLite database: restore it from a backup or move it away.")
