"""What the rules see in a text, as numbers for a judge that weighs them with what an encoder says.

Names and order are fixed: a judge is trained on them. Every number lies between 0 and 1.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from mainstay.guardrails.injection.rules import KINDS, Reader
from mainstay.guardrails.injection.scanner import weight
from mainstay.guardrails.normalise import Normalised, normalise

__all__ = ["FEATURES", "features", "features_of"]

_TRICKS: Final = ("invisible", "bidi", "homoglyph", "leet", "spacing", "marks", "styled", "escape")
_SAID: Final = (
    "mentioned",
    "encoded",
    "layers",
    "rules",
    "any",
    "quotes",
    "question",
    "you",
    "orders",
    "capitals",
    "lines",
    "length",
)
#: The names of the numbers, in order.
FEATURES: Final = (*KINDS, *_TRICKS, *_SAID)

_WORD: Final = re.compile(r"[^\W\d_]+")
_YOU: Final = frozenset({"you", "your", "yours", "yourself"})
_ORDERS: Final = frozenset(
    {"must", "always", "never", "shall", "will", "do", "don", "only", "respond", "answer", "act", "pretend", "ignore",
     "forget", "say", "tell", "reveal", "print", "output", "repeat", "obey", "follow", "now"}
)  # fmt: skip
_QUOTES: Final = frozenset('"“”«»`')


@cache
def _reader() -> Reader:
    return Reader()


def features(text: str, *, untrusted: bool = False) -> Mapping[str, float]:
    """Return for each of ``FEATURES`` a number from 0 to 1: for a kind of rule the surest that it found used, for a
    trick how much of it was undone, and how the text speaks."""
    return features_of(normalise(text), untrusted=untrusted)


def features_of(text: Normalised, *, untrusted: bool = False) -> Mapping[str, float]:
    """Return the same for a text that has been normalised."""
    result = dict.fromkeys(FEATURES, 0.0)
    hits = _reader().read(text, untrusted=untrusted)
    missed = 1.0
    for hit in hits:
        score = weight(hit)
        result[hit.rule.kind] = max(result[hit.rule.kind], score)
        missed *= 1 - score
    for trick in _TRICKS:
        result[trick] = _much(text.tricks.get(trick, 0), 8)
    words = [word.lower() for word in _WORD.findall(text.text)]
    many = max(1, len(words))
    result["mentioned"] = sum(hit.mentioned for hit in hits) / max(1, len(hits))
    result["encoded"] = float(any(hit.layer for hit in hits))
    result["layers"] = _much(len(text.layers), 4)
    result["rules"] = _much(len({hit.rule.id for hit in hits if not hit.mentioned}), 6)
    result["any"] = 1 - missed
    result["quotes"] = _much(sum(map(text.text.count, _QUOTES)), 10)
    result["question"] = float(text.text.rstrip().endswith("?"))
    result["you"] = sum(word in _YOU for word in words) / many
    result["orders"] = sum(word in _ORDERS for word in words) / many
    result["capitals"] = sum(map(str.isupper, text.text)) / max(1, len(text.text))
    result["lines"] = _much(text.text.count("\n"), 40)
    result["length"] = _much(len(words), 600)
    return result


def _much(count: int, many: int) -> float:
    """Return 0 for none, 1 for ``many`` and more, by the logarithm between."""
    return min(1.0, math.log1p(count) / math.log1p(many))
