"""What an upstream's error means."""

import json
from typing import Any

import pytest
from google.genai.errors import APIError
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
from mainstay.providers.gemini.errors import classify, fault_of
from support.gemini_wire import status

INFO = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY = "type.googleapis.com/google.rpc.RetryInfo"


def judge(code: int, said: Any, *headers: tuple[bytes, bytes]) -> errors.MainstayError:
    if isinstance(said, dict):
        # The official SDK reads the same.
        assert APIError(code, said).status == said["error"]["status"]
    return classify(code, fault_of(json.dumps(said).encode()), headers)


def reason(word: str) -> dict[str, Any]:
    return {"@type": INFO, "reason": word, "domain": "googleapis.com"}


@pytest.mark.parametrize(
    ("code", "said", "kind", "shown", "name"),
    [
        (400, status(400, "INVALID_ARGUMENT", "Bad temperature."), errors.UpstreamRefused, 400, "upstream_refused"),
        (
            400,
            status(
                400, "INVALID_ARGUMENT", "The input token count (5) exceeds the maximum number of tokens allowed (4)."
            ),
            errors.ContextOverflow,
            400,
            "context_length_exceeded",
        ),
        (
            400,
            status(400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")),
            errors.UpstreamCredential,
            502,
            "upstream_credential",
        ),
        (
            400,
            status(400, "INVALID_ARGUMENT", "API key expired."),
            errors.UpstreamCredential,
            502,
            "upstream_credential",
        ),
        (
            400,
            status(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            errors.UpstreamCredential,
            502,
            "upstream_credential",
        ),
        (
            400,
            status(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
            errors.UpstreamRefused,
            413,
            "upstream_refused",
        ),
        (401, status(401, "UNAUTHENTICATED", "No."), errors.UpstreamCredential, 502, "upstream_credential"),
        (403, status(403, "PERMISSION_DENIED", "No."), errors.UpstreamCredential, 502, "upstream_credential"),
        (
            403,
            status(403, "PERMISSION_DENIED", "You do not have permission to access the File abc or it may not exist."),
            errors.UpstreamRefused,
            403,
            "upstream_refused",
        ),
        (404, status(404, "NOT_FOUND", "models/x is not found"), errors.UpstreamFailed, 502, "upstream_not_found"),
        (404, status(404, "NOT_FOUND", "CachedContent not found"), errors.UpstreamRefused, 404, "upstream_refused"),
        (409, status(409, "ABORTED"), errors.UpstreamFailed, 502, "upstream_conflict"),
        (
            429,
            status(429, "RESOURCE_EXHAUSTED", "Your quota"),
            errors.UpstreamRateLimited,
            429,
            "upstream_rate_limited",
        ),
        (
            429,
            status(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
            errors.UpstreamCredential,
            502,
            "upstream_quota",
        ),
        (499, status(499, "CANCELLED"), errors.UpstreamFailed, 504, "upstream_request_timeout"),
        (500, status(500, "INTERNAL", "An internal error"), errors.UpstreamFailed, 502, "upstream_failed"),
        (503, status(503, "UNAVAILABLE", "overloaded"), errors.UpstreamFailed, 503, "upstream_failed"),
        (504, status(504, "DEADLINE_EXCEEDED"), errors.UpstreamFailed, 504, "upstream_failed"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "in a list"])
def test_each_status_is_one_class(
    code: int, said: Any, kind: type[errors.MainstayError], shown: int, name: str, wrapped: bool
) -> None:
    error = judge(code, [said] if wrapped else said)
    assert type(error) is kind
    assert (error.status, error.code) == (shown, name)
    under_200 = classify(None, fault_of(json.dumps(said).encode()))
    assert (type(under_200), under_200.status) == (kind, shown)


def test_the_callers_fault_is_told_in_the_upstreams_words() -> None:
    assert judge(400, status(400, "INVALID_ARGUMENT", "Bad temperature.")).message == "Bad temperature."


def test_the_wait_is_the_headers_or_the_details() -> None:
    said = status(429, "RESOURCE_EXHAUSTED", "Quota", reason("RATE"), {"@type": RETRY, "retryDelay": "38.5s"})
    assert judge(429, said).retry_after == 38.5
    assert judge(429, said, (b"retry-after", b"7")).retry_after == 7
    assert judge(503, status(503, "UNAVAILABLE", "", {"@type": RETRY, "retryDelay": "2s"})).retry_after == 2
    for odd in ("soon", 5, None, "1e9s", "-1s", ""):
        odd_delay = status(429, "RESOURCE_EXHAUSTED", "", {"@type": RETRY, "retryDelay": odd})
        assert judge(429, odd_delay).retry_after is None
    long = status(429, "RESOURCE_EXHAUSTED", "", {"@type": RETRY, "retryDelay": "999999s"})
    assert judge(429, long).retry_after == 3600


def test_no_account_address_or_key_is_passed_on() -> None:
    said = (
        "Bad file in projects/my-project-12 of generativelanguage.googleapis.com, project number 123456,"
        " key sk-abcdef12"
    )
    message = judge(400, status(400, "INVALID_ARGUMENT", said)).message
    for secret in ("my-project-12", "googleapis", "123456", "sk-abcdef12"):
        assert secret not in message
    quota = "You exceeded your current quota, please check your plan and billing details."
    assert "billing" not in judge(429, status(429, "RESOURCE_EXHAUSTED", quota)).message


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b"[1]", b'{"error":null}', b'{"error":[]}', b"[" * 99_999]
)
def test_what_is_no_error_object_is_judged_by_the_status(body: bytes) -> None:
    assert fault_of(body) is None or body == b'{"error":[]}'
    assert isinstance(classify(503, fault_of(body)), errors.UpstreamFailed)


def test_an_error_may_be_a_mere_text() -> None:
    assert classify(400, fault_of(b'{"error":"Bad."}')).message == "Bad."


def test_the_upstreams_word_on_retries_is_kept() -> None:
    assert judge(503, status(503, "UNAVAILABLE"), (b"x-should-retry", b"false")).should_retry is False


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "status", "message", "details", "retryDelay", "reason"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from([None, 400, 403, 429, 500]), _ANY | st.builds(lambda error: {"error": error}, _ANY))
def test_no_error_breaks_the_judge(code: int | None, said: Any) -> None:
    error = classify(code, fault_of(json.dumps(said).encode()))
    assert 400 <= error.status < 600
