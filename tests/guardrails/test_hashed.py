"""Letters and words as hashed features."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.guardrails.hashed import BITS, hashed  # noqa: E402  # numpy may be missing


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_has_features_within_the_table_each_once(text: str) -> None:
    for given_text in (text, text + "\ud800"):
        found = hashed(given_text)
        assert len(found) == len(set(found.tolist()))
        assert ((found >= 0) & (found < 1 << BITS)).all()


def test_case_and_spaces_change_nothing_and_a_letter_changes_a_little() -> None:
    assert hashed("Hello   World").tolist() == hashed(" hello\nworld ").tolist()
    plain, other = set(hashed("a long enough sentence").tolist()), set(hashed("a long en0ugh sentence").tolist())
    assert 0.5 < len(plain & other) / len(plain) < 1


def test_the_features_are_pinned_since_weights_were_trained_on_them() -> None:
    found = hashed("You are idiots, all of you!")
    assert (len(found), int(found.sum()) % 1_000_003) == PINNED


PINNED = (113, 375986)
