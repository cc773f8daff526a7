"""What can be configured about money and limits: budgets, rates, and what to do where a price is not known."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from mainstay.core.config import Name, OrText, Secret, Section, check_url
from mainstay.cost.rates import PICO
from mainstay.cost.windows import PERIODS, Window

__all__ = [
    "DIMENSIONS",
    "AlertsConfig",
    "Amount",
    "BudgetConfig",
    "CostConfig",
    "Dimension",
    "LimitConfig",
    "SoftConfig",
    "read_amount",
]

#: What a call is counted by.
Dimension = Literal["organisation", "team", "key", "user", "route", "model", "provider", "tag"]
DIMENSIONS: tuple[Dimension, ...] = ("organisation", "team", "key", "user", "route", "model", "provider", "tag")

_AMOUNT = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?:/\s*([0-9]{1,4})?\s*([a-z]+))?\s*")
_SHORT = {"m": "minute", "h": "hour", "d": "day"}
#: The most that an account can hold, in whole US dollars: a database counts in 64 bits.
_MOST = 9_000_000


@dataclass(frozen=True, slots=True)
class Amount:
    """US dollars over a window."""

    usd: Decimal
    #: A key of ``PERIODS``, or "" for once and for all.
    period: str = ""
    #: Of a rolling window, how many of them.
    count: int = 1
    rolling: bool = False

    def __str__(self) -> str:
        over = f"/{self.count}{self.period}" if self.rolling else f"/{self.period}" if self.period else ""
        return f"{self.usd:f}{over}"

    @property
    def window(self) -> Window:
        """The stretch of time, in UTC."""
        return Window(self.period, rolling=self.rolling, count=self.count)

    @property
    def picousd(self) -> int:
        """The amount in units of 1e-12 US dollars."""
        return int(self.usd * PICO)


def read_amount(text: object) -> Amount:
    """Return what ``20/month``, ``0.50/day``, ``100/30d`` (any 30 days in a row) or ``500`` (once) mean.

    Raises:
        ValueError: it is none of these.
    """
    match = _AMOUNT.fullmatch(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if match is None:
        raise ValueError("a budget is US dollars over a period: 20/month, 0.50/day, 100/30d, or 500 once and for all")
    usd, count, period = Decimal(match[1]), match[2], match[3]
    if usd > _MOST:
        raise ValueError(f"a budget is at most {_MOST:,} US dollars; split it by team or period")
    if period is None:
        return Amount(usd=usd)
    period = _SHORT.get(period, period)
    if period not in PERIODS:
        raise ValueError(f"'{match[3]}' is no period; use {', '.join(PERIODS)}, or a number of days: 30d")
    if count is None:
        return Amount(usd=usd, period=period)
    if period not in ("minute", "hour", "day") or int(count) == 0:
        raise ValueError("a rolling window is a number of minutes, hours or days: 100/30d")
    return Amount(usd=usd, period=period, count=int(count), rolling=True)


def _share(value: Any) -> Any:
    if isinstance(value, str) and value.endswith("%"):
        return float(value[:-1]) / 100
    return value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone; write one such as UTC or Europe/Zurich") from None
    return name


class SoftConfig(Section):
    """What happens before a budget is used up."""

    at: Annotated[
        float,
        BeforeValidator(_share),
        Field(gt=0, le=1),
        WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9.]+%$"}]}),
    ] = 0.8
    """The part of the budget that is used by then: ``80%``. It is logged, and shown as
    ``mainstay_budget_used_ratio``."""

    model: Name | None = None
    """The model that answers from then on, where it can; absent, nothing changes but the alert."""


class _Scope(Section):
    """Whom it is for: calls that match every field given."""

    organisation: str | None = None
    """Only calls of this organisation."""

    team: str | None = None
    """Only calls of this team."""

    key: str | None = None
    """Only calls with the key of this name."""

    user: str | None = None
    """Only calls for this end user, as the request's ``user`` names them."""

    route: str | None = None
    """Only calls of this route."""

    model: Name | None = None
    """Only what this model answers. A call whose model may not be asked goes on to the next of its route."""

    provider: Name | None = None
    """Only what this provider answers; as ``model``."""

    tag: str | None = None
    """Only calls that carry this tag in ``x-mainstay-tags``."""

    @property
    def match(self) -> tuple[tuple[Dimension, str], ...]:
        """The fields that are given, as pairs."""
        return tuple((name, value) for name in DIMENSIONS if (value := getattr(self, name)) is not None)


def _per(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Per = Annotated[tuple[Dimension, ...], BeforeValidator(_per)]


class BudgetConfig(_Scope):
    """An amount of money that calls may cost over a period."""

    per: _Per = ()
    """Counts each of these by itself: ``key`` gives every key a budget of its own, ``[team, user]`` each user of each
    team. Empty, all calls that match share one."""

    limit: Annotated[
        Amount,
        BeforeValidator(lambda value: value if isinstance(value, Amount) else read_amount(value)),
        PlainSerializer(str, return_type=str, when_used="json"),
        WithJsonSchema({"type": ["string", "number"], "examples": ["20/month", "0.50/day", "100/30d", 500]}),
    ]
    """US dollars over a period: ``20/month``, ``0.50/day``; over any 30 days in a row: ``100/30d``; or ``500``,
    once."""

    rolling: bool = False
    """Counts any month (or day) in a row instead of the calendar's."""

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The time zone in which days, weeks, months and years begin."""

    hard: bool = True
    """Refuses calls, with status 402, that could cost more than is left. Otherwise only ``soft`` acts."""

    soft: SoftConfig | None = None
    """What happens before it is used up."""

    @property
    def window(self) -> Window:
        """The stretch of time it is counted over."""
        window = self.limit.window
        rolling = window.rolling or (self.rolling and bool(window.period))
        return Window(window.period, rolling=rolling, zone="UTC" if rolling else self.zone, count=window.count)


class LimitConfig(_Scope):
    """How much may be asked in a time; more is refused with status 429 and told when to try again."""

    per: _Per = ()
    """Counts each of these by itself: ``key`` gives every key a limit of its own. Empty, all calls that match share
    one."""

    rpm: int | None = Field(default=None, ge=1)
    """Requests in any minute."""

    rpd: int | None = Field(default=None, ge=1)
    """Requests in any 24 hours."""

    tpm: int | None = Field(default=None, ge=1)
    """Tokens, in and out, in any minute. A call is let in by an estimate, which is corrected when it ends."""

    tpd: int | None = Field(default=None, ge=1)
    """Tokens, in and out, in any 24 hours."""

    parallel: int | None = Field(default=None, ge=1)
    """Calls at the same time, streams included."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for value in (self.rpm, self.rpd, self.tpm, self.tpd, self.parallel)):
            raise ValueError("needs at least one of rpm, rpd, tpm, tpd and parallel")
        return self


def _thresholds(value: Any) -> Any:
    return tuple(_share(one) for one in value) if isinstance(value, list | tuple) else value


def _webhook(value: SecretStr) -> SecretStr:
    address, _, query = value.get_secret_value().partition("?")
    check_url(address)
    if not query.isascii() or any(c.isspace() or not c.isprintable() for c in query):
        raise ValueError("must be a URL without spaces: https://HOST/PATH")
    return value


class AlertsConfig(Section):
    """Where else it is told that a budget is nearly or wholly used."""

    webhook: Annotated[Secret, AfterValidator(_webhook)] | None = None
    """URL that gets a POST with a JSON body, once for each budget, member, period and threshold; it is tried again for
    hours. By reference where it is a secret, as those of chat systems are."""

    secret: Secret | None = None
    """What messages are signed with, by reference: ``${NAME}`` or ``file:PATH``. The signature is that of Standard
    Webhooks: HMAC-SHA256 in ``webhook-signature``."""

    at: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...],
        BeforeValidator(_thresholds),
        Field(min_length=1),
        WithJsonSchema(
            {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9.]+%$"}]}}
        ),
    ] = (0.5, 0.8, 1.0)
    """Parts of a budget: ``[50%, 80%, 100%]``. The last is reached, too, when a call is refused for it."""


def _from_text(value: Any) -> Any:
    return {"limit": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value


class CostConfig(Section):
    """Budgets, limits and prices."""

    budgets: dict[Name, Annotated[BudgetConfig, BeforeValidator(_from_text), OrText()]] = {}
    """Money that calls may cost, by a name of your choice. A call counts against every budget that it matches."""

    limits: dict[Name, LimitConfig] = {}
    """Requests, tokens and calls at once, by a name of your choice. A call must pass every limit that it matches."""

    alerts: AlertsConfig = AlertsConfig()
    """Where budgets are told of, and at which parts of them."""

    unknown_price: Literal["ceiling", "refuse"] = "ceiling"
    """What is done with a model whose price nobody knows: ``ceiling`` charges it at the dearest price known of its
    vendor and says so in the log, ``refuse`` refuses its calls where they count against a budget. Never is it free."""

    on_outage: Literal["refuse", "allow"] = "refuse"
    """What is done with calls that count against something while the ledger cannot be asked."""
