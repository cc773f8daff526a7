"""A server of tools behind the Model Context Protocol's streamable HTTP transport, as its client.

Speaks the revisions with a handshake and those without, whichever the server does. Believes nothing: every answer is
bounded in size and time, and one that is not an answer is a :class:`ToolTrouble`. A session that a server opens is used
for one owner only, so that what it remembers stays apart. Requests of the server's own (sampling, elicitation) are
refused: nobody here could answer them.
"""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from mainstay import __version__
from mainstay.core.errors import MainstayError, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.sse import SseDecoder
from mainstay.core.timeouts import Timeouts
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.port import Offer, Result
from mainstay.tools.protocol import (
    CAPABILITIES,
    CLIENT_INFO,
    HANDSHAKE,
    METHOD_NOT_FOUND,
    MODERN,
    UNREADABLE,
    VERSION,
    Fault,
    Message,
    encode_header,
    parameter_headers,
    read_message,
    write_error,
    write_notification,
    write_request,
    write_result,
)
from mainstay.tools.results import Scrub, decoded, list_offers, read_fields, read_result, read_whole

__all__ = ["McpServer", "Site"]

_ABOUT: Final = {"name": "mainstay", "version": __version__}
#: Bytes of one answer, a stream's notifications included; of an answer that is an error.
_MOST: Final = 8 * 1024 * 1024
_MOST_ERROR: Final = 64 * 1024
_MOST_SESSIONS: Final = 256
#: Seconds for what nobody waits for: a notification, an answer to the server, the end of a session.
_ASIDE: Final = 5.0
#: What a handshake's answer may be longer than: an id of visible characters.
_LONGEST_SESSION: Final = 512
#: What a fault may say to the model.
_MOST_WORDS: Final = 500

Headers = Sequence[tuple[bytes, bytes]]
_Found = TypeVar("_Found")


class Site(msgspec.Struct, frozen=True):
    """Where a server is, and with what it is asked. ``most`` is the size of a result that a model is shown."""

    origin: Origin
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    connect: float = 2.0
    most: int = 64 * 1024


class _Session(msgspec.Struct, frozen=True):
    """What was agreed with the server, and the session it opened, if it did."""

    version: str
    id: bytes = b""

    @property
    def modern(self) -> bool:
        return self.version in MODERN


class _Refused(Exception):
    """The server answered with an error of JSON-RPC."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


class _Lost(Exception):
    """The server does not know the session any more."""


class McpServer:
    """One server; a :class:`~mainstay.tools.port.ToolServer`.

    Args:
        site: where it is.
        transport: sends requests.
    """

    def __init__(self, site: Site, transport: Transport) -> None:
        self._site = site
        self._transport = transport
        self._scrub = Scrub([value.decode("latin-1") for _, value in site.headers])
        self._numbers = itertools.count(1)
        #: By owner; under "" the one that is for all, where the server opens none.
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._opening = asyncio.Lock()
        #: Whether it wants a handshake; None: not known yet.
        self._shakes: bool | None = None
        self._schemas: dict[str, dict[str, Any]] = {}
        self._aside: set[asyncio.Task[None]] = set()

    async def offers(self, limit: float) -> Sequence[Offer]:
        """Return the tools it lists and a model can be offered; see :class:`~mainstay.tools.port.ToolServer`."""
        return await self._within(limit, self._offers(limit))

    async def run(self, tool: str, arguments: Mapping[str, Any], owner: str, limit: float, *, hops: int = 0) -> Result:
        """Run a tool; see :class:`~mainstay.tools.port.ToolServer`."""
        params = {"name": tool, "arguments": arguments}
        raw = await self._within(limit, self._asked(owner, "tools/call", params, limit, hops))
        return read_result(raw, self._site.most, self._scrub)

    async def aclose(self) -> None:
        """Stop what is under way, and forget the sessions: the servers' own time limits end them."""
        for task in list(self._aside):
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        self._sessions.clear()

    async def _within(self, limit: float, work: Coroutine[Any, Any, _Found]) -> _Found:
        """Return what ``work`` does within ``limit`` seconds, every failure told as a ``ToolTrouble``."""
        try:
            async with asyncio.timeout(limit):
                return await work
        except (TimeoutError, UpstreamTimeout) as error:
            raise ToolTrouble("timeout", f"The tool did not answer within {limit:g} seconds.") from error
        except UpstreamUnreachable as error:
            raise ToolTrouble("unreachable", "The tool's server cannot be reached now.") from error
        except _Refused as error:
            words = self._scrub(error.fault.message)[:_MOST_WORDS] or "no reason given"
            raise ToolTrouble("refused", f"The tool's server refused the call: {words}") from error
        except _Lost as error:
            raise ToolTrouble("refused", "The tool's server ended the session; call the tool again.") from error
        except MainstayError as error:
            raise ToolTrouble("broken", "The tool's server sent an answer that cannot be read.") from error

    async def _offers(self, limit: float) -> Sequence[Offer]:
        found, self._schemas = await list_offers(
            lambda params: self._asked("", "tools/list", params, limit), self._scrub
        )
        return found

    async def _asked(
        self, owner: str, method: str, params: Mapping[str, Any], limit: float, hops: int = 0
    ) -> msgspec.Raw:
        """Return the result of a request in the owner's session, which is opened, or opened again, where needed."""
        session = await self._session(owner, limit)
        try:
            return await self._ask(session, method, params, limit, hops=hops)
        except _Lost:
            for key in [key for key, known in self._sessions.items() if known is session]:
                del self._sessions[key]
        return await self._ask(await self._session(owner, limit), method, params, limit, hops=hops)

    async def _session(self, owner: str, limit: float) -> _Session:
        found = self._known(owner)
        if found is not None:
            return found
        async with self._opening:
            found = self._known(owner)
            if found is not None:
                return found
            if self._shakes is None:
                self._shakes = not await self._discovers(limit)
            try:
                session = await self._shake(limit) if self._shakes else _Session(MODERN[-1])
            except (_Refused, ToolTrouble):
                # A server that was too busy to be understood the first time is asked again how it begins.
                self._shakes = None
                raise
            self._sessions[owner if session.id else ""] = session
            while len(self._sessions) > _MOST_SESSIONS:
                _, old = self._sessions.popitem(last=False)
                self._later(self._end(old))
        return session

    def _known(self, owner: str) -> _Session | None:
        found = self._sessions.get(owner)
        if found is not None:
            self._sessions.move_to_end(owner)
            return found
        shared = self._sessions.get("")
        return shared if shared is not None and not shared.id else None

    async def _discovers(self, limit: float) -> bool:
        """Whether the server needs no handshake: whatever it says to a question of the newest revision tells."""
        try:
            # A server that has never heard the question may keep silent; then there is time left for the handshake.
            async with asyncio.timeout(limit / 3):
                said = read_fields(await self._ask(_Session(MODERN[-1]), "server/discover", {}, limit))
            versions = decoded(said.get("supportedVersions", msgspec.Raw(b"[]")), list[str])
        except (_Refused, _Lost, ToolTrouble, TimeoutError, UpstreamTimeout):
            return False
        return MODERN[-1] in versions

    async def _shake(self, limit: float) -> _Session:
        params = {"protocolVersion": HANDSHAKE[-1], "capabilities": {}, "clientInfo": _ABOUT}
        opened: list[bytes] = []
        said = read_fields(await self._ask(None, "initialize", params, limit, opened))
        version = decoded(said.get("protocolVersion", msgspec.Raw(b"null")), str | None)
        if version not in HANDSHAKE:
            raise ToolTrouble("broken", "The tool's server speaks no revision of the protocol that is known here.")
        session = _Session(version, opened[0] if opened else b"")
        await self._post(session, write_notification("notifications/initialized"))
        return session

    async def _ask(
        self,
        session: _Session | None,
        method: str,
        params: Mapping[str, Any],
        limit: float,
        opened: list[bytes] | None = None,
        hops: int = 0,
    ) -> msgspec.Raw:
        """Return the result of one request; ``opened`` takes the id of a session that the answer opens.

        Raises:
            _Refused: the server answered with an error.
            _Lost: it does not know the session.
            ToolTrouble: it gave no answer.
            UpstreamError: it cannot be reached, or broke off.
        """
        number = next(self._numbers)
        # Behind it may be this gateway again.
        extra: list[tuple[bytes, bytes]] = [(b"x-mainstay-hops", b"%d" % (hops + 1))]
        if session is not None and session.modern:
            meta = {VERSION: session.version, CAPABILITIES: {}, CLIENT_INFO: _ABOUT}
            params = {**params, "_meta": meta}
            extra.append((b"mcp-method", method.encode()))
            if method == "tools/call":
                name, arguments = params["name"], params["arguments"]
                extra.append((b"mcp-name", encode_header(name)))
                extra += parameter_headers(self._schemas.get(name, {}), arguments)
        body = write_request(number, method, params)
        incoming = await self._send(session, body, limit, extra)
        try:
            message = await self._answer(incoming, number, session)
            if opened is not None:
                given = next((value for name, value in incoming.headers if name == b"mcp-session-id"), b"")
                opened += [given] if 0 < len(given) <= _LONGEST_SESSION else []
        except asyncio.CancelledError:
            if session is not None and not session.modern:
                # Closing says it where there is no handshake; elsewhere it must be said.
                params = {"requestId": number, "reason": "The call was given up."}
                self._later(self._post(session, write_notification("notifications/cancelled", params)))
            raise
        finally:
            incoming.close()
        if isinstance(message.error, Fault):
            raise _Refused(message.error)
        if isinstance(message.result, msgspec.UnsetType):
            raise ToolTrouble("broken", "The tool's server sent an answer without a result.")
        return message.result

    async def _send(self, session: _Session | None, body: bytes, limit: float, extra: Headers = ()) -> Incoming:
        site = self._site
        headers = [
            *site.headers,
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
            (b"user-agent", b"mainstay/" + __version__.encode()),
            *extra,
        ]
        if session is not None:
            headers.append((b"mcp-protocol-version", session.version.encode()))
            if session.id:
                headers.append((b"mcp-session-id", session.id))
        request = Outgoing(b"POST", site.path, tuple(headers), body)
        return await self._transport.send(site.origin, request, Timeouts(site.connect, limit, limit, limit, limit))

    async def _answer(self, incoming: Incoming, number: int, session: _Session | None) -> Message:
        status = incoming.status
        if status == 404 and session is not None and session.id:
            raise _Lost
        kind = next((value for name, value in incoming.headers if name == b"content-type"), b"").lower()
        if status >= 300:
            await _refuse(incoming, kind)
        if kind.startswith(b"application/json"):
            try:
                message = read_whole(await incoming.read(_MOST))
            except UpstreamBroken as error:
                raise ToolTrouble("too_large", "The tool's result is too large.") from error
            if message.id != number and not (message.id is None and isinstance(message.error, Fault)):
                raise ToolTrouble("broken", "The tool's server answered another request.")
            return message
        if kind.startswith(b"text/event-stream"):
            return await self._listen(incoming, number, session)
        raise ToolTrouble("broken", "The tool's server sent an answer of a kind that is not known here.")

    async def _listen(self, incoming: Incoming, number: int, session: _Session | None) -> Message:
        """Return the response to request ``number`` from a stream that may hold more than it."""
        decoder = SseDecoder(_MOST)
        size = 0
        while True:
            piece = await incoming.chunk()
            size += len(piece)
            if size > _MOST:
                raise ToolTrouble("too_large", "The tool's result is too large.")
            for event in decoder.feed(piece) if piece else decoder.close():
                message = read_whole(event.data)
                if isinstance(message.method, str):
                    if isinstance(message.id, int | str) and session is not None:
                        self._later(self._post(session, _refusal(message)))
                elif message.id == number:
                    return message
            if not piece:
                raise ToolTrouble("broken", "The tool's server ended without an answer.")

    async def _post(self, session: _Session, body: bytes) -> None:
        """Send what has no answer."""
        incoming = await self._send(session, body, _ASIDE)
        incoming.close()

    async def _end(self, session: _Session) -> None:
        headers = (*self._site.headers, (b"mcp-session-id", session.id))
        request = Outgoing(b"DELETE", self._site.path, headers, b"")
        limits = Timeouts(self._site.connect, _ASIDE, _ASIDE, _ASIDE, _ASIDE)
        (await self._transport.send(self._site.origin, request, limits)).close()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        if len(self._aside) >= _MOST_SESSIONS:
            work.close()
            return

        async def do() -> None:
            try:
                async with asyncio.timeout(_ASIDE):
                    await work
            except (MainstayError, TimeoutError):
                # It was a courtesy.
                return

        task = asyncio.get_running_loop().create_task(do())
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


async def _refuse(incoming: Incoming, kind: bytes) -> None:
    """Raise what an answer that is no success says."""
    status = incoming.status
    if kind.startswith(b"application/json"):
        try:
            message = read_message(await incoming.read(_MOST_ERROR))
        except (*UNREADABLE, UpstreamBroken):
            message = None
        if message is not None and isinstance(message.error, Fault):
            raise _Refused(message.error)
    if status in (401, 403):
        raise ToolTrouble("refused", "The tool's server refused the gateway's credential.")
    raise ToolTrouble("refused", f"The tool's server answered with status {status}.")


def _refusal(message: Message) -> bytes:
    assert isinstance(message.id, int | str)
    if message.method == "ping":
        return write_result(message.id, {})
    return write_error(message.id, METHOD_NOT_FOUND, "Nobody here can answer this.")
