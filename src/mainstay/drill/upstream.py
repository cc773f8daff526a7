"""The scripted provider: one port per provider of the drilled configuration, playing what the fault says.

Whichever target is asked first is the primary and shows the fault; all others are healthy, except where the fault says
otherwise. So the order in which a route chooses need not be known. Writes down every call as it saw it. Does not judge.
"""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from mainstay.core.clock import monotonic
from mainstay.drill import wire
from mainstay.drill.faults import Fault, Play, Timing
from mainstay.drill.wire import Kind, Speech

__all__ = ["Actor", "Scene", "Seen"]

#: Tokens that are written at once, and the seconds between two such writes.
_PIECE, _GAP = 5, 0.01
#: Tokens that come before an answer breaks, and before the event of invalid JSON.
_BREAK, _SPOILT = 40, 20
_BEAT = 0.2


@dataclass(slots=True)
class Seen:
    """One call as the provider saw it. Times are seconds since the fault began.

    ``play`` is what it was answered with, ``broke`` when that answer broke, ``left`` when the gateway closed the
    connection under an answer that was not over. ``streamed`` is whether it asked for a stream.
    """

    target: str
    primary: bool
    at: float
    play: Play
    kind: Kind = "openai"
    streamed: bool = False
    broke: float | None = None
    left: float | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """One target on the stage: its name in ``models``, its provider's name and kind, what it says, its secret."""

    model: str
    provider: str
    kind: Kind
    speech: Speech
    secret: str


@dataclass
class Scene:
    """One fault being played, on ports of its own: ``ports`` maps the name of a provider to its port."""

    fault: Fault
    timing: Timing
    actors: tuple[Actor, ...]
    ports: dict[str, int] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    #: After the fault everything is well again.
    over: bool = False
    started: float = 0.0
    _primary: str = ""
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def begin(self) -> None:
        """Start the clock of the fault."""
        self.started = monotonic()

    def now(self) -> float:
        """Seconds since the fault began."""
        return monotonic() - self.started

    def is_down(self) -> bool:
        """Whether the outage of fault 15 lasts."""
        return self.now() < self.timing.down

    @contextlib.asynccontextmanager
    async def playing(self) -> AsyncIterator["Scene"]:
        """Listen on a port per provider for the block."""
        servers = []
        try:
            for name in dict.fromkeys(actor.provider for actor in self.actors):
                server = await asyncio.start_server(self._accept(name), "127.0.0.1", 0)
                servers.append(server)
                self.ports[name] = server.sockets[0].getsockname()[1]
            yield self
        finally:
            for server in servers:
                server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, provider: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._converse(provider, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _converse(self, provider: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read_request(reader)) is not None:
                if not await self._answer(provider, *request, _Out(reader, writer)):
                    return
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The gateway left, or what it said is no HTTP: its record will tell.
            return
        finally:
            writer.close()

    async def _answer(self, provider: str, method: str, body: bytes, out: "_Out") -> bool:
        """Play one call; return whether the connection may be used again."""
        if method != "POST":
            await out.whole(200, (), b'{"object": "list", "data": []}')
            return True
        asked = json.loads(body)
        actor = self._actor(provider, str(asked.get("model")))
        if actor is None:
            await out.whole(404, (), b'{"error": {"message": "no such model", "type": "not_found_error"}}')
            return True
        # The first to be asked shows the fault, whatever order the route chose.
        self._primary = self._primary or actor.model
        primary, streamed = actor.model == self._primary, bool(asked.get("stream"))
        seen = Seen(actor.model, primary, self.now(), Play.HEALTHY, actor.kind, streamed)
        seen.play = self._play(seen, asked)
        self.seen.append(seen)
        try:
            return await _perform(self, actor, seen, asked, out)
        except OSError:
            seen.left = self.now()
            raise

    def _actor(self, provider: str, model: str) -> Actor | None:
        return next((one for one in self.actors if (one.provider, one.speech.upstream) == (provider, model)), None)

    def _play(self, seen: Seen, asked: dict[str, object]) -> Play:
        if self.over:
            return Play.HEALTHY
        if seen.primary:
            before = sum(1 for one in self.seen if one.primary)
            play = self.fault.first[before] if before < len(self.fault.first) else self.fault.then
            return Play.HEALTHY if play is Play.OUTAGE and not self.is_down() else play
        messages = asked.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        if self.fault.fallback is Play.NO_PREFILL and isinstance(last, dict) and last.get("role") == "assistant":
            return Play.NO_PREFILL
        return Play.HEALTHY


class _Out:
    """The provider's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def whole(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """Send a response with a length."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = (
            f"HTTP/1.1 {status} Drill\r\ncontent-type: application/json\r\n{lines}content-length: {len(body)}\r\n\r\n"
        )
        await self.send(head.encode() + body)

    async def head(self, kind: str, framing: str = "transfer-encoding: chunked") -> None:
        """Send the head of a response whose body follows."""
        await self.send(f"HTTP/1.1 200 Drill\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        """Send a piece of a chunked body; an empty one ends it."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises ConnectionError when the gateway has left."""
        self._writer.write(data)
        await self._writer.drain()
        if self._reader.at_eof():
            raise ConnectionResetError

    async def wait_left(self) -> None:
        """Return when the gateway has closed the connection."""
        while await self._reader.read(65536):
            pass

    def reset(self) -> None:
        """Drop the connection with a reset."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def _perform(scene: Scene, actor: Actor, seen: Seen, asked: dict[str, object], out: _Out) -> bool:
    play = seen.play
    if play is Play.RESET:
        seen.broke = scene.now()
        out.reset()
        return False
    if play is Play.SILENT:
        await out.wait_left()
        seen.left = scene.now()
        return False
    tempting = f"{actor.secret} at 127.0.0.1:{scene.ports[actor.provider]}"
    refused = wire.refusal(actor.kind, play, scene.timing.retry_after, tempting)
    if refused is not None:
        await out.whole(refused.status, refused.headers, refused.body)
        return True
    identity = f"drill{scene.fault.number:02d}{len(scene.seen):04d}{actor.speech.tag}"
    if not seen.streamed:
        body = wire.whole(actor.kind, actor.speech, identity)
        return await _perform_whole(scene, seen, body, actor.speech.words[_BREAK].encode(), out)
    options = asked.get("stream_options")
    usage = isinstance(options, dict) and bool(options.get("include_usage"))
    said = wire.stream(actor.kind, actor.speech, identity, usage=usage)
    return await _perform_stream(scene, seen, said, out, wire.ping(actor.kind))


async def _perform_stream(scene: Scene, seen: Seen, said: wire.Stream, out: _Out, beat: bytes) -> bool:
    play = seen.play
    await out.head("text/event-stream")
    await out.chunk(said.opening)
    if play is Play.LATE:
        due = scene.now() + scene.timing.lateness
        while scene.now() < due:
            await asyncio.sleep(_BEAT)
            await out.chunk(beat)
    breaks = play in (Play.CUT, Play.CUT_CLEAN, Play.STALLED)
    for begin in range(0, _BREAK if breaks else len(said.tokens), _PIECE):
        await asyncio.sleep(_GAP)
        spoilt = said.garbage if play is Play.GARBLED and begin == _SPOILT else b""
        await out.chunk(spoilt + b"".join(said.tokens[begin : begin + _PIECE]))
    if breaks:
        return await _break(scene, seen, out)
    await out.chunk(said.finish)
    if play is not Play.NO_END_MARK:
        await out.chunk(said.usage + said.mark)
    await out.chunk(b"")
    return True


async def _perform_whole(scene: Scene, seen: Seen, body: bytes, never: bytes, out: _Out) -> bool:
    """Play an answer that is not streamed; ``never`` is the first of its words that a broken one does not come to."""
    play = seen.play
    if play is Play.NO_END_MARK:
        # Only the end of the connection says that the body is over.
        await out.head("application/json", "connection: close")
        await out.send(body)
        return False
    if play is Play.GARBLED:
        await out.whole(200, (), body[: len(body) // 2] + wire.GARBAGE.encode())
        return True
    if play is Play.LATE or play in (Play.CUT, Play.CUT_CLEAN, Play.STALLED):
        await out.head("application/json")
        if play is Play.LATE:
            await asyncio.sleep(scene.timing.lateness)
            await out.chunk(body)
            await out.chunk(b"")
            return True
        await out.chunk(body[: body.index(never)])
        return await _break(scene, seen, out)
    await asyncio.sleep(_GAP)
    await out.whole(200, (), body)
    return True


async def _break(scene: Scene, seen: Seen, out: _Out) -> bool:
    """Break an answer off: a cut connection, a body that ends as if it were whole, or silence."""
    seen.broke = scene.now()
    if seen.play is Play.CUT_CLEAN:
        await out.chunk(b"")
        return True
    if seen.play is Play.STALLED:
        await out.wait_left()
        seen.left = scene.now()
    return False


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes] | None:
    """Return method and body of the next request, or None when the gateway closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(fields.get("content-length", 0)))
    return first.split(" ")[0], body
