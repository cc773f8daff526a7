"""A JSON Schema, compiled once, and what it says of a value.

The rules are those of the validator library; here they are kept from reaching outside (no reference is ever fetched),
from being passed by what JSON leaves open (a key given twice, a number beyond every float) or a draft does not know
(a keyword of another one), and put into words.
"""

import functools
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.shaping.port import Flaw, Misfit

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Schema", "compile_schema", "parse_json"]

#: Bytes of a schema, and flaws told of one answer.
_MOST_BYTES: Final = 1024 * 1024
_MOST_FLAWS: Final = 8
_MOST_WORDS: Final = 400
#: With one of these at its root, a schema judges members together: none can be judged before all are there.
_JOINT: Final = frozenset(
    {"if", "then", "else", "not", "anyOf", "oneOf", "allOf", "$ref", "$dynamicRef", "$recursiveRef"}
    | {"dependentSchemas", "dependentRequired", "dependencies", "unevaluatedProperties", "propertyDependencies"}
)
#: Drafts in their order, and what each that is not the first brought: in an older one it would hold nothing.
_DRAFTS: Final = ("4", "6", "7", "2019-09", "2020-12")
_BROUGHT: Final = (
    frozenset[str](),
    frozenset({"const", "contains", "propertyNames"}),
    frozenset({"if", "then", "else"}),
    frozenset({"minContains", "maxContains", "dependentRequired", "dependentSchemas"})
    | {"unevaluatedItems", "unevaluatedProperties", "$recursiveRef"},
    frozenset({"prefixItems", "$dynamicRef"}),
)
#: What was taken away again, by the first draft without it, and what no draft has that is known here.
_GONE: Final = {"$recursiveRef": 4, "additionalItems": 4} | dict.fromkeys(
    ("divisibleBy", "disallow", "extends", "propertyDependencies"), 0
)
#: Where schemas stand within a schema: alone, in a list, by name.
_ONE: Final = (
    *("items", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else"),
    *("additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
)
_LIST: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED: Final = ("properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions")
#: What says something of a value; before 2019-09 it does not when it stands beside ``$ref``.
_JUDGING: Final = {*_ONE, *_LIST, *_NAMED[:4], "type", "enum", "const", "format", "pattern", "required"} | {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
}


class Schema:
    """One compiled schema.

    Args:
        validator: compiled from ``source``.
        source: the schema itself, decoded.
    """

    def __init__(self, validator: "jsonschema_rs.Validator", source: object) -> None:
        self._validator = validator
        #: Whether a member of the root object can be judged before the others are there.
        self.separable = isinstance(source, dict) and not _JOINT & source.keys()

    def check(self, value: object) -> None:
        """Judge a value as ``parse_json`` returns it.

        Raises:
            Misfit: the value does not fit.
        """
        try:
            if self._validator.is_valid(value):
                return
            flaws = [_flaw(error) for error in islice(self._validator.iter_errors(value), _MOST_FLAWS)]
        except (ValueError, OverflowError, RecursionError) as error:
            # Half a surrogate pair, or a nesting that no reader takes.
            raise Misfit(Flaw("It holds a value that cannot be judged.", rule="json")) from error
        raise Misfit(*flaws)

    def check_member(self, name: str, value: object) -> None:
        """Judge one member of a root object whose other members are still to come.

        Raises:
            Misfit: whatever the other members are, the object will not fit.
        """
        if not self.separable or self._validator.is_valid({name: value}):
            return
        for error in self._validator.iter_errors({name: value}):
            unwanted = error.schema_path[0] == "additionalProperties" if error.schema_path else False
            if unwanted or (error.instance_path and error.instance_path[0] == name):
                raise Misfit(_flaw(error))


def compile_schema(raw: bytes, param: str) -> Schema:
    """Return the compiled schema; the last few hundred are remembered.

    Args:
        raw: the schema as JSON.
        param: the caller's field that holds it.

    Raises:
        InvalidRequest: it is no JSON Schema, or refers to something outside itself.
    """
    if len(raw) > _MOST_BYTES:
        raise InvalidRequest("The schema is larger than 1 MiB; send a smaller one.", param=param)
    found = _compiled(raw)
    if isinstance(found, str):
        raise InvalidRequest(f"The schema cannot be used: {found}", param=param)
    return found


@functools.lru_cache(maxsize=256)
def _compiled(raw: bytes) -> Schema | str:
    # Loaded when the first schema comes: most gateways never see one at their start.
    import jsonschema_rs

    try:
        source = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return "it is not JSON."
    if not isinstance(source, dict | bool):
        return "a schema is an object, true or false."
    try:
        schema = Schema(jsonschema_rs.validator_for(source, validate_formats=True, retriever=_refuse), source)
        return _strange(source) or schema
    except jsonschema_rs.ReferencingError:
        return _OUTSIDE
    except (ValueError, RecursionError) as error:
        words = str(getattr(error, "message", "") or error).split("\n", 1)[0]
        where = _pointer(getattr(error, "instance_path", ()))
        if "registry" in words or "retriev" in words:
            return _OUTSIDE
        return f"{words[:_MOST_WORDS]}{f' (at {where})' if where else ''}."


_OUTSIDE = "a reference leads out of it, and none is ever fetched; put what it names under '$defs'."


def _strange(source: object) -> str:
    """Return what is wrong with a schema that uses words which its draft passes over, "" when nothing is."""
    for schema, draft in _within(source, len(_DRAFTS) - 1):
        name = _DRAFTS[draft]
        for word in schema:
            since = next((place for place, brought in enumerate(_BROUGHT) if word in brought), 0)
            if since > draft or draft >= _GONE.get(word, len(_DRAFTS)):
                return f"'{word}' holds nothing in draft {name}; write it in that draft's words, or correct '$schema'."
            if draft < 3 and "$ref" in schema and word in _JUDGING:
                return f"'{word}' holds nothing beside '$ref' in draft {name}; put both into 'allOf'."
    return ""


def _within(source: object, draft: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield a schema and all within it, each with the place of its draft in ``_DRAFTS``."""
    waiting = [(source, draft)]
    while waiting:
        schema, draft = waiting.pop()
        if not isinstance(schema, dict):
            continue
        named = str(schema.get("$schema", ""))
        draft = next((place for place, name in enumerate(_DRAFTS) if re.search(rf"draft[-/]0?{name}\b", named)), draft)
        yield schema, draft
        inner = [schema.get(word) for word in _ONE]
        inner += [one for word in _LIST if isinstance(found := schema.get(word), list) for one in found]
        inner += [one for word in _NAMED if isinstance(found := schema.get(word), dict) for one in found.values()]
        waiting += [(one, draft) for one in inner]


def _refuse(uri: str) -> Any:
    raise ValueError(f"'{uri}' is not fetched")


def _flaw(error: "jsonschema_rs.ValidationError") -> Flaw:
    rule = str(error.schema_path[-1]) if error.schema_path else "false"
    words = error.message
    if len(words) > _MOST_WORDS:
        words = words[: _MOST_WORDS - 1] + "…"
    return Flaw(words, _pointer(error.instance_path), rule)


def _pointer(path: Any) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text in which every reader sees the same.

    Raises:
        ValueError: it is no JSON, names a key twice, or holds a number that is none or is beyond every float.
    """
    return _decode(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_no_constant)


def _decode(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
