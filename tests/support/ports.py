"""A port for a server that is told its port before it starts."""

import random
import socket

__all__ = ["free_port"]

#: Below what systems give to whoever connects: no caller's end takes a port between its being found and being used.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
