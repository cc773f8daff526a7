"""Carbon intensities: read from what sources answer, kept while they are fresh, and tagged."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mainstay.core.errors import UpstreamError
from mainstay.core.ports import Transport
from mainstay.energy.config import LiveConfig
from mainstay.energy.grid import find_zone
from mainstay.energy.intensity import (
    Intensity,
    Known,
    open_intensities,
    read_electricity_maps,
    read_series,
    read_watttime,
)
from mainstay.energy.port import Intensities, Point, Series
from mainstay.runtime.client import LeanTransport
from support.upstream import Reply, Upstream, json_reply

pytestmark = pytest.mark.anyio
NOON = 1_795_348_800.0
HOUR = 3600.0
RULE: TypeAdapter[Any] = TypeAdapter(LiveConfig)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = LeanTransport()
    yield made
    await made.aclose()


def source(transport: Transport, **rule: Any) -> Intensities:
    return open_intensities(RULE.validate_python(rule), transport)


def test_our_own_form_is_read_in_either_kind_of_time_and_in_order() -> None:
    body = {"points": [{"at": "2026-11-21T13:00:00+00:00", "grams": 300}, {"at": NOON - 50 * 86400, "grams": 280.5}]}
    found = read_series(json.dumps(body).encode(), "url")
    assert [point.grams for point in found.points] == [280.5, 300.0]
    assert found.points[0].at < found.points[1].at < found.end
    assert found.basis == "average"


def test_one_point_holds_for_an_hour_and_the_last_as_long_as_the_one_before() -> None:
    one = read_series(b'{"points": [{"at": 100, "grams": 1}]}', "x")
    three = read_series(b'{"points": [{"at": 0, "grams": 1}, {"at": 900, "grams": 1}]}', "x")
    assert (one.end, three.end) == (100 + HOUR, 1800.0)


def test_electricity_maps_latest_and_forecast_become_one_series() -> None:
    latest = {"zone": "DE", "carbonIntensity": 302, "datetime": "2026-11-21T12:00:00.000Z", "isEstimated": False}
    ahead = {"zone": "DE", "forecast": [{"carbonIntensity": 250, "datetime": "2026-11-21T13:00:00.000Z"}]}
    found = read_electricity_maps(json.dumps(latest).encode(), json.dumps(ahead).encode())
    assert [point.grams for point in found.points] == [302.0, 250.0]
    assert len(read_electricity_maps(json.dumps(latest).encode(), None).points) == 1


def test_watttime_is_marginal_and_comes_in_pounds() -> None:
    body = {
        "data": [{"point_time": "2026-11-21T12:00:00+00:00", "value": 1000.0}],
        "meta": {"units": "lbs_co2_per_mwh", "region": "CAISO_NORTH"},
    }
    found = read_watttime(json.dumps(body).encode())
    assert (found.points[0].grams, found.basis) == (pytest.approx(453.59237), "marginal")
    with pytest.raises(ValueError, match="unit"):
        read_watttime(b'{"meta": {"units": "percentile"}, "data": []}')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no",
        b"[]",
        b"{}",
        b'{"points": []}',
        b'{"points": [1]}',
        b'{"points": [{"at": "noon", "grams": 1}]}',
        b'{"points": [{"at": 1, "grams": -1}]}',
        b'{"points": [{"at": 1, "grams": true}]}',
        b'{"points": [{"at": 1}]}',
        b'{"points": [{"at": 1, "grams": NaN}]}',
        b'{"basis": "mean", "points": [{"at": 1, "grams": 1}]}',
    ],
)
def test_what_is_no_series_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_series(body, "x")


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["points", "at", "grams", "data", "meta", "forecast"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_but_a_value_error_comes_of_any_answer(body: bytes) -> None:
    for read in (
        lambda: read_series(body, "x"),
        lambda: read_electricity_maps(body, body),
        lambda: read_watttime(body),
    ):
        try:
            assert read().points
        except ValueError:
            continue


async def test_electricity_maps_is_asked_with_its_token_and_done_without_a_forecast(
    upstream: Upstream, transport: Transport
) -> None:
    latest = {"carbonIntensity": 302, "datetime": "2026-11-21T12:00:00Z"}
    upstream.script(json_reply(latest), Reply(403, body=b"{}"))
    live = source(transport, kind="electricitymaps", token="t0k", zone="DE", base_url=upstream.url)
    found = await live.fetch()
    assert found is not None
    assert [point.grams for point in found.points] == [302.0]
    asked = [request.path for request in upstream.requests]
    assert asked == ["/v3/carbon-intensity/latest?zone=DE", "/v3/carbon-intensity/forecast?zone=DE"]
    assert dict(upstream.requests[0].headers)["auth-token"] == "t0k"


async def test_watttime_is_logged_into_and_asked_with_the_token(upstream: Upstream, transport: Transport) -> None:
    data = [{"point_time": "2026-11-21T12:00:00+00:00", "value": 500}]
    upstream.script(json_reply({"token": "abc"}), json_reply({"data": data, "meta": {}}))
    live = source(transport, kind="watttime", user="me", password="pw", region="CAISO_NORTH", base_url=upstream.url)
    found = await live.fetch()
    assert found is not None
    assert found.basis == "marginal"
    login, asked = upstream.requests
    assert dict(login.headers)["authorization"] == "Basic " + base64.b64encode(b"me:pw").decode()
    assert dict(asked.headers)["authorization"] == "Bearer abc"
    assert asked.path == "/v3/forecast?region=CAISO_NORTH&signal_type=co2_moer"


async def test_an_address_and_a_file_answer_in_our_own_form(
    upstream: Upstream, transport: Transport, tmp_path: Path
) -> None:
    series = {"points": [{"at": NOON, "grams": 111}]}
    upstream.script(json_reply(series))
    found = await source(transport, kind="url", url=f"{upstream.url}/today", token="t").fetch()
    assert found is not None
    assert found.points == (Point(NOON, 111.0),)
    assert dict(upstream.requests[0].headers)["authorization"] == "Bearer t"
    path = tmp_path / "today.json"
    path.write_text(json.dumps(series))
    assert (await source(transport, kind="file", path=str(path)).fetch() or found).source == "file"


async def test_a_source_that_is_unwell_raises_and_says_no_token(upstream: Upstream, transport: Transport) -> None:
    upstream.script(Reply(500, body=b"t0k"), Reply(200, body=b""))
    live = source(transport, kind="url", url=upstream.url, token="t0k")
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await live.fetch()
        assert "t0k" not in str(caught.value)


def test_what_is_known_is_live_then_stale_then_the_years_average() -> None:
    known = Known(find_zone("DE"), stale=7200.0)
    static = Intensity(380.9, "static", "average", "average of 2023, Germany")
    assert known.at(NOON) == static
    points = tuple(Point(NOON + place * HOUR, 100.0 + place) for place in range(24))
    known.take(Series(points, NOON + 24 * HOUR, "average", "url"), NOON)
    assert known.at(NOON + 60) == Intensity(100.0, "live", "average", "url")
    assert known.at(NOON + 5000) == Intensity(101.0, "stale", "average", "url")
    assert known.at(NOON + 8000) == static
    assert known.at(NOON - 60) == static
    assert known.ahead(NOON + HOUR) == points[1:]
    assert known.ahead(NOON + 8000) == ()


def test_without_a_zone_nothing_is_known_until_a_source_answers() -> None:
    known = Known(None, stale=60.0)
    assert known.at(NOON) is None
    known.take(Series((Point(NOON, 5.0),), NOON + HOUR, "average", "url"), NOON)
    assert (known.at(NOON) or Intensity(0, "static", "", "")).grams == 5.0
