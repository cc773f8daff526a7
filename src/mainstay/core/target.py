"""Where a call may go: one model behind one provider, and what it can do."""

from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["ASSUMED", "FORMS", "TALKS", "Feature", "Operation", "Target"]


class Operation(StrEnum):
    """What a model is asked to do; as OpenTelemetry's ``gen_ai.operation.name`` has it, where it has a word for it."""

    CHAT = "chat"
    COUNT = "count_tokens"  # how many tokens a prompt has
    COMPLETION = "text_completion"
    EMBEDDING = "embeddings"
    MODERATION = "moderation"
    TRANSCRIPTION = "transcription"
    TRANSLATION = "translation"  # speech to English text
    SPEECH = "speech"
    IMAGE = "image_generation"
    IMAGE_EDIT = "image_edit"
    RERANK = "rerank"


#: What every model that talks can be asked: a count is estimated and a completion is a conversation, if need be.
TALKS: Final = frozenset({Operation.CHAT, Operation.COUNT, Operation.COMPLETION})


class Feature(StrEnum):
    """Something a request may need and a model may lack."""

    TOOLS = "tools"
    IMAGES = "images"
    AUDIO = "audio"
    DOCUMENTS = "documents"
    LOGPROBS = "logprobs"
    CHOICES = "choices"  # n > 1
    SEED = "seed"
    LOGIT_BIAS = "logit_bias"
    PENALTIES = "penalties"
    JSON = "json"  # response_format json_object
    SCHEMA = "schema"  # response_format json_schema
    THINKING = "thinking"  # reasoning within a budget of tokens
    PREFILL = "prefill"  # going on with a turn of the model's that the caller began


#: Features that a model has unless its row says otherwise, whatever its vendor's row says.
ASSUMED: Final = frozenset({Feature.PREFILL})
#: Features that a request can also ask for in words.
FORMS: Final = frozenset({Feature.JSON, Feature.SCHEMA})


class Target(msgspec.Struct, frozen=True):
    """One model as a route sees it.

    ``model`` is the name in ``models:``, ``provider`` the name in ``providers:``, ``vendor`` the OpenTelemetry
    provider name (``openai``, ``anthropic``, ``llamacpp``), ``upstream`` the name the provider's API knows, or "" to
    send the caller's. ``lacks`` lists what the model cannot do.
    """

    model: str
    provider: str
    vendor: str
    upstream: str
    weight: float = 1.0
    lacks: frozenset[Feature] = frozenset()
    #: Tokens the model may write when the caller sets no limit and the wire demands one.
    max_output: int = 4096
    #: Tokens that prompt and answer may fill together; 0 when it is not known.
    window: int = 0
    #: What it can be asked to do.
    operations: frozenset[Operation] = TALKS
    #: US dollars per million tokens in and out, for choosing only; None when they are not known.
    prices: tuple[float, float] | None = None
    #: Grams of CO2 for a million tokens in and out, for choosing only; None when they are not known.
    footprint: tuple[float, float] | None = None
