"""Fetches a file that a request names by address, where the route allows it, and from nowhere inside.

A name is looked up once for each step, every address that it leads to is judged, and the connection goes to one that
was: so there is no second look-up to lie to. Redirects are steps like the first. Nothing of ours goes along: no key, no
cookie. Knows ``core.ports.Transport`` and no more of sockets.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urljoin

import msgspec

from mainstay.core.errors import MainstayError, Unreadable, UpstreamError
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.reading.addresses import Place, allows, choose, read_url
from mainstay.reading.config import FetchConfig

__all__ = ["Fetcher", "Missing", "Resolve", "Taken", "resolve"]

#: Returns the addresses of a name; ``OSError`` when there are none.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = ((b"accept", b"*/*"), (b"user-agent", b"mainstay"))
#: Types that say nothing of what a file is.
_VAGUE: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})


class Missing(Unreadable):
    """The server says that there is no such file, or none any more (404, 410)."""


class Taken(msgspec.Struct, frozen=True):
    """A file that was fetched; ``media_type`` and ``changed`` are what its server says of it, "" where it does not."""

    data: bytes
    media_type: str = ""
    changed: str = ""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of ``host``, in the system's order.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Fetcher:
    """Fetches for one route.

    Args:
        rule: what the route allows.
        transport: carries requests to an address that is given to it.
        look_up: finds the addresses of a name.
    """

    def __init__(self, rule: FetchConfig, transport: Transport, look_up: Resolve = resolve) -> None:
        self._allow = rule.allow
        self._networks = tuple(map(ipaddress.ip_network, rule.networks))
        self._redirects = rule.redirects
        self._timeout = rule.timeout
        self._transport = transport
        self._look_up = look_up

    async def fetch(self, url: str, kind: str, limit: int) -> bytes:
        """Return the file at ``url``; see :meth:`take`."""
        return (await self.take(url, kind, limit)).data

    async def take(self, url: str, kind: str, limit: int) -> Taken:
        """Return the file at ``url``, and what its server says of it.

        Args:
            url: where it is.
            kind: ``image``, or ``document`` for everything else.
            limit: bytes that it may have.

        Raises:
            Missing: there is none.
            Unreadable: it may not be fetched, or cannot be; the message is the end of a sentence about the part.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url, kind, limit)
        except TimeoutError:
            raise Unreadable(
                f"could not be fetched within {self._timeout:g} s; send the file itself, in base64"
            ) from None

    async def _follow(self, url: str, kind: str, limit: int) -> Taken:
        place = read_url(url)
        for _ in range(self._redirects + 1):
            response = await self._ask(place)
            try:
                if response.status not in _REDIRECTS:
                    return await _body(response, kind, limit)
                url = urljoin(url, _header(response, b"location"))
            finally:
                response.close()
            following = read_url(url)
            if place.tls and not following.tls:
                raise Unreadable("leads from https:// to http://; send the file itself, in base64")
            place = following
        raise Unreadable("was redirected too often; send the address that it ends at")

    async def _ask(self, place: Place) -> Incoming:
        if not allows(self._allow, place):
            raise Unreadable("has an address that this route does not fetch from; send the file itself, in base64")
        try:
            found = await self._look_up(place.host, place.port)
        except (OSError, UnicodeError):
            raise Unreadable("has an address that leads nowhere; correct it") from None
        origin = Origin(place.host, place.port, place.tls, address=choose(found, self._networks))
        request = Outgoing(b"GET", place.target.encode(), _HEADERS, b"")
        seconds = self._timeout
        try:
            return await self._transport.send(origin, request, Timeouts(seconds, seconds, seconds, seconds, seconds))
        except MainstayError:
            # In words of upstreams, which this is none of.
            raise Unreadable("could not be fetched: nobody answers there; send the file itself, in base64") from None


async def _body(response: Incoming, kind: str, limit: int) -> Taken:
    if response.status != 200:
        error = Missing if response.status in (404, 410) else Unreadable
        raise error(f"could not be fetched: the answer was {response.status}; correct the address")
    said = _header(response, b"content-type").partition(";")[0].strip().lower()
    if kind == "image" and said not in _VAGUE and not said.startswith("image/"):
        raise Unreadable("leads to something that is no image; correct the address")
    length = _header(response, b"content-length")
    if length.isdigit() and int(length[:18]) > limit:
        raise Unreadable(f"is larger than the {limit} bytes that this route reads; send a smaller file")
    try:
        return Taken(await response.read(limit), said, _header(response, b"last-modified"))
    except UpstreamError:
        raise Unreadable(
            f"broke off, or is larger than the {limit} bytes that this route reads; send a smaller file"
        ) from None


def _header(response: Incoming, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key == name), "")
