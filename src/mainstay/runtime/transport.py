"""Opens the transport that providers send through."""

from mainstay.core.ports import Transport
from mainstay.runtime.client import LeanTransport

__all__ = ["open_transport"]


def open_transport(*, http2: bool = True, ca_file: str | None = None) -> Transport:
    """Return a transport for every kind of origin; no connection is made before the first ``send``.

    Args:
        http2: speak HTTP/2 to upstreams that offer it over TLS.
        ca_file: PEM file of authorities to trust beside the system's, or None.
    """
    return LeanTransport(ca_file=ca_file)
