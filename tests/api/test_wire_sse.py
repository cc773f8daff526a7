"""Server-sent events over real sockets: read however they are framed, written so that every client can read them."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from support.gateway import completion
from support.upstream import Chunk, Cut, End, Head, Reply, Reset, Step, Wait, json_reply
from support.wires import HELLO, Talk, chunk, event, finish, pieces, role, said, stream_of, usage_chunk

WHOLE = [role(), said("Hé"), said(" 你\u2028好\x85"), said(" \U0001f600"), finish()]
TEXT = "Hé 你\u2028好\x85 \U0001f600"


def framed(form: bytes, *data: bytes) -> bytes:
    """Return a stream in which every event is written as ``form``, which has its data in the place of ``$``."""
    return b"".join(form.replace(b"$", item) for item in (*data, b"[DONE]"))


FORMS = {
    "one space": b"data: $\n\n",
    "no space": b"data:$\n\n",
    "more spaces": b"data:   $ \n\n",
    "crlf": b"data: $\r\n\r\n",
    "cr": b"data: $\r\r",
    "mixed line ends": b"data: $\r\n\n",
    "comments around": b": before\n\n: and\ndata: $\n: after\n\n",
    "every field, in any order": b"retry: 5\nnovel: x\ndata: $\nid: 7\nevent: message\n\n",
    "blank lines besides": b"\n\ndata: $\n\n\n\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_framing_of_an_event_is_read(talk: Talk, form: bytes) -> None:
    seen = talk.stream(*pieces(framed(form, *WHOLE)))
    assert (seen.text(), seen.done, seen.reasons()[-1]) == (TEXT, 1, "stop")


def test_lines_of_data_are_one_event(talk: Talk) -> None:
    spread = json.dumps(json.loads(said("Hi")), indent=1).encode().replace(b"\n", b"\ndata: ")
    seen = talk.stream(*stream_of(role(), spread, finish()))
    assert seen.text() == "Hi"


def test_a_byte_order_mark_before_the_first_line_is_dropped(talk: Talk) -> None:
    seen = talk.stream(*pieces(b"\xef\xbb", b"\xbfda", b"ta: " + role() + b"\n\n", event(said("Hi")), event(finish())))
    assert (seen.text(), seen.deltas()[0]["role"]) == ("Hi", "assistant")
    assert b"\xef\xbb\xbf" not in seen.body


def _after(data: bytes, *marks: bytes) -> list[bytes]:
    """Cut ``data`` behind each of ``marks``, wherever one stands."""
    for mark in marks:
        data = data.replace(mark, mark + b"\0")
    return [part for part in data.split(b"\0") if part]


#: Where bytes are cut: one write of the upstream each.
CUTS: dict[str, Callable[[bytes], list[bytes]]] = {
    "all events in one write": lambda data: [data],
    "one byte a write": lambda data: [data[i : i + 1] for i in range(len(data))],
    "within each character": lambda data: _after(data, b"\xf0\x9f", b"\xc3", b"\xe4\xbd"),
    "within a surrogate's escape": lambda data: _after(data, b"\\ud83d\\u", b"de00\\"),
    "between the two bytes of a line's end": lambda data: _after(data, b"\r"),
}


@pytest.mark.parametrize("form", [b"data: $\n\n", b"data: $\r\n\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_an_event_may_be_cut_anywhere(talk: Talk, cut: Callable[[bytes], list[bytes]], form: bytes) -> None:
    escaped = said("").replace(b'"content": ""', b'"content": "\\ud83d\\ude00\\n"')
    stream = framed(form, *WHOLE[:-1], escaped, finish())
    seen = talk.stream(Head(200), *map(Chunk, cut(stream)), End())
    assert seen.text() == TEXT + "\U0001f600\n"
    assert seen.done == 1


@pytest.mark.parametrize("tail", [b"data: $", b"data: $\n", b"data:$\r"])
def test_a_last_event_without_its_blank_line_is_used_if_it_is_whole(talk: Talk, tail: bytes) -> None:
    seen = talk.stream(*pieces(event(role()), event(said("Hi")), tail.replace(b"$", finish())))
    assert (seen.text(), seen.reasons()[-1], seen.done) == ("Hi", "stop", 1)


def test_a_last_event_that_was_cut_is_no_event(talk: Talk) -> None:
    seen = talk.stream(*pieces(event(role()), event(said("Hi")), (b"data: " + finish())[:-1]))
    assert (seen.text(), seen.error["code"], seen.done) == ("Hi", "upstream_interrupted", 0)


ENDS = {
    "once": [event(b"[DONE]")],
    "never": [],
    "twice": [event(b"[DONE]")] * 2,
    "without the space": [b"data:[DONE]\n\n"],
    "without its blank line": [b"data: [DONE]"],
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_done_is_said_once_to_the_caller_however_the_upstream_says_it(talk: Talk, end: list[bytes]) -> None:
    seen = talk.stream(*pieces(*map(event, WHOLE), *end))
    assert (seen.text(), seen.done, seen.error) == (TEXT, 1, {})


@pytest.mark.parametrize("end", [[], [event(b"[DONE]")]], ids=["without done", "with done"])
def test_an_end_without_a_finish_reason_is_a_cut(talk: Talk, end: list[bytes]) -> None:
    seen = talk.stream(*pieces(event(role()), event(said("Hi")), *end))
    assert (seen.text(), seen.error["code"], seen.done) == ("Hi", "upstream_interrupted", 0)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (event(b'{"error":{"message":"m","type":"server_error","code":503}}'), 503),
        (event(b'{"object":"error","message":"too long","type":"BadRequestError","code":400}'), 400),
        (b"event: error\n" + event(b'{"message":"overloaded"}'), 502),
        (event(role()) + event(b'{"error":{"message":"m","code":429}}'), 429),
    ],
)
def test_an_error_before_the_first_word_is_a_status(talk: Talk, first: bytes, status: int) -> None:
    seen = talk.stream(*pieces(first), model="broken")
    assert (seen.status, seen.blocks) == (status, [])
    assert seen.error["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "body",
    [{"message": "Network connection lost."}, {"error": {"message": "m", "type": "x"}}, {"choices": None}, [], {}],
)
def test_a_200_that_is_no_answer_is_an_error(talk: Talk, body: Any, stream: bool) -> None:
    seen = talk.whole(json_reply(body), model="broken", stream=stream)
    assert seen.status == 502
    assert seen.error["message"]


def test_an_answer_that_came_whole_is_streamed_to_who_asked_for_a_stream(talk: Talk) -> None:
    options = {"include_usage": True}
    seen = talk.whole(json_reply(completion("Hi!", system_fingerprint="fp")), stream=True, stream_options=options)
    assert (seen.text(), seen.done, [word for word in seen.reasons() if word]) == ("Hi!", 1, ["stop"])
    assert (seen.data[-1]["choices"], seen.data[-1]["usage"]["total_tokens"]) == ([], 12)


def test_a_web_page_is_no_stream(talk: Talk) -> None:
    page = Reply(200, (("content-type", "text/html"),), b"<html>log in</html>")
    seen = talk.whole(page, model="broken", stream=True)
    assert (seen.status, seen.error["code"]) == (502, "upstream_broken")
    assert b"html" not in seen.body


MIB = 1024 * 1024


def test_an_event_of_many_mebibytes_passes(talk: Talk) -> None:
    sound = "QUJD" * (MIB * 2)
    audio = chunk({"audio": {"id": "a", "data": sound}})
    seen = talk.stream(*stream_of(role(), audio, finish()), model="huge")
    assert [delta["audio"]["data"] for delta in seen.deltas() if "audio" in delta] == [sound]


def test_an_event_beyond_the_ceiling_is_a_clean_error_and_costs_bounded_memory(talk: Talk) -> None:
    def flood() -> Iterator[Step]:
        yield Head(200)
        yield Chunk(event(role()) + event(said("Hi")) + b"data: ")
        for _ in range(200):
            yield Chunk(b"x" * MIB)

    talk.upstream.script(flood())
    seen = talk.post({"model": "huge", "messages": HELLO, "stream": True})
    assert (seen.text(), seen.error["code"], seen.done) == ("Hi", "upstream_interrupted", 0)
    assert talk.record().attempts[-1].outcome == "upstream_broken"
    # The upstream was stopped, and not read to its end.
    assert talk.upstream.requests[-1].closed.wait(60)
    assert talk.upstream.requests[-1].written < 100 * MIB


def test_a_stream_says_what_it_is_and_that_nobody_may_hold_it_back(talk: Talk) -> None:
    talk.upstream.script(stream_of(*WHOLE))
    body = {"model": "plain", "messages": HELLO, "stream": True}
    seen = talk.post(body, **{"accept-encoding": "gzip, br, zstd, deflate"})
    assert seen.headers["content-type"].split(";")[0] == "text/event-stream"
    assert seen.headers["cache-control"] == "no-cache"
    assert seen.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in seen.headers
    assert seen.text() == TEXT


def test_a_connection_serves_on_after_a_stream(talk: Talk) -> None:
    ports = set()
    for _ in range(3):
        talk.upstream.script(stream_of(*WHOLE))
        body = {"model": "plain", "messages": HELLO, "stream": True}
        with talk.client.stream("POST", "/v1/chat/completions", json=body) as response:
            assert response.read().endswith(b"data: [DONE]\n\n")
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1


def test_the_first_event_is_here_before_the_second_is_sent(talk: Talk) -> None:
    here = threading.Event()
    talk.upstream.script(
        [Head(200), Chunk(event(role()) + event(said("Hi"))), Wait(here), Chunk(event(finish())), End()]
    )
    body = {"model": "plain", "messages": HELLO, "stream": True}
    # The upstream goes on only once the caller has the first word: held back, it would never come.
    seen = talk.watch(body, (b'"Hi"', here))
    assert (seen.text(), seen.done) == ("Hi", 1)


ALIVE = {
    "a comment": b": still here\n\n",
    "a named event without data": b"event: ping\n\n",
    "a named event": b'event: ping\ndata: {"type":"ping"}\n\n',
    "a time to retry": b"retry: 100\n\n",
    "an empty event": b"data:\n\n",
}


@pytest.mark.parametrize("sign", ALIVE.values(), ids=ALIVE)
def test_an_upstreams_sign_of_life_is_passed_on_at_once_as_a_comment(talk: Talk, sign: bytes) -> None:
    heard, alive = threading.Event(), threading.Event()
    begin, end = event(role()) + event(said("Hi")), event(finish())
    talk.upstream.script([Head(200), Chunk(begin), Wait(heard), Chunk(sign), Wait(alive), Chunk(end), End()])
    body = {"model": "plain", "messages": HELLO, "stream": True}
    seen = talk.watch(body, (b'"Hi"', heard), (b": ping\n\n", alive))
    assert (seen.text(), seen.done) == ("Hi", 1)


def test_a_sign_of_life_is_no_first_word(talk: Talk) -> None:
    steps = [Head(200), Chunk(b": hello\n\n" * 3), *map(Chunk, map(event, (role(),))), Reset()]
    seen = talk.stream(*steps, model="broken")
    # Nothing was said: the status can still tell of it.
    assert (seen.status, seen.blocks) == (502, [])


@pytest.mark.parametrize("end", [Cut(), Reset(), End()], ids=["closed", "reset", "ended"])
def test_a_break_after_the_first_word_is_an_error_event_and_no_done(talk: Talk, end: Step) -> None:
    seen = talk.stream(Head(200), Chunk(event(role()) + event(said("Hi"))), end)
    assert (seen.status, seen.text(), seen.done) == (200, "Hi", 0)
    assert set(seen.error) == {"message", "type", "param", "code"}
    assert json.loads(seen.blocks[-1].removeprefix(b"data: ")) == {"error": seen.error}


def test_one_unreadable_event_is_left_out_and_a_second_ends_the_stream(talk: Talk) -> None:
    once = talk.stream(*stream_of(role(), said("A"), b"{no json", said("B"), finish()))
    assert (once.text(), once.done) == ("AB", 1)
    twice = talk.stream(*stream_of(role(), said("A"), b"{no json", said("B"), b"{no json", said("C"), finish()))
    assert (twice.text(), twice.done, twice.error["code"]) == ("AB", 0, "upstream_interrupted")


#: What made a client fail that read the upstream itself.
HOSTILE = {
    "no spaces, crlf, comments": framed(b": c\r\n\r\ndata:$\r\n\r\n", *WHOLE, usage_chunk()),
    "a byte-order mark": b"\xef\xbb\xbf" + framed(b"data: $\n\n", *WHOLE),
    "pings without data": framed(b"event: ping\n\ndata: $\n\n", *WHOLE),
    "times to retry": framed(b"retry: 100\n\ndata: $\n\n", *WHOLE),
    "an id and then comments": framed(b"id: 1\ndata: $\n\n: c\n\n", *WHOLE),
    "one event that is no JSON": framed(b"data: $\n\n", *WHOLE[:2], b"{", *WHOLE[2:]),
    "no blank line at the end": framed(b"data: $\n\n", *WHOLE).removesuffix(b"\n\n"),
}


@pytest.mark.parametrize("stream", HOSTILE.values(), ids=HOSTILE)
def test_the_sdk_reads_every_stream_through_the_gateway(talk: Talk, stream: bytes) -> None:
    talk.upstream.script(pieces(stream))
    with OpenAI(base_url=f"{talk.gateway.url}/v1", api_key=talk.gateway.key, max_retries=0) as sdk:
        chunks = list(sdk.chat.completions.create(model="plain", messages=HELLO, stream=True))  # type: ignore[call-overload]  # a list of dicts will do
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT
    assert chunks[0].choices[0].delta.role == "assistant"


@pytest.mark.parametrize(
    "steps",
    [
        pieces(event(role()), event(said("Hi"))),
        [Head(200), Chunk(event(role()) + event(said("Hi"))), Cut()],
        pieces(event(role()), event(said("Hi")), event(b'{"error":{"message":"m","code":500}}')),
        pieces(event(role()), event(said("Hi")), b"event: error\n" + event(b'{"error":{"message":"m"}}')),
    ],
    ids=["a clean end without a terminal event", "a connection closed", "an error", "an error with its name"],
)
def test_the_sdk_raises_for_every_stream_that_is_no_whole_answer(talk: Talk, steps: list[Step]) -> None:
    talk.upstream.script(steps)
    with OpenAI(base_url=f"{talk.gateway.url}/v1", api_key=talk.gateway.key, max_retries=0) as sdk:
        words = []
        with pytest.raises(openai.APIError) as caught:
            for part in sdk.chat.completions.create(model="plain", messages=HELLO, stream=True):  # type: ignore[call-overload]  # a list of dicts will do
                words.append(part.choices[0].delta.content)
    assert "Hi" in words
    assert caught.value.code
