"""``batches:`` in the configuration: files that callers leave here, and the jobs that work through them."""

from typing import Annotated, Literal

from pydantic import Field

from mainstay.core.config import Duration, PositiveDuration, Section, Size

__all__ = ["BatchesConfig"]


class BatchesConfig(Section):
    """Files and batches. A change needs a restart."""

    enabled: bool = True
    """Whether ``/v1/files`` and ``/v1/batches`` are there."""

    concurrency: int = Field(default=8, ge=1, le=1024)
    """Rows that are asked at the same time, of all batches together. They are ``sheddable``: whatever else comes goes
    first."""

    attempts: int = Field(default=5, ge=1, le=100)
    """How often a row is asked when the answer is a failure of the gateway or of a model (500, 502, 504)."""

    patience: Duration = 3600.0
    """How long a row is asked again, later and later, while there is no room for it (429, 503) or the gateway is away.
    Such answers do not count as attempts."""

    timeout: PositiveDuration = 900.0
    """How long one attempt at a row may take; a route's own limits usually end it earlier."""

    max_requests: int = Field(default=50_000, ge=1, le=1_000_000)
    """Lines of one batch."""

    max_line: Annotated[Size, Field(ge=1024, le=1024**3)] = 8 * 1024**2
    """Longest line of a batch's file."""

    max_open: int = Field(default=100, ge=1)
    """Batches of one team that are not finished."""

    max_storage: Annotated[Size, Field(ge=1024)] = 5 * 1024**3
    """Bytes that the files of one team may take together, those that batches wrote included. One upload is limited by
    ``server.max_body``."""

    when: Literal["now", "greenest"] = "now"
    """When a batch begins. ``greenest``: when the grid is cleanest within its completion window, as ``energy.live``
    foretells; at once, where nothing is foretold or the time would become short."""

    expire: PositiveDuration = 30 * 86400.0
    """How long a file is kept, unless whoever made it asked for less. A batch is forgotten with its last file."""
