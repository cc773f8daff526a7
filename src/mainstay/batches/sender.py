"""One row of a batch, asked over the gateway's own port as its key would ask: again and later where that makes sense.

So every rule that holds for a call (routes of the key, guards, limits, the record) holds for a row, and workers know
nothing of batches. The request carries a pass (see ``identity.keys``), never a key, and the class ``sheddable``.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

import msgspec

from mainstay.batches.config import BatchesConfig
from mainstay.batches.lines import Row, write_answer, write_fault
from mainstay.core.clock import monotonic
from mainstay.core.errors import UpstreamError
from mainstay.core.ports import Incoming, Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.identity.keys import mint_pass

__all__ = ["Result", "Sender"]

#: Statuses of an answer that says: not now. They are no failure of the row.
_BUSY = (429, 503)
_FAILED = (500, 502, 504, 529)
#: Codes of a 429 that asking later does not change.
_FINAL = frozenset(("insufficient_quota", "budget_exceeded"))
#: Seconds: the first wait, the longest, and the most that an answer's own advice counts for.
_FIRST, _LONGEST, _ADVISED = 0.5, 60.0, 600.0
#: Times that nobody answered: a gateway comes back within seconds, so the row itself may be what ends its workers.
_MOST_LOST = 10
_MOST = 256 * 1024 * 1024
#: Seconds that a pass outlives the attempt it is made for.
_SLACK = 30


class Result(msgspec.Struct, frozen=True):
    """What came of a row: its line for the file of answers, or of errors."""

    line: bytes
    good: bool


class _Said(msgspec.Struct, gc=False):
    code: str | int | None = None


class _Envelope(msgspec.Struct, gc=False):
    error: _Said | str | None = None


_envelope = msgspec.json.Decoder(_Envelope)


class Sender:
    """Asks rows.

    Args:
        transport: sends them.
        origin: returns where the gateway listens, None while it is not up.
        pepper: what passes are sealed with.
        rules: attempts, patience and the rows at a time.
    """

    def __init__(
        self, transport: Transport, origin: Callable[[], Origin | None], pepper: bytes, rules: BatchesConfig
    ) -> None:
        self._transport = transport
        self._origin = origin
        self._pepper = pepper
        self._rules = rules
        self._room = asyncio.Semaphore(rules.concurrency)
        seconds = rules.timeout
        self._timeouts = Timeouts(connect=10.0, headers=seconds, first_token=seconds, idle=seconds, total=seconds)

    async def ask(self, row: Row, key: str, halt: asyncio.Event) -> Result | None:
        """Return what came of ``row``, asked for the key with the id ``key``; None when ``halt`` came before an answer.

        An answer under way is waited for, also when ``halt`` comes.
        """
        began = monotonic()
        attempts, lost, wait = 0, 0, _FIRST
        while not halt.is_set():
            async with self._room:
                if halt.is_set():
                    return None
                status, request_id, body, advice = await self._attempt(row, key)
            busy = status in (0, *_BUSY) and not (status == 429 and _code(body) in _FINAL)
            attempts += not busy
            lost += status == 0
            patient = lost < _MOST_LOST and monotonic() - began < self._rules.patience
            later = patient if busy else attempts < self._rules.attempts
            if not later or (not busy and status not in _FAILED):
                return _result(row, status, request_id, body)
            # Drawn, so that rows refused together do not come back together.
            pause = max(min(advice, _ADVISED), wait * random.uniform(0.5, 1.0))  # noqa: S311  # spreads load, no secret
            wait = min(wait * 2, _LONGEST)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(halt.wait(), pause)
        return None

    async def _attempt(self, row: Row, key: str) -> tuple[int, str, bytes, float]:
        """Return status, request id, body and the seconds to wait; the status is 0 where nobody answered."""
        origin = self._origin()
        if origin is None:
            return 0, "", b"", 0.0
        until = int(time.time() + self._rules.timeout) + _SLACK
        headers = (
            (b"authorization", b"Bearer " + mint_pass(self._pepper, key, until)),
            (b"content-type", b"application/json"),
            (b"x-mainstay-priority", b"sheddable"),
        )
        request = Outgoing(b"POST", row.url.encode(), headers, bytes(row.body))
        answer: Incoming | None = None
        try:
            answer = await self._transport.send(origin, request, self._timeouts)
            body = await answer.read(_MOST)
        except UpstreamError as error:
            # Cut off, the gateway may have been stopped; too slow or too long, the row itself is at fault.
            return (504 if error.status == 504 else 0), "", b"", 0.0
        finally:
            if answer is not None:
                answer.close()
        given = dict(answer.headers)
        advice = given.get(b"retry-after", b"")
        seconds = float(advice) if advice.isdigit() else 0.0
        return answer.status, given.get(b"x-request-id", b"").decode("latin-1"), body, seconds


def _code(body: bytes) -> str:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        error = _envelope.decode(body).error
        return str(error.code) if isinstance(error, _Said) else ""
    return ""


def _result(row: Row, status: int, request_id: str, body: bytes) -> Result:
    if not body:
        code, why = ("timeout", "took too long") if status == 504 else ("unavailable", "could not be reached")
        return Result(write_fault(row.custom_id, code, f"The gateway {why}; ask this request again."), good=False)
    try:
        return Result(write_answer(row.custom_id, status, request_id, body), good=200 <= status < 300)
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = "The answer was no JSON; only such answers fit into a batch."
        return Result(write_fault(row.custom_id, "invalid_answer", message), good=False)
