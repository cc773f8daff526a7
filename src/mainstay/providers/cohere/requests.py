"""A prompt as the body of ``POST /v2/chat``.

Nothing a caller asks for is lost in silence. What the wire has is translated; what it lacks is refused with the field
named, unless the value is the one that changes nothing.

* ``top_p``: ``p``; Anthropic's ``top_k``: ``k``; ``stop``: ``stop_sequences``.
* ``tool_choice``: ``REQUIRED`` and ``NONE``. One function is chosen by sending it alone, as required.
* ``parallel_tool_calls: false`` has no form and is refused where there are tools.
* A tool that is ``strict`` sets ``strict_tools``, which holds for all.
* ``response_format``: ``json_object``, with the schema where there is one; its description goes into the schema.
* ``reasoning_effort``: ``none`` turns thinking off, ``high`` is the model's own measure; others are refused. A
  ``thinking`` beside it counts, Anthropic's with its budget; ``adaptive`` is left out: it leaves all to the model.
* ``user``, ``safety_identifier`` and ``service_tier`` ``auto`` or ``default`` are left out: they cannot change the
  answer.
* Fields that no codec knows go up verbatim: ``safety_mode``, ``citation_options``, ``documents`` or ``priority`` work
  as Cohere documents them, and an invented one comes back as the upstream's own refusal.
"""

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import OutputForm, Prompt, Tool
from mainstay.core.target import Target
from mainstay.providers.cohere.messages import Conversation
from mainstay.providers.lacking import caller_word, refuse_settings, settle_fields
from mainstay.providers.wire import UNREADABLE, json_object, present

__all__ = ["translate"]

Body = dict[str, object]

_PLAIN = ("max_tokens", "temperature", "seed", "frequency_penalty", "presence_penalty")
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
_CAN = ("seed", "frequency_penalty", "presence_penalty")
_UNTOLD = frozenset({"safety_identifier", "cache_control"})


def translate(ask: Ask, target: Target, *, stream: bool) -> bytes:
    """Return the body that asks what ``ask`` asks.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the caller's field.
        InvalidRequest: a field is wrong, or said twice.
    """
    prompt = ask.prompt
    try:
        refuse_settings(prompt, can=_CAN)
        _refuse(prompt)
        return msgspec.json.encode(_body(prompt, ask, target, stream=stream))
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
        (
            "reasoning_effort",
            prompt.reasoning_effort not in (None, "none", "high"),
            "This model's reasoning_effort is none or high; send one of these.",
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


def _body(prompt: Prompt, ask: Ask, target: Target, *, stream: bool) -> Body:
    conversation = Conversation(prompt.messages)
    body: Body = {"model": target.upstream or prompt.model, "messages": conversation.turns, "stream": stream}
    _tools(prompt, body)
    if conversation.documents:
        body["documents"] = conversation.documents
    for name in _PLAIN:
        if (value := getattr(prompt, name)) is not None:
            body[name] = value
    if prompt.top_p is not None:
        body["p"] = prompt.top_p
    if prompt.stop:
        body["stop_sequences"] = prompt.stop
    if prompt.form is not None and prompt.form.kind != "text":
        body["response_format"] = _form(prompt.form)
    if prompt.reasoning_effort is not None:
        body["thinking"] = {"type": "disabled" if prompt.reasoning_effort == "none" else "enabled"}
    _carry(prompt, body)
    return body


def _tools(prompt: Prompt, body: Body) -> None:
    choice = prompt.tool_choice
    tools = prompt.tools
    if not tools:
        if choice is not None and choice.kind in ("any", "tool"):
            raise InvalidRequest("A tool_choice needs tools to choose from; send tools.", param="tool_choice")
        return
    written = [(tool.name, _tool(tool, f"tools[{position}]")) for position, tool in enumerate(tools)]
    if choice is not None and choice.kind == "tool":
        written = [pair for pair in written if pair[0] == choice.name]
        if not written:
            raise InvalidRequest("The tool_choice names a function that is not in tools.", param="tool_choice")
    body["tools"] = [tool for _, tool in written]
    if any(tool.strict for tool in tools):
        body["strict_tools"] = True
    if choice is not None and choice.kind != "auto":
        body["tool_choice"] = "NONE" if choice.kind == "none" else "REQUIRED"


def _tool(tool: Tool, at: str) -> Body:
    if tool.opaque is not None:
        raise Unsupported("This model takes function tools only; leave out a vendor's own.", param=at)
    function: Body = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    parameters = tool.parameters
    if parameters is None or not present(parameters):
        parameters = _NO_PARAMETERS
    if json_object(bytes(parameters)) is None:
        raise InvalidRequest("The parameters of a tool must be a JSON Schema object.", param=at)
    function["parameters"] = parameters
    return {"type": "function", "function": function}


def _form(form: OutputForm) -> Body:
    if form.kind == "json":
        return {"type": "json_object"}
    schema = json_object(bytes(form.schema)) if form.schema is not None else None
    if schema is None:
        raise InvalidRequest(
            "A response_format of json_schema needs a schema that is an object.",
            param="response_format.json_schema.schema",
        )
    if form.description and "description" not in schema:
        return {"type": "json_object", "json_schema": {"description": form.description, **schema}}
    return {"type": "json_object", "json_schema": form.schema}


def _carry(prompt: Prompt, body: Body) -> None:
    """Add the fields that no codec knows."""
    for field, value in settle_fields(prompt.extra):
        if field in _UNTOLD:
            continue
        if field == "service_tier":
            if bytes(value) not in (b'"auto"', b'"default"', b'"standard_only"'):
                raise Unsupported("This model has one service_tier; leave it out.", param="service_tier")
        elif field == "metadata":
            if bytes(value) != b"{}":
                raise Unsupported("This model's vendor keeps no metadata; leave it out.", param="metadata")
        elif field == "thinking":
            if (thinking := _thinking(value)) is not None:
                body[field] = thinking
        elif field == "documents" and field in body:
            body[field] = [*_listed(field, body[field]), *_decode(field, value)]
        else:
            _set("k" if field == "top_k" else field, value, body)


def _set(field: str, value: object, body: Body) -> None:
    if field in body:
        raise InvalidRequest(f"The field {field} says again what another field says; send one.", param=field)
    body[field] = value


def _thinking(value: msgspec.Raw) -> object:
    """Return Cohere's ``thinking`` for its own form or Anthropic's, or None where it leaves all to the model."""
    fields = json_object(bytes(value))
    if fields is None:
        raise InvalidRequest("The field thinking must be an object.", param="thinking")
    if bytes(fields.get("type", b"")) == b'"adaptive"':
        return None
    return {"token_budget" if name == "budget_tokens" else name: said for name, said in fields.items()}


def _listed(field: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise InvalidRequest(f"The field {field} must be a list.", param=field)
    return value


def _decode(field: str, value: msgspec.Raw) -> list[object]:
    try:
        return [*msgspec.json.decode(value, type=list[msgspec.Raw])]
    except UNREADABLE:
        raise InvalidRequest(f"The field {field} must be a list.", param=field) from None
