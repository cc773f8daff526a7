"""Sources and a library for tests of what answers rest on: no store, no weights."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Frame, Metered, Started, TextDelta
from mainstay.core.fold import fold
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.record import Record
from mainstay.core.sources import Found, Pin, Source
from mainstay.core.target import Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.grounding.port import Access, Question, Support

PIN = Pin("handbook", "main", 7)
TARGET = Target("m", "p", "openai", "m")


def source(text: str, *, passage: str = "", start: int = 0, **fields: Any) -> Source:
    """Return a source whose passage begins at ``start`` of its document."""
    data = text.encode()
    name = passage or f"p-{hashlib.sha256(data).hexdigest()[:8]}"
    fields = {"title": "Handbook", **fields}
    digest = hashlib.sha256(data).hexdigest()
    return Source(
        PIN, "handbook.md", 2, name, start, start + len(text), start, start + len(data), text, digest, **fields
    )


REFUNDS = source("Refunds take 14 days. They are paid to the card that was charged.", passage="refunds", start=100)
HOURS = source("The shop opens at nine and closes at six. On Sundays it stays closed.", passage="hours", page=3)
CATS = source(
    "Cats are allowed in the shop. Dogs have to wait outside the door.", passage="cats", uri="https://a.example/c"
)


class ScriptedLibrary:
    """Finds the same for every question, and judges claims by whether a source has a word of ``TRUE``."""

    def __init__(self, *sources: Source, confidence: float = 0.9, delay: float = 0.0) -> None:
        self.found = Found(PIN, sources, confidence, ms=1.5)
        self.delay = delay
        self.asked: list[Question] = []
        self.checked: list[tuple[str, str]] = []
        #: Claims that nothing supports, and those that are contradicted, by a word in them.
        self.wrong: Mapping[str, str] = {}
        self.gate: asyncio.Event | None = None

    async def ready(self, base: str) -> None:
        """It always is."""

    async def find(self, base: str, question: Question) -> Found:
        self.asked.append(question)
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.found

    async def alive(self, base: str, passages: Sequence[str], access: Access) -> bool:
        return True

    async def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        self.checked += pairs
        if self.gate is not None:
            await self.gate.wait()
        return [self._judge(claim) for claim, _ in pairs]

    def _judge(self, claim: str) -> Support:
        for word, verdict in self.wrong.items():
            if word in claim:
                return Support(0.05, 0.9, 0.05) if verdict == "contradicted" else Support(0.1, 0.1, 0.8)
        return Support(0.9, 0.05, 0.05)


def a_call(text: str = "How long do refunds take?", *, stream: bool = False, **prompt: Any) -> Call:
    """Return a call that asks ``text``."""
    messages = prompt.pop("messages", (Message("user", (TextPart(text),)),))
    asked = Prompt("route", messages, stream=stream, **prompt)
    ask = Ask(b"{}", Dialect.OPENAI, "route", stream, False, lambda _: asked, lambda _: frozenset(), Operation.CHAT)
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    return Call(ask, record, Caller("key-id", "alice", "support"), "route", (), 0.0, 1e12, Timeouts())


def answered(*texts: str) -> tuple[Event, ...]:
    """Return the events of an answer that comes in these pieces."""
    words = [TextDelta(text) for text in texts]
    return (Started("id", "m"), *words, Finished(FinishReason.STOP), Metered(Usage(10, 5)))


class Model:
    """Answers calls with what it is told to, one answer after the other; the last one again and again."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.calls: list[Call] = []
        self.closed = 0

    async def __call__(self, call: Call) -> Answer:
        self.calls.append(call)
        texts = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        events = answered(*texts)
        if call.ask.stream:
            return Answer(TARGET, frames=_Frames(self, events))
        whole: Whole = fold(events)
        return Answer(TARGET, whole=whole)


class _Frames:
    def __init__(self, model: Model, events: Sequence[Event]) -> None:
        self._model = model
        self._events = iter(events)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        for event in self._events:
            return [Frame((event,), b"{}", Dialect.OPENAI)]
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._model.closed += 1


async def events_of(answer: Answer) -> tuple[Event, ...]:
    """Return the events of an answer as they come."""
    if answer.whole is not None:
        return answer.whole.events
    assert answer.frames is not None
    found: list[Event] = []
    async for batch in answer.frames:
        found += [event for frame in batch for event in frame.events]
    return tuple(found)
