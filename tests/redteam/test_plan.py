"""Which cases are played: all that fit, or a fair draw that can be drawn again."""

from collections import Counter

import pytest

from mainstay.redteam.plan import Case, cases_of, digest_of, sampled
from mainstay.redteam.seeds import BENIGN, CATEGORIES, all_seeds

ALL = cases_of(all_seeds())


def test_every_seed_is_in_and_every_case_once() -> None:
    assert {case.seed.id for case in ALL} == {seed.id for seed in all_seeds()}
    assert len({case.id for case in ALL}) == len(ALL) > 5000


def test_harmless_requests_are_put_as_they_are_and_once() -> None:
    harmless = [case for case in ALL if case.seed.category == BENIGN]
    assert {(case.converter, case.strategy) for case in harmless} == {("plain", "single")}
    assert len(harmless) == len({case.seed.id for case in harmless})


def test_a_frame_for_a_chat_is_not_put_into_a_document() -> None:
    inside = {case.converter for case in ALL if case.strategy == "document"}
    assert "role-play" not in inside
    assert {"plain", "comment", "base64"} <= inside


def test_choices_are_kept_to() -> None:
    cases = cases_of(all_seeds(), categories=["injection"], converters=["hex"], strategies=["single", "document"])
    assert {(case.seed.category, case.converter) for case in cases} == {("injection", "hex")}
    assert {case.strategy for case in cases} == {"single", "document"}


@pytest.mark.parametrize("count", [1, 8, 100])
def test_a_draw_goes_round_the_categories_and_has_every_harmless_request(count: int) -> None:
    drawn = sampled(ALL, count, 3)
    counted = Counter(case.seed.category for case in drawn)
    harmless = counted.pop(BENIGN)
    assert harmless == sum(seed.category == BENIGN for seed in all_seeds())
    assert sum(counted.values()) == count
    assert max(counted.values()) - min(counted[name] for name in CATEGORIES if name != BENIGN) <= 1


def test_the_same_number_draws_the_same_and_another_others() -> None:
    assert sampled(ALL, 50, 1) == sampled(ALL, 50, 1)
    assert sampled(ALL, 50, 1) != sampled(ALL, 50, 2)


def test_none_means_all() -> None:
    assert Counter(case.id for case in sampled(ALL, 0, 1)) == Counter(case.id for case in ALL)


def test_harmless_requests_alone_can_be_drawn() -> None:
    cases = cases_of(all_seeds(), categories=[BENIGN])
    assert len(sampled(cases, 10, 0)) == len(cases)


def test_a_digest_names_the_cases_and_what_else_matters() -> None:
    some: list[Case] = ALL[:20]
    assert digest_of(some, "a") == digest_of(some[::-1], "a")
    assert len({digest_of(some, "a"), digest_of(some, "b"), digest_of(ALL[:19], "a")}) == 3
