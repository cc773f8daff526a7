"""What each of Bedrock's exceptions means, and that nothing secret comes out of its words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core import errors
from mainstay.providers.bedrock.codec import BedrockCodec


def judge(status: int, name: str, message: str = "x", **headers: str) -> errors.MainstayError:
    pairs = [(b"x-amzn-errortype", name.encode())] if name else []
    pairs += [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    return BedrockCodec().error(status, pairs, json.dumps({"message": message}).encode())


@pytest.mark.parametrize(
    ("status", "name", "message", "kind", "shown", "code"),
    [
        (429, "ThrottlingException", "Too many tokens", errors.UpstreamRateLimited, 429, "upstream_rate_limited"),
        (400, "ServiceQuotaExceededException", "x", errors.UpstreamRateLimited, 429, "upstream_rate_limited"),
        (429, "", "x", errors.UpstreamRateLimited, 429, "upstream_rate_limited"),
        (429, "ModelNotReadyException", "x", errors.UpstreamFailed, 503, "upstream_failed"),
        (503, "ServiceUnavailableException", "x", errors.UpstreamFailed, 503, "upstream_failed"),
        (408, "ModelTimeoutException", "x", errors.UpstreamFailed, 504, "upstream_request_timeout"),
        (424, "ModelErrorException", "x", errors.UpstreamFailed, 502, "upstream_failed"),
        (500, "InternalServerException", "x", errors.UpstreamFailed, 502, "upstream_failed"),
        (502, "", "x", errors.UpstreamFailed, 502, "upstream_failed"),
        (403, "AccessDeniedException", "No.", errors.UpstreamCredential, 502, "upstream_credential"),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            errors.UpstreamFailed,
            502,
            "upstream_not_found",
        ),
        (403, "UnrecognizedClientException", "x", errors.UpstreamCredential, 502, "upstream_credential"),
        (403, "InvalidSignatureException", "x", errors.UpstreamCredential, 502, "upstream_credential"),
        (403, "ExpiredTokenException", "x", errors.UpstreamCredential, 502, "upstream_credential"),
        (404, "ResourceNotFoundException", "x", errors.UpstreamFailed, 502, "upstream_not_found"),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            errors.UpstreamFailed,
            502,
            "upstream_not_found",
        ),
        (400, "ValidationException", "Malformed input request", errors.UpstreamRefused, 400, "upstream_refused"),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            errors.ContextOverflow,
            400,
            "context_length_exceeded",
        ),
        (
            400,
            "ValidationException",
            "The model returned the following errors: prompt is too long: 210 tokens > 200 maximum",
            errors.ContextOverflow,
            400,
            "context_length_exceeded",
        ),
        (
            400,
            "ValidationException",
            "Output blocked by content filtering policy",
            errors.ContentFiltered,
            400,
            "content_filter",
        ),
        (413, "", "x", errors.UpstreamRefused, 413, "upstream_refused"),
    ],
)
def test_an_exception_means_one_thing(
    status: int, name: str, message: str, kind: type[errors.MainstayError], shown: int, code: str
) -> None:
    for error in (
        judge(status, name, message),
        BedrockCodec().error(status, (), json.dumps({"__type": f"com.aws#{name}", "Message": message}).encode()),
        judge(status, f"{name}:http://internal.amazon.com/coral/" if name else "", message),
    ):
        assert type(error) is kind
        assert (error.status, error.code) == (shown, code)


def test_the_wait_that_is_named_is_kept() -> None:
    assert judge(429, "ThrottlingException", retry_after="3").retry_after == 3.0


def test_a_clock_that_is_wrong_is_said() -> None:
    error = judge(403, "InvalidSignatureException", "Signature expired: 20150830T123600Z is now earlier than ...")
    assert "clock" in error.message


def test_words_that_pass_lose_accounts_keys_and_addresses() -> None:
    error = judge(
        400,
        "ValidationException",
        "No arn:aws:bedrock:eu-west-1:123456789012:model/x for 123456789012 and AKIAIOSFODNN7EXAMPLE at"
        " https://internal.amazonaws.com/x",
    )
    for secret in ("123456789012", "AKIA", "amazonaws"):
        assert secret not in error.message


_faults = st.dictionaries(
    st.sampled_from(["message", "__type", "code", "Message"]), st.one_of(st.text(max_size=20), st.integers(), st.none())
)


@given(st.integers(400, 599), st.one_of(st.binary(max_size=60), _faults.map(lambda fault: json.dumps(fault).encode())))
def test_no_body_of_an_error_crashes_the_codec(status: int, body: Any) -> None:
    assert isinstance(BedrockCodec().error(status, (), body), errors.MainstayError)


def test_an_error_under_a_200_is_an_error() -> None:
    with pytest.raises(errors.UpstreamRateLimited):
        BedrockCodec().whole(b'{"__type":"ThrottlingException","message":"Slow down."}')
    with pytest.raises(errors.UpstreamBroken):
        BedrockCodec().whole(b"{}")
