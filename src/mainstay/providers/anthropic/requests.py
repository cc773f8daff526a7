"""A prompt as the body of ``POST /v1/messages``.

Nothing a caller asks for is lost in silence. What the wire has is translated; what it lacks is refused with
the field named, unless the value is the one that changes nothing (``n: 1``, ``logprobs: false``,
``frequency_penalty: 0``, ``store: false``, ``verbosity: "medium"``, ``modalities: ["text"]``, null). Fields
that no codec knows go up verbatim: ``thinking``, ``top_k``, ``cache_control`` or ``context_management`` in an
OpenAI request work as Anthropic documents them, and an invented one comes back as the upstream's own refusal.

* ``max_tokens``, ``max_completion_tokens``: ``max_tokens``; the target's ``max_output`` when absent, for the
  wire demands one.
* ``stop``: ``stop_sequences``.
* ``user``, ``safety_identifier``: ``metadata.user_id``; ``safety_identifier`` wins, as it replaced ``user``.
* ``metadata``: only a ``user_id``; other keys are refused.
* ``reasoning_effort``: ``output_config.effort``; ``none`` is ``thinking: disabled``; ``minimal`` is refused,
  for this wire's least is ``low``.
* ``response_format: json_schema``: ``output_config.format``; its description goes into the schema. A schema
  that is not strict is held to as well.
* ``tool_choice``, ``parallel_tool_calls``: ``tool_choice`` with ``disable_parallel_tool_use``.
* ``service_tier``: ``auto`` as it is, ``default`` is ``standard_only``.
* ``prompt_cache_key``, ``prompt_cache_options``, ``prompt_cache_retention``, ``stream_options``: left out,
  for they are hints that cannot change the answer.
"""

import re

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import OutputForm, Prompt, Tool
from mainstay.core.target import Target
from mainstay.providers.anthropic.messages import conversation, json_object

__all__ = ["is_unsigned", "patch", "translate"]

Body = dict[str, object]

#: No signature, or one of another vendor's (see ``is_foreign``).
_UNSIGNED = re.compile(rb'"signature"\s*:\s*"(?:"|[a-z]{3,20}:)')
_NO_SIGNATURE = re.compile(rb'"(?:"|[a-z]{3,20}:)')
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
_TYPE_OBJECT = msgspec.Raw(b'"object"')
_HINTS = frozenset(("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "stream_options"))
#: OpenAI's fields that this wire lacks: the values besides null that change nothing, and what to do instead.
_LACKING: dict[str, tuple[tuple[object, ...], str]] = {
    "store": ((False,), "Answers are not stored at this model's vendor; leave out store."),
    "prediction": ((), "This model takes no predicted output; leave out prediction."),
    "modalities": (([], ["text"]), "This model answers in text only; leave out modalities."),
    "audio": ((), "This model answers in text only; leave out audio."),
    "moderation": ((), "This model's vendor takes no moderation field; leave it out."),
    "verbosity": (("medium",), "This model has no verbosity setting; ask for the length in the prompt."),
    "web_search_options": (
        (),
        "Add the vendor's own web_search tool to tools instead of web_search_options.",
    ),
    "response_format": ((), "This model holds its answer to a schema only; send response_format json_schema."),
    "functions": (([],), "This model takes tools; send functions as tools."),
    "function_call": (("auto", "none"), "This model takes tool_choice; send it instead of function_call."),
}


def patch(raw: bytes, target: Target, *, stream: bool) -> bytes:
    """Return a body of this wire's own dialect with only the model's name and ``stream`` changed.

    Every other field keeps its bytes and its place; of a key given twice the last counts. Thinking without a signature
    is left out: another vendor's model thought it, when it answered an earlier turn, and this one would refuse it.

    Raises:
        InvalidRequest: it is not a JSON object.
    """
    body = json_object(raw)
    if body is None:
        raise InvalidRequest("The body must be a JSON object.")
    if target.upstream:
        body["model"] = msgspec.Raw(msgspec.json.encode(target.upstream))
    if stream or "stream" in body:
        body["stream"] = msgspec.Raw(b"true" if stream else b"false")
    if is_unsigned(raw) and "messages" in body:
        body["messages"] = msgspec.Raw(msgspec.json.encode(_signed(body["messages"])))
    return msgspec.json.encode(body)


def is_unsigned(raw: bytes) -> bool:
    """Return whether a body may hold thinking without a signature of this vendor's."""
    return b'"signature"' in raw and _UNSIGNED.search(raw) is not None


def _signed(messages: msgspec.Raw) -> list[object]:
    kept: list[object] = []
    for message in msgspec.json.decode(messages, type=list[msgspec.Raw]):
        fields = json_object(bytes(message)) or {}
        content = fields.get("content", msgspec.Raw(b""))
        if not is_unsigned(bytes(message)) or bytes(content)[:1] != b"[":
            kept.append(message)
            continue
        blocks = [block for block in msgspec.json.decode(content, type=list[msgspec.Raw]) if not _foreign(block)]
        if blocks:
            kept.append({**fields, "content": blocks})
    return kept


def _foreign(block: msgspec.Raw) -> bool:
    fields = json_object(bytes(block)) or {}
    return bytes(fields.get("type", b"")) == b'"thinking"' and bool(
        _NO_SIGNATURE.match(bytes(fields.get("signature", b"")))
    )


def translate(prompt: Prompt, target: Target, *, stream: bool) -> bytes:
    """Return the body that asks what ``prompt`` asks.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the field.
        InvalidRequest: a field is wrong, or said twice in two vendors' words.
    """
    _refuse(prompt)
    system, turns = conversation(prompt.messages)
    body: Body = {
        "model": target.upstream or prompt.model,
        "max_tokens": target.max_output if prompt.max_tokens is None else prompt.max_tokens,
    }
    if system:
        body["system"] = system
    body["messages"] = turns
    _tools(prompt, body)
    if prompt.temperature is not None:
        body["temperature"] = prompt.temperature
    if prompt.top_p is not None:
        body["top_p"] = prompt.top_p
    if prompt.stop:
        body["stop_sequences"] = prompt.stop
    _user(prompt, body)
    _output(prompt, body)
    if stream:
        body["stream"] = True
    _carry(prompt, body)
    return msgspec.json.encode(body)


def _refuse(prompt: Prompt) -> None:
    checks: tuple[tuple[str, bool, str], ...] = (
        ("n", prompt.n is not None and prompt.n != 1, "This model gives one choice; send several requests."),
        ("logprobs", bool(prompt.logprobs), "This model gives no token probabilities; leave out logprobs."),
        ("top_logprobs", bool(prompt.top_logprobs), "This model gives no token probabilities; leave it out."),
        ("seed", prompt.seed is not None, "This model cannot be seeded; leave out seed."),
        (
            "logit_bias",
            prompt.logit_bias is not None and bytes(prompt.logit_bias) not in (b"null", b"{}"),
            "This model takes no logit_bias; leave it out.",
        ),
        ("frequency_penalty", bool(prompt.frequency_penalty), "This model takes no penalties; leave it out."),
        ("presence_penalty", bool(prompt.presence_penalty), "This model takes no penalties; leave it out."),
        (
            "temperature",
            prompt.temperature is not None and prompt.temperature > 1,
            "This model's temperature goes from 0 to 1; choose a value in that range.",
        ),
        (
            "stop",
            any(not stop.strip() for stop in prompt.stop),
            "This model's stop strings need a visible character; change or leave out stop.",
        ),
        (
            "response_format",
            prompt.form is not None and prompt.form.kind == "json",
            "This model holds its answer to a schema only; send response_format json_schema.",
        ),
        (
            "reasoning_effort",
            prompt.reasoning_effort == "minimal",
            "This model's least reasoning_effort is low, or none; send one of these.",
        ),
    )
    for param, wrong, message in checks:
        if wrong:
            raise Unsupported(message, param=param)


def _tools(prompt: Prompt, body: Body) -> None:
    choice = prompt.tool_choice
    if not prompt.tools:
        if choice is not None and choice.kind in ("any", "tool"):
            raise InvalidRequest("A tool_choice needs tools to choose from; send tools.", param="tool_choice")
        return
    body["tools"] = [_tool(tool, f"tools[{position}]") for position, tool in enumerate(prompt.tools)]
    alone = prompt.parallel_tools is False
    if choice is None and not alone:
        return
    said: Body = {"type": choice.kind if choice is not None else "auto"}
    if choice is not None and choice.kind == "tool":
        said["name"] = choice.name
    if alone and said["type"] != "none":
        said["disable_parallel_tool_use"] = True
    body["tool_choice"] = said


def _tool(tool: Tool, at: str) -> object:
    if tool.opaque is not None:
        if tool.name == "custom" and "custom" in (json_object(bytes(tool.opaque)) or {}):
            raise Unsupported("This model takes function tools; describe the input as a JSON Schema.", param=at)
        return tool.opaque
    said: Body = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    said["input_schema"] = _input_schema(tool.parameters, f"{at}.function.parameters")
    if tool.strict:
        said["strict"] = True
    extra = {field: value for field, value in tool.extra.items() if bytes(value) != b"null"}
    # What stood inside OpenAI's ``function`` has no level of its own here.
    inner = json_object(bytes(extra.pop("function", b""))) or {}
    return {**inner, **extra, **said}


def _input_schema(parameters: msgspec.Raw | None, at: str) -> object:
    if parameters is None or bytes(parameters) == b"null":
        return _NO_PARAMETERS
    schema = json_object(bytes(parameters))
    if schema is None:
        raise InvalidRequest("The parameters of a tool must be a JSON Schema object.", param=at)
    # The wire demands the type that OpenAI's takes for granted.
    return parameters if "type" in schema else {"type": _TYPE_OBJECT, **schema}


def _user(prompt: Prompt, body: Body) -> None:
    user: object = prompt.user
    safety = prompt.extra.get("safety_identifier")
    if safety is not None and bytes(safety) != b"null":
        user = safety
    given = prompt.extra.get("metadata")
    if given is not None and bytes(given) not in (b"null", b"{}"):
        fields = json_object(bytes(given)) or {}
        if fields.keys() != {"user_id"}:
            raise Unsupported(
                "This model's vendor keeps no metadata but user_id; leave out the rest.", param="metadata"
            )
        user = fields["user_id"]
    if user is not None:
        body["metadata"] = {"user_id": user}


def _output(prompt: Prompt, body: Body) -> None:
    config: Body = {}
    if prompt.reasoning_effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif prompt.reasoning_effort is not None:
        config["effort"] = prompt.reasoning_effort
    if prompt.form is not None and prompt.form.kind == "schema":
        config["format"] = {"type": "json_schema", "schema": _schema(prompt.form)}
    if config:
        body["output_config"] = config


def _schema(form: OutputForm) -> object:
    schema = json_object(bytes(form.schema)) if form.schema is not None else None
    if schema is None:
        raise InvalidRequest(
            "A response_format of json_schema needs a schema that is an object.",
            param="response_format.json_schema.schema",
        )
    if not form.description:
        return form.schema
    own = schema.get("description")
    try:
        texts = [form.description, msgspec.json.decode(own, type=str)] if own is not None else [form.description]
    except msgspec.ValidationError:
        raise InvalidRequest(
            "The description of a schema must be a string.",
            param="response_format.json_schema.schema.description",
        ) from None
    return {**schema, "description": "\n".join(texts)}


def _carry(prompt: Prompt, body: Body) -> None:
    """Add the fields that no codec knows, and settle OpenAI's own that this wire has no word for."""
    for field, value in prompt.extra.items():
        if field in _HINTS or field in ("metadata", "safety_identifier"):
            continue
        if field in _LACKING:
            harmless, message = _LACKING[field]
            said = msgspec.json.decode(value)
            if said is not None and said not in harmless:
                raise Unsupported(message, param=field)
        elif field == "tool_choice":
            _vendor_choice(value, body)
        elif field == "service_tier":
            _service_tier(value, body)
        elif field == "output_config" and field in body:
            body[field] = _merged(body[field], value)
        elif field in body:
            raise InvalidRequest(f"The field {field} says again what another field says; send one.", param=field)
        else:
            body[field] = value


def _vendor_choice(value: msgspec.Raw, body: Body) -> None:
    kind = bytes((json_object(bytes(value)) or {}).get("type", b""))
    if kind in (b'"allowed_tools"', b'"custom"'):
        raise Unsupported(
            "This model's tool_choice names one function at most; send only the tools it may call.",
            param="tool_choice",
        )
    if "tool_choice" in body:
        raise InvalidRequest(
            "Send parallel_tool_calls inside this tool_choice, as disable_parallel_tool_use.", param="tool_choice"
        )
    body["tool_choice"] = value


def _service_tier(value: msgspec.Raw, body: Body) -> None:
    tier = msgspec.json.decode(value)
    if tier in ("auto", "standard_only"):
        body["service_tier"] = tier
    elif tier == "default":
        body["service_tier"] = "standard_only"
    elif tier is not None:
        raise Unsupported("This model's service_tier is auto or default; send one of these.", param="service_tier")


def _merged(ours: object, theirs: msgspec.Raw) -> Body:
    merged: Body = dict(ours) if isinstance(ours, dict) else {}
    for field, value in (json_object(bytes(theirs)) or {}).items():
        if field in merged:
            raise InvalidRequest(
                f"The field output_config.{field} says again what another field says; send one.",
                param=f"output_config.{field}",
            )
        merged[field] = value
    return merged
