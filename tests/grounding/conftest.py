"""Knowledge bases in SQLite and in PostgreSQL: what holds of one holds of the other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.postgres import Server
from support.stores import Opener


@pytest.fixture(scope="session")
def database(postgres: Server) -> Callable[[str], str]:
    """Returns the address of a database by its name, made when it is asked for first."""
    made: dict[str, str] = {}

    def of(name: str) -> str:
        if name not in made:
            made[name] = postgres.database()
        return made[name]

    return of


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens knowledge bases, in each kind of store."""
    server: Server | None = None
    of: Callable[[str], str] | None = None
    if request.param == "postgres":
        server, of = request.getfixturevalue("postgres"), request.getfixturevalue("database")
    opened = Opener(tmp_path, of, server)
    yield opened
    opened.end()
