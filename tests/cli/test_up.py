"""``mainstay up``: an address, a first key, a snippet; and the same key again the next time."""

import json
import re
import signal
import stat
import urllib.request
from pathlib import Path

from mainstay.cli.up import _first_key
from mainstay.config import load_config
from mainstay.identity.directory import Directory
from mainstay.store.sql import open_engine
from support.command import url_in


def ask(url: str, key: str) -> str:
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps({"model": "assistant", "messages": [{"role": "user", "content": "Hello there."}]}).encode(),
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["choices"][0]["message"]["content"]


def test_what_it_prints_can_be_pasted_and_the_key_is_shown_again(command) -> None:
    process, banner = command.up()
    url = url_in(banner)
    key = (command.folder / "var" / "first-key").read_text().strip()
    assert f"key     {key}   (kept in var/first-key)" in banner
    assert f'base_url="{url}/v1", api_key="{key}"' in banner
    assert stat.S_IMODE((command.folder / "var" / "first-key").stat().st_mode) == 0o600
    assert ask(url, key)

    snippet = re.search(r"(curl .*?'\n)", banner, re.DOTALL)
    assert snippet is not None
    assert url in snippet[1]
    assert key in snippet[1]
    body = re.search(r"-d '(.*)'", snippet[1])
    assert body is not None
    # A small model does not always find an end by itself, and the first answer should not take minutes.
    assert json.loads(body[1])["max_tokens"] <= 200

    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert key not in log

    _, banner = command.up()
    assert key in banner
    assert ask(url_in(banner), key)


def test_a_revoked_first_key_is_not_shown_again_but_replaced(command) -> None:
    process, _ = command.up()
    key = (command.folder / "var" / "first-key").read_text().strip()
    assert command.run("keys", "revoke", "first", "--config", "mainstay.yaml")[0] == 0
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    _, banner = command.up()
    assert key not in banner
    assert ask(url_in(banner), (command.folder / "var" / "first-key").read_text().strip())


def test_a_key_that_someone_made_is_not_joined_by_another(command) -> None:
    assert command.run("keys", "create", "mine", "--config", "mainstay.yaml")[0] == 0
    _, banner = command.up()
    assert "key     one that you made" in banner
    assert not (command.folder / "var" / "first-key").exists()


def roles(url: str, key: str) -> list[str]:
    request = urllib.request.Request(f"{url}/api/session", headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["roles"]


def test_the_first_key_administers_what_only_this_machine_reaches(command) -> None:
    _, banner = command.up()
    kept = (command.folder / "var" / "first-key").read_text().strip()
    assert roles(url_in(banner), kept) == ["owner@installation"]


def test_a_first_key_from_before_there_were_roles_becomes_the_owners(command) -> None:
    process, _ = command.up()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    engine = open_engine(f"sqlite:///{command.folder}/var/mainstay.db")
    directory = Directory(engine)
    directory.take(directory.grants()[0].id)
    _, banner = command.up()
    kept = (command.folder / "var" / "first-key").read_text().strip()
    assert roles(url_in(banner), kept) == ["owner@installation"]
    engine.dispose()


def test_the_first_key_of_a_server_that_others_reach_has_no_role(tmp_path: Path) -> None:
    (tmp_path / "mainstay.yaml").write_text("server: {host: 0.0.0.0}\n")
    loaded = load_config(tmp_path / "mainstay.yaml", {})
    assert _first_key(loaded)
    engine = open_engine(loaded.config.store.url)
    assert Directory(engine).grants() == []
    engine.dispose()


def test_a_broken_configuration_is_told_and_nothing_starts(command) -> None:
    (command.folder / "mainstay.yaml").write_text("server: {prot: 1}\n")
    code, out, said = command.run("up")
    assert (code, out) == (2, "")
    assert "mainstay.yaml:1" in said
    assert "Traceback" not in said
    assert not (command.folder / "var").exists()


def test_a_missing_model_file_says_what_to_do(command) -> None:
    (command.folder / "mainstay.yaml").write_text("providers: {house: {kind: llamacpp, model: lost.gguf}}\n")
    code, _, said = command.run("up")
    assert code == 1
    assert f"There is no model file at {command.folder / 'lost.gguf'}; correct" in said.splitlines()[-1]
