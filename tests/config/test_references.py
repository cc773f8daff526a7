"""What must hold between the parts of a configuration."""

from typing import Any

import pytest

from mainstay.config import references
from mainstay.config.problems import Finding, dotted
from mainstay.config.references import cross_check, cross_warn, may_listen


def _found(document: dict[str, Any], raw: dict[str, Any] | None = None) -> dict[str, Finding]:
    return {dotted(finding.place): finding for finding in cross_check(document, raw if raw is not None else document)}


def test_targets_and_fallbacks_name_models_and_models_name_providers() -> None:
    document = {
        "providers": {"house": {"kind": "echo"}},
        "models": {"small": {"provider": "hose"}},
        "routes": {"r": {"targets": ["smal", {"model": "big"}], "fallback": ["small", "smll"]}},
    }
    found = _found(document)
    assert {path: finding.hint for path, finding in found.items()} == {
        "models.small.provider": "did you mean 'house'?",
        "routes.r.targets[0]": "did you mean 'small'?",
        "routes.r.targets[1].model": "",
        "routes.r.fallback[1]": "did you mean 'small'?",
    }
    assert found["routes.r.targets[1].model"].message == "'big' is no model under 'models'; use 'small'"


def test_a_name_is_shown_as_written() -> None:
    found = _found({"models": {"m": {"provider": "hunter2"}}}, {"models": {"m": {"provider": "${P}"}}})
    assert found["models.m.provider"].message == "'${P}' is no provider under 'providers'; add it there"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com"])
def test_open_doors_are_refused_beyond_loopback(host: str) -> None:
    found = _found({"server": {"host": host}, "identity": {"required": False}})
    assert list(found) == ["identity.required"]
    assert "loopback" in found["identity.required"].message
    assert not may_listen(host, False)
    assert may_listen(host, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_open_doors_are_accepted_on_loopback(host: str) -> None:
    assert _found({"server": {"host": host}, "identity": {"required": "false"}}) == {}
    assert may_listen(host, False)


def test_a_key_written_out_is_refused_and_not_repeated() -> None:
    row = {"kind": "openai", "api_key": "sk-pasted", "headers": {"X-Api-Key": "pasted", "x-org": "acme"}}
    found = _found({"providers": {"o": row}})
    assert sorted(found) == ["providers.o.api_key", "providers.o.headers.X-Api-Key"]
    assert "pasted" not in str(found)


def test_a_token_of_a_source_of_intensities_written_out_is_refused_and_not_repeated() -> None:
    live = {"kind": "electricitymaps", "zone": "DE", "token": "pasted"}
    found = _found({"energy": {"live": live}})
    assert list(found) == ["energy.live.token"]
    assert "pasted" not in str(found)
    assert _found({"energy": {"live": live}}, {"energy": {"live": live | {"token": "${TOKEN}"}}}) == {}


def test_what_alerts_are_signed_with_is_written_by_reference() -> None:
    alerts = {"webhook": "https://hooks.test/1", "secret": "pasted"}
    found = _found({"cost": {"alerts": alerts}})
    assert list(found) == ["cost.alerts.secret"]
    assert "pasted" not in str(found)
    assert _found({"cost": {"alerts": alerts}}, {"cost": {"alerts": alerts | {"secret": "${SIGN}"}}}) == {}


@pytest.mark.parametrize("key", ["${KEY}", "file:/run/key", "Bearer ${KEY}"])
def test_a_key_by_reference_is_accepted(key: str) -> None:
    document = {"providers": {"o": {"kind": "openai", "api_key": "sk-real", "headers": {"authorization": "x"}}}}
    raw = {"providers": {"o": {"kind": "openai", "api_key": key, "headers": {"authorization": key}}}}
    assert _found(document, raw) == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://localhost:9", "http://[::1]:9"])
def test_a_key_written_out_is_accepted_for_a_server_on_this_machine(url: str) -> None:
    assert _found({"providers": {"o": {"kind": "openai", "api_key": "test", "base_url": url}}}) == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1.example.com/v1", "http://[::1", "not a url"])
def test_a_key_written_out_is_refused_for_an_address_that_only_looks_local(url: str) -> None:
    assert list(_found({"providers": {"o": {"kind": "openai", "api_key": "t", "base_url": url}}})) == [
        "providers.o.api_key"
    ]


@pytest.mark.parametrize(("kind", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_vendor_wants_a_key_and_another_server_may_not(kind: str, variable: str) -> None:
    assert variable in _found({"providers": {"p": {"kind": kind}}})["providers.p.api_key"].message
    assert _found({"providers": {"p": {"kind": kind, "base_url": "http://10.0.0.1/v1"}}}) == {}


def test_a_kind_is_one_of_our_own_a_vendors_name_or_one_under_vendors() -> None:
    own = {"acme": {"base_url": "https://a.example"}, "broken": {}}
    kinds = {"a": "grok", "b": "smoke signals", "c": "acme", "d": "broken", "e": "echo", "f": "vllm"}
    found = _found({"providers": {name: {"kind": kind} for name, kind in kinds.items()}, "vendors": own})
    assert found["providers.a.kind"].hint == "did you mean 'groq'?"
    assert found["providers.b.kind"].message == (
        "'smoke signals' is no kind of provider and no vendor; it is 'openai', 'anthropic', 'bedrock', 'llamacpp', "
        "'guards', 'echo', or a vendor's name, such as 'groq', or one under 'vendors'"
    )
    assert sorted(found) == ["providers.a.kind", "providers.b.kind", "providers.c.api_key"]


def test_a_kind_from_the_environment_is_not_repeated() -> None:
    found = _found({"providers": {"p": {"kind": "hunter2"}}}, {"providers": {"p": {"kind": "${K}"}}})
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("kind", "variable"), [("groq", "GROQ_API_KEY"), ("mine-2", "MINE_2_API_KEY"), ("named", "THEIR_KEY")]
)
def test_a_vendor_by_name_wants_its_key_and_a_server_of_ones_own_may_not(kind: str, variable: str) -> None:
    own = {
        "mine-2": {"base_url": "https://a.example"},
        "named": {"base_url": "https://a.example", "environment": "THEIR_KEY"},
    }
    found = _found({"providers": {"p": {"kind": kind}}, "vendors": own})
    assert f"`api_key: ${{{variable}}}`" in found["providers.p.api_key"].message
    for row in ({"kind": "vllm"}, {"kind": kind, "base_url": "https://relay.example/v1"}):
        assert _found({"providers": {"p": row}, "vendors": own}) == {}


def test_a_vendors_key_written_out_is_refused_unless_it_stays_on_this_machine() -> None:
    row = {"kind": "groq", "api_key": "gsk-pasted", "headers": {"x-token": "pasted"}}
    found = _found({"providers": {"o": row}})
    assert sorted(found) == ["providers.o.api_key", "providers.o.headers.x-token"]
    assert "pasted" not in str(found)
    assert _found({"providers": {"o": {"kind": "vllm", "api_key": "test"}}}) == {}


def test_parameters_are_those_of_the_row_and_those_it_needs_are_asked_for() -> None:
    row = {"kind": "azure", "api_key": "${K}", "parameters": {"resorce": "contoso"}}
    found = _found({"providers": {"a": row}})
    assert found["providers.a.parameters.resorce"].hint == "did you mean 'resource'?"
    assert found["providers.a.parameters"].message == "has no 'resource', which is part of the address; add it"
    found = _found({"providers": {"a": {"kind": "groq", "api_key": "${K}", "parameters": {"x": "y"}}}})
    assert found["providers.a.parameters.x"].message == "is no parameter of this vendor; it has none"
    assert _found({"providers": {"a": {**row, "parameters": {"resource": "contoso"}}}}) == {}


def test_a_vendor_may_not_take_the_name_of_a_kind_of_its_own() -> None:
    assert list(_found({"vendors": {"openai": {"base_url": "https://a.example"}}})) == ["vendors.openai"]


def test_a_bundled_model_is_known_by_name() -> None:
    found = _found({"providers": {"l": {"kind": "llamacpp", "model": "smollm2-135m"}}})
    assert found["providers.l.model"].hint == "did you mean 'smollm2-135m-instruct'?"
    assert _found({"providers": {"l": {"kind": "llamacpp", "model": "x/smollm2.gguf"}}}) == {}


def test_any_shape_is_survived() -> None:
    for part in (
        None,
        3,
        "x",
        [],
        {"a": None},
        {"a": 3},
        {"a": []},
        {"a": {"targets": 3, "fallback": [3], "kind": []}},
        {"a": {"kind": "azure", "parameters": 3, "base_url": 3}},
        {"a": {"kind": "azure", "parameters": {3: []}, "base_url": []}},
    ):
        sections = ("server", "identity", "providers", "vendors", "models", "routes")
        assert isinstance(_found(dict.fromkeys(sections, part)), dict)


def test_a_route_that_hides_a_model_is_warned_of() -> None:
    document = {"models": {"a": {}, "b": {}}, "routes": {"a": {"targets": ["b"]}, "b": {"targets": ["b"]}}}
    assert [dotted(finding.place) for finding in cross_warn(document)] == ["routes.a"]


def test_a_key_on_an_unencrypted_way_is_warned_of() -> None:
    far, near = (
        {"kind": "openai", "api_key": "k", "base_url": f"http://{host}/v1"} for host in ("10.0.0.1", "127.0.0.1")
    )
    document = {"models": {"m": {}}, "providers": {"far": far, "near": near}}
    assert [dotted(finding.place) for finding in cross_warn(document)] == ["providers.far.base_url"]


def test_servers_of_tools_are_there_and_their_secrets_are_references() -> None:
    document = {
        "mcp": {
            "servers": {
                "files": {
                    "url": "https://tools.example.com/mcp",
                    "headers": {"authorization": "Bearer abc", "x-a": "b"},
                },
                "near": {"url": "http://127.0.0.1:9/mcp", "headers": {"authorization": "Bearer abc"}},
                "good": {"url": "https://tools.example.com/mcp", "headers": {"authorization": "Bearer ${T}"}},
                "program": {"command": ["tool"], "environment": {"API_TOKEN": "abc", "LEVEL": "1", "KEY": "${K}"}},
            }
        },
        "routes": {"r": {"targets": [], "tools": {"mcp": ["fils", "near/read", "good"]}}},
    }
    found = _found(document)
    assert {path: finding.hint for path, finding in found.items()} == {
        "mcp.servers.files.headers.authorization": "",
        "mcp.servers.program.environment.API_TOKEN": "",
        "routes.r.tools.mcp[0]": "did you mean 'files'?",
    }
    assert "Bearer" not in found["mcp.servers.files.headers.authorization"].message


def test_tools_that_send_are_named_after_servers_that_are_there() -> None:
    sends = {
        "tools": {"fils__write": True, "files__read": False, "f*s__x": True, "mcp__github__push": True, "mail": True},
        "rules": [{"tool": "filse__write", "to": "a.example"}, {"tool": "files__write"}, {"tool": 3}, "x"],
    }
    servers = {"mcp": {"servers": {"files": {"url": "http://127.0.0.1:9/mcp"}}}}
    route = {"targets": [], "tools": {"mcp": ["files"]}, "sends": sends}
    found = _found({**servers, "routes": {"r": route}})
    assert {path: finding.hint for path, finding in found.items()} == {
        "routes.r.sends.tools.fils__write": "did you mean 'files'?",
        "routes.r.sends.rules[0].tool": "did you mean 'files'?",
    }
    # Without tools of ours the names are the callers' own.
    assert not _found({**servers, "routes": {"r": {"targets": [], "sends": sends}}})


def test_the_secret_of_single_sign_on_is_not_written_out() -> None:
    oidc = {"issuer": "https://id.test", "client_id": "mainstay", "client_secret": "hunter2"}
    assert list(_found({"identity": {"oidc": oidc}})) == ["identity.oidc.client_secret"]
    for reference in ("${OIDC_SECRET}", "file:secret.txt"):
        assert not _found({"identity": {"oidc": oidc}}, {"identity": {"oidc": {**oidc, "client_secret": reference}}})
    assert not _found({"identity": {"oidc": {**oidc, "client_secret": None}}})


def test_single_sign_on_names_the_package_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = references.find_spec
    monkeypatch.setattr(references, "find_spec", lambda name: None if name == "joserfc" else found(name))
    said = _found({"identity": {"oidc": {"issuer": "https://id.test", "client_id": "mainstay"}}})
    assert "mainstay[sso]" in said["identity.oidc"].message


def test_grpc_has_a_port_of_its_own() -> None:
    assert list(_found({"grpc": {"port": 8080}})) == ["grpc.port"]
    assert list(_found({"server": {"port": 9000}, "grpc": {"port": 9000}})) == ["grpc.port"]
    assert not _found({"server": {"port": 9000}, "grpc": {"port": 8080}})
