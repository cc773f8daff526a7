"""``python -m bench.semantic --data DIR``: how often the semantic cache's hits are wrong, and what they save.

DIR holds ``pairs.tsv.gz``: pairs of questions with labels of people, ``id, split, group, label, text_a, text_b``.
A hit is a pair that the tier would take for one question. The point of working is chosen on the dev split and
reported on test, beside a bare threshold of cosine that finds as many. Labels are noisy, so wrong hits are read again
by a person: ``--adjudicated FILE`` has ``id`` and ``same`` (1 or 0) of those, ``--write FILE`` lists the hits that are
to be read. Besides: pairs that ask the opposite, another number or another name, and other tenants; none may pass.
"""

import argparse
import csv
import gzip
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.semantic_probes import across_tenants, swapped_pairs
from bench.text import table
from mainstay.caching.gates import stopped
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.verifier import Read, Verifier, open_verifier
from mainstay.encoders.minilm import MODEL, Encoder, open_encoder

__all__ = ["Judged", "main"]

#: Share of the duplicates that is to be found.
_FOUND = 0.2
#: Below this cosine nothing is looked at.
_FLOOR = 0.85


class Judged(NamedTuple):
    """A pair as the tier sees it."""

    identity: int
    same: bool
    cosine: float
    passed: bool
    sure: float


def _pairs(folder: Path, split: str) -> list[list[str]]:
    with gzip.open(folder / "pairs.tsv.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        return [row for row in (line.rstrip("\n").split("\t") for line in lines) if row[1] == split]


def _cosines(rows: Sequence[Sequence[str]], encoder: Encoder, folder: Path | None) -> Any:
    """Return the cosine of each pair; vectors are kept in ``folder``, if there is one."""
    texts = sorted({text for row in rows for text in row[4:6]})
    name = hashlib.sha256("\n".join([MODEL, *texts]).encode()).hexdigest()[:16]
    path = folder / f"{name}.npy" if folder is not None else None
    if path is not None and path.exists():
        vectors = np.load(path)
    else:
        vectors = encoder.encode(texts)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
    at = {text: place for place, text in enumerate(texts)}
    return np.array([vectors[at[row[4]]] @ vectors[at[row[5]]] for row in rows])


def _judge(rows: Sequence[Sequence[str]], cosines: Any, encoder: Encoder, verifier: Verifier) -> list[Judged]:
    reads: dict[str, Read] = {}

    def read(text: str) -> Read:
        if text not in reads:
            reads[text] = verifier.read(encoder.read(text))
        return reads[text]

    found = []
    for row, cosine in zip(rows, cosines.tolist(), strict=True):
        passed = cosine >= _FLOOR and stopped(row[4], row[5]) is None
        sure = verifier.same(read(row[4]), read(row[5]), cosine) if passed else 0.0
        found.append(Judged(int(row[0]), row[3] == "1", cosine, passed, sure))
    return found


def _hits(judged: Sequence[Judged], cosine: float, sure: float) -> list[Judged]:
    return [one for one in judged if one.passed and one.cosine >= cosine and one.sure >= sure]


def _shares(hits: Sequence[Judged], same: int) -> tuple[float, float]:
    """Return the share of the duplicates that is found and the share of hits that is labelled different."""
    right = sum(one.same for one in hits)
    return right / same, 1 - right / max(1, len(hits))


def _choose(judged: Sequence[Judged], same: int) -> tuple[float, float]:
    """Return the cosine and the certainty with which enough is found: the surest, then the nearest.

    Not those with the fewest wrong labels: near a cosine of 1 most of the labels that say wrong are wrong themselves.
    """
    points = [
        (sure, cosine)
        for sure in (0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95)
        for cosine in np.arange(_FLOOR, 0.96, 0.01).round(2).tolist()
        if _shares(_hits(judged, cosine, sure), same)[0] >= _FOUND
    ]
    sure, cosine = max(points, default=(0.3, _FLOOR))
    return cosine, sure


def _bare(rows: Sequence[Sequence[str]], cosines: Any) -> tuple[float, float, float]:
    """Return the bare threshold that finds enough, what it finds and how much of it is wrong."""
    labels = np.array([row[3] == "1" for row in rows])
    order = np.argsort(-cosines, kind="stable")
    right = np.cumsum(labels[order])
    count = int(np.searchsorted(right, _FOUND * labels.sum())) + 1
    return float(cosines[order][count - 1]), float(right[count - 1] / labels.sum()), float(1 - right[count - 1] / count)


def _upper(wrong: int, count: int) -> float:
    """Return the one-sided 95 % upper bound of Clopper and Pearson, by bisection."""
    from math import comb, log

    low, high = wrong / count, 1.0
    logs = [log(comb(count, k)) for k in range(wrong + 1)]
    for _ in range(50):
        middle = (low + high) / 2
        at_most = sum(np.exp(logs[k] + k * np.log(middle) + (count - k) * np.log1p(-middle)) for k in range(wrong + 1))
        low, high = (middle, high) if at_most > 0.05 else (low, middle)
    return high


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; return 0 if no swap and no tenant's probe passes."""
    parser = argparse.ArgumentParser(prog="python -m bench.semantic", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with pairs.tsv.gz")
    parser.add_argument("--vectors", type=Path, help="a folder to keep vectors in between runs")
    parser.add_argument("--adjudicated", type=Path, help="judgements of hits that were read again: id, same")
    parser.add_argument("--write", type=Path, help="where to list the hits of the test split")
    given = parser.parse_args(arguments)
    if not (given.data / "pairs.tsv.gz").is_file():
        parser.error(f"{given.data} holds no pairs.tsv.gz")
    encoder, verifier, config = open_encoder(), open_verifier(), SemanticConfig()
    judged, bare = {}, {}
    for split in ("dev", "test"):
        rows = _pairs(given.data, split)
        cosines = _cosines(rows, encoder, given.vectors)
        judged[split], bare[split] = _judge(rows, cosines, encoder, verifier), _bare(rows, cosines)
    chosen = _choose(judged["dev"], sum(one.same for one in judged["dev"]))
    same = sum(one.same for one in judged["test"])
    lines = [["on the test split", "cosine", "certainty", "hits", "duplicates found", "wrong (raw labels)"]]
    threshold, found, wrong = bare["test"]
    lines.append(["bare cosine", f"{threshold:.3f}", "", "", f"{found:.1%}", f"{wrong:.1%}"])
    for name, cosine, sure in (
        ("gates alone", chosen[0], 0.0),
        ("as chosen on dev", *chosen),
        ("as configured by default", config.similarity, config.certainty),
    ):
        hits = _hits(judged["test"], cosine, sure)
        found, wrong = _shares(hits, same)
        lines.append([name, f"{cosine:.2f}", f"{sure:.2f}", f"{len(hits):,}", f"{found:.1%}", f"{wrong:.1%}"])
    print(table(lines))
    hits = _hits(judged["test"], *chosen)
    if given.write is not None:
        _write(given.write, hits)
    if given.adjudicated is not None:
        _adjudicated(given.adjudicated, hits)
    swaps, passed = swapped_pairs(encoder, verifier, config)
    probes, leaks = across_tenants()
    print(f"{passed} of {swaps} pairs of opposites, numbers and names pass; {leaks} of {probes:,} probes of others do")
    return int(bool(passed or leaks))


def _write(path: Path, hits: Sequence[Judged]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["id", "cosine", "certainty", "label"])
        rows.writerows([one.identity, f"{one.cosine:.3f}", f"{one.sure:.3f}", int(one.same)] for one in hits)


def _adjudicated(path: Path, hits: Sequence[Judged]) -> None:
    """Print the share of wrong hits after the second reading: those labelled different are as they were read again."""
    with path.open(encoding="utf-8", newline="") as file:
        read = {int(row["id"]): row["same"] == "1" for row in csv.DictReader(file, delimiter="\t")}
    doubtful = [one for one in hits if not one.same]
    known = [one for one in doubtful if one.identity in read]
    wrong = sum(not read[one.identity] for one in known)
    again = sum(one.same and not read.get(one.identity, True) for one in hits)
    print(f"{len(known)} of {len(doubtful)} hits labelled different were read again: {wrong} ask something else")
    if len(known) == len(doubtful):
        total = wrong + again
        print(f"adjudicated: {total} of {len(hits):,} hits are wrong, {total / len(hits):.2%}; at most "
              f"{_upper(total, len(hits)):.2%} (one-sided 95 %), if labels of duplicates are right")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
