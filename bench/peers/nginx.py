"""A bare nginx proxy: the practical limit of what one core can hand through."""

from pathlib import Path

from bench import fixed, wire
from bench.peers.port import Endpoint, Running, Upstreams, post_ok
from bench.processes import free_port

__all__ = ["Nginx"]


class Nginx:
    """proxy_pass with kept connections on both sides; no keys, no records, no metrics."""

    name = "nginx"
    patience = 5.0
    setup = "One worker, proxy_pass over kept connections, no access log; buffering off where answers are streamed."

    def __init__(self) -> None:
        self._binary = ""

    def prepare(self, *, allow_install: bool) -> str:
        """Find nginx or unpack it; raises Unavailable."""
        self._binary = fixed.binary(allow_install=allow_install)
        return fixed.version(self._binary)

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """One server block for each upstream."""
        whole, streamed = free_port(), free_port()
        blocks = [
            _block("fixed", upstreams.fixed, whole, buffering="on"),
            _block("stream", upstreams.stream, streamed, buffering="off"),
        ]
        process = fixed.start_nginx(self._binary, scratch, blocks, cores)
        endpoint = Endpoint(f"http://127.0.0.1:{whole}/v1", wire.MODEL_FIXED)
        return Running(
            fixed=endpoint,
            stream=Endpoint(f"http://127.0.0.1:{streamed}/v1", wire.MODEL_STREAM),
            process=process,
            ready=lambda: post_ok(endpoint),
        )

    def import_command(self) -> tuple[str, str] | None:
        """It is no Python package."""
        return None


def _block(name: str, base_url: str, port: int, *, buffering: str) -> str:
    server = base_url.removeprefix("http://").removesuffix("/v1")
    return f"""  upstream {name} {{
    server {server};
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://{name};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering {buffering};
    }}
  }}"""
