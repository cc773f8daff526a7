"""Shepherd Model Gateway, a router in Rust."""

from pathlib import Path

from bench import install, wire
from bench.peers.port import Endpoint, Running, Upstreams, post_ok
from bench.processes import free_port, start

__all__ = ["Smg"]


class Smg:
    """`smg launch` over two HTTP workers, told apart by the model each lists."""

    name = "smg"
    patience = 60.0
    setup = "Router over two HTTP workers by model, round robin, circuit breaker on, no keys, logs at errors only."

    def __init__(self) -> None:
        self._python = Path()

    def prepare(self, *, allow_install: bool) -> str:
        """Its own virtual environment; raises Unavailable."""
        self._python = install.pip_package("smg", "smg", "smg", install=allow_install)
        return install.pip_version(self._python, "smg")

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Both upstreams as workers of one router."""
        port, metrics = free_port(), free_port()
        workers = [url.removesuffix("/v1") for url in (upstreams.fixed, upstreams.stream)]
        process = start(
            [
                *(str(self._python.with_name("smg")), "launch", "--worker-urls", *workers),
                *("--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin"),
                *("--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics), "--log-level", "error"),
            ],
            cores=cores,
            log=scratch / "output.log",
            cwd=scratch,
        )
        url = f"http://127.0.0.1:{port}/v1"
        whole = Endpoint(url, wire.MODEL_FIXED)
        streamed = Endpoint(url, wire.MODEL_STREAM)
        return Running(
            fixed=whole, stream=streamed, process=process, ready=lambda: post_ok(whole) and post_ok(streamed)
        )

    def import_command(self) -> tuple[str, str] | None:
        """Its Python part only starts the router; importing it says nothing."""
        return None
