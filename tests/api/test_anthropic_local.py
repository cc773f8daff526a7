"""The official Anthropic SDK against the bundled local model: a real model, a real engine, no network."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from support.gateway import Gateway

FIXED: dict[str, Any] = {
    "model": "assistant",
    "max_tokens": 24,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Name three rivers."}],
    "extra_body": {"temperature": 0},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anthropic]:
    config = {
        "providers": {"house": {"kind": "llamacpp", "model": "smollm2-135m-instruct", "context": 1024, "parallel": 1}},
        "models": {"small": {"provider": "house"}},
        "routes": {"assistant": {"targets": ["small"]}},
    }
    with (
        Gateway(tmp_path_factory.mktemp("local"), config) as running,
        Anthropic(base_url=running.url, api_key=running.key, max_retries=0) as sdk,
    ):
        yield sdk


def test_the_model_answers_whole_and_streamed_with_the_same_words(client: Anthropic) -> None:
    whole = client.messages.create(**FIXED)
    with client.messages.stream(**FIXED) as stream:
        pieces = list(stream.text_stream)
        streamed = stream.get_final_message()
    assert len(pieces) > 3
    assert whole.content[0].to_dict() == {"type": "text", "text": "".join(pieces)}
    assert streamed.content[0].type == "text"
    assert streamed.stop_reason == whole.stop_reason
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert 0 < whole.usage.output_tokens <= 24
    # What the engine's cache holds of the prompt counts beside the rest, as this wire has it.
    counted = [usage.input_tokens + (usage.cache_read_input_tokens or 0) for usage in (whole.usage, streamed.usage)]
    assert counted[0] == counted[1] > 0


def test_a_stop_string_stops_it(client: Anthropic) -> None:
    messages = [{"role": "user", "content": "Count from one to nine with commas: 1, 2, 3,"}]
    answer = client.messages.create(**{**FIXED, "messages": messages, "stop_sequences": [","]})
    assert "," not in "".join(block.text for block in answer.content if block.type == "text")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, "unsupported_by_model"),
        ({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "unsupported_by_model"),
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context_length_exceeded"),
    ],
    ids=["tools", "thinking", "too long"],
)
def test_what_it_cannot_do_is_a_clear_400(client: Anthropic, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**{**FIXED, **fields})
    assert caught.value.error_code == code
