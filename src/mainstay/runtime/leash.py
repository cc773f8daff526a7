"""The line between the supervisor and one child: small JSON messages both ways, and a death notice.

A frame is one JSON object on a line, ``{"kind": ..., "size": N, ...}``, followed by ``size`` bytes of payload that
nobody here reads. Whoever's other end is closed knows at once, which is how a child learns that its parent died and
the other way round. Both ends never block. Standard library only, and no event loop: a child hands the leash to its
own loop with :meth:`Leash.attach`. Knows nothing of configuration, sockets to callers or processes.

Parent to child: ``settings`` (payload: what the child is to be), ``config`` (``generation``, payload), ``drain``
(``limit`` in seconds). Child to parent: ``ready``, ``beat``, ``applied`` (``generation``), ``failed`` (``reason``,
``exit_code``).
"""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["BEAT_EVERY", "Leash", "Message", "pair"]

#: Seconds between two beats of a healthy child.
BEAT_EVERY = 1.0
_LINE_LIMIT = 64 * 1024
_READ = 256 * 1024


class _Loop(Protocol):
    """The part of an asyncio loop that a leash needs."""

    def add_reader(self, fd: int, callback: Callable[..., object]) -> object: ...

    def remove_reader(self, fd: int) -> object: ...

    def call_later(self, delay: float, callback: Callable[..., object]) -> object: ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its kind, its JSON fields, its payload."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def pair() -> tuple["Leash", socket.socket]:
    """Return the parent's end and the socket that becomes the child's end."""
    ours, theirs = socket.socketpair()
    return Leash(ours.detach()), theirs


class Leash:
    """One end of the line. ``read_fd`` and ``write_fd`` may be the same descriptor; they are owned from here on."""

    def __init__(self, read_fd: int, write_fd: int | None = None) -> None:
        self._read_fd = read_fd
        self._write_fd = read_fd if write_fd is None else write_fd
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._loop: _Loop | None = None
        #: True once the other end is gone; nothing more can be said or heard.
        self.parted = False

    def fileno(self) -> int:
        """The descriptor to wait on for messages."""
        return self._read_fd

    @property
    def pending(self) -> bool:
        """Whether bytes wait for the other end to read; call :meth:`flush` when the descriptor is writable."""
        return bool(self._outgoing)

    def send(self, kind: str, payload: bytes = b"", **fields: object) -> None:
        """Send a message without blocking; what does not fit at once goes with the next send or flush."""
        head = json.dumps({"kind": kind, "size": len(payload), **fields}, separators=(",", ":"))
        self._outgoing += head.encode() + b"\n" + payload
        self.flush()

    def flush(self) -> None:
        """Write what is pending, as far as it goes. A closed other end sets ``parted``."""
        try:
            while self._outgoing and not self.parted:
                sent = os.write(self._write_fd, self._outgoing)
                del self._outgoing[:sent]
        except BlockingIOError:
            return
        except OSError:
            self.parted = True
        if self.parted:
            self._outgoing.clear()

    def receive(self) -> list[Message]:
        """Return every complete message that has come, without blocking. The end of the line sets ``parted``."""
        try:
            while piece := os.read(self._read_fd, _READ):
                self._incoming += piece
            self.parted = True
        except BlockingIOError:
            pass
        except OSError:
            self.parted = True
        messages = []
        while (message := self._take()) is not None:
            messages.append(message)
        return messages

    def _take(self) -> Message | None:
        end = self._incoming.find(b"\n", 0, _LINE_LIMIT)
        if end < 0:
            if len(self._incoming) >= _LINE_LIMIT:
                self._give_up()
            return None
        try:
            fields = json.loads(self._incoming[:end])
            kind, size = str(fields.pop("kind")), int(fields.pop("size"))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._give_up()
            return None
        if len(self._incoming) < end + 1 + size:
            return None
        payload = bytes(self._incoming[end + 1 : end + 1 + size])
        del self._incoming[: end + 1 + size]
        return Message(kind, fields, payload)

    def _give_up(self) -> None:
        """What came is not ours: nothing after it can be trusted."""
        self.parted = True
        self._incoming.clear()

    def close(self) -> None:
        """Let go; the other end sees it at once."""
        self.parted = True
        if self._read_fd < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._read_fd)
        os.close(self._read_fd)
        if self._write_fd != self._read_fd:
            os.close(self._write_fd)
        self._read_fd = self._write_fd = -1

    def ready(self) -> None:
        """Say that this child does its work now."""
        self.send("ready")

    def beat(self) -> None:
        """Say that this child is alive; a beat that cannot leave yet is not queued twice."""
        if not self._outgoing:
            self.send("beat")

    def applied(self, generation: int) -> None:
        """Say that configuration ``generation`` is in force here."""
        self.send("applied", generation=generation)

    def failed(self, reason: str, exit_code: int = 1) -> None:
        """Say why this child cannot start; it ends after this."""
        self.send("failed", reason=reason, exit_code=exit_code)

    def attach(
        self,
        loop: _Loop,
        *,
        on_config: Callable[[int, bytes], None],
        on_drain: Callable[[float | None], None],
    ) -> None:
        """Serve the leash from ``loop`` and beat every :data:`BEAT_EVERY` seconds.

        ``on_config(generation, payload)`` is expected to call :meth:`applied` when the change is in force.
        ``on_drain(limit)`` is called at most once: finish what is open within ``limit`` seconds, then exit. A dead
        parent is a drain too, with the limit None: the child's own setting decides.
        """
        drained = False

        def drain(limit: float | None) -> None:
            nonlocal drained
            if not drained:
                drained = True
                on_drain(limit)

        def read() -> None:
            for message in self.receive():
                if message.kind == "config":
                    on_config(int(message.fields["generation"]), message.payload)
                elif message.kind == "drain":
                    drain(float(message.fields["limit"]))
            if self.parted:
                if self._read_fd >= 0:
                    loop.remove_reader(self._read_fd)
                drain(None)

        def beat() -> None:
            if not self.parted:
                self.beat()
                loop.call_later(BEAT_EVERY, beat)

        self._loop = loop
        loop.add_reader(self._read_fd, read)
        beat()
