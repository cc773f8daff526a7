"""``mainstay models``: what callers can ask for, and how it is."""

import json

LOCAL = """\
providers:
  echo: {kind: echo}
  house: {kind: llamacpp, model: lost.gguf}
models:
  parrot: {provider: echo}
  small: {provider: house}
routes:
  assistant: {targets: [small], fallback: [parrot]}
"""


def test_routes_and_models_are_listed_with_their_state(command) -> None:
    (command.folder / "mainstay.yaml").write_text(LOCAL)
    code, out, _ = command.run("models", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["running"] is False
    assert report["routes"] == [{"name": "assistant", "choose": "first", "targets": ["small"], "fallback": ["parrot"]}]
    assert [(model["name"], model["state"]) for model in report["models"]] == [
        ("parrot", "not asked"),
        ("small", "missing"),
    ]
    assert "There is no model file at" in report["models"][1]["reason"]
    assert [model["name"] for model in report["bundled"]] == ["smollm2-135m-instruct"]


def test_a_reader_that_is_no_terminal_gets_plain_lines(command) -> None:
    code, out, _ = command.run("models", "--config", "mainstay.yaml")
    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()] == [["assistant", "route"], ["parrot", "model"]]


def test_what_stands_behind_a_route_is_said_in_order(command) -> None:
    routes = "  wide: {targets: [small, parrot], choose: weighted}\n"
    (command.folder / "mainstay.yaml").write_text(LOCAL + routes)
    code, out, _ = command.run("models")
    behind = {line.split("\t")[0]: line.split("\t")[2] for line in out.splitlines()}
    assert code == 0
    assert behind["assistant"] == "small, then parrot"
    assert behind["wide"] == "weighted of small, parrot"


def test_pulling_an_unknown_model_names_the_known_ones(command) -> None:
    code, _, said = command.run("models", "pull", "gpt-5")
    assert code == 1
    assert "There is no bundled model gpt-5; there is: smollm2-135m-instruct." in said
