"""Embeddings on Gemini's wire: ``batchEmbedContents``, asked and answered in OpenAI's form."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import MainstayError, Unsupported
from mainstay.providers.gemini.errors import classify, fault_of
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.tasks.embeddings import EmbeddingsExchange, write_embeddings
from mainstay.providers.tasks.exchange import UNREADABLE, broken, estimated

__all__ = ["GeminiEmbeddingsExchange"]

_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
#: Fields of the wire's own, which go up as they are.
_THEIRS = {"task_type": "taskType", "taskType": "taskType", "title": "title"}


class _Vector(msgspec.Struct, gc=False):
    values: list[float]


class _Answer(msgspec.Struct, gc=False):
    embeddings: list[_Vector]


_answer = msgspec.json.Decoder(_Answer)


class GeminiEmbeddingsExchange(EmbeddingsExchange):
    """One call for embeddings."""

    def body(self) -> bytes:
        """Return one request for each text.

        Raises:
            Unsupported: an input is made of tokens, or the wire lacks a field; ``param`` names it.
        """
        asked = self.asked
        each: dict[str, Any] = {"model": f"models/{self._model.removeprefix('models/')}"}
        if asked.dimensions is not None:
            each["outputDimensionality"] = asked.dimensions
        for name, value in read_fields(self._ask.raw).items():
            if name in _THEIRS:
                each[_THEIRS[name]] = value
            elif name not in _KNOWN and bytes(value) != b"null":
                raise Unsupported(f"This model's embeddings have no '{name}'; leave it out.", param=name)
        requests = []
        for text in asked.inputs:
            if not isinstance(text, str):
                raise Unsupported("This model takes texts, no tokens; send text.", param="input")
            requests.append({**each, "content": {"parts": [{"text": text}]}})
        return msgspec.json.encode({"requests": requests})

    def whole(self, body: bytes) -> Whole:
        """Read an answer and write it in OpenAI's form.

        Raises:
            UpstreamBroken: it has not one vector for each input.
            MainstayError: it is an error under a status of 200.
        """
        asked = self.asked
        try:
            vectors = [vector.values for vector in _answer.decode(body).embeddings]
        except UNREADABLE:
            fault = fault_of(body)
            raise classify(None, fault) if fault is not None else broken("embeddings that cannot be read") from None
        usage = estimated(asked.size)
        wire = write_embeddings(asked, vectors, self._model, usage.input)
        whole = super().whole(wire)
        whole.usage = usage
        return whole

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, fault_of(body), headers)
