"""From a route's configuration to its step on the line."""

from mainstay.guardrails.config import LanguageConfig
from mainstay.guardrails.language import open_detector
from mainstay.guardrails.port import Detector
from mainstay.guardrails.stage import Screen, language_rule

__all__ = ["Screens"]


class Screens:
    """Makes the steps of one worker; what finds languages is loaded with the first that needs it, and once."""

    def __init__(self) -> None:
        self._detector: Detector | None = None

    def steps(self, language: LanguageConfig | None) -> tuple[Screen, ...]:
        """Return the step that looks at a route's requests, if the route wants one.

        Raises:
            StartError: nothing that finds languages is installed.
        """
        if language is None:
            return ()
        if self._detector is None:
            self._detector = open_detector()
        return (Screen(language_rule(language), self._detector),)
