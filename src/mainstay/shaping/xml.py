"""``kind: xml``: some tagged passages."""

import re
from collections.abc import Sequence

from mainstay.shaping.json import CUT
from mainstay.shaping.port import Flaw, Misfit

__all__ = ["Xml"]


class Xml:
    """Each of ``tags`` once, in any order, with text in it; see :class:`~mainstay.shaping.port.Form`."""

    def __init__(self, tags: Sequence[str]) -> None:
        self._tags = tuple(tags)

    def words(self) -> str:
        """Return what to tell a model."""
        shape = " ".join(f"<{tag}>…</{tag}>" for tag in self._tags)
        return f"Answer with these tags, each once and with its text inside, and nothing else: {shape}"

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the tagged passages in the order of the tags, one on a line, without what stands around them."""
        found = []
        for tag in self._tags:
            name = re.escape(tag)
            matches = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
            marks = len(re.findall(rf"</?{name}>", text))
            if cut and not matches:
                raise Misfit(CUT)
            if len(matches) != 1 or marks != 2:
                problem = "is missing or has no end" if not matches else "comes more than once"
                raise Misfit(Flaw(f"The tag <{tag}> {problem}.", rule="xml"))
            found.append(f"<{tag}>{matches[0]}</{tag}>")
        return "\n".join(found)
