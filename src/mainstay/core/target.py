"""Where a call may go: one model behind one provider, and what it can do."""

from enum import StrEnum

import msgspec

__all__ = ["Feature", "Target"]


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
    #: US dollars per million tokens in and out, for choosing only; None when they are not known.
    prices: tuple[float, float] | None = None
