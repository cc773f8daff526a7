"""The parts of a request that some models cannot take: where they stand in the caller's words, and what stands for
them once they were read. Pure.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from mainstay.core.call import Ask
from mainstay.core.errors import Unreadable
from mainstay.core.events import Dialect
from mainstay.core.prompt import AudioPart, DocumentPart, ImagePart, Message, Part, Prompt, TextPart, ToolResultPart
from mainstay.core.target import Feature
from mainstay.reading.port import Text

__all__ = ["Readable", "describe", "feature_of", "inline", "locate", "substitute"]

#: A part that may be read.
Readable = ImagePart | DocumentPart | AudioPart

_FEATURES: Final[Mapping[type[Part], Feature]] = {
    ImagePart: Feature.IMAGES,
    DocumentPart: Feature.DOCUMENTS,
    AudioPart: Feature.AUDIO,
}


def feature_of(part: Readable) -> Feature:
    """Return what a model needs to take ``part``."""
    return _FEATURES[type(part)]


def locate(prompt: Prompt, dialect: Dialect, ask: Ask | None = None) -> Iterator[tuple[str, Readable]]:
    """Yield each part that may be read, with its path in the caller's request.

    ``ask`` is that request as it came, where it is there: only it knows which item of a Responses input a part is of.
    """
    if dialect is Dialect.RESPONSES and ask is not None and ask.place is not None and ask.raw:
        yield from _placed(prompt, ask, ask.place)
        return
    place = 0
    for message in prompt.messages:
        if dialect is Dialect.ANTHROPIC and message.role == "system":
            # There it is a field of its own, and has no files.
            continue
        # Which item of the Responses API a part came from is not kept: several may be one message.
        path = f"messages[{place}].content" if dialect is not Dialect.RESPONSES else "input"
        yield from _within(message.parts, path, dialect)
        place += 1


def _placed(
    prompt: Prompt, ask: Ask, place: Callable[[Ask, int, tuple[int, ...], str], str]
) -> Iterator[tuple[str, Readable]]:
    for position, message in enumerate(prompt.messages):
        for number, part in enumerate(message.parts):
            if isinstance(part, ImagePart | DocumentPart | AudioPart):
                yield place(ask, position, (number,), ""), part
            elif isinstance(part, ToolResultPart):
                for inner, piece in enumerate(part.content):
                    if isinstance(piece, ImagePart | DocumentPart | AudioPart):
                        yield place(ask, position, (number, inner), ""), piece


def _within(parts: tuple[Part, ...], path: str, dialect: Dialect) -> Iterator[tuple[str, Readable]]:
    for place, part in enumerate(parts):
        here = path if dialect is Dialect.RESPONSES else f"{path}[{place}]"
        if isinstance(part, ImagePart | DocumentPart | AudioPart):
            yield here, part
        elif isinstance(part, ToolResultPart):
            # OpenAI's tool message is the result; Anthropic's result is a block of a message.
            inner = f"{here}.content" if dialect is Dialect.ANTHROPIC else path
            yield from _within(part.content, inner, dialect)


def inline(part: Readable, limit: int) -> bytes | None:
    """Return the file that a part holds, or None when it is elsewhere.

    Raises:
        Unreadable: it is not in base64, or larger than ``limit`` bytes.
    """
    data = part.data
    if not data:
        return None
    if isinstance(part, DocumentPart) and part.media_type == "text/plain":
        raw = data.encode("utf-8", "replace")
    elif len(data) * 3 // 4 > limit + 3:
        raise _too_large(limit)
    else:
        try:
            raw = base64.b64decode(data.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise Unreadable("is not in base64; encode the file's bytes, without line breaks") from None
    if len(raw) > limit:
        raise _too_large(limit)
    return raw


def _too_large(limit: int) -> Unreadable:
    return Unreadable(f"is larger than the {limit} bytes that this route reads; send a smaller file")


def describe(part: Readable, read: Text) -> TextPart:
    """Return what a model is shown in the place of ``part``."""
    if isinstance(part, ImagePart):
        what, none = "Image, of which this text was read", "[Image without text that can be read]"
    elif isinstance(part, AudioPart):
        what, none = "Recording, in which this was said", "[Recording without speech]"
    else:
        # A name is the caller's, and one line.
        name = f' "{" ".join(part.name.split())[:200]}"' if part.name else ""
        what, none = f"Document{name}", f"[Document{name} without text]"
    text = read.text.strip()
    return TextPart(f"[{what}]\n{text}\n[End of {what.partition(',')[0].partition(' ')[0].lower()}]" if text else none)


def substitute(prompt: Prompt, texts: Mapping[int, TextPart]) -> Prompt:
    """Return ``prompt`` with other parts in the place of some, which are named by their ``id``."""
    return replace(prompt, messages=tuple(_message(message, texts) for message in prompt.messages))


def _message(message: Message, texts: Mapping[int, TextPart]) -> Message:
    parts = _parts(message.parts, texts)
    return message if parts == message.parts else replace(message, parts=parts)


def _parts(parts: tuple[Part, ...], texts: Mapping[int, TextPart]) -> tuple[Part, ...]:
    found: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResultPart):
            content = _parts(part.content, texts)
            found.append(part if content == part.content else replace(part, content=content))
        else:
            found.append(texts.get(id(part), part))
    return tuple(found)
