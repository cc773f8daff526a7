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
from collections.abc import Iterator
from operator import add
from pathlib import Path

import msgspec

__all__ = ["FAMILIES", "Counter", "Family", "Gauge", "Histogram", "Slab", "exposition"]

_CELLS = 1 << 19  # 4 MiB of doubles per worker; the file is sparse
#: A family with more label sets than this puts further ones together under ``_OTHER``.
_MAX_SERIES = 2000

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**n) for n in range(14))
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OVERHEAD = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_GEN_AI = (
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_response_model",
    "server_address",
    "server_port",
)


class Family(msgspec.Struct, frozen=True):
    """One metric: its Prometheus name, kind, help, label names and, for a histogram, its bucket bounds."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "gen_ai_client_operation_duration_seconds",
            "histogram",
            "Duration of a call of a model, as the caller of the upstream saw it (gen_ai.client.operation.duration).",
            (*_GEN_AI, "error_type"),
            _SECONDS,
        ),
        Family(
            "gen_ai_client_token_usage",
            "histogram",
            "Tokens per call by type, as the provider reported them (gen_ai.client.token.usage).",
            (*_GEN_AI, "gen_ai_token_type"),
            _TOKENS,
        ),
        Family(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "histogram",
            "From sending a streamed call to its first content (gen_ai.client.operation.time_to_first_chunk).",
            _GEN_AI,
            _SECONDS,
        ),
        Family(
            "gen_ai_client_operation_time_per_output_chunk_seconds",
            "histogram",
            "Mean time between content events of a stream (gen_ai.client.operation.time_per_output_chunk).",
            _GEN_AI,
            _SECONDS,
        ),
        Family(
            "http_server_request_duration_seconds",
            "histogram",
            "Duration of HTTP requests, from the first byte read to the answer's end (http.server.request.duration).",
            ("http_request_method", "http_route", "http_response_status_code", "url_scheme", "error_type"),
            _HTTP_SECONDS,
        ),
        Family(
            "mainstay_overhead_seconds",
            "histogram",
            "Mainstay's own part of a call, counted from the socket; waiting for upstreams taken out.",
            ("route",),
            _OVERHEAD,
        ),
        Family(
            "mainstay_attempts_total",
            "counter",
            "Upstream calls by provider, model, cause (first, retry, fallback, hedge, last_resort, reask, reword, "
            "tools) and outcome (ok or an error code).",
            ("provider", "model", "cause", "outcome"),
        ),
        Family(
            "mainstay_rail_verdicts_total",
            "counter",
            "Verdicts of rails by outcome: passed, failed, or what was done or, in monitor mode, would have been.",
            ("route", "rail", "outcome"),
        ),
        Family("mainstay_rail_seconds", "histogram", "Time a rail took, a call and place.", ("rail",), _OVERHEAD),
        Family("mainstay_records_total", "counter", "Records written to the journal.", ("outcome",)),
        Family("mainstay_records_dropped_total", "counter", "Records that could not be written; must stay 0."),
        Family(
            "mainstay_budget_used_ratio",
            "gauge",
            "Part of each budget that is spent or held in its present period; of rows with `per`, of each member.",
            ("budget", "member"),
        ),
        Family("mainstay_budget_limit_usd", "gauge", "Limit of each budget in US dollars.", ("budget", "member")),
        Family(
            "mainstay_budget_overdrafts_total",
            "counter",
            "Calls that cost more than was reserved for them; must stay 0.",
            ("worker",),
        ),
        Family(
            "mainstay_unpriced_attempts_total",
            "counter",
            "Upstream calls whose price, or a part of it, nobody knows; must stay 0.",
            ("worker",),
        ),
        Family(
            "mainstay_cost_usd_total",
            "counter",
            "What upstream calls have cost, in US dollars; exact amounts are in the ledger.",
            ("provider", "model"),
        ),
        Family(
            "mainstay_model_changes_total",
            "counter",
            "Times a provider named another version or `system_fingerprint` than for the call before.",
            ("model",),
        ),
        Family("mainstay_responses_unkept_total", "counter", "Responses that were answered and could not be kept."),
        Family("mainstay_records_loaded_total", "counter", "Records loaded from the journals into the database."),
        Family("mainstay_records_rejected_total", "counter", "Journal lines that could not be read."),
        Family("mainstay_journal_lag_bytes", "gauge", "Bytes of journal not yet in the database."),
        Family(
            "mainstay_breaker_state",
            "gauge",
            "Circuit breaker of each model in each worker: 0 closed, 1 half-open, 2 open.",
            ("worker", "model"),
        ),
        Family("mainstay_breaker_opens_total", "counter", "Times a circuit breaker has opened.", ("worker", "model")),
        Family(
            "mainstay_probes_total",
            "counter",
            "Probes: tiny calls made to see whether an upstream is well, by outcome (ok or an error code).",
            ("model", "outcome"),
        ),
        Family(
            "mainstay_upstream_throttled_seconds",
            "gauge",
            "Seconds for which the upstream itself wants no call (its retry-after).",
            ("worker", "model"),
        ),
        Family(
            "mainstay_credential_refused_seconds",
            "gauge",
            "Seconds for which a model is left alone because its vendor refused the key.",
            ("worker", "model"),
        ),
        Family("mainstay_upstream_in_flight", "gauge", "Upstream calls under way.", ("worker", "model")),
        Family("mainstay_upstream_limit", "gauge", "Upstream calls allowed at the same time.", ("worker", "model")),
        Family("mainstay_upstream_waiting", "gauge", "Calls that wait for room at an upstream.", ("worker", "model")),
        Family("mainstay_batch_rows_total", "counter", "Rows of batches that are done, expired too.", ("outcome",)),
        Family("mainstay_batch_rows_in_flight", "gauge", "Rows of batches that are asked now."),
        Family("mainstay_batches_unfinished", "gauge", "Batches that are not finished."),
        Family("mainstay_batch_oldest_waiting_seconds", "gauge", "Age of the oldest batch that nobody works on, or 0."),
        Family("mainstay_requests_in_flight", "gauge", "Requests being served."),
        Family("mainstay_event_loop_lag_seconds", "gauge", "How late each worker's timer last ran.", ("worker",)),
        Family("mainstay_worker_resident_memory_bytes", "gauge", "Resident memory of each worker.", ("worker",)),
        Family("mainstay_config_info", "gauge", "1 for the configuration in force.", ("worker", "hash")),
    )
}


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


def exposition(directory: Path) -> bytes:
    """Return every slab under ``directory``, added up, in Prometheus' text format (version 0.0.4).

    Gauges are those of living processes; of two in one slot the larger, since the older one only finishes its calls.
    """
    totals: dict[str, dict[tuple[str, ...], list[float]]] = {name: {} for name in FAMILIES}
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
            if family.kind == "gauge" and not lives:
                continue
            width = len(family.buckets) + 2 if family.buckets else 1
            values = [float(value) for value in cells[index : index + width]]
            known = totals[name].get(labels)
            join = max if family.kind == "gauge" and "worker" in family.labels else add
            totals[name][labels] = values if known is None else [*map(join, known, values)]
        cells.release()
        mapped.close()
    lines: list[str] = []
    for name, series in totals.items():
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
