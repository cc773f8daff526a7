"""An upstream's errors mean one thing each, give nothing away, and are written as the SDK parses them."""

import json
from typing import Any

import httpx
import openai
import pytest

from mainstay.core.errors import (
    ContentFiltered,
    ContextOverflow,
    InvalidRequest,
    MainstayError,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
)
from mainstay.providers.openai import OpenAICodec, render_error
from mainstay.providers.openai.errors import inner_error, redact


def judge(status: int, error: Any = None, *headers: tuple[bytes, bytes], raw: bytes | None = None) -> MainstayError:
    body = json.dumps({"error": error}).encode() if raw is None else raw
    return OpenAICodec().error(status, headers, body)


@pytest.mark.parametrize(
    ("status", "kind", "seen"),
    [
        (400, UpstreamRefused, 400),
        (401, UpstreamCredential, 502),
        (402, UpstreamCredential, 502),
        (403, UpstreamCredential, 502),
        (404, UpstreamFailed, 502),
        (405, UpstreamRefused, 405),
        (408, UpstreamFailed, 504),
        (409, UpstreamFailed, 502),
        (413, UpstreamRefused, 413),
        (415, UpstreamRefused, 415),
        (422, UpstreamRefused, 422),
        (429, UpstreamRateLimited, 429),
        (499, UpstreamFailed, 504),
        (500, UpstreamFailed, 502),
        (502, UpstreamFailed, 502),
        (503, UpstreamFailed, 503),
        (504, UpstreamFailed, 504),
        (529, UpstreamFailed, 503),
    ],
)
@pytest.mark.parametrize(
    "raw", [b"", b"<html>nginx</html>", b"\xff\xfe", b"[]", b"null", b'{"error":null}', b'{"error":7}']
)
def test_the_status_decides_whatever_the_body(status: int, kind: type[MainstayError], seen: int, raw: bytes) -> None:
    error = judge(status, raw=raw)
    assert (type(error), error.status) == (kind, seen)
    assert error.message.endswith(".")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (
            400,
            {
                "message": "This model's maximum context length is 8192 tokens.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            },
        ),
        (
            400,
            {
                "code": 400,
                "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error",
                "n_ctx": 4096,
            },
        ),
        (500, {"message": "too long", "code": "context_length_exceeded"}),
        (
            400,
            {
                "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
                "type": "BadRequestError",
                "code": 400,
            },
        ),
        (400, {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."}),
        (400, {"message": "Prompt contains 70000 tokens, too large for model with 32768 maximum context length"}),
    ],
)
def test_a_prompt_that_is_too_long_is_known(status: int, error: dict[str, Any]) -> None:
    found = judge(status, error)
    assert type(found) is ContextOverflow
    assert (found.status, found.code, found.message) == (400, "context_length_exceeded", error["message"])
    assert found.param == error.get("param")


def test_words_about_context_in_a_server_error_prove_nothing() -> None:
    assert type(judge(500, {"message": "maximum context length cache failed"})) is UpstreamFailed


def test_a_content_filter_gives_its_reason_and_categories() -> None:
    categories = {"hate": {"filtered": True, "severity": "high"}}
    azure = {
        "message": "The response was filtered.",
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": categories},
    }
    found = judge(400, azure)
    assert type(found) is ContentFiltered
    assert (found.code, found.param, found.message) == ("content_filter", "prompt", "The response was filtered.")
    assert json.loads(render_error(found))["error"]["content_filter_results"] == categories
    policy = judge(400, {"message": "No.", "code": "content_policy_violation"})
    assert (type(policy), policy.code, policy.extra) == (ContentFiltered, "content_policy_violation", None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (
            429,
            {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"},
        ),
        (402, {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}),
        (402, None),
        (400, {"message": "Your credit balance is too low to access the API.", "type": "invalid_request_error"}),
    ],
)
def test_a_spent_quota_is_the_operators_to_fix_and_has_its_own_code(status: int, error: Any) -> None:
    found = judge(status, error)
    assert (type(found), found.code, found.status) == (UpstreamCredential, "upstream_quota", 502)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "upstream_credential"),
        (403, "upstream_credential"),
        (404, "upstream_not_found"),
        (408, "upstream_request_timeout"),
        (409, "upstream_conflict"),
        (500, "upstream_failed"),
    ],
)
def test_what_may_be_done_about_a_failure_is_told_by_its_code(status: int, code: str) -> None:
    assert judge(status).code == code


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 500, 503])
@pytest.mark.parametrize(("said", "says"), [(b"true", True), (b"false", False), (None, None)])
def test_what_the_upstream_says_about_asking_again_is_kept(status: int, said: bytes | None, says: bool | None) -> None:
    headers = () if said is None else ((b"x-should-retry", said),)
    assert judge(status, None, *headers).should_retry is says


def test_a_rate_limit_waits_for_the_limit_that_is_spent_and_a_failure_does_not() -> None:
    spent = ((b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"6m0s"))
    assert judge(429, None, *spent).retry_after == 360.0
    assert judge(429, None, *spent, (b"retry-after", b"2")).retry_after == 2.0
    assert judge(503, None, *spent).retry_after is None
    assert judge(503, None, *spent, (b"retry-after", b"2")).retry_after == 2.0


def test_a_filter_is_known_by_its_words_too() -> None:
    assert type(judge(400, {"message": "Output blocked by content filtering policy"})) is ContentFiltered


@pytest.mark.parametrize("body", [{"message": "hello"}, {"choices": []}, {"error": None}, {"error": ""}, [], 7, "x"])
def test_what_is_no_error_holds_none(body: Any) -> None:
    assert inner_error(json.dumps(body).encode()) is None


def test_words_with_half_a_character_are_still_read() -> None:
    assert judge(400, {"message": "bad \ud83d value"}).message == "bad \ufffd value"


@pytest.mark.parametrize("status", [401, 402, 403])
def test_the_upstreams_words_about_our_key_stay_inside(status: int) -> None:
    found = judge(status, {"message": "Incorrect API key provided: sk-proj-abcd****wxyz.", "code": "invalid_api_key"})
    assert "sk-" not in render_error(found).decode()
    assert "proj" not in found.message


def test_a_refusal_keeps_its_words_field_and_code() -> None:
    found = judge(
        422,
        {
            "message": "temperature must be at most 2",
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "out_of_range",
        },
    )
    assert (type(found), found.status, found.message) == (UpstreamRefused, 422, "temperature must be at most 2")
    assert (found.param, found.code, found.type) == ("temperature", "out_of_range", "invalid_request_error")
    plain = judge(400, {"message": "no", "code": None})
    assert (plain.param, plain.code) == (None, "upstream_refused")


@pytest.mark.parametrize(
    ("raw", "message", "param"),
    [
        (b'{"error":"model is busy"}', "model is busy", None),
        (b'{"object":"error","message":"bad","type":"BadRequestError","param":"n","code":400}', "bad", "n"),
        (b'{"detail":"Not allowed here"}', "Not allowed here", None),
        (
            b'{"detail":[{"loc":["body","messages",0,"role"],"msg":"Input should be user","type":"enum"}]}',
            "Input should be user",
            "messages[0].role",
        ),
        (b'[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]', "bad", None),
    ],
)
def test_other_servers_errors_are_read(raw: bytes, message: str, param: str | None) -> None:
    found = judge(400, raw=raw)
    assert (type(found), found.message, found.param) == (UpstreamRefused, message, param)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-1234567890abcdef",
        "sk-ant-api03-AbCdEf123456",
        "Bearer abc.def",
        "gsk_abcdefgh12345678",
        "AIzaSyA1234567890abcdefghijklmnopqrstu",
        "hf_abcdefgh1jklmnop",
        "org-AbCdEf123456789",
        "0123456789abcdef0123456789abcdef0123",
        "https://api.example.com/v1/chat",
        "http://10.0.0.7:8000/v1",
        "10.0.0.7:8000",
        "localhost:11434",
        "vllm-7.models.svc",
        "eu.api.openai.com",
        "/home/app/server/main.py",
        "/usr/lib/python3/site.py",
    ],
)
def test_what_looks_like_a_key_an_address_or_a_path_is_taken_out(secret: str) -> None:
    found = judge(400, {"message": f"It went wrong at {secret} today", "param": secret, "code": f"x {secret}"})
    assert secret not in render_error(found).decode()
    assert "It went wrong at" in found.message
    assert "today" in found.message


@pytest.mark.parametrize(
    "words",
    [
        "Invalid value for 'messages[0].content[1].image_url': expected an object.",
        "An api-version is needed: api_key_required, skip-listed, key_value_pairs, project_id_7, org-wide-policy.",
        "max_completion_tokens must be at most 16384; see /messages/0/role.",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "Invalid schema for response_format 'answer': additionalProperties must be false, e.g. {\"a\": 1.5}",
    ],
)
def test_plain_words_stay_as_they_are(words: str) -> None:
    assert redact(words) == words


def test_a_stack_trace_is_never_passed_on() -> None:
    found = judge(400, {"message": 'Traceback (most recent call last):\n  File "/srv/x.py"\nValueError: x'})
    assert found.message == "The upstream refused the request; check its fields."


def test_long_words_are_cut() -> None:
    assert len(judge(400, {"message": "word " * 9999}).message) <= 1000


def test_the_envelope_has_all_four_keys_and_null_is_null() -> None:
    assert json.loads(render_error(InvalidRequest("No."))) == {
        "error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": "invalid_request"}
    }
    greedy = InvalidRequest("No.", param="n", extra={"message": "other", "n_ctx": 5})
    assert json.loads(render_error(greedy))["error"] == {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "n",
        "code": "invalid_request",
        "n_ctx": 5,
    }


def test_the_official_sdk_reads_what_is_rendered() -> None:
    error = InvalidRequest("'n' must be 1 or more.", param="n")
    transport = httpx.MockTransport(lambda _: httpx.Response(error.status, content=render_error(error)))
    with (
        openai.OpenAI(api_key="x", base_url="http://test/v1", http_client=httpx.Client(transport=transport)) as client,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        client.chat.completions.create(model="m", messages=[])
    assert (caught.value.code, caught.value.param, caught.value.type) == (
        "invalid_request",
        "n",
        "invalid_request_error",
    )
