"""A chat completion request: read at the door, and turned into what an upstream of the same dialect is asked.

The common case never builds a prompt: the caller's bytes are checked by one typed reading and go up as they came, or
with top-level fields replaced and everything else kept byte for byte, in order. Of a key given twice the last counts;
the copy that goes up is then rewritten with that one only when some field must change.
"""

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Part,
    Prompt,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.core.target import Feature
from mainstay.providers.lacking import caller_word
from mainstay.providers.openai.door import Door, DoorMessage, read_door
from mainstay.providers.openai.prompt_reader import read_prompt
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.ours import without_ours

__all__ = ["ask_same", "locate", "place", "read_ask", "refuse", "scan", "wants_legacy"]

_OPENAI = Dialect.OPENAI
_TRUE = msgspec.Raw(b"true")
_FALSE = msgspec.Raw(b"false")
#: What a caller may set the limit of an answer's tokens with; the last is llama.cpp's own.
_LIMITS = ("max_tokens", "max_completion_tokens", "n_predict")
_USAGE_ONLY = msgspec.Raw(b'{"include_usage":true}')
_PARTS = {"image_url": Feature.IMAGES, "input_audio": Feature.AUDIO, "file": Feature.DOCUMENTS}
#: The field that asks for a feature, and what the caller would call it.
_FIELDS = {
    Feature.TOOLS: ("tools", "call tools"),
    Feature.IMAGES: ("messages", "read images"),
    Feature.AUDIO: ("messages", "hear or speak"),
    Feature.DOCUMENTS: ("messages", "read documents"),
    Feature.LOGPROBS: ("logprobs", "give log probabilities"),
    Feature.CHOICES: ("n", "give more than one choice"),
    Feature.SEED: ("seed", "take a seed"),
    Feature.LOGIT_BIAS: ("logit_bias", "take a logit bias"),
    Feature.PENALTIES: ("frequency_penalty", "take frequency or presence penalties"),
    Feature.JSON: ("response_format", "hold its answer to JSON"),
    Feature.SCHEMA: ("response_format", "hold its answer to a JSON Schema"),
    Feature.THINKING: ("thinking", "think within a budget"),
    Feature.PREFILL: ("messages", "go on with a turn that was begun for it"),
}


def read_ask(body: bytes) -> Ask:
    """Read the body of ``POST /v1/chat/completions``.

    Raises:
        InvalidRequest: it is not what the dialect allows; ``param`` names the field.
    """
    door = read_door(body)
    for message in door.messages:
        if message.role == "assistant":
            body = without_ours(body)
            break
    options = door.stream_options
    return Ask(
        body,
        _OPENAI,
        door.model,
        door.stream is True,
        options is not None and options.include_usage is True,
        read_prompt,
        scan,
        locate=locate,
        place=place,
        user=door.user or "",
    )


def scan(ask: Ask) -> frozenset[Feature]:
    """Return what a model must be able to do to answer ``ask``."""
    if ask.dialect is not Dialect.OPENAI or not ask.raw:
        return _scan_prompt(ask.prompt)
    door = read_door(ask.raw)
    found = _scan_options(door)
    if door.tools or door.functions:
        found.add(Feature.TOOLS)
    if door.modalities and "audio" in door.modalities:
        found.add(Feature.AUDIO)
    if door.response_format is not None:
        kind = door.response_format.type
        if kind == "json_schema":
            found.add(Feature.SCHEMA)
        elif kind == "json_object":
            found.add(Feature.JSON)
    for message in door.messages:
        found |= _scan_message(message)
    if door.messages[-1].role == "assistant" and not _scan_message(door.messages[-1]):
        found.add(Feature.PREFILL)
    return frozenset(found)


def refuse(ask: Ask, model: str, missing: frozenset[Feature]) -> Unsupported:
    """Return the error for a request that needs what ``model`` lacks, with the caller's field named.

    Where a stage of the line has changed the request, it is the one that the caller sent which is looked through.
    """
    feature = min(missing, key=list(Feature).index)
    param, ability = _FIELDS[feature]
    param = caller_word(param, ask.dialect)
    origin = ask.origin or ask
    if origin.locate is not None:
        param = origin.locate(origin, feature) or param
    return Unsupported(
        f"The model '{model}' cannot {ability}; leave out '{param}' or choose another model.", param=param
    )


def locate(ask: Ask, feature: Feature) -> str | None:
    """Return the path of the first field of ``ask`` that asks for ``feature``."""
    if not ask.raw:
        return None
    return _locate(read_door(ask.raw), feature) or _FIELDS[feature][0]


def place(ask: Ask, message: int, parts: tuple[int, ...], field: str) -> str:
    """Return the path of what stands at a place of the prompt; see :class:`~mainstay.core.call.Ask`."""
    at = f"messages[{message}]"
    if not parts:
        return f"{at}.{field}" if field else at
    said = ask.prompt.messages[message].parts
    meant = said[parts[0]]
    if isinstance(meant, ToolCallPart):
        if field == "arguments":
            field = "function.arguments"
        at += f".tool_calls[{sum(isinstance(part, ToolCallPart) for part in said[: parts[0]])}]"
    elif isinstance(meant, ThinkingPart):
        at += ".thinking_blocks"
    elif isinstance(meant, ToolResultPart):
        if field == "id":
            return f"{at}.tool_call_id"
        # A message with this role is the result.
        at += ".content" + "".join([f"[{inner}]" for inner in parts[1:]])
    else:
        before = sum(not isinstance(part, ToolCallPart | ThinkingPart) for part in said[: parts[0]])
        at += f".content[{before}]"
    return f"{at}.{field}" if field else at


def wants_legacy(ask: Ask) -> bool:
    """Return whether the caller uses ``functions``, and so expects ``function_call`` in the answer."""
    if ask.dialect is not Dialect.OPENAI or b"functions" not in ask.raw:
        return False
    fields = read_fields(ask.raw)
    functions = fields.get("functions")
    return functions is not None and bytes(functions) != b"null" and "tools" not in fields


def ask_same(ask: Ask, model: str, *, stream: bool, most: int | None = None) -> bytes:
    """Return the body that asks an upstream of this dialect: the caller's own bytes unless something must change.

    A stream is always asked to report its usage: without it nothing could be metered. ``most`` is the limit of tokens
    to set where the caller set none.
    """
    named = model != ask.model
    if most is None and stream == ask.stream and not named and (not stream or ask.include_usage):
        return ask.raw
    fields = read_fields(ask.raw)
    if most is not None and all(bytes(fields.get(name, b"null")) == b"null" for name in _LIMITS):
        fields["max_tokens"] = msgspec.Raw(b"%d" % most)
    if named:
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if stream:
        fields["stream"] = _TRUE
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    elif ask.stream:
        fields["stream"] = _FALSE
        fields.pop("stream_options", None)
    return msgspec.json.encode(fields)


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None or bytes(options) == b"null":
        return _USAGE_ONLY
    fields = read_fields(options)
    fields["include_usage"] = _TRUE
    return msgspec.Raw(msgspec.json.encode(fields))


def _scan_options(asked: Door | Prompt) -> set[Feature]:
    found: set[Feature] = set()
    if asked.n is not None and asked.n > 1:
        found.add(Feature.CHOICES)
    if asked.logprobs or asked.top_logprobs:
        found.add(Feature.LOGPROBS)
    if asked.seed is not None:
        found.add(Feature.SEED)
    if asked.frequency_penalty or asked.presence_penalty:
        found.add(Feature.PENALTIES)
    bias = asked.logit_bias
    if bias and (isinstance(bias, dict) or read_fields(bias)):
        found.add(Feature.LOGIT_BIAS)
    return found


def _scan_message(message: DoorMessage) -> set[Feature]:
    found: set[Feature] = set()
    if message.tool_calls or message.function_call or message.role in ("tool", "function"):
        found.add(Feature.TOOLS)
    if isinstance(message.content, list):
        found |= {_PARTS[part.type] for part in message.content if part.type in _PARTS}
    return found


def _scan_prompt(prompt: Prompt) -> frozenset[Feature]:
    found = _scan_options(prompt)
    if prompt.tools:
        found.add(Feature.TOOLS)
    if prompt.form is not None and prompt.form.kind != "text":
        found.add(Feature.JSON if prompt.form.kind == "json" else Feature.SCHEMA)
    if b"audio" in bytes(prompt.extra.get("modalities", msgspec.Raw(b""))):
        found.add(Feature.AUDIO)
    for message in prompt.messages:
        for part in message.parts:
            found |= _scan_part(part)
    last = prompt.messages[-1] if prompt.messages else None
    if (
        last is not None
        and last.role == "assistant"
        and all(isinstance(one, TextPart | ThinkingPart) for one in last.parts)
    ):
        found.add(Feature.PREFILL)
    return frozenset(found)


def _scan_part(part: Part) -> set[Feature]:
    if isinstance(part, ToolResultPart):
        return {Feature.TOOLS}.union(*map(_scan_part, part.content))
    if isinstance(part, ToolCallPart):
        return {Feature.TOOLS}
    if isinstance(part, ImagePart):
        return {Feature.IMAGES}
    if isinstance(part, AudioPart):
        return {Feature.AUDIO}
    return {Feature.DOCUMENTS} if isinstance(part, DocumentPart) else set()


def _locate(door: Door, feature: Feature) -> str | None:
    """Return the path of the first field that asks for ``feature``, where that is not plain."""
    if feature is Feature.TOOLS and not door.tools:
        if door.functions:
            return "functions"
        return next((f"messages[{i}]" for i, m in enumerate(door.messages) if feature in _scan_message(m)), None)
    if feature is Feature.PENALTIES and not door.frequency_penalty:
        return "presence_penalty"
    if feature is Feature.PREFILL:
        return f"messages[{len(door.messages) - 1}]"
    if feature is Feature.LOGPROBS and not door.logprobs:
        return "top_logprobs"
    for i, message in enumerate(door.messages):
        for j, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if _PARTS.get(part.type) is feature:
                return f"messages[{i}].content[{j}]"
    return "modalities" if feature is Feature.AUDIO else None
