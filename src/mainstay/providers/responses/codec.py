"""OpenAI's Responses as a codec: what an upstream is asked, and what its answers mean."""

from collections.abc import Sequence

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.openai.errors import classify
from mainstay.providers.responses.answers import read_whole
from mainstay.providers.responses.requests import ask_same, translate
from mainstay.providers.responses.sealed import seal_answer
from mainstay.providers.responses.stream_reader import ResponsesStreamReader

__all__ = ["ResponsesCodec"]

_PATH = b"/responses"


class ResponsesCodec:
    """The Responses wire of OpenAI and of servers that speak it; see :class:`~mainstay.providers.port.Codec`.

    Args:
        maker: the provider whose answers are read, named on what only it can open; "" for none.
    """

    dialect = Dialect.RESPONSES

    def __init__(self, maker: str = "") -> None:
        self._maker = maker

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path below the base URL and the body; a caller's own body of this wire passes with its bytes.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the body is wrong in a way only a full reading shows.
        """
        if ask.dialect is Dialect.RESPONSES and ask.raw:
            return _PATH, ask_same(ask, target.upstream or ask.model, stream=stream, maker=self._maker)
        return _PATH, translate(ask, target, stream=stream, maker=self._maker)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the bearer header, or nothing for a server that wants no key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not an answer, or it is an error under a status of 200.
        """
        return read_whole(seal_answer(body, self._maker))

    def reader(self) -> ResponsesStreamReader:
        """Return a reader for one streamed answer."""
        return ResponsesStreamReader(self._maker)

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)
