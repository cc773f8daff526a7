"""The transport that refuses: for routes without upstreams and for tests that must not reach one."""

from mainstay.core.errors import UpstreamUnreachable
from mainstay.core.ports import Incoming, Origin, Outgoing
from mainstay.core.timeouts import Timeouts

__all__ = ["NullTransport"]


class NullTransport:
    """``core.ports.Transport`` that has no network."""

    async def send(self, origin: Origin, request: Outgoing, timeouts: Timeouts) -> Incoming:
        """Refuse.

        Raises:
            UpstreamUnreachable: always.
        """
        raise UpstreamUnreachable("There is no network here; configure a provider that can be reached.")

    async def aclose(self) -> None:
        """Do nothing."""
