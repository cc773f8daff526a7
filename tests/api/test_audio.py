"""Audio: the official OpenAI SDK against a running gateway, files going up and speech coming down."""

import json
import socket
import threading
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway
from support.upstream import Chunk, Cut, End, Head, Received, Reply, Upstream, Wait, json_reply, sse

VOICE = bytes(range(256)) * 64
USAGE = {
    "type": "tokens",
    "input_tokens": 14,
    "output_tokens": 45,
    "total_tokens": 59,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
}


def fields(request: Received) -> dict[str, bytes]:
    """Return the parts of a form as the upstream got it, by Python's own parser of mail."""
    from email import message_from_bytes

    head = f"content-type: {request.header('content-type')}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body)
    found = {}
    for part in message.get_payload():
        assert not isinstance(part, str)
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = part.get_payload(decode=True)
    return found


def test_a_file_goes_up_as_it_came_with_only_the_model_renamed(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway
) -> None:
    body = {"text": "Hello.", "usage": USAGE, "novel": [1.0]}
    first.script(json_reply(body))
    raw = sdk.audio.transcriptions.with_raw_response.create(
        model="assistant",
        file=("voice.wav", VOICE, "audio/wav"),
        language="en",
        timestamp_granularities=["word"],
        extra_body={"novel_field": "kept"},
    )
    assert json.loads(raw.content) == body
    (request,) = first.requests
    assert request.path == "/v1/audio/transcriptions"
    assert b'filename="voice.wav"' in request.body
    assert fields(request) == {
        "model": b"upstream-first",
        "file": VOICE,
        "language": b"en",
        "timestamp_granularities[]": b"word",
        "novel_field": b"kept",
    }
    record = task_gateway.journal()[-1]
    assert (record.operation, record.route, record.outcome) == ("transcription", "assistant", "ok")
    assert record.usage is not None
    assert (record.usage.input, record.usage.output, record.usage.audio_input) == (14, 45, 10)
    assert record.content is None


@pytest.mark.parametrize(
    ("said", "milliseconds"),
    [
        ({"usage": {"type": "duration", "seconds": 12}}, 12_000),
        ({"usage": {"type": "duration", "seconds": 1.2345}}, 1_235),
        ({"duration": 8.47, "language": "en"}, 8_470),
        ({"usage": {"type": "duration", "seconds": "twelve"}}, None),
        ({}, None),
    ],
    ids=["seconds", "a-part-of-one", "verbose", "no-number", "nothing"],
)
def test_what_was_heard_is_on_the_record_in_the_upstreams_own_measure(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway, said: dict[str, Any], milliseconds: int | None
) -> None:
    first.script(json_reply({"text": "Hello.", **said}))
    sdk.audio.transcriptions.create(model="assistant", file=("voice.wav", VOICE, "audio/wav"))
    usage = task_gateway.journal()[-1].usage
    assert (usage.audio_ms if usage is not None else None) == milliseconds


def test_a_form_whose_model_keeps_its_name_goes_up_byte_for_byte(task_gateway: Gateway, first: Upstream) -> None:
    first.script(json_reply({"text": ""}))
    form = (
        b'preamble\r\n--b o \r\nContent-Disposition: form-data; name="model"\r\n\r\nsame\r\n'
        b'--b o\r\ncontent-disposition: form-data; name="file"; filename="a \\"b\\".mp3"\r\n\r\n'
        b"\r\n--b ox\r\n--b o--\r\nend"
    )
    answer = httpx.post(
        f"{task_gateway.url}/v1/audio/translations",
        content=form,
        headers={
            "authorization": f"Bearer {task_gateway.key}",
            "content-type": 'multipart/form-data; boundary="b o"',
        },
    )
    assert answer.json() == {"text": ""}
    assert first.requests[0].path == "/v1/audio/translations"
    assert first.requests[0].body == form
    assert first.requests[0].header("content-type") == 'multipart/form-data; boundary="b o"'


@pytest.mark.parametrize(
    ("form", "text"), [("text", "Hello.\n"), ("srt", "1\n00:00:00,000 --> \n"), ("vtt", "WEBVTT\n")]
)
def test_text_and_subtitles_come_back_as_text(sdk: OpenAI, first: Upstream, form: Any, text: str) -> None:
    first.script(Reply(200, (("content-type", "text/plain; charset=utf-8"),), text.encode()))
    raw = sdk.audio.transcriptions.with_raw_response.create(
        model="assistant", file=("a.mp3", VOICE), response_format=form
    )
    assert raw.text == text
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"


def test_verbose_json_passes(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply({"task": "transcribe", "language": "english", "duration": 1.5, "text": "x", "words": []}))
    answer = sdk.audio.transcriptions.create(model="assistant", file=("a.mp3", VOICE), response_format="verbose_json")
    assert answer.duration == 1.5


def test_a_transcript_is_streamed_event_by_event(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    done = {"type": "transcript.text.done", "text": "Hello you", "usage": USAGE}
    deltas = [{"type": "transcript.text.delta", "delta": text} for text in ("Hello", " you")]
    first.script(sse(*deltas, done))
    events = list(sdk.audio.transcriptions.create(model="assistant", file=("a.mp3", VOICE), stream=True))
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    record = task_gateway.journal()[-1]
    assert record.stream
    assert record.first_ms is not None
    assert record.usage is not None
    assert record.usage.output == 45


def test_a_cut_stream_of_a_transcript_ends_in_an_error(sdk: OpenAI, first: Upstream) -> None:
    first.script(sse({"type": "transcript.text.delta", "delta": "Hello"}, done=False))
    with pytest.raises(openai.APIError):
        list(sdk.audio.transcriptions.create(model="assistant", file=("a.mp3", VOICE), stream=True))


def test_a_whole_transcript_where_a_stream_was_asked_for_becomes_one(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply({"text": "Hello"}))
    events = list(sdk.audio.transcriptions.create(model="assistant", file=("a.mp3", VOICE), stream=True))
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]


@pytest.mark.parametrize(
    "answer",
    [
        json_reply({"error": {"message": "lost", "code": 500}}),
        json_reply({"words": []}),
        Reply(200, (("content-type", "text/html"),), b"<html>"),
        Reply(200, (("content-type", "application/json"),), b"Hello"),
    ],
)
def test_what_is_no_transcript_is_not_handed_on(sdk: OpenAI, first: Upstream, second: Upstream, answer: Reply) -> None:
    first.script(answer)
    second.script(json_reply({"text": "right"}))
    found = sdk.audio.transcriptions.create(model="rm8", file=("a.mp3", VOICE))
    assert found.text == "right"
    assert fields(second.requests[0])["model"] == b"upstream-m8b"
    assert fields(second.requests[0])["file"] == VOICE


def test_a_records_content_has_the_files_name_and_size_and_not_the_file(
    sdk: OpenAI, first: Upstream, task_gateway: Gateway
) -> None:
    first.script(json_reply({"text": "Hello."}))
    sdk.audio.transcriptions.create(model="kept", file=("voice.wav", VOICE, "audio/wav"))
    content = task_gateway.journal()[-1].content
    assert content is not None
    assert json.loads(content.request)["form"] == [
        {"name": "model", "value": "kept"},
        {"name": "file", "filename": "voice.wav", "content_type": "audio/wav", "bytes": len(VOICE)},
    ]
    assert json.loads(content.response) == {"text": "Hello."}


@pytest.mark.parametrize(
    ("content", "kind", "status", "word"),
    [
        (b"{}", "application/json", 415, "multipart/form-data"),
        (b"x", "multipart/form-data", 415, "boundary"),
        (b"--x--", "multipart/form-data; boundary=x", 400, "'model' is missing"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400, "last boundary"),
        (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x--',
            "multipart/form-data; boundary=x",
            400,
            "'file'",
        ),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    task_gateway: Gateway, content: bytes, kind: str, status: int, word: str
) -> None:
    answer = httpx.post(
        f"{task_gateway.url}/v1/audio/transcriptions",
        content=content,
        headers={"authorization": f"Bearer {task_gateway.key}", "content-type": kind},
    )
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


def test_speech_comes_as_bytes_with_its_own_type(sdk: OpenAI, first: Upstream, task_gateway: Gateway) -> None:
    first.script(Reply(200, (("content-type", "audio/mpeg"),), VOICE))
    answer = sdk.audio.speech.create(model="kept", voice="alloy", input="Hello")
    assert answer.content == VOICE
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert first.requests[0].path == "/v1/audio/speech"
    assert first.requests[0].json() == {"model": "upstream-first", "voice": "alloy", "input": "Hello"}
    record = task_gateway.journal()[-1]
    assert (record.operation, record.stream, record.response_bytes) == ("speech", True, len(VOICE))
    assert record.content is not None
    assert record.content.response == f"{len(VOICE)} bytes of audio/mpeg"


def test_speech_arrives_before_it_is_complete(sdk: OpenAI, first: Upstream) -> None:
    heard = threading.Event()
    head = Head(200, (("content-type", "audio/opus"),))
    first.script([head, Chunk(b"one"), Wait(heard), Chunk(b"two"), End()])
    with sdk.audio.speech.with_streaming_response.create(model="assistant", voice="x", input="Hello") as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b"one"
        heard.set()
        assert b"".join(pieces) == b"two"


def test_speech_that_breaks_off_cuts_the_connection(task_gateway: Gateway, sdk: OpenAI, first: Upstream) -> None:
    first.script([Head(200, (("content-type", "audio/mpeg"),)), Chunk(b"one"), Cut()])
    with (
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream(
            "POST",
            f"{task_gateway.url}/v1/audio/speech",
            json={"model": "assistant", "voice": "x", "input": "Hello"},
            headers={"authorization": f"Bearer {task_gateway.key}"},
        ) as answer,
    ):
        assert answer.status_code == 200
        answer.read()
    task_gateway.until(lambda: task_gateway.journal()[-1].error == "upstream_interrupted")


def test_an_error_instead_of_speech_is_a_status(sdk: OpenAI, first: Upstream) -> None:
    first.script(json_reply({"error": {"message": "no such voice", "type": "invalid_request_error"}}, 400))
    with pytest.raises(openai.BadRequestError, match="no such voice"):
        sdk.audio.speech.create(model="assistant", voice="x", input="Hello")
    first.script(json_reply({"audio": None}))
    with pytest.raises(openai.InternalServerError):
        sdk.audio.speech.create(model="assistant", voice="x", input="Hello")


def test_speech_as_events_ends_with_its_usage(task_gateway: Gateway, sdk: OpenAI, first: Upstream) -> None:
    done = {"type": "speech.audio.done", "usage": {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}}
    first.script(sse({"type": "speech.audio.delta", "audio": "AAAA"}, done))
    with sdk.audio.speech.with_streaming_response.create(
        model="assistant", voice="x", input="Hello", stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = answer.read().decode()
    assert text.count("data: ") == 3
    usage = task_gateway.journal()[-1].usage
    assert usage is not None
    assert usage.output == 9


def test_a_reader_that_stops_slows_the_upstream_down_and_nothing_piles_up(
    task_gateway: Gateway, sdk: OpenAI, first: Upstream
) -> None:
    piece = bytes(256 * 1024)
    first.script([Head(200, (("content-type", "audio/wav"),)), *[Chunk(piece)] * 256, End()])
    body = json.dumps({"model": "assistant", "voice": "x", "input": "Hello"}).encode()
    head = (
        f"POST /v1/audio/speech HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {task_gateway.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", task_gateway.port)) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        caller.sendall(head.encode() + body)
        (request,) = first.wait_for(1)
        assert caller.recv(100)
        # Far less than the 64 MiB has left the upstream while nobody reads.
        assert not request.answered.wait(0.5)
        assert request.written < 32 * 1024 * 1024
    assert request.closed.wait(60)
    task_gateway.until(lambda: task_gateway.journal()[-1].outcome == "gone")
