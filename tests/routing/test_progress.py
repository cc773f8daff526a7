"""The way of one call through its targets: bounded, whatever fails and however it is set up."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import (
    ContentFiltered,
    ContextOverflow,
    MainstayError,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from mainstay.core.target import Target
from mainstay.routing.progress import Progress, Rules, Step
from mainstay.routing.signals import signal_of

TARGETS = [Target(name, "p", "openai", name, window=window) for name, window in zip("abcd", (0, 8, 16, 0), strict=True)]
A, B = TARGETS[:2]
KINDS = [
    ContentFiltered,
    ContextOverflow,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
]
faults = st.builds(
    lambda kind, after, should: kind("x", retry_after=after, should_retry=should),
    st.sampled_from(KINDS),
    st.none() | st.floats(0, 1e6),
    st.none() | st.booleans(),
)


def after(progress: Progress, target: Target, error: MainstayError, now: float = 0.0, **more: Any) -> Step | None:
    progress.asked(target)
    return progress.failed(
        target,
        error,
        signal_of(error),
        now,
        usable=more.get("usable", lambda _: True),
        may_retry=more.get("may_retry", lambda: True),
    )


def make(order: list[Target] | None = None, deadline: float = 60.0, **rules: Any) -> Progress:
    return Progress(Rules(**rules), order or [A, B], deadline, lambda: 0.5)


@given(
    st.integers(1, 16),
    st.integers(1, 4),
    st.floats(0, 30),
    st.floats(1, 120),
    st.lists(faults, min_size=80, max_size=80),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.floats(0, 1, exclude_max=True),
)
def test_a_call_ends_within_its_attempts_and_its_deadline_whatever_fails(
    attempts: int,
    count: int,
    patience: float,
    deadline: float,
    script: list[MainstayError],
    shut: list[bool],
    draw: float,
) -> None:
    order = TARGETS[:count]
    progress = Progress(Rules(attempts, patience), order, deadline, lambda: draw)
    now, target, silent = 0.0, order[0], set()
    times: dict[str, int] = {}
    first: MainstayError | None = None
    for error in script:
        assert now < deadline
        times[target.model] = times.get(target.model, 0) + 1
        assert target.model not in silent
        first = first or error
        step = after(progress, target, error, now, usable=lambda t: not shut[TARGETS.index(t)])
        if isinstance(error, UpstreamTimeout):
            silent.add(target.model)
        if step is None:
            break
        assert step.delay == 0 or step.cause == "retry"
        assert step.delay <= max(8.0, patience) + 1
        now += step.delay
        target = step.target
    else:
        raise AssertionError("a call went on for ever")
    assert progress.attempts <= attempts
    assert max(times.values()) <= 3
    assert progress.first_error is first


def test_one_attempt_is_kept_for_each_open_fallback() -> None:
    progress = make(TARGETS, attempts=4)
    step = after(progress, A, UpstreamFailed("x"))
    assert step is not None
    assert step.target is B


def test_a_shut_fallback_keeps_no_attempt_and_is_tried_for_want_of_better() -> None:
    progress = make(attempts=3)
    steps = [after(progress, A, UpstreamFailed("x"), usable=lambda t: t is A) for _ in range(3)]
    assert [step and step.cause for step in steps] == ["retry", "retry", None]
    progress = make(attempts=4)
    steps = [after(progress, A, UpstreamFailed("x"), usable=lambda t: t is A) for _ in range(3)]
    assert [step and step.target for step in steps] == [A, A, B]


def test_an_upstream_that_says_not_to_retry_is_not_asked_again() -> None:
    assert after(make([A]), A, UpstreamFailed("x", should_retry=False)) is None
    step = after(make(), A, UpstreamFailed("x", should_retry=False))
    assert step is not None
    assert step.target is B


def test_an_upstream_that_says_to_retry_is_asked_once_more() -> None:
    progress = make([A])
    error = UpstreamRefused("x", should_retry=True)
    step = after(progress, A, error)
    assert step is not None
    assert step.target is A
    assert after(progress, A, error) is None


def test_an_empty_retry_budget_allows_only_going_elsewhere() -> None:
    step = after(make(), A, UpstreamFailed("x"), may_retry=lambda: False)
    assert step is not None
    assert step.target is B
    assert after(make([A]), A, UpstreamFailed("x"), may_retry=lambda: False) is None


def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    assert after(make([A], deadline=1.0), A, UpstreamRateLimited("x", retry_after=2.0)) is None


def test_a_broken_answer_goes_elsewhere_where_there_is_somewhere() -> None:
    step = after(make(), A, UpstreamInterrupted("x"))
    assert step is not None
    assert step.target is B
    step = after(make([A]), A, UpstreamInterrupted("x"))
    assert step is not None
    assert step.target is A


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=2, unique=True))
def test_waits_are_drawn_at_random_so_that_callers_do_not_come_back_in_step(draws: list[float]) -> None:
    def waits(error: MainstayError) -> list[float]:
        found = []
        for drawn in draws:
            progress = Progress(Rules(attempts=4), [A], 60.0, lambda drawn=drawn: drawn)  # type: ignore[misc]  # bound now
            step = after(progress, A, error)
            assert step is not None
            found.append(step.delay)
        return found

    for error, least, most in (
        (UpstreamFailed("x"), 0.0, 0.5),
        (UpstreamRateLimited("x"), 0.25, 0.5),
        (UpstreamRateLimited("x", retry_after=2.0), 2.0, 2.05),
    ):
        found = waits(error)
        assert all(least <= delay <= most for delay in found)
        # The more was drawn, the longer.
        assert (found[0] <= found[1]) == (draws[0] <= draws[1]) or found[0] == found[1]
