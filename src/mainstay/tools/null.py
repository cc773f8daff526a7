"""No tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from mainstay.tools.errors import ToolTrouble
from mainstay.tools.port import Offer, Result

__all__ = ["NoTools"]


class NoTools:
    """A server that has none; see :class:`~mainstay.tools.port.ToolServer`."""

    async def offers(self, limit: float) -> Sequence[Offer]:
        """Return nothing."""
        return ()

    async def run(self, tool: str, arguments: Mapping[str, Any], owner: str, limit: float, *, hops: int = 0) -> Result:
        """Fail: there is no such tool."""
        raise ToolTrouble("unknown", "There is no such tool.")

    async def aclose(self) -> None:
        """Nothing is under way."""
