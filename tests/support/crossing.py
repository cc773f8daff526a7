"""One answer on its way from a vendor's wire to a caller's, without sockets: codec, events, the caller's writer."""

from collections.abc import Iterable, Sequence

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Event, Frame
from mainstay.core.fold import fold
from mainstay.core.record import Record
from mainstay.core.sse import SseDecoder
from mainstay.providers.port import Codec, Framed
from support.callers import Caller, Heard

__all__ = ["MODES", "cross", "frames_of", "read_frames", "record", "write_frames"]

#: How the vendor answers and how the caller wants it.
MODES = (("whole", "whole"), ("stream", "stream"), ("stream", "whole"), ("whole", "stream"))


def record() -> Record:
    """Return the record of a call that the model ``m`` serves."""
    opened = Record.opened("chat", "POST", "/")
    opened.target = "m"
    return opened


def read_frames(codec: Codec, pieces: Iterable[bytes], found: list[Frame]) -> None:
    """Add the frames of a streamed answer to ``found`` as they come.

    Raises:
        MainstayError: the answer is an error or broken.
    """
    decoder = codec.decoder() if isinstance(codec, Framed) else SseDecoder()
    reader = codec.reader()
    for piece in pieces:
        for event in decoder.feed(piece):
            if (frame := reader.feed(event)) is not None:
                found.append(frame)
    for event in decoder.close():
        if (frame := reader.feed(event)) is not None:
            found.append(frame)
    if (frame := reader.finish()) is not None:
        found.append(frame)


def frames_of(codec: Codec, pieces: Iterable[bytes]) -> list[Frame]:
    """Return the frames of a complete streamed answer."""
    found: list[Frame] = []
    read_frames(codec, pieces, found)
    return found


def write_frames(caller: Caller, ask: Ask, frames: Sequence[Frame], error: MainstayError | None = None) -> bytes:
    """Return what a caller is sent of a stream that is complete, or that broke off with ``error``."""
    writer = caller.wire().writer(ask, record())
    sent = b"".join([writer.frame(frame) for frame in frames])
    return sent + (writer.end() if error is None else writer.error(error))


def cross(codec: Codec, caller: Caller, mode: tuple[str, str], body: bytes, pieces: Sequence[bytes]) -> Heard:
    """Return what a caller hears of an answer; ``mode`` is one of :data:`MODES`."""
    up, down = mode
    wire = caller.wire()
    streaming = {"stream": True, **caller.streaming} if down == "stream" else {}
    ask = wire.read(msgspec.json.encode({**caller.question, **streaming}))
    if up == "stream" and down == "stream":
        return caller.stream(write_frames(caller, ask, frames_of(codec, pieces)))
    whole = codec.whole(body) if up == "whole" else _folded(frames_of(codec, pieces))
    if down == "stream":
        return caller.stream(write_frames(caller, ask, [Frame(whole.events, b"", whole.dialect)]))
    passes = bool(whole.wire) and whole.dialect is wire.dialect
    return caller.whole(whole.wire if passes else wire.whole(whole, ask, record()))


def _folded(frames: Iterable[Frame]) -> Whole:
    events: list[Event] = [event for frame in frames for event in frame.events]
    return fold(events)
