"""Prices compiled for the request path: exact integers of 1e-12 US dollars, and one function that prices a call.

A rate of a million tokens becomes a whole number for each token, over a denominator that is 1 but for the few rates
that are finer than 1e-12 dollars; so nothing is rounded before the end, and then once for each part.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final

import msgspec

from mainstay.core.usage import Usage
from mainstay.cost.prices import STANDS_IN, UNITS, Price, Rates, Service

__all__ = ["PICO", "Charge", "Tariff", "price", "to_picousd", "to_usd"]

#: Units of money in one US dollar.
PICO: Final = 10**12
_NEVER: Final = 2**62
#: What a service may be called by one vendor or another, and is the usual one.
_USUAL: Final = frozenset({"", "default", "standard", "auto", "on_demand"})


class Charge(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a call cost, in units of 1e-12 US dollars.

    ``parts`` add up to ``total``: input and output without the parts that are priced apart, and those by their kind.
    ``unpriced`` names what was used and has no price; it is in no part, and the total is then too low. ``computed`` is
    our own total where ``total`` is the provider's.
    """

    total: int
    parts: dict[str, int]
    unpriced: tuple[str, ...] = ()
    computed: int | None = None


def to_picousd(dollars: Decimal | Fraction) -> int:
    """Return an amount in units of 1e-12 US dollars, rounded half up."""
    return int((Fraction(dollars) * PICO * 2 + 1) // 2)


def to_usd(pico: int) -> Decimal:
    """Return units of 1e-12 US dollars as dollars, exact."""
    return Decimal(pico).scaleb(-12)


class _Sheet:
    """The rates of one service and one tier, each a whole number over ``per``."""

    __slots__ = (
        "above",
        "audio_hour",
        "audio_input",
        "audio_output",
        "cache_read",
        "cache_read_audio",
        "cache_read_image",
        "cache_write",
        "cache_write_1h",
        "characters",
        "image",
        "image_input",
        "image_output",
        "images",
        "input",
        "is_counted",
        "least_ms",
        "missing",
        "more",
        "next",
        "output",
        "per",
        "plain",
        "reasoning",
        "requests",
        "rerank",
        "searches",
        "tool_calls",
        "version",
    )  # fmt: skip
    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    audio_input: int
    audio_output: int
    image_input: int
    image_output: int
    cache_read_audio: int
    cache_read_image: int
    image: int
    characters: int
    audio_hour: int
    requests: int
    searches: int
    tool_calls: int
    rerank: int

    def __init__(self, row: Price, said: Mapping[str, Fraction], images: Mapping[str, Fraction], per: int) -> None:
        self.per = per
        #: The sheet of calls with more than ``above`` input tokens.
        self.above = _NEVER
        self.next: _Sheet | None = None
        #: What an input token costs more above each of these counts.
        self.more: tuple[tuple[int, int], ...] = ()
        self.least_ms = int(row.minimum_seconds * 1000)
        self.version = row.version
        for kind in UNITS:
            setattr(self, kind, int(said.get(kind, Fraction(0)) * per))
        self.images = {form: int(rate * per) for form, rate in images.items()}
        if "image" not in said and images:
            # An image of a form that has no price is taken to be of the dearest.
            self.image = max(self.images.values())
        self.is_counted = "input" in said or "output" in said
        self.missing = frozenset(UNITS) - frozenset(said)
        #: Tokens in and out have a price, and nothing else is charged for a call that took only these.
        self.plain = "input" in said and "output" in said and not self.requests


def _said(row: Price, rates: Rates) -> dict[str, Fraction]:
    """Return the rates of ``rates`` for one unit each, in 1e-12 US dollars."""
    return {kind: row.dollars(rate) * PICO / UNITS[kind] for kind, rate in rates.rates().items()}


def _filled(said: Mapping[str, Fraction]) -> dict[str, Fraction]:
    filled = dict(said)
    for kind, other in STANDS_IN:
        if kind not in filled and other in filled:
            filled[kind] = filled[other]
    return filled


def _compile(row: Price, service: Service | None) -> _Sheet:
    """Return the sheet of one service of one row, with those of its tiers behind it."""
    base, tiers = _said(row, row), list(row.tiers)
    images = {form: row.dollars(rate) * PICO for form, rate in row.images.items()}
    if service is not None:
        times = Fraction(service.times) if service.times is not None else Fraction(1)
        own = _said(row, service)
        base = {kind: rate * times for kind, rate in base.items()} | own
        images = {form: rate * times for form, rate in images.items()}
        # A tier of the usual service says nothing of a rate that this service names itself.
        steps = [(tier, _said(row, tier)) for tier in service.tiers] or [
            (tier, {kind: rate * times for kind, rate in _said(row, tier).items() if kind not in own}) for tier in tiers
        ]
    else:
        steps = [(tier, _said(row, tier)) for tier in tiers]
    steps.sort(key=lambda step: step[0].above)
    ladder: list[tuple[int, dict[str, Fraction]]] = [(-1, base)]
    more: list[tuple[int, Fraction]] = []
    for tier, said in steps:
        if tier.part:
            before = sum((rate for _, rate in more), base.get("input", Fraction(0)))
            more.append((tier.above, said.get("input", before) - before))
        else:
            ladder.append((tier.above, ladder[-1][1] | said))
    every = [rate for _, said in ladder for rate in said.values()] + [rate for _, rate in more] + [*images.values()]
    per = lcm(*(rate.denominator for rate in every))
    sheets = [_Sheet(row, _filled(said), images, per) for _, said in ladder]
    for place, sheet in enumerate(sheets):
        sheet.more = tuple((above, int(rate * per)) for above, rate in more)
        if place + 1 < len(sheets):
            sheet.above, sheet.next = ladder[place + 1][0], sheets[place + 1]
    return sheets[0]


class Tariff:
    """The compiled prices of one model. Not to be shared between threads: it keeps the row that holds now.

    Args:
        rows: the dated rows; of those that hold at a moment, the one that began last counts, and one for some hours
            of the day before one for all.

    Raises:
        PriceError: a row is in a currency whose value in US dollars it does not say.
    """

    __slots__ = ("_from", "_rows", "_sheets", "_until", "_usual", "_within", "rows")

    def __init__(self, rows: Sequence[Price]) -> None:
        if not rows:
            raise ValueError("a tariff needs at least one row")
        self.rows = tuple(rows)
        self._rows = sorted(
            rows, key=lambda row: (row.since is not None, row.since or 0, row.hours is not None or bool(row.days))
        )
        self._sheets = [{"": _compile(row, None)} | _services(row) for row in self._rows]
        self._from, self._until, self._within = _NEVER, 0, False
        self._usual = self._sheets[0]

    def price(self, usage: Usage, at_ms: int, service: str = "") -> Charge:
        """Return what ``usage`` costs at ``at_ms`` (wall clock, milliseconds since 1970).

        What the provider says of the tier it served from, and of the cost, counts before ``service`` and our own
        computation.
        """
        if not self._from <= at_ms < self._until:
            self._turn(at_ms)
        sheet = self._usual[""]
        named = usage.service or service
        unpriced: tuple[str, ...] = () if self._within else ("date",)
        if named and (named := named.lower()) not in _USUAL:
            known = self._usual.get(named)
            sheet = known or sheet
            unpriced += () if known is not None else ("service",)
        return _charge(sheet, usage, unpriced)

    def most(self, given: int, written: int, at_ms: int) -> int:
        """Return the most that ``given`` tokens in and ``written`` out can cost: for holds, before anything is known.

        Every token is taken to be of the dearest kind that the model has a price for; searches, images and sound are
        left to the caller.
        """
        if not self._from <= at_ms < self._until:
            self._turn(at_ms)
        sheet = self._usual[""]
        while given > sheet.above and sheet.next is not None:
            sheet = sheet.next
        into = max(sheet.input + sum(step for _, step in sheet.more if step > 0), sheet.cache_write, sheet.audio_input)
        into = max(into, sheet.cache_write_1h, sheet.image_input)
        out = max(sheet.output, sheet.reasoning, sheet.audio_output, sheet.image_output)
        return -(-(into * given + out * written + sheet.requests) // sheet.per)

    def row(self, at_ms: int) -> Price:
        """Return the row that holds at ``at_ms``, or the nearest where none does."""
        return self._rows[_choose(self._rows, at_ms)[0]]

    def _turn(self, at_ms: int) -> None:
        place, self._within = _choose(self._rows, at_ms)
        self._usual = self._sheets[place]
        self._from, self._until = _bounds(self._rows, at_ms)


def price(rows: Sequence[Price], usage: Usage, at_ms: int, service: str = "") -> Charge:
    """Return what ``usage`` costs by ``rows``; as :meth:`Tariff.price`, for whoever prices only once."""
    return Tariff(rows).price(usage, at_ms, service)


def _services(row: Price) -> dict[str, _Sheet]:
    return {name.lower(): _compile(row, service) for name, service in row.services.items()}


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _choose(rows: Sequence[Price], at_ms: int) -> tuple[int, bool]:
    """Return the place of the row that holds at ``at_ms`` and True, or of the nearest and False."""
    now = _moment(at_ms)
    active = [place for place, row in enumerate(rows) if row.is_active(now)]
    if active:
        return active[-1], True
    past = [place for place, row in enumerate(rows) if row.since is None or row.since <= now.date()]
    return (past[-1] if past else 0), False


def _bounds(rows: Sequence[Price], at_ms: int) -> tuple[int, int]:
    """Return the last moment up to ``at_ms`` and the first after it at which another row may begin to hold."""
    now = _moment(at_ms)
    turns = [day for row in rows for day in (row.since, row.until) if day is not None]
    marks = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in turns]
    for row in rows:
        for clock in (*(row.hours or ()), *((time(0),) if row.days else ())):
            here = datetime.combine(now.date(), clock, UTC)
            marks += [here - timedelta(days=1), here, here + timedelta(days=1)]
    stamps = [int(mark.timestamp() * 1000) for mark in marks]
    before = [stamp for stamp in stamps if stamp <= at_ms]
    after = [stamp for stamp in stamps if stamp > at_ms]
    return max(before, default=-_NEVER), min(after, default=_NEVER)


def _charge(sheet: _Sheet, usage: Usage, unpriced: tuple[str, ...]) -> Charge:
    """Return what ``usage`` costs on ``sheet`` or on the one for its length."""
    asked, made = usage.input, usage.output
    while asked > sheet.above and sheet.next is not None:
        sheet = sheet.next
    if sheet.plain and not sheet.more and asked and made and usage == Usage(asked, made):
        # What most calls are: two products, rounded as below.
        per = sheet.per
        given, written = (asked * sheet.input * 2 + per) // (per * 2), (made * sheet.output * 2 + per) // (per * 2)
        return Charge(given + written, {"input": given, "output": written}, unpriced)
    parts: dict[str, int] = {}
    if usage.cache_read or usage.cache_write or usage.audio_input or usage.image_input:
        asked = _input_parts(sheet, usage, parts)
    if asked:
        parts["input"] = asked * sheet.input
        for above, step in sheet.more:
            if usage.input > above:
                parts["input"] += min(asked, usage.input - above) * step
    if usage.reasoning or usage.audio_output or usage.image_output:
        made = _output_parts(sheet, usage, parts)
    if made:
        parts["output"] = made * sheet.output
    if sheet.is_counted and not sheet.requests and not (usage.searches or usage.tool_calls or usage.rerank_units):
        if not (usage.input or usage.output):
            unpriced += _unit_parts(sheet, usage, parts)
    else:
        unpriced += _unit_parts(sheet, usage, parts)
    if sheet.missing:
        unpriced += tuple(kind for kind in parts if kind in sheet.missing and sheet.is_counted)
    if sheet.per != 1:
        double = sheet.per * 2
        parts = {kind: (value * 2 + sheet.per) // double for kind, value in parts.items()}
    total = sum(parts.values())
    if usage.reported is not None:
        return Charge(usage.reported, {"reported": usage.reported}, (), total)
    return Charge(total, parts, unpriced)


def _input_parts(sheet: _Sheet, usage: Usage, parts: dict[str, int]) -> int:
    """Price the input that has a rate of its own; return how many tokens are left.

    A token that is cached and heard is priced as cached. Where a report does not say which are both, and its parts
    are more than the whole, as many are taken to be.
    """
    read, write, hour = usage.cache_read, usage.cache_write, usage.cache_write_1h
    both_heard, both_seen = usage.cache_read_audio, usage.cache_read_image
    heard, seen = usage.audio_input - both_heard, usage.image_input - both_seen
    left = usage.input - read - write - heard - seen
    if left < 0:
        taken = min(heard, -left)
        heard -= taken
        seen = max(0, seen + left + taken)
        left = 0
    if read:
        value = (read - both_heard - both_seen) * sheet.cache_read
        parts["cache_read"] = value + both_heard * sheet.cache_read_audio + both_seen * sheet.cache_read_image
    if write:
        parts["cache_write"] = (write - hour) * sheet.cache_write + hour * sheet.cache_write_1h
    if heard:
        parts["audio_input"] = heard * sheet.audio_input
    if seen:
        parts["image_input"] = seen * sheet.image_input
    return left


def _output_parts(sheet: _Sheet, usage: Usage, parts: dict[str, int]) -> int:
    """Price the output that has a rate of its own; return how many tokens are left."""
    spoken, drawn = usage.audio_output, usage.image_output
    thought = min(usage.reasoning, max(0, usage.output - spoken - drawn))
    if thought:
        parts["reasoning"] = thought * sheet.reasoning
    if spoken:
        parts["audio_output"] = spoken * sheet.audio_output
    if drawn:
        parts["image_output"] = drawn * sheet.image_output
    return max(0, usage.output - thought - spoken - drawn)


def _unit_parts(sheet: _Sheet, usage: Usage, parts: dict[str, int]) -> tuple[str, ...]:
    """Price what is not counted in tokens; return the kinds that were used and have no price.

    Sound, images and characters are billed by their own unit only where the call was not billed by its tokens.
    """
    if sheet.requests:
        parts["requests"] = sheet.requests
    counts = [("searches", usage.searches, sheet.searches), ("tool_calls", usage.tool_calls, sheet.tool_calls)]
    counts.append(("rerank", usage.rerank_units, sheet.rerank))
    if not sheet.is_counted or not (usage.input or usage.output):
        counts.append(("audio_hour", usage.audio_ms and max(usage.audio_ms, sheet.least_ms), sheet.audio_hour))
        counts.append(("image", usage.images, sheet.images.get(usage.image_form, sheet.image)))
        counts.append(("characters", usage.characters, sheet.characters))
    unpriced = []
    for kind, count, rate in counts:
        if count and rate:
            parts[kind] = count * rate
        elif count and kind in sheet.missing:
            unpriced.append(kind)
    if not any(parts.values()) and not sheet.is_counted and not unpriced:
        unpriced.append("usage")
    return tuple(unpriced)
