from pathlib import Path

from mainstay.assembly.sellers import sellers_of, skus_of
from mainstay.config import load_config
from mainstay.cost.focus import Seller

CONFIG = """
identity: {required: false}
providers:
  o: {kind: openai, api_key: "${KEY}"}
  m: {kind: mistral, api_key: "${KEY}"}
  b: {kind: bedrock, region: eu-west-1, access_key_id: "${KEY}", secret_access_key: "${KEY}"}
  e: {kind: echo}
models:
  gpt: {provider: o, name: gpt-4o}
  e: {provider: e}
"""


def test_people_are_told_who_sells_by_name_and_region(tmp_path: Path) -> None:
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    loaded = load_config(tmp_path / "mainstay.yaml", {"KEY": "k"})
    sellers = sellers_of(loaded)
    assert sellers["o"] == Seller("openai", "OpenAI")
    assert sellers["m"].title.startswith("Mistral")
    assert sellers["b"] == Seller("bedrock", "Amazon Bedrock", "eu-west-1")
    assert sellers["e"].title == "Own"


def test_a_model_is_called_as_its_seller_calls_it_and_has_its_price(tmp_path: Path) -> None:
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    models = skus_of(load_config(tmp_path / "mainstay.yaml", {"KEY": "k"}))
    assert (models["gpt"].name, models["e"].name) == ("gpt-4o", "e")
    tariff = models["gpt"].tariff
    assert tariff is not None
    assert tariff.row(1_793_577_600_000).input
