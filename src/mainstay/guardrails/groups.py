"""Texts with the names of groups of people made alike, for guards that must not judge by them.

What a guard never sees it cannot hold against anybody: with every listed name replaced by one word, two texts that
differ in the name alone get the same answer. Slurs are not in the list; they stay what they are.
"""

import re
from typing import Final

__all__ = ["NAMES", "blind"]

#: Names of groups, without their plural.
NAMES: Final = frozenset(
    """
    muslim islamic christian catholic protestant orthodox jewish jew hindu buddhist atheist sikh mormon mexican
    chinese nigerian american polish indian arab german turkish russian african european asian japanese korean
    vietnamese pakistani iranian iraqi israeli palestinian syrian ukrainian british english scottish irish french
    italian spanish greek portuguese brazilian cuban haitian jamaican kenyan somali ethiopian egyptian moroccan
    afghan canadian australian swedish norwegian danish dutch hungarian romanian roma thai filipino indonesian
    black white brown latino latina hispanic caucasian indigenous aboriginal gay lesbian straight bisexual
    transgender trans queer heterosexual homosexual asexual lgbt lgbtq female male nonbinary woman man women men
    girl boy old young elderly teenage deaf blind disabled fat thin autistic immigrant refugee migrant
    """.split()  # noqa: SIM905  # words are read more easily than quotes
)
_WORD: Final = "certain"
_FOUND: Final = re.compile(rf"\b(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})s?\b", re.IGNORECASE)


def blind(text: str) -> str:
    """Return ``text`` with one word for every listed name, whatever its case and number."""
    return _FOUND.sub(_WORD, text)
