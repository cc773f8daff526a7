"""Values that look like their kind: reserved for examples, of one digest only, and far apart."""

import hashlib
import re

import pytest

from mainstay.guardrails.surrogates import surrogate, words


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("person word", r"[A-Z][a-z]{8,18}"),
        ("email", r"user\.[0-9a-f]{10}@example\.com"),
        ("url", r"https://www\.example\.com/[0-9a-f]{10}"),
        ("phone", r"\+999 \d{10}"),
        ("ip", r"2001:db8:1[0-9a-f]{3}:1[0-9a-f]{3}::1[0-9a-f]{3}"),
    ],
)
def test_a_surrogate_is_of_its_kind_and_of_its_digest(kind: str, shape: str) -> None:
    made = [surrogate(kind, digest(number)) for number in range(500)]
    assert all(one is not None and re.fullmatch(shape, one) for one in made)
    assert made[0] == surrogate(kind, digest(0))
    assert len(set(made)) > 495


def test_there_is_none_for_other_kinds() -> None:
    assert surrogate("address", digest(0)) is None


def test_each_word_of_a_name_is_replaced_and_what_is_between_stays() -> None:
    assert words("Anna-Lena O'Neil, J. 3rd", lambda word: f"<{word}>") == "<Anna-Lena> <O'Neil>, <J>. 3<rd>"
