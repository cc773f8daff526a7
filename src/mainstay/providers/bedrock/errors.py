"""Bedrock's exceptions: of a response, of a stream, or under a status of 200.

The exception's name says what happened and counts for more than the status, which AWS gives several names at once:

* ``ThrottlingException``, ``ServiceQuotaExceededException``: ``UpstreamRateLimited`` with ``retry_after``.
* ``ModelNotReadyException`` (a 429) and ``ServiceUnavailableException``: ``UpstreamFailed`` shown as 503.
* ``ModelTimeoutException`` (a 408): ``UpstreamFailed`` shown as 504.
* ``ModelErrorException``, ``ModelStreamErrorException`` (both 424), ``InternalServerException``: ``UpstreamFailed``.
* ``AccessDeniedException`` and whatever is wrong with the signature, key or token: ``UpstreamCredential``; when access
  to one model or resource is what is missing, ``UpstreamFailed`` ``upstream_not_found``, for the credential is good.
* ``ResourceNotFoundException`` and a ``ValidationException`` over the model's id: the same ``upstream_not_found``.
* Any other ``ValidationException``: ``ContextOverflow`` when the prompt is too long, ``ContentFiltered`` when a filter
  blocked it, else ``UpstreamRefused`` in the upstream's words, less keys, addresses and account ids.

A status without a name is not AWS's own, and means what it means on the other wires.
"""

import re
from collections.abc import Sequence

import msgspec

from mainstay.core import errors
from mainstay.providers.anthropic.errors import classify as classify_status
from mainstay.providers.anthropic.errors import redact
from mainstay.providers.anthropic.wire import WireFault
from mainstay.providers.errors import CONTEXT_WORDS, FILTER_WORDS, retry_after, should_retry
from mainstay.providers.wire import UNREADABLE, mend

__all__ = ["classify", "exception", "fault_of"]

Headers = Sequence[tuple[bytes, bytes]]

_LIMITED = frozenset(
    {"throttlingexception", "throttledexception", "toomanyrequestsexception", "servicequotaexceededexception"}
)
_BUSY = frozenset({"modelnotreadyexception", "serviceunavailableexception", "serviceunavailable"})
_SLOW = frozenset({"modeltimeoutexception"})
_FAILED = frozenset({"modelerrorexception", "modelstreamerrorexception", "internalserverexception", "internalfailure"})
_CREDENTIAL = frozenset(
    {
        "accessdeniedexception",
        "unrecognizedclientexception",
        "invalidsignatureexception",
        "signaturedoesnotmatch",
        "expiredtokenexception",
        "expiredtoken",
        "requestexpired",
        "incompletesignature",
        "incompletesignatureexception",
        "missingauthenticationtokenexception",
        "invalidclienttokenid",
        "optinrequired",
        "unauthorizedexception",
    }
)
#: Statuses that AWS gives a name, and whoever stands before it does not; they mean what they mean on other wires.
_FRONTS = frozenset({402, 408, 409, 499, 503, 504, 529})
_CLOCK = re.compile(r"signature (?:expired|not yet current)", re.IGNORECASE)
_ONE_MODEL = re.compile(r"access to the model|on resource|model access|use case details", re.IGNORECASE)
_MODEL_ID = re.compile(
    r"model identifier is invalid|on-demand throughput|model ID.{0,40}(?:not|invalid)|end of its life"
    r"|(?:guardrail identifier|inference profile)",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"input is too long|prompt is too long|too many (?:input |total )?(?:text )?(?:tokens|bytes)"
    r"|input tokens? (?:exceeded|count)|exceeds? (?:the )?(?:maximum|context|max)[^.]{0,40}(?:token|length|limit)"
    r"|exceed context limit",
    re.IGNORECASE,
)
_FILTER = re.compile(r"content filtering policy|blocked by [^.]{0,30}guardrail", re.IGNORECASE)
_ARN = re.compile(r"\barn:aws[^\s\"',)]*", re.IGNORECASE)
_ACCOUNT = re.compile(r"\b\d{12}\b|\b(?:AKIA|ASIA|ABSK|AROA|AIDA)[A-Za-z0-9+/=]{8,}")


class _Fault(msgspec.Struct):
    """An exception's payload; AWS writes both spellings."""

    message: str | None = None
    other: str | None = msgspec.field(default=None, name="Message")
    kind: str | None = msgspec.field(default=None, name="__type")
    code: str | None = None


_fault = msgspec.json.Decoder(_Fault)


def classify(status: int, headers: Headers, body: bytes) -> errors.MainstayError:
    """Return the error that a response with ``status`` >= 400 means."""
    fault = _read(body)
    named = next((value.decode("latin-1") for name, value in headers if name.lower() == b"x-amzn-errortype"), "")
    error = _judge(_name(named) or _name(fault.kind or fault.code or ""), status, _words(fault), headers)
    error.should_retry = should_retry(headers)
    return error


def exception(name: str, payload: bytes) -> errors.MainstayError:
    """Return the error that an exception in a stream means."""
    return _judge(_name(name), 0, _words(_read(payload)), ())


def fault_of(body: bytes) -> errors.MainstayError | None:
    """Return the error that a body under a status of 200 holds, or None when it holds none."""
    fault = _read(body)
    name = _name(fault.kind or fault.code or "")
    return _judge(name, 0, _words(fault), ()) if name else None


def _read(body: bytes) -> _Fault:
    try:
        return _fault.decode(mend(body))
    except UNREADABLE:
        return _Fault()


def _name(given: str) -> str:
    """Return an exception's bare name: it comes with a namespace before it, or an address behind it."""
    return given.rpartition("#")[2].partition(":")[0].partition(",")[0].strip().lower()


def _words(fault: _Fault) -> str:
    return _ACCOUNT.sub("[id]", _ARN.sub("[arn]", redact(fault.message or fault.other or "")))


def _judge(name: str, status: int, text: str, headers: Headers) -> errors.MainstayError:
    if name in _LIMITED or (status == 429 and name not in _BUSY):
        return errors.UpstreamRateLimited(
            text or "The upstream limits the rate; ask again later.", retry_after=retry_after(headers, limited=True)
        )
    if not name and status in _FRONTS:
        return classify_status(status, WireFault(message=text), headers)
    if name in _BUSY:
        return errors.UpstreamFailed(
            "The upstream is not ready for this model; ask again shortly.", status=503, retry_after=retry_after(headers)
        )
    if name in _SLOW:
        return errors.UpstreamFailed(
            "The upstream ran out of time; ask again.", status=504, code="upstream_request_timeout"
        )
    if name in _CREDENTIAL or (status in (401, 403) and name not in _FAILED):
        return _denied(name, status, text)
    if name == "resourcenotfoundexception" or status == 404:
        return _not_found()
    if (
        name in _FAILED
        or status >= 500
        or not (name or status)
        or (name and not status and name != "validationexception")
    ):
        return errors.UpstreamFailed("The upstream failed; ask again.", retry_after=retry_after(headers))
    return _refusal(status or 400, text)


def _denied(name: str, status: int, text: str) -> errors.MainstayError:
    if _CLOCK.search(text):
        return errors.UpstreamCredential(
            "The upstream refused the time of Mainstay's signature; the operator must set this machine's clock."
        )
    if name == "accessdeniedexception" and _ONE_MODEL.search(text):
        return errors.UpstreamFailed(
            "The upstream does not let Mainstay's credential use this model; the operator must ask for access to it.",
            code="upstream_not_found",
        )
    return errors.UpstreamCredential(
        f"The upstream refused Mainstay's credential ({status or 403}); the operator must check the provider's keys,"
        " region and account."
    )


def _not_found() -> errors.MainstayError:
    return errors.UpstreamFailed(
        "The upstream does not know the model it was asked for; the operator must check the model's name and the"
        " provider's region.",
        code="upstream_not_found",
    )


def _refusal(status: int, text: str) -> errors.MainstayError:
    if CONTEXT_WORDS.search(text) or _CONTEXT.search(text):
        return errors.ContextOverflow(text, param="messages")
    if FILTER_WORDS.search(text) or _FILTER.search(text):
        return errors.ContentFiltered(text)
    if _MODEL_ID.search(text):
        return _not_found()
    return errors.UpstreamRefused(
        text or f"The upstream refused the request ({status}) without saying why; check its fields.", status=status
    )
