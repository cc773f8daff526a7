"""A whole answer of Cohere's chat wire: its summary at once, its events when asked for."""

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.events import Dialect, Event, Finished, Metered, Started, ThinkingDelta, ToolDelta
from mainstay.providers.cohere.errors import fault_of, gave_up
from mainstay.providers.cohere.wire import (
    Call,
    Content,
    broken,
    carried,
    content_events,
    finish_reason,
    read_usage,
    tool_started,
)
from mainstay.providers.wire import NOTHING, UNREADABLE, mend

__all__ = ["whole"]


class _Message(msgspec.Struct):
    content: list[msgspec.Raw] | None = None
    tool_plan: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[msgspec.Raw] | None = None


class _Answer(msgspec.Struct):
    id: str | None = None
    finish_reason: str | None = None
    message: _Message | str | None = None
    usage: msgspec.Raw = NOTHING


_answer = msgspec.json.Decoder(_Answer)
_content = msgspec.json.Decoder(Content)


def whole(body: bytes) -> Whole:
    """Read the body of a successful answer.

    Raises:
        UpstreamBroken: it is not an answer.
        MainstayError: it is an error under a status of 200, or the upstream gave up.
    """
    try:
        answer, message = _read(body)
    except UNREADABLE:
        body = mend(body)
        try:
            answer, message = _read(body)
        except UNREADABLE:
            raise broken("an answer that cannot be read") from None
    word = answer.finish_reason or ""
    finish = finish_reason(word, tools=bool(message.tool_calls))
    return Whole(body, Dialect.COHERE, answer.id or "", "", (finish,), read_usage(answer.usage), _events)


def _read(body: bytes) -> tuple[_Answer, _Message]:
    answer = _answer.decode(body)
    body.decode()
    if not isinstance(answer.message, _Message):
        raise fault_of(body) or broken("an answer without a message")
    if (error := gave_up(answer.finish_reason or "", None)) is not None:
        raise error
    return answer, answer.message


def _events(body: bytes) -> tuple[Event, ...]:
    answer, message = _read(body)
    events: list[Event] = [Started(id=answer.id or "")]
    for raw in message.content or ():
        events += _block(raw)
    if message.tool_plan:
        events.append(ThinkingDelta(message.tool_plan))
    calls = message.tool_calls or []
    for index, call in enumerate(calls):
        events.append(tool_started(call, index))
        given = call.function.arguments if call.function is not None else None
        events.append(ToolDelta(given or "{}", index))
    events += [carried(citation) for citation in message.citations or ()]
    word = answer.finish_reason or ""
    events.append(Finished(finish_reason(word, tools=bool(calls)), raw=word))
    if (usage := read_usage(answer.usage)) is not None:
        events.append(Metered(usage))
    return tuple(events)


def _block(raw: msgspec.Raw) -> list[Event]:
    try:
        content = _content.decode(raw)
    except UNREADABLE:
        raise broken("a block of content that cannot be read") from None
    return content_events(content) if content.type in (None, "text", "thinking") else [carried(raw)]
