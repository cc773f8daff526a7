"""``mainstay``: every command explains itself, and wrong usage ends with a hint and exit code 2."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from mainstay import __version__
from mainstay.cli.main import build


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*words, name))


COMMANDS = list(_commands(typer.main.get_command(build())))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_says_what_it_does_and_shows_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(build(), [*words, "--help"])
    assert result.exit_code == 0
    usage, what, *_ = result.stdout.split("\n\n")
    assert usage.startswith("Usage: ")
    assert what.strip().endswith(".")
    _, _, examples = result.stdout.partition("\n  Examples:\n")
    assert f"    {' '.join(('mainstay', *words))}" in examples or f"| mainstay {words[0]}" in examples


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_sentence_in_a_list_of_commands_is_cut(words: tuple[str, ...]) -> None:
    listed = CliRunner().invoke(build(), [*words, "--help"]).stdout.partition("\nCommands:\n")[2]
    assert "..." not in listed


def test_every_option_of_the_same_name_means_the_same() -> None:
    meanings: dict[str, set[str]] = {}
    for words in COMMANDS:
        command: Any = typer.main.get_command(build())
        for word in words:
            command = command.commands[word]
        for parameter in command.params:
            if parameter.name in ("config", "as_json", "file", "port"):
                meanings.setdefault(parameter.name, set()).add(f"{parameter.opts} {parameter.help}")
    assert {name: len(found) for name, found in meanings.items()} == dict.fromkeys(meanings, 1)
    assert set(meanings) == {"config", "as_json", "file", "port"}


def test_the_version_is_printed(here) -> None:
    assert here("--version") == (0, f"mainstay {__version__}\n", "")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("", "Usage: mainstay"),
        ("serv", "Did you mean 'serve'?"),
        ("keys", "Usage: mainstay keys"),
        ("keys creat", "Did you mean 'create'?"),
        ("serve --prot 1", "--port"),
        ("serve --port 99999", "--port"),
        ("keys create", "NAME"),
        ("records list --outcome fail", "refused"),
        ("records list --since yesterday", "--since"),
        ("models nope", "Try 'mainstay models --help' for help."),
    ],
)
def test_wrong_usage_ends_with_a_hint_and_exit_code_2(here, line: str, hint: str) -> None:
    code, out, said = here(line)
    assert (code, out) == (2, "")
    assert hint in said
