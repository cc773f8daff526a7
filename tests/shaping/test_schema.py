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

#: By keyword: the schema, a value that fits and one that does not.
KEYWORDS: dict[str, tuple[Any, Any, Any]] = {
    "type": ({"type": "integer"}, 1, "1"),
    "type list": ({"type": ["integer", "null"]}, None, "x"),
    "type integer": ({"type": "integer"}, 1.0, 1.5),
    "type boolean": ({"type": "boolean"}, True, 1),
    "type null": ({"type": "null"}, None, 0),
    "enum": ({"enum": ["a", 1, None]}, 1, "b"),
    "const": ({"const": {"a": [1]}}, {"a": [1]}, {"a": [2]}),
    "multipleOf": ({"multipleOf": 5}, 10, 4),
    "multipleOf fraction": ({"multipleOf": 0.1}, 0.3, 0.35),
    "maximum": ({"maximum": 3}, 3, 3.01),
    "exclusiveMaximum": ({"exclusiveMaximum": 3}, 2.9, 3),
    "minimum": ({"minimum": 3}, 3, 2.99),
    "exclusiveMinimum": ({"exclusiveMinimum": 3}, 3.1, 3),
    "maxLength": ({"maxLength": 2}, "éé", "abc"),
    "minLength": ({"minLength": 2}, "ab", "😀"),
    "pattern digits": ({"pattern": r"^\d{3}$"}, "123", "12a"),
    "pattern word": ({"pattern": r"^\w+$"}, "ab_1", "a b"),
    "pattern space": ({"pattern": r"^\S+\s\S+$"}, "a b", "ab"),
    "pattern inside": ({"pattern": "b"}, "abc", "ac"),
    "pattern lookahead": ({"pattern": r"^(?=.*\d)(?=.*[a-z]).{4,}$"}, "abc1", "abcd"),
    "pattern back reference": ({"pattern": r"^(a|b)\1$"}, "aa", "ab"),
    "items": ({"items": {"type": "integer"}}, [1, 2], [1, "2"]),
    "prefixItems": ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, [1, "a"], ["a", 1]),
    "items false": ({"prefixItems": [{}], "items": False}, [1], [1, 2]),
    "additionalItems (draft 7)": (
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}], "additionalItems": False},
        [1],
        [1, 2],
    ),
    "maxItems": ({"maxItems": 1}, [1], [1, 2]),
    "minItems": ({"minItems": 1}, [1], []),
    "uniqueItems": ({"uniqueItems": True}, [1, 2], [2, 2]),
    "uniqueItems of objects": ({"uniqueItems": True}, [{"a": 1}, {"a": 2}], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
    "contains": ({"contains": {"const": 5}}, [1, 5], [1, 2]),
    "minContains": ({"contains": {"const": 5}, "minContains": 2}, [5, 5], [5]),
    "maxContains": ({"contains": {"const": 5}, "maxContains": 1}, [5], [5, 5]),
    "unevaluatedItems": (
        {"allOf": [{"prefixItems": [{"type": "integer"}]}], "unevaluatedItems": False},
        [1],
        [1, 2],
    ),
    "properties": ({"properties": {"a": {"type": "integer"}}}, {"a": 1}, {"a": "1"}),
    "required": ({"required": ["a"]}, {"a": None}, {"b": 1}),
    "additionalProperties false": ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
    "additionalProperties": ({"additionalProperties": {"type": "integer"}}, {"x": 1}, {"x": "1"}),
    "patternProperties": ({"patternProperties": {"^n_": {"type": "integer"}}}, {"n_a": 1}, {"n_a": "1"}),
    "propertyNames": ({"propertyNames": {"maxLength": 2}}, {"ab": 1}, {"abc": 1}),
    "maxProperties": ({"maxProperties": 1}, {"a": 1}, {"a": 1, "b": 2}),
    "minProperties": ({"minProperties": 1}, {"a": 1}, {}),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
    "dependentSchemas": ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1, "b": 1}, {"a": 1}),
    "dependencies (draft 7)": (
        {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}},
        {"a": 1, "b": 1},
        {"a": 1},
    ),
    "unevaluatedProperties": (
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        {"a": 1},
        {"a": 1, "b": 2},
    ),
    "allOf": ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4),
    "anyOf": ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 3, 2),
    "oneOf": ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]}, 4, 6),
    "not": ({"not": {"type": "string"}}, 1, "a"),
    "if then": ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
    "if else": ({"if": {"required": ["a"]}, "else": {"required": ["b"]}}, {"b": 1}, {"c": 1}),
    "$ref": ({"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}, {"a": 1}, {"a": "1"}),
    "$ref recursive": (
        {"properties": {"next": {"$ref": "#"}, "v": {"type": "integer"}}, "required": ["v"]},
        {"v": 1, "next": {"v": 2}},
        {"v": 1, "next": {"v": "2"}},
    ),
    "$anchor": ({"$defs": {"n": {"$anchor": "num", "type": "integer"}}, "items": {"$ref": "#num"}}, [1], ["1"]),
    "$dynamicRef": (
        {"$dynamicAnchor": "node", "properties": {"c": {"$dynamicRef": "#node"}}, "required": ["v"]},
        {"v": 1, "c": {"v": 1}},
        {"v": 1, "c": {}},
    ),
    "format date": ({"format": "date"}, "2026-02-28", "2026-02-30"),
    "format date-time": ({"format": "date-time"}, "2026-02-28T10:00:00Z", "yesterday"),
    "format time": ({"format": "time"}, "10:00:00Z", "25:00:00Z"),
    "format email": ({"format": "email"}, "a@b.example", "a at b"),
    "format uri": ({"format": "uri"}, "https://a.example/b", "not a uri"),
    "format uuid": ({"format": "uuid"}, "01890a5d-ac96-774b-bcce-b302099a8057", "1234"),
    "format ipv4": ({"format": "ipv4"}, "127.0.0.1", "256.0.0.1"),
    "format ipv6": ({"format": "ipv6"}, "::1", ":::1"),
    "false": ({"properties": {"a": False}}, {}, {"a": 1}),
}


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
