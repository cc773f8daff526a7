"""The first stage of the line: watches what comes back, and settles the record exactly once.

Opened first, closed last: the endpoint opens a record at the socket, ``Observe`` fills it from the answer, and
``Observer.settle`` writes it to the journal before the answer is closed. Refusals at the door, which never reach a
line, are settled by the same method.
"""

import os
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import CallerError, CallerGone, MainstayError, UpstreamRefused
from mainstay.core.estimate import prompt_tokens, text_tokens
from mainstay.core.events import (
    Event,
    Finished,
    Frame,
    Metered,
    Piece,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.ports import JournalPort, Settler
from mainstay.core.record import Attempt, Record
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS, Operation
from mainstay.core.usage import Usage
from mainstay.telemetry.metrics import Counter, Slab

__all__ = ["Observe", "Observer"]

_log = structlog.get_logger("mainstay.calls")
_NO_ATTEMPT: Final = Attempt()
#: Units of an attempt's cost in one US dollar.
_PICO: Final = 10**12
#: Kinds of calls remembered before beginning anew; upstreams may make up model names.
_MAX_SERIES: Final = 10_000
_CONTENT: Final = frozenset({TextDelta, ThinkingDelta, ToolStarted, ToolDelta, Piece})
#: Operations whose answers are text, which can be estimated.
_SPOKEN: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
_TEXT: Final = frozenset({TextDelta, ThinkingDelta})


class _Series:
    """The series that calls of one kind add to, looked up once."""

    __slots__ = ("duration", "first", "gap", "http", "overhead", "records", "tokens_in", "tokens_out")

    def __init__(self, slab: Slab, record: Record, last: Attempt, error: str) -> None:
        self.records = slab.counter("mainstay_records_total", record.outcome)
        self.http = slab.histogram(
            "http_server_request_duration_seconds", record.method, record.path, str(record.status), "http", error
        )
        self.overhead = slab.histogram("mainstay_overhead_seconds", record.route) if record.route else None
        if last is _NO_ATTEMPT:
            return
        model = last.upstream_model or last.target
        labels = (record.operation, record.vendor, last.target, model, last.address, str(last.port))
        self.duration = slab.histogram("gen_ai_client_operation_duration_seconds", *labels, error)
        self.tokens_in = slab.histogram("gen_ai_client_token_usage", *labels, "input")
        self.tokens_out = slab.histogram("gen_ai_client_token_usage", *labels, "output")
        self.first = slab.histogram("gen_ai_client_operation_time_to_first_chunk_seconds", *labels)
        self.gap = slab.histogram("gen_ai_client_operation_time_per_output_chunk_seconds", *labels)


class Observer:
    """Settles records: the journal first, then the metrics.

    Args:
        journal: takes the encoded record.
        slab: this worker's metrics.
        worker: the worker's slot, stamped on every record.
        settlers: asked in order for what a call has taken, before its record is written.
        process: the name of this process, stamped too.
        access: log one line per settled record.
    """

    def __init__(
        self,
        journal: JournalPort,
        slab: Slab,
        worker: int,
        settlers: Sequence[Settler] = (),
        *,
        process: str = "",
        access: bool = False,
    ) -> None:
        self._settlers = settlers
        self._process = process
        self._journal = journal
        self._slab = slab
        self._worker = worker
        self._access = access
        self._encode = msgspec.json.Encoder().encode
        self._dropped = slab.counter("mainstay_records_dropped_total")
        self._series: dict[tuple[object, ...], _Series] = {}
        self._attempts: dict[tuple[str, ...], Counter] = {}
        self._costs: dict[tuple[str, str], Counter] = {}
        #: By model: who served last, by the provider's own account.
        self._served: dict[str, tuple[str, str]] = {}
        self.in_flight = slab.counter("mainstay_requests_in_flight")
        self.unkept = slab.counter("mainstay_responses_unkept_total")

    def settle(self, record: Record, started: float, error: MainstayError | None = None) -> None:
        """Close ``record``: set its outcome and times, write it to the journal, count it. Later calls do nothing.

        ``started`` is the monotonic second at which the request's first byte was read; ``error`` what the caller got
        instead of an answer, or got in the middle of one.
        """
        if record.outcome:
            return
        total = monotonic() - started
        record.total_ms = int(total * 1e6) / 1e3
        record.worker, record.process = self._worker, self._process
        if error is None:
            record.outcome = "ok"
        else:
            record.error = error.code
            if isinstance(error, CallerGone):
                record.outcome = "gone"
            else:
                caller = isinstance(error, CallerError | UpstreamRefused)
                record.outcome = "refused" if caller else "failed"
        waited = record.waited_ms + record.queued_ms
        for attempt in record.attempts:
            waited += attempt.total_ms
        overhead = int((record.total_ms - waited) * 1e3) / 1e3
        record.overhead_ms = overhead if overhead > 0.0 else 0.0
        for settler in self._settlers:
            settler.settle(record)
        if not self._journal.append(self._encode(record)):
            self._dropped.add()
            _log.error("record_dropped", advice="check the disk that holds var/journal", request_id=record.request_id)
        self._measure(record, total)
        if self._access:
            self._log(record)

    def count_page(self, method: str, route: str, status: int, seconds: float, error: str) -> None:
        """Count a request that asks no model: no record, only the HTTP metric."""
        self._slab.histogram("http_server_request_duration_seconds", method, route, str(status), "http", error).observe(
            seconds
        )

    def _measure(self, record: Record, total: float) -> None:
        # The caller's leaving is nobody's error.
        error = "" if record.outcome == "gone" else record.error
        attempts = record.attempts
        last = attempts[-1] if attempts else _NO_ATTEMPT
        # Everything that any label below is made of; one look-up then serves them all.
        key = (
            record.status,
            error,
            record.route,
            record.vendor,
            last.target,
            last.upstream_model,
            last.port,
            last.address,
            record.outcome,
            record.operation,
            record.path,
            record.method,
        )
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(self._slab, record, last, error)
            if len(self._series) > _MAX_SERIES:
                self._series.clear()
        series.records.add()
        series.http.observe(total)
        if series.overhead is None:
            return
        series.overhead.observe(record.overhead_ms / 1000)
        if record.cache:
            self._slab.counter("mainstay_cache_lookups_total", record.route, record.cache).add()
        for verdict in record.verdicts:
            self._slab.counter("mainstay_rail_verdicts_total", record.route, verdict.rail, verdict.outcome).add()
            self._slab.histogram("mainstay_rail_seconds", verdict.rail).observe(verdict.ms / 1000)
        if not attempts:
            return
        if record.served:
            self._compare(record)
        for attempt in attempts:
            labels = (attempt.provider, attempt.target, attempt.cause, attempt.outcome)
            counter = self._attempts.get(labels)
            if counter is None:
                counter = self._attempts[labels] = self._slab.counter("mainstay_attempts_total", *labels)
            counter.add()
            if attempt.cost:
                paid = self._costs.get((attempt.provider, attempt.target))
                if paid is None:
                    paid = self._slab.counter("mainstay_cost_usd_total", attempt.provider, attempt.target)
                    self._costs[attempt.provider, attempt.target] = paid
                paid.add(attempt.cost / _PICO)
        series.duration.observe(last.total_ms / 1000)
        if (usage := record.usage) is not None:
            series.tokens_in.observe(usage.input)
            series.tokens_out.observe(usage.output)
        if record.stream and last.first_ms is not None:
            series.first.observe(last.first_ms / 1000)
            if last.events > 1:
                series.gap.observe((last.total_ms - last.first_ms) / 1000 / (last.events - 1))

    def _compare(self, record: Record) -> None:
        """Count when a provider says that something else serves a model than did the call before."""
        now = (record.served, record.fingerprint)
        before = self._served.get(record.target)
        if before != now:
            self._served[record.target] = now
            if before is not None:
                self._slab.counter("mainstay_model_changes_total", record.target).add()
                _log.info("model_changed", model=record.target, before=before, now=now, request_id=record.request_id)

    def _log(self, record: Record) -> None:
        _log.info(
            "call",
            request_id=record.request_id,
            key=record.key,
            route=record.route,
            target=record.target,
            outcome=record.outcome,
            status=record.status,
            error=record.error,
            total_ms=record.total_ms,
            pid=os.getpid(),
        )


class _Watched:
    """Frames on their way out, read in passing; one object per stream, no task and no buffer.

    When the upstream does not say what the answer took, an estimate is handed on in a frame of its own, and noted where
    the answer broke off.
    """

    __slots__ = ("_call", "_inner", "_next", "_record", "_size")

    def __init__(self, call: Call, inner: Frames) -> None:
        self._call = call
        self._record = call.record
        self._inner = inner
        self._next = inner.__anext__
        #: Characters of content so far.
        self._size = 0

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            batch = await self._next()
        except StopAsyncIteration:
            usage = self._estimate()
            if usage is None:
                raise
            return (Frame((Metered(usage),)),)
        except MainstayError:
            self._estimate()
            raise
        record = self._record
        # The one that serves now: a stream may have been taken up by another attempt.
        attempt = record.attempts[-1] if record.attempts else None
        for frame in batch:
            for event in frame.events:
                kind = type(event)
                if kind in _CONTENT:
                    self._size += len(event.text if kind in _TEXT else getattr(event, "arguments", ""))  # type: ignore[attr-defined]  # narrowed by the comparison
                    if attempt is not None:
                        attempt.events += 1
                    if record.first_ms is None:
                        record.first_ms = since_ms(self._call.started)
                elif kind is Finished:
                    record.finish = event.reason  # type: ignore[attr-defined]  # narrowed by the comparison above
                elif kind is Metered:
                    record.usage = event.usage  # type: ignore[attr-defined]  # narrowed by the comparison above
                elif kind is Started:
                    self._start(event)  # type: ignore[arg-type]  # narrowed by the comparison above
        return batch

    def _estimate(self) -> Usage | None:
        """Return what the answer took, if nobody has said so, and note it in the record."""
        if self._record.usage is not None or not self._size:
            return None
        self._record.usage = _estimated(self._call, self._size)
        return self._record.usage

    def _start(self, event: Started) -> None:
        self._record.served = self._record.served or event.model
        self._record.fingerprint = self._record.fingerprint or event.fingerprint
        if self._record.attempts:
            attempt = self._record.attempts[-1]
            attempt.upstream_model = attempt.upstream_model or event.model
            attempt.upstream_id = attempt.upstream_id or event.id

    async def aclose(self) -> None:
        # Left early or at the end: what was handed on was used.
        self._estimate()
        await self._inner.aclose()


def _estimated(call: Call, size: int) -> Usage:
    # What is no text has no prompt to measure.
    asked = prompt_tokens(call.ask.prompt) if call.ask.operation in TALKS else 0
    return Usage(asked, text_tokens(size), estimated=True)


def _size_of(events: Sequence[Event]) -> int:
    return sum([len(getattr(event, "text", "")) + len(getattr(event, "arguments", "")) for event in events])


class Observe:
    """Fills the record from what comes back up the line."""

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        record = call.record
        answer = await onward(call)
        target = answer.target
        record.target = target.model
        record.provider = target.provider
        record.vendor = target.vendor
        whole = answer.whole
        if whole is not None:
            if whole.usage is None and record.operation in _SPOKEN:
                usage = _estimated(call, _size_of(whole.events))
                # The upstream's own bytes stay as they came, and only the record has the estimate.
                whole = answer.whole = replace(whole, usage=usage, _events=(*whole.events, Metered(usage)))
            record.usage = whole.usage
            record.served = whole.model
            record.fingerprint = whole.fingerprint
            if whole.finish:
                record.finish = whole.finish[0]
            record.first_ms = since_ms(call.started)
        elif answer.frames is not None:
            answer.frames = _Watched(call, answer.frames)
        return answer
