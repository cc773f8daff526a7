"""``mainstay serve``: options over the configuration, and sentences where it cannot start."""

import json
import signal
import socket
import urllib.request

import pytest

from mainstay.cli.serve import Overrides, find_config
from mainstay.config import load_config
from mainstay.core.errors import ConfigError
from support.command import ECHO


def test_it_serves_says_so_and_stops_on_a_signal(command) -> None:
    process = command.start("serve", "--config", "mainstay.yaml", "--workers", "2")
    assert process.stderr is not None
    while (event := json.loads(process.stderr.readline()))["event"] != "ready":
        pass
    with urllib.request.urlopen(f"{event['url']}/health/ready", timeout=20) as response:
        assert set(json.loads(response.read())["parts"]) == {"control", "worker-0", "worker-1"}
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


def test_the_configuration_of_the_folder_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        find_config(None)
    (tmp_path / "mainstay.yml").touch()
    assert find_config(None).name == "mainstay.yml"
    (tmp_path / "mainstay.yaml").touch()
    assert find_config(None).name == "mainstay.yaml"
    assert find_config(tmp_path) == tmp_path


def test_options_stand_over_the_configuration_and_leave_the_rest(tmp_path) -> None:
    file = tmp_path / "mainstay.yaml"
    file.write_text(ECHO)
    loaded = load_config(file, {})
    assert Overrides().apply(loaded) is loaded
    server = Overrides(port=9, workers=3).apply(loaded).config.server
    assert (server.host, server.port, server.workers, server.drain) == ("127.0.0.1", 9, 3, 1.0)
