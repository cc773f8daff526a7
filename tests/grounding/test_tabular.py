"""Rows of files as documents: what they are called, what they say, and what is no row."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.grounding.config import RowsConfig
from mainstay.grounding.normal import normalise
from mainstay.grounding.tabular import Table, read_row, read_table

CSV, TSV, JSONL = "text/csv", "text/tab-separated-values", "application/jsonl"


def table(said: str, kind: str = JSONL, most: int = 100, **rules: object) -> Table:
    found = read_table(said, kind, RowsConfig.model_validate(rules), most)
    assert found is not None
    return found


def words(said: str, kind: str = JSONL, **rules: object) -> list[str]:
    read = RowsConfig.model_validate(rules)
    return [read_row(row, read)[0] for row in table(said, kind, **rules).rows]


@pytest.mark.parametrize(
    ("line", "rules", "said"),
    [
        ('{"text": "A", "content": "B"}', {}, "A"),
        ('{"content": "B", "body": "C"}', {}, "B"),
        ('{"text": "  ", "body": "C"}', {}, "C"),
        ('{"question": "Why?", "answer": "So."}', {}, "question: Why?\nanswer: So."),
        ('{"question": "Why?", "answer": "So."}', {"text": ["answer"]}, "So."),
        ('{"a": "1", "b": "2"}', {"text": ["b", "a"]}, "2\n\n1"),
        ('{"a": "1", "b": null}', {"text": ["lost"]}, "a: 1"),
        ('{"abstract": ["One.", "Two."], "n": 3}', {"text": ["abstract"]}, "One.\nTwo."),
        ('{"n": 3, "deep": {"x": [1]}}', {}, 'n: 3\ndeep: {"x": [1]}'),
        ('{"text": "Gr\\u00f6\\u00dfe\\r\\n\\u0000x"}', {}, "Größe\nx"),
    ],
)
def test_the_words_of_a_row_are_a_field_or_all_of_them(line: str, rules: dict[str, object], said: str) -> None:
    assert words(line, **rules) == [said]


def test_cells_are_told_apart_by_what_the_first_row_has() -> None:
    assert words('name;town\nAnn;"Bonn; Rhein"\n', CSV) == ["name: Ann\ntown: Bonn; Rhein"]
    assert words("name\ttown\nAnn\tBonn\n", TSV) == ["name: Ann\ntown: Bonn"]
    assert words('a,b\n1,"two\nlines ""quoted"""\n\n,\n3,4,5\n', CSV) == [
        'a: 1\nb: two\nlines "quoted"',
        "a: 3\nb: 4\ncolumn 3: 5",
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1,2\n3,4\n", CSV), ("a,,b\n1,2,3\n", CSV), ("a,a\n1,2\n", CSV), ("", CSV), ("[1]\n[2]\n", JSONL)],
)
def test_what_has_no_names_for_its_fields_is_one_document(text: str, kind: str) -> None:
    assert read_table(text, kind, RowsConfig(), 100) is None


def test_a_row_is_called_by_its_id_or_by_what_it_says() -> None:
    lines = [{"id": 7}, {"_id": "x y\nz"}, {"key": "k"}, {"id": 7, "more": 1}, {"id": ""}, {"id": True}]
    text = "\n".join(map(json.dumps, lines))
    names = [row.name for row in table(text).rows]
    assert names[:2] == ["7", "x y z"]
    assert names[3] == "7-2"
    assert all(len(name) == 12 for name in (names[2], names[4], names[5]))
    assert table(text, id="key").rows[2].name == "k"
    assert [row.name for row in table('{"id": "a"}\n{"id": "a-2"}\n{"id": "a"}').rows] == ["a", "a-2", "a-3"]
    # What is put before a row does not name it anew.
    assert [row.name for row in table(f"{{}}\n{text}").rows][1:] == names


def test_how_a_row_is_read_is_part_of_what_it_is() -> None:
    one, other = table('{"a": "b"}').rows[0], table('{"a": "b"}', text=["a"]).rows[0]
    assert (one.said, one.sha256 == other.sha256) == (other.said, False)
    assert table('{"b": 1, "a": 2}').rows[0].sha256 == table('{"a": 2,  "b": 1}').rows[0].sha256


def test_fields_that_say_what_a_document_is_are_known_as_such() -> None:
    line = {"text": "T", "title": "Wick", "url": "https://a.b/c", "date": "2026-01-02", "groups": ["hr"], "lang": "en"}
    _, kind, matter = read_row(table(json.dumps(line)).rows[0], RowsConfig())
    assert (kind, matter.title, matter.uri, matter.groups) == ("text/plain", "Wick", "https://a.b/c", ("hr",))
    assert matter.dated == 1767312000000
    assert matter.fields == {"date": "2026-01-02", "lang": "en"}
    rules = RowsConfig(title="name")
    assert read_row(table('{"name": "N", "x": 1}').rows[0], rules)[2].title == "N"
    assert read_row(table('{"text": "# A\\n\\nb\\n\\n## C"}').rows[0], RowsConfig())[1] == "text/markdown"


def test_data_that_is_called_ttl_is_data_unless_it_is_a_duration() -> None:
    matter = read_row(table('{"text": "T", "ttl": "30d"}').rows[0], RowsConfig())[2]
    assert (matter.ttl, matter.fields) == (30 * 86_400, {})
    matter = read_row(table('{"text": "T", "ttl": 64}').rows[0], RowsConfig())[2]
    assert (matter.ttl, matter.fields) == (None, {"ttl": "64"})


def test_lines_that_are_no_rows_are_told_and_a_file_of_too_many_is_refused() -> None:
    found = table('{"id": 1}\n\nnothing\n[1]\n{"id": 2}')
    assert [row.name for row in found.rows] == ["1", "2"]
    assert [place for place, _ in found.problems] == ["line 3", "line 4"]
    with pytest.raises(Unreadable, match=r"more than the 1 rows.*limits\.rows"):
        table('{"id": 1}\n{"id": 2}', most=1)
    with pytest.raises(Unreadable, match="near line 2"):
        table("a,b\n" + "x" * 140_000 + ",2\n", CSV)


@given(st.text(max_size=200), st.sampled_from([CSV, TSV, JSONL]))
def test_whatever_a_file_holds_its_rows_have_names_of_their_own_and_stored_words(text: str, kind: str) -> None:
    found = read_table(normalise(text), kind, RowsConfig(), 1000)
    rows = found.rows if found is not None else ()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        said = read_row(row, RowsConfig())[0]
        assert normalise(said) == said
