"""What a messages request needs of a model, and which of its fields asks for it."""

import json
from typing import Any

import msgspec
import pytest

from mainstay.core.call import Ask
from mainstay.core.events import Dialect
from mainstay.core.target import Feature, Operation
from mainstay.providers.anthropic import locate, read_ask, read_count, scan

TALK = [{"role": "user", "content": "x"}]
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x"}}


def ask(*content: Any, **fields: Any) -> Ask:
    messages = [{"role": "user", "content": list(content) or "x"}]
    return read_ask(json.dumps({"model": "m", "max_tokens": 5, "messages": messages, **fields}).encode())


def test_an_ask_carries_the_callers_bytes() -> None:
    found = ask(stream=True)
    assert (found.dialect, found.model, found.stream, found.include_usage) == (Dialect.ANTHROPIC, "m", True, True)
    assert json.loads(found.raw)["max_tokens"] == 5
    assert found.operation is Operation.CHAT


def test_to_count_needs_no_limit_and_gives_no_stream() -> None:
    found = read_count(b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}')
    assert found.operation is Operation.COUNT
    assert not found.stream


@pytest.mark.parametrize(
    ("found", "feature", "path"),
    [
        (ask(IMAGE), Feature.IMAGES, "messages[0].content[0]"),
        (ask({"type": "text", "text": "x"}, {"type": "document"}), Feature.DOCUMENTS, "messages[0].content[1]"),
        (ask(tools=[{"name": "f"}]), Feature.TOOLS, "tools"),
        (ask({"type": "tool_result", "tool_use_id": "a"}), Feature.TOOLS, "messages[0].content[0]"),
        (
            ask({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}, IMAGE]}),
            Feature.IMAGES,
            "messages[0].content[0].content[1]",
        ),
        (ask(thinking={"type": "enabled", "budget_tokens": 1024}), Feature.THINKING, "thinking"),
        (ask(output_config={"format": {"type": "json_schema"}}), Feature.SCHEMA, "output_config.format"),
        (ask(output_format={"type": "json_schema"}), Feature.SCHEMA, "output_format"),
        (ask(messages=[*TALK, {"role": "assistant", "content": "{"}]), Feature.PREFILL, "messages[1]"),
        (ask(messages=[*TALK, {"role": "assistant", "content": [{"type": "text"}]}]), Feature.PREFILL, "messages[1]"),
    ],
)
def test_each_feature_is_found_where_it_is_asked_for(found: Ask, feature: Feature, path: str) -> None:
    assert feature in found.features
    assert locate(found, feature) == path


@pytest.mark.parametrize(
    "found",
    [
        ask(),
        ask(thinking={"type": "adaptive"}),
        ask(thinking={"type": "disabled"}),
        ask(output_config={"effort": "low"}),
        ask({"type": "thinking", "thinking": "x", "signature": "s"}),
        ask({"type": "server_tool_use", "content": 5}),
        ask(tools=[]),
        # A turn that the vendor has paused goes on where it stopped.
        ask(messages=[*TALK, {"role": "assistant", "content": [{"type": "text"}, {"type": "server_tool_use"}]}]),
    ],
)
def test_what_any_model_can_do_is_no_feature(found: Ask) -> None:
    assert found.features == frozenset()


def test_a_prompt_that_a_stage_changed_needs_what_it_needs() -> None:
    before = ask(IMAGE, thinking={"type": "enabled", "budget_tokens": 1024}, tools=[{"name": "f"}])
    changed = msgspec.structs.replace(before, raw=b"", _prompt=before.prompt)
    assert scan(changed) == before.features
