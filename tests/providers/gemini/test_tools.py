"""Tools and the choice among them."""

import json
from typing import Any

import msgspec
import pytest

from mainstay.core import errors
from mainstay.core.prompt import Prompt, Tool, ToolChoice
from mainstay.providers.gemini.tools import function_calling, tool_entries

GET = Tool("get", "Gets.", msgspec.Raw(b'{"type":"object"}'))
PUT = Tool("put")


def own(name: str, /, **fields: Any) -> Tool:
    return Tool(name, opaque=msgspec.Raw(json.dumps({"type": name, **fields})))


def raw(**fields: Any) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value)) for name, value in fields.items()}


def entries(*tools: Tool) -> Any:
    return json.loads(msgspec.json.encode(tool_entries(Prompt("g", (), tools=tools))))


def calling(*tools: Tool, **fields: Any) -> Any:
    return function_calling(Prompt("g", (), tools=tools, **fields))


def test_functions_share_one_entry_and_schemas_stay_as_sent() -> None:
    schema = b'{"type":"object","properties":{"x":{"$ref":"#/$defs/x"}},"b":1.0}'
    written = msgspec.json.encode(tool_entries(Prompt("g", (), tools=(Tool("a", None, msgspec.Raw(schema)), PUT))))
    assert schema in written
    assert entries(GET, PUT) == [
        {
            "functionDeclarations": [
                {"name": "get", "description": "Gets.", "parametersJsonSchema": {"type": "object"}},
                {"name": "put"},
            ]
        }
    ]


def test_googles_own_tools_have_an_entry_each() -> None:
    found = entries(
        GET,
        own("google_search"),
        own("urlContext", urlContext={}),
        own("file_search", file_search={"fileSearchStoreNames": ["a"]}),
        own("code_execution", cache_control={"type": "ephemeral"}),
        own("google_maps", enableWidget=True),
    )
    assert found[1:] == [
        {"googleSearch": {}},
        {"urlContext": {}},
        {"fileSearch": {"fileSearchStoreNames": ["a"]}},
        {"codeExecution": {}},
        {"googleMaps": {"enableWidget": True}},
    ]


def test_another_vendors_own_tool_is_refused() -> None:
    with pytest.raises(errors.Unsupported) as caught:
        entries(GET, own("web_search_20250305", name="web_search"))
    assert caught.value.param == "tools[1]"


def test_parameters_that_are_no_schema_are_the_callers_fault() -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        entries(GET, Tool("a", None, msgspec.Raw(b"[]")))
    assert caught.value.param == "tools[1].function.parameters"
    assert entries(Tool("a", None, msgspec.Raw(b"null"))) == [{"functionDeclarations": [{"name": "a"}]}]


def test_other_fields_of_a_tool_go_up_but_for_hints() -> None:
    extra = raw(cache_control={"type": "ephemeral"}, function={"behavior": "BLOCKING"}, gone=None)
    (entry,) = entries(Tool("a", extra=extra))
    assert entry["functionDeclarations"] == [{"behavior": "BLOCKING", "name": "a"}]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, {}),
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("any"), {"mode": "ANY"}),
        (ToolChoice("tool", "get"), {"mode": "ANY", "allowedFunctionNames": ["get"]}),
    ],
)
def test_every_choice_has_its_mode(choice: ToolChoice | None, config: Any) -> None:
    assert calling(GET, PUT, tool_choice=choice) == config


def test_a_strict_tool_asks_for_arguments_that_are_held_to_the_schema() -> None:
    strict = Tool("a", strict=True)
    assert calling(strict) == calling(strict, tool_choice=ToolChoice("auto")) == {"mode": "VALIDATED"}
    assert calling(strict, tool_choice=ToolChoice("none")) == {"mode": "NONE"}
    assert calling(strict, tool_choice=ToolChoice("any")) == {"mode": "ANY"}


@pytest.mark.parametrize(("mode", "said"), [("auto", "VALIDATED"), ("required", "ANY")])
def test_allowed_tools_are_names(mode: str, said: str) -> None:
    named = [{"type": "function", "function": {"name": "get"}}, {"type": "function", "name": "put"}]
    extra = raw(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named}})
    assert calling(GET, PUT, extra=extra) == {"mode": said, "allowedFunctionNames": ["get", "put"]}


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "custom", "custom": {"name": "x"}},
        {"type": "allowed_tools"},
        {"type": "allowed_tools", "allowed_tools": {"mode": "often", "tools": []}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp", "name": "x"}]}},
        {"type": "allowed_tools", "allowed_tools": 1},
        "any",
    ],
)
def test_a_choice_the_wire_lacks_is_refused(choice: Any) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        calling(GET, extra=raw(tool_choice=choice))
    assert caught.value.param == "tool_choice"


def test_calls_one_at_a_time_cannot_be_had() -> None:
    with pytest.raises(errors.Unsupported) as caught:
        calling(GET, parallel_tools=False)
    assert caught.value.param == "parallel_tool_calls"
    assert calling(GET, parallel_tools=True) == {}
    assert calling(GET, parallel_tools=False, tool_choice=ToolChoice("none")) == {"mode": "NONE"}
    assert calling(parallel_tools=False) == {}


@pytest.mark.parametrize("choice", [ToolChoice("any"), ToolChoice("tool", "get")])
def test_a_call_cannot_be_demanded_without_tools(choice: ToolChoice) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        calling(tool_choice=choice)
    assert caught.value.param == "tool_choice"
