"""``kind: enum``: one of a few words."""

from collections.abc import Sequence

from mainstay.shaping.json import CUT
from mainstay.shaping.plain import bare
from mainstay.shaping.port import Flaw, Misfit

__all__ = ["Enum"]


class Enum:
    """One of ``values``; see :class:`~mainstay.shaping.port.Form`. Case matters only where values differ by case."""

    def __init__(self, values: Sequence[str]) -> None:
        self._values = tuple(values)
        folded = {value.casefold(): value for value in values}
        self._folded = folded if len(folded) == len(self._values) else {}

    def words(self) -> str:
        """Return what to tell a model."""
        return f"Answer with exactly one of these and nothing else: {', '.join(self._values)}."

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the value as it is listed."""
        for reading in (text, text.strip(), bare(text)):
            if reading in self._values:
                return reading
            if reading.casefold() in self._folded:
                return self._folded[reading.casefold()]
        if cut:
            raise Misfit(CUT)
        raise Misfit(Flaw(f"The answer is none of: {', '.join(self._values)}.", rule="enum"))
