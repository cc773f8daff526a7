"""A prompt as the body of ``generateContent``.

Nothing a caller asks for is lost in silence. What the wire has is translated; what it lacks is refused with the field
named, unless the value is the one that changes nothing (``logit_bias: {}``, ``store: false``, ``verbosity: "medium"``,
null). Fields that no codec knows go up verbatim: ``safetySettings``, ``cachedContent`` or ``labels`` work as Google
documents them, in either spelling, and an invented one comes back as the upstream's own refusal.

* ``max_tokens``, ``temperature``, ``top_p``, ``top_k``, ``n``, ``seed``, ``stop``, the penalties: their namesakes in
  ``generationConfig``; ``logprobs`` and ``top_logprobs``: ``responseLogprobs`` and ``logprobs``.
* ``response_format``: ``responseMimeType`` and ``responseJsonSchema``, a JSON Schema as it is sent; its description
  goes into the schema.
* ``tools``: one list of functions, their parameters as ``parametersJsonSchema``. The older ``parameters`` takes a
  dialect of OpenAPI's without references, unions or ``additionalProperties``, so that schemas would have to change.
  Google's own tools may be named by type: ``{"type": "google_search"}``.
* ``tool_choice``: ``functionCallingConfig``; ``allowed_tools`` are ``allowedFunctionNames``. A ``strict`` tool asks for
  the mode in which arguments are held to their schema.
* ``reasoning_effort`` and Anthropic's ``thinking``: see ``thinking``.
* ``service_tier``: ``auto`` is left out, ``default`` is ``standard``. ``modalities``: ``responseModalities``.
* ``generationConfig``, ``toolConfig`` and ``thinkingConfig`` are merged with what other fields said; so are the fields
  inside ``google`` and ``extra_body.google``, as Google's own OpenAI wire has them.
* ``user``, ``safety_identifier``, ``prompt_cache_key`` and the like, ``cache_control``, ``context_management``: left
  out, for they are hints that cannot change the answer.
* ``parallel_tool_calls: false`` is refused where tools may be called: the wire cannot forbid it.
"""

from typing import Any

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.prompt import OutputForm, Prompt
from mainstay.providers.gemini.contents import conversation
from mainstay.providers.gemini.thinking import thinking_config
from mainstay.providers.gemini.tools import function_calling, tool_entries
from mainstay.providers.gemini.wire import generation
from mainstay.providers.wire import json_object

__all__ = ["translate"]

Body = dict[str, Any]

_NULL = b"null"
_HINTS = frozenset(
    {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "stream_options", "safety_identifier"}
    | {"cache_control", "context_management", "diagnostics"}
    # Read where they belong.
    | {"tool_choice", "thinking"}
)
#: Other dialects' fields that this wire lacks: the values besides null that change nothing, and what to do instead.
_LACKING: dict[str, tuple[tuple[object, ...], str]] = {
    "store": ((False,), "Answers are not stored at this model's vendor; leave out store."),
    "metadata": (({},), "This model's vendor keeps no metadata; leave it out."),
    "prediction": ((), "This model takes no predicted output; leave out prediction."),
    "audio": ((), "This model speaks in no voice of OpenAI's; leave out audio."),
    "moderation": ((), "This model's vendor takes no moderation field; leave it out."),
    "verbosity": (("medium",), "This model has no verbosity setting; ask for the length in the prompt."),
    "web_search_options": ((), 'Add {"type": "google_search"} to tools instead of web_search_options.'),
    "response_format": ((), "This model's response_format is text, json_object or json_schema; send one of these."),
    "functions": (([],), "This model takes tools; send functions as tools."),
    "function_call": (("auto", "none"), "This model takes tool_choice; send it instead of function_call."),
    "container": ((), "The field 'container' asks for what only another provider's models do; leave it out."),
    "mcp_servers": (([],), "The field 'mcp_servers' asks for what only another provider's models do; leave it out."),
    "output_config": (({},), "This model has no output_config beside effort and format; leave out the rest."),
    "inference_geo": (("global",), "This model's vendor takes no inference_geo; leave it out."),
    "speed": (("standard",), "This model has one speed; leave out speed."),
    "user_profile_id": ((), "This model's vendor takes no user_profile_id; leave it out."),
}
_CONFIGS = {"generationConfig": "generationConfig", "generation_config": "generationConfig"}
_TOOL_CONFIGS = {"toolConfig": "toolConfig", "tool_config": "toolConfig"}
_THINKING = ("thinkingConfig", "thinking_config")
_TIERS = {
    "auto": None,
    "default": "standard",
    "standard_only": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
}
_SEEDS = range(-(2**31), 2**31)
_MODALITIES = ("text", "image", "audio")


def translate(prompt: Prompt, model: str, maker: str = "") -> bytes:
    """Return the body that asks ``model`` of the provider ``maker`` what ``prompt`` asks.

    Raises:
        Unsupported: the wire cannot say it; ``param`` names the field.
        InvalidRequest: a field is wrong, or said twice in two vendors' words.
    """
    level = generation(model)
    _refuse(prompt)
    system, contents = conversation(prompt.messages, level, maker)
    body: Body = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    tools = tool_entries(prompt)
    if tools:
        body["tools"] = tools
    calling = function_calling(prompt)
    if calling:
        body["toolConfig"] = {"functionCallingConfig": calling}
    config = _sampling(prompt)
    if prompt.form is not None:
        _form(prompt.form, config)
    thinking = thinking_config(prompt, level)
    if thinking:
        config["thinkingConfig"] = thinking
    _carry(prompt.extra, body, config)
    if config:
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _refuse(prompt: Prompt) -> None:
    bias = prompt.logit_bias
    if bias is not None and bytes(bias) not in (_NULL, b"{}"):
        raise Unsupported("This model takes no logit_bias; leave it out.", param="logit_bias")
    if prompt.seed is not None and prompt.seed not in _SEEDS:
        raise Unsupported("This model's seed is a number of 32 bits; choose a smaller one.", param="seed")
    if prompt.top_logprobs and not prompt.logprobs:
        raise InvalidRequest("A top_logprobs needs logprobs: true; send both.", param="top_logprobs")


def _sampling(prompt: Prompt) -> Body:
    config: Body = {}
    for name, value in (
        ("maxOutputTokens", prompt.max_tokens),
        ("temperature", prompt.temperature),
        ("topP", prompt.top_p),
        ("candidateCount", prompt.n),
        ("seed", prompt.seed),
        ("frequencyPenalty", prompt.frequency_penalty),
        ("presencePenalty", prompt.presence_penalty),
        ("stopSequences", prompt.stop or None),
        ("responseLogprobs", prompt.logprobs or None),
        ("logprobs", prompt.top_logprobs or None),
    ):
        if value is not None:
            config[name] = value
    return config


def _form(form: OutputForm, config: Body) -> None:
    if form.kind == "text":
        return
    config["responseMimeType"] = "application/json"
    if form.kind == "json":
        return
    param = "response_format.json_schema.schema"
    schema = json_object(bytes(form.schema)) if form.schema is not None else None
    if schema is None:
        raise InvalidRequest("A response_format of json_schema needs a schema that is an object.", param=param)
    config["responseJsonSchema"] = form.schema
    if form.description:
        own = schema.get("description", msgspec.Raw(b'""'))
        try:
            texts = [form.description, msgspec.json.decode(own, type=str)]
        except msgspec.ValidationError:
            raise InvalidRequest(
                "The description of a schema must be a string.", param=f"{param}.description"
            ) from None
        config["responseJsonSchema"] = {**schema, "description": "\n".join(filter(None, texts))}


def _carry(extra: dict[str, msgspec.Raw], body: Body, config: Body) -> None:
    """Add the fields that no codec knows, and settle other dialects' own that this wire has no word for."""
    for field, value in extra.items():
        if field in _HINTS or bytes(value) == _NULL:
            continue
        if field in _LACKING:
            harmless, message = _LACKING[field]
            if msgspec.json.decode(value) not in harmless:
                raise Unsupported(message, param=field)
        elif field == "top_k":
            _add(config, "topK", value, field)
        elif field == "service_tier":
            _service_tier(value, body)
        elif field == "modalities":
            _modalities(value, config)
        elif field in ("google", "extra_body"):
            inner = _object(value, field)
            if field == "extra_body":
                _only(inner, "google", field)
                inner = _object(inner.get("google", msgspec.Raw(b"{}")), "extra_body.google")
            _carry(inner, body, config)
        elif field in _CONFIGS:
            for name, said in _object(value, field).items():
                if name in _THINKING:
                    _think(said, config, f"{field}.{name}")
                else:
                    _add(config, name, said, f"{field}.{name}")
        elif field in _TOOL_CONFIGS:
            _tool_config(value, body, field)
        elif field in _THINKING:
            _think(value, config, field)
        else:
            _add(body, field, value, field)


def _add(into: Body, name: str, value: object, field: str) -> None:
    if name in into:
        raise InvalidRequest(f"The field {field} says again what another field says; send one.", param=field)
    into[name] = value


def _object(value: msgspec.Raw, field: str) -> dict[str, msgspec.Raw]:
    found = json_object(bytes(value))
    if found is None:
        raise InvalidRequest(f"The field {field} must be an object.", param=field)
    return found


def _only(fields: dict[str, msgspec.Raw], name: str, field: str) -> None:
    for other in fields:
        if other != name:
            raise Unsupported(f"This model's {field} has one field, {name}; leave out the rest.", param=field)


def _think(value: msgspec.Raw, config: Body, field: str) -> None:
    if config.get("thinkingConfig"):
        raise InvalidRequest(f"The field {field} says again how much to think; send one.", param=field)
    config["thinkingConfig"] = value


def _tool_config(value: msgspec.Raw, body: Body, field: str) -> None:
    into = body.setdefault("toolConfig", {})
    for name, said in _object(value, field).items():
        same = "functionCallingConfig" if name == "function_calling_config" else name
        if same == "functionCallingConfig":
            inner = _object(said, f"{field}.{name}")
            for asked in ("streamFunctionCallArguments", "stream_function_call_arguments"):
                if asked in inner:
                    raise Unsupported("Arguments of calls are not given in pieces; leave this out.", param=field)
        _add(into, same, said, f"{field}.{name}")


def _service_tier(value: msgspec.Raw, body: Body) -> None:
    tier = msgspec.json.decode(value)
    if isinstance(tier, str) and tier in _TIERS:
        if (said := _TIERS[tier]) is not None:
            body["serviceTier"] = said
    else:
        raise Unsupported(
            "This model's service_tier is auto, default, flex or priority; send one of these.", param="service_tier"
        )


def _modalities(value: msgspec.Raw, config: Body) -> None:
    given = msgspec.json.decode(value)
    if not isinstance(given, list) or any(kind not in _MODALITIES for kind in given):
        raise Unsupported("This model's modalities are text, image and audio; send these.", param="modalities")
    if given not in ([], ["text"]):
        _add(config, "responseModalities", [kind.upper() for kind in given], "modalities")
