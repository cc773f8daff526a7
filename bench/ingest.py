"""How fast documents become passages: ``python -m bench.ingest --data FOLDER`` with SciFact's ``corpus.jsonl.gz``.

Writes each abstract to a file of Markdown, and ingests the folder into a new knowledge base, by words only: read,
normalised, cut, flagged, put and indexed. Then once more with nothing changed, and once with a share of it changed.
"""

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mainstay.assembly.knowledge_reading import open_suspect
from mainstay.grounding.config import SourceConfig
from mainstay.grounding.ingest import ingest
from mainstay.grounding.port import Change, Embedder, Version
from mainstay.grounding.reports import Report, Tools
from mainstay.grounding.sqlite import SqliteStore, open_store

__all__ = ["main"]

#: Documents a second that are to be reached.
GOAL = 700
_CHANGE = Change("bench", "measured")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return the exit code: 1 where the goal was missed, 2 where the data is not there."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="folder with SciFact's corpus.jsonl.gz")
    parser.add_argument("--documents", type=int, default=5_183, help="how many")
    parser.add_argument(
        "--embedder", choices=("none", "minilm"), default="none", help="minilm: some 13 documents a second"
    )
    parser.add_argument("--suspect", action=argparse.BooleanOptionalAction, default=True, help="flag injections")
    chosen = parser.parse_args(arguments)
    file = chosen.data / "corpus.jsonl.gz"
    if not file.is_file():
        print(f"{file} is not there; give --data the folder of SciFact", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="mainstay-bench-") as scratch:
        folder = Path(scratch, "corpus")
        folder.mkdir()
        count = _write(file, folder, chosen.documents)
        store = _open(Path(scratch), chosen.embedder)
        try:
            fast = _measure(store, folder, chosen.embedder, count, suspect=chosen.suspect)
        finally:
            store.shut()
    return 0 if fast or chosen.embedder != "none" else 1


def _open(scratch: Path, embedder: str) -> SqliteStore:
    made = _embedder(embedder)
    first = Version("main", made.name, made.dimensions) if made is not None else None
    return open_store(scratch / "knowledge", "bench", first=first)


def _embedder(name: str) -> Embedder | None:
    if name == "none":
        return None
    from mainstay.grounding.minilm import MiniLM

    return MiniLM()


def _write(file: Path, folder: Path, most: int) -> int:
    count = 0
    for count, (name, text) in enumerate(_abstracts(file), 1):
        (folder / f"{name}.md").write_text(text)
        if count == most:
            break
    return count


def _abstracts(file: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(file, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            text = row["abstract"] if isinstance(row["abstract"], str) else " ".join(row["abstract"])
            yield str(row["doc_id"]), f"# {row['title']}\n\n{text}\n"


def _measure(store: SqliteStore, folder: Path, embedder: str, count: int, *, suspect: bool) -> bool:
    source = SourceConfig(path=str(folder))
    tools = Tools(suspect=open_suspect() if suspect else None, embedder=_embedder(embedder))
    first = _run("first", store, source, tools)
    _run("unchanged", store, source, tools)
    changed = sorted(folder.iterdir())[:: max(1, count // 50)]
    for file in changed:
        file.write_text(file.read_text() + "\nOne sentence more.\n")
    _run(f"{len(changed)} changed", store, source, tools)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(file.stat().st_size for file in store.path.parent.iterdir()) / 1024**2
    print(f"memory {_resident():.0f} MiB, {memory:.0f} MiB at the peak, database {size:.1f} MiB")
    return first.added == count and count / first.seconds >= GOAL


def _resident() -> float:
    """Return the MiB of memory that this process has now, 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1024**2


def _run(name: str, store: SqliteStore, source: SourceConfig, tools: Tools) -> Report:
    began = time.process_time()
    report = ingest(store, source, tools, _CHANGE)
    spent = time.process_time() - began
    done = report.added + report.changed + report.unchanged
    print(
        f"{name}: {done} documents, {report.passages} passages in {report.seconds:.2f} s "
        f"({done / report.seconds:.0f}/s, {spent:.2f} s of processor), flags {report.flags}, "
        f"problems {len(report.problems)}"
    )
    return report


if __name__ == "__main__":
    sys.exit(main())
