"""The schema of the configuration as JSON Schema (draft 2020-12), for editors and for the docs.

It describes the file as people write it: a reference like ``${NAME}`` may stand wherever a number, a boolean or a
choice may, a section may be left empty, and defaults are durations and sizes with their units.
"""

from collections.abc import Callable
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from mainstay.config.schema import KINDS, Config
from mainstay.providers.vendors import packaged_names

__all__ = ["json_schema"]

_REFERENCE = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}",
    "description": "A value from the environment: `${NAME}`, or `${NAME:-default}`.",
}
_TO_REFERENCE = {"$ref": "#/$defs/Reference"}
_SCALARS = ("integer", "number", "boolean")
#: What belongs to a field whatever its type: it stays outside ``anyOf``, where editors look for it.
_WORDS = ("description", "default", "examples")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file."""
    schema: dict[str, Any] = _rewrite(Config.model_json_schema(schema_generator=_Generator))
    for part in schema["properties"].values():
        options = {key: part.pop(key) for key in list(part) if key not in _WORDS}
        part["anyOf"] = [options, {"type": "null"}]
    for model in schema["$defs"].values():
        kind = model.get("properties", {}).get("kind", {})
        if "const" in kind:
            kind.pop("default", None)
            model["required"] = ["kind", *model.get("required", ())]
    for place in [schema, *schema["$defs"].values()]:
        for field in place.get("properties", {}).values():
            _explain(field, schema["$defs"])
    schema["$defs"] = {**schema["$defs"], "Reference": _REFERENCE}
    _name_vendors(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Mainstay configuration", **schema}


def _explain(field: dict[str, Any], defs: dict[str, Any]) -> None:
    """Give a field the words of what it refers to, where it has none: a text that both share stands there only."""
    if "description" in field:
        return
    for option in (field, *field.get("anyOf", ())):
        target = defs.get(str(option.get("$ref", "")).rsplit("/", 1)[-1], {})
        if "description" in target:
            field["description"] = target["description"]
            return


def _name_vendors(schema: dict[str, Any]) -> None:
    """Say which names ``kind`` may have: those of the rows that come with Mainstay, or any where ``vendors`` is given.

    A configuration that is a folder gives ``vendors`` in one file only; the others then want the section's empty
    heading, if an editor is not to mark their kinds.
    """
    fields = schema["$defs"]["VendorConfig"]["properties"]
    words = {key: value for key, value in fields["kind"].items() if key in _WORDS}
    names = list(packaged_names())
    fields["kind"] = {**words, "anyOf": [{"enum": names}, {"type": "string", "not": {"enum": list(KINDS)}}]}
    known = {"properties": {"kind": {"anyOf": [{"enum": [*KINDS, *names]}, _TO_REFERENCE]}}}
    schema["if"] = {"not": {"required": ["vendors"]}}
    schema["then"] = {
        "properties": {"providers": {"anyOf": [{"type": "object", "additionalProperties": known}, {"type": "null"}]}}
    }


class _Generator(GenerateJsonSchema):
    """Writes defaults as people write them: ``30s``, not ``30.0``."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        out = super().default_schema(schema)
        written = _serializer(schema["schema"])
        if written is not None and out.get("default") is not None:
            out["default"] = written(schema["default"])
        return out


def _serializer(schema: Any) -> Callable[[Any], Any] | None:
    """Return the function that turns a value of ``schema`` into what people write, if it has one."""
    while isinstance(schema, dict):
        serialization = schema.get("serialization", {})
        if serialization.get("type") == "function-plain" and not serialization.get("info_arg"):
            return cast("Callable[[Any], Any]", serialization["function"])
        schema = schema.get("schema")
    return None


def _rewrite(node: Any) -> Any:
    """Return ``node`` without titles, with plain-text descriptions, and with scalars also writable as references."""
    if isinstance(node, list):
        return [_rewrite(one) for one in node]
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            out[key] = {name: _rewrite(one) for name, one in value.items()}
        elif key == "description":
            out[key] = " ".join(value.replace("``", "`").split())
        elif key in ("default", "examples", "const", "enum"):
            out[key] = value
        elif key not in ("title", "discriminator"):
            out[key] = _rewrite(value)
    if "anyOf" in out:
        out["anyOf"] = _flat(out["anyOf"])
    if "patternProperties" in out:
        out["additionalProperties"] = False
    patterned = out.get("type") == "string" and ("enum" in out or "pattern" in out)
    if out.get("type") in _SCALARS or patterned:
        words = {key: out.pop(key) for key in _WORDS if key in out}
        return {**words, "anyOf": [out, _TO_REFERENCE]}
    return out


def _flat(options: list[Any]) -> list[Any]:
    """Return ``options`` with choices inside choices spread out, each once."""
    flat: list[Any] = []
    for option in options:
        flat += [one for one in (option["anyOf"] if set(option) == {"anyOf"} else [option]) if one not in flat]
    return flat
