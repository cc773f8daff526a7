"""What was spent, as finance tools read it: rows of the FinOps Open Cost and Usage Specification (FOCUS).

One row for each day (UTC), organisation, team, key, provider, model, set of tags and kind of usage. An attempt's cost
is shared out over its kinds of usage by the prices that are known now, so that the rows add up to the books to the
last digit. Columns are those of FOCUS 1.2, 1.3 or 1.4 (https://focus.finops.org); what is not known has none.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TextIO

import msgspec
from sqlalchemy import Connection, select

from mainstay.core.usage import Usage
from mainstay.cost.amounts import dollars, split
from mainstay.cost.periods import Calendar, Span
from mainstay.cost.prices import UNITS
from mainstay.cost.rates import Tariff
from mainstay.cost.reports import Question, attempts_table, conditions, records_table

__all__ = ["NEWEST", "VERSIONS", "Seller", "Sku", "columns", "focus_rows", "write_focus"]

#: What was replaced, and what replaced it, came with 1.3; what was replaced went with 1.4.
VERSIONS: Final = ("1.2", "1.3", "1.4")
NEWEST: Final = VERSIONS[-1]
_REPLACED: Final = frozenset({"ProviderName", "PublisherName"})
_REPLACING: Final = frozenset({"ServiceProviderName", "HostProviderName"})
_COLUMNS: Final = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost"),
    *("ContractedUnitPrice", "EffectiveCost", "HostProviderName", "InvoiceIssuerName", "ListCost", "ListUnitPrice"),
    *("PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId", "RegionName"),
    *("ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceProviderName"),
    *("ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags"),
)
#: Ours; by the specification such columns come last and say so.
_OWN: Final = ("x_KeyId", "x_KeyName", "x_Provider", "x_UpstreamCalls")
#: Unit and name of each kind of usage that is not counted in tokens.
_UNITS: Final = {
    "requests": ("Requests", "Requests"),
    "searches": ("Searches", "Web Searches"),
    "tool_calls": ("Calls", "Tool Calls"),
    "rerank": ("Units", "Ranking Units"),
    "audio_hour": ("Seconds", "Sound Heard"),
    "image": ("Images", "Images"),
    "characters": ("Characters", "Characters Spoken"),
    # What nobody can share out any more: its model has no price now, or nothing is known of its usage.
    "tokens": ("Tokens", "Tokens"),
    "calls": ("Requests", "Upstream Calls"),
}
_SIZES: Final = {**UNITS, "tokens": 1_000_000, "calls": 1, "audio_hour": 1}
_MILLI: Final = 1000
#: Decimals of a unit price that has no end.
_SCALE: Final = 24
_read_usage = msgspec.json.Decoder(Usage).decode


class Seller(msgspec.Struct, frozen=True):
    """Who is behind a provider: its kind, its name as people write it, and its region, may be empty."""

    kind: str
    title: str
    region: str = ""


class Sku(msgspec.Struct, frozen=True):
    """What a model is called by its seller, and what it costs there, if that is known."""

    name: str
    tariff: Tariff | None = None
    service: str = ""


class _Group(msgspec.Struct, frozen=True):
    day: int
    organisation: str
    team: str
    key: str
    provider: str
    model: str
    tags: str
    kind: str


class _Sum(msgspec.Struct):
    count: int = 0
    billed: int = 0
    listed: int = 0
    calls: int = 0


def columns(version: str = NEWEST) -> tuple[str, ...]:
    """Return the columns in their order. Raises ValueError for a version that is not one of ``VERSIONS``."""
    if version not in VERSIONS:
        raise ValueError(f"FOCUS {version} is not known; use {', '.join(VERSIONS)}")
    left_out = {"1.2": _REPLACING, "1.3": frozenset[str](), "1.4": _REPLACED}[version]
    return (*(name for name in _COLUMNS if name not in left_out), *_OWN)


def focus_rows(
    connection: Connection,
    question: Question,
    sellers: Mapping[str, Seller],
    models: Mapping[str, Sku],
    names: Mapping[str, str],
) -> Iterator[dict[str, str]]:
    """Yield the rows, by day; every column of every version is in each, "" where there is nothing to say.

    ``sellers`` are by provider, ``models`` by their names in the configuration, ``names`` those of keys by their ids.
    """
    sums: dict[_Group, _Sum] = {}
    for row in _attempts(connection, question):
        usage = _read_usage(row.usage) if row.usage else None
        shares = list(_shares(usage, row.cost, row.computed, models.get(row.target), row.at))
        for place, (kind, count, billed, listed) in enumerate(shares):
            day = row.at - row.at % 86_400_000
            group = _Group(day, row.organisation, row.team, row.key, row.provider, row.target, row.tags, kind)
            one = sums.setdefault(group, _Sum())
            one.count += count
            one.billed += billed
            one.listed += listed
            one.calls += place == 0
    calendar = Calendar()
    for group in sorted(sums, key=msgspec.structs.astuple):
        seller = sellers.get(group.provider) or Seller(group.provider, group.provider)
        sku = models.get(group.model) or Sku(group.model)
        yield _row(group, sums[group], seller, sku, names.get(group.key, group.key), calendar)


def write_focus(rows: Iterable[Mapping[str, str]], file: TextIO, version: str = NEWEST) -> int:
    """Write rows as CSV (RFC 4180) and return how many there were."""
    writer = csv.DictWriter(file, columns(version), extrasaction="ignore")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _attempts(connection: Connection, question: Question) -> Iterable[Any]:
    r, a = records_table.c, attempts_table.c
    query = (
        select(r.at, r.organisation, r.team, r.key, r.tags, a.provider, a.target, a.cost, a.computed, a.usage)
        .select_from(attempts_table.join(records_table, a.record_id == r.id))
        .where(conditions(question, attempts=True), a.cost.is_not(None))
    )
    return connection.execution_options(yield_per=1000).execute(query)


def _shares(
    usage: Usage | None, cost: int, computed: int | None, sku: Sku | None, at: int
) -> Iterator[tuple[str, int, int, int]]:
    """Yield kind, count, what was charged and what the price list says, for each kind of usage of one attempt."""
    listed = cost if computed is None else computed
    counts = _counts(usage) if usage is not None else {}
    if sku is None or sku.tariff is None or not counts:
        tokens = usage.input + usage.output if usage is not None else 0
        if tokens or cost or listed:
            yield ("tokens", tokens, cost, listed) if tokens else ("calls", 1, cost, listed)
        return
    assert usage is not None
    # By our own price list: what the provider reports is one sum.
    parts = sku.tariff.price(msgspec.structs.replace(usage, reported=None), at, sku.service).parts
    if "requests" in parts:
        counts["requests"] = 1
    kinds = [kind for kind in counts if parts.get(kind)] or list(counts)
    weights = [parts.get(kind, 0) for kind in kinds]
    charged = dict(zip(kinds, split(cost, weights), strict=True))
    priced = dict(zip(kinds, split(listed, weights), strict=True))
    for kind, count in counts.items():
        yield kind, count, charged.get(kind, 0), priced.get(kind, 0)


def _counts(usage: Usage) -> dict[str, int]:
    """Return the usage by kinds of which none is a part of another, as they are priced; only those that there are."""
    heard = usage.audio_input - usage.cache_read_audio
    seen = usage.image_input - usage.cache_read_image
    whole = usage.input - usage.cache_read - usage.cache_write - heard - seen
    made = usage.output - usage.reasoning - usage.audio_output - usage.image_output
    tokens = usage.input or usage.output
    counts = {
        "input": max(0, whole),
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "audio_input": heard,
        "image_input": seen,
        "output": max(0, made),
        "reasoning": usage.reasoning,
        "audio_output": usage.audio_output,
        "image_output": usage.image_output,
        "searches": usage.searches,
        "tool_calls": usage.tool_calls,
        "rerank": usage.rerank_units,
        # Billed by their own units only where not by tokens.
        "audio_hour": 0 if tokens else usage.audio_ms,
        "image": 0 if tokens else usage.images,
        "characters": 0 if tokens else usage.characters,
    }
    return {kind: count for kind, count in counts.items() if count > 0}


def _row(group: _Group, one: _Sum, seller: Seller, sku: Sku, key: str, calendar: Calendar) -> dict[str, str]:
    unit, meter = _UNITS.get(group.kind, ("Tokens", f"{group.kind.replace('_', ' ').title()} Tokens"))
    size = _SIZES[group.kind]
    milli = _MILLI if group.kind == "audio_hour" else 1
    price = _decimal(one.listed * size * milli * 10 ** (_SCALE - 12), one.count, _SCALE)
    account = group.organisation or "default"
    sku_id = f"{seller.kind}/{sku.name}/{group.kind}"
    tags = {tag: True for tag in group.tags.split(",") if tag}
    return {
        "BilledCost": dollars(one.billed),
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _time(calendar.end(Span.MONTH, group.day)),
        "BillingPeriodStart": _time(calendar.start(Span.MONTH, group.day)),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"{meter} of {sku.name} from {seller.title}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _time(calendar.end(Span.DAY, group.day)),
        "ChargePeriodStart": _time(group.day),
        "ConsumedQuantity": _decimal(one.count * 1000, milli, 3),
        "ConsumedUnit": unit,
        "ContractedCost": dollars(one.listed),
        "ContractedUnitPrice": price,
        "EffectiveCost": dollars(one.billed),
        "HostProviderName": seller.title,
        "InvoiceIssuerName": seller.title,
        "ListCost": dollars(one.listed),
        "ListUnitPrice": price,
        "PricingCategory": "Standard",
        "PricingQuantity": _decimal(one.count * 10**9, size * milli, 9),
        "PricingUnit": unit if size == 1 else f"{size} {unit}",
        "ProviderName": seller.title,
        "PublisherName": seller.title,
        "RegionId": seller.region,
        "RegionName": seller.region,
        "ResourceId": group.model,
        "ResourceName": group.model,
        "ResourceType": "Model",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": seller.title,
        "ServiceProviderName": seller.title,
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku_id,
        "SkuMeter": meter,
        "SkuPriceId": sku_id,
        "SubAccountId": group.team,
        "SubAccountName": group.team,
        "Tags": msgspec.json.encode(tags).decode() if tags else "",
        "x_KeyId": group.key,
        "x_KeyName": key,
        "x_Provider": group.provider,
        "x_UpstreamCalls": str(one.calls),
    }


def _decimal(number: int, divisor: int, scale: int) -> str:
    """Return ``number`` / ``divisor``, in units of 10**-scale, as the shortest decimal string; rounded half up."""
    whole, part = divmod((number * 2 + divisor) // (2 * divisor), 10**scale)
    return f"{whole}.{part:0{scale}d}".rstrip("0").rstrip(".")


def _time(at: int) -> str:
    return _CALENDAR.name(Span.HOUR, at).replace("+00:00", ":00Z")


_CALENDAR: Final = Calendar()
