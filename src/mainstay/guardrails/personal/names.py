"""Names of people, places, organisations and nations, and pieces of addresses, by a small tagger.

Two linear looks at each word that is written large, is a number or is on a list: the first sees its shape, its ends and
two neighbours on each side; the second also what the first said of four on each side. So what is said of a word depends
on six words on each side and no more. Weights come from ``recipes/personal``. It knows neither patterns nor scores'
meaning for a policy.
"""

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from mainstay.guardrails.personal.features import Token, first_features, second_features, tokenise
from mainstay.guardrails.personal.gazetteer import Gazetteer, open_gazetteer

__all__ = ["Tagged", "Tagger", "open_tagger"]

#: Weights by feature, one byte for each label.
_Weights = Mapping[str, bytes]
#: A token, its likeliest label that is one, and how sure it is that it has any.
Tagged = tuple[Token, str, float]

_NOTHING: Final = "-"
_STEP: Final = 0.03
#: Steps by which the model underrates names, since it was trained with a third of the lists hidden: of words that
#: it gives 0.35, more than half are names (tuning half of presidio-synth).
_CAUTIOUS: Final = 20


class Tagger:
    """Labels words.

    Args:
        labels: the first of them stands for none.
        first: weights by feature, a byte for each of six labels: 128 is nothing, and a step 0.03.
        second: the same, for features that name labels too.
    """

    def __init__(self, labels: Sequence[str], first: _Weights, second: _Weights, gazetteer: Gazetteer) -> None:
        self._labels = tuple(labels)
        self._first = first
        self._second = second
        self._gazetteer = gazetteer

    def tokens(self, text: str) -> list[Token]:
        """Return the words of ``text``, and which of them may have a label at all."""
        return [token for segment in tokenise(text, self._gazetteer) for token in segment]

    def tag(self, text: str) -> list[Tagged]:
        """Return every token of ``text``; those that are never names have no label and the probability 0."""
        tagged: list[Tagged] = []
        for segment in tokenise(text, self._gazetteer):
            tagged += self._tag(segment)
        return tagged

    def _tag(self, tokens: Sequence[Token]) -> list[Tagged]:
        names = self._labels
        guesses = [_NOTHING] * len(tokens)
        features: dict[int, list[str]] = {}
        for index, token in enumerate(tokens):
            if token.open:
                seen = features[index] = first_features(tokens, index, self._gazetteer)
                scores = self._scores(self._first, seen)
                guesses[index] = names[scores.index(max(scores))]
        tagged: list[Tagged] = []
        for index, token in enumerate(tokens):
            if not token.open:
                tagged.append((token, "", 0.0))
                continue
            scores = self._scores(self._second, features[index] + second_features(tokens, guesses, index))
            scores[0] -= _CAUTIOUS
            best = max(range(1, len(names)), key=scores.__getitem__)
            top = max(scores)
            total = sum(math.exp((score - top) * _STEP) for score in scores)
            tagged.append((token, names[best], 1 - math.exp((scores[0] - top) * _STEP) / total))
        return tagged

    def _scores(self, weights: _Weights, features: Sequence[str]) -> list[int]:
        # Bytes, since a hundred thousand lists of numbers take four times the room; what they are above nothing cancels
        # out, each label having it as often.
        a = b = c = d = e = f = 0
        get = weights.get
        for feature in features:
            found = get(feature)
            if found is not None:
                a += found[0]
                b += found[1]
                c += found[2]
                d += found[3]
                e += found[4]
                f += found[5]
        return [a, b, c, d, e, f]


def open_tagger() -> Tagger:
    """Load the lists and weights that came with the package."""
    packed = (files("mainstay.guardrails.personal") / "data" / "names.gz").read_bytes()
    data = json.loads(gzip.decompress(packed))
    first, second = ({key: row.encode("latin-1") for key, row in data[name].items()} for name in ("first", "second"))
    return Tagger(data["labels"], first, second, open_gazetteer())
