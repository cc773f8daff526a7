"""The docs are true: generated pages are fresh, everything has its place, and what is shown exists and works."""

import ast
import json
import re
import shlex
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from mainstay.cli.main import build
from mainstay.config import Config, check, default_config_text
from mainstay.core import errors
from mainstay.core.config import Section
from mainstay.core.target import Feature
from mainstay.line.line import LINE
from mainstay.telemetry.families import FAMILIES
from support.pages import PAGES, ROOT, Block, anchors, blocks, headings, inline_code, links, name, prose

REFERENCE = ROOT / "docs" / "reference"
SRC = ROOT / "src" / "mainstay"
COMMANDS: Any = typer.main.get_command(build())
#: What a command line in the docs may begin with besides ``make`` and ``mainstay``.
TOOLS = {"curl", "echo", "export", "pip"}


def test_generated_pages_are_what_the_source_says() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Everything has its place.


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """Yield the parts of the configuration that a field's type mentions."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)


def _settings(model: type[Section], path: str) -> Iterator[str]:
    for field, info in model.model_fields.items():
        yield f"{path}.{field}"
        for inner in _sections(info.annotation):
            kind = inner.model_fields["kind"].default if "kind" in inner.model_fields else ""
            yield from _settings(inner, f"{path}.{field}" + (f".{kind}" if kind else ""))


def _all_settings() -> Iterator[str]:
    for section, info in Config.model_fields.items():
        models = list(_sections(info.annotation))
        assert models, section
        named = typing.get_origin(info.annotation) is dict
        for model in models:
            kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
            kind = kind if isinstance(kind, str) else None
            yield from _settings(model, f"{section}.{kind}" if kind else f"{section}.NAME" if named else section)


def _anchor(setting: str) -> str:
    """Return the pattern of a setting's anchor; what every kind of provider has in common stands once, for one."""
    section, *path = setting.split(".")
    if section == "providers" and len(path) > 2:
        return ".".join([section, r"[\w-]+", *map(re.escape, path[1:])])
    return re.escape(setting)


def _settings_of(section: str) -> list[str]:
    found = [setting for setting in _all_settings() if setting.partition(".")[0] == section]
    assert found
    return found


@pytest.mark.parametrize("section", Config.model_fields)
def test_every_setting_stands_in_the_reference_once(section: str) -> None:
    for setting in _settings_of(section):
        rows = re.findall(
            rf'^\| <a id="{_anchor(setting)}"></a>`\w+` \| (.+) \| (.+) \| (.+) \|$', _reference("config"), re.M
        )
        assert len(rows) == 1, setting
        assert all(cell.strip() for cell in rows[0]), setting


@pytest.mark.parametrize("section", Config.model_fields)
def test_every_setting_stands_under_the_heading_of_its_group(section: str) -> None:
    under = re.split(r"^#+ ", _reference("config"), flags=re.M)
    for setting in _settings_of(section):
        group, _, _ = setting.rpartition(".")
        _, _, kind = group.partition(".")
        kind, _, inner = kind.partition(".")
        heading = f"{section}, kind: {kind}" if section == "providers" else group.removesuffix(".NAME")
        if section == "providers" and inner:
            heading = f"providers.NAME.{inner}"
        (part,) = [part for part in under if part.startswith(f"{heading}\n")]
        assert re.search(f'<a id="{_anchor(setting)}"></a>', part), setting


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_is_explained(feature: Feature) -> None:
    assert f"\n| `{feature}` | " in _reference("config").partition("\n## features\n")[2]


@pytest.mark.parametrize("stage", LINE)
def test_every_stage_has_its_heading(stage: type) -> None:
    assert f"{stage.__module__.split('.')[1]}.{stage.__name__}" in headings(REFERENCE / "line.md")


#: Heads of the tree: nothing is raised as one of them.
_HEADS = {"MainstayError", "CallerError", "UpstreamError", "SetupError"}


@pytest.mark.parametrize("cls", [getattr(errors, cls) for cls in errors.__all__ if cls not in _HEADS])
def test_every_error_has_its_heading(cls: type[errors.MainstayError]) -> None:
    assert cls.code in headings(REFERENCE / "errors.md")
    assert f"Class `{cls.__name__}`" in _reference("errors")


def test_heads_of_the_error_tree_are_never_raised() -> None:
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                assert ast.unparse(node.exc.func).rpartition(".")[2] not in _HEADS, path


def _narrower_codes() -> Iterator[str]:
    """Yield the codes that the source gives to an error in place of its class's own."""
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code":
                yield from (
                    c.value for c in ast.walk(node.value) if isinstance(c, ast.Constant) and isinstance(c.value, str)
                )


@pytest.mark.parametrize("code", sorted(set(_narrower_codes())))
def test_every_code_given_in_passing_has_its_heading(code: str) -> None:
    # Said by a command, as a sentence; no answer carries it.
    if code != "key_exists":
        assert code in headings(REFERENCE / "errors.md")


@pytest.mark.parametrize("metric", FAMILIES)
def test_every_metric_has_its_heading(metric: str) -> None:
    assert metric in headings(REFERENCE / "metrics.md")


def _verbs(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    for verb, child in getattr(command, "commands", {}).items():
        yield f"{words} {verb}", child
        yield from _verbs(child, f"{words} {verb}")


@pytest.mark.parametrize(("words", "command"), list(_verbs(COMMANDS, "mainstay")), ids=str)
def test_every_command_has_its_heading_and_every_option_its_row(words: str, command: Any) -> None:
    part = re.split(r"^## ", _reference("commands"), flags=re.M)
    (part,) = [part for part in part if part.startswith(f"{words}\n")]
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert all(f"`{option}" in part for option in parameter.opts), parameter.opts


def test_every_path_and_every_header_of_ours_is_in_the_http_reference() -> None:
    page = (ROOT / "docs" / "http.md").read_text()
    paths = re.findall(r'"(/(?:v1|health|metrics)[a-z0-9/_]*)"', (SRC / "api" / "asgi.py").read_text())
    sent = re.findall(r'\(b"(x-mainstay-[a-z-]+)"', (SRC / "api" / "door.py").read_text())
    assert paths
    assert sent
    for word in {*paths, *sent}:
        assert f"{word}`" in page or f"{word}{{" in page, word


def _reference(page: str) -> str:
    return (REFERENCE / f"{page}.md").read_text()


# What is shown exists and works.


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        if anchor:
            assert anchor in anchors(path), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_finished_text(page: Path) -> None:
    assert prose(page).count("```") == 0, "a fence is not closed, or does not begin its line"
    assert not re.search(r"\b(TO" + r"DO|FIX" + r"ME|TBD)\b", page.read_text())


def _commands(script: str) -> Iterator[list[str]]:
    """Yield the commands of a shell script as words: pipelines taken apart, assignments and redirections left out."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        lexer = shlex.shlex(re.sub(r"\w+=\$\(([^)]*)\)", r"\1", line), posix=True, punctuation_chars="|;&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        redirected = False
        for token in (*lexer, ";"):
            if set(token) <= set("|;&"):
                if words:
                    yield words
                words = []
            elif set(token) <= set("<>"):
                redirected = True
            elif redirected:
                redirected = False
            else:
                words.append(token)


def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))


def _walk(words: list[str]) -> tuple[Any, str, list[str]]:
    """Return the command that ``words`` (after ``mainstay``) lead to, its name and what is left of them."""
    command, at = COMMANDS, "mainstay"
    while words and words[0] in getattr(command, "commands", {}):
        at, command, words = words[0], command.commands[words[0]], words[1:]
    return command, at, words


@pytest.mark.parametrize("block", blocks("bash"), ids=str)
def test_every_command_shown_is_one_that_would_be_understood(block: Block) -> None:
    found = list(_commands(block.text))
    assert found
    for program, *words in found:
        program = program.removeprefix(".venv/bin/")
        if program == "make":
            assert set(words) <= _make_targets()
        elif program == "mainstay":
            command, at, rest = _walk(words)
            assert command is not COMMANDS, f"no such verb: {words}"
            # Reads the words as the command itself would: unknown options and missing ones are errors.
            command.make_context(at, list(rest))
        else:
            assert program in TOOLS, program


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_named_in_a_sentence_exists(page: Path) -> None:
    for code in inline_code(page):
        program, *words = code.removeprefix(".venv/bin/").split()
        if program == "make" and words:
            assert set(words) <= _make_targets(), code
        if program == "mainstay" and words and not words[0].startswith("-") and words[0] != "COMMAND":
            command, _, rest = _walk(words)
            assert command is not COMMANDS, code
            known = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in rest if word.startswith("-")} <= known, code


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_configuration_shown_loads(block: Block, tmp_path: Path) -> None:
    shown = yaml.safe_load(block.text)
    whole = yaml.safe_load(default_config_text())
    for section, rows in shown.items():
        assert section in Config.model_fields
        whole[section] = {**whole.get(section, {}), **rows}
    for secret in re.findall(r'"file:([^"]+)"', block.text):
        (tmp_path / secret).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / secret).write_text("dummy-value-of-a-secret")
    file = tmp_path / "mainstay.yaml"
    file.write_text(yaml.safe_dump(whole))
    env = dict.fromkeys(re.findall(r"\$\{(\w+)", block.text), "dummy-value-of-a-secret")
    assert [str(problem) for problem in check(file, env).problems] == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_program_shown_compiles(block: Block) -> None:
    compile(block.text, block.where, "exec")


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_every_json_shown_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_nobody_else_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the docs extra is not installed; make docs installs it")
    pytest.importorskip("material", reason="the docs extra is not installed; make docs installs it")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(ROOT.glob("docs/**/*.md"))) - 1
    for page in pages:
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]+src="?(?:https?:)?//[^>]+>', text), page
        assert not re.findall(
            r'<link[^>]+rel="?(?:stylesheet|icon|preconnect)[^>]+href="?(?:https?:)?//[^>]+>', text
        ), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", sheet.read_text()), sheet
