"""No engine: what a configuration without local models has."""

from collections.abc import Mapping

from mainstay.engines.port import EngineAddress
from mainstay.runtime.children import Program

__all__ = ["NoEngine"]


class NoEngine:
    """Runs nothing and is nowhere."""

    def programs(self) -> tuple[Program, ...]:
        """Return nothing to run."""
        return ()

    def addresses(self) -> Mapping[str, EngineAddress]:
        """Return no address."""
        return {}
