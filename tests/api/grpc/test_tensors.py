"""What is asked in tensors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.api.grpc.messages import load_messages
from mainstay.api.grpc.tensors import read_inference, write_inference
from mainstay.core.errors import InvalidRequest

M = load_messages()
KINDS = st.sampled_from(["BYTES", "BOOL", "INT8", "INT32", "UINT64", "FP32", "FP64", "FP16", ""])
NAMES = st.sampled_from(["text_input", "sampling_parameters", "stream", "messages", "temperature", "n", "x"])
SHAPES = st.lists(st.integers(-1, 3), max_size=2)


@st.composite
def requests(draw: st.DrawFn) -> Any:
    request = M.ModelInferRequest(model_name=draw(st.text(max_size=3)))
    for _ in range(draw(st.integers(0, 3))):
        tensor = request.inputs.add(name=draw(NAMES), datatype=draw(KINDS), shape=draw(SHAPES))
        tensor.contents.bytes_contents.extend(draw(st.lists(st.binary(max_size=6), max_size=2)))
        tensor.contents.fp32_contents.extend(draw(st.lists(st.floats(width=32), max_size=2)))
        tensor.contents.int_contents.extend(draw(st.lists(st.integers(-5, 5), max_size=2)))
    if draw(st.booleans()):
        request.raw_input_contents.extend(draw(st.lists(st.binary(max_size=12), max_size=3)))
    for name in draw(st.lists(NAMES, max_size=2)):
        request.parameters[name].string_param = draw(st.text(max_size=3))
    return request


@given(requests())
def test_whatever_is_asked_is_a_request_or_refused(request: Any) -> None:
    try:
        asked = read_inference(request)
    except InvalidRequest:
        return
    assert json.loads(asked.body)["model"] == request.model_name


@given(st.text(max_size=40), st.booleans())
def test_a_text_comes_through_as_it_was(text: str, raw: bool) -> None:
    data = text.encode("utf-8", "replace")
    request = M.ModelInferRequest(model_name="m", id="7")
    tensor = request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    if raw:
        request.raw_input_contents.append(len(data).to_bytes(4, "little") + data)
    else:
        tensor.contents.bytes_contents.append(data)
    asked = read_inference(request)
    assert json.loads(asked.body)["messages"] == [{"role": "user", "content": data.decode()}]
    assert asked.raw is raw
    answer = write_inference(M, request, data.decode(), {"a": True, "b": 1, "c": "x"}, raw=raw)
    said = answer.raw_output_contents[0][4:] if raw else answer.outputs[0].contents.bytes_contents[0]
    assert said == data
    kinds = [answer.parameters[name].WhichOneof("parameter_choice") for name in "abc"]
    assert (answer.id, kinds) == ("7", ["bool_param", "int64_param", "string_param"])


@pytest.mark.parametrize("given_first", ["tensor", "parameter"])
def test_a_parameter_goes_before_a_tensor_and_both_before_the_json(given_first: str) -> None:
    request = M.ModelInferRequest(model_name="m")
    request.inputs.add(name="text_input", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"x")
    settings = request.inputs.add(name="sampling_parameters", datatype="BYTES", shape=[1])
    settings.contents.bytes_contents.append(b'{"top_p": 0.1, "seed": 1, "model": "other", "messages": []}')
    request.inputs.add(name="top_p", datatype="FP64", shape=[1]).contents.fp64_contents.append(0.25)
    if given_first == "parameter":
        request.parameters["top_p"].double_param = 0.75
    body = json.loads(read_inference(request).body)
    assert body["top_p"] == (0.75 if given_first == "parameter" else 0.25)
    assert (body["seed"], body["model"], len(body["messages"])) == (1, "m", 1)
