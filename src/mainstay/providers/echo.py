"""``kind: echo``: says back what the last user message said, word by word. No network, always the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from mainstay.core.fold import fold

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
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
    }
)


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
        events = _events(call.ask.prompt, target.upstream or target.model, call.record.id)
        if self._delay:
            await asyncio.sleep(self._delay)
        attempt.upstream_model = target.upstream or target.model
        attempt.first_ms = round((monotonic() - started) * 1000, 3)
        if call.ask.stream:
            return Answer(target, frames=_EchoFrames(events, self._gap, attempt, started))
        words = sum(isinstance(event, TextDelta) for event in events)
        if self._gap:
            await asyncio.sleep(self._gap * words)
        attempt.outcome = "ok"
        attempt.total_ms = round((monotonic() - started) * 1000, 3)
        finish = tuple(event.reason for event in events if isinstance(event, Finished))
        usage = next(event.usage for event in events if isinstance(event, Metered))
        whole = Whole(
            b"",
            Dialect.OPENAI,
            call.record.id,
            attempt.upstream_model,
            finish,
            usage,
            decode=lambda _: fold(events).events,
        )
        return Answer(target, whole=whole)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def _events(prompt: Prompt, model: str, answer_id: str) -> tuple[Event, ...]:
    text = ""
    for message in prompt.messages:
        if message.role == "user":
            text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    reason, sequence = FinishReason.STOP, None
    for stop in prompt.stop:
        if stop and stop in text:
            text, reason, sequence = text[: text.index(stop)], FinishReason.STOP_SEQUENCE, stop
    words = text.split(" ")
    if prompt.max_tokens is not None and len(words) > prompt.max_tokens:
        words, reason, sequence = words[: prompt.max_tokens], FinishReason.LENGTH, None
    events: list[Event] = [Started(f"chatcmpl-{answer_id}", model)]
    choices = prompt.n or 1
    for choice in range(choices):
        events += [TextDelta(word if i == 0 else f" {word}", choice) for i, word in enumerate(words)]
        events.append(Finished(reason, choice, stop_sequence=sequence))
    asked = sum(
        len(part.text.split()) for message in prompt.messages for part in message.parts if isinstance(part, TextPart)
    )
    events.append(Metered(Usage(input=asked, output=len(words) * choices)))
    return tuple(events)


class _EchoFrames:
    """The echo as a stream, one event a frame."""

    __slots__ = ("_attempt", "_events", "_gap", "_started")

    def __init__(self, events: Sequence[Event], gap: float, attempt: Attempt, started: float) -> None:
        self._events = iter(events)
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
