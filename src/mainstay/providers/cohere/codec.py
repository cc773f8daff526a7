"""The codec of Cohere's v2 chat wire: which part of this package answers which question."""

from collections.abc import Sequence

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.cohere.answers import whole
from mainstay.providers.cohere.errors import classify
from mainstay.providers.cohere.requests import translate
from mainstay.providers.cohere.stream import ChatReader

__all__ = ["CohereCodec"]

_PATH = b"/v2/chat"


class CohereCodec:
    """The codec of Cohere's v2 chat wire; see :class:`~mainstay.providers.port.Codec`."""

    dialect = Dialect.COHERE

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path and the body.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the body is wrong in a way only a full reading shows.
        """
        return _PATH, translate(ask, target, stream=stream)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the bearer header, or nothing without a key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not an answer, or it is an error under a status of 200.
        """
        return whole(body)

    def reader(self) -> ChatReader:
        """Return a reader for one streamed answer."""
        return ChatReader()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)
