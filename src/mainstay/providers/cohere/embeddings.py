"""Embeddings on Cohere's wire: ``/v2/embed``, asked and answered in OpenAI's form.

Its models want to know what a vector is for. OpenAI's form has no word for that, so callers may add Cohere's own
``input_type``; without it the texts are taken to be documents.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import MainstayError, Unsupported
from mainstay.core.usage import Usage
from mainstay.providers.cohere.errors import classify, fault_of
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.tasks.embeddings import EmbeddingsExchange, write_embeddings
from mainstay.providers.tasks.exchange import UNREADABLE, broken, estimated
from mainstay.providers.wire import count

__all__ = ["CohereEmbeddingsExchange"]

_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
_THEIRS = frozenset({"input_type", "truncate", "max_tokens", "priority"})


class _Vectors(msgspec.Struct, gc=False):
    float: list[list[float]]


class _Units(msgspec.Struct, gc=False):
    input_tokens: Any = None


class _Meta(msgspec.Struct, gc=False):
    billed_units: _Units | None = None


class _Answer(msgspec.Struct, gc=False):
    embeddings: _Vectors
    id: str | None = None
    meta: _Meta | None = None


_answer = msgspec.json.Decoder(_Answer)


class CohereEmbeddingsExchange(EmbeddingsExchange):
    """One call for embeddings."""

    def body(self) -> bytes:
        """Return the request.

        Raises:
            Unsupported: an input is made of tokens, or the wire lacks a field; ``param`` names it.
        """
        asked = self.asked
        if not all(isinstance(text, str) for text in asked.inputs):
            raise Unsupported("This model takes texts, no tokens; send text.", param="input")
        fields: dict[str, Any] = {
            "model": self._model,
            "texts": asked.inputs,
            "input_type": "search_document",
            "embedding_types": ["float"],
        }
        if asked.dimensions is not None:
            fields["output_dimension"] = asked.dimensions
        for name, value in read_fields(self._ask.raw).items():
            if name in _THEIRS:
                fields[name] = value
            elif name not in _KNOWN and bytes(value) != b"null":
                raise Unsupported(f"This model's embeddings have no '{name}'; leave it out.", param=name)
        return msgspec.json.encode(fields)

    def whole(self, body: bytes) -> Whole:
        """Read an answer and write it in OpenAI's form.

        Raises:
            UpstreamBroken: it has not one vector for each input.
            MainstayError: it is an error under a status of 200.
        """
        asked = self.asked
        try:
            answer = _answer.decode(body)
        except UNREADABLE:
            raise fault_of(body) or broken("embeddings that cannot be read") from None
        billed = answer.meta.billed_units if answer.meta is not None else None
        tokens = count(billed.input_tokens) if billed is not None else None
        usage = Usage(tokens) if tokens is not None else estimated(asked.size)
        whole = super().whole(write_embeddings(asked, answer.embeddings.float, self._model, usage.input))
        whole.usage, whole.id = usage, answer.id or ""
        return whole

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)
