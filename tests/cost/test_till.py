"""The till: each attempt priced by what it took, each hold given up, each budget charged once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage
from mainstay.cost.notes import Ask, Give, Grant
from mainstay.cost.prices import FREE, read_prices
from mainstay.cost.purse import Purse, Purses
from mainstay.cost.rates import Tariff
from mainstay.cost.rules import Rule, Series, Unit
from mainstay.cost.till import Habit, Priced, Tab, Till
from mainstay.cost.windows import Window

DAY = 86_400_000
NOW = 100 * DAY + 5
#: A token in costs 1e-6 dollars, one out 2e-6.
IN, OUT = 10**6, 2 * 10**6
TARIFF = Tariff(read_prices({"input": 1, "output": 2}, source="config", version="t"))


def series(name: str, unit: Unit = Unit.USD, *, hard: bool = True) -> Series:
    return Series(name, Rule(name, unit, 10**15, Window("day"), hard=hard))


class Desk:
    """A till whose bank grants what it is asked for."""

    def __init__(self) -> None:
        self.given: dict[str, int] = {}
        self.purses = Purses(self._say)
        self.till = Till(self.purses)
        self.till.renew(
            {"m": Priced(TARIFF, "config"), "n": Priced(TARIFF, "ceiling"), "o": Priced(Tariff((FREE,)), "own")}
        )

    def _say(self, note: Ask | Give) -> bool:
        if isinstance(note, Give):
            self.given[note.series] = self.given.get(note.series, 0) + note.amount
        return True

    def purse(self, one: Series, held: int = 10**12, at: int = NOW) -> Purse:
        purse = self.purses.find(one, at)
        purse.left += held
        purse.held += held
        return purse

    def hold(self, tab: Tab, purse: Purse, amount: int, attempt: Attempt | None = None, model: str = "") -> None:
        purse.left -= amount
        purse.open += 1
        tab.holds.append((purse, amount, attempt))
        if model:
            tab.models.setdefault(purse, set()).add(model)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def record(*attempts: Attempt, **fields: object) -> Record:
    made = Record("1", "1", NOW, attempts=list(attempts), request_bytes=400, outcome="ok")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def attempt(target: str = "m", given: int = 10, written: int = 5, **fields: object) -> Attempt:
    made = Attempt(target, "p", outcome="ok", status=200, usage=Usage(given, written))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


COST = 10 * IN + 5 * OUT


def test_a_call_is_charged_what_its_attempts_cost_and_the_rest_comes_back(desk: Desk) -> None:
    one = record(attempt())
    tab = desk.till.open(one)
    purse = desk.purse(series("b"))
    desk.hold(tab, purse, 10**9, one.attempts[0])
    desk.till.settle(one)
    assert (one.cost_usd, one.attempts[0].cost, one.charges) == ("0.00002", COST, {purse.id: COST})
    assert (purse.left, purse.open) == (10**12 - COST, 0)
    assert one.id not in desk.till.tabs


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=5))
def test_whatever_attempts_took_budgets_are_charged_their_sum(took: list[tuple[int, int]]) -> None:
    desk = Desk()
    one = record(*(attempt(given=given, written=written) for given, written in took))
    tab = desk.till.open(one)
    first, second = desk.purse(series("a")), desk.purse(series("b"))
    for made in one.attempts:
        for purse in (first, second):
            desk.hold(tab, purse, 10**9, made)
    desk.till.settle(one)
    total = sum(given * IN + written * OUT for given, written in took)
    assert sum(made.cost or 0 for made in one.attempts) == total
    assert one.charges == ({first.id: total, second.id: total} if total else {})
    for purse in (first, second):
        assert (purse.open, purse.left) == (0, max(0, 10**12 - total))
        assert purse.held == max(10**12, total)


def test_a_budget_of_a_model_is_charged_its_attempts_alone(desk: Desk) -> None:
    one = record(attempt("m"), attempt("n", 100, 0))
    tab = desk.till.open(one)
    purse = desk.purse(series("b"))
    desk.hold(tab, purse, 10**9, one.attempts[0], "m")
    desk.till.settle(one)
    assert one.charges == {purse.id: COST}


@pytest.mark.parametrize("copied", [False, True])
def test_attempts_of_two_periods_are_charged_each_to_its_own(desk: Desk, copied: bool) -> None:
    one = record(attempt(), attempt(given=7))
    tab = desk.till.open(one)
    before = desk.purse(series("b"))
    desk.hold(tab, before, 10**9, one.attempts[0])
    after = desk.purse(series("b"), at=NOW + DAY)
    desk.hold(tab, after, 10**9, one.attempts[1])
    if copied:
        # One that was left is another object in the record.
        one.attempts[0] = attempt()
    desk.till.settle(one)
    assert one.charges == {before.id: COST, after.id: 7 * IN + 5 * OUT}


def test_rates_count_calls_and_what_they_took(desk: Desk) -> None:
    one = record(attempt("m"), attempt("n", 100, 1), usage=Usage(100, 1))
    tab = desk.till.open(one)
    calls, tokens, places = (desk.purse(series(str(unit), unit), 1000) for unit in list(Unit)[1:])
    desk.hold(tab, calls, 1)
    desk.hold(tab, tokens, 300)
    desk.hold(tab, places, 1)
    desk.till.settle(one)
    assert (calls.left, tokens.left, places.left) == (999, 1000 - 116, 1000)
    assert one.charges == {}


def test_rates_of_a_model_count_its_attempts(desk: Desk) -> None:
    one = record(attempt("m"), attempt("m"), attempt("n", 100, 1))
    tab = desk.till.open(one)
    calls, tokens = desk.purse(series("c", Unit.REQUESTS), 1000), desk.purse(series("t", Unit.TOKENS), 1000)
    for made in one.attempts[:2]:
        desk.hold(tab, calls, 1, made, "m")
        desk.hold(tab, tokens, 100, made, "m")
    desk.till.settle(one)
    assert (calls.left, tokens.left) == (998, 970)


def test_a_call_that_was_refused_counts_against_nothing(desk: Desk) -> None:
    one = record(outcome="refused")
    calls = desk.purse(series("c", Unit.REQUESTS), 10)
    desk.hold(desk.till.open(one), calls, 1)
    desk.till.settle(one)
    assert (calls.left, one.cost_usd) == (10, None)


@pytest.mark.parametrize(
    ("made", "cost"),
    [
        (Attempt("m", "p", outcome="upstream_error", status=500), 0),
        (Attempt("m", "p", outcome="upstream_unreachable"), 0),
        (Attempt("m", "p", outcome="outrun"), 100 * IN),
        (Attempt("m", "p", outcome="caller_gone", events=3), 100 * IN + 3 * OUT),
        (Attempt("m", "p", outcome="upstream_interrupted", status=200, events=3), 100 * IN + 3 * OUT),
        (Attempt("m", "p", outcome="upstream_timeout"), 100 * IN),
    ],
    ids=lambda value: getattr(value, "outcome", value),
)
def test_an_attempt_of_which_nobody_says_what_it_took(desk: Desk, made: Attempt, cost: int) -> None:
    one = record(made, outcome="failed")
    desk.till.settle(one)
    assert made.cost == cost
    assert made.usage is None or made.usage.estimated


def test_sound_whose_length_nobody_tells_is_not_free() -> None:
    desk = Desk()
    desk.till.renew({"m": Priced(Tariff(read_prices({"audio_hour": 1}, source="config", version="t")), "config")})
    one = record(Attempt("m", "p", outcome="ok", status=200), operation="transcription", request_bytes=1_000_000)
    desk.till.settle(one)
    assert one.attempts[0].cost
    assert one.attempts[0].usage is not None
    assert one.attempts[0].usage.estimated


def test_the_last_of_several_answers_is_charged_its_own_part(desk: Desk) -> None:
    one = record(attempt(), Attempt("m", "p", outcome="caller_gone", status=200, events=2), usage=Usage(30, 9))
    desk.till.settle(one)
    assert [made.cost for made in one.attempts] == [COST, 20 * IN + 4 * OUT]
    # What was said of the others alone says nothing of it.
    other = record(attempt(), Attempt("m", "p", outcome="caller_gone", status=200, events=2), usage=Usage(10, 5))
    desk.till.settle(other)
    assert [made.cost for made in other.attempts] == [COST, 100 * IN + 2 * OUT]


def test_what_nobody_knows_the_price_of_is_counted(desk: Desk) -> None:
    desk.till.settle(record(attempt("n")))
    assert desk.till.unpriced == 1
    reported = record(attempt("n", usage=Usage(10, 5, reported=77)))
    desk.till.settle(reported)
    assert (reported.attempts[0].cost, reported.attempts[0].priced, reported.attempts[0].computed) == (
        77,
        "reported",
        COST,
    )
    assert desk.till.unpriced == 1


def test_what_is_ours_costs_nothing(desk: Desk) -> None:
    one = record(attempt("o"))
    desk.till.settle(one)
    assert (one.cost_usd, one.attempts[0].cost, one.attempts[0].priced) == ("0", 0, "own")


def test_a_model_that_is_unknown_is_not_priced(desk: Desk) -> None:
    one = record(attempt("gone"))
    desk.till.settle(one)
    assert (one.cost_usd, one.attempts[0].cost) == (None, None)


def test_more_than_was_reserved_is_an_overdraft_and_remembered_for_a_while(desk: Desk) -> None:
    one = record(attempt(written=5000), target="m")
    tab = desk.till.open(one)
    purse = desk.purse(series("b"), 10**6)
    desk.hold(tab, purse, 10**6, one.attempts[0])
    desk.till.settle(one)
    assert desk.till.overdrafts == 1
    assert desk.given == {"b": 10**6 - (10 * IN + 5000 * OUT)}
    assert desk.till.habit_of("m").excess == 16.0
    for _ in range(300):
        desk.till.settle(record(attempt()))
    assert desk.till.habit_of("m").excess == 1.0


def test_what_was_let_through_without_a_hold_is_charged_and_is_no_overdraft(desk: Desk) -> None:
    one = record(attempt())
    tab = desk.till.open(one)
    purse = desk.purse(series("b"), 0)
    desk.hold(tab, purse, 0, one.attempts[0])
    tab.unheld.add(purse)
    desk.till.settle(one)
    assert one.charges == {purse.id: COST}
    assert (desk.given, desk.till.overdrafts) == ({"b": -COST}, 0)


def test_a_soft_budget_has_no_overdraft(desk: Desk) -> None:
    one = record(attempt())
    purse = desk.purse(series("b", hard=False), 5)
    desk.hold(desk.till.open(one), purse, 5, one.attempts[0])
    desk.till.settle(one)
    assert desk.till.overdrafts == 0


def test_habits_are_of_the_last_calls() -> None:
    habit = Habit()
    assert (habit.dearest, habit.longest) == (0, 0)
    habit.add(100, 7)
    for _ in range(63):
        habit.add(10, 1)
    assert (habit.dearest, habit.longest) == (100, 7)
    for _ in range(64):
        habit.add(10, 1)
    assert (habit.dearest, habit.longest) == (10, 1)


def test_a_grant_that_was_not_asked_for_changes_nothing(desk: Desk) -> None:
    before = list(desk.purses.held())
    desk.purses.granted(Grant(99, 5, 0, 0))
    assert list(desk.purses.held()) == before
