"""Every call ends in one record, filled from what came back, and in the counts that go with it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstay.core.answer import Answer, Frames, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import (
    CallerGone,
    Internal,
    MainstayError,
    Unauthenticated,
    Unavailable,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRefused,
)
from mainstay.core.events import Dialect, Finished, FinishReason, Frame, Metered, Started, TextDelta, ToolStarted
from mainstay.core.record import Attempt, RailVerdict, Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.providers.openai import read_ask
from mainstay.telemetry.metrics import Slab, exposition
from mainstay.telemetry.stage import Observe, Observer
from support.records import make_record

ASK = read_ask(b'{"model":"r","messages":[{"role":"user","content":"say something"}]}')
TARGET = Target("small", "house", "llamacpp", "small-upstream")


class Lines:
    """A journal in memory; ``full`` is a disk with no room."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False

    def append(self, line: bytes) -> bool:
        if not self.full:
            self.records.append(msgspec.json.decode(line, type=Record))
        return not self.full


class Desk:
    """An observer, what it wrote and what it counted."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.journal = Lines()
        self.folder = folder
        self.slab = Slab(folder, "0")
        self.observer = Observer(self.journal, self.slab, 3, **options)

    def settle(self, record: Record, error: MainstayError | None = None, started: float | None = None) -> Record:
        self.observer.settle(record, monotonic() if started is None else started, error)
        return self.journal.records[-1]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(exposition(self.folder).decode())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.slab.close()


def opened(**fields: Any) -> Record:
    return make_record(**{"outcome": "", "total_ms": 0.0, **fields})


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (None, "ok", ""),
        (Unauthenticated("no"), "refused", "invalid_api_key"),
        (UpstreamRefused("no", code="bad_field"), "refused", "bad_field"),
        (UpstreamFailed("no"), "failed", "upstream_failed"),
        (UpstreamInterrupted("no"), "failed", "upstream_interrupted"),
        (Unavailable("no"), "failed", "unavailable"),
        (Internal("no"), "failed", "internal_error"),
        (CallerGone("left"), "gone", "caller_gone"),
    ],
)
def test_the_outcome_is_the_errors(desk: Desk, error: MainstayError | None, outcome: str, code: str) -> None:
    record = desk.settle(opened(), error)
    assert (record.outcome, record.error, record.worker) == (outcome, code, 3)
    assert desk.total("mainstay_records_total", outcome=outcome) == 1
    # A caller who leaves is nobody's error.
    label = "" if outcome == "gone" else code
    assert desk.total("http_server_request_duration_seconds_count", error_type=label) == 1


def test_a_record_is_settled_once(desk: Desk) -> None:
    record = opened()
    desk.settle(record)
    desk.settle(record, CallerGone("left"))
    assert [r.outcome for r in desk.journal.records] == ["ok"]
    assert desk.total("mainstay_records_total") == 1


def test_overhead_is_what_neither_upstreams_nor_the_callers_body_took(desk: Desk) -> None:
    attempts = [Attempt("a", "p", total_ms=200.0), Attempt("b", "p", total_ms=300.0)]
    record = desk.settle(opened(waited_ms=400.0, attempts=attempts), started=monotonic() - 1.0)
    assert record.total_ms >= 1000
    assert record.overhead_ms == pytest.approx(record.total_ms - 900, abs=0.01)
    slow = desk.settle(opened(attempts=[Attempt("a", "p", total_ms=9e9)]))
    assert slow.overhead_ms == 0


def test_a_full_disk_is_counted_and_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.journal.full = True
    desk.observer.settle(opened(), monotonic())
    assert desk.total("mainstay_records_dropped_total") == 1
    assert "record_dropped" in capsys.readouterr().out


def test_every_attempt_and_the_tokens_of_the_last_are_counted(desk: Desk) -> None:
    attempts = [
        Attempt("a", "p", "first", outcome="upstream_failed", total_ms=5.0),
        Attempt("b", "q", "fallback", outcome="ok", total_ms=100.0, first_ms=20.0, events=5, upstream_model="b-1"),
    ]
    desk.settle(opened(attempts=attempts, stream=True, vendor="anthropic", usage=Usage(input=7, output=9)))
    assert desk.total("mainstay_attempts_total", provider="p", outcome="upstream_failed") == 1
    assert desk.total("mainstay_attempts_total", provider="q", cause="fallback", outcome="ok") == 1
    model = {"gen_ai_request_model": "b", "gen_ai_response_model": "b-1", "gen_ai_provider_name": "anthropic"}
    assert desk.total("gen_ai_client_operation_duration_seconds_sum", **model) == pytest.approx(0.1)
    assert desk.total("gen_ai_client_token_usage_sum", gen_ai_token_type="input", **model) == 7
    assert desk.total("gen_ai_client_token_usage_sum", gen_ai_token_type="output", **model) == 9
    assert desk.total("gen_ai_client_operation_time_to_first_chunk_seconds_sum") == pytest.approx(0.02)
    assert desk.total("gen_ai_client_operation_time_per_output_chunk_seconds_sum") == pytest.approx(0.02)


def test_verdicts_of_rails_are_counted_and_timed(desk: Desk) -> None:
    verdicts = [RailVerdict("people", "input", "masked", ms=1.5), RailVerdict("people", "output", ms=0.5)]
    desk.settle(opened(verdicts=verdicts, attempts=[]))
    for outcome in ("masked", "passed"):
        assert desk.total("mainstay_rail_verdicts_total", route="assistant", rail="people", outcome=outcome) == 1
    assert desk.total("mainstay_rail_seconds_sum", rail="people") == pytest.approx(0.002)


def test_a_refusal_at_the_door_counts_no_model(desk: Desk) -> None:
    desk.settle(opened(route="", target="", attempts=[], usage=None), Unauthenticated("no"))
    assert desk.total("gen_ai_client_operation_duration_seconds_count") == 0
    assert desk.total("mainstay_overhead_seconds_count") == 0


def test_a_page_is_counted_without_a_record(desk: Desk) -> None:
    desk.observer.count_page("GET", "/health/live", 200, 0.001, "")
    assert desk.total("http_server_request_duration_seconds_count", http_route="/health/live") == 1
    assert desk.journal.records == []


def test_the_access_log_has_one_line_a_call_and_no_word_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, access=True)
    desk.settle(opened(request_id="my-id"))
    desk.slab.close()
    (line,) = capsys.readouterr().out.splitlines()
    assert "my-id" in line
    assert "assistant" in line


# What Observe reads from an answer.


class Steps:
    """Batches from a list, noting when they are left; an exception in it is raised in its turn."""

    def __init__(self, *steps: Sequence[Frame] | MainstayError) -> None:
        self.steps = list(steps)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if not self.steps:
            raise StopAsyncIteration
        step = self.steps.pop(0)
        if isinstance(step, MainstayError):
            raise step
        return step

    async def aclose(self) -> None:
        self.closed += 1


def observe(answer: Answer | MainstayError, **fields: Any) -> tuple[Call, Answer]:
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    record.attempts.append(Attempt("small", "house", "first"))
    call = Call(ASK, record, Caller("k"), "r", (), monotonic(), monotonic() + 9, Timeouts(), **fields)

    async def onward(_: Call) -> Answer:
        if isinstance(answer, MainstayError):
            raise answer
        return answer

    return call, asyncio.run(Observe()(call, onward))


def take(answer: Answer) -> list[Sequence[Frame]]:
    async def main() -> list[Sequence[Frame]]:
        assert answer.frames is not None
        return [batch async for batch in answer.frames]

    return asyncio.run(main())


def test_a_whole_answer_fills_the_record() -> None:
    usage = Usage(input=1, output=2)
    whole = Whole(b"{}", Dialect.OPENAI, "id-1", "served-1", (FinishReason.TOOLS, FinishReason.STOP), usage)
    call, answer = observe(Answer(TARGET, whole=whole))
    record = call.record
    assert answer.whole is whole
    assert (record.target, record.provider, record.vendor, record.served) == ("small", "house", "llamacpp", "served-1")
    assert (record.finish, record.usage) == ("tools", usage)
    assert record.first_ms is not None


def test_a_stream_fills_the_record_as_it_passes_and_passes_unchanged() -> None:
    batches = [
        [Frame((Started("up-1", "served-1"),)), Frame()],
        [Frame((TextDelta("a"), ToolStarted("t", "f"))), Frame((TextDelta("b"),))],
        [Frame((Finished(FinishReason.LENGTH), Metered(Usage(output=1)))), Frame((Metered(Usage(output=2)),))],
    ]
    call, answer = observe(Answer(TARGET, frames=Steps(*batches)))
    assert call.record.first_ms is None
    assert take(answer) == batches
    record = call.record
    assert (record.served, record.finish, record.usage) == ("served-1", "length", Usage(output=2))
    assert record.first_ms is not None
    (attempt,) = record.attempts
    assert (attempt.events, attempt.upstream_model, attempt.upstream_id) == (3, "served-1", "up-1")


def test_what_came_before_a_break_stays_in_the_record() -> None:
    steps = Steps([Frame((Started("up-1", "served-1"), TextDelta("a")))], UpstreamInterrupted("broke"))
    call, answer = observe(Answer(TARGET, frames=steps))
    with pytest.raises(UpstreamInterrupted):
        take(answer)
    assert (call.record.served, call.record.finish, call.record.attempts[0].events) == ("served-1", "", 1)
    # Nobody said what it took, and it was used.
    assert call.record.usage == Usage(8, 1, estimated=True)


def test_an_upstream_that_does_not_say_what_an_answer_took_is_estimated_for() -> None:
    said = Usage(3, 4)
    stop = Finished(FinishReason.STOP)
    for steps, usage in (
        (Steps([Frame((TextDelta("12345"), stop))]), Usage(8, 2, estimated=True)),
        (Steps([Frame((TextDelta("12345"), stop)), Frame((Metered(said),))]), said),
    ):
        call, answer = observe(Answer(TARGET, frames=steps))
        frames = take(answer)
        assert [
            event for batch in frames for frame in batch for event in frame.events if isinstance(event, Metered)
        ] == [Metered(usage)]
        assert call.record.usage == usage
    events = (TextDelta("12345"), stop)
    whole = Whole(b"", Dialect.OPENAI, "1", "m", (FinishReason.STOP,), None, lambda _: events)
    call, answer = observe(Answer(TARGET, whole=whole))
    assert answer.whole is not None
    assert answer.whole.events == (*events, Metered(Usage(8, 2, estimated=True)))
    assert call.record.usage == Usage(8, 2, estimated=True)


def test_an_answer_left_early_was_used_as_far_as_it_was_handed_on() -> None:
    call, answer = observe(Answer(TARGET, frames=Steps([Frame((TextDelta("12345"),))], [Frame((TextDelta("67890"),))])))
    assert answer.frames is not None

    async def leave(frames: Frames) -> None:
        await frames.__anext__()
        await frames.aclose()

    asyncio.run(leave(answer.frames))
    assert call.record.usage == Usage(8, 2, estimated=True)


def test_leaving_reaches_the_upstream() -> None:
    steps = Steps([Frame((TextDelta("a"),))])
    _, answer = observe(Answer(TARGET, frames=steps))
    assert answer.frames is not None
    asyncio.run(answer.frames.aclose())  # type: ignore[arg-type]  # a coroutine, as every aclose is
    assert steps.closed == 1


def test_a_failure_passes() -> None:
    with pytest.raises(UpstreamFailed):
        observe(UpstreamFailed("no"))


def test_a_record_is_one_line_of_json(desk: Desk) -> None:
    record = desk.settle(opened(request_id="a\nb", served='x"\u2028'))
    assert b"\n" not in msgspec.json.encode(record)
    assert json.loads(msgspec.json.encode(record))["served"] == 'x"\u2028'
