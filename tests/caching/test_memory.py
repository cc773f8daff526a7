"""Memory holds what was used last, within its bytes, and only what is of the age that is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.caching.memory import Memory
from support.answers import make_entry

ENTRY = make_entry(expires=100.0)


def key(number: int) -> bytes:
    return bytes([number]) * 32


def test_what_was_used_last_stays() -> None:
    memory = Memory(16 * 2048)
    for number in range(16):
        memory.put(key(number), ENTRY, 1024, 0)
    assert memory.get(key(0), 0, 0.0) == ENTRY
    memory.put(key(16), ENTRY, 1024, 0)
    assert memory.get(key(0), 0, 0.0) == ENTRY
    assert memory.get(key(1), 0, 0.0) is None
    assert (memory.evictions, len(memory)) == (1, 16)


def test_what_is_of_another_age_or_over_is_not_given() -> None:
    memory = Memory(1 << 20)
    memory.put(key(1), ENTRY, 10, 4)
    assert memory.get(key(1), 6, 0.0) is None
    memory.put(key(1), ENTRY, 10, 6)
    assert memory.get(key(1), 6, 100.0) is None
    assert (len(memory), memory.bytes) == (0, 0)


def test_what_would_take_more_than_its_share_is_not_kept() -> None:
    memory = Memory(1 << 20)
    memory.put(key(1), ENTRY, 1 << 18, 0)
    assert len(memory) == 0


def test_no_memory_keeps_nothing() -> None:
    memory = Memory(0)
    memory.put(key(1), ENTRY, 1, 0)
    assert len(memory) == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5000), st.booleans()), max_size=60))
def test_the_bytes_are_those_of_what_is_there(steps: list[tuple[int, int, bool]]) -> None:
    memory = Memory(40_000)
    sizes: dict[int, int] = {}
    for number, size, forget in steps:
        if forget:
            memory.forget(key(number))
            sizes.pop(number, None)
        else:
            memory.put(key(number), ENTRY, size, 0)
            sizes[number] = size
    there = [number for number in sizes if memory.get(key(number), 0, 0.0) is not None]
    assert memory.bytes <= 40_000
    assert len(memory) == len(there)
    assert memory.bytes == sum(sizes[number] + 1024 for number in there)


def test_less_room_lets_go_at_once() -> None:
    memory = Memory(16 * 2048)
    for number in range(16):
        memory.put(key(number), ENTRY, 1024, 0)
    memory.resize(4 * 2048)
    assert (len(memory), memory.bytes, memory.evictions) == (4, 4 * 2048, 12)
    assert memory.get(key(15), 0, 0.0) == ENTRY
