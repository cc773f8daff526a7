"""nginx as the upstream of the request rows: one fixed completion, faster than anything measured in front of it.

Also the few lines of nginx configuration that this and the bare proxy share. Where nginx cannot be had, the scripted
upstream answers instead and the results say so.
"""

import getpass
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench import install, wire
from bench.processes import Process, start

__all__ = ["binary", "configuration", "start_fixed", "start_nginx", "version"]


def binary(*, allow_install: bool) -> str:
    """The path of nginx; raises Unavailable."""
    return install.system_tool("nginx", ("nginx", "nginx-core", "nginx-light"), install=allow_install)


def version(nginx: str) -> str:
    """Its version, such as 1.22.1."""
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=False).stderr
    return said.rpartition("/")[2].split()[0] if "/" in said else "unknown"


def configuration(scratch: Path, blocks: Sequence[str]) -> str:
    """A whole nginx.conf with one worker, long-kept connections and no access log around the given http blocks."""
    temporary = "\n".join(
        f"  {kind}_temp_path {scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    body = "\n".join(blocks)
    return f"""user {getpass.getuser()};
worker_processes 1;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log crit;
daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
{temporary}
{body}
}}
"""


def start_nginx(nginx: str, scratch: Path, blocks: Sequence[str], cores: frozenset[int]) -> Process:
    """Start nginx in the foreground with its files in `scratch`, which must exist."""
    path = scratch / "nginx.conf"
    path.write_text(configuration(scratch, blocks))
    command = [nginx, "-e", str(scratch / "start.log"), "-p", str(scratch), "-c", str(path)]
    return start(command, cores=cores, log=scratch / "output.log", cwd=scratch)


def start_fixed(nginx: str, scratch: Path, port: int, cores: frozenset[int]) -> Process:
    """Start the fixed-answer upstream on the port."""
    answer = wire.completion(wire.MODEL_FIXED).decode()
    row = f'{{"id": "{wire.MODEL_FIXED}", "object": "model", "created": 0, "owned_by": "bench"}}'
    block = f"""  server {{
    listen 127.0.0.1:{port} backlog=1024;
    default_type application/json;
    location / {{ return 404 '{{}}'; }}
    location = /v1/chat/completions {{ return 200 '{answer}'; }}
    location = /v1/models {{ return 200 '{{"object": "list", "data": [{row}]}}'; }}
    location = /health {{ return 200 '{{}}'; }}
  }}"""
    return start_nginx(nginx, scratch, [block], cores)
