"""Opens connections to upstreams: names resolved, several addresses raced, proxies passed, TLS wrapped around.

Stands under ``runtime.client``; knows nothing of HTTP. Every failure is told in a sentence without the upstream's
host, since callers read it; the cause is chained for the log.
"""

import asyncio
import base64
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from itertools import zip_longest
from typing import cast
from urllib.parse import unquote, urlsplit

from mainstay.core.errors import StartError, UpstreamTimeout, UpstreamUnreachable
from mainstay.core.ports import Origin

__all__ = ["authority", "dial", "proxy_authorization", "trust"]

#: Seconds before the next address of a name is tried beside the one that has not answered (RFC 8305: 250 ms).
_STAGGER = 0.25
#: Seconds of silence before the kernel probes whether the other side still exists. Answers may take minutes, and
#: address translators on the way forget silent connections.
_KEEPALIVE = 60
#: Bytes of a proxy's answer to CONNECT before it is given up.
_PROXY_HEAD = 16 * 1024

_HOST = re.compile(rb"[A-Za-z0-9._~:%\[\]-]+")

_Opened = tuple[asyncio.BaseTransport, asyncio.BaseProtocol]
_Factory = Callable[[], asyncio.Protocol]


def trust(ca_file: str | None, protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in ``ca_file``, and offers ``protocols``.

    Raises:
        StartError: the file cannot be read or holds no certificates.
    """
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise StartError(f"{ca_file} cannot be read as certificates in PEM form; correct ca_file.") from error
    context.set_alpn_protocols(list(protocols))
    return context


async def dial(origin: Origin, tls: ssl.SSLContext | None, factory: _Factory, limit: float) -> asyncio.Protocol:
    """Connect within ``limit`` seconds; return the protocol that ``factory`` made.

    Raises:
        UpstreamUnreachable: no address, none that accepts, or a TLS handshake that fails.
        UpstreamTimeout: ``limit`` ran out.
    """
    try:
        async with asyncio.timeout(limit):
            transport, protocol = await _open(origin, tls, factory)
    except TimeoutError as error:
        raise UpstreamTimeout("The upstream did not answer within its connect limit; try again.") from error
    except socket.gaierror as error:
        raise UpstreamUnreachable("The upstream's name cannot be resolved; check its base_url.") from error
    except ssl.SSLCertVerificationError as error:
        raise UpstreamUnreachable(
            "The upstream's TLS certificate is not trusted; add its authority to SSL_CERT_FILE."
        ) from error
    except ssl.SSLError as error:
        raise UpstreamUnreachable("The upstream's TLS handshake failed; check its base_url.") from error
    except (OSError, UnicodeError) as error:
        raise UpstreamUnreachable("The upstream cannot be reached; check that it runs, or try again.") from error
    if not origin.uds:
        _keep_alive(transport.get_extra_info("socket"))
    assert isinstance(protocol, asyncio.Protocol)
    return protocol


async def _open(origin: Origin, tls: ssl.SSLContext | None, factory: _Factory) -> _Opened:
    loop = asyncio.get_running_loop()
    name = origin.host if tls else None
    if origin.uds:
        return await loop.create_unix_connection(factory, origin.uds, ssl=tls, server_hostname=name)
    if not origin.proxy:
        return await _connect(loop, origin.address or origin.host, origin.port, factory, tls, name)
    proxy = urlsplit(origin.proxy)
    if proxy.scheme != "http" or not proxy.hostname:
        raise UpstreamUnreachable("The forward proxy's address is not of the form http://host:port; correct it.")
    host, port = proxy.hostname, proxy.port or 80
    if tls is None:
        return await _connect(loop, host, port, factory, None, None)
    transport, tunnel = await _connect(loop, host, port, lambda: _Tunnel(origin, loop), None, None)
    assert isinstance(tunnel, _Tunnel)
    try:
        await tunnel.stands
        wrapped = await loop.start_tls(cast("asyncio.Transport", transport), tunnel, tls, server_hostname=name)
    except BaseException:
        transport.close()
        raise
    if wrapped is None:
        raise ConnectionResetError("the proxy closed the tunnel")
    protocol = factory()
    wrapped.set_protocol(protocol)
    protocol.connection_made(wrapped)
    return wrapped, protocol


async def _connect(
    loop: asyncio.AbstractEventLoop,
    host: str,
    port: int,
    factory: _Factory,
    tls: ssl.SSLContext | None,
    name: str | None,
) -> _Opened:
    addresses = await _resolve(loop, host, port)

    def connect(address: str) -> Coroutine[None, None, _Opened]:
        return cast(
            "Coroutine[None, None, _Opened]",
            loop.create_connection(factory, address, port, ssl=tls, server_hostname=name),
        )

    return await (connect(addresses[0]) if len(addresses) == 1 else _race(connect, addresses))


class _Tunnel(asyncio.Protocol):
    """Asks a forward proxy for a tunnel; ``stands`` is done when the proxy has agreed."""

    def __init__(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.stands: asyncio.Future[None] = loop.create_future()
        self._origin = origin
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(
            b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n"
            % (*[b"%b:%d" % (_host(self._origin), self._origin.port)] * 2, proxy_authorization(self._origin))
        )

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.stands.done() or (b"\r\n\r\n" not in self._head and len(self._head) < _PROXY_HEAD):
            return
        words = self._head.split(b" ", 2)
        if len(words) == 3 and words[0].startswith(b"HTTP/1.") and words[1] == b"200":
            self.stands.set_result(None)
        else:
            self.stands.set_exception(
                UpstreamUnreachable("The forward proxy refused a tunnel to the upstream; check its settings.")
            )

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stands.done():
            self.stands.set_exception(ConnectionResetError("the proxy closed the connection"))


def authority(origin: Origin) -> bytes:
    """Return the value of the host header.

    Raises:
        UpstreamUnreachable: the host is no name.
    """
    if origin.uds:
        return b"localhost"
    host = _host(origin)
    return host if origin.port == (443 if origin.tls else 80) else b"%b:%d" % (host, origin.port)


def _host(origin: Origin) -> bytes:
    """Return the host as it stands in a URL. Raises UpstreamUnreachable when it is no name."""
    try:
        host = b"[%b]" % origin.host.encode() if ":" in origin.host else origin.host.encode("idna")
    except UnicodeError:
        host = b""
    if not _HOST.fullmatch(host):
        raise UpstreamUnreachable("The upstream's name is not one that can be resolved; check its base_url.")
    return host


def proxy_authorization(origin: Origin) -> bytes:
    """Return the header line for a proxy address with user and password in it, else nothing."""
    proxy = urlsplit(origin.proxy)
    if proxy.username is None:
        return b""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return b"proxy-authorization: Basic " + base64.b64encode(pair) + b"\r\n"


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[str]:
    """Return the addresses of a name, families taking turns in the resolver's order."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(str(address[0]))
    turns = [address for turn in zip_longest(*families.values()) for address in turn if address]
    return list(dict.fromkeys(turns))


async def _race(connect: Callable[[str], Coroutine[None, None, _Opened]], addresses: list[str]) -> _Opened:
    """Return the first connection that stands; each address gets a head start on the next, unless it fails."""
    waiting = list(reversed(addresses))
    running: set[asyncio.Task[_Opened]] = set()
    failure: OSError | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(connect(waiting.pop())))
            done, running = await asyncio.wait(
                running, timeout=_STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            running |= done
            for task in done:
                running.discard(task)
                try:
                    return task.result()
                except OSError as error:
                    failure = error
        raise failure or OSError("the name has no address")
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_drop)


def _drop(task: asyncio.Task[_Opened]) -> None:
    """Close a connection that lost the race although it stands; look at its error, or asyncio complains."""
    if not task.cancelled() and task.exception() is None:
        # uvloop's transports do not inherit from asyncio's.
        cast("asyncio.Transport", task.result()[0]).abort()


def _keep_alive(raw: socket.socket | None) -> None:
    if raw is None:
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE)
