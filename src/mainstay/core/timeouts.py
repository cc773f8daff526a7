"""The limits of a call, as values."""

import msgspec

__all__ = ["Timeouts"]


class Timeouts(msgspec.Struct, frozen=True):
    """Limits of one attempt, in seconds.

    ``connect``: until the connection (TLS included) stands. ``headers``: from sending until the status line and
    headers. ``first_token``: from sending until the first content-bearing event. ``idle``: between two reads of a
    body. ``total``: for the whole call, all attempts together.
    """

    connect: float = 2.0
    headers: float = 300.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = 600.0
