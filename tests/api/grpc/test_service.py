"""The Open Inference Protocol against a running gateway: grpcio's own client, and Triton's official one, as judges."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as theirs
from tritonclient.utils import InferenceServerException

from mainstay.api.grpc.messages import SERVICE, load_messages
from support.gateway import Gateway, completion, sse_chunks
from support.ports import free_port
from support.upstream import Chunk, Head, Silence, Upstream, Wait, json_reply

M = load_messages()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config: dict[str, Any] = {
        "grpc": {"port": free_port(), "max_message": "1MiB"},
        "providers": {
            "echo": {"kind": "echo"},
            **{
                # What one is told of limits and failures keeps calls from it, and not from the others.
                name: {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "${UPSTREAM_KEY}"}
                for name in ("vendor", "limited", "failing")
            },
        },
        "models": {
            "echo": {"provider": "echo"},
            "gpt": {"provider": "vendor"},
            "limited": {"provider": "limited"},
            "failing": {"provider": "failing"},
        },
        "routes": {
            "kept": {"targets": ["echo"], "content": "full"},
            "railed": {
                "targets": ["echo"],
                "rails": {"names": {"what": "words", "words": ["falcon"], "do": "block", "where": "input"}},
            },
        },
    }
    running = Gateway(tmp_path_factory.mktemp("gateway"), config, workers=2, env={"UPSTREAM_KEY": "sk-upstream-01234"})
    running.narrow = running.keys.create("narrow", routes=["echo"]).key  # type: ignore[attr-defined]  # a note for the tests
    with running:
        yield running


@pytest.fixture(scope="module")
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{gateway.config['grpc']['port']}") as opened:
        yield opened


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[triton.InferenceServerClient]:
    vendor.forget()
    with triton.InferenceServerClient(f"127.0.0.1:{gateway.config['grpc']['port']}") as opened:
        yield opened


def key(gateway: Gateway, given: str | None = None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {given or gateway.key}"),)


def call(channel: grpc.Channel, method: str, request: Any, metadata: Any = (), **options: Any) -> Any:
    answered = {name: answer for name, _, answer in M.methods}[method]
    unary = channel.unary_unary(
        f"/{SERVICE}/{method}", type(request).SerializeToString, getattr(M, answered).FromString
    )
    return unary(request, metadata=metadata, timeout=60, **options)


def asked(text: str = "Say this.", model: str = "echo", **parameters: Any) -> Any:
    request = M.ModelInferRequest(model_name=model, id="r-1")
    request.inputs.add(name="text_input", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}[type(value)]
        setattr(request.parameters[name], kind, value)
    return request


def refused(channel: grpc.Channel, request: Any, metadata: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "ModelInfer", request, metadata)
    return caught.value


def last(gateway: Gateway) -> Any:
    return max(gateway.journal(), key=lambda record: record.id)


def text_of(response: Any) -> str:
    return str(response.outputs[0].contents.bytes_contents[0].decode())


def tensors(text: str) -> list[triton.InferInput]:
    tensor = triton.InferInput("text_input", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
    return [tensor]


def test_the_messages_are_those_of_tritons_own_client() -> None:
    for name in ("ServerMetadataResponse", "ModelMetadataResponse", "InferParameter", "InferTensorContents"):
        _same(getattr(M, name).DESCRIPTOR, getattr(theirs, name).DESCRIPTOR)
    for name in ("ModelInferRequest", "ModelInferResponse", "ModelStreamInferResponse", "ModelReadyRequest"):
        _same(getattr(M, name).DESCRIPTOR, getattr(theirs, name).DESCRIPTOR)


def _same(ours: Any, other: Any) -> None:
    def fields(message: Any) -> list[Any]:
        return [
            (f.name, f.number, f.type, f.is_repeated, f.containing_oneof and f.containing_oneof.name)
            for f in message.fields
        ]

    assert fields(ours) == fields(other)
    for inner in ours.nested_types:
        _same(inner, other.nested_types_by_name[inner.name])


def test_the_rails_of_a_route_hold(gateway: Gateway, channel: grpc.Channel) -> None:
    assert text_of(call(channel, "ModelInfer", asked("A sunny day.", "railed"), key(gateway))) == "A sunny day."
    error = refused(channel, asked("The falcon flies.", "railed"), key(gateway))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "falcon" not in error.details()
    assert last(gateway).error == "content_blocked"


def test_the_server_tells_how_it_is_without_a_key(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    about = client.get_server_metadata()
    assert about.name == "mainstay"


def test_models_are_shown_to_those_who_may_call_them(client: triton.InferenceServerClient, gateway: Gateway) -> None:
    mine = dict(key(gateway))
    narrow = dict(key(gateway, gateway.narrow))  # type: ignore[attr-defined]  # set above
    assert client.is_model_ready("gpt", headers=mine)
    assert not client.is_model_ready("gpt", headers=narrow)
    assert not client.is_model_ready("none", headers=mine)
    about = client.get_model_metadata("gpt", headers=mine)
    assert [tensor.name for tensor in about.inputs] == ["text_input", "sampling_parameters", "stream"]
    assert about.outputs[0].datatype == "BYTES"
    for wrong in ({}, {"authorization": "Bearer ms-wrong"}):
        with pytest.raises(InferenceServerException, match="UNAUTHENTICATED"):
            client.get_model_metadata("gpt", headers=wrong)
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        client.get_model_metadata("none", headers=mine)
    with pytest.raises(InferenceServerException, match="PERMISSION_DENIED"):
        client.get_model_metadata("gpt", headers=narrow)


def test_a_text_is_answered_and_recorded(channel: grpc.Channel, gateway: Gateway) -> None:
    response = call(channel, "ModelInfer", asked(), (*key(gateway), ("x-request-id", "mine-1")))
    assert text_of(response) == "Say this."
    assert (response.model_name, response.id) == ("echo", "r-1")
    assert response.parameters["finish_reason"].string_param == "stop"
    assert response.parameters["completion_tokens"].int64_param == 2
    record = last(gateway)
    assert (record.dialect, record.path) == ("oip", f"/{SERVICE}/ModelInfer")
    assert (record.outcome, record.status, record.key, record.route) == ("ok", 200, "test", "echo")
    assert record.request_id == "mine-1"


def test_tritons_client_asks_in_raw_bytes_and_is_answered_so(
    client: triton.InferenceServerClient, gateway: Gateway
) -> None:
    result = client.infer("echo", tensors("Köln?"), request_id="7", headers=dict(key(gateway)))
    assert result.as_numpy("text_output")[0].decode() == "Köln?"
    assert result.get_response().raw_output_contents


def test_settings_come_as_parameters_tensors_or_json(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(json_reply(completion("Yes.")))
    request = asked(model="gpt", temperature=0.5, system="Be brief.", sequence_id=1)
    sampling = request.inputs.add(name="sampling_parameters", datatype="BYTES", shape=[1])
    sampling.contents.bytes_contents.append(b'{"temperature": 1, "top_k": 7, "stop": ["x"]}')
    request.inputs.add(name="max_tokens", datatype="INT32", shape=[1, 1]).contents.int_contents.append(9)
    request.inputs.add(name="random_seed", datatype="UINT64", shape=[1]).contents.uint64_contents.append(3)
    request.outputs.add(name="text_output")
    response = call(channel, "ModelInfer", request, key(gateway))
    assert text_of(response) == "Yes."
    sent = vendor.requests[0].json()
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say this."}]
    assert (sent["temperature"], sent["top_k"], sent["stop"]) == (0.5, 7, ["x"])
    assert (sent["max_tokens"], sent["seed"]) == (9, 3)
    assert "sequence_id" not in sent


def test_a_conversation_comes_as_messages(channel: grpc.Channel, gateway: Gateway) -> None:
    request = M.ModelInferRequest(model_name="echo")
    messages = [{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    messages.append({"role": "user", "content": "Three"})
    tensor = request.inputs.add(name="messages", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(json.dumps(messages).encode())
    assert text_of(call(channel, "ModelInfer", request, key(gateway))) == "Three"


def bad(change: Any) -> Any:
    request = asked(model="gpt")
    change(request)
    return request


BAD = {
    "no input": lambda r: r.ClearField("inputs"),
    "twice": lambda r: r.inputs.append(r.inputs[0]),
    "another output": lambda r: r.outputs.add(name="logits"),
    "no text": lambda r: setattr(r.inputs[0], "datatype", "INT32"),
    "an unknown datatype": lambda r: setattr(r.inputs[0], "datatype", "FP16"),
    "too many elements": lambda r: r.inputs[0].shape.append(5000),
    "fewer elements": lambda r: r.inputs[0].shape.append(2),
    "no elements": lambda r: r.inputs[0].shape.append(0),
    "no UTF-8": lambda r: r.inputs[0].contents.bytes_contents.__setitem__(0, b"\xff"),
    "raw for some": lambda r: r.raw_input_contents.extend([b"", b""]),
    "raw that is cut": lambda r: r.raw_input_contents.append(b"\x09\0\0\0abc"),
    "no JSON": lambda r: r.inputs.add(
        name="sampling_parameters", datatype="BYTES", shape=[1]
    ).contents.bytes_contents.append(b"{"),
    "tools": lambda r: setattr(r.parameters["tools"], "string_param", "x"),
    "several answers": lambda r: setattr(r.parameters["n"], "int64_param", 2),
    "a wrong value": lambda r: setattr(r.parameters["temperature"], "string_param", "hot"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_an_invalid_argument(
    channel: grpc.Channel, gateway: Gateway, vendor: Upstream, case: str
) -> None:
    vendor.forget()
    error = refused(channel, bad(BAD[case]), key(gateway))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details()
    assert not vendor.requests
    assert last(gateway).outcome == "refused"


def test_errors_are_statuses_with_the_sentence_and_the_code(
    channel: grpc.Channel, gateway: Gateway, vendor: Upstream
) -> None:
    vendor.forget()
    for metadata, request, status, code in (
        ((), asked(), grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
        (key(gateway, "ms-wrong"), asked(), grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
        (key(gateway, gateway.narrow), asked(model="gpt"), grpc.StatusCode.PERMISSION_DENIED, "route_not_allowed"),  # type: ignore[attr-defined]  # set above
        (key(gateway), asked(model="gpd"), grpc.StatusCode.NOT_FOUND, "model_not_found"),
    ):
        error = refused(channel, request, metadata)
        assert error.code() is status
        assert dict(error.trailing_metadata())["x-mainstay-code"] == code  # type: ignore[attr-defined]  # a call too
        assert last(gateway).error == code
    said = {"error": {"message": "Slow down.", "type": "x", "code": None}}
    for model, reply, status in (
        ("limited", json_reply(said, 429, retry_after="60"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("failing", json_reply({}, 500), grpc.StatusCode.UNAVAILABLE),
    ):
        vendor.handler = lambda _, reply=reply: reply
        error = refused(channel, asked(model=model), key(gateway))
        assert error.code() is status
        assert "sk-upstream" not in error.details()
    vendor.handler = None
    large = asked("x" * 2_000_000)
    assert refused(channel, large, key(gateway)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_clients_deadline_is_the_calls(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(Silence())
    unary = channel.unary_unary(
        f"/{SERVICE}/ModelInfer", M.ModelInferRequest.SerializeToString, M.ModelInferResponse.FromString
    )
    with pytest.raises(grpc.RpcError) as caught:
        unary(asked(model="gpt"), metadata=key(gateway), timeout=2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert vendor.requests[0].closed.wait(60)


def test_a_cancelled_call_stops_the_upstream(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script(Silence())
    unary = channel.unary_unary(
        f"/{SERVICE}/ModelInfer", M.ModelInferRequest.SerializeToString, M.ModelInferResponse.FromString
    )
    future = unary.future(asked(model="gpt"), metadata=key(gateway))
    vendor.wait_for(1)
    future.cancel()
    assert vendor.requests[0].closed.wait(60)
    gateway.until(lambda: last(gateway).outcome == "gone")
    assert last(gateway).status == 499


def opened(channel: grpc.Channel) -> Any:
    return channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        M.ModelInferRequest.SerializeToString,
        M.ModelStreamInferResponse.FromString,
    )


def test_answers_stream_piece_by_piece(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    release = threading.Event()
    chunks = [Chunk(event) for event in sse_chunks("One ", "two ", "three.")]
    vendor.script([Head(200), *chunks[:2], Wait(release), *chunks[2:]])
    said: list[str] = []
    for response in opened(channel)(iter([asked(model="gpt")]), metadata=key(gateway), timeout=60):
        release.set()
        said.append(text_of(response.infer_response))
        final = response.infer_response.parameters["triton_final_response"].bool_param
    # What arrives together leaves together; the first piece came before the rest was written.
    assert (said[0], "".join(said), said[-1]) == ("One ", "One two three.", "")
    assert final
    assert response.infer_response.parameters["finish_reason"].string_param == "stop"
    assert response.infer_response.parameters["completion_tokens"].int64_param == 3
    record = last(gateway)
    assert (record.stream, record.outcome, record.path) == (True, "ok", f"/{SERVICE}/ModelStreamInfer")


def test_a_request_that_fails_leaves_the_stream_open(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script([Head(200), *(Chunk(event) for event in sse_chunks("On", finish=None, usage=False, done=False))])
    requests = [asked(model="gpd"), asked(model="gpt"), asked("Still here.", stream=False)]
    responses = list(opened(channel)(iter(requests), metadata=key(gateway), timeout=60))
    failed = [response for response in responses if response.error_message]
    assert [one.infer_response.parameters["code"].string_param for one in failed] == [
        "model_not_found",
        "upstream_interrupted",
    ]
    assert failed[0].infer_response.id == "r-1"
    # Asked for whole, it comes in one.
    assert text_of(responses[-1].infer_response) == "Still here."
    assert responses[-1].infer_response.parameters["triton_final_response"].bool_param


def test_without_a_key_there_is_no_stream(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list(opened(channel)(iter([asked()]), timeout=60))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_cancelled_stream_stops_the_upstream(channel: grpc.Channel, gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    vendor.script([Head(200), *(Chunk(event) for event in sse_chunks("One ")[:2]), Silence()])
    stream = opened(channel)(iter([asked(model="gpt")]), metadata=key(gateway))
    assert text_of(next(stream).infer_response) == "One "
    stream.cancel()
    assert vendor.requests[0].closed.wait(60)
    gateway.until(lambda: last(gateway).outcome == "gone")


def test_tritons_client_streams(client: triton.InferenceServerClient, gateway: Gateway) -> None:
    done, said = threading.Event(), []

    def heard(result: Any, error: Any) -> None:
        assert error is None
        said.append(result.as_numpy("text_output")[0].decode())
        if result.get_response().parameters["triton_final_response"].bool_param:
            done.set()

    client.start_stream(heard, headers=dict(key(gateway)))
    client.async_stream_infer("echo", tensors("One two three."), enable_empty_final_response=True)
    assert done.wait(60)
    client.stop_stream()
    assert "".join(said) == "One two three."
    assert len(said) > 2


def test_content_is_kept_where_the_route_keeps_it(channel: grpc.Channel, gateway: Gateway) -> None:
    call(channel, "ModelInfer", asked("A secret.", model="kept"), key(gateway))
    content = last(gateway).content
    assert "A secret." in content.request
    assert content.response == "A secret."
