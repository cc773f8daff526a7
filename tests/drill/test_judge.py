"""Verdicts, from observations made by hand: the right gateway, and each kind of wrong one."""

from dataclasses import replace
from typing import Any

import pytest

from mainstay.drill.faults import FAULTS, Play, Timing
from mainstay.drill.judge import Observation, Score, Verdict, judge
from mainstay.drill.reading import Reply, Said
from mainstay.drill.upstream import Seen
from mainstay.drill.wire import Speech

TIMING = Timing(headers=300, first_token=8, idle=10, total=60, attempts=4)
A, B = Speech("a", "up-a", 100), Speech("b", "up-b", 110)
SPEECHES = {"first": A, "second": B}


def answer(speech: Speech = A, target: str = "first", attempts: int = 1, ended: float = 0.3, **more: Any) -> Reply:
    headers = {"x-mainstay-model": target, "x-mainstay-attempts": str(attempts)}
    reply = Reply(200, headers, speech.text, min(0.1, ended), ended, complete=True, finish="stop")
    reply.model, reply.usage = speech.upstream, (speech.input, 60)
    return _with(reply, more)


def refused(status: int, code: str, attempts: int = 1, ended: float = 0.1, **more: Any) -> Reply:
    said = Said("invalid_request_error", code, "No.", categories=more.pop("categories", False))
    return _with(Reply(status, {"x-mainstay-attempts": str(attempts)}, ended=ended, error=said), more)


def broken(
    words: int, code: str = "upstream_interrupted", ended: float = 0.5, speech: Speech = A, **more: Any
) -> Reply:
    headers = {"x-mainstay-model": "first", "x-mainstay-attempts": "1"}
    reply = Reply(200, headers, "".join(speech.words[:words]), 0.1, ended, model=speech.upstream)
    reply.error = Said("api_error", code, "Broke.", event=True)
    return _with(reply, more)


def _with(reply: Reply, more: dict[str, Any]) -> Reply:
    for name, value in more.items():
        setattr(reply, name, value)
    return reply


def first(play: Play, at: float = 0.0, **more: Any) -> Seen:
    return Seen("first", True, at, play, streamed=more.pop("streamed", True), **more)


def second(at: float = 0.1, play: Play = Play.HEALTHY) -> Seen:
    return Seen("second", False, at, play, streamed=True)


def verdict(number: int, reply: Reply | list[Reply], *seen: Seen, **more: Any) -> Verdict:
    timing = more.pop("timing", TIMING)
    observation = Observation(FAULTS[number - 1], timing, more.pop("dialect", "openai"), True, SPEECHES)
    observation.replies = reply if isinstance(reply, list) else [reply]
    observation.seen = list(seen)
    observation.after = more.pop("after", answer())
    observation.records = more.pop("records", None)
    assert not more
    return judge(observation)


FROM_SECOND = answer(B, "second", attempts=2)
PASSED = Verdict(Score.PASS)

# The right gateway.


def test_waiting_for_the_clock_of_a_rate_limit_passes() -> None:
    reply = answer(attempts=2, ended=2.5, first=2.3)
    assert verdict(1, reply, first(Play.LIMITED), first(Play.HEALTHY, 2.05)) == PASSED


@pytest.mark.parametrize("number", [3, 5])
def test_asking_again_after_a_single_failure_passes(number: int) -> None:
    play = FAULTS[number - 1].first[0]
    reply = answer(attempts=2, ended=0.4, first=0.35)
    assert verdict(number, reply, first(play), first(Play.HEALTHY, 0.2)) == PASSED


@pytest.mark.parametrize("number", [2, 4, 6, 7, 16])
def test_failing_over_passes(number: int) -> None:
    reply = answer(B, "second", attempts=2, ended=2.0, first=1.9)
    assert verdict(number, reply, first(FAULTS[number - 1].then), second(1.0)) == PASSED


@pytest.mark.parametrize("number", [8, 9, 14])
def test_an_error_event_soon_after_the_break_passes(number: int) -> None:
    wait = TIMING.idle if number == 9 else 0.1
    seen = first(FAULTS[number - 1].then, broke=0.4)
    assert verdict(number, broken(40, ended=0.4 + wait), seen) == PASSED


@pytest.mark.parametrize("number", [8, 9, 14])
def test_a_whole_answer_from_elsewhere_passes(number: int) -> None:
    play = FAULTS[number - 1].then
    assert verdict(number, FROM_SECOND, first(play, broke=0.05), second(0.06)) == PASSED


def test_an_answer_that_stood_whole_around_the_spoilt_event_passes() -> None:
    assert verdict(10, answer(), first(Play.GARBLED)) == PASSED


def test_a_whole_answer_that_was_no_json_may_be_asked_for_again() -> None:
    seen = (first(Play.GARBLED, streamed=False), first(Play.HEALTHY, 0.05, streamed=False))
    assert verdict(10, answer(attempts=2), *seen) == PASSED


def test_an_estimate_of_usage_that_never_came_passes() -> None:
    assert verdict(11, answer(usage=(7, 60)), first(Play.NO_END_MARK)) == PASSED


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_the_callers_own_context_error_passes(dialect: str) -> None:
    code = "context_length_exceeded" if dialect == "openai" else ""
    assert verdict(12, refused(400, code), first(Play.TOO_LONG), dialect=dialect) == PASSED


def test_a_model_with_a_larger_window_passes_too() -> None:
    assert verdict(12, FROM_SECOND, first(Play.TOO_LONG), second(0.05)) == PASSED


def test_the_content_filters_reason_passes() -> None:
    assert verdict(13, refused(400, "content_filter", categories=True), first(Play.FILTERED)) == PASSED
    assert verdict(13, refused(400, ""), first(Play.FILTERED, kind="anthropic"), dialect="anthropic") == PASSED


def test_failing_over_from_a_limit_that_is_longer_than_the_routes_patience_passes() -> None:
    timing = replace(TIMING, patience=1.0)
    assert verdict(1, FROM_SECOND, first(Play.LIMITED), second(0.05), timing=timing) == PASSED


def test_another_model_may_answer_what_was_filtered_where_the_route_says_so() -> None:
    timing = replace(TIMING, around_filter=True)
    assert verdict(13, FROM_SECOND, first(Play.FILTERED), second(0.05), timing=timing) == PASSED


def outage(*seen: Seen, replies: int = 15, **more: Any) -> Verdict:
    calls = [answer(B, "second", sent=4.0 * n, headers={}) for n in range(replies)]
    calls.append(answer(A, sent=64.0, headers={}))
    return verdict(15, calls, *[first(Play.OUTAGE, 0.01 * n) for n in range(3)], *seen, **more)


def test_a_breaker_that_probes_and_closes_passes() -> None:
    probes = [first(Play.OUTAGE, 5.0 * n) for n in range(1, 12)]
    assert outage(*probes, first(Play.HEALTHY, 64.1)) == PASSED


def test_traffic_may_stay_away_where_the_order_is_not_fixed() -> None:
    assert outage(timing=replace(TIMING, returns=False)) == PASSED


# Answers worse than none.


def failed(number: int, reply: Reply | list[Reply], *seen: Seen, **more: Any) -> str:
    found = verdict(number, reply, *(seen or (first(FAULTS[number - 1].then),)), **more)
    assert found.score is Score.FAIL
    return found.reasons[0]


def test_a_cut_answer_with_a_clean_end_fails() -> None:
    cut = answer(text="".join(A.words[:40]))
    assert failed(8, cut) == "40 of 60 tokens were presented as a whole answer"


def test_a_cut_answer_without_an_error_fails() -> None:
    cut = answer(text="".join(A.words[:40]), complete=False)
    assert failed(8, cut) == "the answer ended after 40 of 60 tokens, without an error"


def test_an_answer_begun_anew_behind_its_first_half_fails() -> None:
    assert failed(8, answer(text="".join(A.words[:40]) + A.text)) == "text was delivered twice"


def test_two_answers_in_one_fail() -> None:
    assert failed(8, answer(text="".join(A.words[:40]) + B.text)) == "two answers were mixed"
    assert failed(8, answer(text="".join(A.words[:40]) + B.text, complete=False)) == "two answers were mixed"


def test_words_of_nobody_fail() -> None:
    assert failed(4, answer(text="Hello!")) == "the text is not what any model said"


def test_a_hang_fails() -> None:
    assert failed(6, Reply(hung=True, ended=65.0)) == "no end within 65.0 s"


def test_a_connection_closed_in_silence_fails() -> None:
    assert failed(5, Reply(ended=0.1)) == "the connection was closed without an answer"


def test_a_success_with_nothing_in_it_fails() -> None:
    assert failed(4, answer(text="")) == "a success with nothing in it"
    assert failed(4, Reply(200, ended=0.1)) == "status 200 with nothing in it"


def test_a_shape_that_breaks_clients_fails() -> None:
    assert failed(4, answer(problems=["an event is no JSON"])) == "an event is no JSON"


def test_an_error_event_and_a_clean_end_fail() -> None:
    said = Said("api_error", "upstream_interrupted", "Broke.", event=True)
    assert failed(8, answer(error=said)) == "an error event and a clean end"


def test_a_way_around_the_content_filter_fails() -> None:
    assert failed(13, FROM_SECOND, first(Play.FILTERED), second()) == "went around the content filter"


def test_a_gateway_that_does_not_recover_fails() -> None:
    reason = failed(4, FROM_SECOND, first(Play.UNAVAILABLE), second(), after=refused(503, "unavailable"))
    assert reason == "the next call, with all well again, did not work: status 503"


def test_one_bad_answer_among_many_fails() -> None:
    replies = [answer(), answer(text="".join(A.words[:9])), answer()]
    assert failed(15, replies) == "9 of 60 tokens were presented as a whole answer"


def test_no_call_at_all_fails() -> None:
    assert failed(4, []) == "no call was made"


# A clean error where an answer was required.


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 16])
def test_a_clean_error_instead_of_an_answer_is_safe(number: int) -> None:
    found = verdict(number, refused(502, "upstream_failed"), first(FAULTS[number - 1].then))
    assert found.score is Score.SAFE
    assert found.reasons[0] == "an error instead of an answer (502 upstream_failed)"


def test_an_error_event_is_safe_where_nothing_is_sent_before_the_end() -> None:
    timing = replace(TIMING, interrupted="hold")
    found = verdict(8, broken(40), first(Play.CUT, broke=0.4), timing=timing)
    assert found == Verdict(Score.SAFE, ("an error instead of an answer (an event, upstream_interrupted)",))


def test_the_last_resort_is_safe() -> None:
    observation = Observation(FAULTS[3], TIMING, "openai", True, SPEECHES, last_resort="Please wait.")
    observation.replies = [answer(text="Please wait.", model="last_resort")]
    observation.seen = [first(Play.UNAVAILABLE)]
    assert judge(observation) == Verdict(Score.SAFE, ("the route's last resort instead of a model's answer",))


def test_telling_of_the_refused_prefill_is_only_safe() -> None:
    reply = refused(400, "", error=Said("invalid_request_error", "", "No prefill, please: prefill is off."))
    found = verdict(14, reply, first(Play.CUT_CLEAN, broke=0.1), second())
    assert found.score is Score.SAFE
    assert "refused prefill" in found.reasons[0]


def test_a_nameless_error_for_the_content_filter_is_only_safe() -> None:
    found = verdict(13, refused(502, "upstream_failed"), first(Play.FILTERED))
    assert found == Verdict(Score.SAFE, ("502 upstream_failed does not name the content filter",))


def test_errors_during_an_outage_are_safe() -> None:
    lost = [refused(503, "unavailable"), answer(B, "second", sent=4.0)]
    found = verdict(15, lost, first(Play.OUTAGE), second(4.1), first(Play.HEALTHY, 61.0))
    assert found.score is Score.SAFE
    assert found.reasons[0] == "1 of 2 calls got an error (503 unavailable)"


# Rightly answered, outside a bound.


def partial(number: int, reply: Reply | list[Reply], *seen: Seen, **more: Any) -> str:
    found = verdict(number, reply, *seen, **more)
    assert found.score is Score.PARTIAL, found
    (reason,) = found.reasons
    return reason


def test_asking_again_before_the_clock_is_partial() -> None:
    reason = partial(1, answer(attempts=2, ended=1.0, first=0.9), first(Play.LIMITED), first(Play.HEALTHY, 0.5))
    assert reason == "asked again after 0.5 s (retry-after said 2)"


def test_failing_over_from_a_single_failure_is_partial() -> None:
    reason = partial(3, FROM_SECOND, first(Play.FAILED), second(0.05))
    assert reason == "1 call of the primary, which would have answered the next (expected 2)"


def test_hammering_is_partial() -> None:
    calls = [first(Play.UNAVAILABLE, 0.01 * n) for n in range(4)]
    timing = replace(TIMING, attempts=9)
    reason = partial(4, answer(B, "second", attempts=5), *calls, second(0.06), timing=timing)
    assert reason == "4 calls of the primary (at most 3)"


def test_more_calls_than_the_route_allows_are_partial() -> None:
    reason = partial(4, FROM_SECOND, first(Play.UNAVAILABLE), second(0.05), timing=replace(TIMING, attempts=1))
    assert reason == "2 upstream calls (at most 1)"


def test_asking_a_silent_model_again_is_partial() -> None:
    reply = answer(B, "second", attempts=3, ended=9.0, first=8.9)
    assert partial(6, reply, first(Play.SILENT), first(Play.SILENT, 4.0), second(8.0)) == (
        "2 calls of the primary (at most 1)"
    )


def test_many_calls_within_seconds_are_partial() -> None:
    calls = [first(Play.LIMITED_BARE, 0.1 * n) for n in range(5)]
    found = verdict(2, answer(B, "second", attempts=6, ended=1.0, first=0.9), *calls, second(0.6))
    assert found.score is Score.PARTIAL
    assert "5 calls of the primary within 3 s (at most 4)" in found.reasons


def test_slowness_is_partial() -> None:
    reply = answer(B, "second", attempts=2, ended=30.0, first=29.0)
    assert partial(6, reply, first(Play.SILENT), second(20.0)) == "took 30.0 s (at most 10.3)"


def test_a_late_error_event_is_partial() -> None:
    assert partial(8, broken(40, ended=5.0), first(Play.CUT, broke=0.4)) == (
        "the error event came 4.6 s after the break (at most 2.0)"
    )


def test_an_error_event_of_another_code_is_partial() -> None:
    assert partial(9, broken(40, "upstream_timeout", ended=10.5), first(Play.STALLED, broke=0.4)) == (
        "the error event's code is upstream_timeout (expected upstream_interrupted)"
    )


def test_a_breaker_that_never_opens_is_partial() -> None:
    calls = [first(Play.OUTAGE, 4.0 * n) for n in range(15)]
    found = outage(*calls, first(Play.HEALTHY, 64.1))
    assert found.score is Score.PARTIAL
    assert found.reasons[0] == "18 calls of the primary while it was down, for 15 requests (at most 15)"


def test_traffic_that_stays_away_is_partial() -> None:
    assert outage().reasons == ("the traffic did not return to the primary within 30 s",)
    assert outage(first(Play.HEALTHY, 95.0)).reasons == ("the traffic returned after 35.0 s (at most 30)",)


# Rightly answered, wrongly told.


def test_naming_another_model_is_partial() -> None:
    wrong = answer(B, "second", attempts=2, model="up-a")
    assert partial(16, wrong, first(Play.UNAVAILABLE), second(0.05)) == (
        "the answer names the model 'up-a', but 'up-b' served"
    )
    wrong = answer(B, "first", attempts=2)
    assert partial(16, wrong, first(Play.UNAVAILABLE), second(0.05)) == (
        "x-mainstay-model is 'first', but 'second' served"
    )


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (None, "the answer has no usage"),
        ((0, 0), "the answer has no usage"),
        ((100, 60), "usage is 100 + 60 tokens, the model reported 110 + 60"),
    ],
)
def test_wrong_usage_is_partial(usage: tuple[int, int] | None, reason: str) -> None:
    wrong = answer(B, "second", attempts=2, usage=usage)
    assert partial(16, wrong, first(Play.UNAVAILABLE), second(0.05)) == reason


def test_a_wrong_count_of_attempts_is_partial() -> None:
    wrong = answer(B, "second", attempts=1)
    assert partial(16, wrong, first(Play.UNAVAILABLE), second(0.05)) == (
        "x-mainstay-attempts says 1, the provider saw 2"
    )


def test_a_promised_header_that_is_missing_is_partial() -> None:
    assert partial(10, answer(lacks=["no header x-mainstay-cache"]), first(Play.GARBLED)) == (
        "no header x-mainstay-cache"
    )


def test_categories_that_are_lost_are_partial() -> None:
    assert partial(13, refused(400, "content_filter"), first(Play.FILTERED)) == (
        "the categories of the content filter did not reach the caller"
    )


RECORD = {
    "outcome": "ok",
    "attempts": [{"cause": "first", "outcome": "upstream_failed"}, {"cause": "fallback", "outcome": "ok"}],
    "usage": {"input": 110, "output": 60},
}


def recorded(record: dict[str, Any] | None) -> Verdict:
    reply = answer(B, "second", attempts=2, request_id="id-1")
    records = {} if record is None else {"id-1": record}
    return verdict(16, reply, first(Play.UNAVAILABLE), second(0.05), records=records)


def test_a_true_record_passes() -> None:
    assert recorded(RECORD) == PASSED


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "there is no record of the call"),
        (RECORD | {"attempts": RECORD["attempts"][1:]}, "the record lists 1 attempts, the provider saw 2"),
        (RECORD | {"attempts": [{}, RECORD["attempts"][1]]}, "the record has an attempt without cause or outcome"),
        (RECORD | {"outcome": "failed"}, "the record says 'failed'"),
        (RECORD | {"attempts": RECORD["attempts"][:1] * 2}, "the record does not say which attempt answered"),
        (RECORD | {"usage": {"input": 1, "output": 2}}, "the record counts 1 + 2 tokens, the answer 110 + 60"),
    ],
)
def test_a_record_that_is_not_true_is_partial(record: dict[str, Any] | None, reason: str) -> None:
    assert recorded(record) == Verdict(Score.PARTIAL, (reason,))


def test_a_resumed_answer_may_count_as_it_likes() -> None:
    timing = replace(TIMING, interrupted="resume")
    same = {"first": A, "second": Speech("a", "up-b", 110)}
    observation = Observation(FAULTS[7], timing, "openai", True, same)
    observation.replies = [answer(usage=(210, 100), ended=0.4)]
    observation.seen = [first(Play.CUT, broke=0.2), second(0.25)]
    observation.after = answer()
    assert judge(observation) == PASSED
