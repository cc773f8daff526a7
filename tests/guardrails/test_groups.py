"""Texts with the names of groups made alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.guardrails.groups import NAMES, blind


@given(name=st.sampled_from(sorted(NAMES)), plural=st.sampled_from(["", "s"]), case=st.sampled_from(["lower", "upper"]))
def test_texts_that_differ_in_the_name_of_a_group_alone_become_the_same(name: str, plural: str, case: str) -> None:
    assert blind(f"Those {getattr(name + plural, case)()}, again!") == blind("Those gay, again!")


@pytest.mark.parametrize(
    "who", ["African American", "trans women", "people of colour", "middle-aged men", "HIV-positive", "old deaf"]
)
def test_several_names_in_a_row_are_one(who: str) -> None:
    assert blind(f"Those {who}, again!") == blind("Those gays, again!")


@pytest.mark.parametrize("text", ["", "I am so depressed", "a dress of whitewash", "Goldberg", "mandate", "blackmail"])
def test_words_that_only_contain_a_name_stay(text: str) -> None:
    assert blind(text) == text
