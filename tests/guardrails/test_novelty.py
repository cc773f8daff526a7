"""Requests unlike a route's history."""

import pytest

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.guardrails.novelty import LEAST, Novelty, conformal, shrunk_precision  # noqa: E402  # numpy may be missing


def cloud(count: int, seed: int, centres: int = 5, size: int = 24, towards: int = 0):
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(towards).normal(size=(centres, size))
    rows = middles[rng.integers(centres, size=count)] + 0.3 * rng.normal(size=(count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


HISTORY = Novelty.fit(cloud(600, 1))


def test_requests_like_the_history_have_p_values_that_hold_what_they_promise() -> None:
    usual = HISTORY.p_values(cloud(2000, 2))
    for share in (0.05, 0.2, 0.5):
        # 120 held back to calibrate: the promise holds on average, one draw strays by a few points.
        assert abs((usual <= share).mean() - share) < 0.08


def test_requests_from_elsewhere_are_more_unusual_than_nearly_all_of_the_history() -> None:
    strange = HISTORY.p_values(cloud(300, 3, towards=99))
    assert (strange <= 0.05).mean() > 0.95
    assert HISTORY.scores(cloud(300, 3, towards=99)).min() > np.median(HISTORY.scores(cloud(300, 2)))


def test_a_history_survives_writing_and_reading() -> None:
    rows = cloud(50, 4)
    again = Novelty.load(HISTORY.dump())
    assert np.array_equal(again.p_values(rows), HISTORY.p_values(rows))
    assert again.dump() == HISTORY.dump()


def test_one_request_is_scored_as_it_is_among_others() -> None:
    rows = cloud(20, 5)
    together = HISTORY.scores(rows)
    assert np.allclose([HISTORY.scores(row[None])[0] for row in rows], together, atol=1e-4)


def test_a_short_history_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        Novelty.fit(cloud(LEAST - 1, 1))


def test_a_conformal_p_value_counts_the_scores_that_are_as_high() -> None:
    found = conformal(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 2.0, 2.5, 9.0]))
    assert found.tolist() == [5 / 5, 4 / 5, 2 / 5, 1 / 5]


def test_a_covariance_of_few_rows_is_still_inverted() -> None:
    rows = cloud(10, 6)
    assert np.isfinite(shrunk_precision(rows - rows.mean(axis=0))).all()
    same = np.zeros((10, 4), np.float32)
    same[0, 0] = 1
    assert np.isfinite(shrunk_precision(same)).all()
