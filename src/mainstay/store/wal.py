"""SQLite files that several processes open at the same moment: made without a gap, and switched to write-ahead logging.

For rooms that keep a file of their own beside the main database (``sql`` opens that).
"""

import os
import sqlite3
import tempfile
from pathlib import Path
from time import sleep
from typing import Final

from mainstay.core.clock import monotonic

__all__ = ["make_file", "write_ahead"]

#: Seconds after which SQLite is asked again where it would not wait.
_AGAIN: Final = 0.005


def make_file(path: Path) -> None:
    """Make ``path``, empty and with mode 0600, unless another process has.

    Raises:
        OSError: the disk or the permissions do not allow it.
    """
    # Linked in when it is closed already: closing a file drops every lock that this process has on it.
    made, spare = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(made)
    try:
        os.link(spare, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(spare)


def write_ahead(db: sqlite3.Connection, patience: float) -> None:
    """Switch to write-ahead logging, waiting up to ``patience`` seconds for a process that does the same.

    Raises:
        sqlite3.OperationalError: it could not be done in that time.
    """
    # SQLite does not wait for this lock by itself where another process changes the mode at the same moment.
    until = monotonic() + patience
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(_AGAIN)
        else:
            return
