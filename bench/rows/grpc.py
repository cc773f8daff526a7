"""gRPC beside HTTP: what a call takes over either, and what the listener costs those who ask over HTTP.

One gateway without a listener and one with it, both in front of an upstream that answers at once. Latency over HTTP is
measured without a listener, with an idle one, and while fifty calls a second come over gRPC; then of gRPC alone, one
call after the other. Memory is that of the worker, before it was asked anything over gRPC and after.
"""

import asyncio
import importlib.util
import time
from typing import Any

from bench import load, schedule
from bench.peers.gateway import Gateway, serving
from bench.processes import free_port
from bench.rows.port import OwnRow, Trial
from bench.stats import quantiles
from bench.upstream import Script, serve

__all__ = ["ROW"]

_RATE = 400.0
_SECONDS = 3.0
_BESIDE = 50.0
_CONNECTIONS = 8
_WARM = 300
_MODEL = "prompt"


class _Caller:
    """A client of the Open Inference Protocol on one channel."""

    def __init__(self, port: int, key: str) -> None:
        import grpc

        from mainstay.api.grpc.messages import SERVICE, load_messages

        messages = load_messages()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._infer = self._channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=messages.ModelInferRequest.SerializeToString,
            response_deserializer=messages.ModelInferResponse.FromString,
        )
        self._metadata = (("authorization", f"Bearer {key}"),)
        self._request = messages.ModelInferRequest(model_name=_MODEL)
        tensor = self._request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(b"Say in one sentence why the sky is blue.")

    def ask(self) -> float:
        """Ask once; return the seconds it took."""
        began = time.perf_counter()
        self._infer(self._request, metadata=self._metadata, timeout=20)
        return time.perf_counter() - began

    def ask_on(self, seconds: float, rate: float = 0.0) -> list[float]:
        """Ask for so long, one call after the other, at most so many a second; 0: as fast as it goes."""
        found: list[float] = []
        began = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            if rate and (early := began + len(found) / rate - now) > 0:
                time.sleep(early)
            found.append(self.ask())
        return found

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _settings(base_url: str, port: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "providers": {"scripted": {"kind": "openai", "base_url": base_url, "api_key": "sk-none"}},
        "models": {_MODEL: {"provider": "scripted"}},
    }
    return settings if port is None else {**settings, "grpc": {"port": port}}


async def _http(trial: Trial, gateway: Gateway, name: str) -> None:
    """Ask over HTTP at a fixed rate, and book how long it took."""
    due = schedule.poisson(_RATE, _SECONDS, seed=3)
    result = await load.open_loop(gateway.endpoint(_MODEL).request(), due, connections=_CONNECTIONS, rate=_RATE)
    if result.latency is not None:
        trial.figures[f"grpc_{name}_p50"], trial.figures[f"grpc_{name}_p99"] = result.latency.p50, result.latency.p99
    if result.errors:
        trial.notes.append(f"grpc, {name}: {dict(result.errors)}")


def _worker(gateway: Gateway) -> float:
    """Resident bytes of the process that has used most CPU, which is the worker."""
    return float(max(gateway.process.weigh(), key=lambda weight: weight.cpu).rss)


async def _warm(gateway: Gateway) -> None:
    request = gateway.endpoint(_MODEL).request()
    await load.closed_loop(request, connections=_CONNECTIONS, seconds=5.0, limit=_WARM)


async def _run(trial: Trial) -> None:
    if importlib.util.find_spec("grpc") is None:
        trial.notes.append("grpc: left out, its library is not installed")
        return
    upstream = await serve(Script(latency=0.0), 0)
    try:
        with serving(_settings(upstream.base_url, None), trial.cores, trial.scratch) as gateway:
            await _warm(gateway)
            await _http(trial, gateway, "without")
            without = _worker(gateway)
        port = free_port()
        with serving(_settings(upstream.base_url, port), trial.cores, trial.scratch) as gateway:
            await _warm(gateway)
            await _http(trial, gateway, "idle")
            caller = _Caller(port, gateway.keys["bench"])
            try:
                await _beside(trial, gateway, caller)
            finally:
                caller.close()
            trial.figures["grpc_memory"] = _worker(gateway) - without
    finally:
        upstream.close()


async def _beside(trial: Trial, gateway: Gateway, caller: _Caller) -> None:
    await asyncio.to_thread(caller.ask_on, 0.5)
    await asyncio.gather(asyncio.to_thread(caller.ask_on, _SECONDS, _BESIDE), _http(trial, gateway, "beside"))
    for name in ("p50", "p99"):
        idle, without, beside = (trial.figures.get(f"grpc_{kind}_{name}") for kind in ("idle", "without", "beside"))
        if idle is not None and without is not None and beside is not None:
            trial.figures[f"grpc_idle_more_{name}"] = idle - without
            trial.figures[f"grpc_beside_more_{name}"] = beside - idle
    calls = quantiles(await asyncio.to_thread(caller.ask_on, _SECONDS))
    one = await load.closed_loop(gateway.endpoint(_MODEL).request(), connections=1, seconds=_SECONDS)
    if calls is not None and one.latency is not None:
        trial.figures["grpc_call_p50"], trial.figures["grpc_call_p99"] = calls.p50, calls.p99
        trial.figures["grpc_http_p50"], trial.figures["grpc_http_p99"] = one.latency.p50, one.latency.p99


ROW = OwnRow("grpc", _run)
