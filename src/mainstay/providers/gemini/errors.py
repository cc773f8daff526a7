"""Gemini's errors: a ``google.rpc.Status`` understood, alone or in the list that unfinished streams put it into.

What an upstream's error means, as one class of the tree:

* ``INVALID_ARGUMENT`` 400: ``UpstreamRefused`` in the upstream's words; ``ContextOverflow`` when the prompt is too
  long; ``UpstreamCredential`` when it speaks of the API key, which this vendor answers with 400.
* ``FAILED_PRECONDITION`` 400 about billing or a location: ``UpstreamCredential``; so are ``UNAUTHENTICATED`` 401 and
  ``PERMISSION_DENIED`` 403, except for a file or cached content that the caller named (``UpstreamRefused``).
* ``NOT_FOUND`` 404: ``UpstreamFailed`` ``upstream_not_found``, with the same exception.
* 402, and an account whose credit is spent: ``UpstreamCredential`` ``upstream_quota``.
* ``RESOURCE_EXHAUSTED`` 429: ``UpstreamRateLimited``; ``retry_after`` from the headers, else from ``RetryInfo``. The
  vendor's text speaks of the operator's plan and is not passed on.
* ``ABORTED`` 409: ``UpstreamFailed`` ``upstream_conflict``.
* ``UNAVAILABLE`` 503: ``UpstreamFailed`` shown as 503; ``DEADLINE_EXCEEDED`` 504 and 408: shown as 504; ``INTERNAL``
  500 and any other 5xx: shown as 502; ``CANCELLED`` 499: as 504 ``upstream_request_timeout``.

The same table serves errors under a status of 200, inside a stream or a body: their ``code`` or ``status`` then stands
in for the HTTP status.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core import errors
from mainstay.providers.anthropic.errors import redact
from mainstay.providers.errors import CONTEXT_WORDS, error_status, named_status, retry_after, should_retry
from mainstay.providers.wire import UNREADABLE, mend

__all__ = ["WireFault", "broken", "classify", "fault_of"]

Headers = Sequence[tuple[bytes, bytes]]

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_OURS = frozenset(
    {"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_INVALID"}
    | {"API_KEY_HTTP_REFERRER_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED", "ACCESS_TOKEN_EXPIRED", "CONSUMER_SUSPENDED"}
)
_OURS_WORDS = re.compile(r"\bAPI key\b|enable billing|User location is not supported|billing account", re.IGNORECASE)
_SPENT = re.compile(
    r"credits? (?:balance )?(?:is|are|has been|have been) (?:depleted|exhausted|too low)", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"(?:token count|number of tokens|prompt|input)\b.{0,60}exceeds? the (?:maximum|limit)"
    r"|exceeds the maximum number of tokens",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"payload size exceeds", re.IGNORECASE)
_CALLERS_THING = re.compile(r"\b(?:file|cached ?content)\b", re.IGNORECASE)
_PROJECT = re.compile(r"\bprojects?[/ ]+[\w:.-]*\d[\w:.-]*|\bproject number \d+", re.IGNORECASE)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_LONGEST = 3600.0

_BUSY = "The upstream is overloaded; ask again shortly."
_LATE = "The upstream ran out of time; ask again."
#: What some statuses become: the message, the status shown and the code, None for the class's own.
_FAILED: dict[int, tuple[str, int, str | None]] = {
    408: (_LATE, 504, "upstream_request_timeout"),
    409: ("The upstream met a conflict with another request; ask again.", 502, "upstream_conflict"),
    499: ("The upstream gave up the request; ask again.", 504, "upstream_request_timeout"),
    503: (_BUSY, 503, None),
    504: (_LATE, 504, None),
    529: (_BUSY, 503, None),
}


class WireFault(msgspec.Struct, gc=False):
    """A ``google.rpc.Status``; its ``details`` are of many kinds."""

    code: Any = None
    message: Any = None
    status: Any = None
    details: Any = None

    @property
    def text(self) -> str:
        """The message, "" when there is none."""
        return self.message if isinstance(self.message, str) else ""

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The details that are objects."""
        return [entry for entry in self.details if isinstance(entry, dict)] if isinstance(self.details, list) else []


_fault = msgspec.json.Decoder(WireFault)
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


def fault_of(body: bytes) -> WireFault | None:
    """Return the ``error`` of a body or of the first entry of a list that has one, or None when there is none."""
    for text in (body, mend(body)):
        try:
            entries = _list.decode(text) if text.lstrip()[:1] == b"[" else [msgspec.Raw(text)]
            for entry in entries:
                error = bytes(_envelope.decode(entry).get("error", b""))
                if error[:1] == b'"':
                    return WireFault(message=msgspec.json.decode(error))
                if error not in (b"", b"null"):
                    return _fault.decode(error)
        except UNREADABLE:
            continue
    return None


def classify(status: int | None, fault: WireFault | None, headers: Headers = ()) -> errors.MainstayError:
    """Return the error for ``fault`` under ``status``; a status of None means it came under a 200."""
    error = _judge(status, fault or WireFault(), headers)
    error.should_retry = should_retry(headers)
    return error


def broken(what: str) -> errors.UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return errors.UpstreamBroken(f"The upstream sent {what}; ask again.")


def _judge(status: int | None, fault: WireFault, headers: Headers) -> errors.MainstayError:
    word = fault.status if isinstance(fault.status, str) else ""
    named = error_status(fault.code) or _STATUS.get(word.upper(), 0) or named_status(word)
    code = status or named or 500
    if named and named // 100 == code // 100:
        code = named
    text = _PROJECT.sub("[project]", redact(fault.text))
    callers = _CALLERS_THING.search(text) is not None
    if code == 402 or _SPENT.search(text):
        return errors.UpstreamCredential(
            "Mainstay's account at the upstream is out of credit; the operator must check it.", code="upstream_quota"
        )
    if code == 429:
        # What is left of the vendor's text is about its plans and prices.
        wait = retry_after(headers, limited=True)
        return errors.UpstreamRateLimited(
            "The upstream limits the rate; ask again later.", retry_after=_delay(fault) if wait is None else wait
        )
    if code == 401 or (code == 403 and not callers) or (code == 400 and _is_ours(fault)):
        return errors.UpstreamCredential(
            f"The upstream refused Mainstay's credential ({code}); the operator must check the provider's"
            " api_key and account."
        )
    if code == 404 and not callers:
        return errors.UpstreamFailed(
            "The upstream does not know the model or path it was asked for; the operator must check the"
            " model's name and the provider's base_url.",
            code="upstream_not_found",
        )
    if code in _FAILED or code >= 500:
        message, shown, name = _FAILED.get(code, ("The upstream failed; ask again.", 502, None))
        wait = retry_after(headers)
        return errors.UpstreamFailed(
            message, status=shown, code=name, retry_after=_delay(fault) if wait is None else wait
        )
    return _refusal(code, text)


def _refusal(code: int, text: str) -> errors.MainstayError:
    if _TOO_LONG.search(text) or CONTEXT_WORDS.search(text):
        return errors.ContextOverflow(text, param="messages")
    return errors.UpstreamRefused(
        text or f"The upstream refused the request ({code}) without saying why; check its fields.",
        status=413 if _TOO_LARGE.search(text) else code,
    )


def _is_ours(fault: WireFault) -> bool:
    """Return whether a refused argument is the operator's: the key, the account, the place it is used from."""
    reasons = {entry.get("reason") for entry in fault.entries if isinstance(entry.get("reason"), str)}
    return bool(reasons & _OURS) or _OURS_WORDS.search(fault.text) is not None


def _delay(fault: WireFault) -> float | None:
    """Return the seconds that ``RetryInfo`` asks to wait, at most an hour, or None."""
    for entry in fault.entries:
        given = entry.get("retryDelay")
        found = _DELAY.fullmatch(given) if isinstance(given, str) else None
        if found is not None:
            return min(float(found[1]), _LONGEST)
    return None
