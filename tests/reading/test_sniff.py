"""What a file is shows in its first bytes, whatever its sender says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.reading.sniff import AUDIO, IMAGES, sniff
from support.files import docx, pdf, pptx

KINDS = IMAGES | AUDIO | {"pdf", "zip", "html", "text", "ole", "rtf", "heif", ""}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "png"),
        (b"\xff\xd8\xff\xe0....", "jpeg"),
        (b"GIF89a....", "gif"),
        (b"RIFF....WEBPVP8 ", "webp"),
        (b"RIFF....WAVEfmt ", "wav"),
        (b"RIFF....AVI LIST", ""),
        (b"ID3\x04....", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"OggS....", "ogg"),
        (b"fLaC....", "flac"),
        (b"\x1aE\xdf\xa3....", "webm"),
        (b"\0\0\0\x20ftypM4A ....", "m4a"),
        (b"\0\0\0\x20ftypheic....", "heif"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "ole"),
        (b"{\\rtf1\\ansi", "rtf"),
        (pdf("x"), "pdf"),
        (b"\n\n" + pdf("x"), "pdf"),
        (docx(""), "zip"),
        (pptx("x"), "zip"),
        (b"  <!DOCTYPE html><p>x", "html"),
        (b"\xef\xbb\xbf<html><p>x", "html"),
        (b"A line of text.", "text"),
        ("\ufeffUTF-16".encode("utf-16-le"), "text"),
        (b"MZ\0\0\x90\0", ""),
        (b"\x7fELF\x02\x01\x01\0", ""),
        (b"", "text"),
    ],
)
def test_the_first_bytes_say_what_a_file_is(data: bytes, kind: str) -> None:
    assert sniff(data) == kind
    assert sniff(data, "image/png", "picture.png") == kind


def test_a_sender_is_believed_that_text_is_markup() -> None:
    assert sniff(b"<p>x", "text/html; charset=utf-8") == sniff(b"<p>x", "", "PAGE.HTM") == "html"
    assert sniff(b"<p>x") == "text"


@given(st.binary(max_size=64), st.text(max_size=20), st.text(max_size=20))
def test_any_bytes_are_of_a_known_kind_or_none(data: bytes, media_type: str, name: str) -> None:
    assert sniff(data, media_type, name) in KINDS
