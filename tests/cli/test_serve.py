"""``mainstay serve``: options over the configuration, and sentences where it cannot start."""

import json
import signal
import socket
import urllib.request

import pytest

from mainstay.cli.serve import Overrides
from mainstay.config import load_config
from support.command import ECHO


def test_it_serves_says_so_and_stops_on_a_signal(command) -> None:
    process = command.start("serve", "--config", "mainstay.yaml", "--workers", "2")
    assert process.stderr is not None
    while (event := json.loads(process.stderr.readline()))["event"] != "ready":
        pass
    with urllib.request.urlopen(f"{event['url']}/health/ready", timeout=60) as response:
        assert set(json.loads(response.read())["parts"]) == {"control", "ledger", "worker-0", "worker-1"}
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_busy_port_names_who_has_it(command) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        code, _, said = command.run("serve", "--port", str(port))
    assert code == 1
    assert said.splitlines()[-1].startswith(f"mainstay: Port {port} is already in use by ")


def test_an_open_address_without_keys_is_refused(command) -> None:
    (command.folder / "mainstay.yaml").write_text(ECHO + "identity: {required: false}\n")
    code, _, said = command.run("serve", "--host", "0.0.0.0")
    assert code == 2
    assert "identity.required is false" in said


def test_no_configuration_is_a_sentence(command) -> None:
    (command.folder / "mainstay.yaml").unlink()
    code, _, said = command.run("serve")
    assert code == 2
    assert "There is no mainstay.yaml in this folder" in said


def test_options_stand_over_the_configuration_and_leave_the_rest(tmp_path) -> None:
    file = tmp_path / "mainstay.yaml"
    file.write_text(ECHO)
    loaded = load_config(file, {})
    assert Overrides().apply(loaded) is loaded
    server = Overrides(port=9, workers=3).apply(loaded).config.server
    assert (server.host, server.port, server.workers, server.drain) == ("127.0.0.1", 9, 3, 1.0)


@pytest.mark.parametrize("needed", [True, False])
def test_a_home_that_cannot_be_written_is_the_same_sentence_for_every_verb(command, needed: bool) -> None:
    if not needed:
        (command.folder / "mainstay.yaml").write_text(ECHO + "identity: {required: false}\n")
    (command.folder / "var").touch()
    for verb in ("serve", "up"):
        code, out, said = command.run(verb)
        assert (code, out) == (1, "")
        expected = f"mainstay: '{command.folder / 'var'}' is a file where a directory is needed: move it away."
        assert said.splitlines()[-1] == expected
        assert "Traceback" not in said


def test_a_first_start_says_nothing_of_the_database(command) -> None:
    process = command.start("serve", "--config", "mainstay.yaml")
    assert process.stderr is not None
    lines = []
    while not lines or lines[-1]["event"] != "ready":
        lines.append(json.loads(process.stderr.readline()))
    assert (command.folder / "var" / "mainstay.db").exists()
    assert [line["event"] for line in lines] == ["ready"]


def test_every_warning_about_the_configuration_is_an_item(command) -> None:
    engine = "providers: {house: {kind: llamacpp, model: lost.gguf}, barn: {kind: llamacpp, model: gone.gguf}}\n"
    (command.folder / "mainstay.yaml").write_text(engine)
    code, _, said = command.run("serve")
    assert code == 1
    warning = json.loads(said.splitlines()[0])
    assert (warning["event"], warning["level"]) == ("config_warning", "warning")
    assert all(problem.startswith("mainstay.yaml:1: ") for problem in warning["problems"])
    assert sum("not there yet" in problem for problem in warning["problems"]) == 2


@pytest.mark.parametrize("verb", ["serve", "up"])
def test_a_damaged_model_file_is_named(command, verb: str) -> None:
    (command.folder / "mainstay.yaml").write_text("providers: {house: {kind: llamacpp, model: bad.gguf}}\n")
    (command.folder / "bad.gguf").write_bytes(b"GG" + bytes(5000))
    code, _, said = command.run(verb)
    assert code == 1
    assert f"mainstay: {command.folder / 'bad.gguf'} is not a whole GGUF model file" in said.splitlines()[-1]
    assert "Traceback" not in said
