"""Tools, and which of them may or must be called, in Gemini's words."""

from typing import Any

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import Prompt, Tool
from mainstay.providers.wire import json_object

__all__ = ["function_calling", "tool_entries"]

#: Google's own tools by the names that callers may give as ``type``.
_OWN = {
    "google_search": "googleSearch",
    "google_search_retrieval": "googleSearchRetrieval",
    "google_maps": "googleMaps",
    "url_context": "urlContext",
    "code_execution": "codeExecution",
    "file_search": "fileSearch",
    "computer_use": "computerUse",
    "retrieval": "retrieval",
    "enterprise_web_search": "enterpriseWebSearch",
}
_NAMES = {**_OWN, **{name: name for name in _OWN.values()}}
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "tool": "ANY"}
#: Hints to another vendor, or fields that say what is the case anyway.
_BESIDE = frozenset({"cache_control", "type", "eager_input_streaming", "defer_loading"})


def tool_entries(prompt: Prompt) -> list[Any]:
    """Return ``tools``: all functions in one entry, Google's own tools in one each.

    Raises:
        Unsupported: a tool is another vendor's own.
        InvalidRequest: the parameters of a tool are no schema.
    """
    functions = []
    own = []
    for position, tool in enumerate(prompt.tools):
        if tool.opaque is not None:
            own.append(_own(tool, f"tools[{position}]"))
        else:
            functions.append(_function(tool, f"tools[{position}]"))
    return [{"functionDeclarations": functions}, *own] if functions else own


def function_calling(prompt: Prompt) -> dict[str, Any]:
    """Return ``functionCallingConfig``, empty when nothing is said.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the field.
        InvalidRequest: a call is demanded and there is nothing to call.
    """
    choice = prompt.tool_choice
    raw = prompt.extra.get("tool_choice")
    functions = [tool for tool in prompt.tools if tool.opaque is None]
    if not prompt.tools:
        if choice is not None and choice.kind in ("any", "tool"):
            raise InvalidRequest("A tool_choice needs tools to choose from; send tools.", param="tool_choice")
        return {}
    kind = choice.kind if choice is not None else "auto"
    if prompt.parallel_tools is False and kind != "none":
        raise Unsupported(
            "This model may call several tools at once; leave out parallel_tool_calls: false.",
            param="parallel_tool_calls",
        )
    held = any(tool.strict for tool in functions)
    if raw is not None and bytes(raw) != b"null":
        return _allowed(raw, held=held)
    if kind == "auto" and held:
        return {"mode": "VALIDATED"}
    if choice is None:
        return {}
    config: dict[str, Any] = {"mode": _MODES[kind]}
    if kind == "tool":
        config["allowedFunctionNames"] = [choice.name]
    return config


def _own(tool: Tool, at: str) -> dict[str, Any]:
    fields = json_object(bytes(tool.opaque or b"")) or {}
    name = _NAMES.get(tool.name)
    if name is None:
        raise Unsupported(f"'{at}' is a tool of another provider; leave it out.", param=at)
    settings = fields.get(name, fields.get(tool.name))
    if settings is not None:
        return {name: settings}
    return {name: {field: value for field, value in fields.items() if field not in _BESIDE}}


def _function(tool: Tool, at: str) -> dict[str, Any]:
    said: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    parameters = tool.parameters
    if parameters is not None and bytes(parameters) != b"null":
        if json_object(bytes(parameters)) is None:
            raise InvalidRequest(
                "The parameters of a tool must be a JSON Schema object.", param=f"{at}.function.parameters"
            )
        said["parametersJsonSchema"] = parameters
    extra = {field: value for field, value in tool.extra.items() if bytes(value) != b"null"}
    # What stood inside OpenAI's ``function`` has no level of its own here.
    inner = json_object(bytes(extra.pop("function", b""))) or {}
    return {**{field: value for field, value in (inner | extra).items() if field not in _BESIDE}, **said}


class _Name(msgspec.Struct, gc=False):
    name: str


class _AllowedTool(msgspec.Struct, gc=False):
    type: str = "function"
    function: _Name | None = None
    name: str = ""


class _AllowedTools(msgspec.Struct, gc=False):
    tools: list[_AllowedTool] = []
    mode: str = "auto"


class _Choice(msgspec.Struct, gc=False):
    type: str = ""
    allowed_tools: _AllowedTools | None = None


def _allowed(raw: msgspec.Raw, *, held: bool) -> dict[str, Any]:
    """Return OpenAI's ``allowed_tools``; the mode that takes names beside ANY is the one that holds to schemas."""
    try:
        choice = msgspec.json.decode(raw, type=_Choice)
    except msgspec.DecodeError:
        choice = _Choice()
    allowed = choice.allowed_tools
    if choice.type != "allowed_tools" or allowed is None or allowed.mode not in ("auto", "required"):
        raise Unsupported(
            "This model's tool_choice is none, auto, required, a function or allowed_tools; send one of these.",
            param="tool_choice",
        )
    names = [tool.function.name if tool.function is not None else tool.name for tool in allowed.tools]
    if not names or not all(names) or any(tool.type != "function" for tool in allowed.tools):
        raise Unsupported("The allowed_tools must be functions with their names.", param="tool_choice")
    return {"mode": "ANY" if allowed.mode == "required" else "VALIDATED", "allowedFunctionNames": names}
