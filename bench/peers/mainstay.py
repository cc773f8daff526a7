"""Mainstay from this checkout, with keys, records and metrics on, as a user runs it."""

import subprocess
import sys
from pathlib import Path

from bench import wire
from bench.install import Unavailable
from bench.peers.gateway import COMMAND, launch
from bench.peers.port import Running, Upstreams
from bench.processes import ROOT

__all__ = ["Mainstay"]


class Mainstay:
    """`mainstay serve` with one worker; supervisor and control process share its core."""

    name = "mainstay"
    patience = 20.0
    setup = "One worker, keys required, a record of every call, metrics on; all of its processes on one core."

    def prepare(self, *, allow_install: bool) -> str:
        """The package must be installed in the environment that runs the benchmark; raises Unavailable."""
        program = "import mainstay; print(mainstay.__version__)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode != 0 or not Path(COMMAND).exists():
            raise Unavailable("mainstay is not installed beside this Python: run `pip install -e .`")
        return done.stdout.strip()

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Write the config, make a key, serve."""
        settings = {
            "providers": {
                "fixed": {"kind": "openai", "base_url": upstreams.fixed, "api_key": "sk-none"},
                "stream": {"kind": "openai", "base_url": upstreams.stream, "api_key": "sk-none"},
            },
            "models": {wire.MODEL_FIXED: {"provider": "fixed"}, wire.MODEL_STREAM: {"provider": "stream"}},
        }
        gateway = launch(settings, cores, scratch)
        return Running(
            fixed=gateway.endpoint(wire.MODEL_FIXED),
            stream=gateway.endpoint(wire.MODEL_STREAM),
            process=gateway.process,
            ready=gateway.ready,
        )

    def import_command(self) -> tuple[str, str] | None:
        """All that a gateway worker imports."""
        return sys.executable, "import mainstay.app"
