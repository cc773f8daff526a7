"""What ``kind: echo`` does besides talking: vectors, verdicts and rankings that are always the same. For tests.

A vector is made of the hashes of a text's words, so texts that share words are near each other; nothing else about it
has a meaning. Nothing is ever flagged. A document's score is the part of the question's words that it has.
"""

import asyncio
import math
import re
import struct
from hashlib import shake_128

import msgspec

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.record import Attempt
from mainstay.core.target import Operation, Target
from mainstay.core.usage import Usage
from mainstay.providers.tasks.embeddings import EmbeddingsAsked, write_embeddings
from mainstay.providers.tasks.moderations import TextsAsked
from mainstay.providers.tasks.rerank import RerankAsked, write_rerank

__all__ = ["ECHOED", "EchoTasks", "embed"]

#: The tasks an echo has.
ECHOED = frozenset({Operation.EMBEDDING, Operation.MODERATION, Operation.RERANK})
_DIMENSIONS = 384
_MOST_DIMENSIONS = 4096
_WORD = re.compile(r"\w+")
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


class EchoTasks:
    """Answers tasks without a model; see :class:`~mainstay.providers.port.Provider`.

    Args:
        delay: seconds before an answer.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Answer one call."""
        started = monotonic()
        model = attempt.upstream_model = target.upstream or target.model
        wire, tokens = _answer(call.ask, call.record.id, model)
        if self._delay:
            await asyncio.sleep(self._delay)
        attempt.first_ms = attempt.total_ms = since_ms(started)
        attempt.outcome = "ok"
        return Answer(target, whole=Whole(wire, call.ask.dialect, "", model, (), Usage(tokens)))

    async def aclose(self) -> None:
        """Nothing to let go of."""


def _answer(ask: Ask, identity: str, model: str) -> tuple[bytes, int]:
    asked = ask.found
    if isinstance(asked, EmbeddingsAsked):
        return _embed_all(asked, model)
    if isinstance(asked, RerankAsked):
        words = _words(asked.query)
        texts = [_words(asked.text(place)) for place in range(len(asked.documents))]
        scores = [(place, len(words & text) / len(words) if words else 0.0) for place, text in enumerate(texts)]
        best = sorted(scores, key=lambda pair: -pair[1])[: asked.most]
        tokens = len(words) * len(texts) + sum(len(text) for text in texts)
        return write_rerank(identity, model, best, asked, tokens), tokens
    if isinstance(asked, TextsAsked):
        result = {
            "flagged": False,
            "categories": dict.fromkeys(_CATEGORIES, False),
            "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
            "category_applied_input_types": {category: ["text"] for category in _CATEGORIES},
        }
        fields = {"id": f"modr-{identity}", "model": model, "results": [result] * asked.count}
        return msgspec.json.encode(fields), 0
    raise Unsupported("An echo has no such operation; choose another model.", param="model")


def _embed_all(asked: EmbeddingsAsked, model: str) -> tuple[bytes, int]:
    dimensions = asked.dimensions or _DIMENSIONS
    if dimensions > _MOST_DIMENSIONS:
        raise InvalidRequest(f"'dimensions' may be at most {_MOST_DIMENSIONS} here.", param="dimensions")
    tokens = sum(len(one.split()) if isinstance(one, str) else len(one) for one in asked.inputs)
    return write_embeddings(asked, [embed(one, dimensions) for one in asked.inputs], model, tokens), tokens


def embed(text: str | list[int], dimensions: int = _DIMENSIONS) -> list[float]:
    """Return a vector of length 1 for a text, or for a list of tokens."""
    words = _WORD.findall(text.lower()) if isinstance(text, str) else [str(token) for token in text]
    total = [0] * dimensions
    for word in words or [""]:
        values = struct.unpack(f"<{dimensions}h", shake_128(word.encode("utf-8", "replace")).digest(2 * dimensions))
        total = [one + other for one, other in zip(total, values, strict=True)]
    length = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / length for value in total]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
