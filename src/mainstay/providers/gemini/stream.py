"""A streamed answer of Gemini's wire: each event is a piece of the answer in the form of a whole one.

The wire has no event for the end: the answer is complete when the body ends and every candidate has a
``finishReason``. Without one it was broken off, however cleanly the body ended.
"""

from mainstay.core.events import Dialect, Frame, Metered
from mainstay.core.sse import SseEvent
from mainstay.providers.gemini.answers import Reading, read_chunk

__all__ = ["ChunkReader"]


class ChunkReader:
    """Reads one stream; see :class:`~mainstay.providers.port.StreamReader`. ``maker`` as for ``Reading``."""

    __slots__ = ("_ended", "_reading")

    def __init__(self, maker: str = "") -> None:
        self._reading = Reading(maker)
        self._ended = False

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what ``event`` says, or None when it says nothing.

        Raises:
            MainstayError: it is an error, or the prompt was blocked.
            UpstreamBroken: it cannot be read.
        """
        data = event.data
        if data == b"[DONE]":
            return None
        chunk, data = read_chunk(data)
        events = self._reading.read(chunk, data)
        usage = self._reading.meter.read(chunk.usage_metadata)
        if usage is not None:
            events.append(Metered(usage))
        return Frame(tuple(events), data, Dialect.GEMINI)

    def finish(self) -> Frame | None:
        """Called at the end of the body: return how each candidate ended.

        Raises:
            UpstreamInterrupted: the answer is not complete.
            UpstreamBroken: what the model wrote is no answer.
        """
        if self._ended:
            return None
        self._ended = True
        return Frame(tuple(self._reading.end()), b"", Dialect.GEMINI)
