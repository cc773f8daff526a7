"""``POST /v1/rerank``: which of some documents answer a question best, in Cohere's and Jina's form.

The two are one form with different fields around it: a request is ``query``, ``documents`` and perhaps ``top_n``; an
answer's ``results`` are places in the list with a score. Bytes pass both ways between all servers of this form.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Operation
from mainstay.core.usage import Usage
from mainstay.providers.openai.door import read_body
from mainstay.providers.tasks.exchange import (
    UNREADABLE,
    Exchange,
    broken,
    estimated,
    make_ask,
    read_body_usage,
    refuse_answer,
)
from mainstay.providers.wire import count

__all__ = [
    "RerankAsked",
    "RerankExchange",
    "read_rerank",
    "render_rerank_error",
    "write_rerank",
]

_NOTHING = msgspec.Raw(b"")


class RerankAsked(msgspec.Struct, frozen=True):
    """What a request to rerank says; ``returns`` is whether the documents are wanted back."""

    query: str
    documents: tuple[str | dict[str, Any], ...]
    most: int
    returns: bool
    size: int

    def text(self, place: int) -> str:
        """Return the text of one document."""
        document = self.documents[place]
        return document if isinstance(document, str) else str(document.get("text", ""))


class _Door(msgspec.Struct, gc=False):
    model: str
    query: str | dict[str, Any]
    documents: list[str | dict[str, Any]]
    top_n: int | None = None
    return_documents: bool | None = None


class _Result(msgspec.Struct, gc=False):
    index: int
    relevance_score: float


class _Billed(msgspec.Struct, gc=False):
    input_tokens: Any = None
    search_units: Any = None


class _Meta(msgspec.Struct, gc=False):
    tokens: _Billed | None = None
    billed_units: _Billed | None = None


class _Answer(msgspec.Struct, gc=False):
    results: list[_Result]
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = _NOTHING
    meta: _Meta | None = None


_door = msgspec.json.Decoder(_Door)
_answer = msgspec.json.Decoder(_Answer)


def read_rerank(body: bytes) -> Ask:
    """Read the body of a request.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    door = read_body(_door, body, "")
    if not door.documents:
        raise InvalidRequest("'documents' is empty; send at least one.", param="documents")
    if door.top_n is not None and door.top_n < 1:
        raise InvalidRequest("'top_n' must be 1 or more.", param="top_n")
    most = min(door.top_n or len(door.documents), len(door.documents))
    query = door.query if isinstance(door.query, str) else str(door.query.get("text", ""))
    asked = RerankAsked(query, tuple(door.documents), most, door.return_documents is True, len(body))
    return make_ask(body, Operation.RERANK, door.model, asked, dialect=Dialect.COHERE, again=read_rerank)


class RerankExchange(Exchange):
    """One call to rerank."""

    dialect: ClassVar[Dialect] = Dialect.COHERE

    @property
    def asked(self) -> RerankAsked:
        """What the caller wants."""
        assert isinstance(self._ask.found, RerankAsked)
        return self._ask.found

    def whole(self, body: bytes) -> Whole:
        """Read an answer.

        Raises:
            UpstreamBroken: it names a document that is not there, one twice, or more than were asked for.
            MainstayError: it is an error under a status of 200.
        """
        asked = self.asked
        try:
            answer = _answer.decode(body)
            body.decode()
        except UNREADABLE:
            refuse_answer(body, "a ranking that cannot be read")
        places = [result.index for result in answer.results]
        if not places or len(places) > asked.most:
            raise broken(f"{len(places)} results where {asked.most} were asked for")
        if len(set(places)) < len(places) or not all(0 <= place < len(asked.documents) for place in places):
            raise broken("a ranking of other documents")
        usage = _usage(answer, estimated(asked.size))
        return self.answered(body, usage, id=answer.id or "", model=answer.model or "")


def _usage(answer: _Answer, guess: Usage) -> Usage:
    """Return what a ranking took; ``guess`` stands in for tokens that the vendor does not tell."""
    found = read_body_usage(answer.usage)
    meta = answer.meta or _Meta()
    for billed in (meta.tokens, meta.billed_units):
        if found is None and billed is not None and (tokens := count(billed.input_tokens)) is not None:
            found = Usage(tokens)
    units = count(meta.billed_units.search_units) if meta.billed_units is not None else None
    found = found or guess
    return replace(found, rerank_units=units) if units else found


def write_rerank(id: str, model: str, scores: Sequence[tuple[int, float]], asked: RerankAsked, tokens: int) -> bytes:  # noqa: A002  # the wire's own word
    """Return an answer that clients of either form read: ``scores`` are pairs of place and score, best first."""
    results: list[dict[str, Any]] = [{"index": place, "relevance_score": score} for place, score in scores]
    if asked.returns:
        for result in results:
            result["document"] = {"text": asked.text(result["index"])}
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    meta = {"api_version": {"version": "2"}, "tokens": {"input_tokens": tokens}}
    return msgspec.json.encode({"id": id, "model": model, "results": results, "usage": usage, "meta": meta})


def render_rerank_error(error: MainstayError, id: str) -> bytes:  # noqa: A002  # the wire's own word
    """Return an error for clients of either form: Cohere's read ``message``, Jina's ``detail``."""
    fields = {"message": error.message, "detail": error.message, "type": error.type, "param": error.param}
    return msgspec.json.encode({"id": id, **fields, "code": error.code})
