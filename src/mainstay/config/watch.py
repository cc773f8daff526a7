"""Notices that the configuration changed on disk, and loads it anew. Polled; knows nothing of who applies it."""

import os
from collections.abc import Mapping
from pathlib import Path

from mainstay.config.load import Loaded, check, sources
from mainstay.config.schema import Config
from mainstay.core.errors import ConfigError

__all__ = ["Watcher"]

_Stat = tuple[str, int, int, int, int]


class Watcher:
    """Watches one configuration: its files, the list of them when it is a folder, and the secrets it mounts.

    A change is loaded when two polls in a row see the same state, so that a file is not read half written. Replacing a
    file or a symbolic link is seen as well as writing in place.

    Args:
        path: what ``loaded`` was loaded from.
        env: the environment, for each load.
        loaded: the configuration in force, loaded from there; a command's options may have been put into it.
    """

    def __init__(self, path: str | Path, env: Mapping[str, str], loaded: Loaded) -> None:
        self._path = Path(path)
        self._env = env
        self._good = loaded
        self._mounted = loaded.mounted
        # What the files came to when last read here. Not ``loaded.config``: options of a command may stand in that.
        self._read: Config | None = None
        self._refused: str | None = None
        # What changed between loading and watching must be seen too, so the first state is loaded once more.
        self._applied: tuple[_Stat, ...] | None = None
        self._seen = self._state()

    @property
    def current(self) -> Loaded:
        """The last good configuration."""
        return self._good

    def poll(self) -> Loaded | ConfigError | None:
        """Return a new configuration or, once per bad edit, why it was refused; None while nothing is new.

        The last good configuration stays in force after an error; when it is put back it is returned again.
        """
        state = self._state()
        if state != self._seen:
            self._seen = state
            return None
        if state == self._applied:
            return None
        self._applied = state
        checked = check(self._path, self._env)
        self._mounted = checked.mounted  # Other secrets make another state, which is loaded once more.
        try:
            loaded = checked.result()
        except ConfigError as error:
            again = error.message == self._refused
            self._refused = error.message
            return None if again else error
        same = loaded.hash == self._good.hash and self._read in (None, loaded.config)
        self._read = loaded.config
        if same and self._refused is None:
            return None
        self._good, self._refused = loaded, None
        return loaded

    def _state(self) -> tuple[_Stat, ...]:
        try:
            files = sources(self._path)
        except OSError:
            files = (self._path,)
        return tuple(_stat(file) for file in (*files, *sorted(set(self._mounted))))


def _stat(file: Path) -> _Stat:
    try:
        found = os.stat(file)
    except OSError:
        return (str(file), 0, 0, 0, 0)
    return (str(file), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
