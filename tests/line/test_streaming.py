"""Every stream leaves by one way, and is settled exactly once before its last bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mainstay.core.errors import MainstayError, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import Dialect, Finished, FinishReason, Frame, RefusalDelta, TextDelta
from mainstay.line.streaming import deliver


class Scripted:
    """Frames from a list; an exception in it is raised in its turn."""

    def __init__(self, *steps: Sequence[Frame] | BaseException) -> None:
        self.steps = list(steps)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self.steps:
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    async def aclose(self) -> None:
        self.closed += 1


class Writer:
    """Writes frames as their text."""

    def frame(self, frame: Frame) -> bytes:
        if any(isinstance(event, RefusalDelta) for event in frame.events):
            raise UpstreamBroken("not allowed")
        return b"".join(e.text.encode() for e in frame.events if isinstance(e, TextDelta))

    def end(self) -> bytes:
        return b"END"

    def error(self, error: MainstayError) -> bytes:
        return f"ERROR {error.code}".encode()

    def ping(self) -> bytes:
        return b"PING"


def text(word: str) -> Frame:
    return Frame((TextDelta(word),))


def run(frames: Scripted, fail_at: int = -1) -> tuple[list[bytes], list[str], bytes | None]:
    """Return what was sent, what was settled, and the last bytes."""
    sent: list[bytes] = []
    settled: list[str] = []

    async def send(data: bytes) -> None:
        if len(sent) == fail_at:
            raise asyncio.CancelledError
        sent.append(data)

    def settle(error: MainstayError | None) -> None:
        settled.append(error.code if error else "ok")

    async def main() -> bytes:
        return await deliver(frames, Writer(), send, settle)

    try:
        return sent, settled, asyncio.run(main())
    except asyncio.CancelledError:
        return sent, settled, None


def test_frames_that_arrive_together_leave_together() -> None:
    frames = Scripted([text("a")], [text("b"), text("c")], [Frame((Finished(FinishReason.STOP),))])
    assert run(frames) == ([b"a", b"bc"], ["ok"], b"END")
    assert frames.closed == 1


def test_a_frame_that_says_nothing_is_a_ping() -> None:
    assert run(Scripted([Frame()], [text("a")]))[0] == [b"PING", b"a"]


def test_another_dialects_keep_alive_is_a_ping_and_its_other_silent_events_are_nothing() -> None:
    ping = Frame((), b'{"type":"ping"}', Dialect.ANTHROPIC, "ping")
    block = Frame((), b'{"type":"content_block_start"}', Dialect.ANTHROPIC, "content_block_start")
    assert run(Scripted([ping], [block], [block, ping], [text("a"), ping]))[0] == [b"PING", b"PING", b"a"]


def test_a_stream_that_breaks_ends_in_the_error_and_not_in_the_end() -> None:
    frames = Scripted([text("a")], UpstreamInterrupted("broke"))
    assert run(frames) == ([b"a"], ["upstream_interrupted"], b"ERROR upstream_interrupted")
    assert frames.closed == 1


@pytest.mark.parametrize("before", [0, 1, 2])
def test_what_came_before_a_frame_at_fault_is_sent_although_they_came_together(before: int) -> None:
    batch = [*[text("a")] * before, Frame((RefusalDelta("no"),)), text("b")]
    frames = Scripted(batch, [text("c")])
    sent = [b"a" * before] if before else []
    assert run(frames) == (sent, ["upstream_broken"], b"ERROR upstream_broken")


@pytest.mark.parametrize("fail_at", [0, 1])
def test_a_caller_who_leaves_closes_the_frames_and_is_settled_by_the_endpoint(fail_at: int) -> None:
    frames = Scripted([text("a")], [text("b")], [text("c")])
    sent, settled, last = run(frames, fail_at)
    assert (len(sent), settled, last) == (fail_at, [], None)
    assert frames.closed == 1
