"""The rows that come with Mainstay, each of them, and how a row becomes an address."""

from urllib.parse import urlsplit

import pytest

from mainstay.core.config import is_loopback
from mainstay.providers.vendors.catalogue import address, find_row, missing_parameters, packaged_names, packaged_row
from mainstay.providers.vendors.row import VendorRow
from mainstay.providers.vendors.wires import make_codec, speaks

NAMES = packaged_names()


def test_there_are_many_rows_and_each_has_a_name_of_its_own() -> None:
    assert len(NAMES) >= 50
    assert not {"openai", "anthropic", "llamacpp", "echo"} & set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_right_and_says_what_a_stranger_needs(name: str) -> None:
    row = packaged_row(name)
    assert row.title
    assert row.notes.strip().endswith(".")
    assert row.docs.startswith("https://")
    assert speaks(row.wire)
    assert make_codec(row.wire).dialect == row.wire.replace("vertex", "gemini")


@pytest.mark.parametrize("name", NAMES)
def test_each_row_leads_to_its_vendor_encrypted_or_to_this_machine(name: str) -> None:
    row = packaged_row(name)
    url, path = address(row, dict.fromkeys(row.parameters, "word"))
    assert "{" not in url
    assert path is None or "{" not in path.replace("{model}", "")
    parts = urlsplit(url)
    local = is_loopback(parts.hostname or "")
    assert parts.scheme == ("http" if local else "https")
    # A server of one's own may want no key; a vendor always does, and its usual variable is known.
    assert (row.key == "optional") == local
    assert local or row.environment


@pytest.mark.parametrize("name", NAMES)
def test_no_row_refuses_what_it_renames_or_claims(name: str) -> None:
    row = packaged_row(name)
    refused = {entry.partition("=")[0] for entry in row.rejects}
    assert not refused & set(row.renames)
    assert not refused & {str(feature) for feature in row.can}
    assert not refused & {"model", "messages", "stream", "max_tokens", "temperature", "tools"}


def test_an_unknown_name_has_no_row() -> None:
    assert find_row("no-such-vendor", {}) is None
    with pytest.raises(KeyError):
        packaged_row("no-such-vendor")
    with pytest.raises(KeyError):
        packaged_row("../rows/groq")


def test_a_users_row_goes_before_the_packaged_one() -> None:
    own = VendorRow(base_url="https://groq.example")
    assert find_row("groq", {"groq": own}) is own
    assert find_row("groq", {}) == packaged_row("groq")


def test_parameters_fill_address_and_path_and_the_missing_ones_are_named() -> None:
    row = packaged_row("azure-deployments")
    assert address(row, {"resource": "contoso"}) == (
        "https://contoso.openai.azure.com/openai",
        "/deployments/{model}/chat/completions?api-version=2024-10-21",
    )
    assert address(row, {"api_version": "2025-04-01-preview"}, "https://relay.example/openai") == (
        "https://relay.example/openai",
        "/deployments/{model}/chat/completions?api-version=2025-04-01-preview",
    )
    assert missing_parameters(row, {}) == ["resource"]
    assert missing_parameters(row, {}, "https://relay.example") == []
    assert missing_parameters(row, {"resource": "r"}) == []
