"""What the pages show is run, against a real gateway whose model is an echo."""

import itertools
import json
import re
import shlex
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from typer.testing import CliRunner

from mainstay.cli.main import build
from mainstay.identity.roles import parse_grant
from support.gateway import Gateway
from support.pages import ROOT, Block, blocks
from support.ports import free_port

CONFIG = {
    "providers": {"echo": {"kind": "echo"}},
    "models": {"small": {"provider": "echo"}},
    "routes": {"assistant": {"targets": ["small"]}},
}
ASKED = "Name three rivers."


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    grpc = {"port": free_port()}
    with Gateway(tmp_path_factory.mktemp("examples"), {**CONFIG, "grpc": grpc}) as running:
        yield running


def _here(text: str, gateway: Gateway) -> str:
    """Return an example with the reader's part filled in: the address and the key."""
    grpc = f"127.0.0.1:{gateway.config['grpc']['port']}"
    return (
        text.replace("http://127.0.0.1:8080", gateway.url).replace("127.0.0.1:8081", grpc).replace("ms-…", gateway.key)
    )


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_program_shown_prints_an_answer(
    block: Block, gateway: Gateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[openai.OpenAI | anthropic.Anthropic] = []

    class Client(openai.OpenAI):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            clients.append(self)

    class OtherClient(anthropic.Anthropic):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            clients.append(self)

    monkeypatch.setattr(openai, "OpenAI", Client)
    monkeypatch.setattr(anthropic, "Anthropic", OtherClient)
    exec(compile(_here(block.text, gateway), block.where, "exec"), {})
    for client in clients:
        client.close()
    assert capsys.readouterr().out.strip() == ASKED


@pytest.mark.parametrize("block", [block for block in blocks("bash") if "curl" in block.text], ids=str)
def test_every_curl_shown_is_answered(block: Block, gateway: Gateway) -> None:
    text = block.text
    if "/api/" in text:
        # Who may change things there has a role.
        owner = gateway.keys.create(f"owner-{block.where.rpartition(':')[2]}", grants=[parse_grant("owner")])
        gateway.keys.publish()
        text = text.replace("$KEY", owner.key)
    for line in re.sub(r"\\\n\s*", " ", _here(text, gateway)).splitlines():
        program, *words = shlex.split(line)
        if program != "curl":
            continue
        given = [*itertools.pairwise(words)]
        headers = dict(word.split(": ", 1) for option, word in given if option == "-H")
        data = next((word.encode() for option, word in given if option == "-d"), None)
        (url,) = [word for word in words if word.startswith("http")]
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
            assert answer.status in (200, 201)
            body = answer.read()
        if data is not None and "/v1/" in url:
            assert json.loads(body)["choices"][0]["message"]["content"] == ASKED


@pytest.mark.parametrize("page", ["keys.md", "records.md"])
def test_the_commands_of_a_page_run_in_the_order_shown(
    page: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gateway.home)
    monkeypatch.delenv("MAINSTAY_HOME", raising=False)
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key)
    with client:
        answer = client.chat.completions.with_raw_response.create(
            model="assistant", messages=[{"role": "user", "content": ASKED}]
        )
    run = CliRunner().invoke
    ran = 0
    for block in blocks("bash"):
        if Path(block.where.partition(":")[0]) != Path("docs") / page:
            continue
        for line in block.text.splitlines():
            program, *words = shlex.split(line.replace(" ID", f" {answer.headers['x-request-id']}"))
            assert program == "mainstay"
            if "tail" not in words:  # goes on until Ctrl-C
                done = run(build(), words)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                ran += 1
    assert ran


def test_the_pages_of_these_tests_are_there() -> None:
    shown = {block.where.partition(":")[0] for block in blocks("python")}
    pages = ("batches", "getting-started", "grpc", "http", "mcp", "prompts")
    assert shown == {"README.md", *(f"docs/{page}.md" for page in pages)}
    assert (ROOT / "docs" / "keys.md").exists()
