"""Pydantic's errors as sentences with a place."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.explain import explain, fields_at, value_at
from mainstay.config.problems import Finding, dotted
from mainstay.config.schema import Config


def _explained(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(document)
    return {dotted(finding.place): _text(finding) for finding in explain(caught.value, Config, document)}


def _text(finding: Finding) -> str:
    return f"{finding.message}; {finding.hint}" if finding.hint else finding.message


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [
        ({"server": {"prot": 1}}, "server.prot", "unknown field; did you mean 'port'?"),
        (
            {"identity": {"zzz": 1}},
            "identity.zzz",
            "unknown field; the fields are 'required', 'public_url', 'sessions' or 'oidc'",
        ),
        ({"telemetry": {"log": {"levle": "info"}}}, "telemetry.log.levle", "unknown field; did you mean 'level'?"),
        ({"server": 3}, "server", "must be a mapping of fields to values"),
        ({"server": {"port": "x"}}, "server.port", "must be a whole number"),
        ({"server": {"port": 1.5}}, "server.port", "must be a whole number"),
        ({"server": {"host": 4}}, "server.host", "must be text; put it in quotes"),
        (
            {"server": {"host": "a b"}},
            "server.host",
            "is no address: give an IP address or a host name, without scheme, port or path",
        ),
        ({"server": {"workers": 0}}, "server.workers", "must be greater than or equal to 1"),
        ({"identity": {"required": "maybe"}}, "identity.required", "must be true or false"),
        ({"providers": []}, "providers", "must be a mapping of names to values"),
        ({"providers": {"a b": {"kind": "echo"}}}, "providers.a b", None),
        ({"providers": {"a": None}}, "providers.a", "must be a mapping of fields to values"),
        ({"providers": {"a": {"kind": 3}}}, "providers.a.kind", "must be text; put it in quotes"),
        (
            {"providers": {"a": {}}},
            "providers.a.kind",
            "is required; it is 'openai', 'anthropic', 'bedrock', 'llamacpp', 'guards' or 'echo', or a vendor's name",
        ),
        (
            {"providers": {"a": {"kind": "groq", "api_kee": "x"}}},
            "providers.a.api_kee",
            "unknown field; did you mean 'api_key'?",
        ),
        (
            {"vendors": {"a": {"base_url": "https://x.example", "wier": "openai"}}},
            "vendors.a.wier",
            "unknown field; did you mean 'wire'?",
        ),
        (
            {"providers": {"a": {"kind": "echo", "dealy": 1}}},
            "providers.a.dealy",
            "unknown field; did you mean 'delay'?",
        ),
        ({"providers": {"a": {"kind": "llamacpp"}}}, "providers.a.model", "is required; add it"),
        ({"providers": {"a": {"kind": "openai", "lacks": ["tool"]}}}, "providers.a.lacks[0]", None),
        (
            {"providers": {"a": {"kind": "openai", "headers": {"a b": "x"}}}},
            "providers.a.headers.a b",
            "is no header name",
        ),
        ({"routes": {"r": {"targets": "m"}}}, "routes.r.targets", "must be a list"),
        ({"routes": {"r": {"targets": []}}}, "routes.r.targets", "must not be empty; give at least one"),
        (
            {"routes": {"r": {"targets": [{"modle": "m"}]}}},
            "routes.r.targets[0].modle",
            "unknown field; did you mean 'model'?",
        ),
        ({"routes": {"r": {"targets": ["m", "a b"]}}}, "routes.r.targets[1]", None),
        (
            {"routes": {"r": {"targets": ["m"], "choose": "best"}}},
            "routes.r.choose",
            "must be 'first', 'weighted', 'fastest', 'least-loaded', 'cheapest', 'greenest' or 'sticky', not 'best'",
        ),
        (
            {"routes": {"r": {"targets": ["m"], "interrupted": "pause"}}},
            "routes.r.interrupted",
            "must be 'error', 'hold' or 'resume', not 'pause'",
        ),
        (
            {"routes": {"r": {"targets": ["m"], "timeouts": {"idel": "1s"}}}},
            "routes.r.timeouts.idel",
            "unknown field; did you mean 'idle'?",
        ),
        (
            {"models": {"m": {"provider": "p", "price": {"input": "x", "output": 1}}}},
            "models.m.price.input",
            "must be a number",
        ),
    ],
)
def test_each_kind_of_error_is_one_sentence_at_its_place(document: dict[str, Any], path: str, text: str | None) -> None:
    explained = _explained(document)
    assert path in explained
    assert text is None or explained[path] == text


def test_a_choice_from_the_environment_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"telemetry": {"log": {"level": "hunter2"}}})
    [finding] = explain(caught.value, Config, {"telemetry": {"log": {"level": "${LEVEL}"}}})
    assert finding.message == "must be 'debug', 'info', 'warning' or 'error'"


def test_fields_are_found_through_mappings_lists_and_kinds() -> None:
    raw = {"providers": {"a": {"kind": "echo"}}, "routes": {"r": {"targets": [{}]}}}
    assert fields_at(Config, ("providers", "a"), raw) == ["kind", "delay", "gap"]
    assert fields_at(Config, ("routes", "r", "targets", 0), raw) == ["model", "weight"]
    assert fields_at(Config, ("nowhere", "at", "all"), raw) == []


def test_a_value_is_found_by_its_place() -> None:
    assert value_at({"a": [{"b": 1}]}, ("a", 0, "b")) == 1
    assert value_at({"a": [1]}, ("a", 3)) is None
    assert value_at({"a": "x"}, ("a", 0)) is None
