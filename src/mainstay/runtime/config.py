"""``server:`` in the configuration: where the gateway listens and what it puts up with."""

from typing import Annotated

from pydantic import AfterValidator, Field

from mainstay.core.config import Duration, PositiveDuration, Section, Size

__all__ = ["GrpcConfig", "ServerConfig"]


def _host(value: str) -> str:
    if not value or any(c.isspace() or c in "/?#@" or not c.isprintable() for c in value):
        raise ValueError("is no address: give an IP address or a host name, without scheme, port or path")
    return value


class ServerConfig(Section):
    """Where the gateway listens, with how many workers, and the limits of one connection."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    """Address to listen on. Anything but a loopback address needs ``identity.required: true``."""

    port: int = Field(default=8080, ge=0, le=65535)
    """TCP port to listen on; 0 takes a free one and prints it."""

    workers: int = Field(default=1, ge=1, le=64)
    """Gateway processes that share the port; one per core that the gateway may use."""

    max_body: Annotated[Size, Field(ge=1024, le=1024**3)] = 32 * 1024**2
    """Longest request body that is accepted; a longer one is answered 413."""

    head_timeout: PositiveDuration = 10.0
    """How long a client may take to send a request's head; it bounds what a slow sender can hold."""

    body_timeout: PositiveDuration = 60.0
    """How long a client may go without sending the next piece of a request's body."""

    keep_alive: PositiveDuration = 75.0
    """How long an idle connection stays open for the next request."""

    drain: Duration = 30.0
    """How long answers under way may take to finish once the gateway was told to stop."""


class GrpcConfig(Section):
    """The Open Inference Protocol over gRPC, beside HTTP: same address, keys and routes. Needs the extra ``grpc``."""

    port: int | None = Field(default=None, ge=1, le=65535)
    """TCP port to listen on, 8081 say; absent, there is no gRPC."""

    max_message: Annotated[Size, Field(ge=1024, le=1024**3)] = 32 * 1024**2
    """Longest request that is accepted."""
