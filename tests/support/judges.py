"""The official SDKs as judges of what vendors are asked: each function holds a body to the SDK's types, field by field.

A field that an SDK does not know is lost, forbidden or a KeyError in its types, so the comparison finds it. All return
the body decoded.
"""

import base64
import functools
import inspect
import json
from typing import Any
from urllib.parse import unquote

import pydantic
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from cohere.types import (
    AssistantChatMessageV2,
    JsonObjectResponseFormatV2,
    SystemChatMessageV2,
    Thinking,
    ToolChatMessageV2,
    ToolV2,
    UserChatMessageV2,
)
from cohere.v2.client import V2Client
from google.genai import types as genai
from openai.types.chat import completion_create_params as chat_params
from openai.types.responses import response_create_params as responses_params
from pydantic import TypeAdapter

__all__ = ["anthropic", "bedrock", "bedrock_service", "cohere", "gemini", "openai", "responses"]

Json = dict[str, Any]

#: Fields of Anthropic's version 2023-06-01 that the SDK, made for a later one, no longer has.
_EARLIER = ("temperature", "top_p", "top_k")
_ROLES = {
    "system": SystemChatMessageV2,
    "user": UserChatMessageV2,
    "assistant": AssistantChatMessageV2,
    "tool": ToolChatMessageV2,
}
_COHERE_FIELDS = {"thinking": Thinking, "response_format": JsonObjectResponseFormatV2}
_GEMINI_FIELDS: dict[str, TypeAdapter[Any]] = {
    "contents": TypeAdapter(list[genai.Content]),
    "systemInstruction": TypeAdapter(genai.Content),
    "tools": TypeAdapter(list[genai.Tool]),
    "toolConfig": TypeAdapter(genai.ToolConfig),
    "generationConfig": TypeAdapter(genai.GenerationConfig),
    "safetySettings": TypeAdapter(list[genai.SafetySetting]),
    "serviceTier": TypeAdapter(genai.ServiceTier),
    "cachedContent": TypeAdapter(str),
}


@functools.cache
def _adapter(name: str, stream: bool) -> TypeAdapter[Any]:
    pairs: dict[str, tuple[Any, Any]] = {
        "anthropic": (MessageCreateParamsNonStreaming, MessageCreateParamsStreaming),
        "openai": (chat_params.CompletionCreateParamsNonStreaming, chat_params.CompletionCreateParamsStreaming),
        "responses": (
            responses_params.ResponseCreateParamsNonStreaming,
            responses_params.ResponseCreateParamsStreaming,
        ),
    }
    return TypeAdapter(pairs[name][stream])


def _plain(value: Any) -> Any:
    """Return a validated value with its lazy iterables walked, which is when pydantic checks their items."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value
    return [_plain(item) for item in value]


def _typed(name: str, asked: Json, apart: tuple[str, ...] = ()) -> None:
    kept = {field: value for field, value in asked.items() if field not in apart}
    read = _plain(_adapter(name, asked.get("stream") is True).validate_python(kept))
    assert read == kept, (read, kept)


def anthropic(path: bytes, body: bytes) -> Json:
    """A message request."""
    assert path == b"/v1/messages"
    asked: Json = json.loads(body)
    _typed("anthropic", asked, _EARLIER)
    return asked


def openai(path: bytes, body: bytes) -> Json:
    """A chat completion request."""
    assert path == b"/chat/completions"
    asked: Json = json.loads(body)
    _typed("openai", asked)
    return asked


def responses(path: bytes, body: bytes) -> Json:
    """A request for a response."""
    assert path == b"/responses"
    asked: Json = json.loads(body)
    _typed("responses", asked)
    return asked


def cohere(path: bytes, body: bytes) -> Json:
    """A chat request of Cohere's second version."""
    assert path == b"/v2/chat"
    asked: Json = json.loads(body)
    known = set(inspect.signature(V2Client.chat).parameters) | {"stream"}
    assert set(asked) <= known, set(asked) - known
    for message in asked["messages"]:
        _hold(message, _ROLES[message["role"]])
    for tool in asked.get("tools", ()):
        _hold(tool, ToolV2)
    for name, model in _COHERE_FIELDS.items():
        if name in asked:
            _hold(asked[name], model)
    return asked


def _hold(value: Any, model: Any) -> None:
    typed = TypeAdapter(model).validate_python(value)
    _no_extras(typed)
    assert typed.model_dump(exclude_unset=True) == value


def _no_extras(value: Any) -> None:
    if isinstance(value, pydantic.BaseModel):
        assert not value.model_extra, value.model_extra
        for name in value.model_fields_set:
            _no_extras(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            _no_extras(item)


def gemini(path: bytes, body: bytes) -> Json:
    """A request for content; the SDK's types forbid fields they do not know, and must write again what was sent."""
    assert path.startswith(b"/v1beta/models/")
    asked: Json = json.loads(body)
    for name, value in asked.items():
        adapter = _GEMINI_FIELDS[name]
        found = adapter.validate_json(json.dumps(value))
        again = adapter.dump_python(found, mode="json", by_alias=True, exclude_none=True)
        assert _same(again) == _same(value)
    return asked


def _same(value: Any) -> Any:
    """Return a value with what the SDK writes in its own way put alike: base64 for URLs."""
    if isinstance(value, dict):
        return {
            key: item.replace("-", "+").replace("_", "/")
            if key in ("thoughtSignature", "data") and isinstance(item, str)
            else _same(item)
            for key, item in value.items()
        }
    return [_same(item) for item in value] if isinstance(value, list) else value


@functools.cache
def bedrock_service() -> ServiceModel:
    """Return AWS's own description of the service."""
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


def bedrock(path: bytes, body: bytes) -> Json:
    """A Converse request: what the SDK itself would send for the same parameters must be the same request."""
    asked: Json = json.loads(body)
    operation = bedrock_service().operation_model("ConverseStream" if path.endswith(b"-stream") else "Converse")
    params = {"modelId": unquote(path.decode().split("/")[2]), **_blobs(asked, operation.input_shape)}
    sent = create_serializer("rest-json", include_validation=True).serialize_to_request(params, operation)
    assert sent["url_path"] == path.decode()
    assert json.loads(sent["body"]) == asked
    return asked


def _blobs(value: Any, shape: Any) -> Any:
    """Return JSON as botocore's callers say it: blobs as bytes; a field the SDK does not know is a KeyError."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {name: _blobs(inner, shape.members[name]) for name, inner in value.items()}
    if shape.type_name == "list":
        return [_blobs(inner, shape.member) for inner in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    return value
