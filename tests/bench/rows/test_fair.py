from bench.rows.fair import at_once, shares
from bench.visitors import Visitor


def _came(user: str, at: float, until: float = 0.0) -> Visitor:
    return Visitor(f'{{"model": "m", "user": "{user}"}}'.encode(), at, until)


def test_shares_weigh_an_answers_tokens_twice_and_count_only_the_time_that_both_keep_coming() -> None:
    served = [_came("many", 0.5), _came("many", 1.0), _came("few", 1.5), _came("few", 2.0)]
    assert shares(served, {b"many": 50, b"few": 150}, 1.0, 2.0) == [41 + 100, 41 + 300]


def test_the_most_at_once_counts_overlaps_and_not_handovers() -> None:
    assert at_once([_came("a", 0.0, 2.0), _came("b", 1.0, 2.0), _came("c", 2.0, 3.0)]) == 2
    assert at_once([]) == 0
