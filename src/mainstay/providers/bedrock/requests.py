"""A prompt as the body of ``Converse`` and ``ConverseStream``, which take the same one.

Nothing a caller asks for is lost in silence. What the wire has is translated; what it lacks is refused with the field
named, unless the value is the one that changes nothing.

* ``max_tokens``, ``temperature``, ``top_p``, ``stop``: ``inferenceConfig``. With ``stop`` the model is asked to name
  the string that ended it.
* ``reasoning_effort``: ``outputConfig.effort``; ``none`` and ``minimal`` are refused, for the least here is ``low``.
* ``response_format: json_schema``: ``outputConfig.textFormat``; a schema that is not strict is held to as well.
* ``tool_choice: none`` has no form. Where no turn has called a tool the tools are left out, which says the same; else
  it is refused, for the wire wants the tools that earlier turns called.
* ``parallel_tool_calls: false`` has no form and is refused where there are tools.
* ``service_tier``: ``auto`` is left out, ``standard_only`` is ``default``, others as they are.
* ``metadata``, ``user`` and ``safety_identifier``: ``requestMetadata``, which marks the account's invocation logs.
* Converse's own fields (``guardrailConfig``, ``performanceConfig``, ...) go up as they are, and every other field as
  one of ``additionalModelRequestFields``: ``thinking``, ``top_k`` or ``anthropic_beta`` work as their vendor documents
  them, and an invented one comes back as the upstream's own refusal.
"""

import hashlib
import re
from typing import TypeVar

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import OutputForm, Prompt, Tool
from mainstay.providers.bedrock.messages import Conversation
from mainstay.providers.bedrock.wire import mark_of
from mainstay.providers.lacking import caller_word, refuse_settings, settle_fields
from mainstay.providers.wire import UNREADABLE, json_object, present

__all__ = ["translate"]

Body = dict[str, object]
_T = TypeVar("_T")

_OWN = frozenset({"performanceConfig", "promptVariables", "additionalModelResponseFieldPaths", "serviceTier"})
_EFFORTS = frozenset({"none", "minimal"})
_TIERS = {
    "default": "default",
    "standard_only": "default",
    "flex": "flex",
    "priority": "priority",
    "reserved": "reserved",
}
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
_TYPE_OBJECT = msgspec.Raw(b'"object"')
#: What may stand in ``requestMetadata``.
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")


def translate(ask: Ask, *, stream: bool) -> bytes:
    """Return the body that asks what ``ask`` asks.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the caller's field.
        InvalidRequest: a field is wrong, or said twice.
    """
    prompt = ask.prompt
    try:
        refuse_settings(prompt)
        _refuse(prompt)
        return msgspec.json.encode(_body(prompt, ask, stream=stream))
    except Unsupported as error:
        error.param = caller_word(error.param or "", ask.dialect) or None
        raise


def _refuse(prompt: Prompt) -> None:
    checks: tuple[tuple[str, bool, str], ...] = (
        (
            "temperature",
            prompt.temperature is not None and prompt.temperature > 1,
            "This model's temperature goes from 0 to 1; choose a value in that range.",
        ),
        ("stop", "" in prompt.stop, "This model's stop strings are not empty; change or leave out stop."),
        (
            "response_format",
            prompt.form is not None and prompt.form.kind == "json",
            "This model holds its answer to a schema only; send response_format json_schema.",
        ),
        (
            "reasoning_effort",
            prompt.reasoning_effort in _EFFORTS,
            "This model's least reasoning_effort is low; send that, or leave it out.",
        ),
        (
            "parallel_tool_calls",
            prompt.parallel_tools is False and bool(prompt.tools),
            "This model cannot be kept from calling several tools at once; leave out parallel_tool_calls.",
        ),
    )
    for param, wrong, message in checks:
        if wrong:
            raise Unsupported(message, param=param)


def _body(prompt: Prompt, ask: Ask, *, stream: bool) -> Body:
    conversation = Conversation(prompt.messages)
    body: Body = {"messages": conversation.written()}
    if conversation.system:
        body["system"] = conversation.system
    config: Body = {}
    if prompt.max_tokens is not None:
        config["maxTokens"] = prompt.max_tokens
    if prompt.temperature is not None:
        config["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        config["topP"] = prompt.top_p
    if prompt.stop:
        config["stopSequences"] = prompt.stop
        # A path that a model's answer does not have is ignored.
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    if config:
        body["inferenceConfig"] = config
    if tools := _tools(prompt, called=conversation.tools):
        body["toolConfig"] = tools
    if output := _output(prompt):
        body["outputConfig"] = output
    _carry(prompt, body, stream=stream)
    mark = prompt.extra.get("cache_control")
    if mark is not None and present(mark):
        # The mark of a whole request stands for one on its last block.
        conversation.turns[-1][1].append(mark_of(mark))
    return body


def _tools(prompt: Prompt, *, called: bool) -> Body | None:
    choice = prompt.tool_choice
    if not prompt.tools:
        if choice is not None and choice.kind in ("any", "tool"):
            raise InvalidRequest("A tool_choice needs tools to choose from; send tools.", param="tool_choice")
        if called:
            raise Unsupported("This model wants the tools that earlier turns called; send tools.", param="tools")
        return None
    if choice is not None and choice.kind == "none":
        if called:
            raise Unsupported(
                "This model cannot be kept from calling tools once a turn has; choose auto and say so in the prompt.",
                param="tool_choice",
            )
        return None
    tools: list[Body] = []
    for position, tool in enumerate(prompt.tools):
        tools += _tool(tool, f"tools[{position}]")
    config: Body = {"tools": tools}
    if choice is not None:
        config["toolChoice"] = {choice.kind: {"name": choice.name} if choice.kind == "tool" else {}}
    return config


def _tool(tool: Tool, at: str) -> list[Body]:
    if tool.opaque is not None:
        raise Unsupported(
            "This model takes function tools; send a vendor's own in additionalModelRequestFields.", param=at
        )
    said: Body = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["inputSchema"] = {"json": _input_schema(tool.parameters, at)}
    if tool.strict:
        said["strict"] = True
    mark = tool.extra.get("cache_control")
    return [{"toolSpec": said}, *([mark_of(mark)] if mark is not None and present(mark) else [])]


def _input_schema(parameters: msgspec.Raw | None, at: str) -> object:
    if parameters is None or not present(parameters):
        return _NO_PARAMETERS
    schema = json_object(bytes(parameters))
    if schema is None:
        raise InvalidRequest("The parameters of a tool must be a JSON Schema object.", param=at)
    # The wire demands the type that OpenAI's takes for granted.
    return parameters if "type" in schema else {"type": _TYPE_OBJECT, **schema}


def _output(prompt: Prompt) -> Body:
    output: Body = {}
    if prompt.form is not None and prompt.form.kind == "schema":
        output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": _schema(prompt.form)}}
    if prompt.reasoning_effort is not None:
        output["effort"] = prompt.reasoning_effort
    return output


def _schema(form: OutputForm) -> Body:
    if form.schema is None or json_object(bytes(form.schema)) is None:
        raise InvalidRequest(
            "A response_format of json_schema needs a schema that is an object.",
            param="response_format.json_schema.schema",
        )
    said: Body = {"schema": bytes(form.schema).decode()}
    if form.name:
        said["name"] = form.name
    if form.description:
        said["description"] = form.description
    return said


def _carry(prompt: Prompt, body: Body, *, stream: bool) -> None:
    """Add the fields that no codec knows."""
    more: dict[str, object] = {}
    marks: dict[str, str] = {} if prompt.user is None else {"user": prompt.user}
    for field, value in settle_fields(prompt.extra):
        if field == "cache_control":
            continue
        if field == "additionalModelRequestFields":
            more = _merged(field, more, _object(field, value))
        elif field == "guardrailConfig":
            body[field] = _guardrail(value, stream=stream)
        elif field == "outputConfig":
            body[field] = _merged(field, body.get(field), _object(field, value))
        elif field == "metadata" or field == "requestMetadata":
            marks |= _decode(field, value, dict[str, str], "an object of strings")
        elif field == "safety_identifier":
            marks["user"] = _decode(field, value, str, "a string")
        elif field == "service_tier":
            _service_tier(value, body)
        elif field in _OWN:
            if field == "serviceTier" and field in body:
                raise _twice(field)
            body[field] = value
        elif field in more:
            raise _twice(field)
        else:
            more[field] = value
    if more:
        body["additionalModelRequestFields"] = more
    if marks:
        body["requestMetadata"] = {name: _plain(value) for name, value in marks.items()}


def _object(field: str, value: msgspec.Raw) -> dict[str, msgspec.Raw]:
    found = json_object(bytes(value))
    if found is None:
        raise InvalidRequest(f"The field {field} must be an object.", param=field)
    return found


def _twice(field: str) -> InvalidRequest:
    return InvalidRequest(f"The field {field} says again what another field says; send one.", param=field)


def _merged(field: str, ours: object, theirs: dict[str, msgspec.Raw]) -> Body:
    merged: Body = dict(ours) if isinstance(ours, dict) else {}
    for name, value in theirs.items():
        if name in merged:
            raise _twice(f"{field}.{name}")
        merged[name] = value
    return merged


def _guardrail(value: msgspec.Raw, *, stream: bool) -> object:
    fields = _object("guardrailConfig", value)
    if stream or "streamProcessingMode" not in fields:
        return value
    # Only a stream has a mode; the whole answer is checked as a whole.
    return {name: said for name, said in fields.items() if name != "streamProcessingMode"}


def _decode(field: str, value: msgspec.Raw, kind: type[_T], said: str) -> _T:
    try:
        return msgspec.json.decode(value, type=kind)
    except UNREADABLE:
        raise InvalidRequest(f"The field {field} must be {said}.", param=field) from None


def _plain(value: str) -> str:
    # What the wire's logs cannot hold is replaced by its digest, the same one each time.
    if _METADATA.fullmatch(value):
        return value
    return hashlib.blake2s(value.encode("utf-8", "replace")).hexdigest()


def _service_tier(value: msgspec.Raw, body: Body) -> None:
    tier = msgspec.json.decode(value)
    if tier == "auto":
        return
    known = _TIERS.get(tier) if isinstance(tier, str) else None
    if known is None:
        raise Unsupported(
            "This model's service_tier is auto, default, flex or priority; send one of these.", param="service_tier"
        )
    body["serviceTier"] = {"type": known}
