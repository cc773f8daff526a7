"""Which tools there are for a call: the lists of servers, kept for a while, and what of them a route and a caller get.

A list is asked for when it is first needed and again, beside the calls, when it has become old; a server that is away
is not asked by every call. Knows servers by their port only.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from mainstay.core.call import Caller
from mainstay.core.clock import monotonic
from mainstay.core.prompt import Tool
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.port import Offer, ToolServer

__all__ = ["Grant", "Kit", "Listing", "Offered", "gather_kit"]

_log = structlog.get_logger("mainstay.tools")
#: Seconds that a call waits for a first list, and that a server is left alone after it failed to give one.
_PATIENCE: Final = 5.0
_PAUSE: Final = 10.0
#: What vendors take as the name of a tool.
_LONGEST: Final = 64
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")


class Listing:
    """The tools of one server.

    Args:
        name: the server's, in the configuration.
        server: the server.
        only: the tools that may be used; None: all.
        timeout: seconds that one run may take.
        refresh: seconds that a list is used before it is asked for again.
    """

    def __init__(
        self,
        name: str,
        server: ToolServer,
        only: frozenset[str] | None = None,
        *,
        timeout: float = 30.0,
        refresh: float = 300.0,
    ) -> None:
        self.name = name
        self.server = server
        self.timeout = timeout
        self._only = only
        self._refresh = refresh
        self._offers: Sequence[Offer] | None = None
        self._due = 0.0
        self._asking: asyncio.Task[None] | None = None

    def current(self) -> Sequence[Offer] | None:
        """Return the tools that are known, and see to it that they are no older than they may be."""
        if monotonic() >= self._due and self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        return self._offers

    async def wait(self, limit: float) -> Sequence[Offer] | None:
        """Return the tools, waited for if they are just being asked for; None: they cannot be listed now."""
        if self._asking is not None:
            await asyncio.wait((self._asking,), timeout=min(limit, _PATIENCE))
        return self._offers

    async def aclose(self) -> None:
        """Stop asking, and let go of the server."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self.server.aclose()

    async def _ask(self) -> None:
        try:
            offers = await self.server.offers(min(self.timeout, _PATIENCE))
            if self._only is not None:
                missing = self._only - {offer.name for offer in offers}
                offers = [offer for offer in offers if offer.name in self._only]
                if missing and self._offers is None:
                    _log.warning("tools_missing", server=self.name, tools=sorted(missing))
            self._offers = offers
            self._due = monotonic() + self._refresh
        except ToolTrouble as trouble:
            self._due = monotonic() + _PAUSE
            _log.warning("tools_not_listed", server=self.name, outcome=trouble.outcome, reason=trouble.message)
        finally:
            self._asking = None


class Grant(msgspec.Struct, frozen=True):
    """What a route may use of one server, and whose calls may. ``tools`` None: all; ``callers`` None: everyone's."""

    listing: Listing
    tools: frozenset[str] | None = None
    keys: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    def admits(self, caller: Caller) -> bool:
        """Whether calls of ``caller`` may use it."""
        if not self.keys and not self.teams:
            return True
        return (caller.name in self.keys and bool(caller.name)) or (caller.team in self.teams and bool(caller.team))


class Offered(msgspec.Struct, frozen=True):
    """One tool that a model was told of."""

    listing: Listing
    offer: Offer


class Kit(msgspec.Struct, frozen=True):
    """The tools of one call, by the names that the model knows them by; ``missing`` are servers without a list."""

    tools: Mapping[str, Offered]
    missing: tuple[str, ...] = ()

    def told(self) -> tuple[Tool, ...]:
        """Return the tools as a prompt has them."""
        return tuple(
            Tool(name, offered.offer.description or None, offered.offer.schema) for name, offered in self.tools.items()
        )


async def gather_kit(grants: Sequence[Grant], caller: Caller, taken: frozenset[str], limit: float) -> Kit:
    """Return what ``caller`` may use, waiting at most ``limit`` seconds for lists not known yet.

    ``taken`` are the names of the caller's own tools: these stay the caller's.
    """
    admitted = [grant for grant in grants if grant.admits(caller)]
    lists = [grant.listing.current() for grant in admitted]
    if None in lists:
        lists = list(await asyncio.gather(*(grant.listing.wait(limit) for grant in admitted)))
    tools: dict[str, Offered] = {}
    missing: list[str] = []
    for grant, offers in zip(admitted, lists, strict=True):
        if offers is None:
            missing.append(grant.listing.name)
        for offer in offers or ():
            if grant.tools is None or offer.name in grant.tools:
                name = _name(grant.listing.name, offer.name, tools)
                if name not in taken:
                    tools[name] = Offered(grant.listing, offer)
    return Kit(tools, tuple(missing))


def _name(server: str, tool: str, taken: Mapping[str, Offered]) -> str:
    """Return what a model knows a tool by: ``server__tool``, in the signs and the length that every vendor takes."""
    plain = f"{server}__{tool}"
    name = _NOT_IN_NAME.sub("_", plain)
    if len(name) <= _LONGEST and name not in taken:
        return name
    digest = hashlib.blake2s(plain.encode(), digest_size=4).hexdigest()
    return f"{name[: _LONGEST - 9]}_{digest}"
