import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mainstay.cli.keys import app
from mainstay.core.errors import SetupError, Unauthenticated
from mainstay.identity.directory import Directory
from mainstay.identity.keyring import open_keyring
from mainstay.identity.keys import new_key
from mainstay.store.sql import open_engine

CONFIG = """
store: {url: "sqlite:///var/mainstay.db"}
identity: {required: true}
providers: {local: {kind: echo}}
models: {parrot: {provider: local}}
routes: {assistant: {targets: [{model: parrot}]}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mainstay.yaml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)], input=stdin)


def done(config: Path, *arguments: str, stdin: str = "") -> Result:
    result = run(config, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result


def opens(config: Path, key: str) -> bool:
    try:
        open_keyring(config.parent / "var").find(key.encode())
    except Unauthenticated:
        return False
    return True


def test_create_prints_the_key_alone_on_standard_output(config: Path) -> None:
    result = done(config, "create", "alice")
    assert re.fullmatch(r"ms-[A-Za-z0-9]{43}\n", result.stdout)
    assert "shown only now" in result.stderr
    assert opens(config, result.stdout.strip())


def test_create_as_json_holds_the_key_and_what_was_asked_for(config: Path) -> None:
    made = json.loads(
        done(
            config, "create", "shop", "--team", "web", "--routes", "assistant, parrot", "--expires", "90d", "--json"
        ).stdout
    )
    assert opens(config, made["key"])
    assert (made["name"], made["team"], made["routes"]) == ("shop", "web", ["assistant", "parrot"])
    assert made["expires_at"] - made["created_at"] == 90 * 86_400_000


def roles(config: Path, key_id: str) -> list[str]:
    engine = open_engine(f"sqlite:///{config.parent}/var/mainstay.db")
    found = Directory(engine).held("key", key_id)
    engine.dispose()
    return sorted(str(grant) for grant, _ in found)


def test_a_key_has_the_roles_that_it_is_made_with_and_no_others(config: Path) -> None:
    plain = json.loads(done(config, "create", "plain", "--json").stdout)
    assert roles(config, plain["id"]) == []
    console = json.loads(done(config, "create", "console", "--role", "owner", "--json").stdout)
    assert roles(config, console["id"]) == ["owner@installation"]
    team = done(
        config, "create", "ci", "--team", "web", "--role", "developer", "--role", "viewer@installation", "--json"
    )
    assert roles(config, json.loads(team.stdout)["id"]) == ["developer@team:web", "viewer@installation"]
    assert run(config, "create", "bad", "--role", "root").exit_code == 2
    lost = run(config, "create", "bad", "--role", "viewer@team:nowhere")
    assert isinstance(lost.exception, SetupError)
    assert "bad" not in done(config, "list").stdout


def test_limits_stand_on_the_key(config: Path) -> None:
    result = done(config, "create", "shop", "--budget", "20/month", "--rpm", "60", "--tpm", "1000", "--json")
    assert result.stderr == ""
    made = json.loads(result.stdout)
    assert (made["budget"], made["rpm"], made["tpm"]) == ("20/month", 60, 1000)


def test_a_key_from_elsewhere_comes_from_standard_input(config: Path) -> None:
    key = new_key().replace("ms-", "sk-")
    assert done(config, "create", "old", "--stdin", stdin=key + "\n").stdout.strip() == key
    assert opens(config, key)
    refused = run(config, "create", "bad", "--stdin", stdin="sk-1234\n")
    assert refused.exit_code == 2
    assert "guess" in refused.stderr


def test_a_taken_name_fails_with_the_way_out(config: Path) -> None:
    done(config, "create", "alice")
    result = run(config, "create", "alice")
    assert isinstance(result.exception, SetupError)
    assert result.exception.exit_code == 1
    assert "keys rotate alice" in result.exception.message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bad name",), "letters, digits"),
        (("x", "--expires", "soon"), "duration"),
        (("x", "--budget", "lots"), "US dollars"),
        (("x", "--rpm", "0"), "above zero"),
        (("x", "--routes", "asistant"), "did you mean 'assistant'"),
        (("x", "--team", "a\tb"), "letters, digits"),
    ],
)
def test_bad_usage_exits_with_2_and_makes_nothing(config: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run(config, "create", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert json.loads(done(config, "list", "--json").stdout) == []


def test_list_shows_states_and_never_a_key(config: Path) -> None:
    key = done(config, "create", "alice", "--routes", "assistant").stdout.strip()
    done(config, "create", "bob")
    done(config, "revoke", "bob")
    (line,) = done(config, "list").stdout.splitlines()
    assert line.split("\t")[0] == "alice"
    assert line.split("\t")[3:] == ["", "assistant", "alive", "never"]
    everything = done(config, "list", "--all", "--json").stdout
    assert [row["state"] for row in json.loads(everything)] == ["alive", "revoked"]
    assert key not in line
    assert key not in everything
    assert key[-4:] in line


def test_revoke_ends_a_key(config: Path) -> None:
    key = done(config, "create", "alice").stdout.strip()
    assert "'alice'" in done(config, "revoke", "alice").stdout
    assert not opens(config, key)
    unknown = run(config, "revoke", "nobody")
    assert isinstance(unknown.exception, SetupError)
    assert unknown.exception.exit_code == 1


def test_rotate_gives_a_new_key_and_a_grace_to_the_old(config: Path) -> None:
    first = done(config, "create", "alice").stdout.strip()
    result = done(config, "rotate", "alice", "--grace", "1h")
    second = result.stdout.strip()
    assert "works until" in result.stderr
    assert opens(config, first)
    assert opens(config, second)
    third = done(config, "rotate", "alice").stdout.strip()
    assert [opens(config, key) for key in (first, second, third)] == [False, False, True]


def test_a_bad_configuration_exits_with_2(config: Path) -> None:
    config.write_text("nonsense: true\n")
    result = run(config, "list")
    assert isinstance(result.exception, SetupError)
    assert result.exception.exit_code == 2


@pytest.mark.parametrize("command", ["create", "list", "revoke", "rotate"])
def test_every_command_helps_with_examples(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"mainstay keys {command}" in result.stdout
