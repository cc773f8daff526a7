"""No detector and no reviewers: every language is unknown, and nobody is there to ask."""

from collections.abc import Mapping

from mainstay.core.call import Call
from mainstay.core.errors import ContentBlocked
from mainstay.guardrails.port import Guess

__all__ = ["NullDetector", "NullReviews"]


class NullDetector:
    """Knows no language; see :class:`~mainstay.guardrails.port.Detector`."""

    def detect(self, text: str) -> Guess:
        """Return ``und``."""
        return Guess()


class NullReviews:
    """Nobody decides, so nothing passes; see :class:`~mainstay.guardrails.port.Reviews`."""

    def allowed(self, call: Call, rail: str, digest: str) -> bool:
        """Return False."""
        return False

    async def ask(self, call: Call, rail: str, digest: str, kinds: Mapping[str, int]) -> str:
        """Refuse.

        Raises:
            ContentBlocked: always.
        """
        raise ContentBlocked(
            f"The rail '{rail}' wants a person to look at this request, and here nobody can; change the request.",
            extra={"rail": rail, "kinds": sorted(kinds)},
        )
