"""Serves the admin API in the control process, on a Unix socket that only the workers can reach.

The app is built in a thread once the process is up: loading the web framework delays neither its start nor its answer
to the supervisor, and a request that comes earlier waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import structlog
from sqlalchemy import Engine

from mainstay.api.admin.office import open_office
from mainstay.api.passing import admin_socket
from mainstay.config.load import Loaded
from mainstay.core.errors import MainstayError, StartError
from mainstay.grounding.service import Knowledge
from mainstay.identity.service import Keys
from mainstay.providers.openai.errors import render
from mainstay.runtime.local import listen_local
from mainstay.runtime.server import Limits, Server

__all__ = ["AdminListener"]

_log = structlog.get_logger("mainstay.admin")

App = Callable[..., Awaitable[None]]
Message = MutableMapping[str, Any]


class AdminListener:
    """The admin API of one control process. ``loaded`` is the configuration in force; set it when that changes.

    Args:
        engine: the database, migrated.
        keys: its keys.
        loaded: the configuration.
        knowledge: opens the knowledge bases under the configuration in force.

    Raises:
        StartError: the secret that keys are hashed with cannot be read.
    """

    def __init__(
        self,
        engine: Engine,
        keys: Keys,
        loaded: Loaded,
        knowledge: Callable[[Loaded, str], AbstractContextManager[Knowledge]] | None = None,
    ) -> None:
        self.loaded = loaded
        keeper = None if knowledge is None else lambda who: knowledge(self.loaded, who)
        self._office = open_office(engine, keys, lambda: self.loaded, keeper)
        limits = Limits(max_body=loaded.config.server.max_body, keep_alive=300.0)
        self._server = Server(self._answer, limits, refuse=_refuse)
        self._app: asyncio.Future[App] | None = None

    async def start(self) -> None:
        """Listen. A predecessor that still answers goes on with what it has."""
        try:
            sock = listen_local(admin_socket(self._office.home))
        except StartError as error:
            # Calls are answered without it.
            _log.error("admin_api_unavailable", reason=error.message)
            return
        self._app = asyncio.ensure_future(asyncio.to_thread(self._build))
        self._app.add_done_callback(_note)
        await self._server.start(sock)

    async def drain(self, seconds: float) -> None:
        """Let what runs finish for up to ``seconds``, then cut it off."""
        if self._app is not None:
            await self._server.drain(seconds, patience=0.0)
            await asyncio.wait([self._app])
            await asyncio.to_thread(self._office.tasks.close)

    def _build(self) -> App:
        from mainstay.api.admin.app import Admin, build

        return Admin(build(self._office))

    async def _answer(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        assert self._app is not None
        # Whoever leaves while it is built does not end it for the others.
        app = await asyncio.shield(self._app)
        await app(scope, receive, send)


def _note(app: asyncio.Future[App]) -> None:
    error = None if app.cancelled() else app.exception()
    if error is not None:
        _log.error("admin_api_cannot_start", reason=str(error))


def _refuse(error: MainstayError, _: str, request_id: str) -> tuple[int, bytes, Sequence[tuple[bytes, bytes]]]:
    return error.status, render(error), ((b"x-request-id", request_id.encode()),)
