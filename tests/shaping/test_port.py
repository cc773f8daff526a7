"""The forms for those who want no JSON, and what all forms have in common."""

from decimal import Decimal

import pytest

from mainstay.shaping.enum import Enum
from mainstay.shaping.json import Json
from mainstay.shaping.list import List
from mainstay.shaping.null import AnyText
from mainstay.shaping.number import Number
from mainstay.shaping.port import Form, Misfit
from mainstay.shaping.regex import Regex
from mainstay.shaping.schema import compile_schema
from mainstay.shaping.xml import Xml

SCHEMA = b'{"type": "object", "required": ["a"]}'
#: A form, and a text that has it.
FORMS: dict[str, tuple[Form, str]] = {
    "json": (Json(compile_schema(SCHEMA, "schema"), SCHEMA.decode()), '{"a":1}'),
    "json object": (Json(None), "{}"),
    "enum": (Enum(["yes", "no"]), "yes"),
    "regex": (Regex(r"[A-Z]{2}\d+"), "AB12"),
    "number": (Number(Decimal(0), Decimal(10)), "7.5"),
    "list": (List(2, 3, unique=True), "a\nb"),
    "xml": (Xml(["answer", "why"]), "<answer>1</answer>\n<why>2</why>"),
    "null": (AnyText(), "anything"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_text_of_the_form_stays_as_it_is(name: str) -> None:
    form, text = FORMS[name]
    assert form.settle(text) == text


@pytest.mark.parametrize("name", FORMS)
def test_settling_twice_changes_nothing(name: str) -> None:
    form, text = FORMS[name]
    once = form.settle(f"  {text}\n")
    assert form.settle(once) == once


@pytest.mark.parametrize("name", [name for name in FORMS if name != "null"])
def test_an_empty_answer_has_no_form_and_the_model_is_told_which_it_needs(name: str) -> None:
    form, _ = FORMS[name]
    assert form.words().startswith("Answer with")
    for text in ("", " \n"):
        with pytest.raises(Misfit):
            form.settle(text)


@pytest.mark.parametrize(
    ("name", "text", "settled"),
    [
        ("enum", " Yes. ", "yes"),
        ("enum", "**No**", "no"),
        ("enum", 'Answer: "yes"', "yes"),
        ("regex", "`AB12`", "AB12"),
        ("number", "+7", "7"),
        ("number", "**7.50**", "7.50"),
        ("list", "1. a\n2. b\n\n3. c", "a\nb\nc"),
        ("list", "- a\n- b", "a\nb"),
        ("xml", "Let me see. <why>x\ny</why> So <answer>4</answer>!", "<answer>4</answer>\n<why>x\ny</why>"),
        ("json", '```json\n{"a": 2}\n```', '{"a": 2}'),
    ],
)
def test_wrapping_is_taken_off(name: str, text: str, settled: str) -> None:
    assert FORMS[name][0].settle(text) == settled


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("enum", "not yes"),
        ("enum", "yes and no"),
        ("regex", "AB12 and CD34"),
        ("number", "seven"),
        ("number", "11"),
        ("number", "-1"),
        ("number", "1,00"),
        ("number", "7 or 8"),
        ("list", "a"),
        ("list", "a\nb\nc\nd"),
        ("list", "a\na"),
        ("xml", "<answer>1</answer>"),
        ("xml", "<answer>1</answer><why>2</why><why>3</why>"),
        ("xml", "<answer>1</answer><why>2"),
        ("json", '{"b": 1}'),
        ("json", "[1]"),
        ("json object", "[1]"),
    ],
)
def test_another_answer_is_no_answer(name: str, text: str) -> None:
    with pytest.raises(Misfit):
        FORMS[name][0].settle(text)


@pytest.mark.parametrize("name", ["regex", "number", "list"])
def test_what_was_cut_is_never_taken_for_complete(name: str) -> None:
    form, text = FORMS[name]
    with pytest.raises(Misfit) as caught:
        form.settle(text, cut=True)
    assert caught.value.flaws[0].rule == "cut"


def test_a_cut_document_never_becomes_valid() -> None:
    form = FORMS["json"][0]
    for text in ('{"a": 1', '```json\n{"a": 1}\n', '{"a": [1, 2]'):
        with pytest.raises(Misfit) as caught:
            form.settle(text, cut=True)
        assert caught.value.flaws[0].rule == "cut"
    assert form.settle('{"a": 1}\n\n\n', cut=True) == '{"a": 1}\n\n\n'
    with pytest.raises(Misfit):
        Json(compile_schema(b"{}", "schema")).settle("12", cut=True)


def test_a_whole_number_has_no_fraction() -> None:
    form = Number(whole=True)
    assert form.settle("1,234,567") == "1234567"
    with pytest.raises(Misfit):
        form.settle("1.5")


def test_case_counts_where_values_differ_by_it() -> None:
    form = Enum(["A", "a"])
    assert form.settle("a") == "a"
    assert Enum(["Ja", "Nein"]).settle("JA") == "Ja"
    assert Enum(["İ", "x"]).settle("X") == "x"
