"""What callers say in the words of HTTP is what they get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.caching.controls import Controls, read_controls
from mainstay.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("said", "controls"),
    [
        (b"", Controls()),
        (b"no-store", Controls(look=False, keep=False)),
        (b"No-Cache", Controls(look=False)),
        (b"max-age=60", Controls(age=60)),
        (b'max-age="60"', Controls(age=60)),
        (b"max-age=60, max-age=30", Controls(age=30)),
        (b"max-age=0", Controls(look=False, age=0)),
        (b"max-age=soon", Controls(look=False, age=0)),
        (b"only-if-cached", Controls(only=True)),
        (b"max-age=5 , only-if-cached", Controls(age=5, only=True)),
        (b"max-stale=5, min-fresh=1, no-transform, x=y", Controls()),
    ],
)
def test_directives_mean_what_http_says(said: bytes, controls: Controls) -> None:
    assert read_controls({b"cache-control": said}) == controls


def test_without_headers_nothing_is_special() -> None:
    assert read_controls({}) == Controls()


def test_a_caller_may_ask_for_more_likeness() -> None:
    assert read_controls({b"x-mainstay-cache-similarity": b"0.97"}).similarity == 0.97


@pytest.mark.parametrize("said", [b"2", b"-0.1", b"high", b"nan", b""])
def test_a_likeness_that_is_none_is_refused(said: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_controls({b"x-mainstay-cache-similarity": said})


@given(st.binary(max_size=60))
def test_whatever_is_said_is_understood_or_passed_over(said: bytes) -> None:
    controls = read_controls({b"cache-control": said})
    assert controls.keep or not controls.look
