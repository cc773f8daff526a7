"""``POST /v1/embeddings``: what a caller asks, and the answers of every server that speaks OpenAI's form of it.

An answer passes with its bytes when it has the form that was asked for. Servers differ in whether they know base64 (of
32-bit floats, little-endian): the other form is made here from the one that came.
"""

import base64
import binascii
import struct
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.target import Operation
from mainstay.providers.openai.door import explain, read_body
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.tasks.exchange import (
    UNREADABLE,
    Exchange,
    broken,
    estimated,
    make_ask,
    read_body_usage,
    refuse_answer,
)

__all__ = [
    "EmbeddingsAsked",
    "EmbeddingsExchange",
    "FloatEmbeddingsExchange",
    "pack",
    "read_embeddings",
    "unpack",
    "write_embeddings",
]

_FLOAT = 4
_NOTHING = msgspec.Raw(b"")


class EmbeddingsAsked(msgspec.Struct, frozen=True):
    """What a request for embeddings says: its inputs one by one, each a text or a list of tokens."""

    inputs: tuple[str | list[int], ...]
    #: ``float``, ``base64``, or a server's own word; None where the caller said nothing, which means ``float``.
    form: str | None
    dimensions: int | None

    @property
    def size(self) -> int:
        """Bytes of text; a token counts as four."""
        return sum(len(one.encode()) if isinstance(one, str) else _FLOAT * len(one) for one in self.inputs)


class _Door(msgspec.Struct, gc=False):
    model: str
    input: str | list[Any]
    encoding_format: str | None = None
    dimensions: int | None = None


class _Entry(msgspec.Struct, gc=False):
    embedding: msgspec.Raw
    index: int | None = None


class _Answer(msgspec.Struct, gc=False):
    data: list[_Entry]
    model: str | None = None
    usage: msgspec.Raw = _NOTHING


_door = msgspec.json.Decoder(_Door)
_answer = msgspec.json.Decoder(_Answer)
_floats = msgspec.json.Decoder(list[float])
_entries = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def read_embeddings(body: bytes) -> Ask:
    """Read the body of a request.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    door = read_body(_door, body, "")
    if door.dimensions is not None and door.dimensions < 1:
        raise InvalidRequest("'dimensions' must be 1 or more.", param="dimensions")
    asked = EmbeddingsAsked(_inputs(door.input), door.encoding_format, door.dimensions)
    return make_ask(body, Operation.EMBEDDING, door.model, asked, again=read_embeddings)


def _inputs(given: str | list[Any]) -> tuple[str | list[int], ...]:
    if isinstance(given, str):
        return (given,)
    if not given:
        raise InvalidRequest("'input' is empty; send at least one text.", param="input")
    try:
        if isinstance(given[0], int):
            return (msgspec.convert(given, list[int]),)
        return tuple(msgspec.convert(given, list[str] if isinstance(given[0], str) else list[list[int]]))
    except msgspec.ValidationError as error:
        raise explain(str(error), "", "input") from None


class EmbeddingsExchange(Exchange):
    """One call for embeddings."""

    @property
    def asked(self) -> EmbeddingsAsked:
        """What the caller wants."""
        assert isinstance(self._ask.found, EmbeddingsAsked)
        return self._ask.found

    def body(self) -> bytes:
        """Return the request.

        Raises:
            Unsupported: llama.cpp's server would pass over a field of it; ``param`` names it.
        """
        if self._vendor == "llamacpp" and self.asked.dimensions is not None:
            raise Unsupported("A local model's vectors have one length; leave out 'dimensions'.", param="dimensions")
        return super().body()

    def whole(self, body: bytes) -> Whole:
        """Read an answer and put it into the form that was asked for.

        Raises:
            UpstreamBroken: it has not one vector for each input, or not of the length that was asked for.
            MainstayError: it is an error under a status of 200.
        """
        asked = self.asked
        try:
            answer = _answer.decode(body)
            body.decode()
        except UNREADABLE:
            refuse_answer(body, "embeddings that cannot be read")
        if len(answer.data) != len(asked.inputs):
            raise broken(f"{len(answer.data)} embeddings for {len(asked.inputs)} inputs")
        places = [entry.index for entry in answer.data if entry.index is not None]
        if places and sorted(places) != list(range(len(answer.data))):
            raise broken("embeddings that are numbered wrongly")
        wanted = asked.form or "float"
        fits = [_check(bytes(entry.embedding), wanted, asked.dimensions) for entry in answer.data]
        if not all(fits):
            body = _converted(body, wanted)
        usage = read_body_usage(answer.usage) or estimated(asked.size)
        return self.answered(body, usage, model=answer.model or "")


class FloatEmbeddingsExchange(EmbeddingsExchange):
    """The same for servers that refuse ``base64``."""

    def body(self) -> bytes:
        """Return the request with ``float`` in place of ``base64``."""
        body = super().body()
        if self.asked.form != "base64":
            return body
        fields: dict[str, Any] = dict(read_fields(body))
        fields["encoding_format"] = "float"
        return msgspec.json.encode(fields)


def _check(vector: bytes, wanted: str, dimensions: int | None) -> bool:
    """Return whether a vector has the form that is wanted.

    Raises:
        UpstreamBroken: it is none, or has another length.
    """
    text = vector[:1] == b'"'
    if vector[:1] == b"[":
        # Numbers only: a server that could not compute sends null, or NaN as a word.
        length = vector.count(b",") + 1
        whole = b"n" not in vector and b'"' not in vector and vector.strip(b"[] \t\r\n") != b""
    else:
        length = len(vector.strip(b'"').rstrip(b"=")) * 3 // 4 // _FLOAT
        whole = text and length > 0
    if not whole:
        raise broken("an embedding that is no vector")
    if wanted not in ("float", "base64"):
        return True
    if dimensions is not None and length != dimensions:
        raise broken(f"an embedding of {length} dimensions where {dimensions} were asked for")
    return text == (wanted == "base64")


def _converted(body: bytes, wanted: str) -> bytes:
    fields: dict[str, Any] = dict(read_fields(body))
    entries: list[dict[str, Any]] = [dict(entry) for entry in _entries.decode(fields["data"])]
    for entry in entries:
        vector = entry["embedding"]
        if wanted == "base64" and bytes(vector)[:1] == b"[":
            entry["embedding"] = pack(_read_floats(vector))
        elif wanted == "float" and bytes(vector)[:1] == b'"':
            entry["embedding"] = unpack(msgspec.json.decode(vector))
    fields["data"] = entries
    return msgspec.json.encode(fields)


def _read_floats(vector: msgspec.Raw) -> list[float]:
    try:
        return _floats.decode(vector)
    except UNREADABLE:
        raise broken("an embedding that is no vector") from None


def pack(vector: list[float]) -> str:
    """Return a vector in base64.

    Raises:
        UpstreamBroken: a number is too large for 32 bits.
    """
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise broken("an embedding with a number that is too large") from None


def unpack(text: str) -> list[float]:
    """Return the vector of a base64 text.

    Raises:
        UpstreamBroken: it is none, or not of whole 32-bit floats.
    """
    try:
        data = base64.b64decode(text, validate=True)
        return list(struct.unpack(f"<{len(data) // _FLOAT}f", data))
    except (binascii.Error, struct.error, ValueError):
        raise broken("an embedding that is no base64 of floats") from None


def write_embeddings(asked: EmbeddingsAsked, vectors: list[list[float]], model: str, tokens: int | None) -> bytes:
    """Return an answer made of ``vectors``, in the form that was asked for."""
    data = [
        {"object": "embedding", "index": i, "embedding": pack(vector) if asked.form == "base64" else vector}
        for i, vector in enumerate(vectors)
    ]
    answer: dict[str, Any] = {"object": "list", "data": data, "model": model}
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode(answer)
