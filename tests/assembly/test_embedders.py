"""Which model turns texts into vectors, for a row of the configuration and for a version that was made before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mainstay.assembly.embedders import Embedders, ask_gateway
from mainstay.config import load_config
from mainstay.config.schema import Config
from mainstay.core.errors import InvalidRequest, Unavailable
from mainstay.grounding.config import KnowledgeConfig
from mainstay.grounding.minilm import MiniLM
from mainstay.grounding.port import Version

CONFIG = """\
providers: {bought: {kind: openai, api_key: "${SOLD}"}}
models: {vectors: {provider: bought, name: text-embedding-3-small}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    return load_config(tmp_path / "mainstay.yaml", {"SOLD": "sk-none"}).config


def row(embedder: Any) -> KnowledgeConfig:
    return KnowledgeConfig.model_validate({"embedder": embedder})


def ask(model: str, texts: Sequence[str], dimensions: int | None) -> list[list[float]]:
    return [[float(len(text))] * (dimensions or 3) for text in texts]


def test_a_model_of_the_configuration_is_measured_and_asked(config: Config) -> None:
    found = Embedders(config, ask).wanted(row({"model": "vectors"}))
    assert found is not None
    assert (found.name, found.dimensions) == ("model:vectors=bought/text-embedding-3-small", 3)
    assert found.embed(["a", "bcd"], "passage").shape == (2, 3)
    shorter = Embedders(config, ask).wanted(row({"model": "vectors", "dimensions": 2}))
    assert shorter is not None
    assert shorter.embed(["a"], "question").shape == (1, 2)


def test_a_version_finds_what_it_was_made_with_until_the_model_is_another(config: Config) -> None:
    version = Version("main", "model:vectors=bought/text-embedding-3-small", 3)
    embedders = Embedders(config, ask)
    assert embedders.embedder(KnowledgeConfig(), Version("main")) is None
    found = embedders.embedder(KnowledgeConfig(), version)
    assert found is not None
    assert found.name == version.embedder
    for name in ("model:vectors=bought/another", "model:gone=bought/x", "someone-elses"):
        with pytest.raises(Unavailable, match="build a new version"):
            embedders.embedder(KnowledgeConfig(), Version("main", name, 3))


def test_without_a_gateway_no_model_can_be_asked(config: Config) -> None:
    with pytest.raises(Unavailable, match="start it"):
        Embedders(config).wanted(row({"model": "vectors"}))
    with pytest.raises(InvalidRequest):
        Embedders(config, ask).wanted(row({"model": "lost"}))


def test_words_only_needs_nothing(config: Config) -> None:
    assert Embedders(config).wanted(row("none")) is None


def test_what_runs_inside_is_known_by_its_name(config: Config) -> None:
    pytest.importorskip("onnxruntime")
    inside = Embedders(config).wanted(row("minilm"))
    assert isinstance(inside, MiniLM)
    version = Version("main", inside.name, inside.dimensions)
    assert isinstance(Embedders(config).embedder(row("none"), version), MiniLM)


def test_a_gateway_that_does_not_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="mainstay up"):
        ask_gateway(tmp_path)("vectors", ["a"], None)
