"""JSON Schema keyword by keyword: what fits, what does not, and what a local model's grammar passes over."""

from typing import Any

__all__ = ["KEYWORDS", "PASSED_OVER", "STRANGE"]

_D4 = "http://json-schema.org/draft-04/schema#"
_D7 = "http://json-schema.org/draft-07/schema#"
_D19 = "https://json-schema.org/draft/2019-09/schema"

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
    "format hostname": ({"format": "hostname"}, "a.example", "-a-"),
    "format duration": ({"format": "duration"}, "P1D", "1 day"),
    "format json-pointer": ({"format": "json-pointer"}, "/a", "a"),
    "format regex": ({"format": "regex"}, "a+", "("),
    "minimum of a number beyond 64 bits": ({"minimum": 10}, 10**30, -(10**30)),
    "exclusiveMinimum (draft 4)": ({"$schema": _D4, "minimum": 3, "exclusiveMinimum": True}, 4, 3),
    "$recursiveRef (2019-09)": (
        {"$schema": _D19, "$recursiveAnchor": True, "properties": {"c": {"$recursiveRef": "#"}}, "required": ["v"]},
        {"v": 1, "c": {"v": 1}},
        {"v": 1, "c": {}},
    ),
    "contentEncoding (draft 7)": ({"$schema": _D7, "contentEncoding": "base64"}, "aGk=", "!!"),
    "definitions": ({"definitions": {"n": {"type": "integer"}}, "items": {"$ref": "#/definitions/n"}}, [1], ["1"]),
    "a schema with an id of its own": (
        {"$id": "https://a.example/x", "$defs": {"n": {"$id": "n", "type": "integer"}}, "items": {"$ref": "n"}},
        [1],
        ["1"],
    ),
    "false": ({"properties": {"a": False}}, {}, {"a": 1}),
}

#: Keywords that llama.cpp's grammar does not hold its model to.
PASSED_OVER = (
    *("pattern digits", "pattern word", "pattern space", "uniqueItems", "multipleOf", "if then", "if else"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "dependentRequired", "contains", "not"),
)

#: Schemas with words that their draft passes over: such a keyword would hold nothing, and is refused.
STRANGE: dict[str, Any] = {
    "prefixItems before 2020-12": {"$schema": _D7, "prefixItems": [{"type": "integer"}]},
    "unevaluatedProperties before 2019-09": {"$schema": _D7, "properties": {"a": {}}, "unevaluatedProperties": False},
    "dependentRequired before 2019-09": {"$schema": _D7, "dependentRequired": {"a": ["b"]}},
    "minContains before 2019-09": {"$schema": _D7, "contains": {"const": 5}, "minContains": 2},
    "const in draft 4": {"$schema": _D4, "properties": {"a": {"const": 5}}},
    "if in draft 4": {"$schema": _D4, "allOf": [{"if": {"required": ["a"]}, "then": {"required": ["b"]}}]},
    "beside $ref in draft 7": {
        "$schema": _D7,
        "definitions": {"s": {"type": "string"}},
        "properties": {"a": {"$ref": "#/definitions/s", "maxLength": 2}},
    },
    "$recursiveRef in 2020-12": {"items": {"$recursiveRef": "#"}},
    "additionalItems in 2020-12": {"prefixItems": [{}], "additionalItems": False},
    "divisibleBy": {"type": "integer", "divisibleBy": 2},
    "disallow": {"$defs": {"a": {"disallow": "string"}}, "items": {"$ref": "#/$defs/a"}},
    "a list of items in 2020-12": {"items": [{"type": "integer"}]},
    "exclusiveMinimum of draft 4 in 2020-12": {"minimum": 3, "exclusiveMinimum": True},
    "a draft that is none": {"$schema": "https://schemas.example/mine", "type": "integer"},
}
