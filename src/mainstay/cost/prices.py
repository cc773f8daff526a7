"""Prices as data: what a model costs per kind of usage, from when until when, in which currency, by whose word.

A model's price is a list of dated rows. The same reader serves the configuration and the catalogue. Knows nothing of
tokens that were used; :mod:`mainstay.cost.rates` compiles rows into something that prices a call.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from mainstay.core.errors import PriceError

__all__ = ["FREE", "STANDS_IN", "UNITS", "Price", "Rates", "Service", "Tier", "read_prices"]

#: How many of its own units one listed rate buys. Tokens and characters are listed by the million, sound by the hour
#: (and counted in milliseconds), calls and searches by the thousand, images one by one.
UNITS: Final[Mapping[str, int]] = {
    "input": 1_000_000,
    "output": 1_000_000,
    "cache_read": 1_000_000,
    "cache_write": 1_000_000,
    "cache_write_1h": 1_000_000,
    "reasoning": 1_000_000,
    "audio_input": 1_000_000,
    "audio_output": 1_000_000,
    "image_input": 1_000_000,
    "image_output": 1_000_000,
    "cache_read_audio": 1_000_000,
    "cache_read_image": 1_000_000,
    "image": 1,
    "characters": 1_000_000,
    "audio_hour": 3_600_000,
    "requests": 1_000,
    "searches": 1_000,
    "tool_calls": 1_000,
    "rerank": 1_000,
}
#: The rate that stands in for one that is not said, tried in this order.
STANDS_IN: Final = (
    ("cache_read", "input"),
    ("cache_write", "input"),
    ("cache_write_1h", "cache_write"),
    ("reasoning", "output"),
    ("audio_input", "input"),
    ("audio_output", "output"),
    ("image_input", "input"),
    ("image_output", "output"),
    ("cache_read_audio", "cache_read"),
    ("cache_read_image", "cache_read"),
)


class Rates(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What each kind costs, in the row's currency for as many units as ``UNITS`` says; None where it is not said.

    ``cache_write`` is a write with the shortest life (five minutes). ``image`` is one image of any form.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    audio_input: Decimal | None = None
    audio_output: Decimal | None = None
    image_input: Decimal | None = None
    image_output: Decimal | None = None
    cache_read_audio: Decimal | None = None
    cache_read_image: Decimal | None = None
    image: Decimal | None = None
    characters: Decimal | None = None
    audio_hour: Decimal | None = None
    requests: Decimal | None = None
    searches: Decimal | None = None
    tool_calls: Decimal | None = None
    rerank: Decimal | None = None

    def rates(self) -> dict[str, Decimal]:
        """Return the rates that are said, by kind."""
        return {kind: rate for kind in UNITS if (rate := getattr(self, kind)) is not None}


class Tier(Rates, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates of calls with more than ``above`` input tokens, cached ones included; what it leaves out stays as it was.

    They hold for the whole call, or, with ``part``, for those input tokens only that are above; then ``input`` is the
    one rate it has.
    """

    above: int = msgspec.field(default=0)
    part: bool = False


class Service(Rates, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Rates of one tier of service, such as ``batch``; what it leaves out is the usual rate times ``times``."""

    times: Decimal | None = None
    tiers: tuple[Tier, ...] = ()


class Price(Rates, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One dated row: rates that hold from ``since`` (inclusive) to ``until`` (exclusive), both dates of UTC.

    ``hours`` narrows it to a part of each day, UTC as well, over midnight where the second is the smaller one, and
    ``days`` to some of the week, Monday being 1.
    ``usd`` is what one unit of ``currency`` is in US dollars, a static rate as old as the row. Sound is billed as at
    least ``minimum_seconds`` a call. ``images`` are prices of single images by form, ``QUALITY/SIZE``.
    """

    tiers: tuple[Tier, ...] = ()
    services: Mapping[str, Service] = {}
    images: Mapping[str, Decimal] = {}
    minimum_seconds: Decimal = Decimal(0)
    since: date | None = None
    until: date | None = None
    hours: tuple[time, time] | None = None
    days: tuple[int, ...] = ()
    currency: str = "USD"
    usd: Decimal | None = None
    #: Where it is from (``catalogue``, ``config``, ``own``, ``ceiling``) and which state of it.
    source: str = ""
    version: str = ""

    def is_active(self, moment: datetime) -> bool:
        """Return whether the row holds at ``moment``, which has a time zone."""
        now = moment.astimezone(UTC)
        if (self.since is not None and now.date() < self.since) or (
            self.until is not None and now.date() >= self.until
        ):
            return False
        if self.days and now.isoweekday() not in self.days:
            return False
        if self.hours is None:
            return True
        start, end = self.hours
        clock = now.time()
        return start <= clock < end if start <= end else clock >= start or clock < end

    def dollars(self, rate: Decimal) -> Fraction:
        """Return a rate of this row in US dollars, exact.

        Raises:
            PriceError: the row is in another currency and does not say what that is in US dollars.
        """
        if self.currency == "USD":
            return Fraction(rate)
        if self.usd is None:
            raise PriceError(f"A price is in {self.currency} and does not say what that is in US dollars; add 'usd'.")
        return Fraction(rate) * Fraction(self.usd)


#: The price of what is our own.
FREE: Final = Price(input=Decimal(0), output=Decimal(0), source="own", version="own")


def read_prices(rows: Mapping[str, Any] | Sequence[Mapping[str, Any]], **marks: str) -> tuple[Price, ...]:
    """Return the rows of one model, given as mappings of the fields of :class:`Price`; ``marks`` are set on each.

    Raises:
        PriceError: a row is not of that form.
    """
    listed = [rows] if isinstance(rows, Mapping) else rows
    try:
        return tuple(msgspec.convert({**row, **marks}, Price, strict=False) for row in listed)
    except msgspec.ValidationError as error:
        raise PriceError(f"A price cannot be read: {error}.") from None
