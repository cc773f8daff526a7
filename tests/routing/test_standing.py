"""What a worker remembers of a target, and when it lets calls through."""

import pytest

from mainstay.core.clock import monotonic
from mainstay.core.errors import (
    UpstreamCredential,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from mainstay.routing.signals import signal_of
from mainstay.routing.standing import Credential, Standing
from support.routing import make_target


def make(credential: Credential | None = None) -> Standing:
    return Standing(make_target("a"), credential or Credential(), draw=lambda: 0.5)


def fail(
    standing: Standing, error: UpstreamFailed | UpstreamRateLimited | UpstreamCredential, now: float = 0.0
) -> None:
    standing.failed(error, signal_of(error), now)


def test_an_upstream_that_names_a_time_is_left_alone_until_then_by_every_call() -> None:
    standing = make()
    fail(standing, UpstreamRateLimited("x", retry_after=7.0))
    assert not standing.usable(6.9)
    assert standing.throttled(6.0) == 1.0
    assert standing.usable(7.0)
    assert "limits the rate" in standing.describe(1.0)


def test_a_shorter_time_does_not_shorten_a_longer_one() -> None:
    standing = make()
    fail(standing, UpstreamRateLimited("x", retry_after=7.0))
    fail(standing, UpstreamRateLimited("x", retry_after=1.0))
    assert not standing.usable(6.9)


def test_an_absurd_time_is_cut_to_an_hour() -> None:
    standing = make()
    fail(standing, UpstreamRateLimited("x", retry_after=1e9))
    assert standing.usable(3600.0)


def test_an_overloaded_upstream_that_names_a_time_is_left_alone_too() -> None:
    standing = make()
    fail(standing, UpstreamFailed("x", status=503, retry_after=2.0))
    assert not standing.usable(1.9)
    assert standing.usable(2.0)


def test_a_refused_credential_shuts_its_models_for_longer_each_time_and_opens_when_it_is_taken() -> None:
    credential = Credential()
    one, other = make(credential), make(credential)
    fail(one, UpstreamCredential("x"))
    assert not other.usable(14.9)
    assert "credential" in other.describe(1.0)
    assert other.usable(15.0)
    fail(other, UpstreamCredential("x"), 15.0)
    assert not one.usable(44.9)
    one.answered(0.1, 20.0)
    assert other.usable(20.0)


def test_a_callers_refused_request_says_that_the_upstream_lives() -> None:
    standing = make()
    for _ in range(3):
        fail(standing, UpstreamFailed("x"))
    standing.begin(10, 5.0)
    error = UpstreamRefused("bad field")
    standing.failed(error, signal_of(error), 5.0)
    assert standing.describe(5.0) == "up"


def test_retries_are_a_tenth_of_the_calls_and_one_a_second() -> None:
    standing = make()
    standing.begin(1, 0.0)
    taken = 0
    while standing.may_retry():
        taken += 1
    assert taken == 10
    for _ in range(30):
        standing.begin(1, 0.0)
    assert [standing.may_retry() for _ in range(4)] == [True, True, True, False]
    standing.begin(1, 2.0)
    assert [standing.may_retry() for _ in range(3)] == [True, True, False]


def test_what_is_under_way_is_counted_until_it_ends() -> None:
    standing = make()
    standing.begin(10, 0.0)
    standing.begin(5, 0.0)
    standing.end(10)
    assert (standing.in_flight, standing.outstanding) == (1, 5)


def test_the_first_token_is_measured_and_silence_counts_as_at_least_so_long() -> None:
    standing, now = make(), monotonic()
    assert standing.first_token is None
    standing.answered(0.5, now)
    assert standing.first_token == pytest.approx(0.5, rel=0.2)
    error = UpstreamTimeout("x")
    standing.failed(error, signal_of(error), now, 1000.0)
    assert standing.first_token is not None
    assert standing.first_token > 1.0


def test_how_a_target_is_is_said_in_words() -> None:
    standing = make()
    assert standing.describe(0.0) == "up"
    for _ in range(3):
        fail(standing, UpstreamFailed("x"))
    assert "failing; asked again in" in standing.describe(0.0)
    standing.begin(1, 6.0)
    assert standing.describe(6.0) == "failing; being probed"
