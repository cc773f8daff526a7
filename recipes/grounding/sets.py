"""The sets that the verifier learns from and is measured on, as their files have them.

Labels: 0 supported, 1 contradicted, 2 unknown.
"""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "CONTRADICTED",
    "SUPPORTED",
    "UNKNOWN",
    "Gold",
    "best",
    "corpus",
    "gold_of",
    "stems",
    "train_documents",
    "validation",
]

SUPPORTED, CONTRADICTED, UNKNOWN = 0, 1, 2
_LABELS: Final = {"SUPPORT": SUPPORTED, "CONTRADICT": CONTRADICTED}
_COMMON: Final = (
    "the and for with that this from were was are has have been not than which their its also more into these can may"
    " between both but who had after our we in of to a an is by on or as at be"
)
_STOP: Final = frozenset(_COMMON.split())


@dataclass
class Gold:
    """A claim of SciFact and an abstract that it cites; ``sentences`` is empty where it says nothing of the claim."""

    claim: str
    document: int
    sentences: list[int]
    label: int
    number: int


def stems(text: str) -> set[str]:
    """Return the content words of ``text``, cut to six letters."""
    return {word[:6] for word in re.findall(r"[a-z0-9][a-z0-9-]+", text.lower()) if word not in _STOP and len(word) > 2}


def best(claim: str, sentences: Sequence[str], most: int = 3) -> list[int]:
    """Return the places of the sentences with the highest share of the claim's content words, in text order."""
    words = stems(claim)
    order = sorted(range(len(sentences)), key=lambda at: -len(words & stems(sentences[at])))
    return sorted(order[:most])


def gold_of(path: Path) -> Iterator[Gold]:
    """Return the pairs of a file of SciFact's claims."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        for document, rationales in row["evidence"].items():
            for one in rationales:
                yield Gold(row["claim"], int(document), one["sentences"], _LABELS[one["label"]], row["id"])
        for document in dict.fromkeys(row["cited_doc_ids"]):
            if str(document) not in row["evidence"]:
                yield Gold(row["claim"], document, [], UNKNOWN, row["id"])


def validation(data: Path) -> tuple[list[Gold], dict[int, list[str]]]:
    """Return SciFact's validation pairs and all abstracts: for measuring only."""
    return list(gold_of(data / "scifact/claims_validation.jsonl")), {
        key: text for key, (_, text) in corpus(data).items()
    }


def train_documents(data: Path) -> set[int]:
    """Return the abstracts that SciFact's train claims cite."""
    return {one.document for one in gold_of(data / "scifact/claims_train.jsonl")}


def corpus(data: Path) -> dict[int, tuple[str, list[str]]]:
    """Return title and sentences of each abstract of SciFact's corpus."""
    with gzip.open(data / "scifact/corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["doc_id"]: (row["title"].strip(), [one.strip() for one in row["abstract"]]) for row in rows}
