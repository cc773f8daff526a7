"""Where a file may be fetched from: hosts that are allowed, addresses that are not somebody's inside. Pure.

Every address a name leads to is judged, and the one that is connected to is one that was judged: what the name leads
to a moment later changes nothing.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from mainstay.core.errors import Unreadable

__all__ = ["Place", "allows", "choose", "is_public", "read_url"]

_PORTS: Final = {"http": 80, "https": 443}
_LONGEST: Final = 4096
#: Numbers that old resolvers take for an address: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMERIC: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*", re.IGNORECASE)
#: A name as it goes over the wire; what becomes ASCII from other scripts may be anything.
_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,252})")
#: IPv6 that carries an IPv4 address in it, which a gateway on the way would take out: NAT64, 6to4, Teredo, compatible.
_CARRIERS: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
)
#: Where clouds keep the credentials of a machine.
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "fd00:ec2::254")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Place(msgspec.Struct, frozen=True):
    """A URL that may be asked: ``host`` in lower case and in ASCII, ``target`` the path and query."""

    tls: bool
    host: str
    port: int
    target: str


def read_url(url: str) -> Place:
    """Return where a URL leads.

    Raises:
        Unreadable: it is none that may be fetched, whatever the route allows.
    """
    if len(url) > _LONGEST or not url.isprintable() or " " in url or "\\" in url:
        raise Unreadable("has an address that is too long, or has a space, a backslash or worse in it; correct it")
    try:
        split = urlsplit(url)
        port = split.port
        host = _host(split) if split.scheme in _PORTS else ""
    except ValueError:
        raise Unreadable("has an address that is none; correct it") from None
    if split.scheme not in _PORTS:
        raise Unreadable("has an address that is neither http:// nor https://; send the file itself, in base64")
    if split.username is not None or split.password is not None:
        raise Unreadable("has an address with a name or password in it; leave them out")
    path = split.path or "/"
    target = f"{path}?{split.query}" if split.query else path
    if not target.isascii():
        raise Unreadable("has an address with characters that must be written as %XX; correct it")
    return Place(split.scheme == "https", host, port or _PORTS[split.scheme], target)


def _host(split: SplitResult) -> str:
    """Return the host as it is looked up. Raises ValueError when it is none, or a number in disguise."""
    host = (split.hostname or "").rstrip(".")
    if "%" in host:
        raise ValueError("a zone, which names an interface of this machine")
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    # Dots of other scripts, and digits in circles, become plain ones here.
    host = host.encode("idna").decode("ascii").lower().rstrip(".")
    if not _NAME.fullmatch(host):
        raise ValueError("no host")
    if _NUMERIC.fullmatch(host):
        return str(ipaddress.IPv4Address(host))
    return host


def allows(patterns: Sequence[str], place: Place) -> bool:
    """Return whether one of ``patterns`` (see ``FetchConfig.allow``) names the place."""
    usual = place.port == (443 if place.tls else 80)
    for pattern in patterns:
        host, colon, port = pattern.rpartition(":")
        if not colon or not port.isdigit() or (host.count(":") and not host.endswith("]")):
            host, port = pattern, ""
        host = host.strip("[]")
        if (port and int(port) != place.port) or (not port and not usual):
            continue
        if host in ("*", place.host) or (host.startswith("*.") and place.host.endswith(host[1:])):
            return True
    return False


def choose(found: Sequence[str], networks: Sequence[Network] = ()) -> str:
    """Return the address to connect to, of all those that a name leads to.

    Raises:
        Unreadable: there is none, or one of them is not public and not in ``networks``: a name that leads inside and
            outside at once is a trick.
    """
    addresses = []
    for text in found:
        try:
            addresses.append(ipaddress.ip_address(text))
        except ValueError:
            raise Unreadable("has an address that leads nowhere; correct it") from None
    if not addresses:
        raise Unreadable("has an address that leads nowhere; correct it")
    for address in addresses:
        plain = _plain(address)
        inside = any(plain.version == network.version and plain in network for network in networks)
        if plain in _METADATA or not (is_public(address) or inside):
            raise Unreadable("has an address that leads into a private network; send the file itself, in base64")
    return str(addresses[0])


def is_public(address: Address) -> bool:
    """Return whether everyone on the internet means the same machine by ``address``."""
    plain = _plain(address)
    if not plain.is_global or plain.is_multicast or plain.is_reserved or plain.is_unspecified:
        return False
    return plain.version == 4 or not any(plain in carrier for carrier in _CARRIERS)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address only spells out (``::ffff:10.0.0.1``)."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
