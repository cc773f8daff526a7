"""HTTP/2 frames and header literals as bytes (RFC 9113, RFC 7541): no state, no I/O. Used by ``runtime.http2``."""

from mainstay.runtime.response import garbage

__all__ = [
    "ACK",
    "CANCEL",
    "CONTINUATION",
    "DATA",
    "END_HEADERS",
    "END_STREAM",
    "GOAWAY",
    "HEADERS",
    "NO_ERROR",
    "PADDED",
    "PING",
    "PRIORITY",
    "PUSH",
    "REFUSED",
    "RESET",
    "SETTINGS",
    "WINDOW",
    "frame",
    "literal",
    "unpadded",
]

# Frame types (RFC 9113, 6).
DATA = 0
HEADERS = 1
RESET = 3
SETTINGS = 4
PUSH = 5
PING = 6
GOAWAY = 7
WINDOW = 8
CONTINUATION = 9
# Flags; ACK and END_STREAM share a bit on different frames.
ACK = 0x1
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20
# Error codes (RFC 9113, 7).
NO_ERROR = 0
REFUSED = 7
CANCEL = 8


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return a payload without its padding.

    Raises:
        UpstreamBroken: there is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if payload[0] >= len(payload):
        raise garbage()
    return payload[1 : len(payload) - payload[0]]


def frame(kind: int, flags: int, identity: int, payload: bytes | memoryview) -> bytes:
    """Return a whole frame."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + identity.to_bytes(4, "big")
    return b"".join((head, payload))


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header field that no table keeps (RFC 7541, 6.2.3)."""
    return b"\x10" + _length(len(name)) + name + _length(len(value)) + value


def _length(value: int) -> bytes:
    if value < 127:
        return bytes((value,))
    out = bytearray((127,))
    value -= 127
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)
