"""What is asked and answered in tensors: text as BYTES, settings as parameters.

The names are those that Triton's backends for language models use: ``text_input`` in, ``text_output`` out, settings in
``sampling_parameters`` (JSON), as parameters of the request, or as tensors of one element. Pure; a request becomes the
body of a chat completion, which everything else in Mainstay knows.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mainstay.api.grpc.messages import Messages
from mainstay.core.errors import InvalidRequest

__all__ = ["Inference", "describe", "read_inference", "write_inference"]

_TEXT, _ANSWER = "text_input", "text_output"
#: What Triton's clients say to Triton's scheduler.
_CONTROL: Final = frozenset(
    {"sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "binary_data_output"}
    | {"triton_enable_empty_final_response", "triton_final_response", "exclude_input_in_output"}
)
#: Other backends' names for what has one here.
_ALIASES: Final = {"stop_words": "stop", "random_seed": "seed"}
#: What an answer of one text has no room for.
_REFUSED: Final = frozenset(("tools", "functions", "n", "best_of", "stream_options"))
_CONTENTS: Final = {
    "BOOL": ("bool_contents", "?"),
    "INT8": ("int_contents", "b"),
    "INT16": ("int_contents", "h"),
    "INT32": ("int_contents", "i"),
    "INT64": ("int64_contents", "q"),
    "UINT8": ("uint_contents", "B"),
    "UINT16": ("uint_contents", "H"),
    "UINT32": ("uint_contents", "I"),
    "UINT64": ("uint64_contents", "Q"),
    "FP32": ("fp32_contents", "f"),
    "FP64": ("fp64_contents", "d"),
}


class Inference(msgspec.Struct, frozen=True):
    """One request, read. ``raw``: its tensors came as raw bytes, and so the answer's go back."""

    body: bytes
    stream: bool | None
    raw: bool


def read_inference(request: Any) -> Inference:
    """Return what a ``ModelInferRequest`` asks.

    Raises:
        InvalidRequest: a tensor or a parameter is not what it must be; ``param`` names it.
    """
    if request.raw_input_contents and len(request.raw_input_contents) != len(request.inputs):
        raise InvalidRequest("Give 'raw_input_contents' for every input or for none.", param="raw_input_contents")
    for output in request.outputs:
        if output.name != _ANSWER:
            raise InvalidRequest(f"There is no output '{output.name[:100]}'; ask for '{_ANSWER}'.", param="outputs")
    given: dict[str, Any] = {}
    for position, tensor in enumerate(request.inputs):
        raw = request.raw_input_contents[position] if request.raw_input_contents else None
        if tensor.name in given:
            raise InvalidRequest(f"The input '{tensor.name[:100]}' is there twice.", param="inputs")
        given[tensor.name] = _read_tensor(tensor, raw)
    settings: dict[str, Any] = _json(_one(given.pop("sampling_parameters", "{}"), "sampling_parameters"))
    messages = _messages(given)
    for name, parameter in request.parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        given[name] = getattr(parameter, kind) if kind is not None else None
    stream = given.pop("stream", None)
    system = given.pop("system", None)
    settings |= {_ALIASES.get(name, name): value for name, value in given.items() if name not in _CONTROL}
    for name in settings:
        if name in _REFUSED:
            raise InvalidRequest(f"'{name}' has no place in this protocol; use the HTTP API for it.", param=name)
    said = [{"role": "system", "content": _one(system, "system")}] if system is not None else []
    body = settings | {"model": request.model_name, "messages": said + messages}
    body.pop("stream", None)
    return Inference(
        msgspec.json.encode(body), bool(stream) if stream is not None else None, bool(request.raw_input_contents)
    )


def _messages(given: dict[str, Any]) -> list[Any]:
    """Take the prompt out of the tensors: a text, or messages as OpenAI's chat has them."""
    text, messages = given.pop(_TEXT, None), given.pop("messages", None)
    if (text is None) == (messages is None):
        raise InvalidRequest(f"Give one input '{_TEXT}' of datatype BYTES, or one 'messages' instead.", param="inputs")
    if text is not None:
        return [{"role": "user", "content": _one(text, _TEXT)}]
    found = _json(f'{{"messages":{_one(messages, "messages")}}}')["messages"]
    if not isinstance(found, list):
        raise InvalidRequest("'messages' must be a list, as JSON.", param="messages")
    return found


def _one(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"'{name}' must be one text of datatype BYTES.", param=name)
    return value


def _json(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise InvalidRequest("'sampling_parameters' and 'messages' must be JSON.", param="inputs") from None


def _read_tensor(tensor: Any, raw: bytes | None) -> Any:
    """Return the value of a tensor of one element, or a list of those of more."""
    name = tensor.name[:100]
    size = 1
    for length in tensor.shape:
        size *= length
    if not 0 < size <= 1024:
        raise InvalidRequest(f"The input '{name}' must have 1 to 1024 elements.", param=name)
    if tensor.datatype == "BYTES":
        elements: Sequence[bytes] = tensor.contents.bytes_contents if raw is None else _split(raw, name)
        try:
            values: list[Any] = [element.decode() for element in elements]
        except UnicodeDecodeError:
            raise InvalidRequest(f"The input '{name}' must be text in UTF-8.", param=name) from None
    elif tensor.datatype in _CONTENTS:
        field, code = _CONTENTS[tensor.datatype]
        if raw is None:
            values = list(getattr(tensor.contents, field))
        elif len(raw) != size * struct.calcsize(code):
            raise InvalidRequest(f"The input '{name}' has not the bytes that its shape says.", param=name)
        else:
            values = list(struct.unpack(f"<{size}{code}", raw))
    else:
        raise InvalidRequest(f"The input '{name}' is of a datatype that is not known here.", param=name)
    if len(values) != size:
        raise InvalidRequest(f"The input '{name}' has not the elements that its shape says.", param=name)
    return values[0] if size == 1 else values


def _split(raw: bytes, name: str) -> list[bytes]:
    """Return the elements of a BYTES tensor: each with its length before it, in four bytes, the lowest first."""
    found: list[bytes] = []
    place = 0
    while place < len(raw):
        end = place + 4
        length = int.from_bytes(raw[place:end], "little")
        if end + length > len(raw):
            raise InvalidRequest(f"The input '{name}' ends in the middle of an element.", param=name)
        found.append(raw[end : end + length])
        place = end + length
    return found


def write_inference(
    messages: Messages, request: Any, text: str, parameters: Mapping[str, str | int | bool], *, raw: bool
) -> Any:
    """Return the ``ModelInferResponse`` that says ``text``."""
    data = text.encode("utf-8", "replace")
    response = messages.ModelInferResponse(model_name=request.model_name, id=request.id)
    output = response.outputs.add(name=_ANSWER, datatype="BYTES", shape=[1])
    if raw:
        response.raw_output_contents.append(len(data).to_bytes(4, "little") + data)
    else:
        output.contents.bytes_contents.append(data)
    for name, value in parameters.items():
        if isinstance(value, bool):
            response.parameters[name].bool_param = value
        elif isinstance(value, int):
            response.parameters[name].int64_param = value
        else:
            response.parameters[name].string_param = value
    return response


def describe(messages: Messages, name: str) -> Any:
    """Return the ``ModelMetadataResponse`` of a route: every route takes and gives the same."""
    described = messages.ModelMetadataResponse(name=name, versions=["1"], platform="mainstay")
    for tensor, kind in ((_TEXT, "BYTES"), ("sampling_parameters", "BYTES"), ("stream", "BOOL")):
        described.inputs.add(name=tensor, datatype=kind, shape=[1])
    described.outputs.add(name=_ANSWER, datatype="BYTES", shape=[1])
    return described
