"""How a semantic cache stands can be seen and changed by who runs it; every worker goes by it."""

from pathlib import Path

import pytest

from mainstay.caching.config import RouteCacheConfig
from mainstay.caching.standing import FOLDER, Tiers, evidence_of
from mainstay.core.errors import NotFound, Unavailable

CACHE = RouteCacheConfig.model_validate({"semantic": {"error": "10%"}})


def tiers(home: Path) -> Tiers:
    return Tiers(home, {"support": CACHE, "plain": RouteCacheConfig(), "bare": None})


def show(home: Path, *apart: float) -> None:
    assert CACHE.semantic is not None
    evidence = evidence_of("support", CACHE.semantic, home / FOLDER)
    for value in apart:
        evidence.add(value)


def test_only_routes_with_a_semantic_cache_stand(tmp_path: Path) -> None:
    (standing,) = tiers(tmp_path).standings()
    assert (standing.route, standing.state, standing.compared, standing.upper) == ("support", "proving", 0, 1.0)
    for name in ("plain", "bare", "nobody"):
        with pytest.raises(NotFound, match="has no semantic cache"):
            tiers(tmp_path).standing(name)


def test_what_workers_have_compared_is_seen(tmp_path: Path) -> None:
    show(tmp_path, *[0.0] * 60, 1.0)
    standing = tiers(tmp_path).standing("support")
    assert (standing.compared, standing.disagreements, standing.error) == (61, 1, 0.1)
    assert 1 / 61 < standing.upper < 0.2


def test_a_tier_that_is_wrong_says_why_it_is_off(tmp_path: Path) -> None:
    show(tmp_path, *[1.0] * 20)
    standing = tiers(tmp_path).standing("support")
    assert standing.state == "off"
    assert standing.reason == "20 of 20 answers disagreed, more than 10.00% can explain"


def test_a_tier_is_switched_off_and_on_again_with_what_it_has_shown(tmp_path: Path) -> None:
    show(tmp_path, *[0.0] * 60)
    halted = tiers(tmp_path).halt("support", "wrong refunds")
    assert (halted.state, halted.reason) == ("off", "switched off: wrong refunds")
    resumed = tiers(tmp_path).resume("support")
    assert (resumed.state, resumed.reason, resumed.compared) == ("on", "", 60)


def test_a_tier_that_is_begun_anew_has_shown_nothing(tmp_path: Path) -> None:
    show(tmp_path, *[1.0] * 20)
    tiers(tmp_path).halt("support", "")
    anew = tiers(tmp_path).reset("support")
    assert (anew.state, anew.reason, anew.compared) == ("proving", "", 0)


def test_a_folder_that_cannot_be_used_is_told_of(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in its place")
    with pytest.raises(Unavailable, match="cannot be read"):
        tiers(tmp_path).reset("support")
