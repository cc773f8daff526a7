"""Every way a call can fail, as one tree.

The class carries what the outside needs: the HTTP status, the stable wire ``code``, OpenAI's ``type`` and whether
asking again makes sense. One place per dialect renders it (``api/``); nobody else writes an error body.

::

    MainstayError
    ├── CallerError                       the caller can put it right
    │   ├── InvalidRequest        400  invalid_request
    │   ├── Unsupported           400  unsupported_by_model
    │   │   └── Unreadable        422  unreadable_part       (nor can it be read for the model)
    │   ├── ContextOverflow       400  context_length_exceeded
    │   ├── ContentFiltered       400  content_filter
    │   ├── LanguageNotAllowed    400  language_not_allowed
    │   ├── ContentBlocked        400  content_blocked       (by a rail of the route)
    │   ├── NeedsReview           403  needs_review          (a person decides first)
    │   ├── ToolNotAllowed        403  tool_not_allowed      (after untrusted content)
    │   ├── NothingFound          422  nothing_found         (in what the route answers from)
    │   ├── BudgetExceeded        402  budget_exceeded
    │   ├── RateLimited           429  rate_limit_exceeded   (our own limit, not an upstream's)
    │   ├── Unauthenticated       401  invalid_api_key
    │   ├── Forbidden             403  route_not_allowed
    │   ├── PolicyDenied          403  policy_denied
    │   ├── ModelNotFound         404  model_not_found
    │   ├── NotFound              404  not_found
    │   ├── MethodNotAllowed      405  method_not_allowed
    │   ├── RequestTimeout        408  request_timeout
    │   ├── Conflict              409  conflict              (with what is there, or was done meanwhile)
    │   ├── BodyTooLarge          413  body_too_large
    │   ├── UnsupportedMediaType  415  unsupported_media_type
    │   └── HeadTooLarge          431  head_too_large
    ├── CallerGone                499  caller_gone
    ├── Internal                  500  internal_error
    ├── UpstreamError                     a model's server failed
    │   ├── UpstreamRefused       4xx  upstream_refused      (the caller's own fault, as the upstream says)
    │   ├── UpstreamCredential    502  upstream_credential   (our key is bad, not the caller's)
    │   ├── UpstreamRateLimited   429  upstream_rate_limited
    │   ├── UpstreamUnreachable   502  upstream_unreachable
    │   ├── UpstreamFailed        502  upstream_failed       (5xx)
    │   ├── UpstreamBroken        502  upstream_broken       (an answer that is not an answer)
    │   ├── UpstreamInterrupted   502  upstream_interrupted  (broke after it began)
    │   └── UpstreamTimeout       504  upstream_timeout
    ├── OutputInvalid             502  output_invalid        (no answer had the form that was asked for)
    ├── Unavailable               503  unavailable
    └── SetupError                        no HTTP: a command ends with an exit code
        ├── ConfigError           exit 2
        ├── StartError            exit 1
        └── PriceError            exit 1
"""

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "BodyTooLarge", "BudgetExceeded", "CallerError", "CallerGone", "ConfigError", "Conflict", "ContentBlocked",
    "ContentFiltered", "ContextOverflow", "Forbidden", "HeadTooLarge", "Internal", "InvalidRequest",
    "LanguageNotAllowed", "MainstayError", "MethodNotAllowed", "ModelNotFound", "NeedsReview", "NotFound",
    "NothingFound", "OutputInvalid", "PolicyDenied", "PriceError", "RailFailed", "RateLimited", "RequestTimeout",
    "SetupError", "StartError", "ToolNotAllowed", "Unauthenticated", "Unavailable", "Unreadable", "Unsupported",
    "UnsupportedMediaType", "UpstreamBroken", "UpstreamCredential", "UpstreamError", "UpstreamFailed",
    "UpstreamInterrupted", "UpstreamRateLimited", "UpstreamRefused", "UpstreamTimeout", "UpstreamUnreachable",
]  # fmt: skip


class MainstayError(Exception):
    """Base of every error Mainstay raises on purpose.

    Args:
        message: one sentence for the caller that says what to do; no secret, host, path or stack.
        param: the request field at fault, as a path (``messages[0].role``), or None.
        code: overrides the class's stable wire code.
        status: overrides the class's HTTP status.
        retry_after: seconds after which asking again makes sense; rendered on 429 and 503.
        extra: fields added to the rendered error (an upstream's own details).
        should_retry: what the upstream itself says about asking again (``x-should-retry``); None when it says nothing.

    ``headers`` are those of the upstream's answer that the caller may use; whoever reads that answer sets them.
    """

    status: int = 500
    code: str = "internal_error"
    type: str = "api_error"
    retryable: ClassVar[bool] = False  #: Whether the same request could succeed on another attempt.

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        extra: dict[str, object] | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.extra = extra
        self.should_retry = should_retry
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class CallerError(MainstayError):
    """The caller can put it right."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class InvalidRequest(CallerError):
    """The request is not what the dialect allows; ``param`` names the field."""


class Unsupported(CallerError):
    """The chosen model cannot do what was asked; nothing is dropped in silence."""

    code = "unsupported_by_model"


class Unreadable(Unsupported):
    """The chosen model cannot take a part of the request, and what should read it for the model could not either."""

    status = 422
    code = "unreadable_part"


class ContextOverflow(CallerError):
    """The prompt does not fit the model's window."""

    code = "context_length_exceeded"


class ContentFiltered(CallerError):
    """The upstream's content filter refused the request."""

    code = "content_filter"


class LanguageNotAllowed(CallerError):
    """The route does not take requests in this language; ``extra`` has the code of the language that was found."""

    code = "language_not_allowed"


class ContentBlocked(CallerError):
    """A rail of the route does not let it through; ``extra`` has the rail and what it found, never the text."""

    code = "content_blocked"


class NeedsReview(CallerError):
    """A person is to decide first; ``extra`` has the id of the review. The same request passes once it is allowed."""

    status = 403
    code = "needs_review"
    type = "permission_error"


class ToolNotAllowed(CallerError):
    """The model calls a tool that sends data out after it read untrusted content; ``extra`` has the tool and that."""

    status = 403
    code = "tool_not_allowed"
    type = "permission_error"


class NothingFound(CallerError):
    """The route answers from a knowledge base, and nothing in it bears on the question."""

    status = 422
    code = "nothing_found"


class BudgetExceeded(CallerError):
    """A budget that the call counts against has not enough left; asking again helps only in its next period."""

    status = 402
    code = "budget_exceeded"
    type = "insufficient_quota"


class RateLimited(CallerError):
    """A limit of requests, tokens or calls at once is reached; ``retry_after`` says when there is room again."""

    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"


class Unauthenticated(CallerError):
    """No key, or none that is known, alive and in time."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class Forbidden(CallerError):
    """The key is good but not for this."""

    status = 403
    code = "route_not_allowed"
    type = "permission_error"


class PolicyDenied(CallerError):
    """The usage policies let the request go to none of the route's models; ``extra`` has their ids."""

    status = 403
    code = "policy_denied"
    type = "permission_error"


class ModelNotFound(CallerError):
    """No route or model has this name."""

    status = 404
    code = "model_not_found"


class NotFound(CallerError):
    """No such path or item."""

    status = 404
    code = "not_found"


class MethodNotAllowed(CallerError):
    """The path exists; the method does not. ``allow`` is the one that does."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allow: str) -> None:
        super().__init__(f"Use {allow} on this path.")
        self.allow = allow


class RequestTimeout(CallerError):
    """The caller sent its request too slowly."""

    status = 408
    code = "request_timeout"


class Conflict(CallerError):
    """What is asked goes against what is there: a name that is taken, a state that has moved on, what was taken out."""

    status = 409
    code = "conflict"


class BodyTooLarge(CallerError):
    """The body is over ``server.max_body``."""

    status = 413
    code = "body_too_large"


class UnsupportedMediaType(CallerError):
    """The body's content type or encoding is not one we read."""

    status = 415
    code = "unsupported_media_type"


class HeadTooLarge(CallerError):
    """The request line and headers are over the limit."""

    status = 431
    code = "head_too_large"


class CallerGone(MainstayError):
    """The caller closed the connection before the answer was complete. No fault of ours, no error metric."""

    status = 499
    code = "caller_gone"


class Internal(MainstayError):
    """A fault of Mainstay itself."""


class OutputInvalid(MainstayError):
    """The model answered, but not as asked: in another form (``extra`` says how), or ``not_grounded``, by no source."""

    status = 502
    code = "output_invalid"


class UpstreamError(MainstayError):
    """A model's server failed; see the subclasses for how."""

    status = 502
    code = "upstream_error"
    retryable = True


class UpstreamRefused(UpstreamError):
    """The upstream says the request itself is at fault (its 4xx), in its own words."""

    status = 400
    code = "upstream_refused"
    type = "invalid_request_error"
    retryable = False


class UpstreamCredential(UpstreamError):
    """The upstream refused our credential (401, 402, 403): the operator's to fix, not the caller's."""

    code = "upstream_credential"


class UpstreamRateLimited(UpstreamError):
    """The upstream's 429."""

    status = 429
    code = "upstream_rate_limited"
    type = "rate_limit_error"


class UpstreamUnreachable(UpstreamError):
    """No connection, or it was lost before a byte of the answer came."""

    code = "upstream_unreachable"


class UpstreamFailed(UpstreamError):
    """The upstream's own 5xx."""

    code = "upstream_failed"


class UpstreamBroken(UpstreamError):
    """A 200 whose body is not an answer."""

    code = "upstream_broken"


class UpstreamInterrupted(UpstreamError):
    """The answer began and broke off before its end."""

    code = "upstream_interrupted"


class UpstreamTimeout(UpstreamError):
    """One of the timers ran out; the message names which."""

    status = 504
    code = "upstream_timeout"
    type = "timeout_error"


class Unavailable(MainstayError):
    """Mainstay or a part it needs is not ready; try again shortly."""

    status = 503
    code = "unavailable"
    type = "service_unavailable"
    retryable = True


class RailFailed(Unavailable):
    """A rail could not look at a text and lets nothing pass that it has not seen; ``extra`` names it."""

    code = "rail_failed"


class SetupError(MainstayError):
    """A command cannot go on; ``exit_code`` is what the shell sees."""

    exit_code: ClassVar[int] = 1


class ConfigError(SetupError):
    """The configuration is wrong: the message lists every problem found."""

    code = "config_error"
    exit_code = 2


class StartError(SetupError):
    """A part could not start: a busy port, a missing model, no write permission."""

    code = "start_error"


class PriceError(SetupError):
    """Prices cannot be read: a row, a source of them, or the catalogue."""

    code = "price_error"
