"""References to the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.config.expand import expand, is_reference

ENV = {"NAME": "value", "EMPTY": "", "TRICK": "${NAME}"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${NAME}", "value"),
        ("a-${NAME}-${NAME}", "a-value-value"),
        ("${NONE:-fallback}", "fallback"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${NAME:-fallback}", "value"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("$NAME $", "$NAME $"),
        ("${TRICK}", "${NAME}"),
        ("${NONE:-a:-b}", "a:-b"),
    ],
)
def test_references_are_followed(text: str, expanded: str) -> None:
    assert expand(text, ENV) == (expanded, [])


def test_strings_anywhere_are_expanded_and_keys_are_not() -> None:
    value, findings = expand({"${NAME}": ["${NAME}", 1, None, {"a": "${NAME}"}]}, ENV)
    assert value == {"${NAME}": ["value", 1, None, {"a": "value"}]}
    assert findings == []


def test_a_variable_that_is_not_set_is_named_with_the_nearest_one_that_is() -> None:
    value, [finding] = expand({"a": ["x${NAMES}"]}, ENV)
    assert value == {"a": [""]}
    assert finding.place == ("a", 0)
    assert "NAMES is not set" in finding.message
    assert finding.hint == "did you mean 'NAME'?"


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${NAME", "${NAME-x}", "${A B}", "${NAME:x}", "${${NAME}}"])
def test_a_malformed_reference_is_a_problem(text: str) -> None:
    _, findings = expand(text, ENV)
    assert len(findings) >= 1
    assert "without a name" in findings[0].message


@pytest.mark.parametrize(
    ("text", "yes"),
    [("${A}", True), ("a${A:-b}", True), ("file:x", True), ("$${A}", False), ("sk-1", False), (3, False)],
)
def test_a_reference_is_told_from_a_literal(text: object, yes: bool) -> None:
    assert is_reference(text) is yes


@given(st.text("${}:-AB_1 \n", max_size=40))
def test_no_string_breaks_expansion_and_no_reference_is_left_over(text: str) -> None:
    value, findings = expand(text, {"A": "x", "B": "y"})
    assert findings or "${" not in value or "$${" in text
