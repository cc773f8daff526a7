"""How many tokens a prompt has: asked of an upstream of this wire, estimated for every other.

The estimate is one token for each four bytes of UTF-8, rounded up, and four for each message: close for English, about
right for other languages. Media have a size of their own. No tokenizer is run, and no provider is asked.
"""

from collections.abc import Sequence

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    DocumentPart,
    ImagePart,
    OpaquePart,
    Part,
    Prompt,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.core.target import Target
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.anthropic.errors import broken
from mainstay.providers.anthropic.requests import patch
from mainstay.providers.anthropic.stream import MessageReader
from mainstay.providers.anthropic.wire import UNREADABLE

__all__ = ["CountCodec", "estimate", "write_count"]

_PATH = b"/v1/messages/count_tokens"
_BYTES_A_TOKEN = 4
_MESSAGE = 4
#: Tokens of an image at the largest size that is not scaled down, and of a few pages of a document.
_IMAGE = 1600
_DOCUMENT = 6000
#: The fields of a request that count; the others are refused.
_COUNTED = frozenset(
    ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format")
)


class _Count(msgspec.Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_Count)


class CountCodec:
    """The codec of ``POST /v1/messages/count_tokens``; see :class:`~mainstay.providers.port.Codec`."""

    dialect = Dialect.ANTHROPIC

    def __init__(self) -> None:
        self._messages = AnthropicCodec()

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path and the caller's own body with its model renamed, or the prompt made of it."""
        if ask.raw:
            return _PATH, patch(ask.raw, target, stream=False)
        _, body = self._messages.request(ask, target, stream=False)
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        return _PATH, msgspec.json.encode({name: value for name, value in fields.items() if name in _COUNTED})

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that messages want as well."""
        return self._messages.credentials(api_key)

    def whole(self, body: bytes) -> Whole:
        """Read the count. It is no usage: nothing was used.

        Raises:
            UpstreamBroken: it is not a count.
        """
        try:
            _count.decode(body)
        except UNREADABLE:
            raise broken("a count of tokens that cannot be read") from None
        return Whole(body, Dialect.ANTHROPIC, "", "", (), None)

    def reader(self) -> MessageReader:
        """Return a reader for a stream, which no count is."""
        return self._messages.reader()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return self._messages.error(status, headers, body)


def write_count(tokens: int) -> bytes:
    """Return the body of an estimate, which says that it is one."""
    return msgspec.json.encode({"input_tokens": tokens, "estimated": True})


def estimate(prompt: Prompt) -> int:
    """Return about how many tokens ``prompt`` has; see the module for how."""
    size = sum(
        len(tool.name.encode()) + len((tool.description or "").encode()) + len(bytes(tool.parameters or b""))
        if tool.opaque is None
        else len(bytes(tool.opaque))
        for tool in prompt.tools
    )
    media = 0
    for message in prompt.messages:
        for part in message.parts:
            more, shown = _measure(part)
            size += more
            media += shown
    return -(-size // _BYTES_A_TOKEN) + media + _MESSAGE * len(prompt.messages)


def _measure(part: Part) -> tuple[int, int]:
    """Return the bytes of text in ``part`` and the tokens of what is no text."""
    if isinstance(part, TextPart):
        return len(part.text.encode()), 0
    if isinstance(part, ThinkingPart):
        return len(part.text.encode()), 0
    if isinstance(part, ToolCallPart):
        return len(part.name.encode()) + len(part.arguments.encode()), 0
    if isinstance(part, ToolResultPart):
        found = [_measure(inner) for inner in part.content]
        return sum(size for size, _ in found), sum(media for _, media in found)
    if isinstance(part, ImagePart):
        return 0, _IMAGE
    if isinstance(part, DocumentPart):
        return (len(part.data.encode()), 0) if part.media_type == "text/plain" else (0, _DOCUMENT)
    return (len(bytes(part.payload)), 0) if isinstance(part, OpaquePart) else (0, 0)
