"""The catalogue that comes with Mainstay, and one that was made since."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.clock import wall_ms
from mainstay.core.errors import PriceError
from mainstay.core.usage import Usage
from mainstay.cost.catalogue import Catalogue, packed, unpacked
from mainstay.cost.prices import read_prices
from mainstay.cost.rates import Tariff


def test_it_names_its_sources_their_states_and_licences() -> None:
    catalogue = Catalogue.open()
    assert {source.name for source in catalogue.sources} == {"genai-prices", "litellm"}
    assert all(source.licence.startswith("MIT") and source.sha256 and source.address for source in catalogue.sources)
    assert catalogue.version >= "2026-11-21"


def test_it_is_small_and_every_row_in_it_compiles() -> None:
    catalogue = Catalogue.open()
    contents = catalogue.contents()
    assert len(packed(contents)) < 600_000
    assert sum(map(len, contents.models.values())) > 4000
    now = wall_ms()
    for models in contents.models.values():
        for merged in models.values():
            tariff = Tariff(read_prices(merged.rows))
            assert tariff.price(Usage(10, 10), now).total >= 0


def test_packing_is_the_same_each_time_and_comes_back() -> None:
    contents = Catalogue.open().contents()
    assert unpacked(packed(contents)) == contents
    assert packed(unpacked(packed(contents))) == packed(contents)


def test_a_model_is_priced_by_its_row_and_its_own_price_wins() -> None:
    catalogue = Catalogue.open()
    listed = catalogue.tariff("openai", "gpt-4o")
    assert listed is not None
    assert (listed.rows[0].source, listed.rows[0].version) == ("catalogue", catalogue.version)
    own = catalogue.tariff("openai", "gpt-4o", {"input": 1, "output": 2}, version="abc")
    assert own is not None
    assert (own.rows[0].source, own.rows[0].version) == ("config", "abc")


def test_what_is_ours_is_free_and_what_nobody_knows_is_unknown() -> None:
    catalogue = Catalogue.open()
    for kind in ("llamacpp", "echo"):
        tariff = catalogue.tariff(kind, "anything")
        assert tariff is not None
        assert tariff.rows[0].source == "own"
    for kind, name in (("openai", "not-a-model"), ("vllm", "gpt-4o"), ("my-own-vendor", "gpt-4o")):
        assert catalogue.tariff(kind, name) is None


@pytest.mark.parametrize("kind", ["openai", "anthropic", "bedrock", "groq", "vllm", "nobody"])
def test_the_ceiling_is_dearer_than_what_its_seller_has(kind: str) -> None:
    catalogue = Catalogue.open()
    ceiling = catalogue.ceiling(kind)
    now = wall_ms()
    dearest = ceiling.most(1000, 1000, now)
    assert dearest > 0
    assert ceiling.rows[0].source == "ceiling"
    for merged in catalogue.contents().models.get(kind, {}).values():
        assert Tariff(read_prices(merged.rows)).price(Usage(1000, 1000), now).total <= dearest


def _write(path: Path, **fields: Any) -> Path:
    path.write_bytes(packed(replace(Catalogue.open().contents(), **fields)))
    return path


def test_a_newer_catalogue_is_used_and_an_older_one_is_not(tmp_path: Path) -> None:
    assert Catalogue.open(_write(tmp_path / "a", version="2999-01-01")).version == "2999-01-01"
    assert Catalogue.open(_write(tmp_path / "b", version="2000-01-01")).version == Catalogue.open().version
    assert Catalogue.open(tmp_path / "none").version == Catalogue.open().version


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b"nothing")])
def test_a_damaged_catalogue_is_said(data: bytes) -> None:
    with pytest.raises(PriceError, match="mainstay prices update"):
        Catalogue(data)
    with pytest.raises(PriceError):
        unpacked(data)
