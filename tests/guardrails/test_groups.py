"""Texts with the names of groups made alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.guardrails.groups import NAMES, blind


@given(name=st.sampled_from(sorted(NAMES)), plural=st.sampled_from(["", "s"]), case=st.sampled_from(["lower", "upper"]))
def test_texts_that_differ_in_the_name_of_a_group_alone_become_the_same(name: str, plural: str, case: str) -> None:
    assert blind(f"Those {getattr(name + plural, case)()}, again!") == blind("Those gay, again!")


@pytest.mark.parametrize("text", ["", "a dress of whitewash", "Goldberg", "mandate", "blackmail"])
def test_words_that_only_contain_a_name_stay(text: str) -> None:
    assert blind(text) == text
