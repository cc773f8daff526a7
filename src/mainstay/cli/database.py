"""The database as a command opens it, whether or not a server runs. Does not know what the command does with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mainstay.config import Loaded
from mainstay.runtime.state import has_begun

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

__all__ = ["opened"]


@contextmanager
def opened(loaded: Loaded) -> Iterator["Engine"]:
    """Open the database of a configuration for the block, its tables brought up to date.

    Raises:
        StartError: it cannot be opened, is of a newer Mainstay, or refuses what the block asks of it.
    """
    from sqlalchemy.exc import DBAPIError

    from mainstay.store.sql import explained, migrate, open_engine

    # A gateway that runs has a database: one that is missing was moved, and a new one would have none of its keys.
    engine = open_engine(loaded.config.store.url, create=not has_begun(loaded.home / "run"))
    try:
        migrate(engine)
        yield engine
    except DBAPIError as error:
        raise explained(error, engine.url) from None
    finally:
        engine.dispose()
