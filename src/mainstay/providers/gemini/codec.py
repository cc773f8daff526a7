"""The codec of Gemini's wire: which part of this package answers which question."""

from collections.abc import Sequence
from urllib.parse import quote

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import CallerError, MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.gemini.answers import read_whole
from mainstay.providers.gemini.errors import classify, fault_of
from mainstay.providers.gemini.requests import translate
from mainstay.providers.gemini.stream import ChunkReader
from mainstay.providers.lacking import caller_word

__all__ = ["GeminiCodec", "VertexCodec"]


class GeminiCodec:
    """The codec of the Gemini API; see :class:`~mainstay.providers.port.Codec`.

    Args:
        maker: the provider whose answers are read, named on the signatures that only it accepts; "" for none.
    """

    dialect = Dialect.GEMINI
    #: What stands before the names of models.
    _root = "/v1beta/"

    def __init__(self, maker: str = "") -> None:
        self._maker = maker

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path, which names the model, and the body; a caller's own Gemini body passes with its bytes.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the body is wrong in a way only a full reading shows.
        """
        model = target.upstream or ask.model
        # A tuned model has a collection of its own.
        resource = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        # The first slash parts the collection from the name; any other belongs to the name.
        collection, _, name = resource.partition("/")
        path = f"{self._root}{collection}/{quote(name, safe='@')}:{verb}".encode()
        if ask.dialect is Dialect.GEMINI and ask.raw:
            return path, ask.raw
        try:
            return path, translate(ask.prompt, model, self._maker)
        except CallerError as error:
            if error.param is not None:
                error.param = caller_word(error.param, ask.dialect)
            raise

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the key's header, unless the key is empty."""
        return ((b"x-goog-api-key", api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not an answer, or it is an error under a status of 200.
        """
        return read_whole(body, self._maker)

    def reader(self) -> ChunkReader:
        """Return a reader for one streamed answer."""
        return ChunkReader(self._maker)

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means; see ``errors`` for the table."""
        return classify(status, fault_of(body), headers)


class VertexCodec(GeminiCodec):
    """The same wire at Vertex AI.

    The base URL ends where the collection of models begins (``…/v1/projects/P/locations/L/publishers/google``); the key
    is an access token.
    """

    _root = "/"

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the token's header, unless the token is empty."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()
