"""What a refusal sounds like, as numbers for a net: apologies, "I cannot", warnings, and where they stand."""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["signs"]

_PATTERNS: Final = (
    r"\b(i('?m| am)) (sorry|afraid)|apologi[sz]e",
    r"\bi (can('?t|not)|won'?t|will not|am not able|am unable|do not|don'?t) ",
    r"\b(cannot|can'?t|unable to|not able to) (provide|assist|help|fulfil|answer|comply|give|generate|offer|support|"
    r"condone|recommend|share|create|write|engage|promote)",
    r"\bas (an|a) (ai|language model|responsible|helpful)",
    r"\b(illegal|unethical|harmful|dangerous|immoral|inappropriate|offensive|unlawful)\b",
    r"\bit is not (appropriate|ethical|legal|acceptable|possible|within)",
    r"\b(however|instead|but|that being said|having said that)\b",
    r"^\W*(i'?m sorry|i am sorry|sorry|i apologi[sz]e|i can'?t|i cannot)",
    r"^\W*(sure|certainly|of course|here|to |yes|absolutely|there|you can)",
    r"\b(seek help|professional help|hotline|helpline|authorit|reach out)",
    r"\b(important to (note|remember|clarify)|would like to (point|clarify|emphasi)|"
    r"must (point|clarify|advise|emphasi))",
    r"\b(step 1|1\.|first,|\n\s*[-*\d])",
    r"\b(not (a )?real|fictional|does not exist|no record|never (happened|occurred)|"
    r"i do not have (personal|information|access|real))",
    r"\b(i (strongly )?(advise|urge|recommend|encourage)|please (note|refrain|consider|be))",
    r"\b(no one|nobody|never okay|not okay|respect|discriminat|stereotyp|violence)\b",
)
_FOUND: Final = [re.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _PATTERNS]
#: Characters that are the first sentence, the opening, and the end of an answer.
_FIRST, _OPENING, _END = 150, 500, 300


def signs(answer: str) -> "NDArray[np.float32]":
    """Return the numbers of an answer, each between 0 and 1."""
    import numpy as np

    parts = (answer[:_FIRST], answer[:_OPENING], answer[-_END:])
    hits = [float(bool(pattern.search(part))) for part in parts for pattern in _FOUND]
    return np.array([*hits, min(1.0, len(answer) / 2000), min(1.0, len(answer) / 300)], np.float32)
