"""OpenAI's errors: an upstream's understood, a caller's written.

What an upstream's failure means follows one table. "Operator" is a fault of our set-up, which the caller can do
nothing about: it is a 502 here, and the upstream's words, which may name our key or account, stay inside.

==============================  =====================  =======================================
the upstream says               becomes                the caller sees
==============================  =====================  =======================================
context too long, by code/words ContextOverflow        400, the upstream's words
content filter, by code/words   ContentFiltered        400, its words and categories
402, spent quota                UpstreamCredential     502 ``upstream_quota`` (operator)
401, 403                        UpstreamCredential     502, our words (operator)
404                             UpstreamFailed         502 ``upstream_not_found`` (operator)
408, 499                        UpstreamFailed         504 ``upstream_request_timeout``
409                             UpstreamFailed         502 ``upstream_conflict``
429                             UpstreamRateLimited    429 with ``retry-after``
503, 529                        UpstreamFailed         503 with ``retry-after``, our words
504                             UpstreamFailed         504, our words
any other 5xx                   UpstreamFailed         502, our words
any other 4xx                   UpstreamRefused        its status, words, ``param`` and ``code``
==============================  =====================  =======================================

Words are passed on after :func:`redact`. An error under a status of 200, or in a stream, is read the same way, by the
status its own code or type stands for; Anthropic's form of an error is read as well.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.errors import (
    ContentFiltered,
    ContextOverflow,
    MainstayError,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
)
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

__all__ = ["classify", "classify_inner", "inner_error", "redact", "render"]

_MAX_WORDS = 1000
#: What else an UpstreamFailed is called, by the upstream's status.
_FAILED = {
    404: "upstream_not_found",
    408: "upstream_request_timeout",
    409: "upstream_conflict",
    499: "upstream_request_timeout",
}

#: Statuses that say more than that it failed, and what the caller sees of them.
_SHOWN = {408: 504, 499: 504, 503: 503, 504: 504, 529: 503}

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
    error = _judge(status, headers, _read_fault(_read_json(body)))
    error.should_retry = should_retry(headers)
    return error


def classify_inner(body: bytes) -> MainstayError:
    """Return the error that a body under a status of 200, or one event of a stream, is."""
    return _judge_inner(_read_fault(_read_json(body)))


def inner_error(body: bytes) -> MainstayError | None:
    """Return the error that a body under a status of 200, or one event of a stream, holds; None when it holds none."""
    data = _read_json(body)
    fault = _read_fault(data)
    data = data if isinstance(data, dict) else {}
    says = data.get("error") or "error" in (data.get("object"), data.get("type"))
    return _judge_inner(fault) if says or (fault.status and fault.message) else None


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


def _judge_inner(fault: _Fault) -> MainstayError:
    return _judge(fault.status or named_status(fault.code, fault.type) or 500, (), fault)


def _judge(status: int, headers: Sequence[tuple[bytes, bytes]], fault: _Fault) -> MainstayError:
    code, kind = fault.code.lower(), fault.type.lower()
    words = redact(fault.message)
    client = 400 <= status < 500 and status not in (401, 402, 404, 408, 409, 429)
    if CONTEXT_CODES & {code, kind} or (client and CONTEXT_WORDS.search(fault.message)):
        return ContextOverflow(words or "The prompt is too long for the model; shorten it.", param=fault.param)
    inner = fault.fields.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    if FILTER_CODES & {code, kind, str(inner.get("code", "")).lower()} or (
        client and FILTER_WORDS.search(fault.message)
    ):
        found = fault.fields.get("content_filter_results") or fault.fields.get("content_filter_result")
        found = found or inner.get("content_filter_results") or inner.get("content_filter_result")
        return ContentFiltered(
            words or "The upstream's content filter refused the request; change the prompt.",
            param=fault.param,
            code="content_policy_violation" if code == "content_policy_violation" else None,
            extra={"content_filter_results": found} if found else None,
        )
    if status == 402 or QUOTA_CODES & {code, kind} or (client and QUOTA_WORDS.search(fault.message)):
        return UpstreamCredential(
            "The gateway's account at the upstream is out of credit; ask the operator to check it.",
            code="upstream_quota",
        )
    if status in (401, 403):
        return UpstreamCredential("The upstream refused the gateway's credential; ask the operator to check it.")
    if status == 429:
        wait = retry_after(headers, limited=True)
        return UpstreamRateLimited("The upstream limits the rate; try again later.", retry_after=wait)
    if status in _FAILED or status >= 500:
        message = f"The upstream failed with status {status}; try again."
        if status == 404:
            message = "The upstream does not know this model or path; ask the operator to check the model's name."
        shown = _SHOWN.get(status)
        return UpstreamFailed(message, status=shown, code=_FAILED.get(status), retry_after=retry_after(headers))
    return UpstreamRefused(
        words or "The upstream refused the request; check its fields.",
        param=fault.param,
        code=redact(fault.code) or None,
        status=status,
    )


def _read_json(body: bytes) -> Any:
    """Return what ``body`` says, or None when it is not JSON; of a list its first item."""
    for text in (body, mend(body)):
        try:
            data = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        return data[0] if isinstance(data, list) and data else data
    return None


def _read_fault(data: Any) -> _Fault:
    """Read the shapes seen: OpenAI's, an ``error`` that is a string, vLLM's flat object, FastAPI's ``detail``."""
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
    status = next(filter(None, map(error_status, (code, fields.get("status"), data.get("code")))), 0)
    param = fields.get("param")
    return _Fault(
        message if isinstance(message, str) else "",
        str(fields.get("type") or ""),
        redact(param) or None if isinstance(param, str) else None,
        code if isinstance(code, str) and not code.isdigit() else "",
        status,
        fields,
    )


def _read_details(details: list[Any]) -> _Fault:
    first = details[0] if details and isinstance(details[0], dict) else {}
    place = first.get("loc")
    path = ""
    for step in place if isinstance(place, list) else ():
        if step != "body":
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    words = first.get("msg")
    return _Fault(words if isinstance(words, str) else "", param=path or None)
