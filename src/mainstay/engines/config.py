"""Local engines among the ``providers:`` of the configuration: models that run on this machine."""

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from mainstay.core.config import LoadContext, PositiveDuration, Section
from mainstay.core.target import Feature

__all__ = ["LlamaCppConfig"]


def _model(value: str, info: ValidationInfo) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError("must name a bundled model, or be a path to a .gguf file")
    if not value.lower().endswith(".gguf"):
        if "/" in value:
            raise ValueError("must name a bundled model, or be a path that ends in .gguf")
        return value
    return os.path.normpath(os.path.join(info.context.base, value)) if isinstance(info.context, LoadContext) else value


def _threads(value: Any) -> Any:
    if value == "auto":
        return 0
    if value == 0 or value == "0":
        raise ValueError("must be 'auto' or at least 1")
    return value


_Threads = Annotated[
    int,
    Field(ge=0, le=1024),
    BeforeValidator(_threads),
    PlainSerializer(lambda threads: threads or "auto", when_used="json"),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 1024}]}),
]


class LlamaCppConfig(Section):
    """A model that runs here, on llama.cpp, in a process of its own that is watched and restarted.

    An answer whose caller sets no limit ends after 1024 tokens, or after the model's ``max_output`` if that is less.
    """

    kind: Literal["llamacpp"] = "llamacpp"
    """Selects this kind of provider."""

    model: Annotated[str, AfterValidator(_model)]
    """A bundled model's name (``smollm2-135m-instruct``), or a path to a ``.gguf`` file, relative to the folder of the
    configuration."""

    context: int = Field(default=8192, ge=256, le=1_048_576)
    """Tokens that one conversation may hold, prompt and answer together."""

    parallel: int = Field(default=4, ge=1, le=256)
    """Answers that the engine works on at once; more calls wait their turn."""

    threads: _Threads = 0
    """CPU threads the engine computes with; ``auto`` leaves the choice to the engine's supervisor."""

    pooling: Literal["auto", "none", "mean", "cls", "last", "rank"] = "auto"
    """How the vectors of its tokens become the vector of a text. ``auto`` is as its file says: a model made for
    embeddings or reranking does only that, any other only talks. Otherwise a model that talks has ``embeddings`` too
    (``rank``: ``rerank``)."""

    start_timeout: PositiveDuration = 120.0
    """How long loading the model may take before the engine counts as failed and is started anew."""

    lacks: frozenset[Feature] = frozenset()
    """Features that every model of this provider lacks; a call that needs one is refused before it is sent."""
