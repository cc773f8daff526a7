"""What is personal data, in the configuration: kinds, languages, countries, and what a company adds of its own."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mainstay.core.config import Section
from mainstay.guardrails.personal.ids import IDS

__all__ = ["DEFAULT_KINDS", "Kind", "OwnPattern", "PersonalConfig"]

Kind = Literal[
    "person", "place", "organisation", "nationality", "title", "address", "postcode",
    "email", "phone", "url", "ip", "mac",
    "card", "iban", "account", "crypto", "credentials",
    "national_id", "passport", "driving_licence", "plate",
    "date_of_birth", "age", "date",
]  # fmt: skip

#: What is looked for when nothing is said: what leads to one person. Places, firms and dates alone do not.
DEFAULT_KINDS: tuple[Kind, ...] = (
    "person", "address", "postcode", "email", "phone", "ip", "mac", "card", "iban", "account", "crypto", "credentials",
    "national_id", "passport", "driving_licence", "plate", "date_of_birth", "age",
)  # fmt: skip

_COUNTRIES = frozenset(rule.country for rule in IDS)


def _country(value: str) -> str:
    if value.lower() not in _COUNTRIES:
        raise ValueError(f"knows no identity numbers of {value}; there are those of {', '.join(sorted(_COUNTRIES))}")
    return value.lower()


_Country = Annotated[str, AfterValidator(_country)]
_Locale = Literal["en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv"]


def _compiles(value: str) -> str:
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if pattern.match(""):
        raise ValueError("matches nothing at all; let it match one character at least")
    return value


_Pattern = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_compiles)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class OwnPattern(Section):
    """A pattern of a company's own: numbers of customers, names of projects."""

    pattern: _Pattern
    """A regular expression, as Python reads them. Matches longer than 160 characters do not count."""

    context: tuple[str, ...] = ()
    """Words of which one must stand near, within 64 characters before or 24 after; empty, none is needed."""

    score: float = Field(default=0.9, ge=0, le=1)
    """How sure a match is. Where places overlap, the surest stands."""


class PersonalConfig(Section):
    """What personal data is looked for."""

    kinds: tuple[Kind, ...] = Field(default=DEFAULT_KINDS, min_length=1)
    """What is looked for. The default is what leads to one person; ``place``, ``organisation``, ``nationality``,
    ``title``, ``url`` and ``date`` are found too when named. Kinds of ``patterns`` and ``lists`` always are."""

    locales: tuple[_Locale, ...] = Field(default=("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv"), min_length=1)
    """Languages whose words tell what a number or a date is ("born", "Karte")."""

    countries: tuple[_Country, ...] | None = None
    """Countries whose identity, tax and insurance numbers are looked for, by their code (``us``, ``de``); absent, all
    that are known."""

    threshold: float = Field(default=0.5, ge=0, le=1)
    """How sure a finding must be. Lower finds more and is wrong more often."""

    names: bool = True
    """Whether people, places and the like are looked for with the model of names; false, only what patterns know."""

    patterns: dict[_Name, OwnPattern] = {}
    """Patterns of your own, by the kind of what they find."""

    lists: dict[_Name, tuple[Annotated[str, Field(min_length=2, max_length=160)], ...]] = {}
    """Values of your own, by their kind: names of staff, of customers, of projects. Case does not matter."""

    allow: tuple[Annotated[str, Field(min_length=1, max_length=160)], ...] = ()
    """Values that never count, such as your own hotline and address. Case does not matter."""

    presidio: bool = False
    """Whether Presidio looks too, if ``presidio-analyzer`` is installed. It takes some fifteen milliseconds for each
    thousand characters, and its findings depend on the whole text, so it serves texts that are whole, not streams."""
