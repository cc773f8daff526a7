"""``mainstay config``."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from mainstay.cli.config import app
from mainstay.config import load_config
from mainstay.core.errors import ConfigError


def test_the_schema_is_printed_as_json() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_file_is_shown_with_defaults_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-hunter2")
    file = tmp_path / "m.yaml"
    file.write_text("providers: {o: {kind: openai, api_key: '${SOME_KEY}', headers: {x-token: '${SOME_KEY}'}}}")
    result = CliRunner().invoke(app, ["show", str(file), *options])
    assert result.exit_code == 0
    shown = yaml.safe_load(result.stdout)
    assert shown["server"]["drain"] == "30s"
    assert shown["providers"]["o"]["base_url"] == "https://api.openai.com/v1"
    assert "hunter2" not in result.output


def test_what_is_shown_loads_to_the_same_configuration(tmp_path: Path) -> None:
    file, again = tmp_path / "m.yaml", tmp_path / "again.yaml"
    file.write_text(
        "providers: {e: {kind: echo, gap: 15ms}}\n"
        + "models: {m: {provider: e, price: {input: 0.1, output: 2}, lacks: [tools]}}\nroutes: {r: {targets: [m]}}"
    )
    again.write_text(CliRunner().invoke(app, ["show", str(file)]).stdout)
    assert load_config(again, {}).config == load_config(file, {}).config


def test_a_wrong_file_is_a_config_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["show", str(tmp_path / "none.yaml")])
    assert isinstance(result.exception, ConfigError)
