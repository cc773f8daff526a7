"""``python -m bench.semantic --data DIR``: how often the semantic cache's hits are wrong, and what they save.

DIR holds ``pairs.tsv.gz``: pairs of questions with labels of people, ``id, split, group, label, text_a, text_b``.
A hit is a pair that the tier would take for one question. The point of working is chosen on the dev split and
reported on test (or, with ``--part train``, on ``--pairs`` drawn from train), beside a bare threshold of cosine that
finds as many. Labels are noisy, so hits are read again by a person who does not see them: ``--write FILE`` lists the
hits, ``--adjudicated FILE`` has ``id``, ``stratum`` (``default``, or ``other words`` for what only the point at 20 %
takes) and ``same`` (1 or 0) of some drawn from them. Besides: pairs that ask the opposite, another number or another
name, and other tenants; none may pass.
"""

import argparse
import csv
import gzip
import hashlib
import random
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
_FLOOR = 0.8
#: The cosine at the point where enough is found.
_LAX = 0.8


class Judged(NamedTuple):
    """A pair as the tier sees it."""

    identity: int
    same: bool
    cosine: float
    passed: bool
    words: bool
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
        stop = stopped(row[4], row[5]) if cosine >= _FLOOR else ("cosine", "")
        passed = stop is None or stop[0] == "matter"
        words = passed and stop is None
        sure = verifier.same(read(row[4]), read(row[5]), cosine) if passed else 0.0
        found.append(Judged(int(row[0]), row[3] == "1", cosine, passed, words, sure))
    return found


def _hits(
    judged: Sequence[Judged], config: SemanticConfig, cosine: float | None = None, loose: float = 1.1
) -> list[Judged]:
    """Return what the tier takes for one question; from ``loose`` on, the verifier alone decides on other words."""
    least = config.similarity if cosine is None else cosine
    return [
        one
        for one in judged
        if one.passed and one.cosine >= least and one.sure >= (config.certainty if one.words else loose)
    ]


def _shares(hits: Sequence[Judged], same: int) -> tuple[float, float]:
    """Return the share of the duplicates that is found and the share of hits that is labelled different."""
    right = sum(one.same for one in hits)
    return right / same, 1 - right / max(1, len(hits))


def _choose(judged: Sequence[Judged], same: int, config: SemanticConfig) -> float:
    """Return the greatest certainty from which on other words may pass, so that enough is found."""
    points: list[float] = np.arange(0.5, 1, 0.05).round(2).tolist()
    return max((one for one in points if _shares(_hits(judged, config, _LAX, one), same)[0] >= _FOUND), default=0.5)


def _bare(rows: Sequence[Sequence[str]], cosines: Any, wanted: float) -> tuple[float, int, float, float]:
    """Return the bare threshold that finds so much, its hits, what it finds and how much of it is wrong."""
    labels = np.array([row[3] == "1" for row in rows])
    order = np.argsort(-cosines, kind="stable")
    right = np.cumsum(labels[order])
    count = int(np.searchsorted(right, wanted * labels.sum())) + 1
    found, wrong = right[count - 1] / labels.sum(), 1 - right[count - 1] / count
    return float(cosines[order][count - 1]), count, float(found), float(wrong)


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
    given = _read_arguments(arguments)
    encoder, verifier, config = open_encoder(), open_verifier(), SemanticConfig()
    parts = {}
    for split in ("dev", given.part):
        rows = _pairs(given.data, split)
        if split == "train":
            rows = random.Random(7).sample(rows, min(given.pairs, len(rows)))
        cosines = _cosines(rows, encoder, given.vectors)
        parts[split] = rows, cosines, _judge(rows, cosines, encoder, verifier), sum(row[3] == "1" for row in rows)
    loose = _choose(*parts["dev"][2:], config)
    rows, cosines, judged, same = parts[given.part]
    lines = [[f"{len(rows):,} pairs of {given.part}", "hits", "duplicates found", "wrong (raw labels)"]]
    default, wide = _hits(judged, config), _hits(judged, config, _LAX, loose)
    points = (("as configured by default", default), (f"cosine {_LAX}, other words from {loose} on", wide))
    for name, hits in points:
        found, wrong = _shares(hits, same)
        lines.append([name, f"{len(hits):,}", f"{found:.1%}", f"{wrong:.1%}"])
        threshold, count, found, wrong = _bare(rows, cosines, found)
        lines.append([f"bare cosine of {threshold:.3f}", f"{count:,}", f"{found:.1%}", f"{wrong:.1%}"])
    print(table(lines))
    if given.write is not None:
        _write(given.write, wide)
    if given.adjudicated is not None:
        _adjudicated(given.adjudicated, default, wide)
    swaps, passed = swapped_pairs(encoder, verifier, config)
    probes, leaks = across_tenants()
    print(f"{passed} of {swaps} pairs of opposites, numbers and names pass; {leaks} of {probes:,} probes of others do")
    return int(bool(passed or leaks))


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.semantic", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with pairs.tsv.gz")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="what is reported on")
    parser.add_argument("--pairs", type=int, default=12_000, help="so many pairs of train")
    parser.add_argument("--vectors", type=Path, help="a folder to keep vectors in between runs")
    parser.add_argument("--adjudicated", type=Path, help="judgements of hits that were read: id, stratum, same")
    parser.add_argument("--write", type=Path, help="where to list the hits")
    given = parser.parse_args(arguments)
    if not (given.data / "pairs.tsv.gz").is_file():
        parser.error(f"{given.data} holds no pairs.tsv.gz")
    return given


def _write(path: Path, hits: Sequence[Judged]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(["id", "cosine", "certainty", "words", "label"])
        for one in hits:
            rows.writerow([one.identity, f"{one.cosine:.3f}", f"{one.sure:.3f}", int(one.words), int(one.same)])


def _adjudicated(path: Path, default: Sequence[Judged], wide: Sequence[Judged]) -> None:
    """Print the share of wrong hits as they were read: at the default, and weighted by strata at the other point."""
    with path.open(encoding="utf-8", newline="") as file:
        read = {int(row["id"]): row["same"] == "1" for row in csv.DictReader(file, delimiter="\t")}
    strata = [one for one in wide if one.words], [one for one in wide if not one.words]
    shares = []
    for name, hits in (("default", default), ("the same words", strata[0]), ("other words", strata[1])):
        known = [one for one in hits if one.identity in read]
        wrong = sum(not read[one.identity] for one in known)
        shares.append(wrong / max(1, len(known)))
        if known:
            print(f"{name}: {wrong} of {len(known)} hits that were read are wrong, {shares[-1]:.1%}; at most "
                  f"{_upper(wrong, len(known)):.1%} (one-sided 95 %)")  # fmt: skip
    total = sum(share * len(hits) for share, hits in zip(shares[1:], strata, strict=True)) / max(1, len(wide))
    print(f"where enough is found: {total:.1%} of {len(wide):,}")


if __name__ == "__main__":
    sys.exit(main())
