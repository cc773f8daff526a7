"""A whole response of an upstream: its summary at once, its events when asked for.

One item of the output gives the same events here and in a stream, so whoever works on events need not care which of
the two it was. A call without ``call_id``, by which callers answer it, gets its own id in the bytes; nothing else of
them is touched.
"""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import UpstreamBroken, UpstreamFailed
from mainstay.core.events import (
    Dialect,
    Event,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.providers.openai.errors import inner_error
from mainstay.providers.openai.wire import is_text, mint_call_id, read_fields
from mainstay.providers.responses.door import UNREADABLE
from mainstay.providers.responses.tools import alias
from mainstay.providers.responses.wire import (
    WireItem,
    WirePart,
    WireResponse,
    annotation_event,
    arguments_text,
    broken,
    ending,
    failure,
    read_item,
    read_usage,
    sign,
    token_logprobs,
    waits_for_caller,
)
from mainstay.providers.wire import mend

__all__ = ["BETWEEN", "call_events", "part_events", "read_response", "read_whole", "seal_events"]

#: What stands between two parts of a summary, which are paragraphs.
BETWEEN = "\n\n"
_MALFORMED = "The upstream answered with something that is not a response."

_response = msgspec.json.Decoder(WireResponse)


def read_whole(body: bytes) -> Whole:
    """Read the body of a 200.

    Raises:
        MainstayError: it holds an error, which is classified as if it had come with its own status.
        UpstreamBroken: it is not an answer.
    """
    try:
        response = read_response(body)
    except UpstreamBroken:
        mended = mend(body)
        if mended == body:
            raise inner_error(body) or UpstreamBroken(_MALFORMED) from None
        body, response = mended, read_response(mended)
    status = _status(response, body)
    output = response.output
    if output is None:
        raise inner_error(body) or UpstreamBroken(_MALFORMED)
    items = [read_item(raw) for raw in output]
    if any(item.type == "function_call" and not item.call_id for item in items):
        body = _with_call_ids(body, output, items)
    finished = ending(status, response.incomplete_details, waits=any(waits_for_caller(item.type) for item in items))
    return Whole(
        body,
        Dialect.RESPONSES,
        response.id or "",
        response.model or "",
        (finished.reason,),
        read_usage(response),
        _events,
    )


def read_response(body: bytes | msgspec.Raw) -> WireResponse:
    """Decode a response object.

    Raises:
        UpstreamBroken: it is none.
    """
    data = bytes(body)
    try:
        response = _response.decode(data)
    except UNREADABLE:
        raise UpstreamBroken(_MALFORMED) from None
    if not is_text(data):
        raise UpstreamBroken(_MALFORMED)
    return response


def _status(response: WireResponse, body: bytes) -> str:
    if response.error or response.status == "failed":
        raise failure(body)
    status = response.status or "completed"
    if status == "cancelled":
        raise UpstreamFailed("The upstream cancelled its answer; try again.")
    if status not in ("completed", "incomplete"):
        raise UpstreamBroken("The upstream answered before it was done; try again.")
    return status


def _events(body: bytes) -> tuple[Event, ...]:
    response = read_response(body)
    events: list[Event] = [Started(response.id or "", response.model or "", int(response.created_at or 0))]
    waits = False
    calls = 0
    for raw in response.output or ():
        item = read_item(raw)
        events += _item_events(item, raw, calls)
        calls += item.type == "function_call"
        waits = waits or waits_for_caller(item.type)
    events.append(ending(_status(response, body), response.incomplete_details, waits=waits))
    if (usage := read_usage(response)) is not None:
        events.append(Metered(usage))
    return tuple(events)


def _item_events(item: WireItem, raw: msgspec.Raw, calls: int) -> list[Event]:
    """Return the events of one complete item; ``calls`` is the number of calls before it."""
    kind = item.type
    if kind == "message":
        return [event for part in item.content or () for event in part_events(part)]
    if kind == "reasoning":
        texts = [BETWEEN.join(part.text for part in parts or () if part.text) for parts in (item.summary, item.content)]
        return [*(ThinkingDelta(text) for text in texts if text), *seal_events(item)]
    if kind == "function_call":
        return call_events(item, calls)
    return [Opaque(raw, Dialect.RESPONSES)]


def part_events(part: WirePart) -> list[Event]:
    """Return the events of one complete part of a message."""
    events: list[Event] = []
    try:
        logprobs = token_logprobs(part.logprobs)
        if part.text or logprobs is not None:
            events.append(TextDelta(part.text or "", 0, logprobs))
        if part.refusal:
            events.append(RefusalDelta(part.refusal))
        events += [note for raw in part.annotations or () if (note := annotation_event(raw)) is not None]
    except UNREADABLE:
        raise broken("a part of an answer that cannot be read") from None
    return events


def seal_events(item: WireItem) -> list[Event]:
    """Return what proves a block of reasoning to its vendor, if it has that."""
    if not item.encrypted_content:
        return []
    return [ThinkingSealed(signature=sign(item.id or "", item.encrypted_content))]


def call_events(item: WireItem, index: int) -> list[Event]:
    """Return the events of a complete call of a function.

    Raises:
        UpstreamBroken: it has no name.
    """
    if not item.name:
        raise broken("a tool call without a name")
    called = item.call_id or item.id or mint_call_id()
    events: list[Event] = [ToolStarted(called, alias(item.name, item.namespace or ""), index)]
    try:
        arguments = arguments_text(item.arguments)
    except UNREADABLE:
        raise broken("a tool call that cannot be read") from None
    if arguments:
        events.append(ToolDelta(arguments, index))
    return events


def _with_call_ids(body: bytes, output: list[msgspec.Raw], items: list[WireItem]) -> bytes:
    kept: list[Any] = []
    for raw, item in zip(output, items, strict=True):
        if item.type == "function_call" and not item.call_id:
            kept.append({**read_fields(raw), "call_id": item.id or mint_call_id()})
        else:
            kept.append(raw)
    return msgspec.json.encode({**read_fields(body), "output": kept})
