"""What there is in the bases, what questions find in them, and how well."""

from collections.abc import Iterable, Mapping, Sequence

from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.errors import NotFound
from mainstay.core.sources import Found, Pin
from mainstay.grounding import judged, learning
from mainstay.grounding.learning import Learned
from mainstay.grounding.listing import Document, History
from mainstay.grounding.pages import open_page
from mainstay.grounding.port import Access, Change, Question, Version
from mainstay.grounding.search import search
from mainstay.grounding.service.shelves import PASSAGE, Shelves
from mainstay.grounding.service.sources import looked_at, oldest, stale
from mainstay.grounding.service.states import live
from mainstay.grounding.service.views import (
    BaseView,
    DocumentWhole,
    Evaluation,
    PassageView,
    Side,
    SourceView,
    StaleView,
)
from mainstay.grounding.tombstones import Tombstone
from mainstay.grounding.versions import Difference

__all__ = ["Readers"]

_EVERYTHING = Access(every=True)
#: Nobody waits for these, and all of what was found is wanted.
_PATIENT, _ALL = 600.0, 1_000_000_000
_DEPTH = 10


class Readers(Shelves):
    """The bases of one home, for who looks things up in them."""

    def bases(self) -> list[BaseView]:
        """Return every base that has a file or a row of the configuration, by name."""
        there = set(self.names())
        return [
            self.base(name) if name in there else BaseView(name, configured=True)
            for name in sorted(there | set(self._rows))
        ]

    def base(self, name: str) -> BaseView:
        """Return how much there is of a base.

        Raises:
            NotFound: there is none of this name.
        """
        store = self._store(name)
        counts, now = store.counts(), live(store)
        return BaseView(
            name,
            version=now.name,
            embedder=now.embedder,
            seq=counts.seq,
            documents=counts.documents,
            passages=counts.passages,
            size=counts.size,
            changed=counts.at,
            stale=len(self.stale(name)),
            configured=name in self._rows,
        )

    def documents(self, base: str, *, version: str = "", after: str = "", limit: int = 100) -> list[Document]:
        """Return documents of a version, by name, after one."""
        return list(self._store(base).listed(version, after=after, most=limit))

    def document(self, base: str, name: str, *, version: str = "") -> DocumentWhole:
        """Return a document with its passages.

        Raises:
            NotFound: there is no such document alive.
        """
        store = self._store(base)
        # A name follows no other so closely that it comes between.
        found = store.listed(version, after=name[:-1], most=1_000_000) if name else ()
        one = next((row for row in found if row.document == name), None)
        if one is None:
            raise NotFound(f"There is no document '{name[:200]}' in '{base}'.")
        return DocumentWhole(one, store.passages(name, version))

    def open_passage(self, base: str, passage: str, access: Access | None = None, *, revision: int = 0) -> PassageView:
        """Open a citation: the passage in its revision, also one that has been superseded, and what stands around it.
        ``access`` None is for who may see everything.

        Raises:
            NotFound: it was retracted, may not be seen, or there is none of that name.
        """
        page = open_page(self._store(base), passage, access, revision=revision)
        terms = (page.before, page.after, page.licence, page.consent, page.previous, page.next)
        return PassageView(page.opened.source, page.opened.state, *terms)

    def stale(self, base: str) -> list[StaleView]:
        """Return documents past their limit, and sources that were not listed whole for too long, oldest first."""
        return stale(self._store(base), self._row(base), wall_ms())

    def sources(self, base: str) -> list[SourceView]:
        """Return the sources that the configuration gives a base, and how they stand."""
        store = self._store(base) if base in self.names() or base not in self._rows else None
        return looked_at(store, self._row(base), wall_ms())

    def oldest(self, base: str) -> float:
        """Return how many seconds ago the source was listed whole of which that is longest ago."""
        return oldest(self._store(base), self._row(base), wall_ms())

    def listed(self, base: str, source: str) -> int:
        """Return when a source was last listed whole, wall-clock ms, 0 for never."""
        if base not in self.names():
            return 0
        kept = self._store(base).listing(source)
        return 0 if kept is None else kept.at

    def history(self, base: str, document: str = "", *, limit: int = 100, before: int = 0) -> list[History]:
        """Return changes, newest first: who, why and when."""
        return list(self._store(base).history(document, most=limit, before=before))

    def retracted(self, base: str) -> list[Tombstone]:
        """Return what was retracted, oldest first."""
        return list(self._store(base).tombstones())

    def versions(self, base: str) -> list[Version]:
        """Return the versions, oldest first."""
        return list(self._store(base).versions())

    def resolve(self, base: str, *, version: str = "", at: int = 0) -> Pin:
        """Return the state of a version (the live one by default) now, or at a wall-clock ms.

        Raises:
            NotFound: there is no such version, or it did not exist then.
        """
        return self._store(base).resolve(version, at)

    def diff(self, base: str, one: Pin, other: Pin) -> list[Difference]:
        """Return the documents that differ between two states."""
        return list(self._store(base).diff(one, other))

    def search(
        self,
        base: str,
        question: str,
        *,
        most: int = 6,
        groups: frozenset[str] | None = None,
        where: Mapping[str, str] | None = None,
        version: str = "",
        at: int = 0,
    ) -> Found:
        """Return what a question finds, as someone of ``groups`` sees it (None: everything), now or at wall-clock ms.

        Raises:
            NotFound: there is no such base or version, or it did not exist then.
        """
        access = Access(groups or frozenset(), tuple(sorted((where or {}).items())), every=groups is None)
        asked = Question(question, (), access, version, most, _ALL, _PATIENT)
        row = self._row(base)
        manner = self._kit.manner(row)
        with self._store(base).pin(version, at) as snapshot:
            embedder = self._kit.embedder(row, snapshot.version)
            return search(snapshot, asked, embedder, reranker=manner.reranker, tuning=manner.tuning)

    def evaluate(self, base: str, lines: Iterable[str], *, version: str = "", against: str = "") -> Evaluation:
        """Return how well judged questions find what answers them, in one version and perhaps another beside it.

        Raises:
            InvalidRequest: a line is no judged question.
        """
        questions = judged.parse(lines)
        one, each = self._side(base, questions, version)
        if not against:
            return Evaluation(one)
        other, others = self._side(base, questions, against)
        return Evaluation(one, other, judged.compare(others, each))

    def _side(self, base: str, questions: Sequence[judged.Judged], version: str) -> tuple[Side, tuple[float, ...]]:
        names = {name for one in questions for name in one.relevant}
        passages = all(PASSAGE.fullmatch(name) for name in names)

        def find(question: str) -> list[str]:
            # Several passages of one document count once.
            found = self.search(base, question, most=_DEPTH if passages else 5 * _DEPTH, version=version)
            return [one.passage if passages or one.passage in names else one.document for one in found.sources]

        begun = monotonic()
        report = judged.evaluate(questions, find, _DEPTH)
        ms = (monotonic() - begun) * 1000 / len(questions)
        name = version or live(self._store(base)).name
        means = (report.questions, report.ndcg, report.low, report.high, report.recall, report.mrr)
        return Side(name, *means, ms), report.each

    def learn(self, base: str, lines: Iterable[str], *, version: str = "", why: str = "") -> Learned:
        """Find the weight of meaning against words at which judged questions find best, and use it from now on where
        it gains.

        Raises:
            InvalidRequest: a line is no judged question.
        """
        questions = judged.parse(lines)
        store = self._store(base)
        with store.pin(version) as snapshot:
            embedder = self._kit.embedder(self._row(base), snapshot.version)
            found = [learning.gather(snapshot, one.question, one.relevant, embedder, _EVERYTHING) for one in questions]
            before, name = snapshot.version.dense, snapshot.version.name
        learned = learning.learn(found, before)
        if learned.weight != before:
            store.weigh(name, learned.weight, Change(self._who, why))
            self._tell("knowledge.weigh", base, {"version": name, "percent": round(learned.weight * 100)})
        return learned
