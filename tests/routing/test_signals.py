"""What each kind of failure allows, held against the table of the reliability page."""

import pytest

from mainstay.core import errors
from mainstay.core.errors import (
    CallerError,
    MainstayError,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from mainstay.routing.signals import Shuts, Signal, Verdict, signal_of

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MainstayError)]


def make(kind: type[MainstayError]) -> MainstayError:
    return kind("POST") if kind is errors.MethodNotAllowed else kind("x")


@pytest.mark.parametrize("kind", [kind for kind in ALL if issubclass(kind, errors.UpstreamError)])
def test_every_kind_of_upstream_error_has_a_row(kind: type[MainstayError]) -> None:
    if kind is not errors.UpstreamError:
        assert signal_of(make(kind)) != Signal()


@pytest.mark.parametrize("kind", [kind for kind in ALL if issubclass(kind, CallerError)])
def test_a_callers_fault_is_never_held_against_an_upstream(kind: type[MainstayError]) -> None:
    signal = signal_of(make(kind))
    assert signal.verdict is not Verdict.FAILED
    assert signal.here == 0


def test_a_timeout_is_never_tried_again_on_the_same_target() -> None:
    assert signal_of(UpstreamTimeout("x", should_retry=True)).here == 0


def test_a_rate_limit_throttles_and_is_no_failure() -> None:
    signal = signal_of(UpstreamRateLimited("x"))
    assert (signal.shuts, signal.verdict) == (Shuts.TARGET, Verdict.ALIVE)


def test_a_refusal_that_names_what_the_model_lacks_may_go_elsewhere() -> None:
    assert signal_of(UpstreamRefused("x", code="unsupported_parameter")).elsewhere
    assert not signal_of(UpstreamRefused("x")).elsewhere


def test_an_unknown_model_is_the_operators_and_no_failure() -> None:
    signal = signal_of(UpstreamFailed("x", code="upstream_not_found"))
    assert (signal.here, signal.elsewhere, signal.verdict) == (0, True, Verdict.ALIVE)
