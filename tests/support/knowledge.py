"""A world of documents that many hands change and ask for at once, and a dictionary that knows what answers may hold.

Every state of every paragraph has a word of its own. A paragraph is known by when the change that made it began and
ended, and the change that took it out: an answer that began after the latter ended and still holds it is stale, and one
that began after the former ended and ended before the latter began must hold it when asked for by that word.
"""

import hashlib
import itertools
import multiprocessing
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainstay.core.errors import Conflict, MainstayError
from mainstay.grounding.port import Access, Change, Meta, Slice, Version
from mainstay.grounding.store import RowStore
from support.stores import open_at

__all__ = ["DIMENSIONS", "Hands", "World", "asked", "cut", "embed", "first", "halves", "paragraphs", "serve"]

DIMENSIONS = 16
_EMBEDDER = "hash"
ME = Change("a hand", "as it happens")


def first() -> Version:
    """Return the version that a world begins with: a passage for each paragraph."""
    return Version("v0", _EMBEDDER, DIMENSIONS, "one")


def paragraphs(text: str) -> list[Slice]:
    """Return a slice for each paragraph."""
    return _slices(text, 1)


def halves(text: str) -> list[Slice]:
    """Return a slice for each two paragraphs."""
    return _slices(text, 2)


def _slices(text: str, size: int) -> list[Slice]:
    spans, start = [], 0
    for part in text.split("\n\n"):
        if part.strip():
            spans.append((start, start + len(part)))
        start += len(part) + 2
    return [Slice(spans[at][0], spans[min(at + size, len(spans)) - 1][1]) for at in range(0, len(spans), size)]


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return a vector of length 1 for each text, always the same for the same text."""
    rows = [hashlib.sha512(text.encode()).digest()[: 4 * DIMENSIONS] for text in texts]
    raw = np.frombuffer(b"".join(rows), np.uint32).reshape(len(texts), DIMENSIONS).astype(np.float32)
    made = raw - np.float32(1 << 31)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def cut(chunker: str, text: str) -> tuple[list[Slice], NDArray[np.float32]]:
    """Return slices and vectors as a version of ``chunker`` has them."""
    slices = paragraphs(text) if chunker == "one" else halves(text)
    return slices, embed([text[one.start : one.end] for one in slices]) if slices else np.zeros((0, DIMENSIONS), "f4")


def asked(store: RowStore, word: str, text: str, most: int = 8) -> tuple[str, list[tuple[str, str]]]:
    """Ask by a word and by the meaning of a text; return the version pinned, and names and texts of what may be used.

    Raises:
        AssertionError: a text is not what its revision says at its offsets.
    """
    access = Access()
    with store.pin() as pinned:
        hits = [*pinned.lexical([word], access, most), *pinned.dense(embed([text])[0], access, most)]
        found = pinned.read([hit.row for hit in hits], access)
        for source in found.values():
            said = pinned.text(source.document, source.revision, source.start, source.end)
            assert said == source.text, (said, source)
            assert hashlib.sha256(said.encode()).hexdigest() == source.sha256
            start, end = pinned.around(next(row for row, one in found.items() if one is source), 400)
            assert start <= source.start < source.end <= end
        windows = [pinned.text(one.document, one.revision, *pinned.around(row, 400)) for row, one in found.items()]
        texts = [(one.passage, window) for one, window in zip(found.values(), windows, strict=True)]
        return pinned.version.chunker, [*((one.passage, one.text) for one in found.values()), *texts]


def put(store: RowStore, document: str, text: str, chunker: str, version: str = "") -> Any:
    """Put a document as a version of ``chunker`` has it."""
    slices, vectors = cut(chunker, text)
    return store.put(
        document, text, slices, Meta(sha256=hashlib.sha256(text.encode()).hexdigest()), ME, vectors, version
    )


def live(store: RowStore) -> Version:
    """Return the live version."""
    return next(one for one in store.versions() if one.state == "live")


def build(store: RowStore, name: str, chunker: str) -> None:
    """Build a version beside the live one and swap it in, however often that changes meanwhile."""
    store.create(name, ME, embedder=_EMBEDDER, dimensions=DIMENSIONS, chunker=chunker, parent=live(store).name)
    while True:
        while store.replay(name, ME, lambda _document, text, _meta: cut(chunker, text)):
            pass
        try:
            store.swap(name, ME)
        except Conflict:
            continue
        return


def passage_with(store: RowStore, document: str, word: str) -> tuple[str, str]:
    """Return the name and text of the passage of a document that has a word, "" where none has."""
    return next(((one.name, one.text) for one in store.passages(document) if word in one.text), ("", ""))


_FUNCTIONS: dict[str, Callable[..., Any]] = {one.__name__: one for one in (asked, put, live, build, passage_with)}


class Hands:
    """Does things to a store: in this process, or in another one."""

    def __init__(self, target: "RowStore | Connection") -> None:
        self._target = target

    def do(self, name: str, *values: Any, **named: Any) -> Any:
        """Call a function of this module or a method of the store."""
        if isinstance(self._target, RowStore):
            return _call(self._target, name, values, named)
        self._target.send((name, values, named))
        failed, result = self._target.recv()
        if failed:
            raise result
        return result

    def end(self) -> None:
        """Have another process end."""
        if not isinstance(self._target, RowStore):
            self._target.send(None)
            self._target.close()


def _call(store: RowStore, name: str, values: Any, named: Any) -> Any:
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](store, *values, **named)
    return getattr(store, name)(*values, **named)


def serve(place: str, pipes: Sequence[Connection]) -> None:
    """Be the other process: a thread for each pipe."""
    store = open_at(place, "world")
    threads = [threading.Thread(target=_serve, args=(store, pipe)) for pipe in pipes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.shut()


def _serve(store: RowStore, pipe: Connection) -> None:
    while (asked_for := pipe.recv()) is not None:
        try:
            pipe.send((False, _call(store, *asked_for)))
        except (MainstayError, AssertionError) as error:
            # Its own class and sentence is all that matters on the other side.
            pipe.send((True, type(error)(error.message if isinstance(error, MainstayError) else str(error))))
    pipe.close()


@dataclass
class _Life:
    made: int
    since: int | None = None
    going: int | None = None
    gone: int | None = None
    #: Something beside it was retracted: whether it is found depends on how it was cut.
    loose: bool = False


@dataclass
class _Book:
    """A document: the words of its paragraphs, in order."""

    words: list[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    alive: bool = True
    #: Paragraphs that were retracted are in its text still, and kept out when it is read again.
    out: set[str] = field(default_factory=set)
    #: Paragraphs that were retracted as one passage: they are known again together, not one by one.
    groups: list[set[str]] = field(default_factory=list)


class World:
    """Documents, and what is known of them."""

    def __init__(self, place: str, seed: int, threads: int = 8, others: int = 4) -> None:
        self.store = open_at(place, "world", first=first())
        self._seed = seed
        self._ticks = itertools.count()
        self._words = itertools.count()
        self._names = itertools.count()
        self._lives: dict[str, _Life] = {}
        self._books: dict[str, _Book] = {}
        self._buried: list[str] = []
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()
        self._builds = threading.Lock()
        self.counts: dict[str, int] = {}
        self.faults: list[str] = []
        pipes = [multiprocessing.get_context("spawn").Pipe() for _ in range(others)]
        self._child = None
        if others:
            there = [pipe[1] for pipe in pipes]
            self._child = multiprocessing.get_context("spawn").Process(target=serve, args=(place, there))
            self._child.start()
            for pipe in there:
                pipe.close()
        remote = [Hands(pipe[0]) for pipe in pipes]
        self._hands = [[Hands(self.store), *remote[at : at + 1]] for at in range(threads)]

    def run(self, steps: int) -> None:
        """Take ``steps`` steps, spread over all threads."""
        left = itertools.count()

        def work(number: int) -> None:
            chance = random.Random(f"{self._seed} {number}")
            while next(left) < steps and not self.faults:
                try:
                    self._step(chance, chance.choice(self._hands[number]))
                except Exception as error:  # whatever it is, it is what is looked for
                    self.faults.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(self._hands))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def end(self) -> None:
        """Close what was opened."""
        for hands in self._hands:
            for one in hands:
                one.end()
        if self._child is not None:
            self._child.join()
            self._child.close()
        self.store.shut()

    def _step(self, chance: random.Random, hands: Hands) -> None:
        (kind,) = chance.choices(list(_STEPS), list(_STEPS.values()))
        with self._lock:
            self.counts[kind] = self.counts.get(kind, 0) + 1
        getattr(self, f"_{kind}")(chance, hands)

    # What changes

    def _fresh(self) -> str:
        return f"word{next(self._words)}x"

    def _said(self, words: Sequence[str]) -> str:
        return "\n\n".join(f"Here {word} is said, and é 😀 it stays." for word in words)

    def _born(self, words: Sequence[str]) -> None:
        tick = next(self._ticks)
        with self._lock:
            for word in words:
                self._lives[word] = _Life(tick)

    def _since(self, words: Sequence[str]) -> None:
        tick = next(self._ticks)
        for word in words:
            self._lives[word].since = tick

    def _going(self, words: Sequence[str]) -> None:
        tick = next(self._ticks)
        for word in words:
            self._lives[word].going = tick

    def _gone(self, words: Sequence[str]) -> None:
        tick = next(self._ticks)
        for word in words:
            self._lives[word].gone = tick

    def _write(self, hands: Hands, name: str, words: Sequence[str]) -> None:
        # Cut as the live version is; when another is live by then, once more.
        while True:
            version = hands.do("live")
            hands.do("put", name, self._said(words), version.chunker)
            if hands.do("live").name == version.name:
                return

    def _add(self, chance: random.Random, hands: Hands) -> None:
        name = f"document{next(self._names)}"
        words = [self._fresh() for _ in range(chance.randint(1, 4))]
        book = _Book(words)
        with book.lock:
            self._born(words)
            with self._lock:
                self._books[name] = book
            self._write(hands, name, words)
            self._since(words)

    def _some(self, chance: random.Random) -> tuple[str, _Book] | None:
        with self._lock:
            names = list(self._books)
        for _ in range(5):
            if not names:
                return None
            name = chance.choice(names)
            book = self._books[name]
            if book.alive and book.lock.acquire(blocking=False):
                if book.alive:
                    return name, book
                book.lock.release()
        return None

    def _edit(self, chance: random.Random, hands: Hands) -> None:
        found = self._some(chance)
        if found is None:
            return
        name, book = found
        try:
            at, new = chance.randrange(len(book.words)), self._fresh()
            old = book.words[at]
            self._born([new])
            self._going([old])
            self._parted(book, old)
            words = [*book.words[:at], new, *book.words[at + 1 :]]
            self._write(hands, name, words)
            book.words = words
            book.out.discard(old)
            self._since([new])
            self._gone([old])
            self._loose(book)
        finally:
            book.lock.release()

    def _parted(self, book: _Book, old: str) -> None:
        for group in [one for one in book.groups if old in one]:
            book.groups.remove(group)
            book.out -= group
            for word in group:
                self._lives[word].gone, self._lives[word].loose = None, True

    def _loose(self, book: _Book) -> None:
        # A neighbour of what is kept out is found or not, as passages are cut.
        if book.out:
            for word in book.words:
                self._lives[word].loose = True

    def _correct(self, chance: random.Random, hands: Hands) -> None:
        found = self._some(chance)
        if found is None:
            return
        name, book = found
        try:
            at = chance.randrange(len(book.words))
            old, new = book.words[at], self._fresh()
            if book.out:
                return
            self._born([new])
            self._going([old])
            if chance.random() < 0.5:
                hands.do("correct_fact", old.upper(), new, ME, document=name)
            else:
                start = self._said(book.words).index(old)
                hands.do("correct", new, ME, document=name, start=start, end=start + len(old))
            book.words[at] = new
            self._since([new])
            # Found by its words at once, and by meaning when its vector is there.
            self._gone([old])
        finally:
            book.lock.release()

    def _reread(self, chance: random.Random, hands: Hands) -> None:
        found = self._some(chance)
        if found is None:
            return
        name, book = found
        try:
            self._write(hands, name, book.words)
        finally:
            book.lock.release()

    def _close(self, chance: random.Random, hands: Hands) -> None:
        found = self._some(chance)
        if found is None:
            return
        name, book = found
        try:
            self._going(book.words)
            hands.do("close", name, ME)
            self._gone(book.words)
            book.alive = False
        finally:
            book.lock.release()

    def _retract(self, chance: random.Random, hands: Hands) -> None:
        # No other is swapped in meanwhile: a passage is asked for by its name, which the other may not have.
        with self._builds:
            self._retract_one(chance, hands)

    def _retract_one(self, chance: random.Random, hands: Hands) -> None:
        found = self._some(chance)
        if found is None:
            return
        name, book = found
        try:
            erase = chance.random() < 0.3
            if chance.random() < 0.4:
                self._going(book.words)
                hands.do("retract", ME, document=name, erase=erase)
                self._gone(book.words)
                book.alive = False
                with self._lock:
                    self._buried.append(self._said(book.words))
                return
            word = chance.choice([one for one in book.words if one not in book.out] or [""])
            if not word:
                return
            passage, said = hands.do("passage_with", name, word) if chance.random() < 0.5 else ("", "")
            group = {one for one in book.words if one in said} | {word}
            book.out |= group
            self._loose(book)
            self._going(sorted(group))
            if passage:
                hands.do("retract", ME, passage=passage, erase=erase)
                book.groups += [group] if len(group) > 1 else []
            else:
                hands.do("retract", ME, fact=word, erase=erase)
            self._gone(sorted(group))
        finally:
            book.lock.release()

    def _offer(self, chance: random.Random, hands: Hands) -> None:
        with self._lock:
            text = chance.choice(self._buried) if self._buried else ""
        if text:
            try:
                hands.do("put", f"again{next(self._names)}", text, "one")
            except Conflict:
                return
            raise AssertionError("bytes that were retracted came in under another name")

    def _build(self, chance: random.Random, hands: Hands) -> None:
        with self._builds:
            hands.do("build", f"build{next(self._names)}", chance.choice(["one", "two"]))

    def _rollback(self, chance: random.Random, hands: Hands) -> None:
        with self._builds:
            try:
                hands.do("rollback", ME)
            except Conflict:
                # There is none before it.
                return

    def _collect(self, chance: random.Random, hands: Hands) -> None:
        hands.do("collect", ME, chance.choice([0.0, 3600.0]))

    # What is asked

    def _query(self, chance: random.Random, hands: Hands) -> None:
        with self._lock:
            if not self._lives:
                return
            # What is new is asked for most.
            word = list(self._lives)[-min(len(self._lives), 1 + int(chance.expovariate(0.03)))]
        began = next(self._ticks)
        chunker, found = hands.do("asked", word, self._said([word]))
        ended = next(self._ticks)
        shown = " ".join(text for _, text in found)
        self._check(began, [text for _, text in found])
        life = self._lives[word]
        there = life.since is not None and life.since < began and (life.going is None or life.going > ended)
        if there and not life.loose and word not in shown:
            raise AssertionError(f"{word} is alive and was not found in {chunker}")
        with self._lock:
            self._kept.update(found[: len(found) // 2])

    def _again(self, chance: random.Random, hands: Hands) -> None:
        with self._lock:
            name, text = chance.choice(list(self._kept.items()) or [("", "")])
        began = next(self._ticks)
        if name and hands.do("alive", [name], Access()):
            self._check(began, [text])

    def _check(self, began: int, texts: Sequence[str]) -> None:
        for text in texts:
            for part in text.split():
                life = self._lives.get(part) if part.startswith("word") else None
                if life is not None and life.gone is not None and life.gone < began:
                    raise AssertionError(f"{part} is stale: {text!r}")


#: What is done, and how often.
_STEPS = {
    "query": 50, "again": 8, "add": 10, "edit": 10, "correct": 8, "reread": 3, "close": 1, "retract": 3, "offer": 2,
    "build": 1, "rollback": 1, "collect": 1,
}  # fmt: skip
