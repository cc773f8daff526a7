"""How commands print: tables for people, tab-separated lines and JSON for programs."""

import json
import sys

from mainstay.cli.output import print_json, print_rows, printable

ROWS = [("alice", "", "alive"), ("b\x1b[2Job", "", "dead")]


def test_programs_get_every_value_between_tabs(capsys) -> None:
    print_rows(("name", "team", "state"), ROWS, "None yet.")
    assert capsys.readouterr().out == "alice\t\talive\nb\\x1b[2Job\t\tdead\n"


def test_programs_get_nothing_when_there_is_nothing(capsys) -> None:
    print_rows(("name",), [], "None yet.")
    assert capsys.readouterr().out == ""


def test_people_get_a_table_without_empty_columns(capsys, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows(("name", "team", "state"), ROWS, "None yet.")
    head, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["name", "state"]
    assert rows == [["alice", "alive"], ["b\\x1b[2Job", "dead"]]


def test_people_are_told_that_there_is_nothing(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows(("name",), [], "None yet.")
    assert capsys.readouterr().out == "None yet.\n"


def test_json_keeps_letters_as_they_are(capsys) -> None:
    print_json({"name": "Zoë"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "Zoë"}
    assert "Zoë" in out


def test_what_could_command_a_terminal_is_written_out() -> None:
    assert printable("a\tb\n\x1b[31m é") == "a\\x09b\\x0a\\x1b[31m é"
