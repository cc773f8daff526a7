"""Forms with files, however they are cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest, UnsupportedMediaType
from mainstay.providers.tasks.form import Form, FormReader

KIND = b"multipart/form-data; boundary=edge"
names = st.text(st.characters(exclude_characters='"\\\r\n', exclude_categories=["Cs"]), min_size=1, max_size=20)
contents = st.lists(
    st.sampled_from([b"\r\n", b"--", b"edge", b"\r\n--edg", b"\r", b"\n", b"-", b"a", b"\x00\xff", b"\r\n\r\n"]),
    max_size=12,
).map(b"".join)
parts = st.lists(st.tuples(names, st.one_of(st.none(), names), contents), max_size=6)


def written(given_parts: list[tuple[str, str | None, bytes]]) -> bytes:
    body = b""
    for name, filename, content in given_parts:
        shown = f'; filename="{filename}"' if filename is not None else ""
        body += (
            b"--edge\r\n" + f'Content-Disposition: form-data; name="{name}"{shown}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return body + b"--edge--\r\n"


def read(body: bytes, *cuts: int, kind: bytes = KIND) -> Form:
    reader = FormReader(kind)
    start = 0
    for cut in (*sorted(cut % (len(body) + 1) for cut in cuts), len(body)):
        reader.feed(body[start:cut])
        start = cut
    return reader.finish()


@given(parts, st.lists(st.integers(0, 5000), max_size=8))
def test_any_form_reads_the_same_however_it_is_cut(
    given_parts: list[tuple[str, str | None, bytes]], cuts: list[int]
) -> None:
    # A boundary within a part is the sender's mistake.
    given_parts = [part for part in given_parts if b"\r\n--edge" not in b"\r\n" + part[2] + b"\r\n"]
    body = written(given_parts)
    form = read(body, *cuts)
    assert [(part.name, part.filename, form.raw[part.start : part.end]) for part in form.parts] == given_parts
    assert form.raw == body


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_what_is_no_form_is_refused_and_breaks_nothing(body: bytes, cuts: list[int]) -> None:
    for damaged in (body, b"--edge\r\n" + body, b"--edge\r\n" + body + b"\r\n--edge--"):
        try:
            read(damaged, *cuts)
        except InvalidRequest:
            continue


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_field_is_replaced_and_all_else_stays(value: str) -> None:
    body = written([("file", "a.mp3", b"\x00\xff"), ("model", None, b"old"), ("more", None, b"1")])
    form = read(body)
    changed = form.with_field("model", value)
    assert changed == body.replace(b"old", value.encode())


def test_a_line_that_only_begins_with_the_boundary_is_content() -> None:
    form = read(written([("file", "x", b"one\r\n--edges\r\n--edge-\r\ntwo")]))
    assert form.raw[form.parts[0].start : form.parts[0].end] == b"one\r\n--edges\r\n--edge-\r\ntwo"


def test_a_record_gets_names_and_sizes_of_files_and_texts_of_fields() -> None:
    form = read(written([("file", "a.mp3", b"secret"), ("model", None, b"m")]))
    assert json.loads(form.describe()) == {
        "form": [
            {"name": "file", "filename": "a.mp3", "content_type": "", "bytes": 6},
            {"name": "model", "value": "m"},
        ]
    }


def test_a_field_given_twice_is_refused() -> None:
    form = read(written([("model", None, b"a"), ("model", None, b"b")]))
    with pytest.raises(InvalidRequest) as caught:
        form.field("model")
    assert caught.value.param == "model"
    assert form.field("other") is None


@pytest.mark.parametrize(
    "body",
    [
        written([(f"f{i}", None, b"") for i in range(65)]),
        b"--edge\r\nContent-Disposition: form-data; name=" + b"x" * 9000,
        b'--edge\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + b"x" * 1_100_000,
        b"--edge\r\n\r\n\r\n--edge--",
        b"--edge\r\nno header\r\n\r\n\r\n--edge--",
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n--edge--',
    ],
    ids=["many-parts", "long-head", "long-field", "no-name", "no-header", "encoded"],
)
def test_limits_are_kept_before_the_body_has_ended(body: bytes) -> None:
    reader = FormReader(KIND)
    with pytest.raises(InvalidRequest):
        reader.feed(body)


@pytest.mark.parametrize("kind", [b"application/json", b"multipart/form-data", b"multipart/mixed; boundary=x", b""])
def test_other_types_are_refused(kind: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        FormReader(kind)
