"""Real sentences with the names that a larger tagger finds in them.

    python -m recipes.personal.silver --data DATA --model MODEL --out silver.jsonl

``DATA`` holds the sets ``toxic-spans`` (CC0), ``gptfuzz`` (MIT), ``xstest`` (CC-BY-4.0) and ``pubmedqa`` (MIT); beside
them come lines of Python's own library, which hold no names. ``MODEL`` is the folder of spaCy's ``en_core_web_md``
3.8.0 (MIT). Nothing of presidio-synth is used.
"""

import argparse
import json
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import spacy

LONGEST = 1200
ALL = frozenset({"PERSON", "GPE", "LOC", "FAC", "ORG", "NORP"})
PLACES = frozenset({"GPE", "LOC", "NORP"})
NONE: frozenset[str] = frozenset()


def main() -> None:
    """Label the texts and write them as lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = list(texts(options.data))
    random.Random(3).shuffle(found)
    model = spacy.load(options.model, exclude=["parser", "lemmatizer", "attribute_ruler"])
    with options.out.open("w", encoding="utf-8") as out:
        for document, kept in model.pipe(found, batch_size=64, as_tuples=True):
            ents = [(ent.start_char, ent.end_char, ent.label_) for ent in document.ents if ent.label_ in kept]
            out.write(json.dumps({"text": document.text, "ents": ents}) + "\n")


def texts(folder: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what is labelled, and which labels to believe: comments, answers of models, abstracts, code."""
    for row in _rows(folder / "toxic-spans" / "train.jsonl"):
        yield row["text"], ALL
    answers = [row["response"] for row in _rows(folder / "gptfuzz" / "train.jsonl")]
    for text in _some([text for text in answers if isinstance(text, str) and _english(text)], 1500, 1):
        yield text, ALL
    for text in _some([row["completion"] for row in _rows(folder / "xstest" / "completions.jsonl")], 700, 2):
        yield text, ALL
    # Abstracts name hardly anybody; the larger tagger takes genes and drugs for people and firms.
    for row in _rows(folder / "pubmedqa" / "pqal.jsonl"):
        yield " ".join(row["contexts"])[:900], PLACES
    for text in _some(list(code()), 1500, 4):
        yield text, NONE


def code() -> Iterator[str]:
    """Yield pieces of Python's library without lines that may name its authors."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for start in range(0, len(lines) - 12, 12):
            piece = "\n".join(lines[start : start + 12])
            if len(piece) > 150 and not re.search(
                r"(?i)author|copyright|written|@|thanks|contribut|19\d\d|20\d\d", piece
            ):
                yield piece


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _some(found: list[str], count: int, seed: int) -> list[str]:
    random.Random(seed).shuffle(found)
    return [text[:LONGEST] for text in found[:count]]


def _english(text: str) -> bool:
    return len(text) > 80 and sum(map(str.isascii, text)) > 0.97 * len(text)


if __name__ == "__main__":
    main()
