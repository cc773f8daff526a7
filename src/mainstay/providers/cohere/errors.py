"""Cohere's errors: a ``message`` beside the status, or the reason for which a stream ended.

Statuses mean what they mean on the other wires, but for 498 (an invalid token) and 499 (cancelled at the upstream).
"""

import re
from collections.abc import Sequence

import msgspec

from mainstay.core import errors
from mainstay.providers.anthropic.errors import classify as classify_status
from mainstay.providers.anthropic.errors import redact
from mainstay.providers.anthropic.wire import WireFault
from mainstay.providers.wire import UNREADABLE, mend

__all__ = ["classify", "fault_of", "gave_up"]

Headers = Sequence[tuple[bytes, bytes]]

_STATUS = {498: 401, 499: 408}
_CONTEXT = re.compile(r"too many tokens|maximum (?:number of )?tokens|token limit exceeded", re.IGNORECASE)


class _Fault(msgspec.Struct, gc=False):
    message: str | None = None
    error: str | None = None


_fault = msgspec.json.Decoder(_Fault)


def classify(status: int, headers: Headers, body: bytes) -> errors.MainstayError:
    """Return the error that a response with ``status`` >= 400 means."""
    words = _words(body)
    if status in (400, 413, 422) and _CONTEXT.search(words):
        return errors.ContextOverflow(redact(words), param="messages")
    return classify_status(_STATUS.get(status, status), WireFault(message=words), headers)


def fault_of(body: bytes) -> errors.MainstayError | None:
    """Return the error that a body under a status of 200 holds, or None when it holds none."""
    words = _words(body)
    return classify(500, (), body) if words else None


def gave_up(word: str, message: str | None) -> errors.MainstayError | None:
    """Return the error that a ``finish_reason`` is, or None for one that ends an answer."""
    if word == "TIMEOUT":
        return errors.UpstreamFailed(
            "The upstream ran out of time; ask again.", status=504, code="upstream_request_timeout"
        )
    if word == "ERROR" or (message and not word):
        if message and _CONTEXT.search(message):
            return errors.ContextOverflow(redact(message), param="messages")
        return errors.UpstreamFailed("The upstream failed; ask again.")
    return None


def _words(body: bytes) -> str:
    try:
        fault = _fault.decode(mend(body))
    except UNREADABLE:
        return ""
    return fault.message or fault.error or ""
