from collections.abc import Mapping

from mainstay.planning.sensitivity import tornado


def test_the_widest_swing_comes_first_and_a_missing_outcome_is_the_widest() -> None:
    def outcome(moved: Mapping[str, float]) -> float | None:
        if moved.get("price") == 0.5:
            return None
        return 100.0 * moved.get("people", 1.0) + moved.get("load", 1.0)

    swings = tornado(outcome, {"load": (0.5, 2.0), "people": (0.5, 2.0), "price": (0.5, 2.0), "colour": (0.5, 2.0)})
    assert [swing.name for swing in swings] == ["price", "people", "load", "colour"]
    assert [swing.width for swing in swings] == [float("inf"), 150.0, 1.5, 0.0]


def test_an_outcome_missing_at_both_ends_does_not_swing() -> None:
    assert tornado(lambda moved: None, {"price": (0.5, 2.0)})[0].width == 0.0
