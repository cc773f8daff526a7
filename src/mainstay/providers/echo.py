"""``kind: echo``: says back what the last user message said, word by word. No network, always the same."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

import msgspec

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import InvalidRequest
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Frame, Metered, Started, TextDelta
from mainstay.core.prompt import Prompt, TextPart
from mainstay.core.record import Attempt
from mainstay.core.target import Feature, Target
from mainstay.core.usage import Usage

__all__ = ["LACKS", "Echo"]

#: An echo calls no tools and has no probabilities.
LACKS = frozenset(
    {
        Feature.TOOLS,
        Feature.LOGPROBS,
        Feature.JSON,
        Feature.SCHEMA,
        Feature.AUDIO,
        Feature.IMAGES,
        Feature.DOCUMENTS,
        Feature.THINKING,
    }
)
#: As many choices as OpenAI's models give: what a small request may cost is bounded.
_MAX_CHOICES = 128


class Echo:
    """Answers with the caller's own words; a token is a word.

    Args:
        delay: seconds before the first word.
        gap: seconds before each further word.
    """

    def __init__(self, delay: float = 0.0, gap: float = 0.0) -> None:
        self._delay = delay
        self._gap = gap

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Echo the last user message; honours ``max_tokens``, ``stop`` and ``n``."""
        started = monotonic()
        said = _say(call.ask.prompt)
        model = attempt.upstream_model = target.upstream or target.model
        start = Started(f"chatcmpl-{call.record.id}", model)
        if self._delay:
            await asyncio.sleep(self._delay)
        attempt.first_ms = round((monotonic() - started) * 1000, 3)
        if call.ask.stream:
            return Answer(target, frames=_EchoFrames(said.events(start, _words), self._gap, attempt, started))
        if self._gap:
            await asyncio.sleep(self._gap * said.usage.output)
        attempt.outcome = "ok"
        attempt.total_ms = round((monotonic() - started) * 1000, 3)
        whole = Whole(
            b"",
            Dialect.OPENAI,
            start.id,
            model,
            (said.finish,) * said.choices,
            said.usage,
            decode=lambda _: tuple(said.events(start, lambda text: (text,))),
        )
        return Answer(target, whole=whole)

    async def aclose(self) -> None:
        """Nothing to let go of."""


class _Said(msgspec.Struct):
    """What every choice says, and how it ends."""

    text: str
    finish: FinishReason
    sequence: str | None
    choices: int
    usage: Usage

    def events(self, start: Started, cut: Callable[[str], Iterable[str]]) -> Iterator[Event]:
        yield start
        for choice in range(self.choices):
            if self.text:
                for piece in cut(self.text):
                    yield TextDelta(piece, choice)
            yield Finished(self.finish, choice, stop_sequence=self.sequence)
        yield Metered(self.usage)


def _say(prompt: Prompt) -> _Said:
    choices = prompt.n or 1
    if choices > _MAX_CHOICES:
        raise InvalidRequest(f"'n' may be at most {_MAX_CHOICES}; ask for fewer choices.", param="n")
    text, asked = "", 0
    for message in prompt.messages:
        said = "".join([part.text for part in message.parts if isinstance(part, TextPart)])
        asked += _count(said)
        if message.role == "user":
            text = said
    reason, sequence = FinishReason.STOP, None
    for stop in prompt.stop:
        if stop and stop in text:
            text, reason, sequence = text[: text.index(stop)], FinishReason.STOP_SEQUENCE, stop
    words = _count(text)
    most = prompt.max_tokens
    if most is not None and words > most:
        text, reason, sequence = _first(text, most), FinishReason.LENGTH, None
        words = max(0, most)
    return _Said(text, reason, sequence, choices, Usage(input=asked, output=words * choices))


def _count(text: str) -> int:
    return text.count(" ", 1) + 1 if text else 0


def _first(text: str, words: int) -> str:
    end = 0
    for _ in range(words):
        end = text.index(" ", end + 1)
    return text[:end]


def _words(text: str) -> Iterator[str]:
    """Cut before each space but a leading one; a text of any length costs one word at a time."""
    at = 0
    while (end := text.find(" ", at + 1)) >= 0:
        yield text[at:end]
        at = end
    yield text[at:]


class _EchoFrames:
    """The echo as a stream, one event a frame."""

    __slots__ = ("_attempt", "_events", "_gap", "_started")

    def __init__(self, events: Iterator[Event], gap: float, attempt: Attempt, started: float) -> None:
        self._events = events
        self._gap = gap
        self._attempt = attempt
        self._started = started

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        event = next(self._events, None)
        if event is None:
            await self.aclose()
            raise StopAsyncIteration
        if self._gap and isinstance(event, TextDelta):
            await asyncio.sleep(self._gap)
        return [Frame((event,))]

    async def aclose(self) -> None:
        if not self._attempt.outcome:
            self._attempt.outcome = "ok" if next(self._events, None) is None else "caller_gone"
            self._attempt.total_ms = round((monotonic() - self._started) * 1000, 3)
