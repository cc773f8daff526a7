"""The port that gRPC listens on."""

import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml

from mainstay.api.grpc.messages import SERVICE, load_messages
from support.gateway import Gateway
from support.ports import free_port

M = load_messages()


def test_a_port_that_is_taken_is_said_to_be_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = tmp_path / "mainstay.yaml"
        file.write_text(
            yaml.safe_dump({"server": {"port": 0}, "grpc": {"port": port}, "identity": {"required": False}})
        )
        command = [sys.executable, "-m", "mainstay", "serve", "--config", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"gRPC cannot listen on 127.0.0.1:{port}" in done.stdout + done.stderr


@pytest.mark.slow
def test_calls_are_answered_across_a_restart_of_the_workers(tmp_path: Path) -> None:
    port = free_port()
    config = {"providers": {"echo": {"kind": "echo"}}, "models": {"echo": {"provider": "echo"}}, "grpc": {"port": port}}
    request = M.ModelInferRequest(model_name="echo")
    tensor = request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"Hi")
    with Gateway(tmp_path, config) as gateway, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        infer = channel.unary_unary(
            f"/{SERVICE}/ModelInfer", M.ModelInferRequest.SerializeToString, M.ModelInferResponse.FromString
        )

        def ask() -> None:
            key = (("x-api-key", gateway.key),)
            try:
                answer = infer(request, metadata=key, timeout=60, wait_for_ready=True)
            except grpc.RpcError as error:
                # It came in the moment a worker stopped, before it was looked at: nothing was asked of a model.
                if error.code() is not grpc.StatusCode.CANCELLED:
                    raise
                answer = infer(request, metadata=key, timeout=60, wait_for_ready=True)
            assert answer.outputs[0].contents.bytes_contents[0] == b"Hi"

        ask()
        before = gateway.pids("worker")
        command = [sys.executable, "-m", "mainstay", "restart", "--config", str(gateway.file)]
        restart = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while restart.poll() is None:
            ask()
        assert restart.returncode == 0
        assert gateway.pids("worker") != before
        ask()
