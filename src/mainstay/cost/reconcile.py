"""Two sources of prices made one: which row counts, what the other says, and where they are over a hundredth apart.

The rule: **genai-prices first, litellm where it has nothing.** genai-prices dates its rows and keeps what was true
before; litellm's table is wider and has only the present. What only litellm knows of a model (a tier of service, the
price of a search) is added to the present row if both agree on its input and output. Pure: data in, data out.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from mainstay.cost.matching import Row, place_of
from mainstay.cost.prices import STANDS_IN, UNITS, read_prices
from mainstay.cost.source_genai import Listed

__all__ = ["TOLERANCE", "Difference", "Merged", "Models", "ceilings", "compare_rows", "merge", "merge_rows"]

#: How far two sources may be apart, as a part of the lower rate.
TOLERANCE: Final = Decimal("0.01")
_PLAIN: Final = tuple(UNITS)


class Difference(msgspec.Struct, frozen=True):
    """One rate on which the sources are more than a hundredth apart; None where one has no such tier."""

    kind: str
    genai: Decimal | None
    litellm: Decimal | None
    above: int = 0

    @property
    def ratio(self) -> Decimal | None:
        """How much dearer the dearer is, as a part of the cheaper: 0.5 is half as much again; None if one is 0."""
        if not self.genai or not self.litellm:
            return None
        low, high = sorted((self.genai, self.litellm))
        return high / low - 1


class Merged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the catalogue keeps of one model: its rows, where they are from, and what is disputed.

    ``source`` is ``genai-prices``, ``litellm`` or, for a model that both have, ``both``; then ``genai-prices`` won.
    """

    rows: tuple[Row, ...]
    source: str
    disputed: tuple[Difference, ...] = ()
    #: The model of genai-prices that a price of litellm's was compared with, where it has another name.
    like: str = ""

    @property
    def is_compared(self) -> bool:
        """Whether both sources have something to say of it."""
        return self.source == "both" or bool(self.like)


#: Models by seller and name.
Models = dict[str, dict[str, Merged]]


def merge(genai: Listed, litellm: Mapping[str, Mapping[str, Sequence[Row]]], today: date) -> Models:
    """Return every model of either source, by seller and name.

    A name that genai-prices gives to a model of its own is that model. One that only a looser rule of its accepts is
    compared with it, and keeps litellm's price.
    """
    merged: Models = {}
    for seller in sorted({*genai.rows, *litellm}):
        ours, theirs = genai.rows.get(seller, {}), litellm.get(seller, {})
        others = genai.aliases.get(seller, {})
        held = merged[seller] = {}
        for name in sorted({*ours, *theirs}):
            rows = ours.get(name) or ours.get(others.get(name, ""))
            like = genai.like(seller, name) if rows is None else None
            # A model in one region is not the same offer as in another.
            if like is not None and place_of(like) == place_of(name):
                there = theirs[name]
                held[name] = _like(ours[like], there, today, like)
            else:
                held[name] = merge_rows(rows, theirs.get(name), today)
            if "claude" in name:
                held[name] = msgspec.structs.replace(held[name], rows=tuple(map(_laddered, held[name].rows)))
    return merged


def _like(genai: Sequence[Row], litellm: Sequence[Row], today: date, like: str) -> Merged:
    """Return litellm's price of a model beside that of the model whose rule of genai-prices accepts its name."""
    ours, here = genai[_present(genai, today)], _present(litellm, today)
    differences = tuple(compare_rows(ours, litellm[here]))
    rows = list(litellm)
    if not any(found.kind in ("input", "output") for found in differences):
        rows[here] = _filled(rows[here], ours, {found.kind for found in differences})
    return Merged(tuple(rows), "litellm", differences, like)


def _laddered(row: Row) -> Row:
    """Return a row of Anthropic's models with the price of a write for an hour, which is twice that of input.

    Sellers' lists leave it out, and a write for an hour would cost what one for five minutes does.
    """
    if row.get("cache_write", 0) > row.get("input", 0) and "cache_write_1h" not in row:
        row = {**row, "cache_write_1h": row["input"] * 2}
    if "services" in row:
        row = {**row, "services": {name: _laddered(rates) for name, rates in row["services"].items()}}
    return row


def merge_rows(genai: Sequence[Row] | None, litellm: Sequence[Row] | None, today: date) -> Merged:
    """Return what is kept of one model that at least one source has."""
    if not genai:
        return Merged(tuple(litellm or ()), "litellm")
    if not litellm:
        return Merged(tuple(genai), "genai-prices")
    here = _present(genai, today)
    there = litellm[_present(litellm, today)]
    differences = tuple(compare_rows(genai[here], there))
    rows = [dict(row) for row in genai]
    if not any(found.kind in ("input", "output") for found in differences):
        rows[here] = _filled(rows[here], there, {found.kind for found in differences})
    return Merged(tuple(rows), "both", differences)


def compare_rows(genai: Row, litellm: Row) -> Iterator[Difference]:
    """Yield the rates that both have and that are more than a hundredth apart, and the tiers that only one has."""
    yield from _compare(genai, litellm, 0)
    ours = {int(tier["above"]): tier for tier in genai.get("tiers", ())}
    theirs = {int(tier["above"]): tier for tier in litellm.get("tiers", ())}
    # One says "above 199,999", the other "above 200,000".
    pairs = {above: next((other for other in theirs if not _apart(above, other)), None) for above in ours}
    for above, same in pairs.items():
        if same is not None:
            yield from _compare(ours[above], theirs[same], above)
    alone = [(above, ours[above], True) for above, same in pairs.items() if same is None]
    alone += [(above, tier, False) for above, tier in theirs.items() if above not in pairs.values()]
    for above, tier, is_ours in sorted(alone, key=lambda one: one[0]):
        kind = next((kind for kind in _PLAIN if kind in tier), "input")
        yield Difference(kind, tier[kind] if is_ours else None, None if is_ours else tier[kind], above)


def _compare(one: Row, other: Row, above: int) -> Iterator[Difference]:
    for kind in _PLAIN:
        if kind in one and kind in other and _apart(one[kind], other[kind]):
            yield Difference(kind, one[kind], other[kind], above)


def _apart(one: Decimal | int, other: Decimal | int) -> bool:
    low, high = sorted((one, other))
    return high - low > low * TOLERANCE


def _present(rows: Sequence[Row], today: date) -> int:
    """Return the place of the row that holds at noon of ``today``, or else of the last."""
    noon = datetime.fromisoformat(f"{today}T12:00:00+00:00")
    prices = [read_prices(row)[0] for row in rows]
    active = [place for place, price in enumerate(prices) if price.is_active(noon)]

    def rank(place: int) -> tuple[date, bool, int]:
        price = prices[place]
        return price.since or date.min, price.hours is not None or bool(price.days), place

    return max(active, key=rank, default=len(rows) - 1)


def _filled(row: Row, other: Row, disputed: set[str]) -> Row:
    filled = dict(row)
    for kind in _PLAIN:
        if kind not in filled and kind in other and kind not in disputed:
            filled[kind] = other[kind]
    if "images" in other and "images" not in filled:
        filled["images"] = other["images"]
    services = {**other.get("services", {}), **filled.get("services", {})}
    if services:
        filled["services"] = services
    return filled


def _percentile(values: Sequence[Decimal], part: float) -> Decimal:
    """Return the nearest-rank percentile ``part`` (0 to 1) of at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))]


def ceilings(merged: Models) -> dict[str, dict[str, Decimal]]:
    """Return the dearest rate of each kind that each seller has; under "" the 99th percentile of all models'.

    A million tokens of whatever kind are far from a single image, so that kinds never mix.
    """
    found: dict[str, dict[str, Decimal]] = {}
    every: dict[str, list[Decimal]] = {}
    for seller, models in merged.items():
        for model in models.values():
            for kind, rate in _dearest(model.rows).items():
                every.setdefault(kind, []).append(rate)
                held = found.setdefault(seller, {})
                held[kind] = max(rate, held.get(kind, Decimal(0)))
    # A fee for each call is few sellers' habit, and no guess for the others.
    every.pop("requests", None)
    found[""] = {kind: _percentile(rates, 0.99) for kind, rates in every.items()}
    return found


def _dearest(rows: Sequence[Row]) -> dict[str, Decimal]:
    """Return the dearest rate of each kind over the rows of a model and their tiers, as it would be billed."""
    dearest: dict[str, Decimal] = {}
    parts: list[Mapping[str, Any]] = []
    for row in rows:
        parts += [row, *row.get("tiers", ())]
    for part in parts:
        for kind in _PLAIN:
            if kind in part:
                dearest[kind] = max(part[kind], dearest.get(kind, Decimal(0)))
    for kind, other in STANDS_IN:
        if other in dearest:
            dearest.setdefault(kind, dearest[other])
    return dearest
