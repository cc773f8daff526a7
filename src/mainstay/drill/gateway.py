"""The drilled gateway: a real ``mainstay serve`` on a copy of the configuration, in a folder of its own.

Knows processes and files; not what is asked of the gateway.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from mainstay.core.errors import StartError
from mainstay.runtime.state import make_private, read_state, write_private

__all__ = ["Gateway", "prepare_home"]

_START, _STOP = 60.0, 15.0
_COMMAND = (sys.executable, "-m", "mainstay")


def prepare_home(home: Path) -> str:
    """Make the folder of a gateway with one key in it; return the key.

    Raises:
        StartError: the folder cannot be written.
    """
    # Imported here: the database's library takes its time, and the other commands do without.
    from mainstay.identity.service import Keys
    from mainstay.store.sql import migrate, open_engine

    make_private(home)
    engine = open_engine(f"sqlite:///{home / 'mainstay.db'}")
    try:
        migrate(engine)
        return Keys(engine, home).create("drill").key
    finally:
        engine.dispose()


class Gateway:
    """Runs the gateway for the block on ``config`` (the text of a configuration) in ``folder``, which must not exist.

    ``home`` is what :func:`prepare_home` made; it is copied.

    Raises:
        StartError: it does not become ready.
    """

    def __init__(self, folder: Path, home: Path, config: str, env: Mapping[str, str]) -> None:
        self._folder = folder
        self._prepared = home
        self._text = config
        self._env = {name: value for name, value in env.items() if not name.startswith("MAINSTAY_")}
        self._process: Process | None = None
        self.port = 0

    @property
    def file(self) -> Path:
        """Where the configuration stands."""
        return self._folder / "mainstay.yaml"

    async def __aenter__(self) -> "Gateway":
        make_private(self._folder)
        shutil.copytree(self._prepared, self._folder / "var")
        write_private(self.file, self._text.encode())
        with self._log_file() as log:
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND, "serve", "--config", str(self.file),
                env=self._env, stdin=DEVNULL, stdout=DEVNULL, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(_START):
                await self._ready()
        except TimeoutError:
            raise StartError(f"The drilled gateway was not ready within {_START:g} s: {self._log()}") from None
        finally:
            if not self.port:
                await self.stop()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the gateway, at the latest after some seconds by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                # Its children are in its own session: all of them go.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def records(self) -> dict[str, dict[str, Any]]:
        """Return the records of all calls so far, by request id, as ``mainstay records`` prints them.

        Raises:
            StartError: they cannot be read.
        """
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, "records", "list", "--json", "--limit", "10000", "--config", str(self.file),
            env=self._env, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            out, errors = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode:
            raise StartError(f"The records of the drilled gateway cannot be read: {errors.decode()[-500:].strip()}")
        return {record["request_id"]: record for record in json.loads(out)}

    async def _ready(self) -> None:
        assert self._process is not None
        while True:
            if self._process.returncode is not None:
                raise StartError(f"The drilled gateway did not start: {self._log()}")
            state = read_state(self._folder / "var" / "run") or {}
            if state.get("ready") and state.get("url"):
                self.port = urlsplit(state["url"]).port or 0
                return
            await asyncio.sleep(0.02)

    def _log_file(self) -> BinaryIO:
        return open(self._folder / "log", "wb")

    def _log(self) -> str:
        text = (self._folder / "log").read_text(errors="replace")
        return text[-1000:].strip() or "it said nothing"
