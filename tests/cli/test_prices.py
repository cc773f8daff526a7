"""``mainstay prices``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainstay.cli.main import build
from mainstay.cost.catalogue import Catalogue

_CONFIG = """
identity: {required: false}
providers: {o: {kind: openai, base_url: "http://127.0.0.1:9/v1"}, e: {kind: echo}}
models:
  gpt-4o: {provider: o}
  strange: {provider: o}
  e: {provider: e}
  mine: {provider: o, price: {input: 1, output: 2}}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(build(), ["prices", *words])
    assert result.exit_code == code, result.output
    return result.stdout


def test_models_are_listed_by_seller_and_text() -> None:
    lines = _run("list", "haiku-4-5", "--seller", "anthropic").splitlines()
    assert any(line.startswith("anthropic\tclaude-haiku-4-5\t1\t5\t0.1\t") for line in lines)
    assert all("haiku-4-5" in line for line in lines)
    listed = json.loads(_run("list", "haiku-4-5", "-s", "anthropic", "--json"))
    assert {one["seller"] for one in listed} == {"anthropic"}


def test_one_model_is_shown_with_its_source_and_one_that_nobody_lists_is_not() -> None:
    shown = _run("show", "gpt-4o-2024-11-20", "--seller", "openai")
    assert "of openai, from genai-prices and litellm" in shown
    assert "input 2.5" in shown
    assert json.loads(_run("show", "gpt-4o", "--json"))
    _run("show", "no-such-model", code=1)


def test_every_configured_model_is_checked() -> None:
    Path("mainstay.yaml").write_text(_CONFIG)
    report = json.loads(_run("check", "--json", code=1))
    assert {one["model"]: (one["from"], one["known"]) for one in report} == {
        "gpt-4o": ("catalogue", True),
        "strange": ("ceiling", False),
        "e": ("own", True),
        "mine": ("config", True),
    }


def test_disputes_are_listed_as_lines_csv_and_json() -> None:
    rows = json.loads(_run("disagreements", "--json"))
    assert rows
    assert set(rows[0]) == {"seller", "model", "kind", "above", "genai-prices", "litellm", "counts"}
    lines = _run("disagreements", "--csv").splitlines()
    assert lines[0].startswith("seller,model,kind")
    assert len(lines) == len(rows) + 1
    assert len(_run("disagreements").splitlines()) == len(rows)


def test_an_update_says_what_changes_and_is_used_from_then_on() -> None:
    table = {"new-model": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06}}
    Path("litellm.json").write_text(json.dumps(table))
    Path("genai.json").write_text("[]")
    sources = ("--litellm", "litellm.json", "--genai", "genai.json")
    changes = _run("update", "--dry-run", *sources).splitlines()
    assert "new\topenai\tnew-model\t\t1" in changes
    assert not Path("var").exists()
    _run("update", *sources)
    file = Path("var/prices/catalogue.json.gz")
    assert Catalogue.open(file).tariff("openai", "new-model") is not None
    assert _run("list") == "openai\tnew-model\t1\t\t\t\tlitellm\t\n"
    assert _run("update", "--dry-run", *sources) == ""
