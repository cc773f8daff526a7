"""The JSON Schema that editors read."""

import json
from typing import Any

import jsonschema
import pytest

from mainstay.config.default import default_config_text
from mainstay.config.document import read_yaml
from mainstay.config.publish import json_schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def _errors(schema: dict[str, Any], text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [
        error.json_path for error in validator.iter_errors(json.loads(json.dumps(read_yaml(text).value, default=float)))
    ]


def test_it_is_a_schema_of_the_draft_it_names(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    json.dumps(schema)


def test_it_accepts_the_example_and_the_default(schema: dict[str, Any], example: str) -> None:
    assert _errors(schema, example) == []
    assert _errors(schema, default_config_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: '${PORT}', max_body: 10MiB, drain: 250ms}",
        "server: {max_body: 1024}",
        "identity: {required: '${R:-true}'}",
        "providers:",
        "routes: {a: {targets: [m, {model: n, weight: '${W}'}], choose: '${C:-first}', timeouts: {idle: '${T}'}}}",
        "providers: {l: {kind: llamacpp, model: x, threads: auto}}",
        "models: {m: {provider: p, price: {input: '0.1', output: 2}}}",
        "providers: {g: {kind: groq, api_key: x, can: [tools]}, a: {kind: azure, parameters: {resource: r}}}",
        "providers: {a: {kind: acme, base_url: 'http://127.0.0.1:1'}}\nvendors: {acme: {base_url: 'https://a.example'}}",
        "providers: {e: {kind: '${KIND}'}}",
    ],
)
def test_it_accepts_what_the_loader_does(schema: dict[str, Any], text: str) -> None:
    assert _errors(schema, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "serer: {}",
        "server: {prot: 1}",
        "server: {port: 70000}",
        "server: {drain: 5}",
        "server: {drain: 5 weeks}",
        "providers: {a: {}}",
        "providers: {a: {kind: opnai}}",
        "providers: {'a b': {kind: echo}}",
        "providers: {a: {kind: opnai}}\nvendors:\n  acme: {}",
        "providers: {a: {kind: groq, dealy: 1s}}",
        "vendors: {acme: {base_url: 'https://a.example', wire: smoke}}",
        "models: {m: {}}",
        "routes: {r: {targets: []}}",
        "routes: {r: {targets: [m], choose: best}}",
    ],
)
def test_it_refuses_what_the_loader_does(schema: dict[str, Any], text: str) -> None:
    assert _errors(schema, text) != []


def test_every_setting_is_described(schema: dict[str, Any]) -> None:
    models = {name: model for name, model in schema["$defs"].items() if "properties" in model}
    assert len(models) >= 13
    bare = [
        f"{name}.{field}"
        for name, model in models.items()
        for field, spec in model["properties"].items()
        if not spec.get("description")
    ]
    assert bare == []
    assert all(part["description"] for part in schema["properties"].values())


def test_defaults_are_what_people_write(schema: dict[str, Any]) -> None:
    server = schema["$defs"]["ServerConfig"]["properties"]
    assert (server["drain"]["default"], server["max_body"]["default"], server["port"]["default"]) == (
        "30s",
        "32MiB",
        8080,
    )
    assert schema["$defs"]["LlamaCppConfig"]["properties"]["threads"]["default"] == "auto"
    assert schema["$defs"]["StoreConfig"]["properties"]["url"]["default"] == "sqlite:///var/mainstay.db"


def test_kinds_must_be_given_and_hide_nothing(schema: dict[str, Any]) -> None:
    for name in ("OpenAIConfig", "AnthropicConfig", "LlamaCppConfig", "EchoConfig"):
        assert "kind" in schema["$defs"][name]["required"]
