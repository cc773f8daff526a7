from hypothesis import given
from hypothesis import strategies as st

from mainstay.cost.amounts import dollars, split


@given(st.integers(0, 10**20), st.lists(st.integers(0, 10**15), min_size=1, max_size=9))
def test_what_is_split_adds_up(total: int, weights: list[int]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(part >= 0 for part in parts)
    for part, weight in zip(parts, weights, strict=True):
        assert whole == 0 or abs(part * whole - total * weight) <= whole * len(weights)


@given(st.integers(-(10**30), 10**30))
def test_money_is_written_whole(amount: int) -> None:
    text = dollars(amount)
    sign, bare = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = bare.partition(".")
    assert sign * (int(whole) * 10**12 + int(part.ljust(12, "0"))) == amount
    assert not part.endswith("0")
