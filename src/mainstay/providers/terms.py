"""``providers.X.terms`` in the configuration: what usage policies may know of whoever is behind a provider."""

from typing import Annotated

from pydantic import Field

from mainstay.core.config import Duration, Section

__all__ = ["Country", "Region", "TermsConfig"]

#: Where a model computes, in the vendor's own word.
Region = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
#: A code of ISO 3166: two capital letters.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class TermsConfig(Section):
    """Under what terms a vendor gets data, as your contract with it says. It changes nothing but what policies see."""

    region: Region | None = None
    """Where it computes, such as ``eu-central-1``. Absent, the region or location that is part of its address, where it
    has one; else policies see ``""``."""

    country: Country | None = None
    """Under whose law the vendor is, such as ``US``. Absent, policies see ``""``."""

    local: bool | None = None
    """Whether it runs on machines of your own. Absent, engines of this machine and loopback addresses do."""

    retention: Duration | None = None
    """How long the vendor keeps what is sent; ``0s``: not at all. Absent, policies take it for a century."""

    training: bool | None = None
    """Whether the vendor may train on what is sent. Absent, policies take it that it may, unless it is local."""
