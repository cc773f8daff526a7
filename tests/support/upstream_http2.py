"""The scripted upstream's HTTP/2 side: the same steps, one stream per request, on the ``h2`` package's state machine.

Raw bytes are written between frames; ``Cut`` and ``Reset`` end the whole connection, ``Refuse`` one stream.
"""

import asyncio
import socket
import struct
import time
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

__all__ = ["Http2Peer"]


class Http2Peer(asyncio.Protocol):
    """One accepted connection."""

    transport: asyncio.Transport

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self.state.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: upstream.max_streams}
        )
        self._requests: dict[int, Any] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._bodies: dict[int, tuple[list[tuple[str, str]], bytearray]] = {}
        self._moved = asyncio.Event()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # TLS transports fit
        self._upstream.connections += 1
        self._upstream.open += 1
        self._serial = self._upstream.connections
        self._upstream._peers.add(self)
        self.state.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream._peers.discard(self)
        self._upstream.open -= 1
        for request in self._requests.values():
            request.closed.set()
        for task in self._tasks.values():
            task.cancel()

    def flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.state.data_to_send())

    def data_received(self, data: bytes) -> None:
        try:
            events = self.state.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self._upstream.errors.append(error)
            self.flush()
            self.transport.close()
            return
        for event in events:
            self._take(event)
        self._moved.set()
        self.flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._bodies[event.stream_id] = (list(event.headers), bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self._bodies[event.stream_id][1].extend(event.data)
            self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._received(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            if event.stream_id in self._requests:
                self._requests[event.stream_id].closed.set()
            task = self._tasks.pop(event.stream_id, None)
            if task is not None:
                task.cancel()

    def _received(self, stream: int) -> None:
        headers, body = self._bodies.pop(stream)
        fields = dict(headers)
        request = self._upstream.received_class(
            method=fields[":method"],
            path=fields[":path"],
            headers=[(k, v) for k, v in headers if not k.startswith(":")] + [("host", fields[":authority"])],
            body=bytes(body),
            at=time.monotonic(),
            connection=self._serial,
        )
        self._requests[stream] = request
        self._tasks[stream] = self._upstream._loop.create_task(self._answer(stream, request))

    async def _answer(self, stream: int, request: Any) -> None:
        try:
            steps = self._upstream._received(request)
            for step in self._upstream.each(steps):
                await self._step(step, stream, request)
                if self.transport.is_closing():
                    return
            await self._end(stream)
            request.answered.set()
            self._tasks.pop(stream, None)
        except h2.exceptions.StreamClosedError:
            return
        except Exception as error:  # a mistake in a test's handler: stop() raises it
            self._upstream.errors.append(error)
            self.transport.abort()

    async def _step(self, step: Any, stream: int, request: Any) -> None:
        match type(step).__name__:
            case "bytes":
                self.transport.write(step)
            case "Reply":
                self._head(stream, step.status, (*step.headers, ("content-length", str(len(step.body)))))
                await self._data(stream, step.body, request)
                await self._end(stream)
            case "Head":
                self._head(stream, step.status, step.headers)
            case "Chunk":
                await self._data(stream, step.data, request)
            case "End":
                await self._end(stream)
            case "Wait" | "Silence":
                while not (hasattr(step, "event") and step.event.is_set()):
                    await asyncio.sleep(0.003)
            case "Refuse":
                self.state.reset_stream(stream, step.code)
                self.flush()
            case "Goaway":
                # By hand: the state machine would take nothing more after it.
                self.transport.write(b"\0\0\x08\x07\0\0\0\0\0" + step.last.to_bytes(4, "big") + bytes(4))
            case "Cut":
                self.transport.close()
            case "Reset":
                raw = self.transport.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()

    def _head(self, stream: int, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        fields = [(":status", str(status)), *((name.lower(), value) for name, value in headers)]
        self.state.send_headers(stream, fields)
        self.flush()

    async def _data(self, stream: int, data: bytes, request: Any) -> None:
        while data:
            self._moved.clear()
            room = min(self.state.local_flow_control_window(stream), self.state.max_outbound_frame_size)
            if room <= 0:
                await self._moved.wait()
                continue
            piece, data = data[:room], data[room:]
            self.state.send_data(stream, piece)
            self.flush()
            request.written += len(piece)
            await asyncio.sleep(0)

    async def _end(self, stream: int) -> None:
        """End the stream; nothing happens when it has ended."""
        try:
            self.state.end_stream(stream)
        except h2.exceptions.ProtocolError:
            return
        self.flush()
