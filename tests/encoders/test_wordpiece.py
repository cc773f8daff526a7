"""Texts cut into the pieces of BERT's vocabulary."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.encoders.wordpiece import WordPiece

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##aff",
    "##able",
    "cafe",
    ",",
    "_",
    "a",
    "##a",
    "日",
    "b",
    "☺",
    "ı",
]
NUMBERS = {piece: number for number, piece in enumerate(PIECES)}
WORDS = WordPiece(piece + "\n" for piece in PIECES)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("UNAFFABLE,", ["un", "##aff", "##able", ","]),
        ("Café", ["cafe"]),
        ("a_b", ["a", "_", "b"]),
        ("a日b", ["a", "日", "b"]),
        ("a\u200bb \x00a", ["[UNK]", "a"]),
        ("a\u00a0b\tb", ["a", "b", "b"]),
        ("x☺ ☺", ["[UNK]", "☺"]),
        ("a" * 101, ["[UNK]"]),
        ("[SEP]", ["[UNK]", "[UNK]", "[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_as_the_reference_cuts_them_and_marks_in_a_text_are_only_text(
    text: str, pieces: list[str]
) -> None:
    assert WORDS.encode(text, 20) == [NUMBERS[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]


@given(text=st.text(max_size=80), limit=st.integers(2, 12))
@settings(max_examples=200, deadline=None)
def test_a_limit_cuts_the_end_and_changes_nothing_before_it(text: str, limit: int) -> None:
    whole = WORDS.encode(text, 10_000)
    cut = WORDS.encode(text, limit)
    assert len(cut) <= limit
    assert cut[:-1] == whole[: len(cut) - 1]
    assert cut[-1] == WORDS.end
    assert WORDS.encode(text, 10_000) == whole
