"""The one way a streamed answer leaves: frame by frame to the caller, settled before it is closed.

Every dialect and every endpoint streams through :func:`deliver`; what a dialect's bytes look like is its writer's.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from mainstay.core.answer import Frames
from mainstay.core.errors import MainstayError
from mainstay.core.events import Frame

__all__ = ["StreamWriter", "deliver"]


class StreamWriter(Protocol):
    """Turns frames into one caller's wire."""

    def frame(self, frame: Frame) -> bytes:
        """Return the bytes that say ``frame``; may be empty."""
        ...

    def end(self) -> bytes:
        """Return what closes a complete answer."""
        ...

    def error(self, error: MainstayError) -> bytes:
        """Return the dialect's error event: the end of an answer that broke off."""
        ...

    def ping(self) -> bytes:
        """Return a keep-alive that no client takes for content."""
        ...


async def deliver(
    frames: Frames,
    writer: StreamWriter,
    send: Callable[[bytes], Awaitable[None]],
    settle: Callable[[MainstayError | None], None],
) -> bytes:
    """Send every frame and return the last bytes, not yet sent, after settling the record.

    ``send`` waits while the caller is slow, and so the upstream is not read. ``settle`` is called once, before the
    last bytes: with None after a complete answer, with the error after one that broke off. On cancellation (the caller
    has gone) the frames are closed, which stops the upstream at once, and the caller of this function settles.
    """
    try:
        async for batch in frames:
            data = writer.frame(batch[0]) if len(batch) == 1 else await _joined(batch, writer, send)
            if data:
                await send(data)
            elif _is_keep_alive(batch[-1]):
                await send(writer.ping())
    except MainstayError as error:
        settle(error)
        return writer.error(error)
    finally:
        await frames.aclose()
    settle(None)
    return writer.end()


async def _joined(batch: Sequence[Frame], writer: StreamWriter, send: Callable[[bytes], Awaitable[None]]) -> bytes:
    """Return the bytes of frames that came together; should one of them be at fault, those before it are sent."""
    written: list[bytes] = []
    try:
        for frame in batch:
            written.append(writer.frame(frame))  # noqa: PERF401  # what was written before a fault is needed
    except MainstayError:
        # A writer counts what it has written: what follows would not fit a stream that lacks it.
        if data := b"".join(written):
            await send(data)
        raise
    return b"".join(written)


def _is_keep_alive(frame: Frame) -> bool:
    return not frame.events and (not frame.wire or frame.name == "ping")
