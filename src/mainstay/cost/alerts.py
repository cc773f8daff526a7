"""Tells somewhere else that a budget is nearly or wholly used: one message for each period and threshold, signed.

Sees how accounts stand a few times a second and never waits: what is due is looked up in the books by a thread, since
what workers have only borrowed is not used yet, and is sent by a task that tries again for hours. What was told and
what is still to be told stand in a file, so that a restart neither repeats nor forgets. Messages are signed as
Standard Webhooks (https://www.standardwebhooks.com) has it.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog

from mainstay.core.clock import wall_ms
from mainstay.core.errors import MainstayError
from mainstay.core.ids import uuid7
from mainstay.core.ports import Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.cost.account import Balances
from mainstay.cost.amounts import dollars
from mainstay.cost.bank import Gauge
from mainstay.cost.config import AlertsConfig
from mainstay.cost.rules import Unit
from mainstay.cost.windows import Window
from mainstay.store.files import write_atomic

__all__ = ["DELAYS", "Alerts", "signature"]

_log = structlog.get_logger("mainstay.ledger")
#: Seconds before a message is tried again.
DELAYS: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 10800.0, 21600.0)
_TIMEOUTS: Final = Timeouts(connect=5.0, headers=15.0, first_token=15.0, idle=5.0, total=20.0)
_ANSWER: Final = 64 * 1024
#: Milliseconds between two looks at the books for one account that is not as far as its borrowed amounts say.
_LOOK: Final = 3000
_PIECES: Final = Window("day", rolling=True).pieces
#: Members that are remembered; of more, the first are forgotten.
_MOST: Final = 10_000


class _Told(msgspec.Struct):
    """How far an account was told to be, in which period; a rolling one has no period."""

    period: str
    at: float


class _Message(msgspec.Struct):
    id: str
    body: str
    tries: int = 0
    #: Wall-clock ms before which it is not tried.
    due: int = 0


class _Kept(msgspec.Struct):
    told: dict[str, _Told] = {}
    waiting: list[_Message] = []


class Alerts:
    """Sends alerts of one home.

    Args:
        config: where to, and at which thresholds.
        file: what was told is kept there.
        spent: what was spent of a series in these buckets; may take long, is called in a thread and may raise.
        transport: sends requests.
        delays: seconds before each further try; after the last, a message is given up.
    """

    def __init__(
        self,
        config: AlertsConfig,
        file: Path,
        spent: Callable[[str, tuple[str, ...]], Balances],
        transport: Transport,
        *,
        delays: Sequence[float] = DELAYS,
        now: Callable[[], int] = wall_ms,
    ) -> None:
        self.config = config
        self._file = file
        self._spent = spent
        self._transport = transport
        self._delays = delays
        self._now = now
        self._kept: _Kept | None = None
        #: What may be due, by series, and when it was last looked up.
        self._due: dict[str, Gauge] = {}
        self._looked: dict[str, int] = {}
        self._news = asyncio.Event()

    def see(self, gauges: Sequence[Gauge]) -> None:
        """Take note of how accounts stand; returns at once."""
        if self.config.webhook is None:
            return
        kept = self._known()
        now = self._now()
        for gauge in gauges:
            if gauge.unit != Unit.USD or gauge.limit <= 0:
                continue
            reached = self._reached(gauge.used, gauge)
            told = kept.told.get(gauge.series)
            if told is not None and _rolls(gauge) and reached < told.at:
                # It has sunk below; when it rises again, that is news.
                told.at = reached
            if reached > _told_at(told, gauge) and now - self._looked.get(gauge.series, -_LOOK) >= _LOOK:
                self._looked[gauge.series] = now
                self._due[gauge.series] = gauge
                self._news.set()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        while True:
            kept = self._known()
            wait = min((message.due for message in kept.waiting), default=None)
            timeout = None if wait is None else max(0.0, (wait - self._now()) / 1000)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout)
            self._news.clear()
            while self._due:
                await self._confirm(self._due.pop(next(iter(self._due))))
            for message in [one for one in kept.waiting if one.due <= self._now()]:
                await self._try(message)

    async def _confirm(self, gauge: Gauge) -> None:
        """Make a message of what has really been used, if that is news."""
        kept = self._known()
        buckets: tuple[str, ...] = (gauge.bucket,)
        if _rolls(gauge):
            buckets = tuple(str(int(gauge.bucket) - back) for back in range(_PIECES))
        try:
            used = sum((await asyncio.to_thread(self._spent, gauge.series, buckets)).values())
        except Exception as error:  # noqa: BLE001  # a database fails in its driver's own ways; it is asked again soon
            _log.warning("alert_waits_for_database", error=type(error).__name__)
            return
        reached = self._reached(used, gauge)
        if reached <= _told_at(kept.told.get(gauge.series), gauge):
            return
        kept.told[gauge.series] = _Told("" if _rolls(gauge) else gauge.bucket, reached)
        while len(kept.told) > _MOST:
            del kept.told[next(iter(kept.told))]
        kept.waiting.append(_Message(f"msg_{uuid7()}", _body(gauge, used, reached, self._now())))
        await self._keep()

    async def _try(self, message: _Message) -> None:
        """Send a message; it waits for its next turn, or is dropped after the last."""
        reason = await self._send(message)
        kept = self._known()
        if not reason:
            kept.waiting.remove(message)
        elif message.tries >= len(self._delays) or reason == "410":
            kept.waiting.remove(message)
            _log.error("alert_given_up", id=message.id, tries=message.tries + 1, reason=reason)
        else:
            message.due = self._now() + round(self._delays[message.tries] * 1000)
            message.tries += 1
            _log.warning("alert_not_delivered", id=message.id, tries=message.tries, reason=reason)
        await self._keep()

    async def _send(self, message: _Message) -> str:
        """Return why it could not be delivered, or "". Neither address nor secret is ever said."""
        webhook, secret = self.config.webhook, self.config.secret
        if webhook is None:
            return ""
        parts = urlsplit(webhook.get_secret_value())
        tls = parts.scheme == "https"
        origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
        stamp, body = str(self._now() // 1000), message.body.encode()
        headers = [(b"content-type", b"application/json"), (b"user-agent", b"mainstay")]
        headers += [(b"webhook-id", message.id.encode()), (b"webhook-timestamp", stamp.encode())]
        if secret is not None:
            signed = signature(secret.get_secret_value(), message.id, stamp, message.body)
            headers.append((b"webhook-signature", signed.encode()))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = await self._transport.send(
                origin, Outgoing(b"POST", target.encode(), tuple(headers), body), _TIMEOUTS
            )
            try:
                await answer.read(_ANSWER)
            finally:
                answer.close()
        except MainstayError as error:
            return error.code
        return "" if 200 <= answer.status < 300 else str(answer.status)

    def _reached(self, used: int, gauge: Gauge) -> float:
        """Return the highest threshold that is reached, 0 for none; one that refuses calls is used up."""
        share = used / gauge.limit
        if gauge.refused:
            share = max(share, 1.0)
        return max((at for at in self.config.at if share >= at), default=0.0)

    def _known(self) -> _Kept:
        if self._kept is None:
            self._kept = _Kept()
            with suppress(OSError, msgspec.DecodeError):
                self._kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        return self._kept

    async def _keep(self) -> None:
        data = msgspec.json.encode(self._known())
        try:
            await asyncio.to_thread(write_atomic, self._file, data)
        except OSError as error:
            _log.warning("alerts_cannot_be_kept", reason=type(error).__name__)


def signature(secret: str, message: str, stamp: str, body: str) -> str:
    """Return the ``webhook-signature`` of a message; ``secret`` is text, or base64 after ``whsec_``."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        with suppress(binascii.Error, ValueError):
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    digest = hmac.new(key, f"{message}.{stamp}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _told_at(told: _Told | None, gauge: Gauge) -> float:
    if told is None or (not _rolls(gauge) and told.period != gauge.bucket):
        return 0.0
    return told.at


def _rolls(gauge: Gauge) -> bool:
    # The name of a rolling window begins with how many periods it has.
    return gauge.series.rpartition("|")[2][:1].isdigit()


def _body(gauge: Gauge, used: int, reached: float, now: int) -> str:
    name, member, *_ = gauge.series.split("|")
    data: dict[str, Any] = {"budget": name, "of": member, "period": gauge.bucket, "threshold": reached}
    data |= {"used_usd": dollars(used), "limit_usd": dollars(gauge.limit), "refusing": gauge.refused}
    at = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": "budget.threshold", "timestamp": at, "data": data}).decode()
