"""The upstream itself, without anything in between: the zero of every added latency."""

from pathlib import Path

from bench import wire
from bench.peers.port import Endpoint, Running, Upstreams

__all__ = ["Direct"]


class Direct:
    """No gateway."""

    name = "direct"
    patience = 1.0
    setup = "The load generator speaks to the upstreams themselves."

    def prepare(self, *, allow_install: bool) -> str:
        """It is always there."""
        return "-"

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Point at the upstreams."""
        return Running(
            fixed=Endpoint(upstreams.fixed, wire.MODEL_FIXED),
            stream=Endpoint(upstreams.stream, wire.MODEL_STREAM),
        )

    def import_command(self) -> tuple[str, str] | None:
        """It is no package."""
        return None
