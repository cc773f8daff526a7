"""No detector: every language is unknown."""

from mainstay.guardrails.port import Guess

__all__ = ["NullDetector"]


class NullDetector:
    """Knows no language; see :class:`~mainstay.guardrails.port.Detector`."""

    def detect(self, text: str) -> Guess:
        """Return ``und``."""
        return Guess()
