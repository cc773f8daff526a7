"""OpenAI's errors: an upstream's understood, a caller's written.

What an upstream's failure means follows one table. "Operator" is a fault of our set-up, which the caller can do
nothing about: it is a 502 here, and the upstream's words, which may name our key or account, stay inside.

==============================  =====================  =======================================
the upstream says               becomes                the caller sees
==============================  =====================  =======================================
context too long, by code/words ContextOverflow        400, the upstream's words
content filter, by code         ContentFiltered        400, its words and categories
401, 402, 403, spent quota      UpstreamCredential     502, our words (operator)
404                             UpstreamFailed         502 ``upstream_not_found`` (operator)
429                             UpstreamRateLimited    429 with ``retry-after``
408, 409, 5xx                   UpstreamFailed         502, our words
any other 4xx                   UpstreamRefused        its status, words, ``param`` and ``code``
==============================  =====================  =======================================

Words are passed on after :func:`redact`. An error under a status of 200, or in a stream, is read the same way, by the
status its own code or type stands for.
"""

import math
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from mainstay.core.clock import wall_ms
from mainstay.core.errors import (
    ContentFiltered,
    ContextOverflow,
    MainstayError,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
)

__all__ = ["classify", "classify_inner", "redact", "render", "retry_after"]

_MAX_WORDS = 1000
_CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"})
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context (?:length|window|size)[^.]{0,40}exceed"
    r"|exceeds?[^.]{0,40}context (?:length|window|size)"
    r"|longer than the model's context|too large for model with \d+ maximum|maximum prompt length",
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "moderation_blocked",
        "data_inspection_failed",
    }
)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
#: What an error's own code or type says when no HTTP status does.
_STATUS_OF = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "badrequest": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "authenticationerror": 401,
    "permission_error": 403,
    "notfounderror": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "ratelimiterror": 429,
    "tokens": 429,
    "requests": 429,
    "overloaded_error": 503,
    "service_unavailable": 503,
    "unavailable_error": 503,
    "timeout_error": 504,
}

_SECRET = re.compile(
    r"(?:bearer\s+\S+)"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|ms|key|org|proj)[-_](?=[A-Za-z0-9_*\-]*[0-9*])[A-Za-z0-9_*\-]{6,}"
    r"|\bAIza[A-Za-z0-9_\-]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|\b(?=[A-Za-z0-9_\-]*[0-9])(?=[A-Za-z0-9_\-]*[A-Za-z])[A-Za-z0-9_\-]{32,}",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b[a-z][a-z0-9+.\-]*://[^\s\"'<>)]+"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\blocalhost(?::\d+)?\b"
    r"|\b(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+(?:com|net|org|io|ai|dev|cloud|app|local|internal|lan|svc)\b(?::\d+)?"
    r"|(?<![\w.])/(?:usr|home|root|opt|var|app|tmp|srv|mnt|data|workspace|etc)/[^\s\"']+",
    re.IGNORECASE,
)


class _Fault(msgspec.Struct):
    message: str = ""
    type: str = ""
    param: str | None = None
    code: str = ""
    #: The error's own HTTP status, or 0.
    status: int = 0
    fields: dict[str, Any] = {}


def classify(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
    """Return the error that a response with ``status`` >= 400 means."""
    return _judge(status, headers, _read_fault(body))


def classify_inner(body: bytes) -> MainstayError:
    """Return the error that a body under a status of 200, or one event of a stream, holds."""
    fault = _read_fault(body)
    status = fault.status or next(
        (_STATUS_OF[word] for word in (fault.code.lower(), fault.type.lower()) if word in _STATUS_OF), 500
    )
    return _judge(status, (), fault)


def render(error: MainstayError) -> bytes:
    """Return OpenAI's error envelope; the official SDKs expect all four keys, null for what is not known."""
    fields: dict[str, Any] = {
        **(error.extra or {}),
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    return msgspec.json.encode({"error": fields})


def redact(words: str) -> str:
    """Return an upstream's words without what looks like a key, an address or a path, on one line, cut at a length."""
    if "Traceback (most recent call last)" in words:
        return ""
    words = _PLACE.sub("[address]", _SECRET.sub("[secret]", words))
    words = " ".join(words.split())
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def retry_after(headers: Sequence[tuple[bytes, bytes]]) -> float | None:
    """Return the seconds that ``retry-after-ms`` or ``retry-after`` (seconds or a date) ask to wait, or None."""
    given = {name.lower(): value for name, value in headers if name.lower() in (b"retry-after", b"retry-after-ms")}
    wait = _number(given.get(b"retry-after-ms"))
    if wait is not None:
        return wait / 1000
    value = given.get(b"retry-after")
    wait = _number(value)
    if wait is not None or value is None:
        return wait
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
        return max(0.0, date.timestamp() - wall_ms() / 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(value: bytes | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _judge(status: int, headers: Sequence[tuple[bytes, bytes]], fault: _Fault) -> MainstayError:
    code, kind = fault.code.lower(), fault.type.lower()
    words = redact(fault.message)
    client = 400 <= status < 500 and status not in (401, 402, 404, 408, 409, 429)
    if _CONTEXT_CODES & {code, kind} or (client and _CONTEXT_WORDS.search(fault.message)):
        return ContextOverflow(words or "The prompt is too long for the model; shorten it.", param=fault.param)
    inner = fault.fields.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    if _FILTER_CODES & {code, kind, str(inner.get("code", "")).lower()}:
        found = fault.fields.get("content_filter_results") or fault.fields.get("content_filter_result")
        found = found or inner.get("content_filter_results") or inner.get("content_filter_result")
        return ContentFiltered(
            words or "The upstream's content filter refused the request; change the prompt.",
            param=fault.param,
            code="content_policy_violation" if code == "content_policy_violation" else None,
            extra={"content_filter_results": found} if found else None,
        )
    if status in (401, 402, 403) or _QUOTA_CODES & {code, kind}:
        return UpstreamCredential("The upstream refused the gateway's credential; ask the operator to check it.")
    if status == 429:
        return UpstreamRateLimited("The upstream limits the rate; try again later.", retry_after=retry_after(headers))
    if status == 404:
        return UpstreamFailed(
            "The upstream does not know this model or path; ask the operator to check the model's name.",
            code="upstream_not_found",
        )
    if status in (408, 409) or status >= 500:
        return UpstreamFailed(f"The upstream failed with status {status}; try again.", retry_after=retry_after(headers))
    return UpstreamRefused(
        words or "The upstream refused the request; check its fields.",
        param=fault.param,
        code=redact(fault.code) or None,
        status=status,
    )


def _read_fault(body: bytes) -> _Fault:
    """Read the shapes seen: OpenAI's, an ``error`` that is a string, vLLM's flat object, FastAPI's ``detail``."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Fault()
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return _Fault()
    fields = data.get("error") or data.get("detail") or data
    if isinstance(fields, str):
        return _Fault(fields, str(data.get("error_type") or ""))
    if isinstance(fields, list):
        return _read_details(fields)
    if not isinstance(fields, dict):
        return _Fault()
    message = fields.get("message")
    code = fields.get("code")
    status = next(filter(None, map(_status, (code, fields.get("status"), data.get("code")))), 0)
    param = fields.get("param")
    return _Fault(
        message if isinstance(message, str) else "",
        str(fields.get("type") or ""),
        redact(param) or None if isinstance(param, str) else None,
        code if isinstance(code, str) and not code.isdigit() else "",
        status,
        fields,
    )


def _status(value: object) -> int:
    """Return ``value`` if it is the number of an HTTP error, also as text, else 0."""
    if isinstance(value, str) and len(value) == 3 and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


def _read_details(details: list[Any]) -> _Fault:
    first = details[0] if details and isinstance(details[0], dict) else {}
    place = first.get("loc")
    path = ""
    for step in place if isinstance(place, list) else ():
        if step != "body":
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    words = first.get("msg")
    return _Fault(words if isinstance(words, str) else "", param=path or None)
