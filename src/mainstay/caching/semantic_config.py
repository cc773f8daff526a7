"""``routes.X.cache.semantic``: when an answer is given to a request that asks the same in other words."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mainstay.core.config import PositiveDuration, Section

__all__ = ["SemanticConfig", "Share"]


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            raise ValueError("a share is a percentage or a number from 0 to 1: 5%") from None
    return value


#: ``5%`` or ``0.05``.
Share = Annotated[float, BeforeValidator(_share), Field(ge=0, le=1, allow_inf_nan=False)]


class SemanticConfig(Section):
    """How alike two requests must be, and how often the tier may be wrong before it switches itself off."""

    similarity: float = Field(default=0.9, ge=0.7, le=1, allow_inf_nan=False)
    """The least cosine of the two questions' vectors. Passing it is not enough: numbers, names, negation, direction,
    words and a learned verifier must agree, too. Callers may ask for more with ``x-mainstay-cache-similarity``, never
    for less."""

    certainty: float = Field(default=0.5, ge=0.1, lt=1, allow_inf_nan=False)
    """The least probability of the verifier that both ask the same."""

    error: Share = Field(default=0.01, gt=0, lt=1)
    """The largest share of wrong hits. The tier works only while an upper bound on it, from compared answers, is
    below; above, it switches itself off and says so."""

    confidence: float = Field(default=0.95, ge=0.5, lt=1, allow_inf_nan=False)
    """How sure the bound is: it holds at every moment with this probability."""

    shadow: Share = Field(default=0.05, gt=0)
    """The share of hits for which a model is asked all the same and both answers are compared."""

    start: Literal["prove", "trust"] = "prove"
    """``prove``: until the bound has come below ``error``, every hit is only compared, none is given (about 4 divided
    by ``error`` comparisons where none is wrong). ``trust``: hits are given from the start, and the tier is switched
    off once the share of wrong ones is shown to be above ``error``."""

    entries: int = Field(default=10_000, ge=1, le=200_000)
    """Requests that a worker knows the meaning of, for all of the route's callers together; the oldest go first. Each
    takes 2 to 10 KB."""

    wait: PositiveDuration = 0.1
    """How long a request waits for the tier before a model is asked all the same."""
