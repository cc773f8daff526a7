"""Files that lie plain are sealed in the background, each in its place, whole or not at all.

Who reads one meanwhile goes on with what was opened; results of a batch under way are sealed when it ends.
"""

from pathlib import Path

from sqlalchemy import Engine

from mainstay.batches.service import blob, node_of, team_of
from mainstay.batches.store import files_of_node
from mainstay.store.sealed_file import is_sealed_file, seal_file
from mainstay.store.sealing import Seal
from mainstay.store.sql import reading

__all__ = ["seal_files"]


def seal_files(engine: Engine, home: Path, seal: Seal, most: int = 20) -> int:
    """Seal up to ``most`` files of this machine that lie plain; return how many.

    Raises:
        sqlalchemy.exc.SQLAlchemyError, OSError, SealLost: the rest is for next time.
    """
    with reading(engine) as connection:
        rows = files_of_node(connection, node_of(home))
    count = 0
    for row in rows:
        path = blob(home, row.id)
        if count == most:
            break
        if path.exists() and not is_sealed_file(path):
            seal_file(path, path, row.id, seal, team_of(row.owner))
            count += 1
    return count
