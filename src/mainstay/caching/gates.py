"""What must agree before one question's answer is given to another: cheap checks first, each with a reason to show.

Order: numbers, names, polarity, then what they are about. The cosine comes before them and the verifier after
(``semantic``). Pure.
"""

from collections.abc import Callable
from typing import Final

from mainstay.caching.matter import matter_differs
from mainstay.caching.names import names_differ
from mainstay.caching.numbers import numbers_differ
from mainstay.caching.polarity import polarity_differs

__all__ = ["EDITION", "GATES", "stopped"]

#: Grows when the gates change: what was shown of the hits of others says nothing of these.
EDITION: Final = 2
#: Each returns what differs, None where nothing does. The names show in records and metrics.
GATES: Final[tuple[tuple[str, Callable[[str, str], str | None]], ...]] = (
    ("numbers", numbers_differ),
    ("names", names_differ),
    ("polarity", polarity_differs),
    ("matter", matter_differs),
)


def stopped(first: str, second: str) -> tuple[str, str] | None:
    """Return the first gate that two questions do not pass, and what differs; None where they pass all.

    It does not matter which of the two comes first.
    """
    for name, gate in GATES:
        if (reason := gate(first, second)) is not None:
            return name, reason
    return None
