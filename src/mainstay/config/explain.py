"""Pydantic's errors as findings: the place in the document, one sentence, and the nearest right name.

Knows the schema only as types to walk. Never repeats a value, except a choice or a kind that stands in the file itself.
"""

import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from mainstay.config.expand import is_reference
from mainstay.config.problems import Finding, Place, choices, clip, nearest

__all__ = ["explain", "fields_at", "value_at"]

_PLAIN = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of fields to values",
    "model_attributes_type": "must be a mapping of fields to values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "frozen_set_type": "must be a list",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_parsing": "must be a number",
    "decimal_type": "must be a number",
    "string_type": "must be text; put it in quotes",
}


def explain(error: ValidationError, schema: type[BaseModel], raw: Any) -> Iterator[Finding]:
    """Yield what ``error`` says of ``raw``, the document as written, which was validated against ``schema``."""
    for detail in error.errors(include_url=False, include_input=False):
        place = _place(detail["loc"], raw)
        context: Mapping[str, Any] = detail.get("ctx", {})
        match detail["type"]:
            case "missing":
                yield Finding(place, "is required; add it")
            case "extra_forbidden":
                known = fields_at(schema, place[:-1], raw)
                hint = nearest(str(place[-1]), known)
                yield Finding(place, "unknown field" + ("" if hint else f"; the fields are {choices(known)}"), hint)
            case "union_tag_not_found":
                kinds = list(_kinds_at(schema, place))
                yield Finding((*place, "kind"), f"is required; it is {choices(kinds)}, or a vendor's name")
            case "literal_error" | "enum":
                yield _choice(place, str(context.get("expected", "")), raw)
            case "too_short":
                yield Finding(place, "must not be empty; give at least one")
            case kind:
                yield Finding(place, _PLAIN.get(kind) or _sentence(detail["msg"]))


def _sentence(message: str) -> str:
    """Return pydantic's message as the rest of a sentence that begins with the path."""
    for begin, instead in (("Value error, ", ""), ("Assertion failed, ", ""), ("Input should ", "must ")):
        if message.startswith(begin):
            return instead + message.removeprefix(begin)
    return message[:1].lower() + message[1:]


def _choice(place: Place, expected: str, raw: Any) -> Finding:
    right = re.findall(r"'([^']*)'", expected)
    written = value_at(raw, place)
    if not isinstance(written, str) or is_reference(written):
        return Finding(place, f"must be {choices(right)}")
    return Finding(place, f"must be {choices(right)}, not '{clip(written)}'", nearest(written, right))


def value_at(document: Any, place: Place) -> Any:
    """Return the value at ``place``, or None."""
    for part in place:
        if not _holds(document, part):
            return None
        document = document[part]
    return document


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _place(location: tuple[int | str, ...], raw: Any) -> Place:
    """Return where in the document ``location`` is; pydantic adds the tags of unions, which no one wrote."""
    place: list[str | int] = []
    for i, part in enumerate(location):
        if part == "[key]":
            break
        if _holds(raw, part):
            raw = raw[part]
        elif i < len(location) - 1 or not isinstance(raw, dict) or part == raw.get("kind"):
            continue
        place.append(part)
    return tuple(place)


def fields_at(schema: Any, place: Place, raw: Any) -> list[str]:
    """Return the names of the fields that may stand at ``place``."""
    for model in _models_at(schema, place, raw):
        return list(model.model_fields)
    return []


def _kinds_at(schema: Any, place: Place) -> Iterator[str]:
    for model in _models_at(schema, place, None):
        yield from _kinds(model)


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the kinds that ``model`` is for; none when it takes what the others leave."""
    return get_args(model.model_fields["kind"].annotation)


def _models_at(schema: Any, place: Place, raw: Any) -> list[type[BaseModel]]:
    models = list(_models(schema))
    if len(models) > 1 and isinstance(raw, dict):
        named = [one for one in models if raw.get("kind") in _kinds(one)]
        models = named or [one for one in models if not _kinds(one)]
    if not place:
        return models
    step, rest = place[0], place[1:]
    inner = raw[step] if _holds(raw, step) else None
    if models:
        known = models[0].model_fields.get(str(step))
        return _models_at(known.annotation, rest, inner) if known is not None else []
    items = [one for one in get_args(_bare(schema)) if list(_models(one))]
    return _models_at(items[-1], rest, inner) if items else []


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models a value of this type may be: one, or those of a tagged union."""
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType):
        for one in get_args(annotation):
            yield from _models(one)
