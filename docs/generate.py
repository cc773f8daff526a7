"""Writes the generated pages of the docs from the source: settings, errors, metrics, commands and the line's picture.

Run ``python docs/generate.py`` after a change of any of them; a test compares the files with what it would write.
"""

import re
import sys
from html import escape
from pathlib import Path
from typing import Any

import typer.main
from click import Command, Context, Group
from mainstay.cli.main import app as cli
from mainstay.config.publish import json_schema
from mainstay.core import errors
from mainstay.line import line
from mainstay.telemetry.metrics import FAMILIES

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from the source; edit that, not this. -->\n\n"


def config_page() -> str:
    """Every setting with its meaning, type and default, from the JSON Schema."""
    schema = json_schema()
    defs: dict[str, Any] = schema.get("$defs", {})
    out = [NOTE, "# Configuration\n\n", "One YAML file, or a directory of files merged by section. ",
           "`mainstay check FILE` reports every problem at once; `mainstay config schema` prints this page's source ",
           "as JSON Schema for editors.\n\n",
           "`${NAME}` and `${NAME:-default}` read the environment, `file:PATH` reads a mounted secret. ",
           "Durations are `250ms`, `2s`, `5m`, `1h`, `30d`; sizes `64KiB`, `10MiB`.\n"]  # fmt: skip
    for section, node in schema["properties"].items():
        out.append(f"\n## {section}\n\n{node.get('description', '')}\n")
        seen: set[str] = set()
        for name in _references(node):
            _settings(name, defs, out, seen)
    return "".join(out)


def _references(node: Any) -> list[str]:
    found: list[str] = []
    if isinstance(node, dict):
        if "$ref" in node:
            found.append(node["$ref"].rsplit("/", 1)[-1])
        for key, value in node.items():
            if key != "discriminator":
                found += _references(value)
    elif isinstance(node, list):
        for value in node:
            found += _references(value)
    return list(dict.fromkeys(found))


def _settings(name: str, defs: dict[str, Any], out: list[str], seen: set[str]) -> None:
    node = defs[name]
    if name in seen or "properties" not in node:
        return
    seen.add(name)
    kind = node["properties"].get("kind", {}).get("const")
    title = f"kind: {kind}" if kind else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Config")).lower()
    out.append(f"\n### {title}\n\n{(node.get('description') or '').strip()}\n\n")
    out.append("| setting | type | default | meaning |\n|---|---|---|---|\n")
    required = set(node.get("required", ()))
    for field, spec in node["properties"].items():
        default = "required" if field in required else f"`{spec.get('default')!r}`" if "default" in spec else ""
        meaning = " ".join((spec.get("description") or "").split()).replace("|", "\\|")
        out.append(f"| `{field}` | {_type(spec)} | {default} | {meaning} |\n")
    for child in _references(node["properties"]):
        _settings(child, defs, out, seen)


def _type(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        return spec["$ref"].rsplit("/", 1)[-1].removesuffix("Config")
    if "const" in spec:
        return f"`{spec['const']}`"
    if "enum" in spec:
        return " or ".join(f"`{value}`" for value in spec["enum"])
    for key in ("anyOf", "oneOf"):
        if key in spec:
            return " or ".join(dict.fromkeys(_type(option) for option in spec[key]))
    kind = spec.get("type", "any")
    if kind == "array":
        return f"list of {_type(spec.get('items', {}))}"
    return str(kind)


def errors_page() -> str:
    """Every error class with its status, code and meaning."""
    out = [NOTE, "# Errors\n\n",
           "Every error leaves in the envelope the official SDKs parse:\n\n",
           '```json\n{"error": {"message": "…", "type": "…", "param": null, "code": "…"}}\n```\n\n',
           "`code` is stable; `message` says what to do. 429 and 503 carry `retry-after`.\n"]  # fmt: skip
    for name in errors.__all__:
        cls = getattr(errors, name)
        if issubclass(cls, errors.SetupError):
            head = f"\n## {name}\n\nEnds a command with exit code {cls.exit_code}.\n\n"
        else:
            head = f"\n## {name}\n\nHTTP {cls.status} · code `{cls.code}` · type `{cls.type}`\n\n"
        out.append(head + (cls.__doc__ or "").strip().split("\n\n", maxsplit=1)[0] + "\n")
    return "".join(out)


def metrics_page() -> str:
    """Every metric with its kind, labels and buckets."""
    out = [NOTE, "# Metrics\n\n", "`GET /metrics` on any worker answers for all of them, in Prometheus' text format.\n"]
    for family in FAMILIES.values():
        out.append(f"\n## {family.name}\n\n{family.kind}: {family.help}\n\n")
        if family.labels:
            out.append(f"Labels: {', '.join(f'`{label}`' for label in family.labels)}\n")
        if family.buckets:
            out.append(f"\nBuckets: {' '.join(f'{bound:g}' for bound in family.buckets)}\n")
    return "".join(out)


def commands_page() -> str:
    """The help of every command."""
    out = [NOTE, "# Command line\n"]

    def walk(command: Command, names: tuple[str, ...], parent: Context | None) -> None:
        context = Context(command, info_name=names[-1], parent=parent, max_content_width=100, terminal_width=100)
        if len(names) > 1 and not command.hidden:
            text = re.sub(r"\x1b\[[0-9;]*m", "", command.help or "").strip()
            out.append(f"\n## {' '.join(names)}\n\n```text\n{command.get_usage(context)}\n\n{text}\n")
            for parameter in command.params:
                record = parameter.get_help_record(context)
                if record is not None and "--help" not in record[0]:
                    out.append(f"\n  {record[0]}\n      {record[1]}\n".rstrip() + "\n")
            out.append("```\n")
        if isinstance(command, Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None and not child.hidden:
                    walk(child, (*names, name), context)

    walk(typer.main.get_command(cli), ("mainstay",), None)
    return "".join(out)


def line_picture() -> str:
    """The line as an SVG: what is built in full strokes, what is planned in faint ones."""
    plan = re.findall(r"^\d+\. ``([A-Za-z.]+)``: ([^;.:]+)", line.__doc__ or "", re.MULTILINE)
    built = {f"{stage.__module__.split('.')[1]}.{stage.__name__}" for stage in line.LINE}
    width, step, top = 760, 44, 56
    height = top + step * len(plan) + 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="14">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="24" y="30" font-weight="600" fill="#111827">a call goes in: OpenAI SDK, curl, any client</text>',
        f'<path d="M40 {top - 14} V{height - 44}" stroke="#2563eb" stroke-width="3"/>',
        f'<path d="M{width - 40} {height - 44} V{top - 14}" stroke="#059669" stroke-width="3"/>',
    ]
    for number, (stage, meaning) in enumerate(plan):
        y = top + number * step
        here = stage in built
        ink, fill = ("#111827", "#eff6ff") if here else ("#9ca3af", "#f9fafb")
        dash = "" if here else ' stroke-dasharray="4 4"'
        out.append(
            f'<rect x="64" y="{y}" width="{width - 128}" height="34" rx="6" fill="{fill}" stroke="{ink}"{dash}/>'
            f'<text x="80" y="{y + 22}" fill="{ink}" font-weight="600">{escape(stage)}</text>'
            f'<text x="300" y="{y + 22}" fill="{ink}">{escape(meaning)}</text>'
        )
    out.append(
        f'<text x="24" y="{height - 16}" fill="#111827" font-weight="600">models: bought over the wire, built by you, '
        "bundled on this machine</text></svg>\n"
    )
    return "\n".join(out)


PAGES = {
    "reference/config.md": config_page,
    "reference/errors.md": errors_page,
    "reference/metrics.md": metrics_page,
    "reference/commands.md": commands_page,
    "line.svg": line_picture,
}


def main() -> int:
    """Write every page; with ``--check`` only say which differ, and fail if any does."""
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
    if "--check" in sys.argv and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
