"""``routes.X.modalities`` and ``reading`` in the configuration: what is read for models that cannot read it."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from mainstay.core.config import Name, PositiveDuration, Section, Size

__all__ = ["FetchConfig", "LimitsConfig", "ModalitiesConfig", "ReadingConfig"]

_HOST = re.compile(
    r"\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?"
)


def _host(value: str) -> str:
    value = value.lower()
    if not _HOST.fullmatch(value):
        raise ValueError("is no host: write example.com, *.example.com, example.com:8443, or * for every host")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("is no network: write it as 10.1.0.0/16, or one address") from None


class FetchConfig(Section):
    """Which addresses of files in requests are fetched."""

    allow: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(min_length=1)
    """Hosts: ``example.com``, ``*.example.com`` (all below it), with ``:port`` where it is not 80 or 443, or ``*``."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Internal networks that may be reached all the same, such as ``10.1.0.0/16``. Without them only public addresses
    are. The address that clouds keep credentials at is never reached."""

    redirects: int = Field(default=3, ge=0, le=10)
    """How many redirects are followed. Each is checked like the first address."""

    timeout: PositiveDuration = 10.0
    """For one file, redirects included."""


class LimitsConfig(Section):
    """What a request may ask to be read. What is larger is refused, never cut."""

    size: Size = 20 * 1024 * 1024
    """Bytes of one file."""

    parts: int = Field(default=20, ge=1, le=1000)
    """Files of one request."""

    pages: int = Field(default=200, ge=1, le=10_000)
    """Pages, slides or sheets of one document."""

    pixels: int = Field(default=50_000_000, ge=1_000, le=1_000_000_000)
    """Pixels of one image."""

    characters: int = Field(default=400_000, ge=100, le=100_000_000)
    """Characters that one file may come to."""

    timeout: PositiveDuration = 60.0
    """For reading one file."""


class ModalitiesConfig(Section):
    """What is read for those models of the route that cannot take it. A model that can gets it as it was sent."""

    images: bool = True
    """Read the text in images (OCR)."""

    documents: bool = True
    """Take the text from PDF, Word, PowerPoint, Excel, HTML and plain text."""

    audio: Name | None = None
    """The model that writes down what is said, a row of ``models``; absent, audio is not heard."""

    limits: LimitsConfig = Field(default_factory=LimitsConfig)
    """How much may be read."""

    fetch: FetchConfig | None = None
    """Fetch files that requests give by address; absent, none is fetched."""


class ReadingConfig(Section):
    """The processes that read files, apart from those that serve calls."""

    processes: int = Field(default=1, ge=1, le=64)
    """How many there may be for each worker. They start with the first file to read."""

    memory: Size = 4 * 1024 * 1024 * 1024
    """Address space that each may take. Reading images needs about 2 GiB of it, and half a GiB of memory."""

    queue: int = Field(default=32, ge=0, le=10_000)
    """Files that may wait for a process; more are refused with 503."""

    idle: PositiveDuration = 300.0
    """A process that read nothing for so long ends."""
