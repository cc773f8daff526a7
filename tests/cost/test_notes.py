"""Messages between workers and the bank: whole again however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.cost.notes import Ask, Bye, Give, Grant, Held, Hello, Level, Note, Notes, Recall, pack

WORD = st.integers(min_value=-(2**62), max_value=2**62)
TEXT = st.text(max_size=40)
HELD = st.builds(Held, TEXT, TEXT, WORD, st.integers(1, 61), TEXT, WORD, WORD, WORD)
NOTES = st.one_of(
    st.builds(Hello, TEXT, st.lists(HELD, max_size=3).map(tuple)),
    st.builds(Ask, WORD, TEXT, TEXT, WORD, st.integers(1, 61), TEXT, WORD, WORD, WORD, WORD),
    st.builds(Grant, WORD, WORD, WORD, WORD, WORD, TEXT),
    st.builds(Give, TEXT, TEXT, WORD),
    st.builds(Recall, TEXT, TEXT),
    st.builds(Level, TEXT, TEXT, st.booleans()),
    st.just(Bye()),
)


@given(st.lists(NOTES, max_size=8), st.data())
def test_messages_are_whole_again_however_the_stream_is_cut(sent: list[Note], data: st.DataObject) -> None:
    stream = b"".join(pack(note) for note in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader, heard = Notes(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += reader.feed(stream[start:end])
    assert heard == sent


def test_a_stream_byte_by_byte_is_read() -> None:
    reader = Notes()
    heard = [note for byte in pack(Give("s", "b", -5)) for note in reader.feed(bytes([byte]))]
    assert heard == [Give("s", "b", -5)]


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n", b"\0\0\0\1\xc1", b"\0\0\0\1\x90"])
def test_what_is_no_such_stream_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # msgspec's errors are ValueErrors, with words of their own
        Notes().feed(data)
