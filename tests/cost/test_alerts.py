"""Alerts over a real socket: once for each period and threshold, signed, tried again, and never in the way."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from mainstay.cost.account import Balances
from mainstay.cost.alerts import Alerts, signature
from mainstay.cost.bank import Gauge
from mainstay.cost.config import AlertsConfig
from mainstay.runtime.client import LeanTransport
from support.upstream import Reply, Upstream

pytestmark = pytest.mark.anyio
USD = 10**12
MONTH = "small|ci|usd|month"


def gauge(used: float, bucket: str = "2026-11", series: str = MONTH, refused: bool = False) -> Gauge:
    return Gauge(series, bucket, "usd", 10 * USD, round(used * 10 * USD), 0.0, False, refused)


class Desk:
    """Alerts of one home, with books that say what the test says."""

    def __init__(self, folder: Path, upstream: Upstream, **config: Any) -> None:
        self.folder, self.upstream = folder, upstream
        self.config = AlertsConfig(webhook=f"{upstream.url}/hooks/T1?x=2", **config)
        self.used = 0.0
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.clock = 1_793_577_600_000
        self.transport = LeanTransport()
        self.alerts = self.open()

    def open(self) -> Alerts:
        return Alerts(
            self.config,
            self.folder / "alerts.json",
            self.spent,
            self.transport,
            delays=(0.01, 0.02),
            now=lambda: self.clock,
        )

    def spent(self, series: str, buckets: tuple[str, ...]) -> Balances:
        self.asked.append((series, buckets))
        return {(buckets[0], "w1"): round(self.used * 10 * USD)}

    def see(self, used: float, **options: Any) -> None:
        """Let the account and the books stand at ``used``, some time later."""
        self.used = used
        self.clock += 5000
        self.alerts.see([gauge(used, **options)])

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(request.body)["data"] for request in self.upstream.requests]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # another thread's doing
            await asyncio.sleep(0.005)


async def running(desk: Desk, story: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(desk.alerts.run())
    try:
        await story()
    finally:
        task.cancel()
        await desk.transport.aclose()


def waiting(desk: Desk) -> list[int] | None:
    """Return how often each message that waits was tried, as it stands in the file."""
    try:
        found = json.loads((desk.folder / "alerts.json").read_text())
    except FileNotFoundError:
        return None
    return [message["tries"] for message in found["waiting"]]


async def test_a_threshold_is_told_once_in_each_period(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.handler = lambda _: [Reply(204)]

    async def story() -> None:
        for used in (0.2, 0.49, 0.55, 0.6, 0.7):
            desk.see(used)
            await asyncio.sleep(0)
        await until(lambda: len(desk.told) == 1)
        for used in (0.79, 0.85, 0.9, 0.95):
            desk.see(used)
            await until(lambda: not desk.alerts._due)
        await until(lambda: len(desk.told) == 2)
        desk.see(0.1, bucket="2026-12")
        desk.see(0.5, bucket="2026-12")
        await until(lambda: len(desk.told) == 3)

    await running(desk, story)
    assert [(one["threshold"], one["period"]) for one in desk.told] == [
        (0.5, "2026-11"),
        (0.8, "2026-11"),
        (0.5, "2026-12"),
    ]
    first = desk.told[1]
    assert (first["budget"], first["of"], first["limit_usd"], first["refusing"]) == ("small", "ci", "10", False)


async def test_a_message_is_signed_as_standard_webhooks_are(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream, secret="tell nobody")  # of this test
    upstream.handler = lambda _: [Reply(200)]

    async def story() -> None:
        desk.see(0.8)
        await until(lambda: len(upstream.requests) == 1)

    await running(desk, story)
    request = upstream.requests[0]
    headers = {name.lower(): value for name, value in request.headers}
    assert (request.method, request.path) == ("POST", "/hooks/T1?x=2")
    assert headers["content-type"] == "application/json"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{request.body.decode()}".encode()
    digest = base64.b64encode(hmac.new(b"tell nobody", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    body = json.loads(request.body)
    assert body["type"] == "budget.threshold"
    assert body["timestamp"].endswith("Z")


def test_a_signature_is_that_of_the_specification() -> None:
    # The example of Standard Webhooks' own libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # published
    payload = '{"test": 2432232314}'
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", payload)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_is_only_borrowed_is_not_told(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.handler = lambda _: [Reply(200)]

    async def story() -> None:
        desk.see(0.9)
        desk.used = 0.1
        await until(lambda: len(desk.asked) == 1)
        # Looked at again only after a while.
        desk.alerts.see([gauge(0.9)])
        await asyncio.sleep(0)
        assert desk.asked == [(MONTH, ("2026-11",))]
        desk.see(0.9)
        await until(lambda: len(desk.told) == 1)

    await running(desk, story)
    assert [(one["threshold"], one["used_usd"]) for one in desk.told] == [(0.8, "9")]


async def test_a_refused_call_tells_that_the_budget_is_used_up(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.handler = lambda _: [Reply(200)]

    async def story() -> None:
        desk.see(0.97, refused=True)
        await until(lambda: len(desk.told) == 1)

    await running(desk, story)
    assert [(one["threshold"], one["used_usd"], one["refusing"]) for one in desk.told] == [(1.0, "9.7", True)]


async def test_a_rolling_budget_is_told_again_after_it_has_sunk(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.handler = lambda _: [Reply(200)]
    rolling = {"series": "small||usd|30day", "bucket": "700"}

    async def story() -> None:
        for count, used in enumerate((0.85, 0.6, 0.85), 1):
            desk.see(used, **rolling)
            if used > 0.8:
                await until(lambda n=(count + 1) // 2: len(desk.told) == n)  # type: ignore[misc]  # bound at once

    await running(desk, story)
    assert [one["threshold"] for one in desk.told] == [0.8, 0.8]
    assert len(desk.asked[0][1]) == 61
    assert desk.asked[0][1][0] == "700"


async def test_what_is_not_delivered_is_tried_again_with_the_same_id(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.script(Reply(500), Reply(302, (("location", "/other"),)), Reply(200))

    async def story() -> None:
        desk.see(0.5)
        for tries in (1, 2):
            await until(lambda n=tries: waiting(desk) == [n])  # type: ignore[misc]  # bound at once
            desk.clock += 60_000
            desk.alerts._news.set()
        await until(lambda: len(upstream.requests) == 3 and not waiting(desk))

    await running(desk, story)
    assert len({dict(request.headers)["webhook-id"] for request in upstream.requests}) == 1


async def test_what_is_never_taken_is_given_up_without_a_word_of_the_address(
    tmp_path: Path, upstream: Upstream
) -> None:
    desk = Desk(tmp_path, upstream, secret="tell nobody")  # of this test
    upstream.handler = lambda _: [Reply(500)]

    async def story() -> None:
        desk.see(0.5)
        for n in range(1, 4):
            await until(lambda n=n: len(upstream.requests) == n)  # type: ignore[misc]  # bound at once
            desk.clock += 60_000
            desk.alerts._news.set()
        await until(lambda: waiting(desk) == [])

    with structlog.testing.capture_logs() as logs:
        await running(desk, story)
    assert [line["event"] for line in logs] == ["alert_not_delivered"] * 2 + ["alert_given_up"]
    assert "hooks" not in str(logs)
    assert "tell nobody" not in str(logs)
    assert str(upstream.port) not in str(logs)


async def test_a_restart_neither_repeats_nor_forgets(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.script(Reply(503))

    async def first() -> None:
        desk.see(0.5)
        await until(lambda: len(upstream.requests) == 1)
        await until(lambda: waiting(desk) == [1])

    await running(desk, first)
    upstream.handler = lambda _: [Reply(200)]
    desk.clock += 60_000
    desk.transport = LeanTransport()
    desk.alerts = desk.open()

    async def second() -> None:
        await until(lambda: len(upstream.requests) == 2)
        desk.see(0.6)
        desk.see(0.8)
        await until(lambda: len(upstream.requests) == 3)

    await running(desk, second)
    assert [one["threshold"] for one in desk.told] == [0.5, 0.5, 0.8]


async def test_nobody_waits_for_a_receiver_that_is_not_there_nor_for_a_database(
    tmp_path: Path, upstream: Upstream
) -> None:
    desk = Desk(tmp_path, upstream)
    upstream.stop()
    failing = True

    def spent(series: str, buckets: tuple[str, ...]) -> Balances:
        if failing:
            raise RuntimeError("postgresql://user:secret@db is gone")
        return {("2026-11", "w1"): 9 * USD}

    desk.alerts._spent = spent

    async def story() -> None:
        nonlocal failing
        desk.see(0.9)
        await until(lambda: not desk.alerts._due)
        failing = False
        desk.see(0.9)
        await until(lambda: waiting(desk) == [1])

    with structlog.testing.capture_logs() as logs:
        await running(desk, story)
    assert [line["event"] for line in logs][:2] == ["alert_waits_for_database", "alert_not_delivered"]
    assert "secret" not in str(logs)


async def test_without_a_webhook_nothing_is_looked_up(tmp_path: Path, upstream: Upstream) -> None:
    desk = Desk(tmp_path, upstream)
    desk.alerts.config = AlertsConfig()
    desk.see(1.0, refused=True)
    desk.alerts.see([Gauge("all||requests|1minute", "5", "requests", 10, 10, 0.0, False, True)])
    assert not desk.alerts._due
    assert not desk.asked
    await desk.transport.aclose()


async def test_damaged_notes_of_what_was_told_are_no_reason_to_stop(tmp_path: Path, upstream: Upstream) -> None:
    (tmp_path / "alerts.json").write_text("{")
    desk = Desk(tmp_path, upstream)
    upstream.handler = lambda _: [Reply(200)]

    async def story() -> None:
        desk.see(0.5)
        await until(lambda: len(desk.told) == 1)

    await running(desk, story)


def test_thresholds_are_written_as_parts_or_per_cent() -> None:
    assert AlertsConfig(at=["50%", 0.9]).at == (0.5, 0.9)  # type: ignore[arg-type]  # as people write it
    for wrong in (["150%"], [], [0], ["half"]):
        with pytest.raises(ValidationError):
            AlertsConfig(at=wrong)  # type: ignore[arg-type]  # as people write it
    with pytest.raises(ValidationError):
        AlertsConfig(webhook="not a url")  # type: ignore[arg-type]  # as people write it
