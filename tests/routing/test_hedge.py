"""When a second copy is sent: seeded simulations of an upstream, calls overlapping or one after the other."""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.routing.hedge import Hedge

#: From the number of a call and random numbers to the seconds until its first token.
Draw = Callable[[int, random.Random], float]
CALLS = 10_000


@dataclass
class Run:
    """What came of a simulation: first-token times alone and with copies, and the calls that were copied."""

    alone: list[float] = field(default_factory=list)
    hedged: list[float] = field(default_factory=list)
    copied: list[int] = field(default_factory=list)

    def cut(self, share: float = 0.99) -> float:
        """Return by what share copies shortened a percentile."""
        place = int(len(self.alone) * share)
        return 1 - sorted(self.hedged)[place] / sorted(self.alone)[place]

    def copied_between(self, start: int, end: int) -> int:
        return sum(start <= call < end for call in self.copied)


def simulate(draw: Draw, seed: int = 1, gap: float = 0.01, calls: int = CALLS, hedge: Hedge | None = None) -> Run:
    """Send a call every ``gap`` seconds, with copies as a hedge says."""
    rng = random.Random(seed)
    hedge = hedge or Hedge()
    run = Run(hedged=[0.0] * calls)
    copy_sent: dict[int, float] = {}
    done: set[int] = set()
    # (when, order, what, call); "late" when a delay has run out, "first" and "copy" when a first token comes.
    agenda: list[tuple[float, int, str, int]] = [(call * gap, call, "start", call) for call in range(calls)]
    while agenda:
        now, order, what, call = heapq.heappop(agenda)
        if what == "start":
            wait = hedge.delay("m", now)
            seconds = draw(call, rng)
            run.alone.append(seconds)
            heapq.heappush(agenda, (now + seconds, order, "first", call))
            if wait is not None:
                heapq.heappush(agenda, (now + wait, order, "late", call))
        elif call in done:
            continue
        elif what == "late":
            hedge.exceeded("m")
            if hedge.spend("m"):
                run.copied.append(call)
                copy_sent[call] = now
                heapq.heappush(agenda, (now + draw(call, rng), order, "copy", call))
        else:
            done.add(call)
            run.hedged[call] = now - call * gap
            hedge.observe("m", now - call * gap)
            if what == "copy":
                hedge.observe("m", now - copy_sent[call])
    return run


def lognormal(median: float, spread: float) -> Draw:
    return lambda call, rng: median * math.exp(rng.gauss(0, spread))


def stragglers(spread: float, share: float = 0.02, factor: float = 10) -> Draw:
    usual = lognormal(0.3, spread)
    return lambda call, rng: usual(call, rng) * (factor if rng.random() < share else 1)


def step(factor: float, usual: Draw, at: int = 5000) -> Draw:
    return lambda call, rng: usual(call, rng) * (factor if call >= at else 1)


def drift(factor: float, usual: Draw) -> Draw:
    return lambda call, rng: usual(call, rng) * (1 + (factor - 1) * call / CALLS)


#: One after the other, and a hundred or so at once.
GAPS = pytest.mark.parametrize("gap", [20.0, 0.005], ids=["alone", "together"])


@GAPS
@pytest.mark.parametrize("spread", [0.05, 0.1, 0.25, 0.5])
def test_stragglers_are_cut_short_within_the_budget(spread: float, gap: float) -> None:
    run = simulate(stragglers(spread), gap=gap)
    assert len(run.copied) <= 0.03 * CALLS
    assert run.cut() >= 0.4


@GAPS
def test_nearly_every_straggler_gets_its_copy(gap: float) -> None:
    run = simulate(stragglers(0.1), gap=gap)
    late = {call for call, seconds in enumerate(run.alone) if seconds > 1.5 and call >= 200}
    assert len(late & set(run.copied)) >= 0.93 * len(late)


@GAPS
@pytest.mark.parametrize("factor", [2, 3, 10])
@pytest.mark.parametrize("usual", [stragglers(0.1), stragglers(0.5), lognormal(0.3, 0.1)])
def test_when_all_calls_become_slow_hardly_any_is_copied(factor: float, usual: Draw, gap: float) -> None:
    run = simulate(step(factor, usual), gap=gap, calls=6000)
    assert run.copied_between(5000, 6000) <= 5


@GAPS
def test_after_the_upstream_stayed_slow_its_stragglers_are_copied_again(gap: float) -> None:
    run = simulate(step(3, stragglers(0.1), at=2000), gap=gap)
    assert run.copied_between(5000, CALLS) >= 0.015 * 5000


@GAPS
@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_an_upstream_that_drifts_is_followed(factor: float, gap: float) -> None:
    run = simulate(drift(factor, stragglers(0.2)), gap=gap)
    assert len(run.copied) <= 0.03 * CALLS
    assert run.cut() >= 0.4


@GAPS
@pytest.mark.parametrize("spread", [0.3, 0.5, 1.0])
def test_copies_never_pass_the_budget_and_never_make_a_tail_longer(spread: float, gap: float) -> None:
    run = simulate(lognormal(0.3, spread), gap=gap)
    assert len(run.copied) <= 0.03 * CALLS
    assert run.cut() > -0.01


@GAPS
def test_a_slow_mode_is_no_straggler(gap: float) -> None:
    def cached_or_not(call: int, rng: random.Random) -> float:
        return (0.1 if rng.random() < 0.8 else 1.0) * math.exp(rng.gauss(0, 0.1))

    assert len(simulate(cached_or_not, gap=gap).copied) <= 0.005 * CALLS


def warm(seconds: float = 0.3, calls: int = 100) -> Hedge:
    hedge = Hedge()
    for call in range(calls):
        hedge.delay("m", call)
        hedge.observe("m", seconds)
    return hedge


def test_no_copy_before_fifty_times_are_known() -> None:
    assert warm(calls=49).delay("m", 50.0) is None
    assert warm(calls=50).delay("m", 50.0) == pytest.approx(0.36)


def test_targets_are_learnt_apart() -> None:
    hedge = warm()
    assert hedge.delay("other", 100.0) is None
    assert hedge.delay("m", 100.0) is not None


def test_answers_faster_than_jitter_are_not_copied_at_once() -> None:
    assert warm(0.001).delay("m", 100.0) == 0.02


def test_what_was_learnt_long_ago_is_forgotten() -> None:
    hedge = warm()
    assert hedge.delay("m", 600.0) is not None
    assert hedge.delay("m", 1300.0) is None
    for _ in range(50):
        hedge.observe("m", 1.0)
    assert hedge.delay("m", 1301.0) == pytest.approx(1.2)


def test_a_target_that_turns_slow_is_left_alone_before_one_slow_answer_is_complete() -> None:
    hedge = warm()
    sent = 0
    for _ in range(13):
        hedge.exceeded("m")
        sent += hedge.spend("m")
    assert sent <= 4
    assert hedge.delay("m", 101.0) is None
    assert not hedge.spend("m")
    for _ in range(1000):
        hedge.observe("m", 3.0)
    assert hedge.delay("m", 102.0) == pytest.approx(3.6)


def test_a_budget_of_nothing_sends_nothing() -> None:
    hedge = Hedge(budget=0.0)
    assert simulate(stragglers(0.1), calls=2000, hedge=hedge).copied == []


def test_an_unknown_target_spends_nothing() -> None:
    hedge = warm()
    hedge.exceeded("other")
    assert not hedge.spend("other")


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("delay"), st.floats(0, 100)),
        st.tuples(st.just("observe"), st.floats(0, 100)),
        st.tuples(st.sampled_from(["exceeded", "spend"]), st.just(0.0)),
    ),
    max_size=300,
)


@given(ACTS, st.floats(0, 0.2), st.floats(1, 10))
def test_in_any_order_of_events_copies_stay_within_share_and_burst(
    acts: list[tuple[str, float]], budget: float, burst: float
) -> None:
    hedge = Hedge(budget, burst)
    for _ in range(60):
        hedge.observe("m", 0.1)
    now, calls, sent = 0.0, 0, 0
    for act, value in acts:
        if act == "delay":
            now += value
            calls += 1
            wait = hedge.delay("m", now)
            assert wait is None or wait >= 0.02
        elif act == "observe":
            hedge.observe("m", value)
        elif act == "exceeded":
            hedge.exceeded("m")
        else:
            sent += hedge.spend("m")
        assert sent <= budget * calls + 1e-6
