"""Signatures on their way through other dialects."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.providers.gemini.seals import Seal, seal, unseal
from mainstay.providers.wire import is_foreign


@given(st.sampled_from(["call", "text", "thought"]), st.integers(0, 999_999), st.text())
def test_a_signature_comes_back_as_it_went(kind: Any, call: int, signature: str) -> None:
    assert unseal(seal(kind, call, signature)) == Seal(kind, call, signature)
    assert is_foreign(seal(kind, call, signature))


@pytest.mark.parametrize("text", ["", "c2ln", "gemini:", "gemini:x:0:c2ln", "gemini:call:-1:c2ln", "xgemini:call:0:a"])
def test_what_is_no_seal_is_none(text: str) -> None:
    assert unseal(text) is None
