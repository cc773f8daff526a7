"""``kind: list``: some items, one on a line."""

import re
from typing import Final

from mainstay.shaping.json import CUT
from mainstay.shaping.port import Flaw, Misfit

__all__ = ["List"]

_BULLET: Final = re.compile(r"(?:[-*•]|\d{1,4}[.)])\s+")


class List:
    """Items on lines of their own; see :class:`~mainstay.shaping.port.Form`.

    Args:
        least: how many items there must be.
        most: how many there may be; None: any number.
        unique: whether an item may come only once.
    """

    def __init__(self, least: int = 1, most: int | None = None, *, unique: bool = False) -> None:
        self._least = least
        self._most = most
        self._unique = unique

    def words(self) -> str:
        """Return what to tell a model."""
        number = f"at least {self._least}" + (f" and at most {self._most}" if self._most is not None else "")
        once = ", each only once" if self._unique else ""
        return f"Answer with a list of {number} items{once}, one on a line, and nothing else: no heading, no bullets."

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the items joined by line breaks, without bullets or numbers where all have one."""
        if cut:
            raise Misfit(CUT)
        items = [line.strip() for line in text.split("\n") if line.strip()]
        if items and all(_BULLET.match(item) for item in items):
            items = [_BULLET.sub("", item, count=1).strip() for item in items]
        if len(items) < self._least:
            raise Misfit(Flaw(f"The list has {len(items)} items and needs {self._least}.", rule="minItems"))
        if self._most is not None and len(items) > self._most:
            raise Misfit(Flaw(f"The list has {len(items)} items and may have {self._most}.", rule="maxItems"))
        if self._unique and len(set(items)) < len(items):
            raise Misfit(Flaw("An item of the list comes twice.", rule="uniqueItems"))
        return "\n".join(items)
