"""What every page of the admin API works with, in one value. The control process makes one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from mainstay.config.load import Loaded
from mainstay.core.errors import Unavailable
from mainstay.grounding.service import Knowledge
from mainstay.grounding.service.tasks import Tasks
from mainstay.identity.directory import Directory
from mainstay.identity.keys import load_pepper
from mainstay.identity.service import Keys
from mainstay.identity.sessions import Doorkeeper

__all__ = ["Office", "OpenKnowledge", "open_office"]

#: Opens the knowledge bases for a block, for who makes changes, as the audit log has it.
OpenKnowledge = Callable[[str], AbstractContextManager[Knowledge]]


@dataclass(frozen=True, slots=True)
class Office:
    """The services behind the pages. ``loaded`` returns the configuration in force."""

    engine: Engine
    home: Path
    loaded: Callable[[], Loaded]
    keys: Keys
    directory: Directory
    doorkeeper: Doorkeeper
    #: What login cookies are sealed with.
    pepper: bytes
    knowledge: OpenKnowledge
    #: What is read and built beside.
    tasks: Tasks


def open_office(
    engine: Engine, keys: Keys, loaded: Callable[[], Loaded], knowledge: OpenKnowledge | None = None
) -> Office:
    """Return the services over a migrated database; without ``knowledge`` there is none.

    Raises:
        StartError: the secret that keys are hashed with cannot be read.
    """
    home = loaded().home
    pepper = load_pepper(home)
    doorkeeper = Doorkeeper(engine, pepper, lambda: loaded().config.identity.sessions)
    opened = knowledge or _none
    return Office(engine, home, loaded, keys, Directory(engine), doorkeeper, pepper, opened, Tasks(opened))


def _none(_: str) -> AbstractContextManager[Knowledge]:
    raise Unavailable("Knowledge cannot be reached here.")
