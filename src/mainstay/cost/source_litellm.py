"""Reads litellm's table of prices, ``model_prices_and_context_window.json``, into rows of the catalogue's form.

The table has one flat object for each model, with rates for single units in fields whose names spell tier and service.
Only facts are taken: names, rates, thresholds. Knows the table's habits; does not know who else says what.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from mainstay.cost.matching import Row, fold, plain, seller_of_litellm

__all__ = ["read_litellm"]

_MILLION, _THOUSAND, _HOUR = Decimal(1_000_000), Decimal(1000), Decimal(3600)
_TOKENS: Final = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "cache_read_input_image_token_cost": "cache_read_image",
}
_SERVICES: Final = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast"}
_FIELD: Final = re.compile(r"(.+?)(?:_above_(\d+)k_tokens)?(?:_(batches|flex|priority|ultrafast))?")
#: What this house can ask a model for; the table knows more (video, search engines, scanners).
_MODES: Final = frozenset(
    {
        "chat", "responses", "completion", "embedding", "audio_transcription", "audio_speech", "image_generation",
        "image_edit", "rerank", "moderation", "realtime",
    }
)  # fmt: skip
_IMAGE: Final = re.compile(r"(?:([a-z]+)/)?(\d+)-x-(\d+)/(.+)")
_FREE: Final = frozenset({"moderation"})


def read_litellm(table: Mapping[str, Any]) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of each model of each seller. Models with no price, or only zeros, are left out.

    Numbers must have been decoded as :class:`~decimal.Decimal`.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    images: list[tuple[str, str, str, Decimal]] = []
    for key, entry in table.items():
        mode = entry.get("mode")
        if key == "sample_spec" or mode not in _MODES or not isinstance(entry.get("litellm_provider"), str):
            continue
        seller, model = seller_of_litellm(entry["litellm_provider"], key)
        sized = _IMAGE.fullmatch(model)
        if sized is not None and mode.startswith("image"):
            quality, wide, high, name = sized.groups()
            cost = _image_cost(entry, int(wide) * int(high))
            if cost:
                images.append((seller, name, f"{quality or ''}/{wide}x{high}", cost))
            continue
        row = _row(entry, mode)
        if row:
            found.setdefault(seller, {})[fold(model)] = [row, *_quiet_hours(entry, row)]
    for seller, name, form, cost in images:
        rows = found.setdefault(seller, {}).setdefault(fold(name), [{}])
        # Where tokens are billed, a price for an image only says what they come to.
        if "input" not in rows[0] and "output" not in rows[0]:
            rows[0].setdefault("images", {})[form] = cost
    return {seller: {name: rows for name, rows in models.items() if rows[0]} for seller, models in found.items()}


def _row(entry: Mapping[str, Any], mode: str) -> Row:
    row: Row = {}
    tiers: dict[tuple[str, int], Row] = {}
    services: dict[str, Row] = {}
    for kind, above, service, rate in _rates(entry):
        holder = services.setdefault(service, {}) if service else row
        if above:
            holder = tiers.setdefault((service, above), {"above": above})
        holder[kind] = rate
    for unit, rate in _units(entry, mode):
        row[unit] = rate
    steps = list(_steps(entry, row))
    _without_zeros(row, mode)
    if not row:
        return {}
    for (service, _), tier in sorted(tiers.items()):
        # Rates of a service above a threshold, without its rates below, say too little.
        holder = services.get(service, {}) if service else row
        if holder and len(tier) > 1:
            holder.setdefault("tiers", []).append(tier)
    for step in steps:
        row.setdefault("tiers", []).append(step)
    for rates in services.values():
        _without_zeros(rates, "")
    kept = {name: rates for name, rates in services.items() if rates.get("input") or rates.get("output")}
    if kept:
        row["services"] = kept
    return row


def _rates(entry: Mapping[str, Any]) -> Iterator[tuple[str, int, str, Decimal]]:
    """Yield kind, threshold (0: none), service ("": the usual) and rate of every field that is one."""
    for field, value in entry.items():
        if not isinstance(value, Decimal | int) or isinstance(value, bool):
            continue
        kind = _TOKENS.get(field)
        above, service = None, None
        if kind is None and (match := _FIELD.fullmatch(field)) is not None:
            name, above, service = match.groups()
            kind = _TOKENS.get(name)
        if kind is not None:
            yield kind, int(above or 0) * 1000, _SERVICES[service] if service else "", plain(Decimal(value) * _MILLION)


def _units(entry: Mapping[str, Any], mode: str) -> Iterator[tuple[str, Decimal]]:
    """Yield what is not priced by the token."""

    def rate(*names: str) -> Decimal:
        return next((Decimal(entry[name]) for name in names if entry.get(name)), Decimal(0))

    if mode == "audio_transcription" and (second := rate("input_cost_per_second", "output_cost_per_second")):
        yield "audio_hour", plain(second * _HOUR)
    if mode == "audio_speech" and (character := rate("input_cost_per_character")):
        yield "characters", plain(character * _MILLION)
    if mode == "rerank" and (query := rate("input_cost_per_query")):
        yield "rerank", plain(query * _THOUSAND)
    if mode in ("image_generation", "image_edit") and not entry.get("output_cost_per_image_token"):
        image = rate("output_cost_per_image", "input_cost_per_image")
        if image:
            yield "image", plain(image)
    if request := rate("input_cost_per_request"):
        yield "requests", plain(request * _THOUSAND)
    searches = entry.get("search_context_cost_per_query")
    if isinstance(searches, Mapping):
        # Perplexity asks a fee for each request, and searches for as little as it can unless told otherwise.
        is_fee = entry.get("litellm_provider") == "perplexity"
        size = "low" if is_fee else "medium"
        if cost := searches.get(f"search_context_size_{size}"):
            yield ("requests" if is_fee else "searches"), plain(Decimal(cost) * _THOUSAND)


def _without_zeros(row: Row, mode: str) -> None:
    """Take out zeros that mean that nobody knew: all of them, unless a model is known to be free."""
    if mode in _FREE and row and not any(row.values()):
        return
    for kind in [kind for kind, rate in row.items() if isinstance(rate, Decimal) and not rate]:
        del row[kind]


def _steps(entry: Mapping[str, Any], row: Row) -> Iterator[Row]:
    """Yield the tiers of a list of ranges; its first step is the price without tiers."""
    for step in entry.get("tiered_pricing") or ():
        start = int((step.get("range") or [0])[0])
        rates = {kind: rate for kind, _, service, rate in _rates(step) if not service and rate}
        if start == 0:
            row |= rates
        elif rates:
            yield {"above": start, **rates}


def _quiet_hours(entry: Mapping[str, Any], row: Row) -> Iterator[Row]:
    """Yield a row for each stretch of the week that is cheaper."""
    quiet = entry.get("off_peak_pricing")
    if not isinstance(quiet, Mapping):
        return
    rates = {kind: rate for kind, _, service, rate in _rates(quiet) if not service and rate}
    for window in quiet.get("windows") or ():
        hours = window["hours_utc"]
        for stretch in [hours] if isinstance(hours, str) else hours:
            start, end = stretch.split("-")
            part: Row = {} if start == end else {"hours": [f"{start}:00", f"{end}:00"]}
            if window.get("weekdays"):
                part["days"] = [int(day) for day in window["weekdays"]]
            yield {**row, **rates, **part}


def _image_cost(entry: Mapping[str, Any], pixels: int) -> Decimal:
    for name, count in (("output_cost_per_image", 1), ("input_cost_per_image", 1), ("input_cost_per_pixel", pixels)):
        if value := entry.get(name):
            # A price by the pixel is one by the image that somebody divided.
            cost = Decimal(value) * count
            return plain(cost if count == 1 else cost.quantize(Decimal("0.0001")))
    return Decimal(0)
