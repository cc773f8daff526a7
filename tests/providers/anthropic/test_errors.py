"""What an upstream's error means, and what of its text may pass."""

import json

import pytest
from anthropic.types.shared import error_response, rate_limit_error_object

from mainstay.core import errors
from mainstay.providers.anthropic.errors import classify, fault_of, redact, render, status_of


def envelope(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


def read(status: int | None, kind: str, message: str = "Some words.") -> errors.MainstayError:
    return classify(status, fault_of(envelope(kind, message)))


@pytest.mark.parametrize(
    ("status", "kind", "expected", "shown", "retryable"),
    [
        (400, "invalid_request_error", errors.UpstreamRefused, 400, False),
        (422, "invalid_request_error", errors.UpstreamRefused, 422, False),
        (401, "authentication_error", errors.UpstreamCredential, 502, True),
        (402, "billing_error", errors.UpstreamCredential, 502, True),
        (403, "permission_error", errors.UpstreamCredential, 502, True),
        (404, "not_found_error", errors.UpstreamFailed, 502, True),
        (408, "timeout_error", errors.UpstreamFailed, 504, True),
        (409, "conflict_error", errors.UpstreamFailed, 502, True),
        (413, "request_too_large", errors.UpstreamRefused, 413, False),
        (429, "rate_limit_error", errors.UpstreamRateLimited, 429, True),
        (500, "api_error", errors.UpstreamFailed, 502, True),
        (502, "bad_gateway", errors.UpstreamFailed, 502, True),
        (503, "service_unavailable", errors.UpstreamFailed, 503, True),
        (504, "timeout_error", errors.UpstreamFailed, 504, True),
        (529, "overloaded_error", errors.UpstreamFailed, 503, True),
        (418, "brand_new_error", errors.UpstreamRefused, 418, False),
        (500, "rate_limit_error", errors.UpstreamFailed, 502, True),
        (400, "rate_limit_error", errors.UpstreamRateLimited, 429, True),
        (None, "request_too_large", errors.UpstreamRefused, 413, False),
        (None, "overloaded_error", errors.UpstreamFailed, 503, True),
        (None, "not_found_error", errors.UpstreamFailed, 502, True),
        (None, "brand_new_error", errors.UpstreamFailed, 502, True),
    ],
)
def test_each_status_and_type_has_its_class(
    status: int | None, kind: str, expected: type[errors.MainstayError], shown: int, retryable: bool
) -> None:
    error = read(status, kind)
    assert type(error) is expected
    assert (error.status, error.retryable) == (shown, retryable)


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 208656 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease input length",
        "Input is too long for requested model.",
        "This request exceeds the model's maximum context length.",
    ],
)
def test_a_prompt_over_the_window_is_said_as_such_in_the_upstreams_words(message: str) -> None:
    error = read(400, "invalid_request_error", message)
    assert type(error) is errors.ContextOverflow
    assert error.message == message


def test_a_filter_is_told_apart() -> None:
    error = read(400, "invalid_request_error", "Output blocked by content filtering policy")
    assert type(error) is errors.ContentFiltered


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        (402, "billing_error", "Pay."),
        (None, "billing_error", "Pay."),
        (429, "insufficient_quota", "You exceeded your current quota."),
    ],
)
def test_an_account_without_credit_is_the_operators_and_has_its_own_code(
    status: int | None, kind: str, message: str
) -> None:
    error = read(status, kind, message)
    assert (type(error), error.code) == (errors.UpstreamCredential, "upstream_quota")


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, "authentication_error", "upstream_credential"),
        (403, "permission_error", "upstream_credential"),
        (404, "not_found_error", "upstream_not_found"),
        (408, "", "upstream_request_timeout"),
        (409, "conflict_error", "upstream_conflict"),
        (500, "api_error", "upstream_failed"),
        (504, "timeout_error", "upstream_failed"),
    ],
)
def test_what_may_be_done_about_a_failure_is_told_by_its_code(status: int, kind: str, code: str) -> None:
    assert read(status, kind).code == code


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 500, 529])
@pytest.mark.parametrize(("said", "says"), [(b"true", True), (b"false", False), (None, None)])
def test_what_the_upstream_says_about_asking_again_is_kept(status: int, said: bytes | None, says: bool | None) -> None:
    headers = () if said is None else ((b"x-should-retry", said),)
    assert classify(status, None, headers).should_retry is says


def test_a_rate_limit_waits_for_the_limit_that_is_spent_and_an_overload_does_not() -> None:
    spent = (
        (b"anthropic-ratelimit-requests-remaining", b"0"),
        (b"anthropic-ratelimit-requests-reset", b"2999-01-01T00:00:00Z"),
    )
    assert classify(429, None, spent).retry_after == 3600.0
    assert classify(429, None, (*spent, (b"retry-after", b"2"))).retry_after == 2.0
    assert classify(529, None, spent).retry_after is None


def test_a_missing_file_is_the_callers_and_a_missing_model_is_not() -> None:
    error = read(404, "not_found_error", "File not found: file_011CNha8iCJcU1wXNR6q4V8w")
    assert type(error) is errors.UpstreamRefused
    assert error.status == 404
    assert "secret-name" not in read(404, "not_found_error", "model: secret-name").message


@pytest.mark.parametrize("kind", ["authentication_error", "api_error", "overloaded_error"])
def test_text_about_the_operators_side_is_not_passed_on(kind: str) -> None:
    assert "Some words" not in read(None, kind).message


def test_a_refusal_keeps_the_upstreams_words() -> None:
    words = "messages.1.content.0.thinking: Invalid `signature` in `thinking` block"
    assert read(400, "invalid_request_error", words).message == words


@pytest.mark.parametrize("body", [b"", b"<html>nginx</html>", b"[]", b'{"error":"no"}', b'{"error":{"message":5}}'])
def test_a_body_that_is_no_envelope_goes_by_its_status(body: bytes) -> None:
    assert fault_of(body) is None
    assert type(classify(400, fault_of(body))) is errors.UpstreamRefused
    assert type(classify(503, fault_of(body))) is errors.UpstreamFailed
    assert "html" not in classify(400, fault_of(body)).message


def test_the_sdks_own_error_models_are_read() -> None:
    made = error_response.ErrorResponse(
        type="error", error=rate_limit_error_object.RateLimitErrorObject(type="rate_limit_error", message="Slow down.")
    )
    error = classify(429, fault_of(made.to_json().encode()), ((b"retry-after", b"7"),))
    assert (error.message, error.retry_after) == ("Slow down.", 7.0)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("key sk-ant-api03-AbC_123 is bad", "key [key] is bad"),
        ("sent Bearer abc.def", "sent [key]"),
        ("see https://gw.corp:8443/v1/x?key=1 now", "see [address] now"),
        ("at api.anthropic.com: no", "at [address]: no"),
        ("from 10.1.2.3:8080", "from [address]"),
        ("org 0f5a1b2c-0000-4000-8000-0123456789ab is over", "org [id] is over"),
        ("see https://docs.claude.com/en/api/errors", "see https://docs.claude.com/en/api/errors"),
        (
            "see https://platform.claude.com/docs/x and http://h/y",
            "see https://platform.claude.com/docs/x and [address]",
        ),
        ("messages.0.content.1.image.source: bad", "messages.0.content.1.image.source: bad"),
        ("a\r\nb\x00c", "a b c"),
        ("x" * 3000, "x" * 2000 + "…"),
    ],
)
def test_keys_addresses_and_accounts_are_taken_out_of_text(text: str, safe: str) -> None:
    assert redact(text) == safe


@pytest.mark.parametrize(
    ("status", "shown", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (401, 401, "authentication_error"),
        (402, 402, "billing_error"),
        (403, 403, "permission_error"),
        (404, 404, "not_found_error"),
        (409, 409, "conflict_error"),
        (413, 413, "request_too_large"),
        (422, 422, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (502, 502, "api_error"),
        (503, 529, "overloaded_error"),
        (504, 504, "timeout_error"),
    ],
)
def test_each_status_has_its_type_in_the_callers_envelope(status: int, shown: int, kind: str) -> None:
    error = errors.MainstayError("Say so.", status=status, param="messages")
    assert status_of(error) == shown
    body = json.loads(render(error, "req-1"))
    assert (body["type"], body["request_id"]) == ("error", "req-1")
    assert (body["error"]["type"], body["error"]["message"]) == (kind, "Say so.")
    assert "request_id" not in json.loads(render(error))
