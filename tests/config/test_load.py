"""From files to a checked configuration, and every problem on the way."""

import contextlib
import os
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.config import Checked, Config, check, config_home, load_config
from mainstay.core.errors import ConfigError
from mainstay.engines.config import LlamaCppConfig
from mainstay.providers.config import AnthropicConfig, OpenAIConfig

Write = Callable[..., Path]


def _lines(checked: Checked) -> list[str]:
    return [str(problem).rpartition("/")[2] for problem in checked.problems]


def test_the_example_of_the_docs_loads(write: Write, example: str, env: dict[str, str], tmp_path: Path) -> None:
    loaded = load_config(write(example), env)
    config = loaded.config
    route = config.routes["assistant"]
    assert [(target.model, target.weight) for target in route.targets] == [("gpt-4o-mini", 9), ("small", 1)]
    assert (route.choose, route.fallback, route.attempts) == ("weighted", ("haiku", "small"), 4)
    assert route.timeouts.limits().first_token == 8.0
    assert isinstance(config.providers["openai"], OpenAIConfig)
    assert isinstance(config.providers["claude"], AnthropicConfig)
    assert config.providers["claude"].api_key is not None
    assert config.providers["claude"].api_key.get_secret_value() == env["ANTHROPIC_API_KEY"]
    assert config.models["small"].price[0].input == Decimal("0.02")
    assert config.store.url == f"sqlite:///{tmp_path}/var/mainstay.db"
    assert (loaded.base, loaded.home, loaded.warnings) == (tmp_path, tmp_path / "var", ())
    assert loaded.source == (tmp_path / "mainstay.yaml",)


def test_an_empty_file_is_a_configuration_without_models(write: Write) -> None:
    loaded = load_config(write("# nothing yet\n"), {})
    assert loaded.config.server.port == 8080
    assert loaded.config.identity.required
    assert "there are no models" in loaded.warnings[0].message


def test_a_section_whose_entries_are_commented_out_is_empty(write: Write) -> None:
    assert load_config(write("providers:\n  # none\nserver:\n"), {}).config.providers == {}


def test_every_problem_is_reported_at_once_with_line_and_nearest_name(write: Write) -> None:
    text = """\
server: {hots: 1, port: 80800}
providrs: {}
providers:
  openai:
    kind: opnai
  claude: {kind: anthropic, api_key: "${NO_SUCH}"}
  nokind: {}
models:
  a: {provider: clade}
  b: {}
routes:
  r:
    targets: [a, {model: bb, weight: 0}]
    choose: weigthed
    fallback: [c]
    interrupted: retry
  s: {targets: []}
"""
    assert _lines(check(write(text), {})) == [
        "mainstay.yaml:1: server.port: must be less than or equal to 65535",
        "mainstay.yaml:1: server.hots: unknown field; did you mean 'host'?",
        "mainstay.yaml:2: providrs: unknown field; did you mean 'providers'?",
        "mainstay.yaml:5: providers.openai.kind: 'opnai' is no kind of provider and no vendor; did you mean 'openai'?",
        "mainstay.yaml:6: providers.claude.api_key: the environment variable NO_SUCH is not set; set it, or write "
        "${NO_SUCH:-default}",
        "mainstay.yaml:7: providers.nokind.kind: is required; it is 'openai', 'anthropic', 'bedrock', 'llamacpp', "
        "'guards' or 'echo', or a vendor's name",
        "mainstay.yaml:9: models.a.provider: 'clade' is no provider under 'providers'; did you mean 'claude'?",
        "mainstay.yaml:10: models.b.provider: is required; add it",
        "mainstay.yaml:13: routes.r.targets[1].weight: must be greater than 0",
        "mainstay.yaml:13: routes.r.targets[1].model: 'bb' is no model under 'models'; did you mean 'b'?",
        "mainstay.yaml:14: routes.r.choose: must be 'first', 'weighted', 'fastest', 'least-loaded', 'cheapest', "
        "'greenest' or 'sticky', not 'weigthed'; did you mean 'weighted'?",
        "mainstay.yaml:15: routes.r.fallback[0]: 'c' is no model under 'models'; use 'a' or 'b'",
        "mainstay.yaml:16: routes.r.interrupted: must be 'error', 'hold' or 'resume', not 'retry'",
        "mainstay.yaml:17: routes.s.targets: must not be empty; give at least one",
    ]


def test_a_wrong_kind_is_one_problem(write: Write) -> None:
    assert _lines(check(write("providers: {a: {kind: opnai, api_key: x, model: y}}"), {})) == [
        "mainstay.yaml:1: providers.a.kind: 'opnai' is no kind of provider and no vendor; did you mean 'openai'?"
    ]


def test_a_kind_that_is_not_set_is_said_to_be_so(write: Write) -> None:
    [line] = _lines(check(write("providers: {a: {kind: '${NO_SUCH}'}}"), {}))
    assert "the environment variable NO_SUCH is not set" in line


def test_the_error_holds_every_problem_and_the_exit_code_of_bad_configuration(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write("server: {port: x}\nidentity: {required: perhaps}\n"), {})
    assert caught.value.exit_code == 2
    assert len(caught.value.message.splitlines()) == 2


def test_a_number_or_a_truth_may_come_from_the_environment(write: Write) -> None:
    text = "server: {port: '${PORT}', drain: '${DRAIN:-5s}'}\nidentity: {required: '${KEYS}'}"
    config = load_config(write(text), {"PORT": "9000", "KEYS": "false"}).config
    assert (config.server.port, config.server.drain, config.identity.required) == (9000, 5.0, False)


def test_values_of_the_environment_never_show_in_a_problem(write: Write) -> None:
    text = """\
server: {host: "${SECRET}", port: "${SECRET}", max_body: "${SECRET}", drain: "${SECRET}"}
identity: {required: "${SECRET}"}
store: {url: "${SECRET}"}
telemetry: {log: {level: "${SECRET}"}}
providers:
  a: {kind: "${SECRET}"}
  b: {kind: openai, api_key: "${SECRET}", base_url: "${SECRET}", headers: {x-a: "${SECRET}", host: "${SECRET}"}}
  c: {kind: llamacpp, model: "${SECRET}", lacks: ["${SECRET}"], threads: "${SECRET}"}
models:
  a: {provider: "${SECRET}", price: {input: "${SECRET}", output: 1}}
routes:
  a: {targets: ["${SECRET}", {model: "${SECRET}"}], choose: "${SECRET}", fallback: ["${SECRET}"]}
"""
    secret = "sk-\nhunter2 secret"
    checked = check(write(text), {"SECRET": secret})
    assert len(checked.problems) >= 18
    assert "hunter2" not in "\n".join(_lines(checked))
    assert "hunter2" not in repr(checked)


def test_a_folder_is_merged_by_section(write: Write, tmp_path: Path) -> None:
    write("providers: {e: {kind: echo}}\nserver: {port: 1}\n", "conf/10-base.yaml")
    write("models: {m: {provider: e}}\nserver: {host: localhost}\n", "conf/20-more.yml")
    write("not: [yaml", "conf/.hidden.yaml")
    write("not: [yaml", "conf/notes.txt")
    loaded = load_config(tmp_path / "conf", {})
    assert (loaded.config.server.port, loaded.config.server.host) == (1, "localhost")
    assert loaded.config.models["m"].provider == "e"
    assert [file.name for file in loaded.source] == ["10-base.yaml", "20-more.yml"]
    assert (loaded.base, loaded.home) == (tmp_path / "conf", tmp_path / "conf" / "var")


def test_the_same_key_in_two_files_names_both(write: Write, tmp_path: Path) -> None:
    write("providers:\n  e: {kind: echo}\n", "conf/a.yaml")
    write("providers:\n  f: {kind: echo}\n  e: {kind: opnai}\n", "conf/b.yaml")
    [problem] = check(tmp_path / "conf", {}).problems
    assert (problem.file, problem.line, problem.path) == (str(tmp_path / "conf" / "b.yaml"), 3, "providers.e")
    assert f"{tmp_path / 'conf' / 'a.yaml'}:2" in problem.message


def test_a_problem_in_the_second_file_names_the_second_file(write: Write, tmp_path: Path) -> None:
    write("server: {port: 1}\n", "conf/a.yaml")
    write("\nserver:\n  workers: 0\n", "conf/b.yaml")
    [problem] = check(tmp_path / "conf", {}).problems
    assert (Path(problem.file).name, problem.line) == ("b.yaml", 3)


def test_text_that_is_not_yaml_hides_no_problem_of_another_kind_as_a_false_one(write: Write, tmp_path: Path) -> None:
    write("models: {m: {provider: e}}\n", "conf/a.yaml")
    write("providers: {e: {kind: echo}\n", "conf/b.yaml")
    assert [problem.file.rpartition("/")[2] for problem in check(tmp_path / "conf", {}).problems] == ["b.yaml"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"server: {port: 1}\n\xff\n", "not UTF-8 text (line 2)"),
        (b"[]", "must be a mapping of sections: server, store"),
        (b"hello", "must be a mapping of sections"),
        (b"#" * (8 * 1024 * 1024 + 1), "larger than 8 MiB"),
        (b"\xef\xbb\xbfserver: {prot: 1}", "did you mean 'port'?"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_so(tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(data)
    [problem] = check(file, {}).problems
    assert words in str(problem)


def test_what_is_not_there_or_no_file_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    assert "no such file or directory" in _lines(check(tmp_path / "none.yaml", {}))[0]
    assert "is not a file" in _lines(check(tmp_path / "pipe", {}))[0]
    assert "no .yaml file" in _lines(check(tmp_path / "empty", {}))[0]


def test_a_mounted_secret_is_read_without_its_last_line_end(write: Write) -> None:
    write("sk-mounted\n", "run/key")
    loaded = load_config(write("providers: {o: {kind: openai, api_key: 'file:run/key'}}"), {})
    provider = loaded.config.providers["o"]
    assert isinstance(provider, OpenAIConfig)
    assert provider.api_key is not None
    assert provider.api_key.get_secret_value() == "sk-mounted"
    assert [file.name for file in loaded.mounted] == ["key"]
    assert "sk-mounted" not in repr(loaded)


def test_a_mounted_secret_that_cannot_be_used_is_a_problem(write: Write) -> None:
    write("two\nlines", "two")
    write("", "none")
    write("x" * 70_000, "huge")
    rows = "\n".join(
        f"  {name}: {{kind: openai, api_key: 'file:{name}'}}" for name in ("missing", "two", "none", "huge", ".")
    )
    lines = _lines(check(write(f"providers:\n{rows.replace('  .:', '  dir:')}"), {}))
    assert [line.partition(" names ")[0].partition(" holds ")[0].partition(" is ")[0] for line in lines] == [
        f"mainstay.yaml:{i}: providers.{name}.api_key:"
        for i, name in enumerate(["missing", "two", "none", "huge", "dir"], 2)
    ]


def test_files_are_read_for_secrets_only(write: Write) -> None:
    write("mounted", "x")
    [line] = _lines(check(write("providers: {e: {kind: echo}}\nmodels: {m: {provider: 'file:x'}}"), {}))
    assert "'file:x' is no provider" in line


def test_what_is_written_lies_beside_the_configuration_or_where_mainstay_home_says(
    write: Write, tmp_path: Path
) -> None:
    file = write("")
    assert load_config(file, {"MAINSTAY_HOME": "/srv/ms"}).home == Path("/srv/ms")
    assert load_config(file, {"MAINSTAY_HOME": "/srv/ms"}).config.store.url == "sqlite:////srv/ms/mainstay.db"
    assert load_config(file, {}).home == tmp_path / "var" == config_home(file, {})
    assert config_home(tmp_path, {"MAINSTAY_HOME": ""}) == tmp_path / "var"


def test_a_relative_name_of_the_file_still_gives_absolute_places(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("providers: {l: {kind: llamacpp, model: models/x.gguf}}")
    monkeypatch.chdir(tmp_path)
    loaded = load_config("mainstay.yaml", {})
    assert loaded.home == tmp_path / "var"
    provider = loaded.config.providers["l"]
    assert isinstance(provider, LlamaCppConfig)
    assert provider.model == str(tmp_path / "models" / "x.gguf")


def test_a_model_file_that_is_missing_is_a_warning(write: Write) -> None:
    loaded = load_config(write("providers:\n  l: {kind: llamacpp, model: x.gguf}\nmodels: {m: {provider: l}}"), {})
    assert [(warning.line, warning.path) for warning in loaded.warnings] == [(2, "providers.l.model")]


def test_the_hash_is_of_what_was_written_not_of_its_order_or_its_secrets(write: Write) -> None:
    one = load_config(write("server: {port: 1, host: '${H}'}\nidentity: {required: true}"), {"H": "localhost"})
    two = load_config(write("identity:\n  required: true # yes\nserver:\n  host: ${H}\n  port: 1"), {"H": "::1"})
    three = load_config(write("identity: {required: true}\nserver: {host: '${H}', port: 2}"), {"H": "::1"})
    assert one.hash == two.hash != three.hash
    assert len(one.hash) == 12


def test_what_was_loaded_can_be_handed_to_another_process(write: Write, example: str, env: dict[str, str]) -> None:
    loaded = load_config(write(example), env)
    again = pickle.loads(pickle.dumps(loaded))
    assert again == loaded
    assert isinstance(again.config, Config)


def test_the_process_environment_is_the_default(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSTAY_TEST_PORT", "1234")
    assert load_config(write("server: {port: '${MAINSTAY_TEST_PORT}'}")).config.server.port == 1234


_WORDS = [
    "server",
    "providers",
    "models",
    "routes",
    "kind",
    "echo",
    "openai",
    "targets",
    "model",
    "api_key",
    "${A}",
    "file:x",
]
_leaf = st.sampled_from(_WORDS) | st.text("ab{}[]:,-&*!|>'\"%#~ \n\t${}", max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(_leaf, st.sampled_from([": ", ":\n  ", ", ", "\n", " {", "}", " [", "]", "- "])), max_size=24)
)
def test_no_text_does_anything_but_load_or_raise_config_error(tmp_path: Path, pieces: list[tuple[str, str]]) -> None:
    file = tmp_path / "any.yaml"
    file.write_text("".join(a + b for a, b in pieces), encoding="utf-8")
    with contextlib.suppress(ConfigError):
        load_config(file, {"A": "x"})


_tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(_WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_WORDS), _tree, max_size=5))
def test_no_shape_does_anything_but_load_or_raise_config_error(tmp_path: Path, tree: dict[str, object]) -> None:
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    checked = check(file, {"A": "x"})
    assert (checked.loaded is None) == bool(checked.problems)
