"""Responses and turns with tools that are kept for callers, as a place that is searched for a subject.

What is kept says whose key or team it is, by a digest, and which answer it belongs to, by its id; whom it was for is
found by the records of those answers. See ``core.subject``.
"""

from collections.abc import Callable, Iterator
from hashlib import blake2b

import msgspec

from mainstay.core.subject import Subject, Trace
from mainstay.store.kv_sealed import value_about
from mainstay.store.port import Table
from mainstay.store.sealing import Seal, SealLost, is_sealed

__all__ = ["ValuePlace", "rows_of", "seal_values"]

_PAGE = 200


class ValuePlace:
    """Stored responses and tools' turns.

    Args:
        table: where they are.
        seal: opens them.
        now: seconds since 1970; what has expired is no longer kept, though it may lie there for a moment.
    """

    name = "responses"

    def __init__(self, table: Table, seal: Seal, now: float) -> None:
        self._table = table
        self._seal = seal
        self._now = now

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield rows; see :class:`~mainstay.core.subject.Place`."""
        homes = tuple(f"/{blake2b(f'key {key}'.encode(), digest_size=16).hexdigest()}/" for key in subject.keys)
        names = {f"resp_{one.replace('-', '')}" for one in subject.records} | subject.records
        for key, value, expires in rows_of(self._table):
            if expires <= self._now:
                continue
            text = self._opened(key, value)
            mine = key.rpartition("/")[2] in names or any(home in key for home in homes)
            # An item of a response that an upstream made has the response's id for its value.
            mine = mine or ("/item/" in key and text in names)
            if mine or self._says(text, subject):
                yield Trace(self.name, key, "stored response", 0, {"value": text, "expires": round(expires * 1000)})

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Remove the rows."""
        page: list[Trace] = []
        for trace in self.find(subject):
            page.append(trace)
            if len(page) == _PAGE:
                self._drop(page, removed)
                page = []
        self._drop(page, removed)

    def _drop(self, page: list[Trace], removed: Callable[[Trace], None]) -> None:
        if page:
            self._table.remove([trace.id for trace in page])
        for trace in page:
            removed(trace)

    def _opened(self, key: str, value: bytes) -> str:
        try:
            return self._seal.open(value, value_about(key)).decode("utf-8", "replace")
        except SealLost:
            return "(sealed; its key is gone)"

    def _says(self, text: str, subject: Subject) -> bool:
        if subject.kind == "text":
            # As JSON writes it, too.
            inner = msgspec.json.encode(subject.value).decode()[1:-1]
            return subject.is_in(text) or inner.casefold() in text.casefold()
        if subject.kind != "user":
            return False
        said = msgspec.json.encode(subject.value).decode()
        return any(f'"{field}":{gap}{said}' in text for field in ("user", "safety_identifier") for gap in ("", " "))


def seal_values(table: Table, seal: Seal, after: str, most: int = 200) -> tuple[int, str | None]:
    """Seal rows that lie plain with the installation's key, after one; return how many, and the key to go on after.

    Whose they are, a row does not say.
    """
    rows = table.scan(after, most)
    count = 0
    for key, value, _ in rows:
        if not is_sealed(value):
            table.swap(key, value, seal.seal(value, value_about(key), "", ""))
            count += 1
    return count, rows[-1][0] if len(rows) == most else None


def rows_of(table: Table) -> Iterator[tuple[str, bytes, float]]:
    """Yield every row by its key: key, value, when it expires. Raises TableLost."""
    after = ""
    while True:
        rows = table.scan(after, _PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]
