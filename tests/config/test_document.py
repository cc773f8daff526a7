"""YAML text as values with lines."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mainstay.config.document import read_yaml


def _messages(text: str) -> list[str]:
    return [f"{line}: {finding.message}" for line, finding in read_yaml(text).findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("0.10", Decimal("0.10")),
        ("1e3", Decimal(1000)),
        ("1e999999999", "1e999999999"),
        (".inf", ".inf"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
    ],
)
def test_plain_text_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = read_yaml(f"a: {text}").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_number_with_a_point_is_kept_to_the_last_digit() -> None:
    assert str(read_yaml("a: 0.12345678901234567890").value["a"]) == "0.12345678901234567890"


def test_keys_are_the_text_that_was_written() -> None:
    assert list(read_yaml("{no: 1, 1.10: 2, true: 3, ~: 4}").value) == ["no", "1.10", "true", "~"]


def test_every_value_has_the_line_of_its_key() -> None:
    lines = read_yaml("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n").lines
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "d"): 5,
    }


def test_an_empty_file_is_nothing() -> None:
    assert read_yaml("# only a comment\n").value is None
    assert _messages("") == []


def test_a_key_given_twice_is_a_problem_and_the_first_stays() -> None:
    document = read_yaml("a: 1\nb: 2\na: {c: 3}\n")
    assert document.value == {"a": 1, "b": 2}
    assert [line for line, _ in document.findings] == [3]
    assert "given twice, first on line 1" in document.findings[0][1].message


def test_an_alias_repeats_a_value() -> None:
    assert read_yaml("a: &x {b: [1]}\nc: *x\nd: [*x, *x]").value["d"] == [{"b": [1]}, {"b": [1]}]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a:\n\tb: 1", 2, "tab"),
        ("a: [1\nb: 2", 2, "is not YAML"),
        ("a: b: c", 1, "is not YAML"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: &x [*x]", 1, "inside the value it stands for"),
        ("a: 1\nb: *x", 2, "stands for nothing"),
        ("a: !!python/object:os.system {}", 1, "tags"),
        ("a: !include x.yaml", 1, "tags"),
        ("x: &x {a: 1}\nb: {<<: *x}", 2, "merge keys"),
        ("? [a]\n: 1", 1, "a key must be plain text"),
        ("x: &x a\n*x : 1", 2, "a key must be plain text"),
        ("a: \x07", 1, "a character that YAML does not allow"),
        ("[" * 10_000, 1, "deep"),
        ("a: " + "{b: " * 5_000, 1, "deep"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, line: int, words: str) -> None:
    document = read_yaml(text)
    assert [found for found, _ in document.findings][:1] == [line]
    assert words in document.findings[0][1].message


def test_aliases_cannot_blow_up() -> None:
    layers = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    layers += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert any("more than 200000 values" in message for message in _messages("\n".join(layers)))


def test_aliases_cannot_nest_deeper_than_text_may() -> None:
    layers = ["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60))]
    assert any("deep" in message for message in _messages("\n".join(layers)))


def test_messages_show_no_control_characters() -> None:
    assert all(message.isprintable() for message in _messages('"\\e[31m": 1\n"\\e[31m": 2\n? "a"\n: *\u200b'))


_scalar = st.one_of(
    st.booleans(), st.integers(-(10**12), 10**12), st.text(st.characters(exclude_categories=["C"]), max_size=20)
)
_names = st.text("abcdefgh-._", min_size=1, max_size=8)
_tree = st.recursive(
    _scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(_names, _tree, max_size=5))
def test_what_a_yaml_writer_wrote_is_read_back(value: dict[str, Any]) -> None:
    document = read_yaml(yaml.safe_dump(value, allow_unicode=True))
    assert document.findings == []
    assert document.value == (value or {})


@given(st.text(max_size=200) | st.text("{}[]:,-&*!|>'\"%@`?#~<\n\t ab1", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    document = read_yaml(text)
    assert document.complete or document.findings
