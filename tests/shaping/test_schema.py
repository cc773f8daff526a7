"""JSON Schema as a judge: every keyword holds, nothing is fetched, nothing is passed by what JSON leaves open."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest
from mainstay.shaping.json import Json
from mainstay.shaping.port import Misfit
from mainstay.shaping.schema import compile_schema, parse_json
from support.schemas import KEYWORDS, STRANGE


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_each_keyword_holds(keyword: str) -> None:
    schema, good, bad = KEYWORDS[keyword]
    source = json.dumps(schema)
    form = Json(compile_schema(source.encode(), "schema"), source)
    text = json.dumps(good)
    assert form.settle(text) == text
    with pytest.raises(Misfit):
        form.settle(json.dumps(bad))


def test_at_least_forty_keywords_are_covered() -> None:
    assert len(KEYWORDS) >= 40


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": "objct"}', "objct"),
        ('{"$ref": "https://example.com/schema.json"}', "none is ever fetched"),
        ('{"$ref": "file:///etc/passwd"}', "none is ever fetched"),
        ('{"$ref": "#/$defs/absent"}', "absent"),
        ('{"pattern": "("}', "regex"),
        ("[1]", "object, true or false"),
        ("{", "not JSON"),
        ('{"minLength": -1}', "minimum"),
    ],
)
def test_a_schema_that_is_none_is_the_callers_error_and_names_the_field(schema: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compile_schema(schema.encode(), "response_format.json_schema.schema")
    assert words in caught.value.message
    assert caught.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize("case", STRANGE)
def test_a_word_that_its_draft_passes_over_is_refused_and_named(case: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compile_schema(json.dumps(STRANGE[case]).encode(), "schema")
    assert caught.value.message.startswith("The schema cannot be used: ")


def test_words_that_say_nothing_of_a_value_may_stand_anywhere() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"s": {"type": "string"}},
        "properties": {
            "if": {"$ref": "#/definitions/s", "description": "A word.", "x-order": 1},
            "prefixItems": {"const": "a", "examples": [{"divisibleBy": 2}], "default": {"disallow": "x"}},
        },
    }
    compile_schema(json.dumps(schema).encode(), "schema").check({"if": "x", "prefixItems": "a"})


def test_a_huge_schema_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        compile_schema(b'{"title": "' + b"x" * (1 << 20) + b'"}', "schema")


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', "NaN", "[Infinity]", "1e999", "[" * 100_000, "", '{"a": 1', "1 2"]
)
def test_what_two_readers_may_see_differently_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_half_a_surrogate_pair_does_not_crash_the_judge() -> None:
    schema = compile_schema(b'{"type": "object", "properties": {"a": {"maxLength": 3}}}', "schema")
    for text in ('{"a": "\\ud800"}', '{"\\ud800": 1}'):
        with contextlib.suppress(Misfit):
            schema.check(parse_json(text))
    schema.check({"a": "abc"})


def test_a_pattern_that_takes_for_ever_ends() -> None:
    schema = compile_schema(rb'{"pattern": "^(a|a)*(a|a)*(a|a)*\\1$"}', "schema")
    with pytest.raises(Misfit):
        schema.check("a" * 40 + "b")


def test_flaws_name_the_place_and_the_rule() -> None:
    schema = compile_schema(b'{"properties": {"a/b": {"items": {"type": "integer"}}}}', "schema")
    with pytest.raises(Misfit) as caught:
        schema.check({"a/b": [1, "x"]})
    flaw = caught.value.flaws[0]
    assert (flaw.path, flaw.rule) == ("/a~1b/1", "type")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_json_text_reads_as_what_it_says(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value


def test_a_member_is_judged_before_the_others_only_where_that_is_sure() -> None:
    plain = compile_schema(b'{"properties": {"a": {"type": "integer"}}, "required": ["a", "b"]}', "schema")
    plain.check_member("a", 1)
    with pytest.raises(Misfit):
        plain.check_member("a", "x")
    joint = compile_schema(
        b'{"if": {"required": ["b"]}, "then": {}, "else": {"properties": {"a": {"type": "integer"}}}}', "schema"
    )
    joint.check_member("a", "x")
    closed = compile_schema(b'{"properties": {"a": {}}, "additionalProperties": false}', "schema")
    with pytest.raises(Misfit):
        closed.check_member("z", 1)
