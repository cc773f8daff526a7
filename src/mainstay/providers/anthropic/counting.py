"""How many tokens a prompt has: asked of an upstream of this wire, estimated for every other.

The estimate is one token for each four bytes of UTF-8, rounded up, and four for each message: close for English, about
right for other languages. Media have a size of their own. No tokenizer is run, and no provider is asked.
"""

from collections.abc import Sequence

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.estimate import prompt_tokens
from mainstay.core.events import Dialect
from mainstay.core.prompt import Prompt
from mainstay.core.target import Target
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.anthropic.errors import broken
from mainstay.providers.anthropic.requests import patch
from mainstay.providers.anthropic.stream import MessageReader
from mainstay.providers.anthropic.wire import UNREADABLE

__all__ = ["CountCodec", "estimate", "write_count"]

_PATH = b"/v1/messages/count_tokens"
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
    """Return about how many tokens ``prompt`` has; see ``core.estimate`` for how."""
    return prompt_tokens(prompt)
