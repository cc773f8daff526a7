"""A prompt written reads as the same prompt; one of another dialect is adapted without loss of meaning."""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from mainstay.core.errors import Unsupported
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    OutputForm,
    Part,
    Prompt,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from mainstay.providers.openai import read_prompt, write_prompt
from mainstay.providers.openai.prompt_writer import adapt_prompt

words = st.text(min_size=1, max_size=8)
base64 = st.binary(min_size=1, max_size=6).map(lambda data: b64encode(data).decode())
raws = st.sampled_from([b"1.0", b"null", b'{"a":[1e5]}', b"123456789012345678901234567890"]).map(Raw)
extras = st.dictionaries(st.sampled_from(["x_one", "x_two", "cache_control"]), raws, max_size=2)
optional = st.none() | st.booleans()

texts = st.builds(TextPart, words, extras)
images = st.one_of(
    st.builds(ImagePart, url=words.map(lambda w: "https://" + w), detail=st.sampled_from(["", "low"]), extra=extras),
    st.builds(ImagePart, data=base64, media_type=st.sampled_from(["image/png", "image/webp"]), extra=extras),
)
documents = st.one_of(
    st.builds(DocumentPart, data=base64, media_type=st.just("application/pdf"), name=st.just("") | words, extra=extras),
    st.builds(DocumentPart, data=words, media_type=st.just("text/plain"), extra=extras),
    st.builds(DocumentPart, file_id=words, extra=extras),
)
audios = st.builds(AudioPart, base64, st.sampled_from(["wav", "mp3"]), extras)
strange = st.just(OpaquePart(Raw(b'{"type":"video_url","n":1.0}'), "openai"))
content = st.lists(st.one_of(texts, images, documents, audios, strange), max_size=3).map(tuple)
calls = st.lists(st.builds(ToolCallPart, words, words, st.text(max_size=8), extras), max_size=2)
sealed = st.lists(
    st.one_of(st.builds(ThinkingPart, st.text(max_size=5), words), st.builds(ThinkingPart, redacted=words)),
    min_size=1,
    max_size=3,
)
thinking = st.one_of(st.just([]), st.builds(ThinkingPart, words).map(lambda part: [part]), sealed)
names = st.none() | words

messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "developer", "user"]), content, names, extras),
    st.builds(
        Message, st.just("tool"), st.builds(ToolResultPart, words, content).map(lambda part: (part,)), names, extras
    ),
    st.builds(
        Message,
        st.just("assistant"),
        st.tuples(thinking, content, calls).map(lambda parts: (*parts[0], *parts[1], *parts[2])),
        names,
        extras,
    ),
)
forms = st.one_of(
    st.none(),
    st.just(OutputForm("text")),
    st.just(OutputForm("json")),
    st.builds(OutputForm, st.just("schema"), st.just(Raw(b'{"type":"object"}')), words, names, optional),
)
tools = st.one_of(
    st.builds(Tool, words, names, st.none() | st.just(Raw(b'{"a":1.0}')), optional, extras),
    st.just(Tool("custom", opaque=Raw(b'{"type":"custom","custom":{"name":"g"}}'))),
)
numbers = st.none() | st.floats(-2, 2).filter(lambda x: x == x)
prompts = st.builds(
    Prompt,
    model=words,
    messages=st.lists(messages, min_size=1, max_size=4).map(tuple),
    stream=st.booleans(),
    tools=st.lists(tools, max_size=2).map(tuple),
    tool_choice=st.none() | st.sampled_from([ToolChoice("auto"), ToolChoice("any"), ToolChoice("tool", "f")]),
    parallel_tools=optional,
    max_tokens=st.none() | st.integers(1, 9),
    temperature=numbers,
    top_p=numbers,
    stop=st.lists(words, max_size=2).map(tuple),
    n=st.none() | st.integers(1, 4),
    seed=st.none() | st.integers(-(2**70), 2**70),
    frequency_penalty=numbers,
    presence_penalty=numbers,
    logit_bias=st.none() | st.just(Raw(b'{"5":1.0}')),
    logprobs=optional,
    top_logprobs=st.none() | st.integers(0, 5),
    form=forms,
    reasoning_effort=names,
    user=names,
    extra=st.dictionaries(st.sampled_from(["metadata", "modalities_x", "store"]), raws, max_size=2),
)


def encoded(prompt: Prompt) -> Any:
    """Return the prompt as plain values: raw fields compare by their JSON."""
    return json.loads(msgspec.json.encode(prompt))


@settings(max_examples=150, deadline=None)
@given(prompts)
def test_what_is_written_reads_the_same(prompt: Prompt) -> None:
    again = read_prompt(write_prompt(prompt, stream=prompt.stream))
    assert again.include_usage is prompt.stream
    assert encoded(msgspec.structs.replace(again, include_usage=False)) == encoded(prompt)


def written(*messages: Message, **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(write_prompt(adapt_prompt(Prompt("m", messages, **fields)), stream=False))[
        "messages"
    ]
    return found


def test_results_and_words_of_one_turn_become_messages_in_order() -> None:
    image = ImagePart(data="AA==", media_type="image/png")
    turn: tuple[Part, ...] = (
        TextPart("go on"),
        ToolResultPart("1", (TextPart("one"),)),
        ToolResultPart("2", (image,)),
    )
    asked = Message("assistant", (ToolCallPart("1", "f", "{}"), ToolCallPart("2", "g", "{}")))
    assert written(asked, Message("user", turn), Message("assistant", (TextPart("done"),)))[1:] == [
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "The result follows."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "text", "text": "go on"},
            ],
        },
        {"role": "assistant", "content": "done"},
    ]


def test_a_failed_result_says_so() -> None:
    found = written(Message("tool", (ToolResultPart("1", (TextPart("disk full"),), is_error=True),)))
    assert [item["text"] for item in found[0]["content"]] == ["The tool failed.", "disk full"]


def test_reasoning_sealed_for_another_vendor_is_left_out() -> None:
    turn = Message("assistant", (ThinkingPart("why", "sig"), TextPart("x", {"cache_control": Raw(b"{}")})))
    assert written(turn) == [{"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (OpaquePart(Raw(b"{}"), "anthropic"), "prompt.messages[0].parts[0]"),
        (DocumentPart(url="https://x/y.pdf"), "prompt.messages[0].parts[0]"),
    ],
)
def test_what_the_wire_cannot_say_is_refused_by_name(part: Part, param: str) -> None:
    with pytest.raises(Unsupported) as caught:
        written(Message("user", (part,)))
    assert caught.value.param == param


def test_another_vendors_own_tool_is_refused_by_name() -> None:
    with pytest.raises(Unsupported) as caught:
        written(Message("user", (TextPart("x"),)), tools=(Tool("web_search", opaque=Raw(b"{}")),))
    assert caught.value.param == "tools[0]"
