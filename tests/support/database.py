"""A migrated database in a directory of the test's own."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.store.sql import migrate, open_engine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the directory that stands for ``var/``."""
    return tmp_path / "var"


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    """Return an empty SQLite database at head."""
    home.mkdir(mode=0o700, exist_ok=True)
    file = home / "mainstay.db"
    file.touch(mode=0o600)
    file.write_bytes(empty())
    engine = open_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@functools.cache
def empty() -> bytes:
    """Return the file of an empty database at head: migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/mainstay.db")
        migrate(engine)
        engine.dispose()
        return Path(folder, "mainstay.db").read_bytes()
