"""Zones and vendors are found by the names people use, and every row makes sense."""

import pytest

from mainstay.core.errors import ConfigError
from mainstay.energy.grid import all_zones, find_vendor, find_zone, world_intensity


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("DE", "DEU"),
        ("deu", "DEU"),
        ("germany", "DEU"),
        (" fr ", "FRA"),
        ("aws:us-east-1", "aws:us-east-1"),
        ("GCP:Europe-West4",) * 2,
    ],
)
def test_a_zone_is_found_by_its_letters_its_name_or_a_clouds_region(name: str, zone: str) -> None:
    assert find_zone(name).name == zone.lower() if ":" in zone else zone


@pytest.mark.parametrize(("name", "hint"), [("Germny", "Germany"), ("aws:us-est-1", "aws:us-east-1"), ("??", "DE")])
def test_an_unknown_zone_gets_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        find_zone(name)


def test_every_zone_has_an_intensity_and_a_countrys_water() -> None:
    zones = all_zones()
    assert len(zones) > 280
    for zone in zones.values():
        assert 0 < zone.grams < 1500
        assert 2005 <= zone.year <= 2026
        assert 0 <= zone.water_l < 5
        assert 0 <= zone.reservoir_l <= 17.01
        assert zones[zone.country].country == zone.country


def test_a_cleaner_grid_is_told_from_a_dirtier_one() -> None:
    assert find_zone("SE").grams < find_zone("DE").grams < find_zone("PL").grams
    assert 400 < world_intensity() < 500


@pytest.mark.parametrize("kind", ["openai", "anthropic", "bedrock", "azure", "gemini", "cohere", "groq", ""])
def test_what_is_known_of_a_vendor_is_in_order_and_has_a_source(kind: str) -> None:
    vendor = find_vendor(kind)
    assert 1 <= vendor.pue[0] <= vendor.pue[1] <= vendor.pue[2]
    assert 0 <= vendor.wue[0] <= vendor.wue[1] <= vendor.wue[2]
    assert vendor.source
    assert vendor.zone == "" or find_zone(vendor.zone)
    assert (vendor.name == "unknown") == (kind in ("groq", ""))
