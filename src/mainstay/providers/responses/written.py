"""A whole answer as a response of this wire: what a stream would have told, at once."""

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.events import Dialect, Frame
from mainstay.providers.responses.asks import ResponsesAsk
from mainstay.providers.responses.stream_writer import ResponsesStreamWriter

__all__ = ["with_previous", "write_whole"]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_whole(answer: Whole, ask: ResponsesAsk, *, model: str, id: str, created: int) -> bytes:  # noqa: A002  # the wire's own word
    """Return a response; ``model``, ``id`` and ``created`` as for :class:`ResponsesStreamWriter`.

    An answer of this wire is returned as it came. Only the first of several choices can be said, and only it can be
    asked for.

    Raises:
        UpstreamBroken: the model called a tool that it may not call.
    """
    if answer.wire and answer.dialect is Dialect.RESPONSES:
        return answer.wire
    writer = ResponsesStreamWriter(ask, model=model, id=id, created=created)
    writer.frame(Frame(answer.events))
    writer.end()
    return writer.said


def with_previous(body: bytes, previous: str) -> bytes:
    """Return an upstream's response with the name of the one it continues, of which the upstream does not know."""
    fields = _fields.decode(body)
    return msgspec.json.encode({**fields, "previous_response_id": previous})
