"""What the errors of every vendor have in common: their words, and when they say to ask again.

Each wire's codec draws up its own error; servers of one wire also speak the words of the other, so both look here.
Nothing here knows a class of the tree.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mainstay.core.clock import wall_ms

__all__ = [
    "CONTEXT_CODES",
    "CONTEXT_WORDS",
    "FILTER_CODES",
    "FILTER_WORDS",
    "QUOTA_CODES",
    "QUOTA_WORDS",
    "error_status",
    "named_status",
    "retry_after",
    "should_retry",
]

Headers = Sequence[tuple[bytes, bytes]]

#: Longest wait that is believed, in seconds.
_LONGEST = 3600.0

CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "context_window_exceeded"})
CONTEXT_WORDS = re.compile(
    r"maximum context length|context (?:length|window|size)[^.]{0,40}exceed"
    r"|exceeds?[^.]{0,40}context (?:length|window|size|limit)"
    r"|longer than the model's context|too large for model with \d+ maximum|maximum prompt length"
    r"|(?:prompt|input) is too long",
    re.IGNORECASE,
)
FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "moderation_blocked",
        "data_inspection_failed",
    }
)
FILTER_WORDS = re.compile(r"blocked by (?:our |the )?content filter", re.IGNORECASE)
QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_credits"}
)
QUOTA_WORDS = re.compile(r"credit balance is too low|reached your specified API usage limits", re.IGNORECASE)

#: What an error's own code or type says when no HTTP status does.
_STATUS_OF = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "badrequest": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "authenticationerror": 401,
    "billing_error": 402,
    "insufficient_credits": 402,
    "permission_error": 403,
    "notfounderror": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "ratelimiterror": 429,
    "too_many_requests": 429,
    "tokens": 429,
    "requests": 429,
    "api_error": 500,
    "server_error": 500,
    "service_unavailable": 503,
    "unavailable_error": 503,
    "timeout_error": 504,
    "overloaded_error": 529,
}

#: A duration as Go writes it: ``1h2m3.5s``, ``20ms``.
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+")
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_REMAINING = re.compile(rb"(?:x-ratelimit-remaining-(?P<limit>.+)|anthropic-ratelimit-(?P<kind>.+)-remaining)")


def named_status(*words: str) -> int:
    """Return the HTTP status that the first known of ``words`` stands for, or 0."""
    return next((_STATUS_OF[word] for word in map(str.lower, words) if word in _STATUS_OF), 0)


def error_status(value: object) -> int:
    """Return ``value`` if it is the number of an HTTP error, also as text, else 0."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


def should_retry(headers: Headers) -> bool | None:
    """Return what ``x-should-retry`` says, or None when it says nothing."""
    for name, value in headers:
        if name.lower() == b"x-should-retry":
            return {b"true": True, b"false": False}.get(value.strip().lower())
    return None


def retry_after(headers: Headers, *, limited: bool = False) -> float | None:
    """Return the seconds to wait that the headers name, at most an hour, or None.

    First ``retry-after-ms``, then ``retry-after`` (seconds or a date: RFC 9110, section 10.2.3). ``limited`` says that
    a rate was exceeded: then the latest reset among the limits with nothing remaining counts too, from
    ``x-ratelimit-reset-*`` (a duration as Go writes it, or seconds) or ``anthropic-ratelimit-*-reset`` (RFC 3339).
    What cannot be read, or lies before now by its own account, says nothing; a date in the past is no wait.
    """
    given = {name.lower(): value.decode(errors="replace").strip() for name, value in headers}
    waits = [_number(given.get(b"retry-after-ms"), 1e-3), _number(given.get(b"retry-after"))]
    waits.append(_until_date(given.get(b"retry-after")))
    wait = next((wait for wait in waits if wait is not None), None)
    if wait is None and limited:
        wait = max(_resets(given), default=None)
    return None if wait is None else min(wait, _LONGEST)


def _resets(given: Mapping[bytes, str]) -> Iterator[float]:
    for name, value in given.items():
        spent = _REMAINING.fullmatch(name)
        if spent is None or _number(value) != 0.0:
            continue
        if spent["limit"] is not None:
            wait = _duration(given.get(b"x-ratelimit-reset-" + spent["limit"], ""))
        else:
            wait = _until_moment(given.get(b"anthropic-ratelimit-" + spent["kind"] + b"-reset", ""))
        if wait is not None:
            yield wait


def _number(value: str | None, scale: float = 1.0) -> float | None:
    try:
        number = float(value) * scale if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _duration(value: str) -> float | None:
    if _DURATION.fullmatch(value):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(value))
    return _number(value)


def _until_date(value: str | None) -> float | None:
    try:
        return None if value is None else _until(parsedate_to_datetime(value))
    except (ValueError, TypeError, OverflowError):
        return None


def _until_moment(value: str) -> float | None:
    try:
        return _until(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        return None


def _until(moment: datetime) -> float:
    # A date without a zone is in UTC, as HTTP's dates are.
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - wall_ms() / 1000)
