"""A migrated database in a directory of the test's own."""

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
    engine = open_engine(f"sqlite:///{home}/mainstay.db")
    migrate(engine)
    yield engine
    engine.dispose()
