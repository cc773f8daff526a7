from bench.rows.goodput import finished
from bench.visitors import Visitor


def test_goodput_counts_what_was_answered_in_full_within_the_time() -> None:
    served = [Visitor(b"", 0.0, until, left) for until, left in ((0.9, False), (1.0, False), (1.5, True), (2.0, False))]
    assert finished(served, 1.0, 2.0) == 1
