"""Mainstay from this checkout, with keys, records and metrics on, as a user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from bench import wire
from bench.install import Unavailable
from bench.peers.port import Endpoint, Running, Upstreams, get_ok
from bench.processes import ROOT, free_port, start

__all__ = ["Mainstay"]


class Mainstay:
    """`mainstay serve` with one worker; supervisor and control process share its core."""

    name = "mainstay"
    patience = 20.0
    setup = "One worker, keys required, a record of every call, metrics on; all of its processes on one core."

    def __init__(self) -> None:
        self._command = str(Path(sys.executable).with_name("mainstay"))

    def prepare(self, *, allow_install: bool) -> str:
        """The package must be installed in the environment that runs the benchmark; raises Unavailable."""
        program = "import mainstay; print(mainstay.__version__)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0 or not Path(self._command).exists():
            raise Unavailable("mainstay is not installed beside this Python: run `pip install -e .`")
        return done.stdout.strip()

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Write the config, make a key, serve."""
        port = free_port()
        config = scratch / "mainstay.yaml"
        # JSON is YAML too.
        config.write_text(
            json.dumps(
                {
                    "server": {"host": "127.0.0.1", "port": port, "workers": 1},
                    "providers": {
                        "fixed": {"kind": "openai", "base_url": upstreams.fixed, "api_key": "sk-none"},
                        "stream": {"kind": "openai", "base_url": upstreams.stream, "api_key": "sk-none"},
                    },
                    "models": {
                        wire.MODEL_FIXED: {"provider": "fixed"},
                        wire.MODEL_STREAM: {"provider": "stream"},
                    },
                }
            )
        )
        headers = {"authorization": f"Bearer {self._key(config)}"}
        process = start(
            [self._command, "serve", "--config", str(config)], cores=cores, log=scratch / "output.log", cwd=scratch
        )
        url = f"http://127.0.0.1:{port}/v1"
        return Running(
            fixed=Endpoint(url, wire.MODEL_FIXED, headers),
            stream=Endpoint(url, wire.MODEL_STREAM, headers),
            process=process,
            ready=lambda: get_ok(port, "/health/ready"),
        )

    def _key(self, config: Path) -> str:
        done = subprocess.run(
            [self._command, "keys", "create", "bench", "--config", str(config), "--json"],
            capture_output=True,
            text=True,
            check=False,
            cwd=config.parent,
            timeout=60,
        )
        found = re.search(r"ms-[\w.~-]+", done.stdout)
        if done.returncode != 0 or found is None:
            raise RuntimeError(f"`mainstay keys create` gave no key: {(done.stderr or done.stdout).strip()[-200:]}")
        return found.group()

    def import_command(self) -> tuple[str, str] | None:
        """All that a gateway worker imports."""
        return sys.executable, "import mainstay.app"
