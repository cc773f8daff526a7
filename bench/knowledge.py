"""``python -m bench.knowledge``: is a knowledge base ever stale, how fast is it corrected and swapped, how big is it.

Random steps of many hands in two processes against a dictionary that knows what each answer may hold; corrections seen
by another process; swaps under load; the memory of 5,000 documents. All on made-up words: nothing else is needed.
"""

import argparse
import gc
import importlib
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from bench.processes import ROOT
from mainstay.core.errors import MainstayError
from mainstay.grounding.port import Access, Change, Meta, Slice, Version
from mainstay.grounding.shelf import Draft
from mainstay.grounding.store import RowStore

__all__ = ["main"]

_ALL = Access()
_ME = Change("bench", "measured")
_DIMENSIONS = 384
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, and return 1 if anything was stale, failed or mixed."""
    parser = argparse.ArgumentParser(prog="python -m bench.knowledge", description=__doc__, allow_abbrev=False)
    parser.add_argument("--steps", type=int, default=10_000, help="random steps of 8 threads and 2 processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=5000, help="documents of 2 passages each")
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200.0, help="questions a second while versions are swapped")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite", help="what keeps the bases")
    asked = parser.parse_args(arguments)
    # What opens bases, and the server, are those of the tests.
    sys.path.insert(0, str(ROOT / "tests"))
    with _place(asked.store) as place:
        faults = _steps(place, asked.steps, asked.seed) if asked.steps else 0
        before = _resident()
        store = _filled(place, asked.documents)
        _questions(store)
        gc.collect()
        now = _resident()
        print(f"resident memory at {asked.documents:,} documents: {now:.0f} MB ({now - before:+.0f} MB)")
        print(f"bytes on the disk: {store.counts().size / 1e6:.1f} MB")
        _corrections(store, asked.edits)
        _visible(store, place, asked.edits)
        store.shut()
        faults += _swaps(place, asked.swaps, asked.rate)
    return 1 if faults else 0


@contextmanager
def _place(kind: str) -> Iterator[str]:
    """Yield where bases are to be: a folder, or the address of a database that writes to the disk as usual."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield folder
        return
    with importlib.import_module("support.postgres").a_server(durable=True) as server:
        yield server.database()


def _open(place: str, name: str, **how: Version) -> RowStore:
    opened: RowStore = importlib.import_module("support.stores").open_at(place, name, **how)
    return opened


def _steps(place: str, steps: int, seed: int) -> int:
    # The dictionary is that of the tests.
    world = importlib.import_module("support.knowledge").World(place, seed)
    began = time.monotonic()
    world.run(steps)
    took = time.monotonic() - began
    world.end()
    done = ", ".join(f"{count} {kind}" for kind, count in sorted(world.counts.items()))
    print(f"stale, retracted or missing passages in {sum(world.counts.values()):,} steps: {len(world.faults)}")
    print(f"  ({took:.0f} s; {done})")
    for fault in world.faults[:3]:
        print(f"  {fault}")
    return len(world.faults)


def _filled(place: str, documents: int) -> RowStore:
    store = _open(place, "large", first=Version("main", "random", _DIMENSIONS))
    chance = random.Random(1)
    words = [f"{chance.choice('bcdfglmnprst')}{chance.choice('aeiou')}{number}" for number in range(20_000)]
    vectors = np.random.default_rng(1)
    began = time.monotonic()
    for at in range(0, documents, 200):
        drafts = []
        for number in range(at, min(at + 200, documents)):
            halves = [" ".join(chance.choices(words, k=110)) for _ in range(2)]
            text = "\n\n".join(halves)
            slices = [Slice(0, len(halves[0])), Slice(len(halves[0]) + 2, len(text))]
            drafts.append(Draft(f"d{number}", text, slices, Meta(title=f"Document {number}"), _unit(vectors, 2)))
        store.put_all(drafts, _ME)
    took = time.monotonic() - began
    print(f"written: {documents / took:,.0f} documents a second, vectors given")
    return store


def _unit(chance: np.random.Generator, rows: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    made = chance.normal(size=(rows, _DIMENSIONS)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def _questions(store: RowStore) -> None:
    chance, vectors = random.Random(2), np.random.default_rng(2)
    texts = [one.text.split() for one in store.passages("d0")]
    lexical, dense, both = [], [], []
    for _ in range(200):
        words, vector = chance.sample(texts[0], 8), _unit(vectors, 1)[0]
        began = time.monotonic()
        with store.pin() as pinned:
            hits = pinned.lexical(words, _ALL, 100)
            then = time.monotonic()
            near = pinned.dense(vector, _ALL, 100)
            after = time.monotonic()
            pinned.read([hit.row for hit in [*hits[:10], *near[:10]]], _ALL)
        lexical.append(then - began)
        dense.append(after - then)
        both.append(time.monotonic() - began)
    _print("question by words", lexical)
    _print("question by meaning", dense)
    _print("both, and the gate", both)


def _corrections(store: RowStore, edits: int) -> None:
    vectors, took = np.random.default_rng(3), []
    for number in range(edits):
        (_, last) = store.passages(f"d{number}")
        began = time.monotonic()
        store.correct(f"corrected{number} {last.text[20:]}", _ME, passage=last.name, embed=lambda *_: _unit(vectors, 1))
        took.append(time.monotonic() - began)
    _print("whole correction, on the disk", took)


def _visible(store: RowStore, place: str, edits: int) -> None:
    """From when a change returned to when another process answers with it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_other, args=(place, there))
    child.start()
    there.close()
    here.recv()
    took, missed = [], 0
    for number in range(edits):
        text = f"visible{number} is said now"
        store.put("seen", text, [Slice(0, len(text))], Meta(), _ME)
        began = time.monotonic()
        here.send(f"visible{number}")
        missed += here.recv() != [text]
        took.append(time.monotonic() - began)
    here.send(None)
    here.close()
    child.join()
    _print("edit seen by another process, after it returned", took)
    print(f"  not seen by the first question after it: {missed} of {edits}")


def _other(place: str, pipe: Connection) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    store = _open(place, "large")
    pipe.send(None)
    while (word := pipe.recv()) is not None:
        with store.pin() as pinned:
            found = pinned.read([hit.row for hit in pinned.lexical([word], _ALL, 9)], _ALL)
        pipe.send([source.text for source in found.values()])
    pipe.close()
    store.shut()


def _swaps(place: str, swaps: int, rate: float) -> int:
    store = _open(place, "swaps", first=Version("one", chunker="one"))
    for number in range(500):
        text = f"tariff one {number}\n\ntariff two {number}"
        half = text.index("\n")
        store.put(f"d{number}", text, [Slice(0, half), Slice(half + 2, len(text))], Meta(), _ME)
    store.create("two", _ME, chunker="two", parent="one")
    while store.replay("two", _ME, lambda _document, text, _meta: ([Slice(0, len(text))], None)):
        pass
    done = threading.Event()
    faults: list[str] = []
    asked: list[float] = []
    threads = [threading.Thread(target=_ask, args=(store, done, faults, asked, rate / 4)) for _ in range(4)]
    for thread in threads:
        thread.start()
    took = []
    for number in range(swaps):
        began = time.monotonic()
        if number % 2:
            store.rollback(_ME)
        else:
            store.swap("two", _ME)
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    done.set()
    for thread in threads:
        thread.join()
    mixed, failed = faults.count("mixed"), len(faults) - faults.count("mixed")
    spent = asked[-1] - asked[0]
    print(f"{swaps} swaps and rollbacks at {len(asked) / spent:.0f} questions a second: {failed} failed, {mixed} mixed")
    _print("swap or rollback", took)
    store.shut()
    return len(faults)


def _ask(store: RowStore, done: threading.Event, faults: list[str], asked: list[float], rate: float) -> None:
    due = time.monotonic()
    while not done.is_set():
        try:
            with store.pin() as pinned:
                hits = pinned.lexical(["tariff"], _ALL, 20)
                texts = [one.text for one in pinned.read([hit.row for hit in hits], _ALL).values()]
            if {"\n\n" in text for text in texts} != {pinned.version.name == "two"} or len(texts) != 20:
                faults.append("mixed")
        except MainstayError as error:
            faults.append(str(error))
        asked.append(time.monotonic())
        due += 1 / rate
        done.wait(max(0.0, due - time.monotonic()))


def _print(what: str, seconds: Sequence[float]) -> None:
    p50, p95, p99 = np.percentile(np.array(seconds) * 1000, [50, 95, 99])
    print(f"{what}: {p50:.2f} / {p95:.2f} / {p99:.2f} ms p50/p95/p99")


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


if __name__ == "__main__":
    sys.exit(main())
