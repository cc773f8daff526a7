"""Anthropic's errors: an upstream's envelope, status and wording understood, a caller's envelope written.

What an upstream's error means, as one class of the tree:

* ``invalid_request_error`` 400 and 422: ``UpstreamRefused`` in the upstream's words; ``ContextOverflow`` when
  the prompt is too long; ``ContentFiltered`` when a filter blocked it.
* 401, 403: ``UpstreamCredential``; nothing of the upstream's text is passed on.
* 402, and an account out of credit: the same as ``upstream_quota``.
* 404: ``UpstreamFailed`` ``upstream_not_found``, for the model or the address is configured wrongly; only a missing
  file, container or skill is the caller's (``UpstreamRefused`` 404).
* ``conflict_error`` 409: ``UpstreamFailed`` ``upstream_conflict``.
* ``request_too_large`` 413: ``UpstreamRefused`` 413.
* 429: ``UpstreamRateLimited`` with ``retry_after``.
* ``overloaded_error`` 529, and 503: ``UpstreamFailed`` shown as 503, ask again shortly.
* ``timeout_error`` 504: ``UpstreamFailed`` shown as 504; so are 408 and 499, as ``upstream_request_timeout``.
* ``api_error`` 500, and any other 5xx: ``UpstreamFailed`` shown as 502.

The same table serves errors that arrive under a status of 200, inside a stream or a body: the ``code`` or ``type``
then stands in for the status, in OpenAI's words too, which servers of this wire pass on. Text of the upstream that is
passed on loses keys, addresses and account ids first.

Towards a caller :func:`render` names the wire's own ``type`` for the status. Being overloaded is 529 on this wire: what
is a 503 elsewhere leaves as that, so that clients know it.
"""

import re
from collections.abc import Sequence

import msgspec

from mainstay.core import errors
from mainstay.providers.anthropic.wire import UNREADABLE, WireFault
from mainstay.providers.errors import (
    CONTEXT_CODES,
    CONTEXT_WORDS,
    FILTER_CODES,
    FILTER_WORDS,
    QUOTA_CODES,
    QUOTA_WORDS,
    error_status,
    named_status,
    retry_after,
    should_retry,
)
from mainstay.providers.wire import mend

__all__ = ["broken", "classify", "fault_of", "redact", "render", "status_of"]

Headers = Sequence[tuple[bytes, bytes]]

_MESSAGE_LIMIT = 2000

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

_BUSY = "The upstream is overloaded; ask again shortly."
#: What some statuses become: the message, the status shown and the code, None for the class's own.
_FAILED: dict[int, tuple[str, int, str | None]] = {
    408: ("The upstream ran out of time; ask again.", 504, "upstream_request_timeout"),
    409: ("The upstream met a conflict with another request; ask again.", 502, "upstream_conflict"),
    499: ("The upstream was cut off before it answered; ask again.", 504, "upstream_request_timeout"),
    503: (_BUSY, 503, None),
    504: ("The upstream ran out of time; ask again.", 504, None),
    529: (_BUSY, 503, None),
}

#: What this wire calls a status; any other below 500 is the first of these, any other at all an ``api_error``.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OVERLOADED = 529

_fault = msgspec.json.Decoder(WireFault)
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fault_of(body: bytes) -> WireFault | None:
    """Return the ``error`` object of an envelope, or None when ``body`` is not one.

    A flat object that calls itself an error, as compatible servers send, is one as well.
    """
    for text in (body, mend(body)):
        try:
            fields = _envelope.decode(text)
            if "error" in fields and bytes(fields["error"]) != b"null":
                return _fault.decode(fields["error"])
            return _fault.decode(text) if b'"error"' in (_raw(fields, "object"), _raw(fields, "type")) else None
        except UNREADABLE:
            continue
    return None


def _raw(fields: dict[str, msgspec.Raw], name: str) -> bytes:
    return bytes(fields.get(name, b""))


def classify(status: int | None, fault: WireFault | None, headers: Headers = ()) -> errors.MainstayError:
    """Return the error for ``fault`` under ``status``; a status of None means it came under a 200."""
    error = _judge(status, fault or WireFault(), headers)
    error.should_retry = should_retry(headers)
    return error


def _judge(status: int | None, fault: WireFault, headers: Headers) -> errors.MainstayError:
    words = {(fault.type or "").lower(), fault.code.lower() if isinstance(fault.code, str) else ""}
    code = error_status(fault.code) or named_status(str(fault.code or ""), fault.type or "") or status or 500
    if status is not None and (status // 100 != code // 100 or fault.type == "invalid_request_error"):
        # A front of the upstream's may answer for it: the status line is what was meant.
        code = status
    text = redact(fault.message or "")
    if CONTEXT_CODES & words:
        return errors.ContextOverflow(text or "The prompt is too long for the model; shorten it.", param="messages")
    if code == 402 or QUOTA_CODES & words or QUOTA_WORDS.search(text):
        return errors.UpstreamCredential(
            "Mainstay's account at the upstream is out of credit; the operator must check it.", code="upstream_quota"
        )
    if code in (401, 403):
        return errors.UpstreamCredential(
            f"The upstream refused Mainstay's credential ({code}); the operator must check the provider's"
            " api_key and account."
        )
    if code == 404 and not _CALLERS_THING.search(text):
        return errors.UpstreamFailed(
            "The upstream does not know the model or path it was asked for; the operator must check the"
            " model's name and the provider's base_url.",
            code="upstream_not_found",
        )
    if code == 429:
        return errors.UpstreamRateLimited(
            text or "The upstream limits the rate; ask again later.", retry_after=retry_after(headers, limited=True)
        )
    if code in _FAILED or code >= 500:
        message, shown, name = _FAILED.get(code, ("The upstream failed; ask again.", 502, None))
        return errors.UpstreamFailed(message, status=shown, code=name, retry_after=retry_after(headers))
    return _refusal(code, words, text)


def _refusal(code: int, words: set[str], text: str) -> errors.MainstayError:
    if CONTEXT_WORDS.search(text):
        return errors.ContextOverflow(text, param="messages")
    if FILTER_CODES & words or FILTER_WORDS.search(text):
        return errors.ContentFiltered(text or "The upstream's content filter refused the request; change the prompt.")
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


def status_of(error: errors.MainstayError) -> int:
    """Return the HTTP status that tells a caller of this wire of ``error``."""
    return _OVERLOADED if error.status == 503 else error.status


def render(error: errors.MainstayError, request_id: str = "") -> bytes:
    """Return this wire's error envelope; ``code`` and ``param`` stand beside what the official SDKs expect."""
    status = status_of(error)
    fields: dict[str, object] = {
        **(error.extra or {}),
        "type": _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error"),
        "message": error.message,
        "code": error.code,
        # Where the official SDK reads a stable code.
        "details": {"error_code": error.code},
    }
    if error.param is not None:
        fields["param"] = error.param
    body: dict[str, object] = {"type": "error", "error": fields}
    if request_id:
        body["request_id"] = request_id
    return msgspec.json.encode(body)
