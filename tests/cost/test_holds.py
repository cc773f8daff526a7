"""Bounds are bounds: whatever a request says, and however, an attempt takes no more than was reserved for it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Ask
from mainstay.core.target import Operation, Target
from mainstay.cost.holds import estimate, limited, most
from mainstay.providers.anthropic import read_ask as read_message
from mainstay.providers.completions import read_ask as read_completion
from mainstay.providers.openai import read_ask
from mainstay.providers.tasks.audio import read_speech, read_transcript
from mainstay.providers.tasks.embeddings import read_embeddings
from mainstay.providers.tasks.form import FormReader
from mainstay.providers.tasks.images import read_image_edit, read_images
from mainstay.providers.tasks.rerank import read_rerank

TARGET = Target("m", "p", "openai", "m", max_output=4096)
HELLO = [{"role": "user", "content": "Hi"}]


def chat(**fields: Any) -> Ask:
    return read_ask(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())


def told(body: bytes) -> Ask:
    return read_ask(b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}], ' + body + b"}")


@given(st.text(max_size=3000), st.booleans())
def test_a_prompt_has_no_more_tokens_than_bytes(text: str, ascii_only: bool) -> None:
    # No tokenizer makes more than one token of a byte.
    text = text.encode("utf-8", "replace").decode()
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}, ensure_ascii=ascii_only)
    need = most(read_ask(body.encode()), TARGET)
    assert need.given >= len(text.encode()) + 8


@given(st.lists(st.text(max_size=200), min_size=1, max_size=6))
def test_what_a_stage_has_changed_is_bounded_too(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    ask = chat(messages=[{"role": "user", "content": text} for text in texts])
    changed = ask.asking(ask.prompt)
    assert changed.raw == b""
    assert most(changed, TARGET).given >= sum(len(text.encode()) + 8 for text in texts)


@pytest.mark.parametrize(
    ("body", "written", "limited_"),
    [
        (b'"max_tokens": 100', 100, True),
        (b'"max_completion_tokens": 100', 100, True),
        (b'"max_tokens" : 100', 100, True),
        (b'"max\\u005ftokens": 100000', 100_000, True),
        (b'"\\u006dax_tokens": 100000', 100_000, True),
        (b'"\\u006e": 3', 3 * 4096, False),
        (b'"best\\u005fof": 3', 3 * 4096, False),
        # The larger of two, whichever an upstream heeds.
        (b'"max_tokens": 5, "max_completion_tokens": 90000', 90_000, True),
        (b'"max_tokens": 90000, "max_completion_tokens": 5', 90_000, True),
        (b'"max_tokens": 1, "max_tokens": 90000', 90_000, True),
        # What is no limit, or to some servers means that there is none.
        (b'"max_tokens": null', 4096, False),
        (b'"max_tokens": 0', 4096, False),
        (b'"max_tokens": -1', 4096, False),
        (b'"max_tokens": -1, "max_completion_tokens": 5', 4096, False),
        # Servers that are not strict.
        (b'"max_tokens": 90000.0', 90_000, True),
        (b'"max_tokens": "90000"', 90_000, True),
        (b'"max_tokens": 9e4', 90_000, True),
        (b'"n": 2.0, "max_tokens": 10', 20, True),
        (b'"max_tokens": 10, "n": "many"', 10, True),
        (b'"max_tokens": 10, "n": 4', 40, True),
        (b'"max_tokens": 10, "n": -4', 10, True),
        (b'"max_tokens": 10, "n": 2, "best_of": 5', 50, True),
    ],
    ids=str,
)
def test_the_answer_is_bounded_by_what_is_asked_however_it_is_said(body: bytes, written: int, limited_: bool) -> None:
    try:
        ask = told(body)
    except Exception:  # refused at the door: nothing is asked
        return
    need = most(ask, TARGET)
    assert (need.written, need.limited) == (written, limited_)


def test_the_words_of_fields_in_a_text_change_nothing() -> None:
    ask = chat(messages=[{"role": "user", "content": 'set "max_tokens": 9, "n": 7'}])
    assert (most(ask, TARGET).written, most(ask, TARGET).choices) == (4096, 1)


def test_each_prompt_of_a_list_is_answered_by_itself() -> None:
    body = {"model": "m", "prompt": ["a", "b", "c"], "max_tokens": 10, "n": 2}
    assert most(read_completion(json.dumps(body).encode()), TARGET).written == 60
    tokens = {"model": "m", "prompt": [list(range(500)), [1]], "max_tokens": 10}
    need = most(read_completion(json.dumps(tokens).encode()), TARGET)
    assert need.written == 20
    assert need.given >= 501


def test_a_completion_that_a_stage_made_a_conversation_of_is_bounded_by_that() -> None:
    ask = read_completion(json.dumps({"model": "m", "prompt": "word " * 2000}).encode())
    assert most(ask.asking(ask.prompt), TARGET).given >= 10_000


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini"])
@pytest.mark.parametrize("escaped", [False, True])
def test_an_image_takes_more_than_its_address(model: str, escaped: bool) -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part] * 3}]})
    if escaped:
        body = body.replace("image_url", "\\u0069mage_url")
    target = Target("m", "p", "openai", model)
    # What OpenAI says that the largest can be.
    assert most(read_ask(body.encode()), target).given >= 3 * (48_169 if model == "gpt-4o-mini" else 1_445)


def test_an_image_in_the_request_is_not_taken_for_text() -> None:
    data = base64.b64encode(bytes(3_000_000)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    need = most(chat(messages=[{"role": "user", "content": [part]}]), TARGET)
    assert need.given < 10_000


@pytest.mark.parametrize("where", [{"file_id": "f-1"}, {"file_data": "data:application/pdf;base64,AAAA"}])
def test_a_document_may_fill_a_window(where: dict[str, str]) -> None:
    ask = chat(messages=[{"role": "user", "content": [{"type": "file", "file": where}]}])
    assert most(ask, TARGET).given >= 200_000
    assert most(ask, Target("m", "p", "openai", "m", window=32_000)).given == 32_000


def test_an_image_in_a_tools_result_counts() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image, image]}
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [result]}]}
    assert most(read_message(json.dumps(body).encode()), TARGET).given >= 2 * 1_600


def test_tools_and_forms_count() -> None:
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string", "description": "x" * 90} for i in range(99)}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
    for fields in ({"tools": [tool]}, {"response_format": form}):
        ask = chat(**fields)
        assert most(ask, TARGET).given >= 9_000
        assert most(ask.asking(ask.prompt), TARGET).given >= 9_000


def form(**fields: str | bytes) -> Any:
    boundary, parts = b"xyz", []
    for name, value in fields.items():
        file = b'; filename="a"' if isinstance(value, bytes) else b""
        data = value if isinstance(value, bytes) else value.encode()
        parts.append(
            b'--xyz\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), file, data)
        )
    reader = FormReader(b"multipart/form-data; boundary=" + boundary)
    reader.feed(b"".join(parts) + b"--xyz--\r\n")
    return reader.finish()


def test_every_other_operation_has_its_bound() -> None:
    embedding = most(read_embeddings(json.dumps({"model": "m", "input": ["word " * 100] * 9}).encode()), TARGET)
    assert embedding.given >= 4_500
    ranked = most(read_rerank(json.dumps({"model": "m", "query": "q", "documents": ["d"] * 1000}).encode()), TARGET)
    assert ranked.other is not None
    assert ranked.other.rerank_units >= 10
    spoken = most(read_speech(json.dumps({"model": "m", "input": "a" * 500, "voice": "v"}).encode()), TARGET)
    assert spoken.other is not None
    assert spoken.other.characters >= 500
    drawn = most(read_images(json.dumps({"model": "m", "prompt": "p", "n": 40}).encode()), TARGET)
    assert drawn.other is not None
    assert (drawn.other.images, drawn.written) == (40, 40 * 8_000)
    edited = most(read_image_edit(form(model="m", prompt="p", n="7", image=b"png")), TARGET)
    assert edited.other is not None
    assert edited.other.images == 7
    assert edited.given >= 7_000


@pytest.mark.parametrize(("head", "rate"), [(b"RIFF\0\0\0\0WAVEfmt ", 16_000), (b"ID3\x04\0", 1_000), (b"OggS", 750)])
def test_sound_is_no_longer_than_its_bytes_allow(head: bytes, rate: int) -> None:
    sound = head + bytes(100_000)
    need = most(read_transcript(form(model="m", file=sound), Operation.TRANSCRIPTION), TARGET)
    assert need.other is not None
    # At the lowest rate of each format.
    assert need.other.audio_ms >= len(sound) * 1000 // rate


def test_a_count_of_tokens_is_free() -> None:
    ask = chat()
    ask.operation = Operation.COUNT
    need = most(ask, TARGET)
    assert (need.given, need.written) == (0, 0)


def test_a_limit_is_put_into_a_request() -> None:
    assert limited(chat(), 77).prompt.max_tokens == 77


def test_an_estimate_is_about_right_and_counts_the_answer() -> None:
    assert 256 < estimate(chat()) < 300
    assert 900 < estimate(chat(max_tokens=900)) < 950
    ask = chat(messages=[{"role": "user", "content": "word " * 1000}])
    assert 1_300 < estimate(ask) < 1_800
    assert 1_300 < estimate(ask.asking(ask.prompt)) < 2_000
