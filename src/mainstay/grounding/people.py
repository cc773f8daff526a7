"""Questions that a person decides on before they are answered without support."""

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

from mainstay.core.call import Call
from mainstay.core.errors import NeedsReview, Unavailable
from mainstay.core.record import Grounding
from mainstay.grounding.asking import question_of
from mainstay.grounding.policies import Rule
from mainstay.grounding.port import Access

__all__ = ["Reviews", "ask_person", "is_allowed"]

#: What reviews call it.
_NAME: Final = "grounding"


class Reviews(Protocol):
    """People who decide; see :class:`~mainstay.guardrails.port.Reviews`."""

    def allowed(self, call: Call, rail: str, digest: str) -> bool:
        """Say whether a person has let this key have this answered. No I/O; microseconds."""
        ...

    async def ask(self, call: Call, rail: str, digest: str, kinds: Mapping[str, int]) -> str:
        """Have a person decide; return the id of the review.

        Raises:
            MainstayError: a person has denied it, or cannot be asked now.
        """
        ...


def is_allowed(reviews: Reviews | None, call: Call, rule: Rule) -> bool:
    """Whether a person has let the question of ``call`` be answered whatever supports it."""
    return reviews is not None and reviews.allowed(call, _NAME, _digest(call, rule))


async def ask_person(
    reviews: Reviews | None, call: Call, rule: Rule, grounding: Grounding, kinds: Mapping[str, int]
) -> NeedsReview:
    """Have a person decide on the question of ``call``; return the error that the call ends in until then.

    Raises:
        MainstayError: a person has denied it, or cannot be asked.
    """
    grounding.did = "held"
    if reviews is None:
        raise Unavailable("A person is to decide on this, and nobody can be asked here.")
    review = await reviews.ask(call, _NAME, _digest(call, rule), kinds)
    return NeedsReview(
        f"A person is to decide first whether this may be answered so; ask again once review {review} allows it.",
        extra={"rail": _NAME, "review": review},
    )


def _digest(call: Call, rule: Rule) -> str:
    question = question_of(call.ask.prompt, rule, Access())
    text = f"{rule.base}\0{question.text if question is not None else ''}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
