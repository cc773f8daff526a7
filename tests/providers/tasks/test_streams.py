"""Streams of tasks, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import Finished, FinishReason, Frame, Metered, Piece, TextDelta
from mainstay.core.sse import SseEvent
from mainstay.core.usage import Usage
from mainstay.providers.tasks.streams import MediaReader, MediaWriter, TaskReader, TaskWriter


def test_text_is_text_and_all_else_a_piece() -> None:
    reader = TaskReader(("done",))
    text = reader.feed(SseEvent(b'{"type":"delta","delta":"Hi"}', b"delta"))
    assert text is not None
    assert text.events == (TextDelta("Hi"),)
    assert text.name == "delta"
    other = reader.feed(SseEvent(b'{"type":"novel"}'))
    assert other is not None
    assert other.events == (Piece(16),)
    with pytest.raises(UpstreamInterrupted):
        reader.finish()
    last = reader.feed(SseEvent(b'{"type":"done","usage":{"input_tokens":1,"output_tokens":2}}'))
    assert last is not None
    assert last.events == (Metered(Usage(1, 2)), Finished(FinishReason.STOP))
    assert reader.feed(SseEvent(b"[DONE]")) is None
    assert reader.finish() is None


@given(st.binary(max_size=60), st.sampled_from([b"", b"error"]))
def test_no_event_breaks_the_reader(data: bytes, name: bytes) -> None:
    try:
        TaskReader(("done",)).feed(SseEvent(data, name))
    except MainstayError:
        return


def test_events_leave_with_their_names_and_lines() -> None:
    assert TaskWriter().frame(Frame((), b'{"a":\n1}', name="x")) == b'event: x\ndata: {"a":\ndata: 1}\n\n'


def test_media_pass_and_an_error_in_them_is_raised() -> None:
    reader, writer = MediaReader(), MediaWriter()
    with pytest.raises(UpstreamBroken):
        reader.finish()
    assert writer.frame(reader.feed(SseEvent(b"\x00\x01"))) == b"\x00\x01"
    assert writer.frame(reader.finish()) + writer.end() + writer.ping() == b""
    error = UpstreamInterrupted("Gone.")
    with pytest.raises(UpstreamInterrupted):
        writer.error(error)
