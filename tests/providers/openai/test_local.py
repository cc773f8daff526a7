"""What a local engine is asked: with a limit, and with tools as it understands them."""

import json
import re
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, MainstayError, Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import Message, Prompt, TextPart, Tool, ToolChoice
from mainstay.core.target import Target
from mainstay.providers.openai import OpenAICodec, read_ask, scan

HELLO = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("f", "g")]
NAMED = {"type": "function", "function": {"name": "g"}}


def target(max_output: int = 4096, vendor: str = "llamacpp") -> Target:
    return Target("row", "p", vendor, "up", max_output=max_output)


def sent(fields: dict[str, Any], to: Target | None = None) -> dict[str, Any]:
    ask = read_ask(json.dumps({"model": "m", "messages": HELLO, **fields}).encode())
    path, body = OpenAICodec().request(ask, to or target(), stream=True)
    assert path == b"/chat/completions"
    return json.loads(body)


def refused(fields: dict[str, Any]) -> MainstayError:
    with pytest.raises(MainstayError) as caught:
        sent(fields)
    return caught.value


@pytest.mark.parametrize("none", [{}, {"max_tokens": None}, {"max_tokens": None, "max_completion_tokens": None}])
@pytest.mark.parametrize("tools", [{}, {"tools": TOOLS}])
@pytest.mark.parametrize(("max_output", "limit"), [(4096, 1024), (1024, 1024), (100, 100)])
def test_an_answer_without_a_limit_gets_one(
    none: dict[str, None], tools: dict[str, Any], max_output: int, limit: int
) -> None:
    asked = sent({**none, **tools}, target(max_output))
    assert asked["max_tokens"] == limit
    assert asked.get("max_completion_tokens") is None
    assert (asked["model"], asked["messages"], asked["stream"]) == ("up", HELLO, True)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n_predict"])
@pytest.mark.parametrize("tools", [{}, {"tools": TOOLS}])
def test_a_callers_own_limit_stands(field: str, tools: dict[str, Any]) -> None:
    asked = sent({field: 5000, **tools})
    limits = {name: asked[name] for name in ("max_tokens", "max_completion_tokens", "n_predict") if name in asked}
    assert list(limits.values()) == [5000]


def test_no_other_server_is_given_a_limit() -> None:
    assert "max_tokens" not in sent({}, target(vendor="openai"))


@pytest.mark.parametrize("choice", ["auto", "none", "required", None])
def test_a_choice_the_engine_obeys_is_passed_on(choice: str | None) -> None:
    asked = sent({"tools": TOOLS, "tool_choice": choice})
    assert asked.get("tool_choice") == choice
    assert asked["tools"] == TOOLS


def test_a_named_function_is_required_and_stands_alone() -> None:
    asked = sent({"tools": TOOLS, "tool_choice": NAMED, "odd": {"kept": 1}})
    assert asked["tool_choice"] == "required"
    assert asked["tools"] == TOOLS[1:]
    assert asked["odd"] == {"kept": 1}


@pytest.mark.parametrize(
    ("call", "choice", "tools"),
    [(None, None, TOOLS), ("auto", "auto", TOOLS), ("none", "none", TOOLS), ({"name": "g"}, "required", TOOLS[1:])],
)
def test_legacy_functions_become_tools(call: Any, choice: str | None, tools: list[Any]) -> None:
    functions = [tool["function"] for tool in TOOLS]
    asked = sent({"functions": functions} | ({} if call is None else {"function_call": call}))
    assert asked["tools"] == tools
    assert asked.get("tool_choice") == choice
    assert "functions" not in asked
    assert "function_call" not in asked


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "h"}}},
            InvalidRequest,
            "tool_choice",
        ),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}}, Unsupported, "tool_choice"),
        ({"tools": [TOOLS[0], {"type": "custom", "custom": {"name": "x"}}]}, Unsupported, "tools[1]"),
    ],
)
def test_what_the_engine_would_ignore_is_refused(fields: dict[str, Any], kind: type[MainstayError], param: str) -> None:
    error = refused(fields)
    assert (type(error), error.param) == (kind, param)


def test_a_caller_of_another_dialect_gets_the_same() -> None:
    prompt = Prompt(
        "m", (Message("user", (TextPart("hi"),)),), tools=(Tool("f"), Tool("g")), tool_choice=ToolChoice("tool", "g")
    )
    ask = Ask(b"", Dialect.ANTHROPIC, "m", False, False, lambda _: prompt, scan)
    asked = json.loads(OpenAICodec().request(ask, target(), stream=True)[1])
    assert (asked["tool_choice"], asked["max_tokens"]) == ("required", 1024)
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["g"]


PATTERNS = [
    (r"^\d{3}$", "^[0-9]{3}$"),
    (r"^\w+\s\d$", "^[A-Za-z0-9_]+[ ][0-9]$"),
    (r"^[\d.]+[^\w]$", "^[0-9.]+[^A-Za-z0-9_]$"),
    (r"^\\d\.\D$", r"^\\d\.\D$"),
    (r"^[\]\d]\[\d$", r"^[\]0-9]\[[0-9]$"),
    ("^[0-9]+$", "^[0-9]+$"),
]


@pytest.mark.parametrize("tools", [False, True])
@pytest.mark.parametrize(("pattern", "written"), PATTERNS)
def test_classes_that_the_grammar_passes_over_are_written_out(pattern: str, written: str, tools: bool) -> None:
    schema = {"type": "object", "properties": {"v": {"type": "string", "pattern": pattern}}}
    told = [{"role": "user", "content": json.dumps({"pattern": r"\d"})}]
    if tools:
        asked = sent(
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}], "messages": told}
        )
        found = asked["tools"][0]["function"]["parameters"]
    else:
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
        asked = sent({"response_format": form, "messages": told})
        found = asked["response_format"]["json_schema"]["schema"]
    assert found["properties"]["v"]["pattern"] == written
    # What somebody says is nobody's schema.
    assert asked["messages"] == told


def test_no_other_servers_patterns_are_touched() -> None:
    schema = {"type": "object", "properties": {"v": {"pattern": r"\d"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    asked = sent({"response_format": form}, target(vendor="openai"))
    assert asked["response_format"]["json_schema"]["schema"] == schema


@given(st.from_regex(r"[a-z\\\[\]dws.^-]{0,12}", fullmatch=True), st.text(alphabet="ab 09_", max_size=4))
def test_what_is_written_out_matches_nothing_that_was_not_meant(pattern: str, text: str) -> None:
    with warnings.catch_warnings():
        # Of sets within sets, which other languages have.
        warnings.simplefilter("ignore")
        try:
            meant = re.compile(pattern, re.ASCII)
        except re.error:
            return
        schema = {"type": "object", "properties": {"v": {"pattern": pattern}}}
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        asked = sent({"response_format": form})
        found = asked["response_format"]["json_schema"]["schema"]["properties"]["v"]["pattern"]
        assert not re.search(found, text) or meant.search(text)
