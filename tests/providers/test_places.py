"""What an error names is named in the caller's words, whatever wire the model speaks."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.core.call import Ask
from mainstay.core.errors import CallerError, ContextOverflow, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import ImagePart, Message, TextPart
from mainstay.core.target import Feature, Target
from mainstay.providers.anthropic import AnthropicCodec
from mainstay.providers.anthropic import read_ask as read_anthropic
from mainstay.providers.bedrock.codec import BedrockCodec
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.completions import as_chat
from mainstay.providers.completions import read_ask as read_completion
from mainstay.providers.gemini import GeminiCodec
from mainstay.providers.openai import OpenAICodec
from mainstay.providers.openai import read_ask as read_openai
from mainstay.providers.openai.requests import refuse
from mainstay.providers.places import name_place
from mainstay.providers.port import Codec
from mainstay.providers.responses import read_ask as read_responses
from mainstay.providers.responses.codec import ResponsesCodec
from mainstay.providers.responses.history import Stored, expand

CODECS: dict[str, Callable[[], Codec]] = {
    "openai": OpenAICodec,
    "anthropic": AnthropicCodec,
    "responses": ResponsesCodec,
    "gemini": GeminiCodec,
    "bedrock": BedrockCodec,
    "cohere": CohereCodec,
}
TARGET = Target("row", "p", "v", "upstream")
HELLO = {"role": "user", "content": "Hi"}
IMAGE = {"type": "input_image", "image_url": "data:image/tiff;base64,AAAA"}
#: Nobody but its own vendor knows such a part.
NEW = {"type": "input_novelty", "x": 1}
BAD_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1]"}


def anthropic(*messages: Any, **fields: Any) -> Ask:
    return read_anthropic(json.dumps({"model": "m", "max_tokens": 9, "messages": messages, **fields}).encode())


def openai(*messages: Any, **fields: Any) -> Ask:
    return read_openai(json.dumps({"model": "m", "messages": messages, **fields}).encode())


def responses(*items: Any, **fields: Any) -> Ask:
    return read_responses(json.dumps({"model": "m", "input": items, **fields}).encode())


def refused(ask: Ask, wire: str) -> str | None:
    """Return what the error names that ``ask`` meets on a wire; it names the same in its sentence."""
    with pytest.raises(CallerError) as caught:
        CODECS[wire]().request(ask, TARGET, stream=False)
    name_place(caught.value, ask)
    assert "prompt." not in caught.value.message
    assert caught.value.args == (caught.value.message,)
    return caught.value.param


FOREIGN = sorted(CODECS.keys() - {"responses"})


@pytest.mark.parametrize("wire", FOREIGN)
def test_a_responses_caller_reads_of_its_items(wire: str) -> None:
    said = {"role": "user", "content": [{"type": "input_text", "text": "a"}, NEW]}
    assert refused(responses(HELLO, said), wire) == "input[1].content[1]"
    assert refused(responses(HELLO, said, instructions="Be brief."), wire) == "input[1].content[1]"
    result = {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a"}, NEW]}
    call = {**BAD_CALL, "arguments": "{}"}
    assert refused(responses(HELLO, call, result), wire) == "input[2].output[1]"


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "bedrock", "cohere"])
def test_a_responses_callers_call_is_an_item_although_several_make_a_turn(wire: str) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm"}]}
    ask = responses(HELLO, thought, said, {**BAD_CALL, "arguments": "{}"}, BAD_CALL)
    assert refused(ask, wire) == "input[4].arguments"


def test_of_a_continued_response_only_the_callers_own_items_are_named() -> None:
    odd = {"role": "user", "content": [NEW]}
    for earlier, own, param in (
        ([odd], [HELLO], "previous_response_id"),
        ([HELLO], [HELLO, odd], "input[1].content[0]"),
    ):
        kept = Stored((), [msgspec.Raw(json.dumps(one).encode()) for one in earlier], msgspec.Raw(b'{"output":[]}'))
        ask = responses(*own, previous_response_id="resp_1")
        ask.raw = expand(ask.raw, [kept], {})
        assert refused(ask, "openai") == param


@pytest.mark.parametrize("wire", sorted(CODECS.keys() - {"anthropic"}))
def test_an_anthropic_caller_reads_of_its_blocks(wire: str) -> None:
    odd = {"type": "container_upload", "file_id": "f"}
    text = {"type": "text", "text": "a"}
    said = {"role": "user", "content": [text, odd]}
    assert refused(anthropic(HELLO, said), wire) == "messages[1].content[1]"
    assert refused(anthropic(HELLO, said, system="x"), wire) == "messages[1].content[1]"
    assert refused(anthropic(HELLO, system=[text, odd]), wire) == "system[1]"
    used = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    own = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "s"}, used, odd]}
    assert refused(anthropic(HELLO, own), wire) == "messages[1].content[2]"
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text, odd]}
    called = {"role": "assistant", "content": [used]}
    ask = anthropic(HELLO, called, {"role": "user", "content": [result]}, tools=[{"name": "f", "input_schema": {}}])
    assert refused(ask, wire) == "messages[2].content[0].content[1]"


@pytest.mark.parametrize("wire", ["gemini", "bedrock", "cohere", "anthropic"])
def test_a_chat_caller_reads_of_its_messages(wire: str) -> None:
    bad = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[1]"}}
    good = {"id": "d", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "x", "reasoning_content": "Hm", "tool_calls": [good, bad]}
    assert refused(openai(HELLO, said), wire) == "messages[1].tool_calls[1].function.arguments"
    parts = [{"type": "text", "text": "a"}, {"type": "video", "video": {}}]
    system = {"role": "system", "content": "x"}
    assert refused(openai(system, {"role": "user", "content": parts}), wire) == "messages[1].content[1]"
    answer = {"role": "tool", "tool_call_id": "d", "content": parts}
    called = {"role": "assistant", "tool_calls": [good]}
    assert refused(openai(HELLO, called, answer), wire) == "messages[2].content[1]"


def test_a_result_that_answers_no_call_is_named_by_each_callers_field() -> None:
    nothing = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    assert refused(anthropic({"role": "user", "content": [nothing]}), "gemini") == "messages[0].content[0].tool_use_id"
    answer = {"role": "tool", "tool_call_id": "t", "content": "x"}
    assert refused(openai(HELLO, answer), "gemini") == "messages[1].tool_call_id"
    output = {"type": "function_call_output", "call_id": "t", "output": "x"}
    assert refused(responses(HELLO, output), "gemini") == "input[1].call_id"


@pytest.mark.parametrize(
    ("fields", "wire", "param"),
    [
        ({"text": {"format": {"type": "json_object"}}}, "anthropic", "text.format"),
        ({"reasoning": {"effort": "minimal"}}, "anthropic", "reasoning.effort"),
        ({"top_logprobs": 2}, "cohere", "include"),
        ({"temperature": 1.5}, "bedrock", "temperature"),
        ({"tools": [{"type": "web_search"}]}, "cohere", "tools[0]"),
    ],
)
def test_settings_have_a_responses_callers_names(fields: dict[str, Any], wire: str, param: str) -> None:
    assert refused(responses(HELLO, **fields), wire) == param


def test_a_legacy_prompt_is_the_prompt() -> None:
    ask = as_chat(read_completion(b'{"model":"m","prompt":""}'), "row")
    for wire in ("anthropic", "gemini", "bedrock", "cohere"):
        assert refused(ask, wire) == "prompt"


def test_what_a_stage_added_stands_nowhere_and_what_it_kept_stands_where_it_was() -> None:
    said = {"role": "user", "content": [{"type": "input_text", "text": "a"}, NEW]}
    ask = responses(HELLO, said, instructions="Be brief.")
    prompt = ask.prompt
    added = Message("system", (TextPart("More."),))
    later = ask.asking(replace(prompt, messages=(prompt.messages[0], added, *prompt.messages[1:])))
    assert refused(later, "anthropic") == "input[1].content[1]"
    # One part of a turn was replaced: the turn is another, the part at fault the same.
    turn = replace(prompt.messages[2], parts=(TextPart("b"), prompt.messages[2].parts[1]))
    assert (
        refused(ask.asking(replace(prompt, messages=(*prompt.messages[:2], turn))), "openai") == "input[1].content[1]"
    )
    odd = Message("system", (ImagePart(url="https://x/y.png"),))
    assert refused(ask.asking(replace(prompt, messages=(odd, prompt.messages[1]))), "anthropic") == "input"


@pytest.mark.parametrize(
    ("ask", "feature", "param"),
    [
        (responses(HELLO, {"role": "user", "content": [IMAGE]}), Feature.IMAGES, "input[1].content[0]"),
        (responses(HELLO, top_logprobs=2), Feature.LOGPROBS, "top_logprobs"),
        (anthropic(HELLO, thinking={"type": "enabled", "budget_tokens": 1024}), Feature.THINKING, "thinking"),
        (openai(HELLO, seed=1), Feature.SEED, "seed"),
        (read_completion(b'{"model":"m","prompt":"a","presence_penalty":1}'), Feature.PENALTIES, "presence_penalty"),
        (read_completion(b'{"model":"m","prompt":"a","logprobs":1}'), Feature.LOGPROBS, "logprobs"),
    ],
)
def test_what_a_model_lacks_is_named_also_where_a_stage_changed_the_request(
    ask: Ask, feature: Feature, param: str
) -> None:
    assert ask.features == {feature}
    for changed in (ask, ask.asking(ask.prompt)):
        assert refuse(changed, "row", frozenset({feature})).param == param


@pytest.mark.parametrize(
    ("dialect", "theirs", "ours"),
    [
        (Dialect.RESPONSES, "messages[2].content[0].image_url", "input"),
        (Dialect.RESPONSES, "response_format.json_schema.schema", "text.format.schema"),
        (Dialect.RESPONSES, "max_completion_tokens", "max_output_tokens"),
        (Dialect.RESPONSES, "tools[0].function.parameters", "tools[0].parameters"),
        (Dialect.RESPONSES, "input[3].content", "input[3].content"),
        (Dialect.ANTHROPIC, "messages[2].content", "messages"),
        (Dialect.ANTHROPIC, "input[2].content", "messages"),
        (Dialect.ANTHROPIC, "max_output_tokens", "max_tokens"),
        (Dialect.ANTHROPIC, "tools[0].function.parameters", "tools[0].input_schema"),
        (Dialect.COMPLETIONS, "messages[0].content", "prompt"),
        (Dialect.OPENAI, "input[2].content[0]", "messages"),
        (Dialect.OPENAI, "text.format.schema", "response_format.schema"),
        (Dialect.OPENAI, "messages[2].content", "messages[2].content"),
        (Dialect.OPENAI, "novel", "novel"),
    ],
)
def test_an_upstreams_own_words_become_the_callers(dialect: Dialect, theirs: str, ours: str) -> None:
    error = ContextOverflow(f"Invalid '{theirs}'.", param=theirs)
    name_place(error, replace(openai(HELLO), dialect=dialect), sent=True)
    assert (error.param, error.message) == (ours, f"Invalid '{ours}'.")


def test_an_error_that_names_nothing_is_left_alone() -> None:
    error = Unsupported("No.")
    name_place(error, openai(HELLO))
    assert (error.param, error.message) == (None, "No.")
