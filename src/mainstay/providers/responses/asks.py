"""What a caller of this wire asks: read at the door, and told what it needs of a model.

The common case never builds a prompt: towards an upstream of the same wire the caller's bytes go up as they came, or
with what they refer to put in its place.
"""

from collections.abc import Iterable
from functools import partial

import msgspec

from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.prompt import ThinkingPart, ToolCallPart, ToolResultPart
from mainstay.core.target import Feature
from mainstay.providers.openai.requests import scan as scan_prompt
from mainstay.providers.ours import without_ours
from mainstay.providers.responses.door import UNREADABLE, Door, read_door
from mainstay.providers.responses.history import items_of
from mainstay.providers.responses.input_reader import CALLS, RESULTS
from mainstay.providers.responses.prompt_reader import place_of, read_prompt

__all__ = ["ResponsesAsk", "locate", "place", "read_ask", "scan"]

_NEEDS = {"input_image": Feature.IMAGES, "input_file": Feature.DOCUMENTS, "input_audio": Feature.AUDIO}
_PREVIOUS = "previous_response_id"
_LOGPROBS = "message.output_text.logprobs"


class ResponsesAsk(Ask):
    """A request of this wire; ``raw`` has in place what ``said``, the caller's own bytes, only refers to.

    ``previous`` is the response it continues, ``before`` the nearest ids of the chain up to there, oldest first, and
    ``stored`` whether its answer is kept.
    """

    said: bytes = b""
    previous: str | None = None
    before: tuple[str, ...] = ()
    stored: bool = False
    hosted: str = "omit"
    done_marker: bool = False


class _Part(msgspec.Struct, gc=False):
    type: str = ""


_parts = msgspec.json.Decoder(list[_Part])
_readers = {hosted: partial(read_prompt, hosted=hosted) for hosted in ("omit", "refuse")}


def read_ask(body: bytes, *, hosted: str = "omit") -> ResponsesAsk:
    """Read the body of ``POST /v1/responses``; ``hosted`` is the setting ``responses.hosted_tools``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body)
    return ResponsesAsk(
        _own(door, body),
        Dialect.RESPONSES,
        door.model,
        door.stream is True,
        # This wire reports the usage of every answer.
        True,
        _readers[hosted],
        scan,
        locate=locate,
        place=place,
        user=door.user or "",
        said=body,
        previous=door.previous_response_id or None,
        stored=door.store is not False,
        hosted=hosted,
    )


def _own(door: Door, body: bytes) -> bytes:
    """Return ``body`` without what we had added to the model's turns."""
    for item in door.input if isinstance(door.input, list) else ():
        if item.role == "assistant":
            return without_ours(body)
    return body


def scan(ask: Ask) -> frozenset[Feature]:
    """Return what a model must be able to do to answer ``ask``."""
    if not ask.raw:
        return scan_prompt(ask)
    return frozenset(feature for feature, _ in _found(read_door(ask.raw)))


def locate(ask: Ask, feature: Feature) -> str | None:
    """Return the path of the first field of ``ask`` that asks for ``feature``."""
    if not ask.raw:
        return None
    return next((path for found, path in _found(read_door(ask.raw), _earlier(ask)) if found is feature), None)


def place(ask: Ask, message: int, parts: tuple[int, ...], field: str) -> str:
    """Return the path of what stands at a place of the prompt; see :class:`~mainstay.core.call.Ask`."""
    door = read_door(ask.raw)
    found = place_of(ask.raw, message, parts[0] if parts else None)
    if found is None or not isinstance(door.input, list):
        return "instructions" if door.instructions and message == 0 else "input"
    position, part = found
    at = _item_at(position, _earlier(ask))
    if at == _PREVIOUS:
        return at
    item = door.input[position]
    meant = ask.prompt.messages[message].parts[parts[0]] if parts else None
    if isinstance(meant, ToolResultPart):
        field = "call_id" if field == "id" else field
        at += "".join([f".output[{inner}]" if bytes(item.output)[:1] == b"[" else ".output" for inner in parts[1:]])
    elif isinstance(meant, ToolCallPart):
        field = "input" if field == "arguments" and item.type == "custom_tool_call" else field
    elif parts and not isinstance(meant, ThinkingPart) and item.type in (None, "message"):
        at += f".content[{part}]" if bytes(item.content)[:1] == b"[" else ".content"
    return f"{at}.{field}" if field else at


def _earlier(ask: Ask) -> int:
    """Return how many items stand before the caller's own: those of the responses that it continues."""
    if not isinstance(ask, ResponsesAsk) or ask.raw is ask.said:
        return 0
    return len(items_of(ask.raw)) - len(items_of(ask.said))


def _item_at(position: int, earlier: int) -> str:
    return f"input[{position - earlier}]" if position >= earlier else _PREVIOUS


def _found(door: Door, earlier: int = 0) -> Iterable[tuple[Feature, str]]:
    if door.tools:
        yield Feature.TOOLS, "tools"
    if door.top_logprobs:
        yield Feature.LOGPROBS, "top_logprobs"
    elif _LOGPROBS in (door.include or ()):
        yield Feature.LOGPROBS, "include"
    form = door.text.format if door.text is not None else None
    if form is not None and form.type == "json_schema":
        yield Feature.SCHEMA, "text.format"
    elif form is not None and form.type == "json_object":
        yield Feature.JSON, "text.format"
    for position, item in enumerate(door.input if isinstance(door.input, list) else ()):
        at = _item_at(position, earlier)
        kind = item.type or ""
        if kind in CALLS or kind in RESULTS:
            yield Feature.TOOLS, at
        for field, raw in (("content", item.content), ("output", item.output)):
            if b'"input_' in (content := bytes(raw)) and content[:1] == b"[":
                yield from _needs(content, f"{at}.{field}" if at != _PREVIOUS else at)


def _needs(content: bytes, at: str) -> Iterable[tuple[Feature, str]]:
    try:
        parts = _parts.decode(content)
    except UNREADABLE:
        # Whoever reads it in full says what is wrong with it.
        return
    for position, part in enumerate(parts):
        if part.type in _NEEDS:
            yield _NEEDS[part.type], f"{at}[{position}]" if at != _PREVIOUS else at
