"""``python -m bench.retrieval --data DIR --cache DIR``: how well questions find, and how fast, through the real store.

``DIR`` of ``--data`` holds scifact. Four profiles: words only, static vectors, MiniLM, and both fused with words. Each
abstract is put as one passage, or, with ``--chunked``, cut as ingestion cuts it. ``--fit`` chooses weights on the train
claims, which is how the defaults were found; the figures are of the test claims, which nothing was chosen by. Vectors
take some seven minutes on a core and are kept in ``--cache``.
"""

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.guards import auroc
from bench.stats import percentile
from mainstay.core.errors import Unavailable
from mainstay.core.sources import Found
from mainstay.grounding.chunks import Sizes, chunk, embedded
from mainstay.grounding.fusion import usual_weight
from mainstay.grounding.judged import Judged, Report, compare, evaluate
from mainstay.grounding.learning import gather, learn
from mainstay.grounding.minilm import MiniLM
from mainstay.grounding.port import Access, Change, Embedder, Meta, Question, Slice, Version
from mainstay.grounding.search import Tuning, search
from mainstay.grounding.shelf import Draft
from mainstay.grounding.sqlite import SqliteStore, open_store
from mainstay.grounding.wordllama import WordLlama

__all__ = ["main"]

_CHANGE = Change("bench", "measured")
_TOGETHER = 256
#: Passages asked for, so that there are ten documents among them.
_WANTED = 40
#: As many as a route takes by default: what times are of.
_USUAL = 6


@dataclass
class Paper:
    """An abstract."""

    name: str
    title: str
    text: str
    slices: list[Slice]


def _papers(data: Path, chunked: bool) -> Iterator[Paper]:
    with gzip.open(data / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            text = f"{row['title']}\n\n{' '.join(one.strip() for one in row['abstract'])}"
            slices = chunk(text, "text/plain", Sizes()) if chunked else [Slice(0, len(text))]
            yield Paper(str(row["doc_id"]), row["title"], text, slices)


def _questions(data: Path, kind: str) -> list[Judged]:
    relevant: dict[str, dict[str, int]] = {}
    for line in (data / f"qrels_{kind}.txt").read_text("utf-8").splitlines():
        query, _, document, grade = line.split()
        relevant.setdefault(query, {})[document] = int(grade)
    pairs = (line.split("\t", 1) for line in (data / f"queries_{kind}.tsv").read_text("utf-8").splitlines())
    return [Judged(text, relevant[name]) for name, text in pairs if name in relevant]


def _vectors(embedder: Embedder, texts: Sequence[str], cache: Path) -> NDArray[np.float32]:
    """Return the vectors of passages, computed once: a tenth of a second each with MiniLM."""
    digest = hashlib.sha256("\0".join((embedder.name, *texts)).encode()).hexdigest()[:16]
    file = cache / f"vectors-{digest}.npy"
    if file.exists():
        kept: NDArray[np.float32] = np.load(file)
        return kept
    started = time.monotonic()
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    rows = np.empty((len(texts), embedder.dimensions), np.float32)
    for first in range(0, len(order), _TOGETHER):
        some = order[first : first + _TOGETHER]
        rows[some] = embedder.embed([texts[at] for at in some], "passage")
    took = time.monotonic() - started
    print(f"  {len(texts)} passages embedded by {embedder.name} in {took:.1f} s, {len(texts) / took:.1f} a second")
    cache.mkdir(parents=True, exist_ok=True)
    np.save(file, rows)
    return rows


def _store(
    folder: Path, papers: Sequence[Paper], embedder: Embedder | None, dense: float, cache: Path, copies: int
) -> SqliteStore:
    name, dimensions = (embedder.name, embedder.dimensions) if embedder is not None else ("", 0)
    first = Version("main", name, dimensions, dense=dense, state="live")
    store = open_store(folder, f"base-{len(list(folder.glob('*.db')))}", first=first)
    texts = [
        embedded(paper.title, one.heading, paper.text[one.start : one.end]) for paper in papers for one in paper.slices
    ]
    vectors = None
    if embedder is not None:
        # Copies have the same vectors.
        own = len(texts) // copies
        vectors = np.tile(_vectors(embedder, texts[:own], cache), (copies, 1))
    drafts, at = [], 0
    for paper in papers:
        mine = vectors[at : at + len(paper.slices)] if vectors is not None else None
        at += len(paper.slices)
        drafts.append(Draft(paper.name, paper.text, paper.slices, Meta(title=paper.title), mine))
    started = time.monotonic()
    for begin in range(0, len(drafts), _TOGETHER):
        store.put_all(drafts[begin : begin + _TOGETHER], _CHANGE)
    took = time.monotonic() - started
    print(f"  {len(papers)} documents, {len(texts)} passages stored in {took:.1f} s, {len(papers) / took:.0f} a second")
    return store


def _measure(
    store: SqliteStore, judged: Sequence[Judged], embedder: Embedder | None, tuning: Tuning
) -> tuple[Report, list[float], list[float]]:
    """Return the report, the seconds of each question, and how sure each search was."""
    seconds: list[float] = []
    sure: list[float] = []

    def find(question: str) -> list[str]:
        found = _ask(store, question, embedder, tuning, _WANTED)
        sure.append(found.confidence)
        return [source.document.partition("#")[0] for source in found.sources]

    report = evaluate(judged, find)
    for one in judged:
        started = time.perf_counter()
        _ask(store, one.question, embedder, tuning, _USUAL)
        seconds.append(time.perf_counter() - started)
    return report, sorted(seconds), sure


def _ask(store: SqliteStore, question: str, embedder: Embedder | None, tuning: Tuning, most: int) -> Found:
    with store.pin() as snapshot:
        return search(snapshot, Question(question, most=most, tokens=1 << 30, seconds=60.0), embedder, tuning=tuning)


def _row(name: str, report: Report, seconds: Sequence[float]) -> None:
    p50, p95 = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.95) * 1000
    print(
        f"  {name:26}{report.ndcg:.4f} ({report.low:.3f} to {report.high:.3f})  recall@10 {report.recall:.3f}"
        f"  MRR {report.mrr:.3f}  p50 {p50:.1f} ms  p95 {p95:.1f} ms"
    )


def _fit(store: SqliteStore, judged: Sequence[Judged], embedder: Embedder, before: float) -> None:
    with store.pin() as snapshot:
        found = [gather(snapshot, one.question, one.relevant, embedder, Access()) for one in judged]
    learned = learn(found, before)
    gain = learned.gain
    told = "" if gain is None else f", gain {gain.gain:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    print(
        f"  weight learnt on {learned.questions} train claims: {learned.weight} (in use {before}): {learned.why}{told}"
    )


def _run(data: Path, options: argparse.Namespace) -> None:
    papers = list(_papers(data, options.chunked))
    papers += [
        Paper(f"{paper.name}#{copy}", paper.title, paper.text, paper.slices)
        for copy in range(1, options.copies)
        for paper in papers[: len(papers)]
    ]
    judged = _questions(data, "test")
    profiles: list[tuple[str, type[MiniLM] | type[WordLlama] | None]] = [
        ("words", None), ("static", WordLlama), ("hybrid", MiniLM),
    ]  # fmt: skip
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in profiles:
            try:
                embedder = kind() if kind is not None else None
            except Unavailable as error:
                print(f"{name}: left out. {error.message}")
                continue
            weight = usual_weight(embedder.name) if embedder is not None else 0.0
            print(f"{name}: nDCG@10 on {len(judged)} test claims (95 % interval)")
            store = _store(Path(folder), papers, embedder, weight, options.cache, options.copies)
            if embedder is not None:
                report, seconds, _ = _measure(store, judged, embedder, Tuning(weight=1.0, diversity=0.0))
                _row("meaning alone", report, seconds)
            report, seconds, _ = _measure(store, judged, embedder, Tuning(diversity=0.0))
            _row("as ranked", report, seconds)
            reports[name], seconds, sure = _measure(store, judged, embedder, Tuning())
            _row("as answered", reports[name], seconds)
            if name != "words":
                gain = compare(reports["words"].each, reports[name].each)
                print(f"  gain over words {gain.gain:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})")
            if options.fit and embedder is not None:
                _fit(store, _questions(data, "train"), embedder, weight)
            if options.copies == 1:
                _sure(store, judged, embedder, sure)
            store.shut()


def _sure(store: SqliteStore, judged: Sequence[Judged], embedder: Embedder | None, sure: Sequence[float]) -> None:
    """Print how often a claim with its abstracts in the base is surer than one without: those are retracted."""
    for name in {name for one in judged for name in one.relevant}:
        store.retract(_CHANGE, document=name)
    _, _, without = _measure(store, judged, embedder, Tuning())
    area = auroc(np.asarray(without), np.asarray(sure))
    print(f"  confidence tells answered from unanswered claims with AUROC {area:.3f};"
          f" means {np.mean(sure):.2f} and {np.mean(without):.2f}")  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds scifact, or scifact itself")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "mainstay-bench-retrieval")
    parser.add_argument("--chunked", action="store_true", help="cut documents as ingestion does")
    parser.add_argument("--fit", action="store_true", help="choose weights on the train claims, too")
    parser.add_argument("--copies", type=int, default=1, help="put every document so often, for times at larger sizes")
    options = parser.parse_args(argv)
    data = options.data if (options.data / "corpus.jsonl.gz").exists() else options.data / "scifact"
    if not (data / "corpus.jsonl.gz").exists():
        print(f"There is no scifact in {options.data}: give the folder that holds it.", file=sys.stderr)
        return 2
    _run(data, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
