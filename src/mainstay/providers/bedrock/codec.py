"""The codec of Bedrock's Converse wire: which part of this package answers which question."""

from collections.abc import Sequence
from urllib.parse import quote

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.bedrock.answers import whole
from mainstay.providers.bedrock.errors import classify
from mainstay.providers.bedrock.eventstream import EventStreamDecoder
from mainstay.providers.bedrock.requests import translate
from mainstay.providers.bedrock.stream import ConverseReader

__all__ = ["BedrockCodec"]


class BedrockCodec:
    """The codec of Bedrock's Converse wire; see :class:`~mainstay.providers.port.Codec`."""

    dialect = Dialect.BEDROCK

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path, which names the model, and the body.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
            InvalidRequest: the body is wrong in a way only a full reading shows.
        """
        # A model may be an ARN: its colons and slashes are part of one segment.
        model = quote(target.upstream or ask.model, safe="")
        return f"/model/{model}/converse{'-stream' if stream else ''}".encode(), translate(ask, stream=stream)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the header of a Bedrock API key, or nothing where requests are signed."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer.

        Raises:
            MainstayError: it is not an answer, or it is an error under a status of 200.
        """
        return whole(body)

    def reader(self) -> ConverseReader:
        """Return a reader for one streamed answer."""
        return ConverseReader()

    def decoder(self) -> EventStreamDecoder:
        """Return a decoder for one streamed answer: AWS frames it in binary."""
        return EventStreamDecoder()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means; see ``errors`` for the table."""
        return classify(status, headers, body)
