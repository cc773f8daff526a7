"""Portkey's open gateway, on Node."""

import json
from pathlib import Path

from bench import install, wire
from bench.peers.port import Endpoint, Running, Upstreams, get_ok
from bench.processes import free_port, start

__all__ = ["Portkey"]

# With a later server package every stream ends in 500 (Portkey-AI/gateway#1389).
_PINS = {"@hono/node-server": "1.14.1"}


class Portkey:
    """The npm package's own server, headless; each request names its upstream in headers, as its clients do."""

    name = "portkey"
    patience = 30.0
    setup = "One process, headless; provider and upstream named in request headers, no keys of its own."

    def __init__(self) -> None:
        self._script = Path()

    def prepare(self, *, allow_install: bool) -> str:
        """The npm package in its own directory; raises Unavailable."""
        package = "@portkey-ai/gateway"
        self._script = install.npm_package(
            "portkey", package, "build/start-server.js", install=allow_install, pins=_PINS
        )
        manifest = json.loads((self._script.parent.parent / "package.json").read_text())
        return str(manifest["version"])

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """One server; the headers carry the rest."""
        port = free_port()
        process = start(
            ["node", str(self._script), f"--port={port}", "--headless"],
            cores=cores,
            log=scratch / "output.log",
            env={"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"},
            cwd=scratch,
        )
        url = f"http://127.0.0.1:{port}/v1"
        return Running(
            fixed=Endpoint(url, wire.MODEL_FIXED, _headers(upstreams.fixed)),
            stream=Endpoint(url, wire.MODEL_STREAM, _headers(upstreams.stream)),
            process=process,
            ready=lambda: get_ok(port, "/"),
        )

    def import_command(self) -> tuple[str, str] | None:
        """It is no Python package."""
        return None


def _headers(upstream: str) -> dict[str, str]:
    return {
        "authorization": "Bearer sk-none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": upstream,
    }
