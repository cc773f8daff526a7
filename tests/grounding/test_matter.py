"""What a document says of itself is read from its front matter, and from the file of fields beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import Unreadable
from mainstay.grounding.matter import Matter, date_of, read_matter, read_sidecar


def test_front_matter_becomes_terms_and_fields_and_is_no_text() -> None:
    text = (
        "---\ntitle: Leave policy\ndate: 2025-03-01\ngroups: [hr, legal]\nttl: 30d\nlicense: CC-BY-4.0\n"
        "consent: works council\nurl: https://wiki.example/leave\ntags: [a, b]\ndraft: false\n---\n# Leave\n"
    )
    matter, start = read_matter(text)
    assert text[start:] == "# Leave\n"
    assert matter == Matter(
        title="Leave policy",
        uri="https://wiki.example/leave",
        dated=1740787200000,
        groups=("hr", "legal"),
        ttl=30 * 86400,
        licence="CC-BY-4.0",
        consent="works council",
        fields={"date": "2025-03-01", "tags": "a, b", "draft": "false"},
    )


@pytest.mark.parametrize("text", ["", "# Title", "---\n\nA rule.\n", "--- a\nb: c\n---\n", "---\nnever: closed\n"])
def test_a_text_without_front_matter_begins_where_it_begins(text: str) -> None:
    assert read_matter(text) == (Matter(), 0)


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("a: [1", "no YAML"),
        ("groups: [1, 2]", "'groups' are no names"),
        ("groups: ['a b']", "'groups' are no names"),
        ("ttl: soon", "no duration"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: !!python/object:os.system x", "no YAML"),
        (f"a: {'x' * 70_000}", "more than 65536 characters"),
    ],
)
def test_wrong_front_matter_is_told_and_never_taken_for_text(inside: str, said: str) -> None:
    # What says who may read a document must not be passed over because it is misspelt.
    with pytest.raises(Unreadable, match=said):
        read_matter(f"---\n{inside}\n---\ntext")


def test_a_file_of_fields_says_the_same_things() -> None:
    assert read_sidecar("groups: hr, legal\nowner: Ann\n") == Matter(groups=("hr", "legal"), fields={"owner": "Ann"})
    assert read_sidecar("") == Matter()
    with pytest.raises(Unreadable, match="no list of names"):
        read_sidecar("- a\n- b\n")


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2025-01-31", 1738281600000),
        ("2025-01-31T12:00:00+01:00", 1738321200000),
        ("D:20250131120000+01'00'", 1738321200000),
        ("D:2025", 1735689600000),
        ("Fri, 31 Jan 2025 11:00:00 GMT", 1738321200000),
        ("last spring", 0),
        ("", 0),
        (None, 0),
        ("D:20251399", 0),
    ],
)
def test_dates_are_read_as_documents_write_them(value: object, moment: int) -> None:
    assert date_of(value) == moment


@given(st.text(alphabet="-: \nab[]{}*&!'\"#|>0", max_size=80))
def test_any_front_matter_is_read_or_refused(inside: str) -> None:
    try:
        _, start = read_matter(f"---\n{inside}\n---\nrest")
    except Unreadable:
        return
    assert start >= 0
