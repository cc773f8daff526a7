"""Text files in any encoding become text, and what is no text is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.reading.plain import decode

WORDS = "Größe 5 €\nnächste Zeile"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_is_read_in_the_encodings_that_people_use(encoding: str) -> None:
    assert decode(WORDS.encode(encoding)) == WORDS


def test_a_named_encoding_is_tried_first_and_a_wrong_one_does_no_harm() -> None:
    assert decode("дом".encode("koi8-r"), "koi8-r") == "дом"
    assert decode(WORDS.encode(), "no-such-encoding") == WORDS
    assert decode(WORDS.encode(), "hex") == WORDS
    assert decode(WORDS.encode(), "ascii") == WORDS


def test_line_ends_are_one() -> None:
    assert decode(b"a\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize("data", [bytes(range(32)) * 20, b"\xff\xfe\x00\xd8", b"\x00\x01\x02\x03"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable, match="is no text"):
        decode(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(decode(data), str)


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(
        lambda text: text[0] != "\ufeff"
    )
)
def test_utf_8_comes_through_as_it_was(text: str) -> None:
    assert decode(text.encode()) == text
