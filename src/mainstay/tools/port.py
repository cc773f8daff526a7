"""What a server of tools is: something that lists tools and runs them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

__all__ = ["Offer", "Result", "ToolServer"]


class Offer(msgspec.Struct, frozen=True):
    """A tool as a model is told of it. ``schema`` is a JSON Schema of an object, checked."""

    name: str
    description: str
    schema: msgspec.Raw


class Result(msgspec.Struct, frozen=True):
    """What a run gave, as text. ``failed``: the tool itself says that it did not succeed."""

    text: str
    failed: bool = False


class ToolServer(Protocol):
    """Lists tools and runs them."""

    async def offers(self, limit: float) -> Sequence[Offer]:
        """Return the tools there are, within ``limit`` seconds.

        Raises:
            ToolTrouble: they cannot be listed.
        """
        ...

    async def run(self, tool: str, arguments: Mapping[str, Any], owner: str, limit: float, *, hops: int = 0) -> Result:
        """Run ``tool`` within ``limit`` seconds. What the server remembers of one ``owner`` no other gets to see.

        ``hops`` is how many gateways the call has passed already: a tool may ask a gateway in its turn.

        Raises:
            ToolTrouble: it gave no result.
        """
        ...

    async def aclose(self) -> None:
        """Stop what is under way."""
        ...
