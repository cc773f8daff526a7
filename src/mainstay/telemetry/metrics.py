"""Counters and histograms that every worker adds to and any worker can read out for all.

Each worker owns one slab: a memory-mapped file of doubles, and beside it a list of which series lives where. Adding is
one indexed addition with no lock and no system call; a scrape reads every slab under the directory and adds them up.
A worker that is killed leaves its slab behind and its successor in the same slot goes on counting, so totals never
fall. While a slot is handed over two are in it, each with a slab of its own. Whoever lives holds a lock on its slab,
so that gauges of the dead are not told. Names and buckets follow the OpenTelemetry conventions (v1.41.1) in their
Prometheus spelling.
"""

import fcntl
import itertools
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import add
from pathlib import Path

import msgspec

from mainstay.telemetry.families import FAMILIES, Family

__all__ = ["Counter", "Gauge", "Histogram", "Slab", "exposition", "totals"]

_CELLS = 1 << 19  # 4 MiB of doubles per worker; the file is sparse
#: A family with more label sets than this puts further ones together under ``_OTHER``.
_MAX_SERIES = 2000


class Counter:
    """A number that only rises (or, as a gauge, one that is set)."""

    __slots__ = ("_cells", "_index")

    def __init__(self, cells: "memoryview[float]", index: int) -> None:
        self._cells = cells
        self._index = index

    def add(self, value: float = 1.0) -> None:
        """Add ``value``."""
        self._cells[self._index] += value

    def set(self, value: float) -> None:
        """Replace the value; for gauges."""
        self._cells[self._index] = value


Gauge = Counter


class Histogram:
    """Counts by bucket, their sum and their number."""

    __slots__ = ("_bounds", "_cells", "_index", "_sum")

    def __init__(self, cells: "memoryview[float]", index: int, bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._index = index
        self._bounds = bounds
        self._sum = index + len(bounds) + 1

    def observe(self, value: float) -> None:
        """Count ``value`` in its bucket (upper bounds are inclusive)."""
        cells = self._cells
        cells[self._index + bisect_left(self._bounds, value)] += 1.0
        cells[self._sum] += value


class Slab:
    """One process's numbers, shared through a file.

    Args:
        directory: where all slabs of this Mainstay lie.
        slot: the worker's place (``0``, ``1``, ``control``); a successor in the same slot goes on counting, beside
            its predecessor while that one lives.
    """

    def __init__(self, directory: Path, slot: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keys, keys = _claim(directory, slot)
        handle = os.open(keys.with_suffix(".slab"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _CELLS * 8)
            self._map = mmap.mmap(handle, _CELLS * 8)
        finally:
            os.close(handle)
        self._cells: memoryview[float] = memoryview(self._map).cast("d")
        self._series: dict[tuple[str, tuple[str, ...]], Counter | Histogram] = {}
        self._count: dict[str, int] = {}
        self._next = 0
        for name, labels, index in _read_keys(keys):
            self._adopt(FAMILIES[name], labels, index)
            if FAMILIES[name].kind == "gauge":
                self._cells[index] = 0.0

    def counter(self, name: str, *labels: str) -> Counter:
        """Return the counter or gauge of family ``name`` with these label values, in the family's order."""
        found = self._series.get((name, labels))
        if found is None:
            found = self._open(name, labels)
        assert isinstance(found, Counter)
        return found

    def histogram(self, name: str, *labels: str) -> Histogram:
        """Return the histogram of family ``name`` with these label values, in the family's order."""
        found = self._series.get((name, labels))
        if found is None:
            found = self._open(name, labels)
        assert isinstance(found, Histogram)
        return found

    def close(self) -> None:
        """Unmap; the files stay for the next process of this slot."""
        self._series.clear()
        self._cells.release()
        self._map.close()
        os.close(self._keys)

    def _open(self, name: str, labels: tuple[str, ...]) -> Counter | Histogram:
        family = FAMILIES[name]
        assert len(labels) == len(family.labels), name
        width = len(family.buckets) + 2 if family.buckets else 1
        if self._count.get(name, 0) >= _MAX_SERIES or self._next + width > _CELLS:
            other = tuple("_OTHER" for _ in labels)
            if labels != other or self._next + width > _CELLS:
                # The last series of a full slab takes what has no place of its own; nothing is lost from the totals.
                found = self._series.get((name, other))
                return found if found is not None else self._open(name, other)
        line = msgspec.json.encode((name, labels, self._next)) + b"\n"
        index = self._next
        os.write(self._keys, line)
        return self._adopt(family, labels, index)

    def _adopt(self, family: Family, labels: tuple[str, ...], index: int) -> Counter | Histogram:
        series: Counter | Histogram
        if family.buckets:
            series = Histogram(self._cells, index, family.buckets)
            self._next = index + len(family.buckets) + 2
        else:
            series = Counter(self._cells, index)
            self._next = index + 1
        self._series[family.name, labels] = series
        self._count[family.name] = self._count.get(family.name, 0) + 1
        return series


def _claim(directory: Path, slot: str) -> tuple[int, Path]:
    """Lock the first slab of ``slot`` that no living process has; return its list of series, open, and the path."""
    for number in itertools.count():
        path = directory / (f"{slot}-{number}.keys" if number else f"{slot}.keys")
        keys = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(keys, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(keys)
            continue
        return keys, path
    raise AssertionError


def _lives(keys: Path) -> bool:
    """Whether a process has this slab. The kernel lets go of its lock however it ends."""
    with open(keys, "rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def totals(directory: Path, names: Iterable[str]) -> dict[str, dict[tuple[str, ...], list[float]]]:
    """Return the numbers of families by the values of their labels, of all slabs under ``directory``.

    Gauges are those of living processes; of two in one slot the larger, since the older one only finishes its calls.
    """
    found: dict[str, dict[tuple[str, ...], list[float]]] = {name: {} for name in names}
    for keys in sorted(directory.glob("*.keys")):
        # A worker that begins has its list before it has its slab.
        if not (listed := list(_read_keys(keys))):
            continue
        with open(keys.with_suffix(".slab"), "rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ)
        cells: memoryview[float] = memoryview(mapped).cast("d")
        lives = _lives(keys)
        for name, labels, index in listed:
            family = FAMILIES[name]
            if name not in found or (family.kind == "gauge" and not lives):
                continue
            width = len(family.buckets) + 2 if family.buckets else 1
            values = [float(value) for value in cells[index : index + width]]
            known = found[name].get(labels)
            join = max if family.kind == "gauge" and "worker" in family.labels else add
            found[name][labels] = values if known is None else [*map(join, known, values)]
        cells.release()
        mapped.close()
    return found


def exposition(directory: Path) -> bytes:
    """Return every slab under ``directory``, added up, in Prometheus' text format (version 0.0.4)."""
    lines: list[str] = []
    for name, series in totals(directory, FAMILIES).items():
        family = FAMILIES[name]
        lines.append(f"# HELP {name} {family.help}")
        lines.append(f"# TYPE {name} {family.kind}")
        if not series and not family.labels:
            series[()] = [0.0]
        for labels, values in series.items():
            lines.extend(_render(family, labels, values))
    return ("\n".join(lines) + "\n").encode()


def _render(family: Family, labels: tuple[str, ...], values: list[float]) -> Iterator[str]:
    pairs = ",".join(f'{key}="{_escape(value)}"' for key, value in zip(family.labels, labels, strict=True))
    if not family.buckets:
        yield (f"{family.name}{{{pairs}}} {_number(values[0])}" if pairs else f"{family.name} {_number(values[0])}")
        return
    comma = "," if pairs else ""
    running = 0.0
    for bound, count in zip((*family.buckets, None), values, strict=False):
        running += count
        edge = "+Inf" if bound is None else _number(bound)
        yield f'{family.name}_bucket{{{pairs}{comma}le="{edge}"}} {_number(running)}'
    suffix = f"{{{pairs}}}" if pairs else ""
    yield f"{family.name}_sum{suffix} {_number(values[-1])}"
    yield f"{family.name}_count{suffix} {_number(running)}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _read_keys(path: Path) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield name, label values and first cell of each series; a torn last line is a series that was never used."""
    for line in path.read_bytes().splitlines():
        try:
            name, labels, index = msgspec.json.decode(line, type=tuple[str, tuple[str, ...], int])
        except msgspec.DecodeError:
            continue
        family = FAMILIES.get(name)
        # A release may rename or relabel a family while old slabs lie about.
        if family is not None and len(labels) == len(family.labels):
            yield name, labels, index
