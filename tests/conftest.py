"""Fixtures any test may ask for. Steps are imported: ``from support.upstream import Reply``."""

import gc
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import trustme

# Test files are imported by path, so what they share is found by a name of its own.
sys.path.insert(0, str(Path(__file__).parent))

from support.postgres import Server, a_server
from support.upstream import Upstream

# Five seconds of silence are no fault on a crowded machine: the limit only keeps a broken test from hanging.
_PATIENCE = httpx._config.DEFAULT_TIMEOUT_CONFIG
_PATIENCE.connect = _PATIENCE.read = _PATIENCE.write = _PATIENCE.pool = 60.0


def pytest_collection_finish() -> None:
    """Have collections of garbage pass over the collected tests: they are many, and live to the end anyway."""
    gc.collect()
    gc.freeze()


class Certificates(NamedTuple):
    """A private authority: contexts of servers for localhost (without and with HTTP/2), the file clients trust."""

    server: ssl.SSLContext
    server_http2: ssl.SSLContext
    ca_file: str


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate for localhost and 127.0.0.1, made anew for each run."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    contexts = []
    for protocols in (["http/1.1"], ["h2", "http/1.1"]):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        context.set_alpn_protocols(protocols)
        contexts.append(context)
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return Certificates(contexts[0], contexts[1], str(ca_file))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a PostgreSQL server with pgvector; tests that ask for it are skipped where none can run."""
    with a_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """Return the address of a PostgreSQL database of the test's own, with nothing in it."""
    return postgres.database(vector=False)


@pytest.fixture
def make_upstream() -> Iterator[Callable[..., Upstream]]:
    """Return a function that starts an Upstream (same arguments); all are stopped after the test."""
    started: list[Upstream] = []

    def make(*args: Any, **options: Any) -> Upstream:
        started.append(Upstream(*args, **options).start())
        return started[-1]

    yield make
    for upstream in started:
        upstream.stop()


@pytest.fixture
def upstream(make_upstream: Callable[..., Upstream]) -> Upstream:
    """Return a running scripted upstream over TCP."""
    return make_upstream()


@pytest.fixture
def upstream_uds(make_upstream: Callable[..., Upstream]) -> Upstream:
    """Return a running scripted upstream on a Unix socket (``.uds``)."""
    return make_upstream(uds=True)


@pytest.fixture
def upstream_tls(make_upstream: Callable[..., Upstream], certificates: Certificates) -> Upstream:
    """Return a running scripted upstream over TLS; clients must trust ``certificates.ca_file``."""
    return make_upstream(tls=certificates.server)


@pytest.fixture
def refused_port() -> Iterator[int]:
    """Return a port of 127.0.0.1 that refuses connections for as long as the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
