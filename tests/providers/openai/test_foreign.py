"""What callers of Anthropic's wire ask of an OpenAI upstream: translated, or refused with their own field named."""

import json
from typing import Any

import pytest

from mainstay.core.errors import Unsupported
from mainstay.providers.anthropic import read_prompt
from mainstay.providers.openai.prompt_writer import adapt_prompt, write_prompt

TEXT = {"type": "text", "text": "x"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}


def sent(*content: Any, **fields: Any) -> dict[str, Any]:
    """Return the body that an OpenAI upstream gets."""
    messages = [{"role": "user", "content": list(content) or "x"}]
    body = {"model": "m", "max_tokens": 9, "messages": messages, **fields}
    prompt = adapt_prompt(read_prompt(json.dumps(body).encode()))
    return dict(json.loads(write_prompt(prompt, stream=False)))


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 32000}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "max"}}, "xhigh"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": None}, None),
    ],
)
def test_thinking_becomes_an_effort(fields: dict[str, Any], effort: str | None) -> None:
    body = sent(**fields)
    assert body.get("reasoning_effort") == effort
    assert not {"thinking", "output_config"} & body.keys()


def test_a_long_user_id_becomes_its_digest() -> None:
    long = sent(metadata={"user_id": "u" * 140})["user"]
    assert len(long) == 64
    assert long == sent(metadata={"user_id": "u" * 140})["user"] != sent(metadata={"user_id": "v" * 140})["user"]
    assert sent(metadata={"user_id": "u" * 64})["user"] == "u" * 64


def test_hints_and_defaults_are_left_out_and_the_unknown_travels() -> None:
    body = sent(
        cache_control={"type": "ephemeral"},
        context_management={"edits": []},
        speed="standard",
        container=None,
        mcp_servers=[],
        service_tier="standard_only",
        top_k=5,
        novel=1,
    )
    assert {key: body[key] for key in body.keys() - {"model", "messages", "max_completion_tokens"}} == {
        "service_tier": "default",
        "top_k": 5,
        "novel": 1,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("container", "c"),
        ("mcp_servers", [{"name": "x"}]),
        ("inference_geo", "us"),
        ("speed", "fast"),
        ("thinking", {"type": "between_tools"}),
        ("output_config", {"task_budget": 5}),
        ("metadata", {"x": 1}),
    ],
)
def test_what_changes_the_answer_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(**{field: value})
    assert caught.value.param == field


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "search_result", "source": "x", "title": "x", "content": []}, ""),
        ({"type": "document", "source": {"type": "url", "url": "https://x"}}, ""),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, ""),
    ],
)
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_part_is_refused_by_its_place(block: Any, param: str, system: str | None) -> None:
    with pytest.raises(Unsupported) as caught:
        sent(TEXT, block, **({"system": system} if system else {}))
    assert caught.value.param == f"prompt.messages[{1 if system else 0}].parts[1]{param}"


def test_a_part_inside_a_result_is_refused_by_its_place() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [TEXT, {"type": "tool_reference", "tool_name": "f"}],
    }
    with pytest.raises(Unsupported) as caught:
        sent(result)
    assert caught.value.param == "prompt.messages[0].parts[0].parts[1]"


def test_a_document_keeps_its_context_and_gets_a_name() -> None:
    body = sent({"type": "document", "source": PDF, "context": "Of 2026.", "citations": {"enabled": False}})
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Of 2026."},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "document.pdf"}},
    ]
