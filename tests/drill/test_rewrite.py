"""The copy of a configuration that is drilled."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mainstay.config import load_config
from mainstay.core.errors import ConfigError
from mainstay.drill import rewrite

SHOP = """\
server: {port: 8080, max_body: 1MiB, host: 0.0.0.0}
store: {url: "postgresql://shop@db/shop"}
providers:
  openai: {kind: openai, api_key: "${NOT_SET}", base_url: "https://eu.example.com/v1"}
  claude: {kind: anthropic, api_key: "file:/not/there", headers: {x-team: shop}, lacks: [seed]}
  house: {kind: llamacpp, model: smollm2-135m-instruct, lacks: [tools]}
models:
  mini: {provider: openai, name: gpt-4o-mini, price: {input: 0.15, output: 0.60}}
  haiku: {provider: claude, probe: {every: 2s, idle: 1m}}
  small: {provider: house}
routes:
  assistant:
    targets: [{model: mini, weight: 2.5}, haiku]
    choose: weighted
    fallback: [small, mini]
    timeouts: {first_token: 500ms, total: 2m}
    last_resort: "mini costs $${nothing} today."
  alone: {targets: [small]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mainstay.yaml"
    path.write_text(SHOP)
    return path


@pytest.fixture
def document(file: Path) -> dict[str, Any]:
    return rewrite.read_document(file, {})


def test_keys_that_are_not_there_do_not_matter(document: dict[str, Any]) -> None:
    assert set(document) == {"server", "store", "providers", "models", "routes"}


def test_anything_else_that_is_wrong_is_said(file: Path) -> None:
    file.write_text(SHOP.replace("choose: weighted", "choose: wieghted").replace("kind: anthropic", "kind: antropic"))
    with pytest.raises(ConfigError) as refused:
        rewrite.read_document(file, {})
    assert len(refused.value.message.splitlines()) == 2
    assert "routes.assistant.choose" in refused.value.message


def test_a_folder_of_files_is_one_configuration(tmp_path: Path) -> None:
    whole = yaml.safe_load(SHOP)
    for section, rows in whole.items():
        (tmp_path / f"{section}.yaml").write_text(yaml.safe_dump({section: rows}))
    assert set(rewrite.read_document(tmp_path, {})["routes"]) == {"assistant", "alone"}


def test_routes_with_somewhere_to_go_are_drilled(document: dict[str, Any]) -> None:
    assert rewrite.choose_routes(document, []) == ["assistant"]
    assert rewrite.choose_routes(document, ["alone", "alone"]) == ["alone"]
    assert rewrite.choose_routes({}, []) == []


@pytest.mark.parametrize(("name", "known"), [("assitant", "'assistant' or 'alone'"), ("mini", "use")])
def test_a_name_that_is_no_route_is_refused(document: dict[str, Any], name: str, known: str) -> None:
    with pytest.raises(ConfigError, match=known):
        rewrite.choose_routes(document, [name])


def test_each_target_has_words_a_key_and_a_name_of_its_own(document: dict[str, Any]) -> None:
    actors = rewrite.cast(document, "assistant", "d1")
    assert [(actor.model, actor.provider, actor.kind, actor.speech.upstream) for actor in actors] == [
        ("mini", "openai", "openai", "gpt-4o-mini"),
        ("haiku", "claude", "anthropic", "haiku"),
        ("small", "house", "openai", "small"),
    ]
    assert len({actor.speech.text for actor in actors}) == 3
    assert len({actor.secret for actor in (*actors, *rewrite.cast(document, "assistant", "d2"))}) == 6


def test_models_say_the_same_where_one_may_resume_the_other(document: dict[str, Any]) -> None:
    document["routes"]["assistant"]["interrupted"] = "resume"
    assert len({actor.speech.text for actor in rewrite.cast(document, "assistant", "d1")}) == 1


def test_many_targets_still_have_words_of_their_own() -> None:
    models = {f"m{n}": {"provider": "p"} for n in range(60)}
    document = {"providers": {"p": {"kind": "openai"}}, "models": models, "routes": {"r": {"targets": list(models)}}}
    words = [word for actor in rewrite.cast(document, "r", "d") for word in actor.speech.text.split()]
    assert len(set(words)) == 60 * 60


PORTS = {"openai": 1001, "claude": 1002, "house": 1003}


def load_copy(document: dict[str, Any], folder: Path, stages: dict[str, dict[str, int]]) -> Any:
    path = folder / "copy.yaml"
    path.write_text(rewrite.to_yaml(rewrite.copied(document, "assistant", stages)))
    return load_config(path, {}).config


def test_the_copy_is_a_right_configuration_with_every_provider_here(document: dict[str, Any], tmp_path: Path) -> None:
    config = load_copy(document, tmp_path, {"d1": PORTS})
    assert {name: (row.kind, row.base_url) for name, row in config.providers.items()} == {
        "openai@d1": ("openai", "http://127.0.0.1:1001/v1"),
        "claude@d1": ("anthropic", "http://127.0.0.1:1002"),
        "house@d1": ("openai", "http://127.0.0.1:1003/v1"),
    }
    assert all(row.api_key.get_secret_value().startswith("sk-drill-d1-") for row in config.providers.values())
    assert config.providers["claude@d1"].headers == {}
    assert config.providers["claude@d1"].lacks == {"seed"}
    assert config.providers["house@d1"].lacks == {"tools"}


def test_the_copy_keeps_the_route_as_it_was_written(document: dict[str, Any], file: Path, tmp_path: Path) -> None:
    file.write_text(SHOP.replace("${NOT_SET}", "${KEY}").replace("file:/not/there", "${KEY}"))
    mine = load_config(file, {"KEY": "some-key"}).config.routes["assistant"].model_dump()
    copy = load_copy(document, tmp_path, {"d1": PORTS}).routes["assistant@d1"].model_dump()
    assert [target.pop("model") for target in copy["targets"]] == ["mini@d1", "haiku@d1"]
    assert [target.pop("model") for target in mine["targets"]] == ["mini", "haiku"]
    assert copy.pop("fallback") == ("small@d1", "mini@d1")
    assert mine.pop("fallback") == ("small", "mini")
    assert copy == mine
    assert copy["last_resort"]["text"] == "mini costs ${nothing} today."


def test_the_copy_sends_no_probes(document: dict[str, Any]) -> None:
    assert "probe" in document["models"]["haiku"]
    copy = rewrite.copied(document, "assistant", {"d1": PORTS})
    assert all("probe" not in model for model in copy["models"].values())


def test_the_copy_listens_here_and_keeps_its_own_records(document: dict[str, Any], tmp_path: Path) -> None:
    config = load_copy(document, tmp_path, {"d1": PORTS})
    assert (config.server.host, config.server.port, config.server.workers) == ("127.0.0.1", 0, 1)
    assert config.server.max_body == 1024**2
    assert config.store.url.startswith("sqlite:")
    assert config.identity.required


def test_the_model_of_last_resort_has_its_part_too(document: dict[str, Any], tmp_path: Path) -> None:
    document["routes"]["assistant"] |= {"fallback": [], "last_resort": {"model": "small", "text": "small is down"}}
    assert [actor.model for actor in rewrite.cast(document, "assistant", "d1")] == ["mini", "haiku", "small"]
    route = load_copy(document, tmp_path, {"d1": PORTS}).routes["assistant@d1"]
    assert (route.last_resort.model, route.last_resort.text) == ("small@d1", "small is down")


def test_each_fault_has_a_copy_of_its_own(document: dict[str, Any], tmp_path: Path) -> None:
    config = load_copy(document, tmp_path, {"d1": PORTS, "d2": {name: port + 10 for name, port in PORTS.items()}})
    assert set(config.routes) == {"assistant@d1", "assistant@d2"}
    assert {model.provider for model in config.models.values()} == set(config.providers)
    assert len({row.base_url for row in config.providers.values()}) == 6


def test_fast_cuts_timers_and_never_makes_one_longer(document: dict[str, Any]) -> None:
    timeouts = rewrite.with_routes(document, fast=True)["routes"]["assistant"]["timeouts"]
    assert timeouts == {"first_token": "500ms", "total": "15s", "connect": "500ms", "idle": "1s"}
    assert rewrite.with_routes(document, fast=False)["routes"] == document["routes"]


def test_a_limit_on_headers_is_cut_only_where_it_was_set(document: dict[str, Any]) -> None:
    document["routes"]["assistant"]["timeouts"]["headers"] = "8s"
    assert rewrite.with_routes(document, fast=True)["routes"]["assistant"]["timeouts"]["headers"] == "1s"


def test_the_demonstration_is_a_right_configuration(tmp_path: Path) -> None:
    (route,) = rewrite.choose_routes(rewrite.DEMO, [])
    path = tmp_path / "copy.yaml"
    path.write_text(rewrite.to_yaml(rewrite.copied(rewrite.DEMO, route, {"d": {"primary": 1, "spare": 2}})))
    assert load_config(path, {}).config.routes["demo@d"].timeouts.first_token == 8
