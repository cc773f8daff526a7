"""When an upstream says to ask again, and what its words stand for."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.providers.errors import error_status, named_status, retry_after, should_retry

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"retry-after", b"3")], 3.0),
        ([(b"Retry-After", b" 0.5 ")], 0.5),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"1")], 0.25),
        ([(b"retry-after-ms", b"soon"), (b"retry-after", b"1")], 1.0),
        ([(b"retry-after", b"-5")], None),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"inf")], None),
        ([(b"retry-after", b"\xff")], None),
        ([(b"retry-after", b"")], None),
        ([(b"retry-after", b"99999999")], 3600.0),
        ([(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT")], 0.0),
        ([(b"retry-after", b"Wed, 21 Oct 2015 07:28:00")], 0.0),
        ([(b"retry-after", b"Wed, 21 Oct 9999 07:28:00 GMT")], 3600.0),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_the_wait_is_read_in_every_form_and_never_longer_than_an_hour(
    headers: Headers, seconds: float | None, limited: bool
) -> None:
    assert retry_after(headers, limited=limited) == seconds


def test_the_wait_may_be_a_date() -> None:
    wait = retry_after([(b"retry-after", formatdate(time.time() + 100, usegmt=True).encode())])
    assert wait is not None
    assert 90 < wait <= 100


def openai_limits(requests: tuple[bytes, bytes], tokens: tuple[bytes, bytes]) -> Headers:
    return [
        (b"X-RateLimit-Remaining-Requests", requests[0]),
        (b"x-ratelimit-reset-requests", requests[1]),
        (b"x-ratelimit-remaining-tokens", tokens[0]),
        (b"x-ratelimit-reset-tokens", tokens[1]),
    ]


@pytest.mark.parametrize(
    ("requests", "tokens", "seconds"),
    [
        ((b"0", b"1s"), (b"900", b"6m0s"), 1.0),
        ((b"12", b"1s"), (b"0", b"6m0s"), 360.0),
        ((b"0", b"20ms"), (b"0", b"1m30.5s"), 90.5),
        ((b"0", b"1h2m3s"), (b"0", b"1s"), 3600.0),
        ((b"0", b"12"), (b"9", b"1s"), 12.0),
        ((b"0", b""), (b"9", b"1s"), None),
        ((b"0", b"-1s"), (b"9", b"1s"), None),
        ((b"0", b"later"), (b"9", b"1s"), None),
        ((b"9", b"1s"), (b"9", b"1s"), None),
        ((b"none", b"1s"), (b"9", b"1s"), None),
    ],
)
def test_without_a_wait_the_spent_limit_says_when_it_is_filled_again(
    requests: tuple[bytes, bytes], tokens: tuple[bytes, bytes], seconds: float | None
) -> None:
    headers = openai_limits(requests, tokens)
    assert retry_after(headers, limited=True) == (None if seconds is None else pytest.approx(seconds))
    assert retry_after(headers) is None
    assert retry_after([*headers, (b"retry-after", b"7")], limited=True) == 7.0


def test_a_spent_limit_without_its_reset_says_nothing() -> None:
    assert retry_after([(b"x-ratelimit-remaining-requests", b"0")], limited=True) is None
    assert retry_after([(b"anthropic-ratelimit-requests-remaining", b"0")], limited=True) is None


@pytest.mark.parametrize("zone", ["Z", "+00:00"])
def test_a_limit_of_anthropic_is_filled_again_at_a_moment(zone: str) -> None:
    def moment(seconds: float) -> bytes:
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return (at.replace(tzinfo=None).isoformat(timespec="milliseconds") + zone).encode()

    headers = [
        (b"anthropic-ratelimit-requests-remaining", b"0"),
        (b"anthropic-ratelimit-requests-reset", moment(20)),
        (b"anthropic-ratelimit-input-tokens-remaining", b"0"),
        (b"anthropic-ratelimit-input-tokens-reset", moment(50)),
        (b"anthropic-ratelimit-output-tokens-remaining", b"8000"),
        (b"anthropic-ratelimit-output-tokens-reset", moment(500)),
    ]
    wait = retry_after(headers, limited=True)
    assert wait is not None
    assert 40 < wait <= 50
    assert retry_after([headers[0], (headers[1][0], moment(-9))], limited=True) == 0.0
    assert retry_after([headers[0], (headers[1][0], moment(99999))], limited=True) == 3600.0
    assert retry_after([headers[0], (headers[1][0], b"tomorrow")], limited=True) is None


NAMES = st.sampled_from(
    [
        b"retry-after",
        b"retry-after-ms",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-reset-requests",
        b"anthropic-ratelimit-tokens-remaining",
        b"anthropic-ratelimit-tokens-reset",
    ]
)
VALUES = st.binary(max_size=12) | st.from_regex(rb"[0-9.hmsunZT:+-]{0,12}", fullmatch=True) | st.just(b"0")


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_whatever_the_headers_say_the_wait_is_sane(headers: Headers) -> None:
    wait = retry_after(headers, limited=True)
    assert wait is None or 0 <= wait <= 3600


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([], None),
        ([(b"x-should-retry", b"true")], True),
        ([(b"X-Should-Retry", b" False ")], False),
        ([(b"x-should-retry", b"maybe")], None),
    ],
)
def test_what_the_upstream_says_about_asking_again_is_read(headers: Headers, says: bool | None) -> None:
    assert should_retry(headers) is says


@pytest.mark.parametrize(
    ("value", "status"),
    [(429, 429), ("503", 503), (200, 0), (700, 0), ("429 ", 0), ("٤٢٩", 0), (True, 0), (None, 0), (429.0, 0)],
)
def test_only_the_number_of_an_http_error_is_one(value: object, status: int) -> None:
    assert error_status(value) == status


def test_the_first_word_that_is_known_counts() -> None:
    assert named_status("odd", "Rate_Limit_Error", "api_error") == 429
    assert named_status("odd", "") == 0
