"""From provider rows to programs and addresses."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from mainstay.core.errors import StartError
from mainstay.core.target import TALKS, Feature, Operation
from mainstay.engines.llamacpp import LACKS, LlamaCpp
from mainstay.engines.null import NoEngine
from mainstay.engines.port import Engine, EngineAddress
from mainstay.runtime.children import Program

SECRET = b"s" * 32


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a file that looks like a model with a template that knows tools."""
    file = tmp_path / "own.gguf"
    template = b"{% if tools %}{{ tools }}{% endif %}"
    key = (23).to_bytes(8, "little") + b"tokenizer.chat_template" + (8).to_bytes(4, "little")
    file.write_bytes(b"GGUF" + bytes(64) + key + len(template).to_bytes(8, "little") + template + bytes(2048))
    return file


@pytest.fixture
def own(row, model):
    """Return a row for that file."""
    return replace(row, model=str(model))


def build(home: Path, secret: bytes = SECRET, **rows) -> LlamaCpp:
    return LlamaCpp(rows, home, home, secret)


@pytest.fixture(params=["llamacpp", "null"])
def engine(request, own, home) -> Engine:
    """Return an engine of each kind."""
    return build(home, house=own) if request.param == "llamacpp" else NoEngine()


def test_every_program_of_an_engine_has_an_address(engine) -> None:
    assert [program.name for program in engine.programs()] == list(engine.addresses())
    assert all(isinstance(program, Program) for program in engine.programs())
    assert all(isinstance(address, EngineAddress) for address in engine.addresses().values())


def test_the_same_row_is_the_same_program_and_address(own, home) -> None:
    first, second = build(home, house=own), build(home, house=own, other=replace(own, threads=2))
    assert first.programs()[0] == second.programs()[0]
    assert first.addresses()["house"] == second.addresses()["house"]


def test_a_changed_row_or_file_listens_elsewhere(own, home, model) -> None:
    before = build(home, house=own).addresses()["house"].origin
    assert build(home, house=replace(own, context=1024)).addresses()["house"].origin != before
    model.write_bytes(model.read_bytes() + b"x")
    assert build(home, house=own).addresses()["house"].origin != before


def test_an_engine_listens_where_its_address_says_and_wants_its_key(own, home) -> None:
    engine = build(home, house=own)
    settings = json.loads(engine.programs()[0].settings)
    address = engine.addresses()["house"]
    assert (settings["socket"], settings["api_key"]) == (address.origin.uds, address.api_key)
    assert build(home, b"other", house=own).addresses()["house"].api_key != address.api_key


def test_a_key_never_stands_in_the_arguments_or_the_environment(own, home) -> None:
    engine = build(home, house=own)
    program = engine.programs()[0]
    assert engine.addresses()["house"].api_key not in repr((program.argv, program.env))


def test_an_engine_is_named_as_its_file_or_its_bundled_name(own, home) -> None:
    assert json.loads(build(home, house=own).programs()[0].settings)["alias"] == "own"


@pytest.mark.usefixtures("needs_model")
def test_the_bundled_model_keeps_its_name_and_lacks_tools(row, home) -> None:
    engine = build(home, house=row)
    assert json.loads(engine.programs()[0].settings)["alias"] == "smollm2-135m-instruct"
    assert engine.addresses()["house"].lacks == LACKS | {Feature.TOOLS}


def test_a_model_whose_template_knows_tools_can_use_them(own, home) -> None:
    assert build(home, house=own).addresses()["house"].lacks == LACKS


def test_nothing_of_an_engine_is_open_to_others(own, home) -> None:
    build(home, house=own)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["house", "a/b:c@d", "ü" * 100, ".."])
def test_a_socket_path_is_short_enough_and_stays_in_its_directory(own, home, name) -> None:
    path = Path(build(home, **{name: own}).addresses()[name].origin.uds)
    assert len(bytes(path)) <= 103
    assert path.parent == home / "run" or path.parent.name.startswith("mainstay-")


def test_two_names_never_share_a_socket(own, home) -> None:
    addresses = build(home, **{"a/b": own, "a:b": own}).addresses()
    assert addresses["a/b"].origin != addresses["a:b"].origin


def test_a_home_too_deep_for_a_socket_gets_a_short_path_of_its_own(own, tmp_path) -> None:
    paths = []
    for letter in "xy":
        deep = tmp_path / (letter * 120)
        path = Path(build(deep, house=own).addresses()["house"].origin.uds)
        assert len(bytes(path)) <= 103
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        paths.append(path)
        path.parent.rmdir()
    assert paths[0] != paths[1]


def test_a_missing_model_file_is_a_sentence(row, home) -> None:
    with pytest.raises(StartError, match=r"no model file at /no/such\.gguf"):
        build(home, house=replace(row, model="/no/such.gguf"))


def test_a_relative_path_is_relative_to_the_configuration(row, home, model) -> None:
    engine = LlamaCpp({"house": replace(row, model="own.gguf")}, home, model.parent, SECRET)
    assert json.loads(engine.programs()[0].settings)["file"] == str(model)


def pooled(model: Path, kind: int) -> None:
    """Let the file say how its vectors are made."""
    key = (17).to_bytes(8, "little") + b"bert.pooling_type" + (4).to_bytes(4, "little") + kind.to_bytes(4, "little")
    model.write_bytes(b"GGUF" + bytes(64) + key + bytes(2048))


@pytest.mark.parametrize(
    ("kind", "given", "operations", "setting"),
    [
        (0, "auto", TALKS, 0),
        (1, "auto", {Operation.EMBEDDING}, 1),
        (4, "auto", {Operation.RERANK}, 4),
        (0, "last", TALKS | {Operation.EMBEDDING}, 3),
        (1, "none", TALKS, 0),
    ],
)
def test_a_model_made_for_vectors_only_makes_these_unless_the_row_says_otherwise(
    own, home, model, kind, given, operations, setting
) -> None:
    pooled(model, kind)
    engine = build(home, house=replace(own, pooling=given))
    assert engine.addresses()["house"].operations == operations
    assert json.loads(engine.programs()[0].settings)["pooling"] == setting
