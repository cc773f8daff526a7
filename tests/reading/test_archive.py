"""Zip files and XML that were made to break their reader do not."""

import io
import struct
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.reading.archive import Archive, local, parse
from support.files import docx, zipped


def seen(data: bytes) -> list[str]:
    found: list[str] = []
    parse(
        data,
        lambda name, attributes: found.append(local(name)),
        lambda name: found.append(f"/{local(name)}"),
        found.append,
    )
    return found


def test_a_file_that_unpacks_to_too_much_is_refused_while_it_unpacks() -> None:
    bomb = zipped({"a": b"\0" * 50_000_000})
    assert len(bomb) < 60_000
    archive = Archive(bomb, 1_000_000)
    with pytest.raises(Unreadable, match="unpacks to more"):
        archive.read("a")


def test_what_all_files_unpack_to_counts_together() -> None:
    archive = Archive(zipped({"a": b"x" * 600, "b": b"x" * 600}), 1000)
    assert archive.read("a") == b"x" * 600
    with pytest.raises(Unreadable, match="unpacks to more"):
        archive.read("b")


def test_an_index_that_lies_about_sizes_helps_nobody() -> None:
    bomb = bytearray(zipped({"a": b"\0" * 5_000_000}))
    central = bomb.index(b"PK\x01\x02")
    struct.pack_into("<I", bomb, central + 24, 10)
    with pytest.raises(Unreadable):
        Archive(bytes(bomb), 1_000_000).read("a")


def test_too_many_files_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    with pytest.raises(Unreadable, match="too many files"):
        Archive(buffer.getvalue(), 1000)


def test_damage_and_what_is_missing_is_told() -> None:
    whole = docx("x" * 500)
    for data in (b"", b"PK\x03\x04", whole[:-30], whole[: len(whole) // 2]):
        with pytest.raises(Unreadable):
            Archive(data, 10**6)
    with pytest.raises(Unreadable, match="damaged"):
        Archive(whole, 10**6).read("nothing")


@given(st.integers(0, 300), st.integers(0, 255))
@example(103, 12)  # another way of packing, whose reader has an error of its own
@example(103, 14)
def test_one_wrong_byte_is_read_or_refused(place: int, value: int) -> None:
    data = bytearray(zipped({"a": "some text to keep", "b": "more of it"}))
    data[place % len(data)] = value
    try:
        archive = Archive(bytes(data), 10**6)
        for name in archive.names:
            archive.read(name)
    except Unreadable:
        pass


def test_elements_and_text_are_told_in_order() -> None:
    assert seen(b'<a xmlns="urn:x"><b>text</b><c/></a>') == ["a", "b", "text", "/b", "c", "/c", "/a"]


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&x;</a>",
        b"<a><b></a>",
        b"<a>" * 300,
        b"",
    ],
)
def test_entities_depth_and_damage_are_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        seen(data)
