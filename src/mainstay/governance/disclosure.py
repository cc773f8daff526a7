"""The notice that an AI system answers: a mark on every answer, for programs, and words before the first, for people.

Article 50 of the EU's AI Act wants both from whoever lets people talk with an AI system: (1) that they are told, and
(2) that what it writes is marked so that programs can tell. Works on events, so every dialect and every stream has it
alike. Knows neither who asks nor why.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call
from mainstay.core.events import Event, Frame, TextDelta
from mainstay.core.prompt import Prompt, TextPart
from mainstay.core.target import Operation

__all__ = ["MARK", "Disclosure"]

#: The header that says who wrote an answer.
MARK: Final = (b"x-mainstay-disclosure", b"ai-generated")


class Disclosure:
    """How one route tells that an AI system answers.

    Args:
        text: what people are told before the first answer of a conversation; "" for nothing.
        marked: put the header on every answer.
        formed: the route's own answers have a form that words would break.
    """

    def __init__(self, text: str, *, marked: bool = True, formed: bool = False) -> None:
        self._text = f"{text}\n\n" if text else ""
        self._marked = marked
        self._formed = formed

    def tell(self, call: Call, answer: Answer) -> Answer:
        """Return an answer with the notice in it."""
        if self._marked and call.ask.operation is not Operation.COUNT:
            answer.headers = (*answer.headers, MARK)
        if not self._text or self._formed or call.ask.operation is not Operation.CHAT or not _begins(call.ask.prompt):
            return answer
        if answer.frames is not None:
            answer.frames = _Told(answer.frames, self._text)
        elif answer.whole is not None:
            events = _Notice(self._text).into(answer.whole.events)
            if events is not answer.whole.events:
                answer.whole = replace(answer.whole, wire=b"", decode=None, _events=events)
        return answer


def _begins(prompt: Prompt) -> bool:
    """Whether nothing has been said to the user yet, and what is said now may be any text."""
    if prompt.form is not None and prompt.form.kind != "text":
        return False
    return not any(
        message.role == "assistant" and any(isinstance(part, TextPart) and part.text for part in message.parts)
        for message in prompt.messages
    )


class _Notice:
    """Puts the words before the first text of each choice."""

    __slots__ = ("_text", "_told")

    def __init__(self, text: str) -> None:
        self._text = text
        self._told: set[int] = set()

    def into(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Return ``events`` with the words; the very same where there is no place for them."""
        if not any(self._is_first(event) for event in events):
            return events
        return tuple(self._with(events))

    def _is_first(self, event: Event) -> bool:
        return isinstance(event, TextDelta) and event.text != "" and event.choice not in self._told

    def _with(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            if isinstance(event, TextDelta) and self._is_first(event):
                self._told.add(event.choice)
                # Words of their own: the probabilities beside the others are not theirs.
                yield TextDelta(self._text, event.choice)
            yield event


class _Told:
    """A stream with the words before its first text. Its frames go without their bytes: what was put in moves all."""

    __slots__ = ("_inner", "_next", "_notice")

    def __init__(self, inner: Frames, text: str) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._notice = _Notice(text)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        return [Frame(self._notice.into(frame.events)) for frame in await self._next()]

    async def aclose(self) -> None:
        await self._inner.aclose()
