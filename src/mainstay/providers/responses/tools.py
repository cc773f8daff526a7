"""The tools of a request, as functions that every model can call, and back again.

This wire has kinds of tools that others lack. Where only the caller runs them, they are offered as functions, and the
model's call becomes an item of the kind the caller knows:

* ``custom``: a function of one string, ``input``; a grammar is told in the description, for no other wire holds to it.
* ``local_shell``, ``shell``, ``apply_patch``, ``tool_search`` run by the caller: functions with the fields of their
  calls as parameters.
* ``namespace``: its functions, each named with the namespace before it.

What the vendor itself runs (``web_search``, ``file_search``, ``mcp``, ``code_interpreter`` and whatever is new) cannot
be offered to another vendor's model: see ``ResponsesConfig.hosted_tools``.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import Tool, ToolChoice
from mainstay.providers.responses.door import NOTHING, UNREADABLE, Door, DoorChoice, present

__all__ = ["FUNCTION", "Offer", "Toolbox", "alias", "read_toolbox"]

Fields = dict[str, msgspec.Raw]

#: The longest name of a function that every vendor takes.
_LONGEST = 64
#: What a function says that no other wire has, or that changes nothing there.
_TOOL_FIELDS = frozenset(
    {
        "type",
        "name",
        "description",
        "parameters",
        "strict",
        "allowed_callers",
        "defer_loading",
        "output_schema",
        "async",
    }
)


class _Grammar(msgspec.Struct, gc=False):
    type: str = "text"
    syntax: str = ""
    definition: str = ""


class _Tool(msgspec.Struct, gc=False):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NOTHING
    strict: bool | None = None
    format: _Grammar | None = None
    tools: list[msgspec.Raw] | None = None
    execution: str | None = None


class Offer(msgspec.Struct, frozen=True, gc=False):
    """What a function stands for: the ``kind`` of tool, and its own name and namespace."""

    kind: str
    name: str
    namespace: str = ""


#: A function that is one.
FUNCTION = "function"

_tool = msgspec.json.Decoder(_Tool)
_fields = msgspec.json.Decoder(Fields)


def _schema(required: Sequence[str], **properties: object) -> msgspec.Raw:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return msgspec.Raw(msgspec.json.encode(schema))


_TEXT: dict[str, Any] = {"type": "string"}
_WORDS: dict[str, Any] = {"type": "array", "items": _TEXT}
_WHOLE: dict[str, Any] = {"type": "integer"}
_INPUT = _schema(["input"], input={"type": "string", "description": "The input of the tool, as plain text."})
#: Tools that have no definition but their type, as functions.
_BUILT_IN: dict[str, Tool] = {
    "local_shell": Tool(
        "local_shell",
        "Run a command on the user's machine and return its output.",
        _schema(
            ["command"],
            command={**_WORDS, "description": "The program and its arguments."},
            working_directory=_TEXT,
            timeout_ms=_WHOLE,
            env={"type": "object", "additionalProperties": _TEXT},
        ),
    ),
    "shell": Tool(
        "shell",
        "Run commands in a shell and return their output.",
        _schema(["commands"], commands=_WORDS, timeout_ms=_WHOLE, max_output_length=_WHOLE),
    ),
    "apply_patch": Tool(
        "apply_patch",
        "Create, update or delete one file. A diff is in the V4A format, without its envelope.",
        _schema(
            ["operation"],
            operation={
                "type": "object",
                "properties": {
                    "type": {"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
                    "path": _TEXT,
                    "diff": _TEXT,
                },
                "required": ["type", "path"],
                "additionalProperties": False,
            },
        ),
    ),
}


class Toolbox(msgspec.Struct):
    """The tools of one request.

    ``offered`` are functions; ``offers`` says by their names what they stand for; ``hosted`` are the vendor's own, with
    their places in the list. ``named`` is what the model may call at all, None meaning every tool. ``shown`` is the
    caller's list of tools without those that could not be offered.
    """

    offered: list[Tool] = []
    offers: dict[str, Offer] = {}
    hosted: list[tuple[int, Tool]] = []
    shown: list[msgspec.Raw] = []
    choice: ToolChoice | None = None
    named: frozenset[str] | None = None

    def offer(self, name: str) -> Offer:
        """Return what a call of the function ``name`` is; a name that was not offered is a function's."""
        return self.offers.get(name) or Offer(FUNCTION, name)

    def allows(self, kind: str, name: str, namespace: str = "") -> bool:
        """Return whether the model may call the tool of ``kind`` by that name, as ``tool_choice`` has it."""
        if self.named is None:
            return True
        if kind in (FUNCTION, "custom"):
            known = alias(name, namespace)
            return known in self.named or any(self.offers[one].name == known for one in self.named)
        # Kinds of the vendor's own come in versions: ``web_search_preview`` is called by a ``web_search_call``.
        return kind in self.named or any(tool.name.startswith(kind) for _, tool in self.hosted)

    def kept(self, hosted: str) -> tuple[Tool, ...]:
        """Return the tools to ask with: functions, and the vendor's own where leaving them out would say less.

        ``hosted`` is the setting of that name.
        """
        tools = [tool for tool in self.offered if self.named is None or tool.name in self.named]
        demanded = self.choice is not None and self.choice.kind == "tool" and self.choice.name not in self.offers
        none = self.choice is not None and self.choice.kind == "none"
        if self.hosted and (demanded or hosted == "refuse" or not (tools or none)):
            tools += [tool for _, tool in self.hosted]
        return tuple(tools)


def alias(name: str, namespace: str) -> str:
    """Return the name of the function that stands for a tool of a namespace; always the same."""
    if not namespace:
        return name
    whole = f"{namespace}__{name}"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.blake2s(whole.encode(), digest_size=6).hexdigest()
    return f"{whole[: _LONGEST - 13]}_{digest}"


def read_toolbox(raws: Sequence[msgspec.Raw], door: Door, later: Sequence[msgspec.Raw] = ()) -> Toolbox:
    """Read the tools ``raws`` and the ``tool_choice`` of a request; ``later`` are tools that its input brings.

    Raises:
        InvalidRequest: one of them is not what the wire allows; ``param`` names it.
    """
    box = Toolbox([], {}, [], [])
    for position, raw in enumerate(raws):
        count = len(box.hosted)
        _read(raw, f"tools[{position}]", "", box, position)
        if len(box.hosted) == count:
            box.shown.append(raw)
    for position, raw in enumerate(later, len(raws)):
        _read(raw, "input", "", box, position)
    _choose(door.tool_choice, box)
    if not box.offered and not box.hosted and box.choice is not None and box.choice.kind in ("auto", "none"):
        # Other wires refuse a choice where there is nothing to choose from.
        box.choice = None
    return box


def _read(raw: msgspec.Raw, at: str, namespace: str, box: Toolbox, position: int) -> None:
    tool = _decode(raw, at)
    kind = tool.type
    if kind == "namespace":
        for i, inner in enumerate(tool.tools or ()):
            _read(inner, f"{at}.tools[{i}]", tool.name or "", box, position)
        return
    if kind in (FUNCTION, "custom"):
        if not tool.name:
            raise InvalidRequest(f"'{at}.name' is missing; it is required.", param=f"{at}.name")
        known = alias(tool.name, namespace)
        made = _function(tool, raw, known) if kind == FUNCTION else _custom(tool, known)
        box.offers[known] = Offer(kind, tool.name, namespace)
    elif kind in _BUILT_IN:
        made = _BUILT_IN[kind]
        box.offers[kind] = Offer(kind, kind)
    elif kind == "tool_search" and tool.execution == "client" and present(tool.parameters):
        made = Tool(kind, tool.description, tool.parameters)
        box.offers[kind] = Offer(kind, kind)
    else:
        # A search that the vendor runs has nothing to find here: every tool is offered from the start.
        if kind != "tool_search":
            box.hosted.append((position, Tool(kind, opaque=raw)))
        return
    box.offered = [other for other in box.offered if other.name != made.name]
    box.offered.append(made)


def _decode(raw: msgspec.Raw, at: str) -> _Tool:
    try:
        return _tool.decode(raw)
    except UNREADABLE:
        pass
    # A kind we do not know may use our names for other shapes.
    try:
        kind = msgspec.json.decode(_fields.decode(raw).get("type", b"null"))
    except UNREADABLE:
        kind = None
    if not isinstance(kind, str):
        raise InvalidRequest(f"'{at}.type' is missing; it is required.", param=f"{at}.type")
    if kind in (FUNCTION, "custom", "namespace", "tool_search") or kind in _BUILT_IN:
        raise InvalidRequest(f"'{at}' is not a tool of type '{kind}'; check its fields.", param=at)
    return _Tool(kind)


def _function(tool: _Tool, raw: msgspec.Raw, name: str) -> Tool:
    extra = {field: value for field, value in _fields.decode(raw).items() if field not in _TOOL_FIELDS}
    parameters = tool.parameters if present(tool.parameters) else None
    return Tool(name, tool.description, parameters, tool.strict, extra)


def _custom(tool: _Tool, name: str) -> Tool:
    said = tool.description or ""
    if tool.format is not None and tool.format.type == "grammar":
        said += f"\n\nThe input must follow this {tool.format.syntax} grammar:\n{tool.format.definition}"
    return Tool(name, said.strip() or None, _INPUT)


def _choose(given: str | DoorChoice | None, box: Toolbox) -> None:
    if given is None:
        return
    if isinstance(given, str):
        if given not in ("auto", "none", "required"):
            raise InvalidRequest("'tool_choice' must be 'none', 'auto', 'required' or an object.", param="tool_choice")
        box.choice = ToolChoice("none" if given == "none" else "auto" if given == "auto" else "any")
    elif given.type == "allowed_tools":
        _allow(given, box)
    elif given.type in (FUNCTION, "custom"):
        if not given.name:
            raise InvalidRequest("'tool_choice.name' is missing; it is required.", param="tool_choice.name")
        box.choice = ToolChoice("tool", alias(given.name, given.namespace or ""))
    else:
        box.choice = ToolChoice("tool", given.type)


def _allow(given: DoorChoice, box: Toolbox) -> None:
    """Leave only the tools that ``given`` lists: what is not offered is not called."""
    named: set[str] = set()
    hosted: list[tuple[int, Tool]] = []
    for i, entry in enumerate(given.tools or ()):
        at = f"tool_choice.tools[{i}]"
        kind, name, space = (_text(entry, field, at) for field in ("type", "name", "namespace"))
        found = {known for known, offer in box.offers.items() if _is_meant(offer, kind, name, space)}
        theirs = [one for one in box.hosted if one[1].name == kind]
        if not found and not theirs:
            raise InvalidRequest(f"'{at}' is not among the tools; add it to 'tools' or leave it out.", param=at)
        named |= found
        hosted += theirs
    if not named and not hosted:
        raise InvalidRequest("'tool_choice.tools' is empty; list at least one tool.", param="tool_choice.tools")
    box.named, box.hosted = frozenset(named), hosted
    box.choice = ToolChoice("any" if given.mode == "required" else "auto")


def _is_meant(offer: Offer, kind: str, name: str, namespace: str) -> bool:
    if kind == "namespace":
        return offer.namespace == name
    if offer.kind != kind or (namespace and offer.namespace != namespace):
        return False
    return not name or name in (offer.name, alias(offer.name, offer.namespace))


def _text(entry: Fields, field: str, at: str) -> str:
    value = entry.get(field, NOTHING)
    if not present(value):
        return ""
    try:
        return msgspec.json.decode(value, type=str)
    except UNREADABLE:
        raise InvalidRequest(f"'{at}.{field}' must be a string.", param=f"{at}.{field}") from None
