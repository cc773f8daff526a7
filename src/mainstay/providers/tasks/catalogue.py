"""Which tasks each wire has, where, and what reads their answers.

A module is imported when a configuration has a provider that offers its task.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from mainstay.core.call import Ask
from mainstay.core.target import Operation, Target
from mainstay.providers.port import Codec
from mainstay.providers.tasks.exchange import Task

__all__ = ["OPENAI_PATHS", "TASKS", "make_task"]

_HERE = "mainstay.providers.tasks."
_OPENAI = {
    Operation.EMBEDDING: ("embeddings", "EmbeddingsExchange", "/embeddings"),
    Operation.MODERATION: ("moderations", "ModerationsExchange", "/moderations"),
    Operation.TRANSCRIPTION: ("audio", "TranscriptExchange", "/audio/transcriptions"),
    Operation.TRANSLATION: ("audio", "TranscriptExchange", "/audio/translations"),
    Operation.SPEECH: ("audio", "SpeechExchange", "/audio/speech"),
    Operation.IMAGE: ("images", "ImagesExchange", "/images/generations"),
    Operation.IMAGE_EDIT: ("images", "ImagesExchange", "/images/edits"),
    Operation.RERANK: ("rerank", "RerankExchange", "/rerank"),
}
#: By wire and task: the module of what reads one call, its class, and the path below the base URL.
TASKS: Mapping[str, Mapping[Operation, tuple[str, str, str]]] = {
    "openai": {operation: (_HERE + module, name, path) for operation, (module, name, path) in _OPENAI.items()},
    "cohere": {
        Operation.EMBEDDING: ("mainstay.providers.cohere.embeddings", "CohereEmbeddingsExchange", "/v2/embed"),
        Operation.RERANK: ("mainstay.providers.cohere.rerank", "CohereRerankExchange", "/v2/rerank"),
    },
    "gemini": {
        Operation.EMBEDDING: (
            "mainstay.providers.gemini.embeddings",
            "GeminiEmbeddingsExchange",
            "/v1beta/models/{model}:batchEmbedContents",
        ),
    },
}
#: Where OpenAI's wire has each task.
OPENAI_PATHS: Mapping[Operation, str] = {operation: path for operation, (_, _, path) in _OPENAI.items()}


class _Task:
    """A task whose calls are read by one class."""

    def __init__(self, exchange: Callable[[Ask, Target, str], Codec], path: str) -> None:
        self._exchange = exchange
        self._path = path

    def about(self, ask: Ask, target: Target) -> Codec:
        """Return the codec of one call."""
        return self._exchange(ask, target, self._path)


def make_task(wire: str, operation: Operation, path: str | None = None, *, floats: bool = False) -> Task:
    """Return a task of ``wire``, which must have it.

    Args:
        wire: as a vendor's row names it.
        operation: the task.
        path: in place of the wire's own; ``{model}`` stands for the model's name.
        floats: the server refuses embeddings in base64.

    Raises:
        KeyError: the wire has no such task.
    """
    module, name, usual = TASKS[wire][operation]
    if floats and name == "EmbeddingsExchange":
        name = "FloatEmbeddingsExchange"
    exchange = cast("Callable[[Ask, Target, str], Codec]", getattr(import_module(module), name))
    return _Task(exchange, usual if path is None else path)
