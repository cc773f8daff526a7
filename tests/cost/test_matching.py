"""Which row of the catalogue is meant: the same model under another name, and never another model."""

import pytest

from mainstay.cost.catalogue import Catalogue
from mainstay.cost.matching import find_name, place_of, seller_of_genai, seller_of_litellm, sellers
from mainstay.providers.vendors.catalogue import packaged_names

_KNOWN = dict.fromkeys(
    (
        "gpt-4o", "gpt-4o-mini", "gpt-4o-2024-05-13", "gpt-4.1", "gpt-4", "o3", "o3-mini", "claude-haiku-4-5",
        "claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022", "claude-opus-4-1", "claude-opus-4-20250514",
        "gemini-2.5-pro", "gemini-1.5-flash-002", "gemini-1.5-flash-8b", "mistral-small-2503",
        "anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "eu-west-3/mistral.mixtral-8x7b-instruct-v0:1", "mistral.mixtral-8x7b-instruct-v0:1",
        "anthropic/claude-haiku-4.5", "openai/gpt-4o:free", "openai/gpt-4o", "deepseek-v3p1", "ft:gpt-4o-mini",
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4-0613", "gpt-4"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5-latest", "claude-haiku-4-5"),
        ("claude-haiku-4.5", "claude-haiku-4-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("claude-3-5-sonnet", "claude-3-5-sonnet-20241022"),
        ("claude-opus-4", "claude-opus-4-20250514"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("gemini-1.5-flash", "gemini-1.5-flash-002"),
        ("mistral-small-latest", "mistral-small-2503"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/anthropic.claude-haiku-4-5-20251001-v1:0",
         "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("anthropic/claude-haiku-4.5:nitro", "anthropic/claude-haiku-4.5"),
        ("openai/gpt-4o:free", "openai/gpt-4o:free"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("accounts/fireworks/models/deepseek-v3p1", "deepseek-v3p1"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini"),
    ],
)  # fmt: skip
def test_a_model_is_found_under_the_names_it_goes_by(asked: str, found: str) -> None:
    assert find_name(asked, _KNOWN, {}) == found


@pytest.mark.parametrize(
    "asked",
    [
        "gpt-4o-minimal", "gpt-4", "gpt-4o-audio", "gpt-4o-audio-preview", "gpt-4o-mini-tts", "gpt-4.1-mini", "gpt-5",
        "o3-pro", "o3-deep-research", "o", "claude-opus-4-5", "claude-opus", "claude-haiku", "claude-haiku-4-5-fast",
        "gemini-2.5", "gemini-2.5-pro-tts", "gemini-1.5-pro", "anthropic/claude-haiku-4.5:free", "4o-mini", "",
        "ft:gpt-4o:acme::abc", "mixtral-8x7b-instruct-v0:1", "openai/gpt-4o-mini",
    ],
)  # fmt: skip
def test_another_model_is_not_taken_for_it(asked: str) -> None:
    known = {name: None for name in _KNOWN if name != asked}
    assert find_name(asked, known, {}) is None


def test_a_model_without_a_row_is_not_its_larger_sister_in_the_real_catalogue() -> None:
    catalogue = Catalogue.open()
    for kind, name in (("openai", "gpt-4o-mini"), ("anthropic", "claude-haiku-4-5"), ("gemini", "gemini-2.5-flash")):
        found = catalogue.find(kind, name)
        assert found is not None
        assert found.name == name


def test_a_region_goes_before_the_name() -> None:
    asked = "mistral.mixtral-8x7b-instruct-v0:1"
    assert find_name(asked, _KNOWN, {}, "eu-west-3") == f"eu-west-3/{asked}"
    assert find_name(asked, _KNOWN, {}, "us-east-1") == asked


def test_another_name_leads_to_the_model_it_stands_for() -> None:
    assert find_name("four-oh", _KNOWN, {"four-oh": "gpt-4o"}) == "gpt-4o"
    assert find_name("four-oh", _KNOWN, {"four-oh": "gone"}) is None


def test_both_sources_names_of_sellers_are_ours() -> None:
    assert seller_of_litellm("vertex_ai-anthropic_models", "vertex_ai/claude-haiku-4-5") == (
        "vertex",
        "claude-haiku-4-5",
    )
    assert seller_of_litellm("bedrock_converse", "us.amazon.nova-pro-v1:0") == ("bedrock", "us.amazon.nova-pro-v1:0")
    assert seller_of_litellm("fireworks_ai", "fireworks_ai/accounts/fireworks/models/x") == ("fireworks", "x")
    assert seller_of_genai("x-ai", "grok-4") == ("xai", "grok-4")
    assert seller_of_genai("huggingface_groq", "a/b") == ("huggingface", "a/b:groq")


def test_every_vendor_that_sends_bills_is_a_seller_of_the_catalogue_or_known_to_be_none() -> None:
    sold = set(Catalogue.open().contents().models)
    without = {kind for kind in packaged_names() if not sold & set(sellers(kind))}
    servers = {"llama-server", "lmstudio", "localai", "nim", "ollama", "sglang", "tgi", "vllm"}
    unlisted = {
        "chutes",
        "digitalocean",
        "github",
        "inference-net",
        "nvidia",
        "poe",
        "siliconflow",
        "stepfun",
        "upstage",
        "venice",
    }
    assert without - servers - unlisted == set()


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("eu.amazon.nova-pro", "eu"),
        ("us-gov-west-1/x", "us-gov-west-1"),
        ("eu/gpt-4o", "eu"),
        ("gpt-4o", ""),
        ("user", ""),
    ],
)
def test_the_region_of_a_name_is_told(name: str, place: str) -> None:
    assert place_of(name) == place
