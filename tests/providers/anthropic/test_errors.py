"""What an upstream's error means, and what of its text may pass."""

import email.utils
import json
import time

import pytest
from anthropic.types.shared import error_response, rate_limit_error_object

from mainstay.core import errors
from mainstay.providers.anthropic.errors import classify, fault_of, redact, retry_after


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
        (409, "conflict_error", errors.UpstreamRefused, 409, False),
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


def test_an_account_without_credit_is_the_operators_even_under_400() -> None:
    error = read(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
    assert type(error) is errors.UpstreamCredential


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
    ("headers", "seconds"),
    [
        ((), None),
        (((b"retry-after", b"12"),), 12.0),
        (((b"Retry-After", b"1.5"),), 1.5),
        (((b"retry-after", b"9"), (b"retry-after-ms", b"250")), 0.25),
        (((b"retry-after", b"-1"),), None),
        (((b"retry-after", b"nan"),), None),
        (((b"retry-after", b"soon"),), None),
        (((b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT"),), 0.0),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(
    headers: tuple[tuple[bytes, bytes], ...], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for_becomes_seconds_from_now() -> None:
    found = retry_after(((b"retry-after", email.utils.formatdate(time.time() + 3600, usegmt=True).encode()),))
    assert found is not None
    assert 3500 < found <= 3600
