"""The page of settings, from the JSON Schema of the configuration: one heading and one table per group.

Used by ``generate.py``. A setting's row has an anchor of its own: ``#server.port``, ``#providers.openai.api_key``.
"""

import re
from collections.abc import Iterator
from typing import Any

from mainstay.config import default_config_text
from mainstay.config.publish import json_schema
from mainstay.core.target import Feature, Operation

__all__ = ["config_page", "slug"]

_HEAD = """# Configuration

One YAML file, or a folder of them merged by section. `mainstay check FILE` reports every problem of a file at once,
with its line. `mainstay config show FILE` prints what a file comes to with every default filled in.
`mainstay config schema` prints the JSON Schema, with which an editor completes and checks while you type.

How values are written:

| value | written |
|---|---|
| duration | a number with a unit: `250ms`, `2s`, `5m`, `1h`, `30d` |
| size | bytes, or a number with a unit: `512`, `64KiB`, `10MiB`, `1GiB` |
| name | 1 to 128 letters, digits and `.` `_` `:` `/` `@` `-`; begins with a letter or digit |
| from the environment | `${NAME}`, or `${NAME:-default}` for when it is unset or empty; in place of any value |
| secret | `${NAME}`, or `file:PATH` for a mounted file (relative to the folder of the configuration) |
| `${` itself | `$${` |

An unknown field is an error. What is left out has the default below; "—" means none.
"""

#: The order within a table: these first, the others as in the schema.
_FIRST = ("kind", "model", "provider", "targets", "base_url", "api_key", "input", "output")
_OPERATIONS = {
    Operation.CHAT: "`/v1/chat/completions`, `/v1/messages`, `/v1/responses`",
    Operation.COUNT: "`/v1/messages/count_tokens`",
    Operation.COMPLETION: "`/v1/completions`",
    Operation.EMBEDDING: "`/v1/embeddings`",
    Operation.MODERATION: "`/v1/moderations`",
    Operation.TRANSCRIPTION: "`/v1/audio/transcriptions`",
    Operation.TRANSLATION: "`/v1/audio/translations`",
    Operation.SPEECH: "`/v1/audio/speech`",
    Operation.IMAGE: "`/v1/images/generations`",
    Operation.IMAGE_EDIT: "`/v1/images/edits`",
    Operation.RERANK: "`/v1/rerank`",
}
_FEATURES = {
    Feature.TOOLS: "`tools`, `functions`, or messages with tool calls and their results",
    Feature.IMAGES: "a content part of type `image_url`",
    Feature.AUDIO: "a content part of type `input_audio`, or `modalities` with `audio`",
    Feature.DOCUMENTS: "a content part of type `file`",
    Feature.LOGPROBS: "`logprobs` or `top_logprobs`",
    Feature.THINKING: "`thinking` with a budget of tokens (Anthropic's)",
    Feature.PREFILL: "a last message of the assistant's, for the model to go on with; taken for granted otherwise",
    Feature.CHOICES: "`n` above 1",
    Feature.SEED: "`seed`",
    Feature.LOGIT_BIAS: "`logit_bias`",
    Feature.PENALTIES: "`frequency_penalty` or `presence_penalty` other than 0",
    Feature.JSON: "`response_format` of type `json_object`",
    Feature.SCHEMA: "`response_format` of type `json_schema`",
}


def config_page() -> str:
    """Every setting with its type, default and meaning."""
    schema = json_schema()
    defs: dict[str, Any] = schema["$defs"]
    out = [_HEAD]
    for section, node in schema["properties"].items():
        table, path = next(option for option in node["anyOf"] if option.get("type") != "null"), section
        # A bare text may stand for the section.
        table = next((option for option in table.get("anyOf", ()) if "$ref" in option), table)
        if "patternProperties" in table:
            (table,) = table["patternProperties"].values()
            # A bare text may stand for the mapping.
            table = next((option for option in table.get("anyOf", ()) if "$ref" in option), table)
            path += ".NAME"
        kinds = [_target(option) for option in table.get("oneOf", ())]
        if kinds:
            told: set[str] = set()
            out.append(f"\n## {section}\n\n{node['description']}\n")
            for name in kinds:
                kind = defs[name]["properties"]["kind"].get("const", "NAME")
                out.append(f"\n### {section}, kind: {kind}\n\n{defs[name]['description']}\n")
                out += _group(name, path, defs, f"{section}.{kind}", told)
        else:
            words = max(node["description"], defs[_target(table)]["description"], key=len)
            out.append(f"\n## {section}\n\n{words}\n")
            out += _group(_target(table), path, defs, path)
    out.append("\n## features\n\nWhat a model may lack, for `lacks`. A call needs the feature when it has:\n\n")
    out.append("| feature | in the call |\n|---|---|\n")
    out += [f"| `{feature}` | {_FEATURES[feature]} |\n" for feature in Feature]
    out.append("\n## operations\n\nWhat a model may be asked to do.\n\n| operation | at |\n|---|---|\n")
    out += [f"| `{operation}` | {_OPERATIONS[operation]} |\n" for operation in Operation]
    out.append(f"\n## The file that `mainstay up` writes\n\n```yaml\n{default_config_text()}```\n")
    return "".join(out)


def _target(node: dict[str, Any]) -> str:
    return str(node.get("$ref", "")).rsplit("/", 1)[-1]


def _group(name: str, path: str, defs: dict[str, Any], anchor: str, told: set[str] | None = None) -> Iterator[str]:
    """Yield one table of settings, then those of the groups inside it, but for those that have been told."""
    node = defs[name]
    yield "\n| setting | type | default | meaning |\n|---|---|---|---|\n"
    required = set(node.get("required", ()))
    inner: list[tuple[str, str]] = []
    fields: dict[str, Any] = node["properties"]
    for field in sorted(fields, key=lambda field: _FIRST.index(field) if field in _FIRST else len(_FIRST)):
        spec = fields[field]
        groups = [found for found in dict.fromkeys(_named(spec)) if "properties" in defs[found]]
        inner += [(found, field) for found in groups]
        where = f"#{slug(f'{path}.{field}')}"
        default = "required" if field in required else _default(spec, where if groups else "")
        meaning = spec["description"].replace("|", "\\|")
        yield f'| <a id="{anchor}.{field}"></a>`{field}` | {_type(spec, defs, where)} | {default} | {meaning} |\n'
    for found, field in inner:
        below = field + _kind(found, defs)
        if told is not None:
            if below in told:
                continue
            told.add(below)
        yield f"\n### {path}.{below}\n\n{defs[found]['description']}\n"
        yield from _group(found, f"{path}.{below}", defs, f"{anchor}.{below}")


def _kind(name: str, defs: dict[str, Any]) -> str:
    """Return what tells a group from others in its place: ``.enum`` for one of a kind, "" for one alone."""
    kind = defs[name].get("properties", {}).get("kind", {}).get("const")
    return f".{kind}" if kind else ""


def _values(option: dict[str, Any]) -> Any:
    """Return what the values of a mapping are; None for what is no mapping."""
    return option.get("additionalProperties") or next(iter(option.get("patternProperties", {}).values()), None)


def _options(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a setting, however they are nested."""
    inner = spec.get("anyOf") or spec.get("oneOf")
    return [found for option in inner for found in _options(option)] if inner else [spec]


def _named(spec: dict[str, Any]) -> list[str]:
    """Return the names of the definitions that a setting's value may follow."""
    options = _options(spec)
    found = [_target(option) for option in options]
    for option in options:
        for inner in (option.get("items"), _values(option)):
            found += _named(inner) if isinstance(inner, dict) else []
    # One that may also stand in a list is one group.
    return [name for name in dict.fromkeys(found) if name and name != "Reference"]


def slug(heading: str) -> str:
    """Return the anchor that Markdown gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _default(spec: dict[str, Any], where: str) -> str:
    value = spec.get("default")
    if value is None or value in ("", [], {}):
        return f"[there]({where})" if where and "default" not in spec else "—"
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def _type(spec: dict[str, Any], defs: dict[str, Any], where: str) -> str:
    options = _options(spec)
    said = [text for option in options if (text := _plain(option, defs, where))]
    if any(text.startswith("number") for text in said):
        said = [text for text in said if text != "text"]
    if "size" in said:
        said = ["size"]
    return " or ".join(dict.fromkeys(said))


def _plain(option: dict[str, Any], defs: dict[str, Any], where: str) -> str:
    """Return one option of a type in words; "" for what goes without saying."""
    name = _target(option)
    kind, pattern = option.get("type"), option.get("pattern", "")
    if name == "Reference" or kind == "null":
        return ""
    if name:
        if "properties" not in defs[name]:
            return f"[{name.lower()}](#{name.lower()}s)"
        kind = _kind(name, defs)
        return f"[{kind.removeprefix('.') or 'mapping'}]({where}{slug(kind)})"
    if "const" in option:
        return f"`{option['const']}`"
    if "not" in option:
        return ""
    if len(option.get("enum", ())) > 20:
        return "[vendor](vendors.md)"
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if kind == "array" and "prefixItems" in option:
        return f"list of {len(option['prefixItems'])}: {_type(option['prefixItems'][0], defs, where)}"
    if kind == "array":
        return f"list of {_type(option['items'], defs, where)}"
    if kind == "object":
        values = _values(option)
        if not isinstance(values, dict):
            return "mapping"
        return f"mapping of name to {_type(values, defs, where)}"
    if kind in ("integer", "number"):
        return ("whole number" if kind == "integer" else "number") + _bounds(option)
    if kind == "boolean":
        return "`true`, `false`"
    for mark, word in (("ms|s|m|h|d", "duration"), ("KiB", "size"), ("A-Za-z0-9", "name")):
        if mark in pattern:
            return word
    return "secret" if option.get("format") == "password" else "text"


def _bounds(option: dict[str, Any]) -> str:
    least, above, most = option.get("minimum"), option.get("exclusiveMinimum"), option.get("maximum")
    low = f"{least:g}" if least is not None else f"above {above:g}" if above is not None else ""
    if most is None:
        return f", {low} or more" if least is not None else f", {low}" if low else ""
    return f", {low} to {int(most)}"
