"""Names as people write them: spelt alike they are alike, and a wrong one gets the nearest right one.

Used by the tables of core (devices, sizes of models). Does not know what is named.
"""

import difflib
import re
from collections.abc import Iterable

__all__ = ["closest", "plain"]

_MARKS = re.compile(r"[\s_:/-]+")


def plain(name: str) -> str:
    """Return ``name`` in lower case, blanks and marks as single hyphens: ``A100 SXM4_80GB`` is ``a100-sxm4-80gb``."""
    return _MARKS.sub("-", name.strip().lower()).strip("-")


def closest(wrong: str, right: Iterable[str], count: int = 3) -> list[str]:
    """Return at most ``count`` of the names in ``right`` that are most like ``wrong``, the nearest first."""
    names: dict[str, str] = {}
    for name in right:
        names.setdefault(plain(name), name)
    sought = plain(wrong)[:128]
    found = difflib.get_close_matches(sought, names, n=count, cutoff=0.5)
    found += [name for name in names if sought and sought in name and name not in found]
    return [names[name] for name in found[:count]]
