"""``python -m bench.attribution --data DIR``: whom claims that no model marked are attributed to, rightly and wrongly.

``DIR`` holds scifact. Each claim is put beside the six abstracts that share most of its rare words, as a route would
put it. It counts as right where the source is one that supports it by the data set's own labels; ``contradicting`` are
sources that are about just this and say the opposite, which words cannot tell. With ``--verify``, claims that words
leave open are attributed to what the shipped verifier supports, as on a route with ``verify``.
"""

import argparse
import gzip
import hashlib
import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mainstay.core.sources import Pin, Source
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checked, bearing
from mainstay.grounding.policies import Rule, verdict_of
from mainstay.grounding.terms import root, tokens
from mainstay.grounding.verify import open_verifier

__all__ = ["main"]

_BESIDE = 6
_NEAREST = 2
_PIN = Pin("scifact", "main", 1)


class Case(NamedTuple):
    """A claim, what it is put beside, and which of that supports and contradicts it."""

    claim: str
    sources: Sequence[Source]
    supports: frozenset[str]
    contradicts: frozenset[str]


def _source(name: str, title: str, text: str) -> Source:
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    return Source(_PIN, name, 1, name, 0, len(text), 0, len(data), text, digest, title=title)


class Index:
    """Finds abstracts by their rare words."""

    def __init__(self, data: Path) -> None:
        self.sources: dict[str, Source] = {}
        self._with: Mapping[str, list[str]] = defaultdict(list)
        with gzip.open(data / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                text = " ".join(sentence.strip() for sentence in row["abstract"])
                name = str(row["doc_id"])
                self.sources[name] = _source(name, row["title"], text)
                for word in set(map(root, tokens(text))):
                    self._with[word].append(name)

    def find(self, claim: str) -> list[str]:
        """Return the names of the nearest abstracts."""
        scores: Counter[str] = Counter()
        for word in set(map(root, tokens(claim))):
            names = self._with.get(word, [])
            if len(names) < 0.3 * len(self.sources):
                weight = math.log(len(self.sources) / (1 + len(names)))
                for name in names:
                    scores[name] += weight  # type: ignore[assignment]  # a counter of weights
        return [name for name, _ in scores.most_common(_BESIDE)]


def _cases(data: Path, split: str) -> list[Case]:
    index = Index(data)
    cases: list[Case] = []
    for line in (data / f"claims_{split}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by: dict[str, set[str]] = {"SUPPORT": set(), "CONTRADICT": set()}
        for name, found in row["evidence"].items():
            for one in found:
                by[one["label"]].add(name)
        names = index.find(row["claim"])
        missing = [name for name in sorted(by["SUPPORT"]) if name not in names]
        names = [*names[: _BESIDE - 1], missing[0]] if missing and not by["SUPPORT"] & set(names) else names
        sources = [index.sources[name] for name in names]
        cases.append(Case(row["claim"], sources, frozenset(by["SUPPORT"]), frozenset(by["CONTRADICT"])))
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON; return 0."""
    parser = argparse.ArgumentParser(prog="bench.attribution", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds scifact")
    parser.add_argument("--split", choices=("train", "validation"), default="validation")
    parser.add_argument("--verify", action="store_true", help="let the verifier decide what words leave open")
    options = parser.parse_args(arguments)
    data = options.data / "scifact"
    if not data.is_dir():
        print(f"There is no scifact in {options.data}; give the folder that holds it.", file=sys.stderr)
        return 2
    rule = Rule("scifact", unsupported="mark")
    verifier = open_verifier() if options.verify else None
    counts: Counter[str] = Counter()
    seconds = 0.0
    for case in _cases(data, options.split):
        passages = Passages(case.sources)
        began = time.perf_counter()
        number = passages.attribute(case.claim)
        seconds += time.perf_counter() - began
        if not number and verifier is not None:
            against = passages.nearest(case.claim, _NEAREST)
            found = verifier.check([(case.claim, case.sources[one - 1].text) for one in against])
            verdict, score = verdict_of(found, rule)
            each = {one: verdict_of((said,), rule) for one, said in zip(against, found, strict=True)}
            number = next(iter(bearing(case.claim, Checked(verdict, score, each), passages)), 0)
        can = bool(case.supports & {source.document for source in case.sources})
        name = case.sources[number - 1].document if number else ""
        counts["claims"] += 1
        counts["supportable"] += can
        counts["attributed"] += bool(number)
        counts["right"] += name in case.supports
        counts["contradicting"] += name in case.contradicts
        counts["about_something_else"] += bool(name) and name not in case.supports | case.contradicts
    figures = {
        **counts,
        "precision": round(counts["right"] / max(1, counts["attributed"]), 4),
        "recall": round(counts["right"] / max(1, counts["supportable"]), 4),
        "ms_a_claim": round(1000 * seconds / max(1, counts["claims"]), 3),
    }
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
