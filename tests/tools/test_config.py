"""Servers of tools in the configuration: reached over HTTP or run as programs, and not a bit of both."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.tools.config import McpServerConfig

URL = "https://tools.example.com/mcp"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "give 'url' or 'command'"),
        ({"url": URL, "command": ["tool"]}, "and not both"),
        ({"url": URL, "environment": {"A": "b"}}, "'environment' is for servers with 'command'"),
        ({"url": URL, "folder": "."}, "'folder' is for servers with 'command'"),
        ({"command": ["tool"], "headers": {"x-a": "b"}}, "'headers' is for servers with 'url'"),
        ({"command": ["tool"], "proxy": "http://127.0.0.1:1"}, "'proxy' is for servers with 'url'"),
        ({"command": []}, "at least 1 item"),
        ({"command": [""]}, "at least 1 character"),
        ({"command": "tool --flag"}, "valid tuple"),
        ({"command": ["tool"], "environment": {"A-B": "c"}}, "no name of a variable"),
        ({"command": ["tool"], "processes": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_no_server_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        McpServerConfig.model_validate(row)


def test_a_program_is_its_command_and_what_it_is_given(tmp_path: Path) -> None:
    row = McpServerConfig.model_validate(
        {"command": ["npx", "-y", "server"], "environment": {"TOKEN": "abc"}, "folder": str(tmp_path)}
    )
    assert row.command == ("npx", "-y", "server")
    assert "abc" not in repr(row)
    assert (row.processes, row.idle, row.timeout) == (8, 300.0, 30.0)
