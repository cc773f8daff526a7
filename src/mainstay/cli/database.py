"""The database as a command opens it, whether or not a server runs. Does not know what the command does with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from mainstay.config import Loaded
from mainstay.runtime.state import has_begun

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

__all__ = ["actor", "load_newest", "opened"]


def actor() -> str:
    """Return who types, as the audit log has it: the number of the system's account, not its name."""
    return f"uid:{os.getuid()}"


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


def load_newest(engine: "Engine", loaded: Loaded) -> None:
    """Load what the workers' journals hold, as the control process does: with its entries in the books.

    What cannot be loaded now is told of, and is no reason not to go on.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from mainstay.assembly.footprints import Footprinting
    from mainstay.cost.store import post
    from mainstay.governance import denials
    from mainstay.telemetry.jobs import Loader, together

    try:
        enrich = Footprinting(loaded.config).settle
        Loader(engine, loaded.home / "journal", post=together(post, denials.post), enrich=enrich).load_once()
    except (SQLAlchemyError, OSError) as error:
        typer.echo(f"The newest records could not be loaded yet ({type(error).__name__}).", err=True)
