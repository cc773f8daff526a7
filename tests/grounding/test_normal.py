"""Text is stored in one form, whatever it came in, and offsets into it are carried along."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.grounding.normal import cut, decode, normalise, normalise_marked

TEXTS = st.text(alphabet="ab \n\r\t\x0b\x85\u2028\ufeff\x00\x7f\ud800e\u0301\u00e9\u212b\u1100\u1161😀", max_size=60)


@given(TEXTS)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    once.encode()
    assert not set(once) & set("\r\x0b\x0c\x85\u2028\u2029\x00\x7f\ufeff")


def test_line_ends_controls_and_forms_become_one() -> None:
    assert normalise("a\r\nb\rc\u2028d\x0ce") == "a\nb\nc\nd\ne"
    assert normalise("e\u0301\u212b \ufeffx\x00y\x1b[0m\ud800") == "é\u00c5 xy[0m\ufffd"
    assert normalise("plain\ttext — as it is") == "plain\ttext — as it is"


@given(TEXTS, st.data())
def test_offsets_lie_where_what_stood_before_them_ends(text: str, data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    whole, placed = normalise_marked(text, offsets)
    assert whole == normalise(text)
    assert placed == sorted(placed)
    assert all(0 <= place <= len(whole) for place in placed)


def test_a_heading_is_found_again_after_normalising() -> None:
    text = "Intro\r\ne\u0301\r\nHeading\r\nBody"
    whole, (place, end) = normalise_marked(text, [text.index("Heading"), len(text)])
    assert whole[place:].startswith("Heading\n")
    assert end == len(whole)


@given(st.text(alphabet="abc", max_size=30), st.data())
def test_cutting_takes_out_what_is_named_and_moves_the_rest(text: str, data: st.DataObject) -> None:
    places = st.integers(0, len(text))
    stretches = [tuple(sorted(pair)) for pair in data.draw(st.lists(st.tuples(places, places), max_size=4))]
    gone = {at for start, end in stretches for at in range(start, end)}
    left, placed = cut(text, [(start, end) for start, end in stretches], range(len(text)))
    assert left == "".join(letter for at, letter in enumerate(text) if at not in gone)
    for at, place in enumerate(placed):
        assert place is None if at in gone else place is not None and left[place] == text[at]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße".encode(), "Grüße"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("weit".encode("utf-16"), "weit"),
        ("Grüße – “so”".encode("cp1252"), "Grüße – “so”"),
    ],
)
def test_a_file_is_decoded_by_its_mark_or_by_what_fits(data: bytes, text: str) -> None:
    assert decode(data) == text


def test_what_is_no_text_is_told() -> None:
    with pytest.raises(Unreadable, match="no text"):
        decode(bytes(range(256)) * 4)
