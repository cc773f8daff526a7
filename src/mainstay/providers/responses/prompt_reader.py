"""A whole request as a :class:`~mainstay.core.prompt.Prompt`.

Read only when another dialect or a stage of the line needs it. ``instructions`` become a first message; what the model
did in one turn (its reasoning, its words, its calls) becomes one message, as other wires have it. What is settled here
and not asked of a model (``store``, ``metadata``, ``include``, ``stream_options``) is left out; what is not known
travels, for the upstream to judge.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import Message, OutputForm, Part, Prompt, TextPart
from mainstay.providers.responses.door import TOP_FIELDS, UNREADABLE, Door, DoorFormat, DoorItem, present, read_door
from mainstay.providers.responses.input_reader import Turn, read_item
from mainstay.providers.responses.tools import Toolbox, read_toolbox

__all__ = ["place_of", "read_prompt", "toolbox_of"]

Fields = dict[str, msgspec.Raw]

#: Hints that no other wire has, and what says where a request came from: leaving them out changes no answer.
_HINTS = frozenset({"client_metadata", "context_management", "prompt_cache_options", "access_programs"})
_LOGPROBS = "message.output_text.logprobs"
#: Items whose ``tools`` are offered from then on.
_BRINGS_TOOLS = frozenset({"additional_tools", "tool_search_output"})

_fields = msgspec.json.Decoder(Fields)
_list = msgspec.json.Decoder(list[msgspec.Raw])


class _Bringer(msgspec.Struct, gc=False):
    tools: list[msgspec.Raw] = []


_bringer = msgspec.json.Decoder(_Bringer)


def read_prompt(body: bytes, *, hosted: str = "omit") -> Prompt:
    """Read a request in full; ``hosted`` is the setting ``responses.hosted_tools``.

    Raises:
        InvalidRequest: a field is wrong or missing; ``param`` names it.
    """
    door = read_door(body)
    top = _fields.decode(body)
    box = toolbox_of(door, top)
    tools = box.kept(hosted)
    text, reasoning = door.text, door.reasoning
    wants_logprobs = bool(door.top_logprobs) or _LOGPROBS in (door.include or ())
    return Prompt(
        model=door.model,
        messages=_messages(door, top),
        stream=door.stream is True,
        include_usage=True,
        tools=tools,
        tool_choice=box.choice if tools or (box.choice is not None and box.choice.kind == "tool") else None,
        # Other wires refuse this where there are no tools.
        parallel_tools=door.parallel_tool_calls if tools else None,
        max_tokens=door.max_output_tokens,
        temperature=door.temperature,
        top_p=door.top_p,
        logprobs=True if wants_logprobs else None,
        top_logprobs=door.top_logprobs or None,
        form=_form(text.format) if text is not None and text.format is not None else None,
        reasoning_effort=reasoning.effort if reasoning is not None else None,
        user=door.user,
        extra=_extra(door, top),
    )


def toolbox_of(door: Door, top: Fields) -> Toolbox:
    """Return the tools of a request whose top-level fields are ``top``.

    Raises:
        InvalidRequest: one of them is not what the wire allows; ``param`` names it.
    """
    later: list[msgspec.Raw] = []
    if isinstance(door.input, list) and any(item.type in _BRINGS_TOOLS for item in door.input):
        for item, raw in zip(door.input, _list.decode(top["input"]), strict=True):
            if item.type in _BRINGS_TOOLS:
                later += _brought(raw)
    return read_toolbox(_list.decode(top["tools"]) if door.tools else (), door, later)


def _brought(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _bringer.decode(raw).tools
    except UNREADABLE:
        raise InvalidRequest("An item of 'input' has 'tools' that cannot be read; check them.", param="input") from None


def _messages(door: Door, top: Fields) -> tuple[Message, ...]:
    messages: list[Message] = []
    if door.instructions:
        messages.append(Message("system", (TextPart(door.instructions),)))
    if isinstance(door.input, str):
        messages.append(Message("user", (TextPart(door.input),) if door.input else ()))
    elif door.input:
        for turns in _joined(_turns(door.input, top)):
            parts: list[Part] = []
            for _, turn in turns:
                parts += turn.parts
            messages.append(Message(turns[0][1].role, tuple(parts)))
    return tuple(messages)


def place_of(body: bytes, message: int, part: int | None) -> tuple[int, int] | None:
    """Return where in a request the part ``part`` of the message ``message`` of its prompt stands, or the message.

    That is the position of an item of the input, and of the part within what it says; None for the instructions and for
    an input that is a text.
    """
    door = read_door(body)
    message -= bool(door.instructions)
    if message < 0 or not isinstance(door.input, list):
        return None
    turns = list(_joined(_turns(door.input, _fields.decode(body))))[message]
    left = part or 0
    for position, turn in turns:
        if left < len(turn.parts):
            return position, left
        left -= len(turn.parts)
    return turns[0][0], 0


def _turns(items: Sequence[DoorItem], top: Fields) -> Iterable[tuple[int, Turn]]:
    """Return what the items of the input say, with their positions."""
    for position, (item, raw) in enumerate(zip(items, _list.decode(top["input"]), strict=True)):
        turn = read_item(item, raw, f"input[{position}]")
        if turn is not None:
            yield position, turn


def _joined(turns: Iterable[tuple[int, Turn]]) -> Iterable[list[tuple[int, Turn]]]:
    """Return the turns of each message: what the model says in a row becomes one, all else stays apart."""
    own: list[tuple[int, Turn]] = []
    for pair in turns:
        if pair[1].role == "assistant":
            own.append(pair)
            continue
        if any(turn.parts for _, turn in own):
            yield own
        own = []
        yield [pair]
    if any(turn.parts for _, turn in own):
        yield own


def _form(given: DoorFormat) -> OutputForm | None:
    if given.type == "text":
        return None
    if given.type == "json_object":
        return OutputForm("json")
    if given.type != "json_schema":
        raise InvalidRequest(
            "'text.format.type' must be 'text', 'json_schema' or 'json_object'.", param="text.format.type"
        )
    if not present(given.schema):
        raise InvalidRequest("'text.format.schema' is missing; it is required.", param="text.format.schema")
    return OutputForm("schema", given.schema, given.name or "", given.description, given.strict)


def _extra(door: Door, top: Fields) -> Fields:
    extra = {name: value for name, value in top.items() if name not in TOP_FIELDS and name not in _HINTS}
    if door.truncation in (None, "disabled"):
        extra.pop("truncation", None)
    if door.text is not None and door.text.verbosity is not None:
        extra["verbosity"] = _raw(door.text.verbosity)
    if door.reasoning is not None and door.reasoning.mode not in (None, "standard"):
        extra["reasoning"] = _raw({"mode": door.reasoning.mode})
    return {name: value for name, value in extra.items() if present(value)}


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
