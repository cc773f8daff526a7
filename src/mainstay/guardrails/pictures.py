"""The words in images, as texts for rails: a sentence that is written in a picture is a sentence of its sender.

What reads them is handed in (OCR, in a process of its own). Images come again with every turn of a conversation, so
what was read is remembered by its digest. Knows no rails: they look at the words as at any other text.
"""

import asyncio
import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.errors import MainstayError
from mainstay.core.prompt import ImagePart, Part, Prompt, TextPart, ToolResultPart
from mainstay.guardrails.rails import Place

__all__ = ["Look", "Pictured", "Pictures", "find_pictures", "without_pictures"]

#: Takes the bytes of an image and the seconds there are; returns its words. Raises MainstayError where it cannot.
Look = Callable[[bytes, float], Awaitable[str]]
#: Images whose words are remembered, and characters of each that are.
_REMEMBERED, _LONGEST = 256, 65_536
#: Images of one request that are read; a rail that must see all of them cannot look at more.
_MOST: Final = 20
_TAKEN_OUT: Final = "[An image was taken out here: its text holds what may not be sent.]"


class Pictured(msgspec.Struct, frozen=True):
    """The words in one image: where it stands in the prompt (message, part, perhaps part of that), and as what it
    counts. ``text`` is None where the image could not be read: it is only an address, damaged, or one too many."""

    path: tuple[int, ...]
    places: tuple[Place, ...]
    text: str | None

    @property
    def name(self) -> str:
        """How records call it."""
        return ".".join(map(str, self.path))


def find_pictures(prompt: Prompt) -> Iterator[tuple[tuple[int, ...], tuple[Place, ...], ImagePart]]:
    """Yield every image of ``prompt``: its path, what its words count as, and the image."""
    for number, message in enumerate(prompt.messages):
        for place, part in enumerate(message.parts):
            yield from _in_part((number, place), ("input",), part)


def _in_part(
    path: tuple[int, ...], places: tuple[Place, ...], part: Part
) -> Iterator[tuple[tuple[int, ...], tuple[Place, ...], ImagePart]]:
    if isinstance(part, ImagePart):
        yield path, places, part
    elif isinstance(part, ToolResultPart):
        for place, one in enumerate(part.content):
            yield from _in_part((*path, place), ("tool_result",), one)


def without_pictures(prompt: Prompt, paths: Collection[tuple[int, ...]]) -> Prompt:
    """Return ``prompt`` with a sentence in the place of the images at ``paths``: nothing less hides words in one."""
    if not paths:
        return prompt
    messages = []
    for number, message in enumerate(prompt.messages):
        parts = tuple(_without(part, (number, place), paths) for place, part in enumerate(message.parts))
        messages.append(replace(message, parts=parts) if parts != message.parts else message)
    return replace(prompt, messages=tuple(messages))


def _without(part: Part, path: tuple[int, ...], paths: Collection[tuple[int, ...]]) -> Part:
    if path in paths and isinstance(part, ImagePart):
        return TextPart(_TAKEN_OUT)
    if isinstance(part, ToolResultPart):
        return replace(
            part, content=tuple(_without(one, (*path, place), paths) for place, one in enumerate(part.content))
        )
    return part


class Pictures:
    """Reads the words in images, for all routes of a worker. One event loop only.

    Args:
        look: reads one image.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._known: OrderedDict[bytes, str] = OrderedDict()

    async def read(self, prompt: Prompt, seconds: float) -> list[Pictured]:
        """Return the words in every image of ``prompt``, within ``seconds``; images without words are left out."""
        found = list(find_pictures(prompt))
        if not found:
            return []
        texts = await asyncio.gather(*(self._one(part, seconds) for _, _, part in found[:_MOST]))
        texts += [None] * (len(found) - len(texts))
        return [
            Pictured(path, places, text)
            for (path, places, _), text in zip(found, texts, strict=True)
            if text is None or text.strip()
        ]

    async def _one(self, part: ImagePart, seconds: float) -> str | None:
        try:
            data = base64.b64decode(part.data, validate=True)
        except (binascii.Error, ValueError):
            return None
        if not data:
            return None
        digest = hashlib.blake2b(data, digest_size=16).digest()
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
            return known
        try:
            async with asyncio.timeout(seconds):
                text = await self._look(data, seconds)
        except (MainstayError, TimeoutError):
            return None
        if len(text) <= _LONGEST:
            self._known[digest] = text
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return text
