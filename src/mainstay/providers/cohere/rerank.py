"""Reranking on Cohere's own wire, which takes texts only and gives none back: documents are written and read so."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import MainstayError, Unsupported
from mainstay.providers.cohere.errors import classify
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.tasks.rerank import RerankAsked, RerankExchange

__all__ = ["CohereRerankExchange"]


def _texts(asked: RerankAsked) -> list[str]:
    """Return the documents as texts.

    Raises:
        Unsupported: one is no text; ``param`` names it.
    """
    for place, document in enumerate(asked.documents):
        if not isinstance(document, str) and not isinstance(document.get("text"), str):
            param = f"documents[{place}]"
            raise Unsupported(f"This model ranks texts; send '{param}' as one.", param=param)
    return [asked.text(place) for place in range(len(asked.documents))]


class CohereRerankExchange(RerankExchange):
    """One call to rerank on Cohere's own wire."""

    def body(self) -> bytes:
        """Return the request as Cohere takes it."""
        fields: dict[str, Any] = dict(read_fields(super().body()))
        asked = self.asked
        if not all(isinstance(document, str) for document in asked.documents):
            fields["documents"] = _texts(asked)
        fields.pop("return_documents", None)
        return msgspec.json.encode(fields)

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)

    def whole(self, body: bytes) -> Whole:
        """Read an answer, with the documents in it where they were asked for."""
        whole = super().whole(body)
        if self.asked.returns:
            fields: dict[str, Any] = dict(read_fields(whole.wire))
            results: list[dict[str, Any]] = msgspec.json.decode(fields["results"], type=list[dict[str, msgspec.Raw]])
            for result in results:
                result["document"] = {"text": self.asked.text(msgspec.json.decode(result["index"]))}
            fields["results"] = results
            whole.wire = msgspec.json.encode(fields)
        return whole
