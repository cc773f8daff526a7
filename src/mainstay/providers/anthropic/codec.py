"""The codec of Anthropic's Messages wire: which part of this package answers which question."""

from collections.abc import Sequence

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.anthropic.answers import whole
from mainstay.providers.anthropic.errors import classify, fault_of
from mainstay.providers.anthropic.requests import is_unsigned, patch, translate
from mainstay.providers.anthropic.stream import MessageReader

__all__ = ["AnthropicCodec"]

_PATH = b"/v1/messages"
#: Later versions refuse temperature, top_p and top_k outright; this one leaves that to each model.
_VERSION = (b"anthropic-version", b"2023-06-01")


class AnthropicCodec:
    """The codec of Anthropic's Messages wire; see :class:`~mainstay.providers.port.Codec`."""

    dialect = Dialect.ANTHROPIC

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path and the body; a caller's own Anthropic body passes with its bytes.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the body is wrong in a way only a full reading shows.
        """
        if ask.dialect is Dialect.ANTHROPIC and ask.raw:
            same = stream == ask.stream and (target.upstream or ask.model) == ask.model
            if same and not is_unsigned(ask.raw):
                return _PATH, ask.raw
            return _PATH, patch(ask.raw, target, stream=stream)
        return _PATH, translate(ask.prompt, target, stream=stream)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the key's header, unless the key is empty, and the version of the wire."""
        return ((b"x-api-key", api_key.encode()), _VERSION) if api_key else (_VERSION,)

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not a message, or it is an error under a status of 200.
        """
        return whole(body)

    def reader(self) -> MessageReader:
        """Return a reader for one streamed answer."""
        return MessageReader()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means; see ``errors`` for the table."""
        return classify(status, fault_of(body), headers)
