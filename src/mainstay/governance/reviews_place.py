"""Reviews, as a place that is searched for a subject; see ``core.subject``."""

from collections.abc import Callable, Iterator

import msgspec

from mainstay.core.subject import Subject, Trace
from mainstay.governance.reviews_desk import ReviewDesk
from mainstay.governance.reviews_store import ReviewRow

__all__ = ["ReviewPlace"]

_PAGE = 200


class ReviewPlace:
    """Requests that wait for a person, or did. What workers have handed over is taken in first."""

    name = "reviews"

    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield reviews; see :class:`~mainstay.core.subject.Place`."""
        self._desk.take_in()
        for row in self._desk.every():
            text = self._desk.text_of(row)
            if _is_about(row, text, subject):
                yield _trace(row, text)

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Remove the reviews: the request may be asked about again."""
        page: list[Trace] = []
        for trace in self.find(subject):
            page.append(trace)
            if len(page) == _PAGE:
                self._drop(page, removed)
                page = []
        self._drop(page, removed)

    def _drop(self, page: list[Trace], removed: Callable[[Trace], None]) -> None:
        self._desk.remove([trace.id for trace in page])
        for trace in page:
            removed(trace)


def _is_about(row: ReviewRow, text: str, subject: Subject) -> bool:
    if subject.kind == "key":
        return row.key in subject.keys
    if row.record in subject.records:
        return True
    if subject.kind == "user":
        said = msgspec.json.encode(subject.value).decode()
        fields = ("user", "safety_identifier", "user_id")
        return row.user == subject.value or any(f'"{f}":{gap}{said}' in text for f in fields for gap in ("", " "))
    # As JSON writes it, too.
    inner = msgspec.json.encode(subject.value).decode()[1:-1].casefold()
    return any(subject.is_in(one) for one in (text, row.user, row.reason)) or inner in text.casefold()


def _trace(row: ReviewRow, text: str) -> Trace:
    data = {name: getattr(row, name) for name in row.__struct_fields__ if name not in ("content", "mark", "data_key")}
    return Trace(
        "reviews", row.id, "review" if row.content is None else "review with content", row.at, data | {"request": text}
    )
