"""``kind: regex``: text that a pattern matches from end to end."""

import re

from mainstay.shaping.json import CUT
from mainstay.shaping.plain import bare
from mainstay.shaping.port import Flaw, Misfit

__all__ = ["Regex"]


class Regex:
    """Text that ``pattern`` (Python's syntax) matches whole; see :class:`~mainstay.shaping.port.Form`."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)

    def words(self) -> str:
        """Return what to tell a model."""
        return (
            "Answer with text that this regular expression matches from end to end, and nothing else: "
            f"{self._pattern.pattern}"
        )

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the text that matches."""
        if cut:
            # What comes after the end might not have matched.
            raise Misfit(CUT)
        for reading in (text, text.strip(), bare(text)):
            if self._pattern.fullmatch(reading):
                return reading
        raise Misfit(Flaw(f"The answer does not match {self._pattern.pattern} from end to end.", rule="regex"))
