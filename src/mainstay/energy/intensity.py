"""Today's carbon intensity, and that of the hours ahead: from Electricity Maps, WattTime, an address or a file.

A source that does not answer leaves what was known; what is known grows stale, and then the average of the year holds.
Every figure says which of these it is. Readers of answers are pure; sources fetch over ``core.ports.Transport``.
"""

import base64
import bisect
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

import msgspec

from mainstay.core.errors import UpstreamBroken, UpstreamFailed
from mainstay.core.ports import Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.energy.config import (
    ElectricityMapsConfig,
    FileIntensityConfig,
    LiveConfig,
    UrlIntensityConfig,
    WattTimeConfig,
)
from mainstay.energy.grid import Zone
from mainstay.energy.port import Intensities, Point, Series

__all__ = [
    "ElectricityMaps",
    "FromFile",
    "FromUrl",
    "Intensity",
    "Known",
    "WattTime",
    "open_intensities",
    "read_electricity_maps",
    "read_series",
    "read_watttime",
]

_LIMITS: Final = Timeouts(connect=5.0, headers=20.0, first_token=20.0, idle=20.0, total=30.0)
_LARGEST: Final = 4 * 1024**2
_MOST_POINTS: Final = 10_000
_HOUR: Final = 3600.0
#: Pounds per MWh to grams per kWh.
_POUNDS: Final = 0.45359237


class Intensity(msgspec.Struct, frozen=True):
    """Grams of CO2 equivalent per kWh, and how they are known: ``live``, ``stale`` (an old answer) or ``static`` (the
    average of a year)."""

    grams: float
    tag: Literal["live", "stale", "static"]
    basis: str
    source: str


class Known:
    """What is known of one zone's intensity.

    Args:
        zone: whose yearly average holds where nothing better is known; None: none does.
        stale: seconds after which an answer is not used any more.
    """

    def __init__(self, zone: Zone | None, stale: float) -> None:
        self._zone = zone
        self._stale = stale
        self._series: Series | None = None
        self._at = 0.0

    def take(self, series: Series, now: float) -> None:
        """Note an answer that came at ``now``."""
        self._series, self._at = series, now

    def at(self, now: float) -> Intensity | None:
        """Return the intensity at ``now``; None where neither an answer nor the zone is known.

        An answer older than half of ``stale`` is tagged so while it is still used.
        """
        series = self._series
        if series is not None and now - self._at <= self._stale and series.points[0].at <= now < series.end:
            place = bisect.bisect_right(series.points, now, key=lambda point: point.at) - 1
            tag: Literal["live", "stale"] = "live" if now - self._at <= self._stale / 2 else "stale"
            return Intensity(series.points[place].grams, tag, series.basis, series.source)
        if self._zone is None:
            return None
        return Intensity(self._zone.grams, "static", "average", f"average of {self._zone.year}, {self._zone.place}")

    def ahead(self, now: float) -> tuple[Point, ...]:
        """Return what is known from ``now`` on; nothing where no answer is fresh enough."""
        series = self._series
        if series is None or now - self._at > self._stale or series.end <= now:
            return ()
        first = max(0, bisect.bisect_right(series.points, now, key=lambda point: point.at) - 1)
        return series.points[first:]


def read_series(body: bytes, source: str) -> Series:
    """Return the series in ``{"basis": "average", "points": [{"at": "2026-11-21T12:00:00Z", "grams": 312}, ...]}``.

    ``basis`` may be left out; ``at`` may be seconds since 1970. The last point holds as long as the one before it did,
    or an hour.

    Raises:
        ValueError: it is not of that form.
    """
    document = _mapping(json.loads(body))
    basis = document.get("basis", "average")
    if basis not in ("average", "marginal"):
        raise ValueError("basis must be average or marginal")
    return _series([(row.get("at"), row.get("grams")) for row in _rows(document, "points")], basis, source)


def read_electricity_maps(latest: bytes, forecast: bytes | None) -> Series:
    """Return the series in answers of version 3: the latest intensity, and the forecast where there is one.

    Raises:
        ValueError: they are not of that form.
    """
    now = _mapping(json.loads(latest))
    rows = [(now.get("datetime"), now.get("carbonIntensity"))]
    if forecast is not None:
        ahead = _rows(_mapping(json.loads(forecast)), "forecast")
        rows += [(row.get("datetime"), row.get("carbonIntensity")) for row in ahead]
    return _series(rows, "average", "electricitymaps")


def read_watttime(body: bytes) -> Series:
    """Return the series in a forecast of version 3: marginal, in pounds per MWh.

    Raises:
        ValueError: it is not of that form.
    """
    document = _mapping(json.loads(body))
    units = _mapping(document.get("meta", {})).get("units", "lbs_co2_per_mwh")
    if units != "lbs_co2_per_mwh":
        raise ValueError("WattTime answers in a unit that is not known here")
    rows = [(row.get("point_time"), row.get("value")) for row in _rows(document, "data")]
    return _series([(at, _POUNDS * _number(value)) for at, value in rows], "marginal", "watttime")


def _series(rows: list[tuple[Any, Any]], basis: str, source: str) -> Series:
    # A later row of the same moment is the better one.
    found = {_seconds(at): _number(grams) for at, grams in rows[:_MOST_POINTS]}
    if not found:
        raise ValueError("there is no intensity in it")
    points = tuple(Point(at, found[at]) for at in sorted(found))
    step = points[-1].at - points[-2].at if len(points) > 1 else _HOUR
    return Series(points, points[-1].at + step, basis, source)


def _seconds(at: Any) -> float:
    if isinstance(at, str):
        moment = datetime.fromisoformat(at)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    return _number(at)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError("an intensity is a number from 0 on, and a moment a time in ISO 8601 or seconds since 1970")
    return float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it is no mapping")
    return value


def _rows(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = document.get(name)
    if not isinstance(rows, list):
        raise ValueError(f"it has no list of {name}")
    return [_mapping(row) for row in rows]


class ElectricityMaps:
    """Electricity Maps. The forecast is asked for too, and done without where the plan has none."""

    def __init__(self, rule: ElectricityMapsConfig, transport: Transport) -> None:
        self._rule = rule
        self._transport = transport

    async def fetch(self) -> Series:
        """Return now and, if the plan allows, the day ahead. Raises as ``Intensities.fetch``."""
        headers = ((b"auth-token", self._rule.token.get_secret_value().encode()),)
        query = f"?zone={quote(self._rule.zone)}"
        path = f"{self._rule.base_url}/v3/carbon-intensity/"
        latest = await _get(self._transport, path + "latest" + query, headers)
        forecast: bytes | None
        try:
            forecast = await _get(self._transport, path + "forecast" + query, headers)
        except UpstreamFailed:
            forecast = None
        return read_electricity_maps(latest, forecast)


class WattTime:
    """WattTime. Its tokens live half an hour, so each fetch gets one."""

    def __init__(self, rule: WattTimeConfig, transport: Transport) -> None:
        self._rule = rule
        self._transport = transport

    async def fetch(self) -> Series:
        """Return the day ahead. Raises as ``Intensities.fetch``."""
        rule = self._rule
        pair = f"{rule.user.get_secret_value()}:{rule.password.get_secret_value()}".encode()
        login = await _get(
            self._transport, f"{rule.base_url}/login", ((b"authorization", b"Basic " + base64.b64encode(pair)),)
        )
        token = _mapping(json.loads(login)).get("token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ValueError("WattTime's login answers without a token")
        path = f"{rule.base_url}/v3/forecast?region={quote(rule.region)}&signal_type=co2_moer"
        return read_watttime(await _get(self._transport, path, ((b"authorization", f"Bearer {token}".encode()),)))


class FromUrl:
    """An address that answers with our own form; see ``read_series``."""

    def __init__(self, rule: UrlIntensityConfig, transport: Transport) -> None:
        self._rule = rule
        self._transport = transport

    async def fetch(self) -> Series:
        """Return what is there. Raises as ``Intensities.fetch``."""
        token = self._rule.token
        headers = () if token is None else ((b"authorization", f"Bearer {token.get_secret_value()}".encode()),)
        return read_series(await _get(self._transport, self._rule.url, headers), "url")


class FromFile:
    """A file in our own form; see ``read_series``."""

    def __init__(self, rule: FileIntensityConfig) -> None:
        self._path = Path(rule.path)

    async def fetch(self) -> Series:
        """Return what is in it. Raises as ``Intensities.fetch``."""
        # A small local file, read a few times an hour.
        with self._path.open("rb") as file:
            return read_series(file.read(_LARGEST), "file")


def open_intensities(rule: LiveConfig, transport: Transport) -> Intensities:
    """Return the source that ``rule`` names."""
    if isinstance(rule, ElectricityMapsConfig):
        return ElectricityMaps(rule, transport)
    if isinstance(rule, WattTimeConfig):
        return WattTime(rule, transport)
    return FromUrl(rule, transport) if isinstance(rule, UrlIntensityConfig) else FromFile(rule)


async def _get(transport: Transport, url: str, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = Outgoing(b"GET", target.encode(), ((b"accept", b"application/json"), *headers), b"")
    response = await transport.send(origin, sent, _LIMITS)
    try:
        body = await response.read(_LARGEST)
    finally:
        response.close()
    if response.status != 200:
        raise UpstreamFailed(f"The source of carbon intensities answers with status {response.status}.")
    if not body:
        raise UpstreamBroken("The source of carbon intensities answers with nothing.")
    return body
