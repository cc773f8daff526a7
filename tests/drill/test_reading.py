"""Answers read as strictly as the most delicate client would."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.drill import wire
from mainstay.drill.caller import Dialect, Heard
from mainstay.drill.reading import Reply, read_reply
from mainstay.drill.wire import GARBAGE, Speech

SPEECH = Speech("a", "up-first", 100)
OURS = {
    "x-request-id": "id-1",
    **{f"x-mainstay-{name}": "x" for name in ("route", "model", "provider", "cache", "cost-usd", "overhead-ms")},
    "x-mainstay-attempts": "1",
}
DIALECTS: list[Dialect] = ["openai", "anthropic"]


def good(dialect: Dialect) -> bytes:
    said = wire.stream(dialect, SPEECH, "1", usage=True)
    return said.opening + b"".join(said.tokens) + said.finish + said.usage + said.mark


def heard(body: bytes, status: int = 200, kind: str = "text/event-stream", **more: object) -> Heard:
    headers = tuple(({"content-type": kind} | OURS | more.pop("headers", {})).items())  # type: ignore[operator]
    return Heard(status, headers, ((0.1, body),), 0.2, **({"whole": True} | more))  # type: ignore[arg-type]


def read(body: bytes, dialect: Dialect = "openai", **more: object) -> Reply:
    return read_reply(heard(body, **more), dialect, stream=True, request_id="id-1")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_good_stream_has_no_problem(dialect: Dialect) -> None:
    reply = read(good(dialect), dialect)
    assert (reply.problems, reply.lacks) == ([], [])
    assert (reply.complete, reply.text, reply.usage, reply.first) == (True, SPEECH.text, (100, 60), 0.1)
    assert reply.model == "up-first"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_good_whole_answer_has_no_problem(dialect: Dialect) -> None:
    body = wire.whole(dialect, SPEECH, "1")
    reply = read_reply(heard(body, kind="application/json"), dialect, stream=False, request_id="id-1")
    assert (reply.problems, reply.lacks, reply.complete, reply.text) == ([], [], True, SPEECH.text)
    assert reply.usage == (100, 60)


@given(cuts=st.lists(st.integers(0, len(good("openai"))), max_size=12), dialect=st.sampled_from(DIALECTS))
def test_any_cutting_of_a_stream_reads_the_same(cuts: list[int], dialect: Dialect) -> None:
    body = good(dialect)
    edges = [0, *sorted(cuts), len(body)]
    pieces = tuple((float(n), body[a:b]) for n, (a, b) in enumerate(itertools.pairwise(edges)))
    whole = heard(body)
    reply = read_reply(Heard(200, whole.headers, pieces, 20.0, whole=True), dialect, stream=True, request_id="id-1")
    assert (reply.problems, reply.complete, reply.text, reply.usage) == ([], True, SPEECH.text, (100, 60))


@given(body=st.binary(max_size=300), dialect=st.sampled_from(DIALECTS), stream=st.booleans())
def test_nothing_that_is_sent_breaks_the_reader(body: bytes, dialect: Dialect, stream: bool) -> None:
    reply = read_reply(heard(body), dialect, stream=stream)
    assert not reply.complete


def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "up-first"}
    event = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


BEGIN = chunk({"role": "assistant", "content": "a01"})
END = chunk({}, "stop")
DONE = b"data: [DONE]\n\n"
ERROR = (
    b'data: {"error": {"message": "Broke.", "type": "api_error", "param": null, "code": "upstream_interrupted"}}\n\n'
)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (BEGIN + DONE, "[DONE] without a finish reason"),
        (BEGIN + END + DONE + DONE, "[DONE] came twice"),
        (BEGIN + ERROR + DONE, "something follows the end of the stream"),
        (BEGIN + END + DONE + BEGIN, "something follows the end of the stream"),
        (BEGIN + b"data: {nonsense\n\n" + END + DONE, "an event is no JSON"),
        (BEGIN + f"data: {{{GARBAGE}\n\n".encode() + END + DONE, "forwards the event of invalid JSON"),
        (BEGIN + b"retry: 100\n\n" + END + DONE, "the stream has the line 'retry: 100'"),
        (b"event: x\n" + BEGIN + END + DONE, "the stream has the line 'event: x'"),
        (BEGIN + END + DONE.strip(), "the last event has no blank line, so clients drop it"),
        (chunk({"content": "a01"}) + END + DONE, "the first delta has no role"),
        (BEGIN + END + chunk({"content": "a02"}) + DONE, "a choice goes on after its finish reason"),
        (BEGIN + chunk({}, "stop", id="other") + DONE, "the id changes within the stream"),
        (BEGIN + chunk({}, "stop", model="other") + DONE, "the model changes within the stream"),
        (BEGIN + b'data: {"choices": 1}\n\n' + DONE, "a chunk has not the shape of one"),
        (BEGIN + b"data: []\n\n" + DONE, "an event is no object"),
        (BEGIN + b'data: {"error": {"message": "x", "type": "y"}}\n\n', "the error has no param, code"),
        (BEGIN + b'data: {"error": {"message": ""}}\n\n', "the error has no error.message"),
    ],
)
def test_each_breach_of_openais_stream_is_named(body: bytes, problem: str) -> None:
    assert problem in read(body).problems


def named(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


START = named("message_start", message={"model": "m", "role": "assistant", "usage": {"input_tokens": 1}})
OPEN = named("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "a01"})
SHUT = named("content_block_stop", index=0)
LAST = named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1})
STOP = named("message_stop")
BROKE = named("error", error={"type": "api_error", "message": "Broke."})


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (START + START, "message_start came twice"),
        (OPEN, "content_block_start came before message_start"),
        (START + TEXT, "a delta belongs to no open content block"),
        (START + OPEN + OPEN, "a content block opens inside another"),
        (START + SHUT, "a content block stops that is not open"),
        (START + OPEN + LAST, "message_delta came before its content block stopped"),
        (START + OPEN + SHUT + STOP, "message_stop without a stop reason"),
        (START + BROKE + STOP, "something follows the end of the stream"),
        (START.replace(b"event: message_start\n", b""), "an event's name is not its type, so clients ignore it"),
        (START + named("message_delta", delta={"stop_reason": "end_turn"}), "a message_delta has not the shape of one"),
        (START + named("error", error="Broke."), "the error has no error.message"),
        (START + b"data: [DONE]\n\n", "an event is no JSON"),
    ],
)
def test_each_breach_of_anthropics_stream_is_named(body: bytes, problem: str) -> None:
    assert problem in read(body, "anthropic").problems


@pytest.mark.parametrize(("dialect", "body"), [("openai", BEGIN + ERROR), ("anthropic", START + OPEN + TEXT + BROKE)])
def test_an_error_event_ends_a_stream_cleanly(dialect: Dialect, body: bytes) -> None:
    reply = read(body, dialect)
    assert (reply.problems, reply.complete, reply.text) == ([], False, "a01")
    assert reply.error is not None
    assert (reply.error.event, reply.error.message) == (True, "Broke.")


@pytest.mark.parametrize(
    ("dialect", "body"), [("openai", BEGIN + END), ("anthropic", START + OPEN + TEXT + SHUT + LAST)]
)
def test_a_stream_without_its_end_mark_is_not_complete(dialect: Dialect, body: bytes) -> None:
    assert not read(body, dialect).complete


def test_a_stream_whose_body_is_cut_after_the_end_mark_is_a_problem() -> None:
    reply = read(BEGIN + END + DONE, whole=False)
    assert (reply.complete, reply.problems) == (False, ["the body is cut off after its last event"])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"error": {"message": "x", "type": "y", "param": null, "code": null}}', "an error under status 200"),
        (b"<html>", "the answer is no JSON"),
        (b'{"object": "chat.completion", "choices": []}', "the answer has not the shape of one"),
        (b'{"choices": [{"message": {"content": "x"}}]}', "object is not chat.completion"),
    ],
)
def test_each_breach_of_a_whole_answer_is_named(body: bytes, problem: str) -> None:
    assert problem in read_reply(heard(body, kind="application/json"), "openai", stream=False).problems


def test_a_cut_whole_answer_is_a_problem() -> None:
    body = wire.whole("openai", SPEECH, "1")[:50]
    got = read_reply(heard(body, kind="application/json", whole=False), "openai", stream=False)
    assert got.problems == ["the answer is cut off"]


def test_an_error_in_the_other_dialects_envelope_is_a_problem() -> None:
    body = b'{"error": {"message": "x", "type": "y", "param": null, "code": "z"}}'
    assert read(body, "anthropic", status=404, kind="application/json").problems
    assert not read(body, "openai", status=404, kind="application/json").problems


def test_an_error_that_is_a_web_page_is_a_problem() -> None:
    reply = read(b"<h1>Bad Gateway</h1>", status=502, kind="text/html")
    assert reply.problems == ["the error calls itself text/html", "the error is no JSON"]


def test_a_refusal_for_now_must_say_for_how_long() -> None:
    body = b'{"error": {"message": "x", "type": "y", "param": null, "code": "z"}}'
    assert read(body, status=503, kind="application/json").lacks == ["503 without retry-after"]
    assert read(body, status=503, kind="application/json", headers={"retry-after": "2"}).lacks == []


def test_each_promised_header_that_is_missing_is_named() -> None:
    got = Heard(200, (("content-type", "text/event-stream"),), ((0.1, good("openai")),), 0.2, whole=True)
    lacks = read_reply(got, "openai", stream=True, request_id="id-1").lacks
    assert lacks[0] == "x-request-id is not the caller's own"
    assert "x-mainstay-overhead-ms" in lacks[1]


@pytest.mark.parametrize("where", ["body", "header"])
def test_a_secret_is_found_wherever_it_stands(where: str) -> None:
    body = b'{"error": {"message": "by sk-1", "type": "y", "param": null, "code": "z"}}' if where == "body" else b"{}"
    got = heard(body, status=500, kind="application/json", headers={"x-debug": "sk-1"} if where == "header" else {})
    assert (
        "tells the caller 'sk-1', which is the provider's"
        in read_reply(got, "openai", stream=False, secrets=("sk-1",)).problems
    )


def test_no_answer_is_no_problem_of_shape() -> None:
    reply = read_reply(Heard(hung=True, ended=5.0), "openai", stream=True)
    assert (reply.status, reply.hung, reply.problems, reply.lacks) == (0, True, [], [])
