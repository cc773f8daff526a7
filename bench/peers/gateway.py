"""`mainstay serve` from this checkout on a configuration given as data: for the peer, and for rows of Mainstay alone.

One worker; the supervisor and the control process share its cores. It measures nothing.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.port import Endpoint, get_ok
from bench.processes import Process, cpu_seconds, free_port, start, wait_until

__all__ = ["COMMAND", "Gateway", "launch", "serving"]

COMMAND = str(Path(sys.executable).with_name("mainstay"))
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A started gateway and the secrets of its keys, by name."""

    port: int
    process: Process
    keys: Mapping[str, str]

    def endpoint(self, model: str, key: str = "bench") -> Endpoint:
        """Where a model or route is asked with one of the keys."""
        return Endpoint(f"http://127.0.0.1:{self.port}/v1", model, {"authorization": f"Bearer {self.keys[key]}"})

    def ready(self) -> bool:
        """Whether it takes calls."""
        return get_ok(self.port, "/health/ready")

    def cpu(self) -> dict[int, float]:
        """CPU seconds of each of its processes so far, by id."""
        return {weight.pid: cpu_seconds(weight.pid) or weight.cpu for weight in self.process.weigh()}


def launch(
    settings: Mapping[str, Any], cores: frozenset[int], scratch: Path, keys: Sequence[str] = ("bench",)
) -> Gateway:
    """Write the configuration into `scratch`, make the keys and start, without waiting until it is ready."""
    port = free_port()
    config = scratch / "mainstay.yaml"
    # JSON is YAML too.
    config.write_text(json.dumps({"server": {"host": "127.0.0.1", "port": port, "workers": 1}, **settings}))
    made = {name: _key(config, name) for name in keys}
    process = start([COMMAND, "serve", "--config", str(config)], cores=cores, log=scratch / "output.log", cwd=scratch)
    return Gateway(port, process, made)


@contextmanager
def serving(
    settings: Mapping[str, Any], cores: frozenset[int], scratch: Path, keys: Sequence[str] = ("bench",)
) -> Iterator[Gateway]:
    """Run a gateway for the length of the block, in a folder of its own below `scratch`."""
    gateway = launch(settings, cores, Path(tempfile.mkdtemp(prefix="gateway-", dir=scratch)), keys)
    try:
        wait_until(gateway.ready, gateway.process, _PATIENCE)
        yield gateway
    finally:
        gateway.process.stop()


def _key(config: Path, name: str) -> str:
    done = subprocess.run(
        [COMMAND, "keys", "create", name, "--config", str(config), "--json"],
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
