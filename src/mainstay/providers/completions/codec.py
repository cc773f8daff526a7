"""OpenAI's legacy completions as a codec: what an upstream that has them is asked, and what its answers mean."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError, UpstreamBroken, UpstreamInterrupted
from mainstay.core.events import Dialect, Event, Finished, Frame, Metered, Started, TextDelta
from mainstay.core.sse import SseEvent
from mainstay.core.target import Target
from mainstay.providers.completions.asks import refuse_untold
from mainstay.providers.openai.errors import classify, classify_inner, inner_error
from mainstay.providers.openai.requests import ask_same
from mainstay.providers.openai.wire import BROKEN_OFF, NOTHING, WireUsage, an_object, finish_reason, read_usage
from mainstay.providers.wire import mend

__all__ = ["CompletionReader", "CompletionsCodec"]

#: What decoding raises for bytes that are not what was expected, or are nested beyond reason.
_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
#: The most tokens that a local model writes where the caller sets no limit.
_MOST = 1024


class _Choice(msgspec.Struct, gc=False):
    text: str | None = None
    index: int = 0
    finish_reason: str | None = None
    logprobs: msgspec.Raw = NOTHING


class _Chunk(msgspec.Struct, gc=False):
    """A whole answer and a chunk in one view."""

    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    usage: WireUsage | None = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


class CompletionsCodec:
    """The completions wire of OpenAI and of every server that has it; see :class:`~mainstay.providers.port.Codec`.

    Args:
        path: below the base URL.
    """

    dialect = Dialect.COMPLETIONS

    def __init__(self, path: str = "/completions") -> None:
        self._path = path

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return path and body."""
        model = target.upstream or ask.model
        path = self._path.replace("{model}", model).encode()
        if target.vendor != "llamacpp":
            return path, ask_same(ask, model, stream=stream)
        # It passes over in silence what it does not know.
        _refuse_local(ask, target.model)
        return path, ask_same(ask, model, stream=stream, most=min(target.max_output, _MOST))

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the bearer header, or nothing for a server that wants no key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is no completion, or it is an error under a status of 200.
        """
        try:
            body, answer = _decode(body)
        except _UNREADABLE:
            raise inner_error(body) or UpstreamBroken(
                "The upstream sent an answer that cannot be read; try again."
            ) from None
        if not answer.choices or any(choice.text is None for choice in answer.choices):
            raise inner_error(body) or UpstreamBroken("The upstream's answer is no completion; try again.")
        events: list[Event] = [_started(answer)]
        for choice in answer.choices:
            events += _read(choice)
        finish = tuple(event.reason for event in events if isinstance(event, Finished))
        usage = read_usage(answer.usage)
        if usage is not None:
            events.append(Metered(usage))
        said = tuple(events)
        return Whole(body, self.dialect, answer.id or "", answer.model or "", finish, usage, lambda _: said)

    def reader(self) -> "CompletionReader":
        """Return a reader for one streamed answer."""
        return CompletionReader()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)


class CompletionReader:
    """Reads one stream; see :class:`~mainstay.providers.port.StreamReader`."""

    __slots__ = ("_open", "_started")

    def __init__(self) -> None:
        self._started = False
        #: By choice: whether it has yet to end.
        self._open: dict[int, bool] = {}

    def feed(self, event: SseEvent) -> Frame | None:
        """Return what one event says, or None when it says nothing."""
        if event.data.strip() == b"[DONE]":
            return None
        try:
            wire, chunk = _decode(event.data)
        except _UNREADABLE:
            if self._is_complete():
                return None
            raise inner_error(event.data) or UpstreamBroken(
                "The upstream sent an event that cannot be read; try again."
            ) from None
        if chunk.error or event.name == b"error":
            raise classify_inner(wire)
        if chunk.choices is None:
            if (error := inner_error(wire)) is not None:
                raise error
            return Frame()
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(_started(chunk))
        for choice in chunk.choices:
            if not self._open.get(choice.index, True):
                continue
            events += _read(choice)
            self._open[choice.index] = not choice.finish_reason
        if (usage := read_usage(chunk.usage)) is not None:
            events.append(Metered(usage))
        return Frame(tuple(events), wire, Dialect.COMPLETIONS)

    def finish(self) -> None:
        """Say that the body has ended.

        Raises:
            UpstreamInterrupted: a choice did not end, or none began.
        """
        if not self._is_complete():
            raise UpstreamInterrupted("The upstream's answer broke off before its end; try again.")

    def _is_complete(self) -> bool:
        return bool(self._open) and not any(self._open.values())


def _refuse_local(ask: Ask, model: str) -> None:
    """Refuse what llama.cpp's server takes and does not do. Raises Unsupported; tokens as a prompt it does take."""
    refuse_untold(msgspec.structs.replace(ask, found=None), model)


def _decode(data: bytes) -> tuple[bytes, _Chunk]:
    try:
        chunk = _chunk.decode(data)
        data.decode()
    except _UNREADABLE:
        data = mend(data)
        chunk = _chunk.decode(data)
        data.decode()
    return data, chunk


def _started(chunk: _Chunk) -> Started:
    return Started(chunk.id or "", chunk.model or "", int(chunk.created or 0))


def _read(choice: _Choice) -> list[Event]:
    events: list[Event] = []
    logprobs = an_object(choice.logprobs)
    if choice.text or logprobs is not None:
        events.append(TextDelta(choice.text or "", choice.index, logprobs))
    word = choice.finish_reason
    if word in BROKEN_OFF:
        raise UpstreamInterrupted("The upstream gave up in the middle of its answer; try again.")
    if word:
        events.append(Finished(finish_reason(word, called=False), choice.index, word))
    return events
