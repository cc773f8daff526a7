"""What an Anthropic error means: its envelope, status and wording turned into one class of the tree.

* ``invalid_request_error`` 400 and 422: ``UpstreamRefused`` in the upstream's words; ``ContextOverflow`` when
  the prompt is too long; ``ContentFiltered`` when a filter blocked it; ``UpstreamCredential`` when the
  account is out of credit.
* 401, 402, 403: ``UpstreamCredential``; nothing of the upstream's text is passed on.
* 404: ``UpstreamFailed``, for the model or the address is configured wrongly; only a missing file, container
  or skill is the caller's (``UpstreamRefused`` 404).
* ``request_too_large`` 413: ``UpstreamRefused`` 413.
* 429: ``UpstreamRateLimited`` with ``retry_after``.
* ``overloaded_error`` 529, and 503: ``UpstreamFailed`` shown as 503, ask again shortly.
* ``timeout_error`` 504, and 408: ``UpstreamFailed`` shown as 504.
* ``api_error`` 500, and any other 5xx: ``UpstreamFailed`` shown as 502.

The same table serves errors that arrive under a status of 200, inside a stream or a body: the ``type`` then
stands in for the status. Text of the upstream that is passed on loses keys, addresses and account ids first.
"""

import email.utils
import math
import re
from collections.abc import Sequence

import msgspec

from mainstay.core import errors
from mainstay.core.clock import wall_ms
from mainstay.providers.anthropic.wire import UNREADABLE, WireFault

__all__ = ["broken", "classify", "fault_of", "redact", "retry_after"]

Headers = Sequence[tuple[bytes, bytes]]

_MESSAGE_LIMIT = 2000

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_OVERFLOW = re.compile(
    r"(prompt|input) is too long|input length and .?max_tokens.? exceed"
    r"|exceeds? (the |this )?(model'?s? )?(maximum )?context (window|length|limit)",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"blocked by (our |the )?content filter", re.IGNORECASE)
_ACCOUNT = re.compile(r"credit balance is too low|reached your specified API usage limits", re.IGNORECASE)
_CALLERS_THING = re.compile(r"\b(file|container|skill)", re.IGNORECASE)

_KEY = re.compile(r"\b(?:sk|ms|pk|rk)-[A-Za-z0-9_-]{6,}|\bBearer\s+\S+", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>)\]]+", re.IGNORECASE)
_HOST = re.compile(
    r"\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|ai|dev|app|cloud|local|internal|lan|corp|svc)\b(?::\d+)?"
    r"|\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\blocalhost(?::\d+)?\b",
    re.IGNORECASE,
)
_ACCOUNT_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

_fault = msgspec.json.Decoder(WireFault)
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fault_of(body: bytes) -> WireFault | None:
    """Return the ``error`` object of an envelope, or None when ``body`` is not one."""
    try:
        return _fault.decode(_envelope.decode(body)["error"])
    except (*UNREADABLE, KeyError):
        return None


def classify(status: int | None, fault: WireFault | None, headers: Headers = ()) -> errors.MainstayError:
    """Return the error for ``fault`` under ``status``; a status of None means it came under a 200."""
    kind = fault.type if fault is not None else None
    code = _STATUS.get(kind or "", status or 500)
    if status is not None and (status // 100 != code // 100 or kind == "invalid_request_error"):
        # A front of the upstream's may answer for it: the status line is what was meant.
        code = status
    text = redact(fault.message) if fault is not None and fault.message else ""
    if code in (401, 402, 403) or _ACCOUNT.search(text):
        return errors.UpstreamCredential(
            f"The upstream refused Mainstay's credential ({code}); the operator must check the provider's"
            " api_key and account."
        )
    if code == 404 and not _CALLERS_THING.search(text):
        return errors.UpstreamFailed(
            "The upstream does not know the model or path it was asked for; the operator must check the"
            " model's name and the provider's base_url."
        )
    if code == 429:
        return errors.UpstreamRateLimited(
            text or "The upstream limits the rate; ask again later.", retry_after=retry_after(headers)
        )
    if code in (408, 504):
        return errors.UpstreamFailed("The upstream ran out of time; ask again.", status=504)
    if code in (503, 529):
        return errors.UpstreamFailed(
            "The upstream is overloaded; ask again shortly.", status=503, retry_after=retry_after(headers)
        )
    if code >= 500:
        return errors.UpstreamFailed("The upstream failed; ask again.")
    return _refusal(code, text)


def _refusal(code: int, text: str) -> errors.MainstayError:
    if _OVERFLOW.search(text):
        return errors.ContextOverflow(text, param="messages")
    if _FILTERED.search(text):
        return errors.ContentFiltered(text)
    return errors.UpstreamRefused(
        text or f"The upstream refused the request ({code}) without saying why; check its fields.",
        status=code,
    )


def broken(what: str) -> errors.UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return errors.UpstreamBroken(f"The upstream sent {what}; ask again.")


def redact(text: str) -> str:
    """Return an upstream's text without keys, addresses and account ids, on one line and bounded.

    Pages of documentation stay: their addresses help the caller and give nothing away.
    """
    text = _CONTROL.sub(" ", text)
    if len(text) > _MESSAGE_LIMIT:
        text = text[:_MESSAGE_LIMIT] + "…"
    kept: list[str] = []

    def address(match: re.Match[str]) -> str:
        if "/docs" in match[0] or "://docs." in match[0]:
            kept.append(match[0])
            return f"\x00{len(kept) - 1}\x00"
        return "[address]"

    text = _KEY.sub("[key]", text)
    text = _URL.sub(address, text)
    text = _HOST.sub("[address]", text)
    text = _ACCOUNT_ID.sub("[id]", text)
    for position, url in enumerate(kept):
        text = text.replace(f"\x00{position}\x00", url)
    return text.strip()


def retry_after(headers: Headers) -> float | None:
    """Return the seconds that ``retry-after-ms`` or ``retry-after`` ask for, or None (RFC 9110, section 10.2.3)."""
    found = {name.lower(): value for name, value in headers if name.lower().startswith(b"retry-after")}
    for name, scale in ((b"retry-after-ms", 0.001), (b"retry-after", 1.0)):
        if name not in found:
            continue
        value = found[name].decode("latin-1").strip()
        try:
            seconds = float(value) * scale
        except ValueError:
            seconds = _until(value)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _until(date: str) -> float:
    try:
        then = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return max(0.0, then.timestamp() - wall_ms() / 1000)
