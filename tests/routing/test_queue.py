"""Who goes next, who has to go, and that nobody is lost."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mainstay.core.call import Priority
from mainstay.routing.queue import Waiter, WaitingRoom, cost

CRITICAL, STANDARD, SHEDDABLE = Priority


def put(
    room: WaitingRoom[str],
    item: str,
    *,
    band: Priority = STANDARD,
    name: str = "a",
    weight: float = 1.0,
    tokens: int = 10,
    deadline: float = 1.0,
) -> Waiter[str]:
    return room.put(item, band, name, weight, tokens, deadline)


def picked(room: WaitingRoom[str], times: int = 1000) -> list[str]:
    items = []
    while len(items) < times and (waiter := room.pick()) is not None:
        items.append(waiter.item)
    return items


def test_a_call_costs_its_prompt_and_twice_its_answer() -> None:
    assert cost(100, 50) == 200


def test_higher_bands_go_first() -> None:
    room: WaitingRoom[str] = WaitingRoom(10, 1000)
    for band in (SHEDDABLE, STANDARD, CRITICAL):
        put(room, band.name, band=band)
    assert picked(room) == ["CRITICAL", "STANDARD", "SHEDDABLE"]
    assert (room.count, room.tokens) == (0, 0)


def test_of_one_tenant_the_earliest_deadline_goes_first() -> None:
    room: WaitingRoom[str] = WaitingRoom(10, 1000)
    for deadline in (3.0, 1.0, 2.0):
        put(room, str(deadline), deadline=deadline)
    assert picked(room) == ["1.0", "2.0", "3.0"]


def test_tenants_take_turns_by_tokens_and_weight() -> None:
    room: WaitingRoom[str] = WaitingRoom(1000, 10**6)
    for _ in range(200):
        put(room, "long", name="long", tokens=40)
        put(room, "short", name="short", tokens=10)
        put(room, "heavy", name="heavy", tokens=10, weight=3.0)
    counts = Counter(picked(room, 170))
    tokens = {"long": counts["long"] * 40, "short": counts["short"] * 10, "heavy": counts["heavy"] * 10}
    assert abs(tokens["long"] - tokens["short"]) <= 40
    assert abs(tokens["heavy"] - 3 * tokens["short"]) <= 120


def test_who_comes_back_gets_no_credit_for_the_time_away() -> None:
    room: WaitingRoom[str] = WaitingRoom(1000, 10**6)
    for _ in range(100):
        put(room, "stayed", name="stayed")
    picked(room, 50)
    for _ in range(50):
        put(room, "back", name="back")
    assert abs(Counter(picked(room, 40))["back"] - 20) <= 1


def test_what_a_call_cost_in_truth_counts_in_the_next_turns() -> None:
    room: WaitingRoom[str] = WaitingRoom(1000, 10**6)
    for _ in range(100):
        put(room, "talker", name="talker")
        put(room, "quiet", name="quiet")
    counts: Counter[str] = Counter()
    while sum(counts.values()) < 80:
        waiter = room.pick()
        assert waiter is not None
        counts[waiter.item] += 1
        room.settle(waiter, 30 if waiter.item == "talker" else 10)
    assert abs(counts["quiet"] - 3 * counts["talker"]) <= 3
    # And the other way round: what was charged too much is given back.
    room = WaitingRoom(1000, 10**6)
    for _ in range(100):
        put(room, "talker", name="talker")
        put(room, "quiet", name="quiet")
    counts.clear()
    while sum(counts.values()) < 80:
        waiter = room.pick()
        assert waiter is not None
        counts[waiter.item] += 1
        room.settle(waiter, 2 if waiter.item == "quiet" else 10)
    assert abs(counts["quiet"] - 5 * counts["talker"]) <= 5


def test_the_lowest_band_gets_one_pick_in_sixteen_until_a_critical_call_waits() -> None:
    room: WaitingRoom[str] = WaitingRoom(1000, 10**6)
    for _ in range(200):
        put(room, "standard")
        put(room, "sheddable", band=SHEDDABLE)
    assert Counter(picked(room, 160)) == {"standard": 150, "sheddable": 10}
    for _ in range(100):
        put(room, "critical", band=CRITICAL)
    assert set(picked(room, 100)) == {"critical"}


def test_a_full_room_gives_up_the_lowest_band_first_and_of_it_who_has_most() -> None:
    room: WaitingRoom[str] = WaitingRoom(4, 1000)
    put(room, "small", band=SHEDDABLE, name="small")
    put(room, "early", band=SHEDDABLE, name="big", deadline=1.0)
    put(room, "late", band=SHEDDABLE, name="big", deadline=2.0)
    put(room, "standard")
    assert [waiter.item for waiter in room.victims(CRITICAL, "c", 1.0, 10)] == ["late"]
    put(room, "critical", band=CRITICAL, name="c")
    assert room.victims(SHEDDABLE, "big", 1.0, 10) == []
    assert room.count == 4


def test_a_call_takes_as_many_places_of_lower_bands_as_its_tokens_need() -> None:
    room: WaitingRoom[str] = WaitingRoom(10, 100)
    put(room, "kept", tokens=40)
    for item in ("x", "y", "z"):
        put(room, item, band=SHEDDABLE, tokens=20)
    assert sorted(waiter.item for waiter in room.victims(STANDARD, "b", 1.0, 35)) == ["y", "z"]
    assert (room.count, room.tokens) == (2, 60)


def test_nobody_is_sent_away_for_a_call_that_would_not_fit_anyway() -> None:
    room: WaitingRoom[str] = WaitingRoom(10, 100)
    put(room, "kept", tokens=60)
    put(room, "x", band=SHEDDABLE, tokens=40)
    assert room.victims(STANDARD, "a", 1.0, 50) == []
    assert room.count == 2


def test_a_flood_gives_way_to_a_tenant_of_its_own_band_that_has_less_waiting() -> None:
    room: WaitingRoom[str] = WaitingRoom(4, 1000)
    for number in range(4):
        put(room, f"flood {number}", name="flood", deadline=number)
    assert [waiter.item for waiter in room.victims(STANDARD, "other", 1.0, 10)] == ["flood 3"]
    put(room, "other", name="other")
    assert room.victims(STANDARD, "flood", 1.0, 10) == []
    assert [waiter.item for waiter in room.victims(STANDARD, "other", 1.0, 10)] == ["flood 2"]
    put(room, "other", name="other")
    assert room.victims(STANDARD, "other", 1.0, 10) == []


def test_a_room_for_none_gives_nobody_a_place() -> None:
    room: WaitingRoom[str] = WaitingRoom(0, 1000)
    assert not room.has_room(1)
    assert room.victims(CRITICAL, "a", 1.0, 1) == []


def test_one_call_of_any_length_may_wait_in_an_empty_room() -> None:
    room: WaitingRoom[str] = WaitingRoom(2, 100)
    assert room.has_room(1000)
    put(room, "x", tokens=1000)
    assert not room.has_room(1)


def test_what_is_ahead_of_a_call_depends_on_its_band_and_its_tenant() -> None:
    room: WaitingRoom[str] = WaitingRoom(100, 10_000)
    for _ in range(20):
        put(room, "flood", name="flood")
    assert room.ahead(CRITICAL, "c", 1.0, 10) == 0
    assert room.ahead(STANDARD, "flood", 1.0, 10) == 200
    assert room.ahead(STANDARD, "other", 1.0, 10) == 10
    put(room, "critical", band=CRITICAL)
    assert room.ahead(STANDARD, "flood", 1.0, 10) == 210
    assert room.ahead(SHEDDABLE, "s", 1.0, 10) == 210


def test_sheddable_calls_count_on_their_share() -> None:
    room: WaitingRoom[str] = WaitingRoom(1000, 100_000)
    for _ in range(500):
        put(room, "flood", name="flood")
    assert room.ahead(SHEDDABLE, "s", 1.0, 10) == 160


def test_those_who_left_are_not_kept() -> None:
    room: WaitingRoom[str] = WaitingRoom(100_000, 10**9)
    for number in range(20_000):
        assert room.drop(put(room, "x", name=f"tenant {number % 10_000}", deadline=number))
    stays = put(room, "stays", name="stays")
    for number in range(20_000):
        waiter = put(room, "gone", name="stays", deadline=2.0 + number)
        assert room.drop(waiter)
        assert not room.drop(waiter)
    assert len(stays.tenant.calls) < 20
    assert len(stays.tenant.band.tenants) == 1
    assert len(stays.tenant.band.heap) < 100


class Room(RuleBasedStateMachine):
    """Any sequence of events, against a plain list of who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.room: WaitingRoom[int] = WaitingRoom(8, 200)
        self.waiting: dict[int, tuple[Priority, Waiter[int]]] = {}
        self.running: list[Waiter[int]] = []
        self.next = 0

    @rule(
        band=st.sampled_from(Priority),
        name=st.sampled_from("abcd"),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        tokens=st.integers(1, 120),
        deadline=st.floats(0, 100),
    )
    def come(self, band: Priority, name: str, weight: float, tokens: int, deadline: float) -> None:
        if not self.room.has_room(tokens):
            lower = any(other > band for other, _ in self.waiting.values())
            gone = self.room.victims(band, name, weight, tokens)
            for waiter in gone:
                other, _ = self.waiting.pop(waiter.item)
                assert other >= band
                assert all(other >= left for left, _ in self.waiting.values())
            if not gone:
                spare = sum(waiter.tokens for other, waiter in self.waiting.values() if other > band)
                assert not lower or self.room.tokens - spare + tokens > 200
                return
            assert self.room.has_room(tokens)
        assert self.room.ahead(band, name, weight, tokens) >= 0
        waiter = self.room.put(self.next, band, name, weight, tokens, deadline)
        self.waiting[self.next] = band, waiter
        self.next += 1

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.room.drop(self.waiting.pop(item)[1])

    @rule()
    def pick(self) -> None:
        waiter = self.room.pick()
        assert (waiter is None) == (not self.waiting)
        if waiter is not None:
            band, known = self.waiting.pop(waiter.item)
            assert known is waiter
            if any(other is CRITICAL for other, _ in self.waiting.values()):
                assert band is CRITICAL
            self.running.append(waiter)

    @precondition(lambda self: self.running)
    @rule(tokens=st.integers(0, 500))
    def finish(self, tokens: int) -> None:
        self.room.settle(self.running.pop(0), tokens)

    @invariant()
    def everybody_is_counted(self) -> None:
        waiters = [waiter for _, waiter in self.waiting.values()]
        assert self.room.count == len(waiters) <= 8
        assert self.room.tokens == sum(waiter.tokens for waiter in waiters)
        assert self.room.tokens <= 200 or self.room.count == 1
        names = {(waiter.tenant.band, waiter.tenant.name) for waiter in (*waiters, *self.running)}
        bands = {band for band, _ in names}
        assert sum(len(band.tenants) for band in bands) == len(names)


TestRoom = Room.TestCase
TestRoom.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
