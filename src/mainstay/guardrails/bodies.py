"""Every text of a request: of a conversation, of the strings in its JSON, and of the body of a task.

Says where each stands and as what it counts, and puts other texts in their places. Pure; knows no rails.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.prompt import Message, OpaquePart, Part, Prompt, TextPart, ToolCallPart, ToolResultPart
from mainstay.guardrails.provenance import Trust, rewritten, segments
from mainstay.guardrails.rails import Place

__all__ = [
    "Source",
    "Stretch",
    "body_source",
    "json_strings",
    "last_words",
    "prompt_sources",
    "with_strings",
    "with_texts",
]

#: Where a text stands: as in ``provenance``, or the field that holds it.
Where = tuple[int | str, ...]
#: A string of JSON, or what tells in which field it stands.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]', re.DOTALL)
#: A longer string without a blank is a file, and no text.
_FILE: Final = 8192
#: Fields of a task that name things and hold no text.
_NAMES: Final = frozenset({"model", "encoding_format", "response_format", "output_format", "voice", "size", "quality"})
_PLACES: Final[Mapping[Trust, tuple[Place, ...]]] = {
    "system": ("input",),
    "user": ("input",),
    "assistant": ("input",),
    "retrieved": ("retrieved",),
    "tool": ("tool_result",),
}
#: What only a vendor's own wire can say: a search's result as likely as a word of the user's.
_OPAQUE: Final[Mapping[str, tuple[Place, ...]]] = {
    "tool": ("tool_result", "retrieved"),
    "assistant": ("retrieved", "tool_result", "input"),
}


class Stretch(msgspec.Struct, frozen=True):
    """A string in JSON: its characters, as written, are those from ``start`` up to ``end``; ``field`` is the field of
    the outermost object that holds it, "" for none."""

    start: int
    end: int
    value: str
    field: str = ""


class Source(msgspec.Struct, frozen=True):
    """One text of a request; ``strings`` are its parts where it is JSON. ``foreign`` is false for what the operator or
    the model has said, ``whole`` where judges read it as one text and not string by string."""

    path: Where
    text: str
    places: tuple[Place, ...]
    foreign: bool = True
    strings: tuple[Stretch, ...] | None = None
    whole: bool = True

    @property
    def name(self) -> str:
        """How records call it."""
        return ".".join(map(str, self.path))


def json_strings(text: str) -> tuple[Stretch, ...] | None:
    """Return the strings of a JSON text, without the names of fields and without files; None where it is no JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    found: list[Stretch] = []
    tokens = list(_TOKEN.finditer(text))
    depth, field, objects = 0, "", 0
    for number, token in enumerate(tokens):
        sign = token[0]
        if sign in "{[":
            depth += 1
            objects = 1 if sign == "{" and depth == 1 else objects
        elif sign in "}]":
            depth -= 1
        elif sign[0] == '"':
            value = json.loads(sign, strict=False)
            if number + 1 < len(tokens) and tokens[number + 1][0] == ":":
                field = value if depth == 1 and objects else field
            elif value and not _is_file(value):
                found.append(Stretch(token.start() + 1, token.end() - 1, value, field))
    return tuple(found)


def _is_file(value: str) -> bool:
    if len(value) > _FILE and not any(blank in value[:_FILE] for blank in " \n"):
        return True
    return value.startswith("data:") and ";base64," in value[:100]


def with_strings(text: str, values: Mapping[Stretch, str]) -> str:
    """Return a JSON ``text`` with other values in some of its strings."""
    done: list[str] = []
    position = 0
    for stretch in sorted(values, key=lambda one: one.start):
        done.append(text[position : stretch.start])
        done.append(json.dumps(values[stretch], ensure_ascii=False)[1:-1])
        position = stretch.end
    done.append(text[position:])
    return "".join(done)


def body_source(raw: bytes) -> Source | None:
    """Return the body of a request that is no conversation; None where it is no JSON. What reranking is to sort is
    retrieved."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    strings = json_strings(text)
    if strings is None:
        return None
    told = tuple(one for one in strings if one.field not in _NAMES)
    return Source(("body",), text, ("input",), strings=told, whole=False)


def last_words(prompt: Prompt) -> str:
    """Return the text of the last message of the user's that has any, "" where there is none."""
    for message in reversed(prompt.messages):
        if message.role == "user":
            text = "\n".join([part.text for part in message.parts if isinstance(part, TextPart)]).strip()
            if text:
                return text
    return ""


def prompt_sources(prompt: Prompt) -> list[Source]:
    """Return every text of ``prompt``: what :func:`~mainstay.guardrails.provenance.segments` knows, and the strings of
    what only one wire can say."""
    found: list[Source] = []
    calls = {
        (number, place)
        for number, message in enumerate(prompt.messages)
        for place, part in enumerate(message.parts)
        if isinstance(part, ToolCallPart)
    }
    for one in segments(prompt):
        foreign = one.trust not in ("system", "assistant")
        strings = json_strings(one.text) if one.path in calls else None
        found.append(Source(one.path, one.text, _PLACES[one.trust], foreign, strings))
    found += [_of_raw(("extra", name), raw, ("input",)) for name, raw in prompt.extra.items() if _has_text(raw)]
    if prompt.user:
        found.append(_of_raw(("user",), msgspec.Raw(json.dumps(prompt.user).encode()), ("input",)))
    for number, message in enumerate(prompt.messages):
        if message.name:
            found.append(_of_raw((number, "name"), msgspec.Raw(json.dumps(message.name).encode()), ("input",)))
        places = _OPAQUE.get(message.role, ("input", "retrieved"))
        found += [
            _of_raw((number, "extra", name), raw, places) for name, raw in message.extra.items() if _has_text(raw)
        ]
        for place, part in enumerate(message.parts):
            found += _of_part((number, place), part, places)
    return found


def _of_part(path: Where, part: Part, places: tuple[Place, ...]) -> Iterator[Source]:
    if isinstance(part, OpaquePart):
        yield _of_raw(path, part.payload, places)
        return
    if isinstance(part, ToolResultPart):
        for place, one in enumerate(part.content):
            yield from _of_part((*path, place), one, _OPAQUE["tool"])
    for name, raw in getattr(part, "extra", {}).items():
        if _has_text(raw):
            yield _of_raw((*path, "extra", name), raw, places)


def _has_text(raw: msgspec.Raw) -> bool:
    # Most are a number or a word.
    return len(bytes(raw)) > 8 and b'"' in bytes(raw)


def _of_raw(path: Where, raw: msgspec.Raw, places: tuple[Place, ...]) -> Source:
    text = bytes(raw).decode("utf-8", "replace")
    return Source(path, text, places, strings=json_strings(text) or (), whole=False)


def with_texts(prompt: Prompt, texts: Mapping[Where, str]) -> Prompt:
    """Return ``prompt`` with other texts in the places of some of its sources."""
    if not texts:
        return prompt
    plain: dict[tuple[int, ...], str] = {}
    raws: dict[Where, msgspec.Raw] = {}
    for path, text in texts.items():
        numbers = tuple(one for one in path if isinstance(one, int))
        if len(numbers) != len(path) or _is_opaque(prompt, numbers):
            raws[path] = msgspec.Raw(text.encode())
        else:
            plain[numbers] = text
    prompt = rewritten(prompt, plain)
    if not raws:
        return prompt
    messages = tuple(_message(one, number, raws) for number, one in enumerate(prompt.messages))
    user = _word(prompt.user, raws.get(("user",)))
    return replace(prompt, extra=_extra(prompt.extra, (), raws), user=user, messages=messages)


def _word(given: str | None, raw: msgspec.Raw | None) -> str | None:
    return given if raw is None else str(json.loads(bytes(raw)))


def _is_opaque(prompt: Prompt, path: tuple[int, ...]) -> bool:
    if path[0] < 0:
        return False
    part = prompt.messages[path[0]].parts[path[1]]
    for place in path[2:]:
        assert isinstance(part, ToolResultPart)
        part = part.content[place]
    return isinstance(part, OpaquePart)


def _message(message: Message, number: int, raws: Mapping[Where, msgspec.Raw]) -> Message:
    if all(path[0] != number for path in raws):
        return message
    parts = tuple(_part(part, (number, place), raws) for place, part in enumerate(message.parts))
    name = _word(message.name, raws.get((number, "name")))
    return replace(message, parts=parts, name=name, extra=_extra(message.extra, (number,), raws))


def _part(part: Part, path: Where, raws: Mapping[Where, msgspec.Raw]) -> Part:
    if isinstance(part, OpaquePart):
        return replace(part, payload=raws[path]) if path in raws else part
    if isinstance(part, ToolResultPart):
        content = tuple(_part(one, (*path, place), raws) for place, one in enumerate(part.content))
        part = replace(part, content=content)
    given: dict[str, msgspec.Raw] = getattr(part, "extra", {})
    extra = _extra(given, path, raws)
    return replace(part, extra=extra) if extra is not given else part


def _extra(given: dict[str, msgspec.Raw], path: Where, raws: Mapping[Where, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if not any((*path, "extra", name) in raws for name in given):
        return given
    return {name: raws.get((*path, "extra", name), raw) for name, raw in given.items()}
