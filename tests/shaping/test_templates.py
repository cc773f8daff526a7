"""Templates: places filled with checked values, versions as people count, and a configuration judged before it runs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import Message, TextPart
from mainstay.shaping.config import PromptConfig
from mainstay.shaping.templates import Reference, Templates, find_flaws, places, read_reference


def prompts(**rows: Any) -> dict[str, PromptConfig]:
    return {
        name.replace("_", "@"): PromptConfig.model_validate({"system": row} if isinstance(row, str) else row)
        for name, row in rows.items()
    }


def said(rows: dict[str, PromptConfig], name: str, **variables: Any) -> str:
    part = Templates(rows).render(Reference(name, variables)).system[0].parts[0]
    assert isinstance(part, TextPart)
    return part.text


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    rows = prompts(a={"system": "<{{x}}>", "variables": {"x": {}}}, b="secret")
    assert said(rows, "a", x=value + "{{> b}}") == f"<{value}{{{{> b}}}}>"


def test_the_newest_version_is_the_highest_number() -> None:
    rows = prompts(a_2="two", a_10="ten", a_9="nine")
    assert Templates(rows).find("a") == "a@10"
    assert Templates(prompts(a_1="one", a="none")).find("a") == "a"


def test_braces_can_be_written() -> None:
    assert said(prompts(a=r"\{{x}} {x} }}"), "a") == "{{x}} {x} }}"


def test_values_show_as_json_shows_them() -> None:
    row = {
        "system": "{{i}} {{n}} {{b}}",
        "variables": {"i": {"type": "integer"}, "n": {"type": "number"}, "b": {"type": "boolean"}},
    }
    assert said(prompts(a=row), "a", i=3, n=0.5, b=True) == "3 0.5 true"


@pytest.mark.parametrize(
    ("kind", "value"), [("text", 1), ("integer", True), ("integer", 1.5), ("number", "1"), ("boolean", 1)]
)
def test_a_value_of_another_type_is_refused(kind: str, value: Any) -> None:
    rows = prompts(a={"system": "{{x}}", "variables": {"x": {"type": kind}}})
    with pytest.raises(InvalidRequest) as caught:
        said(rows, "a", x=value)
    assert caught.value.param == "prompt.variables.x"


def test_a_partial_brings_its_variables() -> None:
    rows = prompts(tone={"system": "Be {{manner}}.", "variables": {"manner": {}}}, a="Hi. {{> tone}}")
    assert said(rows, "a", manner="kind") == "Hi. Be kind."


@pytest.mark.parametrize(
    ("rows", "path", "words"),
    [
        (prompts(a="{{brnd}}"), ("a", "system"), "has no variable"),
        (prompts(a="{{> tone}}"), ("a", "system"), "that there is not"),
        (prompts(a="{{> b}}", b="{{> a}}"), ("a", "system"), "takes it in again"),
        (prompts(a="{{x"), ("a", "system"), "begins neither"),
        (prompts(a="{{ if x }}"), ("a", "system"), "begins neither"),
        (prompts(a={"messages": [{"role": "user", "content": "{{x}}"}]}), ("a", "messages", 0, "content"), "variable"),
        (prompts(a={"variants": {"m": {"system": "{{x}}"}}}), ("a", "variants", "m", "system"), "variable"),
        (
            prompts(a={"system": "{{x}}", "variables": {"x": {"type": "integer", "default": "one"}}}),
            ("a", "variables", "x", "default"),
            "is of type integer",
        ),
    ],
)
def test_what_is_wrong_with_a_prompt_is_told_with_its_place(
    rows: dict[str, PromptConfig], path: tuple[Any, ...], words: str
) -> None:
    found = dict(find_flaws(rows))
    assert words in found[path]


def test_right_prompts_have_no_flaws() -> None:
    rows = prompts(tone="Be kind.", a={"system": "{{> tone}} {{x}}", "variables": {"x": {"default": "y"}}})
    assert not list(find_flaws(rows))


@given(st.text())
def test_any_text_is_a_template_or_says_why_not(text: str) -> None:
    try:
        found = list(places(text))
    except ValueError:
        assert "{{" in text
        return
    assert len(found) <= text.count("{{")


@pytest.mark.parametrize("raw", [b"1", b"null", b'""', b"{}", b'{"id": 1}', b'{"id": "a", "variables": []}', b"{"])
def test_a_reference_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_reference(raw)


def test_a_reference_may_be_a_name_or_an_object() -> None:
    assert read_reference(b'"a@1"') == Reference("a@1")
    assert read_reference(b'{"id": "a", "version": 1, "variables": {"x": 2}}') == Reference("a@1", {"x": 2})
    rendered = Templates(prompts(a="Hi")).render(Reference("a"))
    assert rendered.system == (Message("system", (TextPart("Hi"),)),)
